//! Stage: serialisation at a rate, with a queue before it that takes so many bytes.

use std::collections::VecDeque;

use crate::scenario::Rate;
use crate::time::SimTime;
use crate::trace::Cause;

/// A transmitter's time. Both directions of a half-duplex link share one.
///
/// The end of the last transmission is exact: whole nanoseconds and a remainder over the rate, so no time is lost or
/// gained however many datagrams follow one another.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Air {
    whole: u64,
    remainder: u64,
    rate: u64,
}

impl Air {
    /// First whole nanosecond at which the transmitter is free.
    fn free_at(self) -> SimTime {
        SimTime::from_nanos(self.whole.saturating_add(u64::from(self.remainder > 0)))
    }

    /// Takes the transmitter for `bytes` from `now` or from when it is free: begin and end, rounded up.
    fn take(&mut self, now: SimTime, bytes: u32, rate: u64) -> (SimTime, SimTime) {
        let start = now.max(self.free_at());
        if start == now || self.rate != rate {
            *self = Self { whole: start.as_nanos(), remainder: 0, rate };
        }
        let nanos = u128::from(bytes) * 8 * 1_000_000_000 + u128::from(self.remainder);
        let rate = u128::from(rate);
        self.whole = self.whole.saturating_add(u64::try_from(nanos / rate).unwrap_or(u64::MAX));
        self.remainder = (nanos % rate) as u64;
        (start, self.free_at())
    }
}

/// Rate and queue of one direction.
#[derive(Clone, Debug)]
pub(super) struct RateStage {
    rate: Option<Rate>,
    /// When each waiting datagram begins to be sent, and its bytes.
    waiting: VecDeque<(SimTime, u32)>,
    queued: u32,
}

impl RateStage {
    pub(super) fn new(rate: Option<Rate>) -> Self {
        Self { rate, waiting: VecDeque::new(), queued: 0 }
    }

    /// When the last bit of a packet of `size` bytes has been sent.
    pub(super) fn pass(&mut self, now: SimTime, size: u32, air: &mut Air) -> Result<SimTime, Cause> {
        let Some(rate) = self.rate.filter(|rate| rate.bits_per_second > 0) else {
            return Ok(now);
        };
        while let Some((_, bytes)) = self.waiting.pop_front_if(|(start, _)| *start <= now) {
            self.queued -= bytes;
        }
        // A packet that finds the transmitter free does not wait.
        if air.free_at() > now {
            if self.queued.saturating_add(size) > rate.queue_bytes {
                return Err(Cause::QueueFull { queued: self.queued, limit: rate.queue_bytes });
            }
            self.queued += size;
            self.waiting.push_back((air.free_at(), size));
        }
        Ok(air.take(now, size, rate.bits_per_second).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(bits_per_second: u64, queue_bytes: u32) -> RateStage {
        RateStage::new(Some(Rate { bits_per_second, queue_bytes }))
    }

    /// 7 bit/ns-odd rates never divide: after `n` packets the end is the exact quotient, rounded up.
    #[test]
    fn no_time_is_lost_over_many_datagrams() {
        for rate in [7, 1_000, 13_400, 17_000, 999_999_937] {
            let (mut stage, mut air) = (stage(rate, u32::MAX), Air::default());
            let mut bits = 0_u128;
            for n in 0..10_000_u32 {
                let size = 28 + n % 1473;
                bits += u128::from(size) * 8;
                let end = stage.pass(SimTime::ZERO, size, &mut air);
                if stage.queued > u32::MAX - 2000 {
                    break;
                }
                let exact = (bits * 1_000_000_000).div_ceil(u128::from(rate));
                assert_eq!(end, Ok(SimTime::from_nanos(exact as u64)), "{rate} bit/s, packet {n}");
            }
        }
    }

    #[test]
    fn an_idle_transmitter_starts_afresh() {
        let (mut stage, mut air) = (stage(1_000_000_000, 1000), Air::default());
        assert_eq!(stage.pass(SimTime::ZERO, 125, &mut air), Ok(SimTime::from_nanos(1000)));
        assert_eq!(stage.pass(SimTime::from_nanos(500), 125, &mut air), Ok(SimTime::from_nanos(2000)));
        assert_eq!(stage.pass(SimTime::from_nanos(9000), 125, &mut air), Ok(SimTime::from_nanos(10_000)));
    }

    #[test]
    fn a_packet_that_does_not_fit_the_queue_is_dropped() {
        // One byte takes 8 ns. The first is on the air, two wait, the fourth does not fit.
        let (mut stage, mut air) = (stage(1_000_000_000, 250), Air::default());
        for end in [1000, 2000, 3000] {
            assert_eq!(stage.pass(SimTime::ZERO, 125, &mut air), Ok(SimTime::from_nanos(end)));
        }
        let full = Err(Cause::QueueFull { queued: 250, limit: 250 });
        assert_eq!(stage.pass(SimTime::ZERO, 125, &mut air), full);
        assert_eq!(stage.pass(SimTime::from_nanos(999), 125, &mut air), full);
        // At 1000 ns the second begins to be sent and leaves its place.
        assert_eq!(stage.pass(SimTime::from_nanos(1000), 125, &mut air), Ok(SimTime::from_nanos(4000)));
    }

    #[test]
    fn half_duplex_directions_never_overlap() {
        let mut air = Air::default();
        let (mut up, mut down) = (stage(1_000_000_000, 10_000), stage(500_000_000, 10_000));
        assert_eq!(up.pass(SimTime::ZERO, 125, &mut air), Ok(SimTime::from_nanos(1000)));
        assert_eq!(down.pass(SimTime::ZERO, 125, &mut air), Ok(SimTime::from_nanos(3000)));
        assert_eq!(up.pass(SimTime::from_nanos(10), 125, &mut air), Ok(SimTime::from_nanos(4000)));
    }

    #[test]
    fn without_a_rate_a_packet_passes_at_once() {
        let mut stage = RateStage::new(None);
        assert_eq!(stage.pass(SimTime::from_nanos(5), 65_535, &mut Air::default()), Ok(SimTime::from_nanos(5)));
    }
}

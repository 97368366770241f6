//! Settings of the retransmission timer.

use core::time::Duration;

use crate::error::Misuse;

/// Largest timeout unless said otherwise: the least that RFC 6298 §2.5 allows a largest one to be.
const MAX_DEFAULT: Duration = Duration::from_secs(60);

/// Retransmission timers (RFC 6347 §4.2.4.1, RFC 9147 §5.8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Time from a flight to its first retransmission; doubles at each further one. Default 1 s.
    pub initial: Duration,
    /// Cap of the doubling, and of what is measured. Default 60 s.
    pub max: Duration,
    /// Time after the first transmission of a flight at which the handshake fails. Default 183 s: transmissions at 0, 1,
    /// 3, 7, 15, 31, 63 and 123 s, and a minute of waiting for an answer to the last.
    pub give_up: Duration,
    /// Takes the round trip time, once something is known of it, in place of `initial`. Default: not.
    pub adaptive: Option<AdaptiveTimer>,
}

impl Default for Timers {
    fn default() -> Self {
        Self { initial: Duration::from_secs(1), max: MAX_DEFAULT, give_up: Duration::from_secs(183), adaptive: None }
    }
}

impl Timers {
    /// For constrained devices and networks: flights are repeated after 9 s at first (RFC 7925 §11), at 0, 9, 27, 63 and
    /// 123 s.
    #[must_use]
    pub fn constrained() -> Self {
        Self { initial: Duration::from_secs(9), ..Self::default() }
    }

    /// Follows the round trip time, beginning with one that is known from elsewhere, if any: from an ICE handshake, say, or
    /// from [`Connection::rtt`](crate::Connection::rtt) of an earlier connection to the same server (RFC 9147 §5.8.2).
    #[must_use]
    pub fn adaptive(rtt_hint: Option<Duration>) -> Self {
        Self { adaptive: Some(AdaptiveTimer { rtt_hint, ..AdaptiveTimer::default() }), ..Self::default() }
    }

    pub(super) fn check(&self) -> Result<(), Misuse> {
        let zero = self.initial.is_zero() || self.give_up.is_zero();
        let adaptive = self.adaptive.is_none_or(|adaptive| {
            !adaptive.min.is_zero()
                && adaptive.min <= self.max
                && adaptive.rtt_hint.is_none_or(|hint| !hint.is_zero() && hint <= RTT_MAX)
        });
        if zero || self.max < self.initial || !adaptive { Err(Misuse::BadTimers) } else { Ok(()) }
    }
}

/// Longest round trip time that can be hinted at: nothing that anyone would wait for.
const RTT_MAX: Duration = Duration::from_secs(24 * 3600);

/// How the timer follows the round trip time.
///
/// In DTLS 1.3 a flight waits for 1.5 times the last round trip measured, or that of the hint before there is one (RFC
/// 9147 §5.8.2). In DTLS 1.2, which has no rule of its own, it waits as long as RFC 6298 §2 says: three round trips after
/// the first measurement or by the hint, less as more agree. Flights that were sent twice measure nothing, as nobody knows
/// which transmission was answered (RFC 6298 §3), but for hellos of DTLS 1.2, whose HelloVerifyRequest tells; what the
/// timer has doubled to stays until one is answered at once.
///
/// Where the round trip time is known it serves other timers, too: that of return routability checks (RFC 9853 §5.5), and
/// in DTLS 1.3 those of ACKs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdaptiveTimer {
    /// Round trip time to expect, at most a day. Default: unknown, and flights wait for [`Timers::initial`] until one is
    /// measured.
    pub rtt_hint: Option<Duration>,
    /// No flight waits for less. Default 1 s (RFC 6298 §2.4). A peer that computes for longer than its round trip time is
    /// why: shorter ones are for applications that know both ends, as DTLS-SRTP does (RFC 9147 §5.8.2).
    pub min: Duration,
}

impl Default for AdaptiveTimer {
    fn default() -> Self {
        Self { rtt_hint: None, min: Duration::from_secs(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused() {
        let good = Timers::adaptive(Some(Duration::from_millis(20)));
        assert_eq!(good.check(), Ok(()));
        let adaptive = |adaptive| Timers { adaptive: Some(adaptive), ..good };
        let plain = AdaptiveTimer::default();
        for bad in [
            Timers { initial: Duration::ZERO, ..good },
            Timers { give_up: Duration::ZERO, ..good },
            Timers { max: Duration::from_millis(999), adaptive: None, ..good },
            Timers { initial: Duration::from_millis(1), max: Duration::from_millis(999), ..good },
            adaptive(AdaptiveTimer { min: Duration::ZERO, ..plain }),
            adaptive(AdaptiveTimer { rtt_hint: Some(Duration::ZERO), ..plain }),
            adaptive(AdaptiveTimer { rtt_hint: Some(Duration::MAX), ..plain }),
        ] {
            assert_eq!(bad.check(), Err(Misuse::BadTimers), "{bad:?}");
        }
    }
}

//! When a flight was sent, for answers that say which of its transmissions they are to.

use crate::time::Instant;

/// Transmissions remembered: those of the default timers. Beyond, the oldest are forgotten.
const KEPT: usize = 8;

/// The transmissions of the flight in the air, by the number of their first record.
#[derive(Debug, Default)]
pub(crate) struct Transmissions {
    /// Oldest first, absent ones before them.
    sent: [Option<(u64, Instant)>; KEPT],
}

impl Transmissions {
    /// Sent in records from this one on.
    pub(crate) fn push(&mut self, first_record: u64, at: Instant) {
        self.sent.rotate_left(1);
        self.sent[KEPT - 1] = Some((first_record, at));
    }

    /// When the transmission was sent that has this record.
    pub(crate) fn of(&self, record: u64) -> Option<Instant> {
        self.sent.iter().rev().flatten().find(|(first, _)| *first <= record).map(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_of_the_last_transmission_that_began_before_it() {
        let at = Instant::from_nanos;
        let mut transmissions = Transmissions::default();
        assert_eq!(transmissions.of(0), None);
        for (first, time) in [(5, 10), (7, 20), (9, 40)] {
            transmissions.push(first, at(time));
        }
        let of = [4, 5, 6, 7, 8, 9, 100].map(|record| transmissions.of(record).map(Instant::as_nanos));
        assert_eq!(of, [None, Some(10), Some(10), Some(20), Some(20), Some(40), Some(40)]);
        for n in 0..KEPT as u64 {
            transmissions.push(11 + n, at(50 + n));
        }
        assert_eq!((transmissions.of(9), transmissions.of(11)), (None, Some(at(50))));
    }
}

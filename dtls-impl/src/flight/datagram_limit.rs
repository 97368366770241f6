//! How large datagrams may be: as large as the MTU says, or less where flights of that size went unanswered (RFC 6347
//! §4.1.1.1, RFC 9147 §4.4).
//!
//! Knows sizes, not what is in the datagrams. Whoever sends says what was sent and what came of it.

use crate::config::{MTU_MIN, PathMtu};

/// Payloads that paths take: every one of IPv6 (1280 bytes less 48, RFC 8200 §5), every one of IPv4 that hosts must bear
/// (576 bytes less 28, RFC 791), and our smallest. Few, as a handshake that comes through soon is worth more than one in
/// datagrams of the best size.
const STEPS: [usize; 3] = [1232, LEAST_REPORTED, MTU_MIN];

/// Smallest payload that a path may be said to take: anyone can say so (RFC 9147 §4.4).
const LEAST_REPORTED: usize = 548;

/// The limit of an association.
#[derive(Debug)]
pub(crate) struct DatagramLimit {
    policy: PathMtu,
    /// As configured, or as reported since.
    mtu: usize,
    /// For flights; at most the MTU.
    flights: usize,
    /// The largest datagram of the flight's last transmission.
    largest: usize,
    /// Repetitions of this size.
    in_vain: u8,
}

impl DatagramLimit {
    pub(crate) const fn new(mtu: usize, policy: PathMtu) -> Self {
        Self { policy, mtu, flights: mtu, largest: 0, in_vain: 0 }
    }

    /// For all datagrams.
    pub(crate) const fn mtu(&self) -> usize {
        self.mtu
    }

    /// For those of a flight.
    pub(crate) const fn flights(&self) -> usize {
        self.flights
    }

    /// A flight is about to be sent for the first time.
    pub(crate) const fn on_flight(&mut self) {
        (self.largest, self.in_vain) = (0, 0);
    }

    /// A datagram of the flight was sent.
    pub(crate) fn on_sent(&mut self, len: usize) {
        self.largest = self.largest.max(len);
    }

    /// A part of the flight has arrived: its size is not to blame.
    pub(crate) const fn on_progress(&mut self) {
        self.in_vain = 0;
    }

    /// The flight is about to be repeated: in smaller datagrams, if it was in such large ones often enough.
    pub(crate) fn on_repeat(&mut self) {
        let largest = core::mem::take(&mut self.largest);
        let PathMtu::BackOff { after } = self.policy else { return };
        if self.in_vain < after {
            self.in_vain += 1;
        } else if let Some(smaller) = STEPS.into_iter().find(|step| *step < largest) {
            self.flights = self.flights.min(smaller);
            self.in_vain = 1;
        }
    }

    /// The application knows better.
    pub(crate) fn set(&mut self, mtu: usize) {
        (self.mtu, self.flights) = (mtu, mtu);
    }

    /// The network says that it takes no more than `mtu`. Whether that is credible and new, and a datagram of the flight in
    /// the air was too large.
    pub(crate) fn on_too_big(&mut self, mtu: usize) -> bool {
        if mtu < LEAST_REPORTED {
            return false;
        }
        self.mtu = self.mtu.min(mtu);
        self.flights = self.flights.min(mtu);
        self.largest > mtu
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes of the transmissions of a flight that would fill any datagram.
    fn transmissions(limit: &mut DatagramLimit, count: usize) -> Vec<usize> {
        limit.on_flight();
        let send = |nth| {
            if nth > 0 {
                limit.on_repeat();
            }
            limit.on_sent(limit.flights());
            limit.flights()
        };
        (0..count).map(send).collect()
    }

    #[test]
    fn each_size_is_repeated_as_often_as_configured() {
        let mut limit = DatagramLimit::new(1400, PathMtu::BACK_OFF);
        assert_eq!(transmissions(&mut limit, 9), [1400, 1400, 1400, 1232, 1232, 548, 548, 256, 256]);
        assert_eq!(transmissions(&mut limit, 4), [256; 4], "the next flight begins where this one ended");
        assert_eq!(limit.mtu(), 1400, "the guess is about flights");
        let mut eager = DatagramLimit::new(1200, PathMtu::BackOff { after: 1 });
        assert_eq!(transmissions(&mut eager, 5), [1200, 1200, 548, 256, 256]);
        let mut fixed = DatagramLimit::new(1400, PathMtu::Fixed);
        assert_eq!(transmissions(&mut fixed, 9), [1400; 9]);
    }

    #[test]
    fn small_datagrams_and_progress_say_nothing_about_size() {
        let mut limit = DatagramLimit::new(1200, PathMtu::BACK_OFF);
        for _ in 0..9 {
            limit.on_sent(200);
            limit.on_repeat();
        }
        assert_eq!(limit.flights(), 1200);
        for _ in 0..9 {
            limit.on_sent(1200);
            limit.on_progress();
            limit.on_repeat();
        }
        assert_eq!(limit.flights(), 1200);
    }

    #[test]
    fn reports_are_believed_down_to_what_every_path_takes() {
        let mut limit = DatagramLimit::new(1400, PathMtu::Fixed);
        limit.on_sent(1400);
        assert!(!limit.on_too_big(547));
        assert!(!limit.on_too_big(1400), "it was not larger");
        assert_eq!(limit.mtu(), 1400);
        assert!(limit.on_too_big(1000));
        assert_eq!((limit.mtu(), limit.flights()), (1000, 1000));
        limit.on_repeat();
        limit.on_sent(1000);
        assert!(!limit.on_too_big(1200), "smaller ones are on their way");
        assert_eq!(limit.mtu(), 1000, "a report makes nothing larger");
        limit.set(1300);
        assert_eq!((limit.mtu(), limit.flights()), (1300, 1300));
    }
}

//! When a flight is sent again (RFC 6347 §4.2.4). Owns the flight, the back-off and the deadline; sends nothing itself.

use core::time::Duration;

use super::OutgoingFlight;
use super::timing::{Rule, Timing};
use crate::config::Timers;
use crate::mutation::{Mutated, Mutation};
use crate::time::Instant;

/// Time for which the last flight is kept to be repeated: twice the maximum segment lifetime of RFC 793, which is two
/// minutes (RFC 6347 §4.2.4).
pub(crate) const LAST_FLIGHT_KEPT: Duration = Duration::from_secs(240);

/// What the clock asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// Nothing yet.
    NotDue,
    /// Send the flight again.
    Resend,
    /// Stop waiting for an answer.
    GiveUp,
}

/// What becomes of a flight once it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is repeated until it is answered.
    Awaited {
        deadline: Instant,
        give_up: Instant,
        repeated: bool,
        /// When it was sent, as long as its answer would measure the round trip time (RFC 6298 §3).
        measures_from: Option<Instant>,
    },
    /// The last of the handshake: it is repeated only when the peer shows that it did not arrive.
    Last { kept_until: Instant },
}

#[derive(Debug)]
struct InFlight<F> {
    flight: F,
    fate: Fate,
}

/// The flight in the air and its timer.
#[derive(Debug)]
pub(crate) struct Retransmitter<F = OutgoingFlight> {
    timing: Timing,
    mutated: Mutated,
    /// The timer's current value: survives from flight to flight until one is answered at the first attempt.
    timeout: Duration,
    in_flight: Option<InFlight<F>>,
}

impl<F> Retransmitter<F> {
    pub(crate) fn new(mut timers: Timers, rule: Rule, mutated: Mutated) -> Self {
        if mutated.by(Mutation::ImpatientTimer) {
            timers.initial /= 10;
        }
        let timing = Timing::new(timers, rule);
        Self { timeout: timing.timeout(), timing, mutated, in_flight: None }
    }

    /// The first piece of the answer has arrived: a round trip is over. Where the answer itself says to which transmission
    /// it is, `sent` is when that was, and it does not matter how many there were.
    pub(crate) fn on_reply(&mut self, now: Instant, sent: Option<Instant>) {
        if let Some(InFlight { fate: Fate::Awaited { measures_from, .. }, .. }) = &mut self.in_flight
            && let Some(sent) = sent.or(*measures_from)
        {
            *measures_from = None;
            self.timing.on_sample(now.saturating_since(sent));
        }
    }

    /// The peer's flight has arrived completely: the own one is answered (RFC 6347 §4.2.4.1).
    pub(crate) fn on_answer(&mut self) {
        let answered = self.in_flight.take().map(|in_flight| in_flight.fate);
        let Some(Fate::Awaited { repeated, .. }) = answered else { return };
        // What repetitions have made longer is kept, but may be too short all the same.
        let least = if repeated { self.timeout } else { Duration::ZERO };
        self.timeout = self.timing.timeout().max(least);
    }

    /// A flight that the peer must answer is sent for the first time.
    pub(crate) fn start(&mut self, now: Instant, flight: F) {
        self.on_answer();
        let give_up = now + self.timing.give_up();
        let deadline = (now + self.timeout).min(give_up);
        let fate = Fate::Awaited { deadline, give_up, repeated: false, measures_from: Some(now) };
        self.in_flight = Some(InFlight { flight, fate });
    }

    /// Takes over a flight that was sent some time ago.
    pub(crate) fn adopt(&mut self, now: Instant, flight: F) {
        self.start(now, flight);
        if let Some(InFlight { fate: Fate::Awaited { measures_from, .. }, .. }) = &mut self.in_flight {
            *measures_from = None;
        }
    }

    /// The last flight of the handshake is sent for the first time.
    pub(crate) fn start_last(&mut self, now: Instant, flight: F) {
        self.on_answer();
        self.in_flight = Some(InFlight { flight, fate: Fate::Last { kept_until: now + LAST_FLIGHT_KEPT } });
    }

    /// The handshake is complete: the own flight is answered, unless it is the last, which has no answer.
    pub(crate) fn on_handshake_done(&mut self) {
        if !matches!(self.in_flight, Some(InFlight { fate: Fate::Last { .. }, .. })) {
            self.on_answer();
        }
    }

    /// Forgets the flight.
    pub(crate) fn stop(&mut self) {
        self.in_flight = None;
    }

    /// When [`on_timeout`](Self::on_timeout) will have something to say.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.in_flight.as_ref()?.fate {
            Fate::Awaited { .. } if self.mutated.by(Mutation::NoRetransmission) => None,
            Fate::Awaited { deadline, .. } => Some(deadline),
            Fate::Last { .. } => None,
        }
    }

    /// Time has passed. A retransmission doubles the timer.
    pub(crate) fn on_timeout(&mut self, now: Instant) -> Expiry {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Expiry::NotDue;
        }
        let Some(InFlight { fate: Fate::Awaited { deadline, give_up, repeated, measures_from }, .. }) =
            &mut self.in_flight
        else {
            return Expiry::NotDue;
        };
        if now >= *give_up {
            return Expiry::GiveUp;
        }
        if !self.mutated.by(Mutation::NoBackoff) {
            self.timeout = (self.timeout * 2).min(self.timing.max());
        }
        (*repeated, *measures_from) = (true, None);
        *deadline = (now + self.timeout).min(*give_up);
        Expiry::Resend
    }

    /// The peer repeated the flight before this one: whether to send this one again. The timer starts anew, undoubled.
    pub(crate) fn on_peer_repeats(&mut self, now: Instant) -> bool {
        match self.in_flight.as_mut().map(|in_flight| &mut in_flight.fate) {
            None => false,
            Some(Fate::Awaited { deadline, give_up, repeated, measures_from }) => {
                (*repeated, *measures_from) = (true, None);
                *deadline = (now + self.timeout).min(*give_up);
                true
            }
            Some(Fate::Last { .. }) if self.mutated.by(Mutation::NeverRepeatLastFlight) => false,
            Some(Fate::Last { kept_until }) => {
                let kept = now < *kept_until;
                if kept {
                    // Who repeats may do so again: at a timeout of a minute and more, a few losses take longer than this.
                    *kept_until = now + LAST_FLIGHT_KEPT;
                } else {
                    self.in_flight = None;
                }
                kept
            }
        }
    }

    /// The flight to send.
    pub(crate) fn flight(&self) -> Option<&F> {
        self.in_flight.as_ref().map(|in_flight| &in_flight.flight)
    }

    /// The flight to send, to note what became of it.
    pub(crate) fn flight_mut(&mut self) -> Option<&mut F> {
        self.in_flight.as_mut().map(|in_flight| &mut in_flight.flight)
    }

    /// The timer's current value.
    pub(crate) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What is known of the round trip time.
    pub(crate) const fn timing(&self) -> &Timing {
        &self.timing
    }
}

impl Retransmitter {
    /// Mutation: the next transmission has other message numbers.
    pub(crate) fn renumber(&mut self) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.flight = in_flight.flight.renumbered(in_flight.flight.messages());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Instant {
        Instant::from_nanos(secs * 1_000_000_000)
    }

    fn flight() -> OutgoingFlight {
        OutgoingFlight { items: Vec::new() }
    }

    fn retransmitter() -> Retransmitter {
        Retransmitter::new(Timers::default(), Rule::Rfc6298, Mutated::default())
    }

    fn adaptive() -> Retransmitter {
        Retransmitter::new(Timers::adaptive(None), Rule::Rfc9147, Mutated::default())
    }

    #[test]
    fn the_default_ladder_is_the_documented_one() {
        let mut retransmitter = retransmitter();
        retransmitter.start(Instant::ZERO, flight());
        let mut ladder = Vec::new();
        loop {
            let deadline = retransmitter.deadline().unwrap();
            ladder.push(deadline.as_nanos() / 1_000_000_000);
            if retransmitter.on_timeout(deadline) == Expiry::GiveUp {
                break;
            }
        }
        assert_eq!(ladder, [1, 3, 7, 15, 31, 63, 123, 183]);
    }

    #[test]
    fn nothing_is_due_before_the_deadline() {
        let mut retransmitter = retransmitter();
        retransmitter.start(at(5), flight());
        assert_eq!(retransmitter.on_timeout(Instant::from_nanos(5_999_999_999)), Expiry::NotDue);
        assert_eq!(retransmitter.on_timeout(at(6)), Expiry::Resend);
    }

    #[test]
    fn the_timer_keeps_its_value_until_a_flight_is_answered_at_once() {
        let mut retransmitter = retransmitter();
        retransmitter.start(at(0), flight());
        assert_eq!(retransmitter.on_timeout(at(1)), Expiry::Resend);
        retransmitter.start(at(2), flight());
        assert_eq!(retransmitter.deadline(), Some(at(4)), "retained: the flight before was repeated");
        retransmitter.start(at(3), flight());
        assert_eq!(retransmitter.deadline(), Some(at(4)), "reset: the flight before was answered at once");
    }

    #[test]
    fn the_beginning_of_an_answer_measures_and_its_end_sets_the_timer() {
        let mut retransmitter = adaptive();
        retransmitter.start(at(0), flight());
        retransmitter.on_reply(Instant::from_nanos(900_000_000), None);
        retransmitter.on_reply(at(30), None);
        assert_eq!(retransmitter.timeout(), Duration::from_secs(1), "of the flight that is still in the air");
        retransmitter.start(at(2), flight());
        assert_eq!(retransmitter.deadline(), Some(Instant::from_nanos(3_350_000_000)));
    }

    #[test]
    fn what_was_sent_twice_or_by_others_measures_nothing() {
        let mut retransmitter = adaptive();
        retransmitter.start(at(0), flight());
        assert_eq!(retransmitter.on_timeout(at(1)), Expiry::Resend);
        retransmitter.on_reply(at(2), None);
        retransmitter.start(at(2), flight());
        assert_eq!(retransmitter.deadline(), Some(at(4)), "retained");
        assert!(retransmitter.on_peer_repeats(at(3)));
        retransmitter.on_reply(at(5), None);
        retransmitter.adopt(at(5), flight());
        retransmitter.on_reply(at(6), None);
        assert_eq!(retransmitter.timing().measured(), None);
    }

    #[test]
    fn an_answer_that_names_its_transmission_measures_though_there_were_several() {
        let mut retransmitter = adaptive();
        retransmitter.start(at(0), flight());
        assert_eq!(retransmitter.on_timeout(at(1)), Expiry::Resend);
        retransmitter.on_reply(at(2), Some(at(0)));
        retransmitter.start(at(2), flight());
        assert_eq!(retransmitter.deadline(), Some(at(5)), "more than what it had doubled to");
        assert_eq!(retransmitter.on_timeout(at(5)), Expiry::Resend);
        retransmitter.start(at(6), flight());
        assert_eq!(retransmitter.deadline(), Some(at(12)), "less than what it has doubled to");
    }

    #[test]
    fn a_repeating_peer_restarts_the_timer_without_doubling() {
        let mut retransmitter = retransmitter();
        retransmitter.start(at(0), flight());
        assert!(retransmitter.on_peer_repeats(Instant::from_nanos(500_000_000)));
        assert_eq!(retransmitter.deadline(), Some(Instant::from_nanos(1_500_000_000)));
    }

    #[test]
    fn the_last_flight_has_no_timer_and_is_kept_for_twice_the_segment_lifetime() {
        let mut retransmitter = retransmitter();
        retransmitter.start_last(at(0), flight());
        assert_eq!(retransmitter.deadline(), None);
        assert!(retransmitter.on_peer_repeats(at(239)));
        assert!(retransmitter.on_peer_repeats(at(478)), "counted from when it was last needed");
        assert!(!retransmitter.on_peer_repeats(at(718)));
        assert!(retransmitter.flight().is_none());
    }
}

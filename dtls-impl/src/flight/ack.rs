//! Which records to acknowledge, and when (RFC 9147 §7.1). Sends nothing itself.
//!
//! A flight that is answered needs no ACK. One is due at once when something is missing that should have come before, or
//! when the peer repeats itself; after a while when the rest of a flight does not come; and at once for what has no
//! answer. The same list is not sent at once twice: then it waits for its timer, so that a burst of records without a
//! beginning is one ACK. Should that get lost, the retransmission timer brings the next.

use core::time::Duration;
use std::collections::BTreeSet;

use crate::time::Instant;
use crate::wire::{Ack, RECORD_NUMBER_LEN, RecordNumber};

/// Records remembered of the flight that is coming in: those of the largest message cut for the smallest MTU. Beyond,
/// the oldest are forgotten: their ACKs are the most likely to have been sent.
const RECORDS_MAX: usize = 512;

/// What arrived of the peer's flight, and when to say so.
#[derive(Debug, Default)]
pub(crate) struct AckTracker {
    received: BTreeSet<RecordNumber>,
    /// Whether the last ACK said all that the next would say.
    told: bool,
    due_now: bool,
    deadline: Option<Instant>,
}

impl AckTracker {
    /// A record of handshake messages arrived and was kept; the rest of its flight may take `patience`.
    pub(crate) fn on_record(&mut self, number: RecordNumber, now: Instant, patience: Duration) {
        if self.received.insert(number) {
            self.told = false;
        }
        if self.received.len() > RECORDS_MAX {
            self.received.pop_first();
        }
        self.deadline.get_or_insert(now + patience);
    }

    /// Something is missing, or came a second time. Nothing may have been kept: then the ACK is empty, and makes a peer
    /// that answers it repeat everything (RFC 9147 §7.1).
    pub(crate) fn on_disruption(&mut self, now: Instant, patience: Duration) {
        if self.told {
            self.deadline.get_or_insert(now + patience);
        } else {
            self.due_now = true;
        }
    }

    /// What arrived has no answer but an ACK.
    pub(crate) fn on_unanswered(&mut self) {
        self.due_now = true;
    }

    /// The flight is answered, or no longer of interest.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// When [`take`](Self::take) will have an ACK, if it has none at once.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The ACK that is due, with as many records as `room` bytes take. The newest are preferred, as the peer has not
    /// heard of them yet.
    pub(crate) fn take(&mut self, now: Instant, room: usize) -> Option<Ack> {
        let timer_expired = self.deadline.is_some_and(|deadline| deadline <= now);
        if !self.due_now && !timer_expired {
            return None;
        }
        self.due_now = false;
        self.told = true;
        self.deadline = None;
        let most = room.saturating_sub(2) / RECORD_NUMBER_LEN;
        let skipped = self.received.len().saturating_sub(most);
        Some(Ack { records: self.received.iter().skip(skipped).copied().collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(250);
    const ROOM: usize = 1000;

    const fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    const fn number(seq: u64) -> RecordNumber {
        RecordNumber { epoch: 2, seq }
    }

    fn take(acks: &mut AckTracker, millis: u64) -> Option<Vec<u64>> {
        let ack = acks.take(at(millis), ROOM)?;
        Some(ack.records.into_iter().map(|number| number.seq).collect())
    }

    #[test]
    fn a_flight_that_stops_coming_is_acknowledged_after_a_while() {
        let mut acks = AckTracker::default();
        acks.on_record(number(3), at(0), PATIENCE);
        acks.on_record(number(2), at(200), PATIENCE);
        assert_eq!(acks.deadline(), Some(at(250)));
        assert_eq!(take(&mut acks, 249), None);
        assert_eq!(take(&mut acks, 250), Some(vec![2, 3]), "in increasing order");
        assert_eq!((take(&mut acks, 10_000), acks.deadline()), (None, None));
        acks.on_record(number(4), at(600), PATIENCE);
        assert_eq!(take(&mut acks, 850), Some(vec![2, 3, 4]));
    }

    #[test]
    fn a_disruption_is_told_at_once_but_not_twice_without_news() {
        let mut acks = AckTracker::default();
        acks.on_disruption(at(0), PATIENCE);
        assert_eq!(take(&mut acks, 0), Some(vec![]), "nothing could be kept");
        acks.on_disruption(at(1), PATIENCE);
        assert_eq!(take(&mut acks, 1), None);
        assert_eq!(acks.deadline(), Some(at(251)), "later, if nothing else comes");
        acks.on_record(number(5), at(2), PATIENCE);
        acks.on_disruption(at(2), PATIENCE);
        assert_eq!(take(&mut acks, 2), Some(vec![5]));
        acks.on_record(number(5), at(3), PATIENCE);
        acks.on_disruption(at(3), PATIENCE);
        assert_eq!(take(&mut acks, 3), None);
    }

    #[test]
    fn what_has_no_answer_is_acknowledged_at_once() {
        let mut acks = AckTracker::default();
        acks.on_record(number(0), at(0), PATIENCE);
        acks.on_unanswered();
        assert_eq!(take(&mut acks, 0), Some(vec![0]));
        acks.clear();
        assert_eq!((take(&mut acks, 10_000), acks.deadline()), (None, None));
    }

    #[test]
    fn the_newest_records_are_preferred_when_room_is_short_and_memory_is_bounded() {
        let mut acks = AckTracker::default();
        (0..2 * RECORDS_MAX as u64).for_each(|seq| acks.on_record(number(seq), at(0), PATIENCE));
        assert_eq!(acks.received.len(), RECORDS_MAX);
        acks.on_unanswered();
        let ack = acks.take(at(0), 2 + 2 * RECORD_NUMBER_LEN + 15).unwrap();
        let last = 2 * RECORDS_MAX as u64 - 1;
        assert_eq!(ack.records, [number(last - 1), number(last)]);
    }
}

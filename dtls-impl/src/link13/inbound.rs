//! The receiving side of DTLS 1.3: which records count, under which keys, and what waits for its turn.
//!
//! Knows epochs, replays and fragments, not what messages mean. Nothing here ends a connection: whatever is wrong with a
//! record is a reason to drop it (RFC 9147 §4.5.2).

use std::collections::BTreeSet;

use crate::event::DiscardReason;
use crate::flight::reassembly::{Insertion, Reassembly};
use crate::link::inbound::RecentNumbers;
use crate::record::epochs13::{EPOCH_APPLICATION, EPOCH_HANDSHAKE, EPOCH_PLAIN, ReadEpochs};
use crate::wire::{AlertDescription, Fragment};

/// Datagram ends kept until their keys are known: a server's flight behind a ServerHello that is late, and application
/// data behind a late Finished.
const EARLY_RECORDS_MAX: usize = 16;

/// Bytes of those together.
const EARLY_LEN_MAX: usize = 24 * 1024;

/// Fragments remembered of a flight that the peer repeats. Beyond, repetitions are not noticed.
const REPEATED_MAX: usize = 64;

/// What to do with a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FragmentFate {
    /// It was added to its message, and was what should come next.
    Stored,
    /// It was added to its message; something before it is missing.
    StoredAhead,
    /// It is there already, in the flight that is coming in: the peer has not heard so.
    Known,
    /// It belongs to an earlier flight, which the peer repeats: it has not got ours. Said once per repetition.
    FlightRepeated,
    /// It belongs to an earlier flight.
    Old,
    /// It is of no use.
    Discard(DiscardReason),
}

/// One end's receiving state.
#[derive(Debug)]
pub(crate) struct Inbound {
    pub(crate) reassembly: Reassembly,
    pub(crate) read: ReadEpochs,
    /// Record numbers of epoch 0 that were of use: see [`RecentNumbers`].
    pub(crate) recent: RecentNumbers,
    /// An alert in epoch 0 that would end the handshake if it is the peer's; believed when the timer expires.
    pub(crate) suspected_alert: Option<AlertDescription>,
    /// Epoch of the messages that are due.
    due: u64,
    /// First message of the flight that is coming in.
    flight_start: u16,
    early: Vec<Vec<u8>>,
    /// Fragments of the flight before that came again since we repeated ours.
    repeated: BTreeSet<(u16, u32)>,
}

impl Inbound {
    /// The first message to come has this number.
    pub(crate) fn new(message_seq: u16) -> Self {
        Self {
            reassembly: Reassembly::new(message_seq, false),
            read: ReadEpochs::default(),
            recent: RecentNumbers::default(),
            suspected_alert: None,
            due: EPOCH_PLAIN,
            flight_start: message_seq,
            early: Vec::new(),
            repeated: BTreeSet::new(),
        }
    }

    /// As new, but for the memory in use: the first message to come has this number.
    pub(crate) fn restart(&mut self, message_seq: u16) {
        let mut reassembly = core::mem::replace(&mut self.reassembly, Reassembly::new(message_seq, false));
        reassembly.restart(message_seq);
        *self = Self { reassembly, ..Self::new(message_seq) };
    }

    /// Epoch of the messages that are due: the hellos', the handshake's, or the application's.
    pub(crate) const fn due(&self) -> u64 {
        self.due
    }

    /// Messages are due in a later epoch. What waits unfinished is forgotten: no message spans a change of keys
    /// (RFC 8446 §5.1).
    pub(crate) fn enter(&mut self, epoch: u64) {
        self.due = epoch;
        self.reassembly.clear();
        self.suspected_alert = None;
    }

    /// What came too early.
    pub(crate) fn take_early(&mut self) -> Vec<Vec<u8>> {
        core::mem::take(&mut self.early)
    }

    /// The own flight that is about to be sent answers all messages so far.
    pub(crate) fn on_flight_answered(&mut self) {
        self.flight_start = self.reassembly.next_seq();
        self.repeated.clear();
    }

    /// Keeps a record whose keys are not known yet.
    pub(crate) fn keep_early(&mut self, record: Vec<u8>) -> Result<(), DiscardReason> {
        let len: usize = self.early.iter().map(Vec::len).sum();
        if self.early.len() == EARLY_RECORDS_MAX || len + record.len() > EARLY_LEN_MAX {
            return Err(DiscardReason::BeyondLimit);
        }
        self.early.push(record);
        Ok(())
    }

    /// Takes a fragment that came in a record of this epoch.
    pub(crate) fn fragment(&mut self, epoch: u64, fragment: &Fragment<'_>) -> FragmentFate {
        let header = &fragment.header;
        if header.message_seq < self.flight_start {
            return self.old_flight(header.message_seq, header.fragment_offset);
        }
        if header.message_seq < self.reassembly.next_seq() {
            return FragmentFate::Known;
        }
        let in_epoch = if self.due == EPOCH_APPLICATION { epoch >= EPOCH_APPLICATION } else { epoch == self.due };
        if !in_epoch {
            return FragmentFate::Discard(DiscardReason::Unexpected);
        }
        let is_next = self.reassembly.is_next(fragment);
        match self.reassembly.insert(fragment) {
            Insertion::Stored if is_next => FragmentFate::Stored,
            Insertion::Stored => FragmentFate::StoredAhead,
            Insertion::Old | Insertion::Duplicate => FragmentFate::Known,
            Insertion::Inconsistent => FragmentFate::Discard(DiscardReason::InconsistentFragment),
            Insertion::BeyondLimit => FragmentFate::Discard(DiscardReason::BeyondLimit),
        }
    }

    /// A flight of several records comes again as a whole, or without what was acknowledged: its first fragment to come
    /// again is answered, and then the first to come a third time.
    fn old_flight(&mut self, message_seq: u16, offset: u32) -> FragmentFate {
        let fragment = (message_seq, offset);
        if self.repeated.is_empty() || self.repeated.contains(&fragment) {
            self.repeated.clear();
            self.repeated.insert(fragment);
            return FragmentFate::FlightRepeated;
        }
        if self.repeated.len() < REPEATED_MAX {
            self.repeated.insert(fragment);
        }
        FragmentFate::Old
    }

    /// The handshake is over and the peer knows: what it was protected with is no longer needed.
    pub(crate) fn forget_handshake_keys(&mut self) {
        debug_assert!(self.read.newest().is_some_and(|newest| newest > EPOCH_HANDSHAKE));
        self.read.forget_before(EPOCH_APPLICATION);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{HandshakeHeader, HandshakeType};

    fn fragment(message_seq: u16, offset: u32, body: &[u8]) -> Fragment<'_> {
        let whole = HandshakeHeader::whole(HandshakeType::CERTIFICATE, message_seq, 10);
        Fragment {
            header: HandshakeHeader { fragment_offset: offset, fragment_length: body.len() as u32, ..whole },
            body,
        }
    }

    #[test]
    fn a_repeated_flight_is_answered_once_per_repetition() {
        let mut inbound = Inbound::new(2);
        let fates = [(0, 0), (0, 5), (1, 0), (0, 5), (1, 0), (0, 0)]
            .map(|(seq, offset)| inbound.fragment(0, &fragment(seq, offset, b"12345")) == FragmentFate::FlightRepeated);
        assert_eq!(fates, [true, false, false, true, false, false], "the second repetition lost its first fragment");
    }

    #[test]
    fn fragments_are_in_order_or_ahead_and_count_in_their_epoch_only() {
        let mut inbound = Inbound::new(0);
        assert_eq!(inbound.fragment(0, &fragment(0, 0, b"12345")), FragmentFate::Stored);
        assert_eq!(inbound.fragment(0, &fragment(0, 7, b"890")), FragmentFate::StoredAhead);
        assert_eq!(inbound.fragment(0, &fragment(0, 7, b"890")), FragmentFate::Known);
        assert_eq!(inbound.fragment(0, &fragment(1, 0, b"12345")), FragmentFate::StoredAhead);
        let wrong_epoch = inbound.fragment(2, &fragment(0, 5, b"67"));
        assert_eq!(wrong_epoch, FragmentFate::Discard(DiscardReason::Unexpected));
        inbound.enter(2);
        assert_eq!(inbound.fragment(2, &fragment(0, 0, b"1")), FragmentFate::Stored, "nothing is left of epoch 0");
    }

    #[test]
    fn records_without_keys_are_kept_up_to_a_limit() {
        let mut inbound = Inbound::new(0);
        assert_eq!(inbound.keep_early(vec![0; EARLY_LEN_MAX + 1]), Err(DiscardReason::BeyondLimit));
        (0..EARLY_RECORDS_MAX).for_each(|_| assert_eq!(inbound.keep_early(vec![0; 10]), Ok(())));
        assert_eq!(inbound.keep_early(vec![0; 10]), Err(DiscardReason::BeyondLimit));
        assert_eq!(inbound.take_early().len(), EARLY_RECORDS_MAX);
    }
}

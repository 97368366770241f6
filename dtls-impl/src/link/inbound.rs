//! The receiving side: which records count, under which keys, and what waits for its turn.
//!
//! Knows epochs, replays and fragments, not what messages mean. Nothing here ends a connection: whatever is wrong with a
//! record is a reason to drop it (RFC 6347 §4.1.2.7).

use crate::event::DiscardReason;
use crate::flight::reassembly::{Insertion, Message, Reassembly};
use crate::record::protection12::Opener;
use crate::record::replay::ReplayWindow;
use crate::wire::{AlertDescription, ContentType, Fragment, HandshakeHeader, HandshakeType, Record, Writer};

/// Records of epoch 1 kept until its keys are in use. A Finished that overtook its ChangeCipherSpec needs one; a few more
/// hold the application data behind it.
const EARLY_RECORDS_MAX: usize = 8;

/// Bytes of those records together.
const EARLY_LEN_MAX: usize = 16 * 1024;

/// Record numbers of epoch 0 remembered: more than the longest flight cut for the smallest path has in flight at once.
const RECENT_MAX: usize = 64;

/// Recognises copies of records in epoch 0.
///
/// A replay window would let anyone shut out the peer with one forged record of a high number, as nothing in epoch 0 is
/// authentic. So old numbers stay welcome, and only those are remembered whose record was of use. Without this a copy
/// made by the network would look like a repeated flight.
#[derive(Debug)]
pub(crate) struct RecentNumbers {
    seen: [u64; RECENT_MAX],
    len: usize,
    next: usize,
}

impl Default for RecentNumbers {
    fn default() -> Self {
        Self { seen: [0; RECENT_MAX], len: 0, next: 0 }
    }
}

impl RecentNumbers {
    pub(crate) fn contains(&self, seq: u64) -> bool {
        self.seen[..self.len].contains(&seq)
    }

    pub(crate) fn insert(&mut self, seq: u64) {
        if self.contains(seq) {
            return;
        }
        self.seen[self.next] = seq;
        self.next = (self.next + 1) % RECENT_MAX;
        self.len = (self.len + 1).min(RECENT_MAX);
    }
}

/// Keys and replay window of epoch 1.
#[derive(Debug)]
struct Protected {
    opener: Opener,
    window: ReplayWindow,
}

/// What an authentic record holds.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) content_type: ContentType,
    pub(crate) content: Vec<u8>,
    /// Whether all records before had lower numbers.
    pub(crate) newest: bool,
}

/// Which message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MessageId {
    epoch: u16,
    message_seq: u16,
    message_type: HandshakeType,
}

/// What to do with a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FragmentFate {
    /// It was added to its message.
    Stored,
    /// It belongs to the flight before the own one, whose end it is: the peer has not got ours.
    FlightRepeated,
    /// It belongs to a message that was handed out.
    Old,
    /// It is of no use.
    Discard(DiscardReason),
}

/// One end's receiving state.
#[derive(Debug)]
pub(crate) struct Inbound {
    pub(crate) reassembly: Reassembly,
    /// Keys of epoch 1 before the peer's ChangeCipherSpec. From here on no message of epoch 0 is due.
    pub(crate) next_keys: Option<Opener>,
    /// Whether the peer's ChangeCipherSpec has arrived, maybe ahead of the messages before it (RFC 6347 §4.2.5).
    pub(crate) change_cipher_spec_seen: bool,
    /// An alert in epoch 0 that would end the handshake if it is the peer's: see [`crate::connection`].
    pub(crate) suspected_alert: Option<AlertDescription>,
    /// Longest plaintext that the peer has agreed to protect: what is longer is dropped (RFC 8449 §4).
    pub(crate) plaintext_max: Option<usize>,
    protected: Option<Protected>,
    recent: RecentNumbers,
    early: Vec<Vec<u8>>,
    /// To decrypt the next record in.
    buffer: Vec<u8>,
    /// The last message handed out.
    last: Option<MessageId>,
    /// The last message of the flight that the own flight in the air answers.
    answered: Option<MessageId>,
}

impl Inbound {
    pub(crate) fn new(reassembly: Reassembly) -> Self {
        Self {
            reassembly,
            next_keys: None,
            change_cipher_spec_seen: false,
            suspected_alert: None,
            plaintext_max: None,
            protected: None,
            recent: RecentNumbers::default(),
            early: Vec::new(),
            buffer: Vec::new(),
            last: None,
            answered: None,
        }
    }

    /// Epoch of the records that are due.
    pub(crate) const fn epoch(&self) -> u16 {
        if self.protected.is_some() { 1 } else { 0 }
    }

    /// The next message in order, once all of it is there.
    pub(crate) fn pop(&mut self) -> Option<Message> {
        let message = self.reassembly.pop()?;
        let Message { message_type, message_seq, .. } = message;
        self.last = Some(MessageId { epoch: self.epoch(), message_seq, message_type });
        Some(message)
    }

    /// The own flight that is about to be sent answers all messages so far. HelloVerifyRequest is no flight that could be
    /// repeated: it comes once for each hello.
    pub(crate) fn on_flight_answered(&mut self) {
        self.answered = self.last.filter(|last| last.message_type != HandshakeType::HELLO_VERIFY_REQUEST);
    }

    pub(crate) fn is_copy(&self, seq: u64) -> bool {
        self.recent.contains(seq)
    }

    /// A record of epoch 0 was of use.
    pub(crate) fn remember(&mut self, seq: u64) {
        self.recent.insert(seq);
    }

    /// Keeps a record of epoch 1 for later.
    pub(crate) fn keep_early(&mut self, record: &Record<'_>) -> Result<(), DiscardReason> {
        let len: usize = self.early.iter().map(Vec::len).sum();
        if self.early.len() == EARLY_RECORDS_MAX || len + record.body.len() > EARLY_LEN_MAX {
            return Err(DiscardReason::BeyondLimit);
        }
        let mut w = Writer::new();
        record.emit(&mut w);
        self.early.push(w.into_bytes());
        Ok(())
    }

    /// Starts epoch 1 if its keys are known and ChangeCipherSpec has arrived. Gives the records that came before. What
    /// waits unfinished from epoch 0 is forgotten: it must not become part of a message under the new keys.
    pub(crate) fn change_epoch(&mut self) -> Option<Vec<Vec<u8>>> {
        if !self.change_cipher_spec_seen {
            return None;
        }
        let opener = self.next_keys.take()?;
        self.protected = Some(Protected { opener, window: ReplayWindow::new() });
        self.reassembly.clear();
        self.suspected_alert = None;
        Some(core::mem::take(&mut self.early))
    }

    /// Decrypts a record of epoch 1. Only an authentic one moves the window (RFC 6347 §4.1.2.6). One with a connection ID
    /// has its type inside (RFC 9146 §4).
    pub(crate) fn open(&mut self, record: &Record<'_>, accept_replay: bool) -> Result<Opened, DiscardReason> {
        let header = &record.header;
        let protected = self.protected.as_mut().ok_or(DiscardReason::WrongEpoch)?;
        if !protected.window.check(header.seq) && !accept_replay {
            return Err(DiscardReason::Replayed);
        }
        let body_max = self.plaintext_max.map(|max| max + protected.opener.overhead());
        if body_max.is_some_and(|max| record.body.len() > max) {
            return Err(DiscardReason::BeyondLimit);
        }
        let mut content = core::mem::take(&mut self.buffer);
        let opened = protected.opener.open_record(record, &mut content);
        let content_type = opened.map_err(|_| DiscardReason::BadRecord)?;
        let newest = protected.window.highest().is_none_or(|highest| highest < header.seq);
        protected.window.commit(header.seq);
        Ok(Opened { content_type, content, newest })
    }

    /// Takes back what a record was decrypted in, for the next.
    pub(crate) fn reuse(&mut self, content: Vec<u8>) {
        self.buffer = content;
    }

    /// Whether a record is authentic under the keys of epoch 1. Nothing changes.
    pub(crate) fn can_open(&self, record: &Record<'_>) -> bool {
        let protected = self.protected.as_ref().filter(|_| record.header.epoch == 1);
        protected.is_some_and(|protected| protected.opener.open_record(record, &mut Vec::new()).is_ok())
    }

    /// Whether a fragment shows that the peer repeats the flight that the own one answers. The start of its last message
    /// stands for the whole flight: one answer per repetition, however many fragments it has.
    pub(crate) fn repeats_flight(&self, epoch: u16, fragment: &Fragment<'_>) -> bool {
        let HandshakeHeader { message_type, message_seq, fragment_offset, .. } = fragment.header;
        self.answered == Some(MessageId { epoch, message_seq, message_type }) && fragment_offset == 0
    }

    /// Takes a fragment of a handshake in progress.
    pub(crate) fn fragment(&mut self, epoch: u16, fragment: &Fragment<'_>) -> FragmentFate {
        let header = &fragment.header;
        if header.message_seq < self.reassembly.next_seq() {
            return if self.repeats_flight(epoch, fragment) { FragmentFate::FlightRepeated } else { FragmentFate::Old };
        }
        // Once keys are known all that is to come is protected: plain messages are forged or a mistake.
        if epoch != self.epoch() || (epoch == 0 && self.next_keys.is_some()) {
            return FragmentFate::Discard(DiscardReason::Unexpected);
        }
        match self.reassembly.insert(fragment) {
            Insertion::Stored => FragmentFate::Stored,
            Insertion::Old => FragmentFate::Old,
            Insertion::Duplicate => FragmentFate::Discard(DiscardReason::RepeatedMessage),
            Insertion::Inconsistent => FragmentFate::Discard(DiscardReason::InconsistentFragment),
            Insertion::BeyondLimit => FragmentFate::Discard(DiscardReason::BeyondLimit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_recognised_and_high_numbers_shut_nobody_out() {
        let mut recent = RecentNumbers::default();
        recent.insert(1 << 40);
        recent.insert(3);
        assert!(recent.contains(3) && !recent.contains(2));
        for seq in 100..200 {
            recent.insert(seq);
        }
        assert_eq!(recent.len, RECENT_MAX);
        assert!(recent.contains(199) && !recent.contains(3));
    }
}

//! Puts the peer's fragments together and hands out its messages in order (RFC 6347 §4.2.2, §4.2.3).

use core::ops::Range;

use super::ranges::RangeSet;
use crate::wire::{Fragment, HandshakeHeader, HandshakeType};

/// Largest message kept: a Certificate with a chain of many kilobytes; nothing else comes near.
pub(crate) const MESSAGE_LEN_MAX: usize = 1 << 16;

/// Messages kept beyond the one that is due. The longest flight of DTLS 1.2 has five messages (RFC 6347 §4.2.4).
pub(crate) const MESSAGES_AHEAD_MAX: u16 = 8;

/// Bytes of all incomplete and early messages together: one largest message, and as much again for its flight.
pub(crate) const BUFFERED_LEN_MAX: usize = 2 * MESSAGE_LEN_MAX;

/// Room to make for a message, that the next may use, too.
const BODY_LEN_USUAL: usize = 512;

/// Room kept for the next message: most take less.
const SPARE_LEN_MAX: usize = 2048;

/// A message with all its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) message_type: HandshakeType,
    pub(crate) message_seq: u16,
    pub(crate) body: Vec<u8>,
}

/// What became of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insertion {
    /// It brought something new.
    Stored,
    /// Its message has been handed out already.
    Old,
    /// Every byte of it was there before.
    Duplicate,
    /// It contradicts an earlier fragment about type or length.
    Inconsistent,
    /// Its message is too long or too far ahead to be kept.
    BeyondLimit,
}

/// A message of which some bytes are there.
#[derive(Debug)]
struct Partial {
    message_type: HandshakeType,
    message_seq: u16,
    body: Vec<u8>,
    there: RangeSet,
    /// Fragment bytes so far, repeated ones included.
    received: usize,
}

impl Partial {
    fn new(header: &HandshakeHeader, mut body: Vec<u8>) -> Self {
        let HandshakeHeader { message_type, message_seq, length, .. } = *header;
        body.clear();
        body.reserve(BODY_LEN_USUAL.max(length as usize));
        body.resize(length as usize, 0);
        Self { message_type, message_seq, body, there: RangeSet::default(), received: 0 }
    }

    /// An empty message is complete as soon as it is there.
    fn is_complete(&self) -> bool {
        self.there.gaps(0..self.body.len()).next().is_none()
    }

    /// Whether the bytes that are there are the same as these.
    fn agrees(&self, range: Range<usize>, bytes: &[u8]) -> bool {
        self.there.iter().all(|known| {
            let common = known.start.clamp(range.start, range.end)..known.end.clamp(range.start, range.end);
            self.body[common.clone()] == bytes[common.start - range.start..common.end - range.start]
        })
    }

    /// Adds bytes; whether any of them is new. Bytes that are there stay as they were.
    fn add(&mut self, offset: usize, bytes: &[u8]) -> bool {
        let added = offset..offset + bytes.len();
        let mut news = false;
        // Gaps are copied one by one, so that a later overlap cannot change what an earlier fragment said.
        for gap in self.there.gaps(added.clone()) {
            self.body[gap.clone()].copy_from_slice(&bytes[gap.start - offset..gap.end - offset]);
            news = true;
        }
        self.there.insert(added);
        news
    }
}

/// Where received fragments wait for the rest of their message, and messages for those before them.
#[derive(Debug)]
pub(crate) struct Reassembly {
    next_seq: u16,
    /// In no order: there are few. Those before `next_seq` are complete, and wait to be taken.
    partials: Vec<Partial>,
    /// For the body of the next message.
    spare: Vec<u8>,
    /// Mutation: offsets in fragments are not looked at.
    ignore_offsets: bool,
}

impl Reassembly {
    /// The first message to come has this number.
    pub(crate) const fn new(next_seq: u16, ignore_offsets: bool) -> Self {
        Self { next_seq, partials: Vec::new(), spare: Vec::new(), ignore_offsets }
    }

    /// As new, but for the memory in use.
    pub(crate) fn restart(&mut self, next_seq: u16) {
        self.next_seq = next_seq;
        self.partials.clear();
    }

    /// Number of the message that is due.
    pub(crate) const fn next_seq(&self) -> u16 {
        self.next_seq
    }

    fn find(&self, message_seq: u16) -> Option<usize> {
        self.partials.iter().position(|partial| partial.message_seq == message_seq)
    }

    /// Whether a fragment is the next piece of the message that is due: nothing is missing before it.
    pub(crate) fn is_next(&self, fragment: &Fragment<'_>) -> bool {
        let there = self.find(self.next_seq).and_then(|at| self.partials[at].there.iter().next());
        let next_offset = there.filter(|range| range.start == 0).map_or(0, |range| range.end);
        fragment.header.message_seq == self.next_seq && fragment.header.fragment_offset as usize <= next_offset
    }

    /// Takes a fragment.
    pub(crate) fn insert(&mut self, fragment: &Fragment<'_>) -> Insertion {
        let header = &fragment.header;
        let Some(ahead) = header.message_seq.checked_sub(self.next_seq) else { return Insertion::Old };
        let length = header.length as usize;
        if ahead > MESSAGES_AHEAD_MAX || length > MESSAGE_LEN_MAX {
            return Insertion::BeyondLimit;
        }
        let found = self.find(header.message_seq);
        let waiting = self.partials.iter().filter(|partial| partial.message_seq >= self.next_seq);
        let buffered: usize = waiting.map(|partial| partial.body.len()).sum();
        if found.is_none() && buffered + length > BUFFERED_LEN_MAX {
            return Insertion::BeyondLimit;
        }
        let at = found.unwrap_or_else(|| {
            self.partials.push(Partial::new(header, core::mem::take(&mut self.spare)));
            self.partials.len() - 1
        });
        let partial = &mut self.partials[at];
        if partial.message_type != header.message_type || partial.body.len() != length {
            return Insertion::Inconsistent;
        }
        let mut offset = header.fragment_offset as usize;
        if self.ignore_offsets {
            offset = partial.received.min(length - fragment.body.len());
        }
        partial.received += fragment.body.len();
        if partial.add(offset, fragment.body) || found.is_none() { Insertion::Stored } else { Insertion::Duplicate }
    }

    /// Whether a fragment belongs to another message than the one that is due, of which some bytes are there.
    pub(crate) fn contradicts(&self, fragment: &Fragment<'_>) -> bool {
        let header = &fragment.header;
        if header.message_seq != self.next_seq {
            return true;
        }
        let Some(at) = self.find(self.next_seq) else { return false };
        let partial = &self.partials[at];
        let start = header.fragment_offset as usize;
        partial.message_type != header.message_type
            || partial.body.len() != header.length as usize
            || !partial.agrees(start..start + fragment.body.len(), fragment.body)
    }

    /// The message that is due, once all of it is there.
    pub(crate) fn pop(&mut self) -> Option<Message> {
        if self.step() { self.take() } else { None }
    }

    /// Counts as arrived what is complete: the message after it is due. It is to be [taken](Self::take).
    pub(crate) fn advance(&mut self) {
        while self.step() {}
    }

    fn step(&mut self) -> bool {
        let complete = self.find(self.next_seq).is_some_and(|at| self.partials[at].is_complete());
        match self.next_seq.checked_add(1).filter(|_| complete) {
            Some(next) => self.next_seq = next,
            None => return false,
        }
        true
    }

    /// The first message that has arrived and was not taken.
    pub(crate) fn take(&mut self) -> Option<Message> {
        let arrived = self.partials.iter().enumerate().filter(|(_, partial)| partial.message_seq < self.next_seq);
        let (at, _) = arrived.min_by_key(|(_, partial)| partial.message_seq)?;
        let Partial { message_type, message_seq, body, .. } = self.partials.swap_remove(at);
        Some(Message { message_type, message_seq, body })
    }

    /// Takes back the body of a message, for the next.
    pub(crate) fn reuse(&mut self, body: Vec<u8>) {
        if body.capacity() <= SPARE_LEN_MAX {
            self.spare = body;
        }
    }

    /// Forgets all that is incomplete or early. Called when the epoch changes: what was said under other keys does not
    /// count.
    pub(crate) fn clear(&mut self) {
        self.partials.retain(|partial| partial.message_seq < self.next_seq);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::HandshakeHeader;

    fn fragment(message_seq: u16, body: &[u8], range: Range<usize>) -> Fragment<'_> {
        let header = HandshakeHeader {
            message_type: HandshakeType::CERTIFICATE,
            length: body.len() as u32,
            message_seq,
            fragment_offset: range.start as u32,
            fragment_length: range.len() as u32,
        };
        Fragment { header, body: &body[range] }
    }

    #[test]
    fn messages_come_out_in_order_whatever_the_order_of_arrival() {
        let mut reassembly = Reassembly::new(4, false);
        assert_eq!(reassembly.insert(&fragment(5, b"second", 0..6)), Insertion::Stored);
        assert_eq!(reassembly.pop(), None);
        assert_eq!(reassembly.insert(&fragment(4, b"", 0..0)), Insertion::Stored);
        assert_eq!(reassembly.pop().map(|message| message.body), Some(Vec::new()));
        assert_eq!(reassembly.pop().map(|message| message.body), Some(b"second".to_vec()));
        assert_eq!(reassembly.insert(&fragment(4, b"", 0..0)), Insertion::Old);
    }

    #[test]
    fn what_has_arrived_can_be_taken_later_and_outlives_a_change_of_epoch() {
        let mut reassembly = Reassembly::new(0, false);
        for seq in [2, 0, 1, 4] {
            let _ = reassembly.insert(&fragment(seq, &[seq as u8], 0..1));
        }
        reassembly.advance();
        assert_eq!(reassembly.next_seq(), 3);
        reassembly.clear();
        let taken = core::iter::from_fn(|| reassembly.take()).map(|message| message.body);
        assert_eq!(taken.collect::<Vec<_>>(), [[0], [1], [2]]);
        reassembly.reuse(vec![9; 100]);
        assert_eq!(reassembly.insert(&fragment(3, b"new", 1..3)), Insertion::Stored);
        assert_eq!(reassembly.insert(&fragment(3, b"new", 0..1)), Insertion::Stored);
        assert_eq!(reassembly.pop().map(|message| message.body), Some(b"new".to_vec()), "nothing is left of what was");
        assert_eq!(reassembly.insert(&fragment(4, b"x", 0..1)), Insertion::Stored, "forgotten above");
    }

    #[test]
    fn what_a_fragment_said_is_not_changed_by_an_overlap() {
        let mut reassembly = Reassembly::new(0, false);
        let _ = reassembly.insert(&fragment(0, b"..cd..", 2..4));
        let _ = reassembly.insert(&fragment(0, b"abXXef", 0..6));
        assert_eq!(reassembly.pop().map(|message| message.body), Some(b"abcdef".to_vec()));
    }

    #[test]
    fn fragments_that_disagree_about_their_message_are_refused() {
        let mut reassembly = Reassembly::new(0, false);
        let _ = reassembly.insert(&fragment(0, b"abc", 0..1));
        assert_eq!(reassembly.insert(&fragment(0, b"abcd", 1..4)), Insertion::Inconsistent);
        assert_eq!(reassembly.insert(&fragment(0, b"abc", 0..1)), Insertion::Duplicate);
        assert_eq!(reassembly.insert(&fragment(0, b"abc", 1..3)), Insertion::Stored);
        assert!(reassembly.pop().is_some());
    }

    #[test]
    fn a_fragment_of_another_message_under_the_same_number_is_told_apart() {
        let mut reassembly = Reassembly::new(0, false);
        assert!(!reassembly.contradicts(&fragment(0, b"abcdef", 0..3)), "nothing is there yet");
        let _ = reassembly.insert(&fragment(0, b"abcdef", 0..3));
        let _ = reassembly.insert(&fragment(0, b"abcdef", 4..5));
        assert!(!reassembly.contradicts(&fragment(0, b"abcXeX", 2..6)));
        assert!(reassembly.contradicts(&fragment(0, b"abcdX.", 3..5)));
        assert!(reassembly.contradicts(&fragment(0, b"Xbcdef", 0..1)));
        assert!(reassembly.contradicts(&fragment(0, b"abcdefg", 0..3)));
        assert!(reassembly.contradicts(&fragment(1, b"abcdef", 0..3)));
    }

    #[test]
    fn memory_is_bounded_in_every_direction() {
        let mut reassembly = Reassembly::new(0, false);
        let large = vec![0; MESSAGE_LEN_MAX + 1];
        assert_eq!(reassembly.insert(&fragment(0, &large, 0..1)), Insertion::BeyondLimit);
        assert_eq!(reassembly.insert(&fragment(MESSAGES_AHEAD_MAX + 1, b"x", 0..1)), Insertion::BeyondLimit);
        let large = vec![0; MESSAGE_LEN_MAX];
        assert_eq!(reassembly.insert(&fragment(0, &large, 0..1)), Insertion::Stored);
        assert_eq!(reassembly.insert(&fragment(1, &large, 0..1)), Insertion::Stored);
        assert_eq!(reassembly.insert(&fragment(2, b"x", 0..1)), Insertion::BeyondLimit);
    }

    proptest! {
        /// Any fragments that together cover the message give the message.
        #[test]
        fn order_and_overlap_do_not_matter(
            body in proptest::collection::vec(any::<u8>(), 1..60),
            cuts in proptest::collection::vec((0usize..60, 0usize..60), 0..30),
            last in 0usize..60,
        ) {
            let mut reassembly = Reassembly::new(0, false);
            let last = last % body.len();
            let mut ranges: Vec<_> = cuts.into_iter().map(|(a, b)| (a.min(b) % body.len())..(a.max(b) % body.len())).collect();
            ranges.extend([last..body.len(), 0..last]);
            for range in ranges.into_iter().filter(|range| range.start <= range.end) {
                let insertion = reassembly.insert(&fragment(0, &body, range));
                prop_assert!(matches!(insertion, Insertion::Stored | Insertion::Duplicate));
            }
            prop_assert_eq!(reassembly.pop().map(|message| message.body), Some(body));
        }
    }
}

//! What one end has sent in one association: which bytes of which message how often. Knows no flights of the other end
//! and no keys.

use std::collections::BTreeMap;

use dtls_impl::wire::{self, RecordHeader};

use super::Place;
use super::coverage::Coverage;

/// Messages remembered per direction: a full handshake has seven at most; a renegotiation or two fits as well.
const MESSAGES_MAX: usize = 64;

/// Bytes kept per message, to compare retransmissions and to read hellos. A chain of certificates is seldom larger;
/// what lies beyond is counted but not compared.
const BYTES_MAX: u32 = 1 << 15;

/// Sealed handshake records kept until a key is learned: the Finished of this many transmissions.
const SEALED_MAX: usize = 64;

/// Transmissions whose members are numbered; those of older ones start at 1 again.
const ATTEMPTS_MAX: usize = 16;

/// A record that cannot be read yet: header, connection ID, body.
pub(super) type Kept = (RecordHeader, Option<Vec<u8>>, Vec<u8>);

/// Where a fragment stands among everything sent before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) attempt: u32,
    pub(super) nth: u32,
    pub(super) changed: bool,
}

/// The state of one direction.
#[derive(Debug, Default)]
pub(super) struct Direction {
    messages: BTreeMap<(u16, u8), Message>,
    datagrams: BTreeMap<u8, Places>,
    change_cipher_specs: u32,
    sealed: u32,
    kept: Vec<Kept>,
}

#[derive(Debug, Default)]
struct Message {
    length: u32,
    coverage: Coverage,
    places: Places,
    bytes: Vec<u8>,
}

/// Numbers things within the latest transmissions.
#[derive(Debug, Default)]
struct Places(BTreeMap<u32, u32>);

impl Direction {
    /// Counts a fragment.
    pub(super) fn fragment(&mut self, fragment: &wire::Fragment<'_>) -> Counted {
        let header = &fragment.header;
        let key = (header.message_seq, header.message_type.0);
        if self.messages.len() >= MESSAGES_MAX && !self.messages.contains_key(&key) {
            return Counted { attempt: 1, nth: 1, changed: false };
        }
        let message = self.messages.entry(key).or_default();
        if message.length != header.length {
            // Another message in the same place, as a ClientHello that got its cookie but kept its message_seq.
            *message = Message { length: header.length, ..Message::default() };
        }
        message.send(header.fragment_offset, fragment.body)
    }

    /// The bytes of a message from its begin, as far as they are there.
    pub(super) fn prefix(&self, message_seq: u16, code: u8) -> &[u8] {
        self.messages.get(&(message_seq, code)).map_or(&[], |message| {
            let known = (message.coverage.contiguous() as usize).min(message.bytes.len());
            &message.bytes[..known]
        })
    }

    /// Counts a ChangeCipherSpec.
    pub(super) fn change_cipher_spec(&mut self) -> u32 {
        self.change_cipher_specs = self.change_cipher_specs.saturating_add(1);
        self.change_cipher_specs
    }

    /// Counts a handshake record that cannot be read yet, and keeps it for the time it can.
    pub(super) fn seal(&mut self, header: RecordHeader, cid: Option<&[u8]>, body: &[u8]) -> u32 {
        if self.kept.len() < SEALED_MAX {
            self.kept.push((header, cid.map(<[u8]>::to_vec), body.to_vec()));
        }
        self.sealed = self.sealed.saturating_add(1);
        self.sealed
    }

    /// The handshake records that could not be read.
    pub(super) fn take_sealed(&mut self) -> Vec<Kept> {
        std::mem::take(&mut self.kept)
    }

    /// Numbers a datagram within its transmission.
    pub(super) fn nth_datagram(&mut self, place: Place) -> u32 {
        self.datagrams.entry(place.flight).or_default().next(place.attempt)
    }
}

impl Message {
    fn send(&mut self, offset: u32, body: &[u8]) -> Counted {
        // A parsed fragment ends within its message, whose length has 24 bits.
        let len = body.len() as u32;
        let end = offset + len;
        let kept_end = end.min(BYTES_MAX);
        let mut changed = false;
        if offset < kept_end {
            for (from, to) in self.coverage.sent_within(offset, kept_end) {
                let (old, new) = (from as usize..to as usize, (from - offset) as usize..(to - offset) as usize);
                changed |= self.bytes.get(old) != body.get(new);
            }
            if self.bytes.len() < kept_end as usize {
                self.bytes.resize(kept_end as usize, 0);
            }
            self.bytes[offset as usize..kept_end as usize].copy_from_slice(&body[..(kept_end - offset) as usize]);
        }
        // A fragment without bytes of a message with some carries nothing.
        let attempt = if len == 0 && self.length > 0 {
            self.coverage.least(offset, end).max(1)
        } else {
            self.coverage.send(offset, end)
        };
        Counted { attempt, nth: self.places.next(attempt), changed }
    }
}

impl Places {
    fn next(&mut self, attempt: u32) -> u32 {
        let count = self.0.entry(attempt).or_default();
        *count = count.saturating_add(1);
        let nth = *count;
        if self.0.len() > ATTEMPTS_MAX {
            self.0.pop_first();
        }
        nth
    }
}

//! A flight of DTLS 1.3 with what the peer has acknowledged of it (RFC 9147 §7.2): a transmission leaves that out.

use core::ops::{Bound, Range};
use std::borrow::Cow;
use std::collections::BTreeMap;

use super::ranges::RangeSet;
use super::{FlightItem, OutgoingFlight};
use crate::wire::{HandshakeHeader, RecordNumber};

/// Records remembered, so that an ACK of any of them counts. A flight of the largest message cut for the smallest MTU
/// has fewer, and the ladder of retransmissions few repetitions; beyond, the oldest are forgotten.
const SENT_RECORDS_MAX: usize = 2048;

/// Part of a message, as one record carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    /// Position in the flight.
    message: usize,
    range: Range<usize>,
}

/// Bytes of a message that are still to be acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing<'a> {
    pub(crate) epoch: u64,
    /// Header of the message in one piece.
    pub(crate) whole: HandshakeHeader,
    pub(crate) body: &'a [u8],
    pub(crate) range: Range<usize>,
}

/// A flight to send until all of it is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrackedFlight {
    flight: OutgoingFlight,
    /// What of each message is acknowledged.
    acknowledged: Vec<RangeSet>,
    sent: BTreeMap<RecordNumber, Piece>,
}

impl TrackedFlight {
    /// Nothing is sent yet.
    pub(crate) fn new(flight: OutgoingFlight) -> Self {
        let acknowledged = vec![RangeSet::default(); flight.items.len()];
        Self { flight, acknowledged, sent: BTreeMap::new() }
    }

    /// What is not acknowledged, in order.
    pub(crate) fn missing(&self) -> Vec<Missing<'_>> {
        self.missing_but(None)
    }

    /// What is not acknowledged, without what was sent after this record and may still be on its way.
    pub(crate) fn missing_but(&self, arrived: Option<RecordNumber>) -> Vec<Missing<'_>> {
        let mut there = Cow::Borrowed(&self.acknowledged[..]);
        if let Some(arrived) = arrived {
            for piece in self.sent.range((Bound::Excluded(arrived), Bound::Unbounded)).map(|(_, piece)| piece) {
                there.to_mut()[piece.message].insert(piece.range.clone());
            }
        }
        let mut missing = Vec::new();
        for (item, there) in self.flight.items.iter().zip(&*there) {
            let FlightItem::Message { epoch, message_type, message_seq, body } = item else { continue };
            let whole = HandshakeHeader::whole(*message_type, *message_seq, body.len() as u32);
            let of = |range| Missing { epoch: *epoch, whole, body, range };
            missing.extend(there.gaps(0..body.len()).map(of));
        }
        missing
    }

    /// A record has been sent with this fragment.
    pub(crate) fn on_sent(&mut self, number: RecordNumber, fragment: &HandshakeHeader) {
        let is_it = |item: &FlightItem| matches!(item, FlightItem::Message { message_seq, .. } if *message_seq == fragment.message_seq);
        let Some(message) = self.flight.items.iter().position(is_it) else { return };
        let start = fragment.fragment_offset as usize;
        let range = start..start + fragment.fragment_length as usize;
        if self.sent.len() == SENT_RECORDS_MAX {
            self.sent.pop_first();
        }
        self.sent.insert(number, Piece { message, range });
    }

    /// These records have arrived. Whether that is news.
    pub(crate) fn on_ack(&mut self, records: impl Iterator<Item = RecordNumber>) -> bool {
        let mut news = false;
        for number in records {
            if let Some(piece) = self.sent.remove(&number) {
                let before = self.acknowledged[piece.message].clone();
                self.acknowledged[piece.message].insert(piece.range);
                news |= before != self.acknowledged[piece.message];
            }
        }
        news
    }

    /// The peer has begun to answer: it has all of the flight (RFC 9147 §7.1).
    pub(crate) fn acknowledge_all(&mut self) {
        for (item, acknowledged) in self.flight.items.iter().zip(&mut self.acknowledged) {
            if let FlightItem::Message { body, .. } = item {
                acknowledged.insert(0..body.len());
            }
        }
    }

    /// Whether nothing is missing.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.missing().is_empty()
    }

    /// Whether anything was acknowledged.
    pub(crate) fn is_partly_acknowledged(&self) -> bool {
        self.acknowledged.iter().any(|acknowledged| *acknowledged != RangeSet::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::HandshakeType;

    fn flight() -> TrackedFlight {
        let message = |message_seq, len| FlightItem::Message {
            epoch: 2,
            message_type: HandshakeType::CERTIFICATE,
            message_seq,
            body: vec![7; len],
        };
        TrackedFlight::new(OutgoingFlight { items: vec![message(1, 100), message(2, 10)] })
    }

    const fn number(seq: u64) -> RecordNumber {
        RecordNumber { epoch: 2, seq }
    }

    fn send(flight: &mut TrackedFlight, seq: u64, message_seq: u16, range: Range<u32>) {
        let length = if message_seq == 1 { 100 } else { 10 };
        let whole = HandshakeHeader::whole(HandshakeType::CERTIFICATE, message_seq, length);
        let fragment_length = range.end - range.start;
        flight.on_sent(number(seq), &HandshakeHeader { fragment_offset: range.start, fragment_length, ..whole });
    }

    fn missing(flight: &TrackedFlight) -> Vec<(u16, Range<usize>)> {
        flight.missing().into_iter().map(|missing| (missing.whole.message_seq, missing.range)).collect()
    }

    #[test]
    fn only_what_is_not_acknowledged_is_missing() {
        let mut flight = flight();
        send(&mut flight, 0, 1, 0..40);
        send(&mut flight, 1, 1, 40..100);
        send(&mut flight, 2, 2, 0..10);
        assert_eq!(missing(&flight), [(1, 0..100), (2, 0..10)]);
        assert!(flight.on_ack([number(1), number(7)].into_iter()));
        assert_eq!(missing(&flight), [(1, 0..40), (2, 0..10)]);
        assert!(!flight.on_ack([number(1)].into_iter()), "no news");
        assert!(flight.is_partly_acknowledged() && !flight.is_acknowledged());
        // A repetition cut otherwise, and an ACK of the first transmission after it.
        send(&mut flight, 3, 1, 0..20);
        assert!(flight.on_ack([number(3)].into_iter()));
        assert_eq!(missing(&flight), [(1, 20..40), (2, 0..10)]);
        assert!(flight.on_ack([number(0), number(2)].into_iter()));
        assert!(flight.is_acknowledged());
    }

    #[test]
    fn what_was_sent_after_the_last_record_to_arrive_may_be_on_its_way() {
        let mut flight = flight();
        send(&mut flight, 0, 1, 0..40);
        send(&mut flight, 1, 1, 40..100);
        send(&mut flight, 2, 2, 0..10);
        let _ = flight.on_ack([number(1)].into_iter());
        let lost = flight.missing_but(Some(number(1)));
        assert_eq!((lost.len(), lost[0].range.clone()), (1, 0..40));
        send(&mut flight, 3, 1, 0..40);
        assert!(flight.missing_but(Some(number(2))).iter().all(|missing| missing.whole.message_seq == 2));
    }

    #[test]
    fn an_answer_acknowledges_everything() {
        let mut flight = flight();
        assert!(!flight.is_partly_acknowledged());
        flight.acknowledge_all();
        assert!(flight.is_acknowledged());
    }
}

//! Cuts a flight into records, and packs records into datagrams, for an MTU (RFC 6347 §4.1.1, §4.2.3). Pure: numbers and
//! keys come later.

use core::ops::Range;

use super::tracked::Missing;
use super::{FlightItem, OutgoingFlight};
use crate::wire::{
    ChangeCipherSpec, ContentType, Fragment, HANDSHAKE_HEADER_LEN, HandshakeHeader, PLAINTEXT_LEN_MAX, Writer,
};

/// A record to be: no number yet, and not protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedRecord {
    pub(crate) content_type: ContentType,
    pub(crate) epoch: u64,
    pub(crate) plaintext: Vec<u8>,
}

/// A piece of a message smaller than this is not worth its 25 bytes of headers: it waits for the next datagram.
const FRAGMENT_LEN_MIN: usize = 32;

/// Datagrams in the making.
struct Packer {
    mtu: usize,
    datagrams: Vec<Vec<PlannedRecord>>,
    /// Bytes left in the last datagram.
    room: usize,
}

impl Packer {
    fn next_datagram(&mut self) {
        self.datagrams.push(Vec::new());
        self.room = self.mtu;
    }

    fn push(&mut self, content_type: ContentType, epoch: u64, plaintext: Vec<u8>, overhead: usize) {
        self.room -= overhead + plaintext.len();
        if let Some(datagram) = self.datagrams.last_mut() {
            datagram.push(PlannedRecord { content_type, epoch, plaintext });
        }
    }
}

/// The datagrams of one transmission. `overhead` is what a record of an epoch has beyond its plaintext; the MTU leaves
/// room for it, a handshake header and at least one byte.
pub(crate) fn plan(flight: &OutgoingFlight, mtu: usize, overhead: impl Fn(u64) -> usize) -> Vec<Vec<PlannedRecord>> {
    let mut packer = Packer { mtu, datagrams: Vec::new(), room: 0 };
    for item in &flight.items {
        match item {
            FlightItem::ChangeCipherSpec { epoch } => {
                let overhead = overhead(*epoch);
                if packer.room < overhead + ChangeCipherSpec::BYTES.len() {
                    packer.next_datagram();
                }
                packer.push(ContentType::CHANGE_CIPHER_SPEC, *epoch, ChangeCipherSpec::BYTES.to_vec(), overhead);
            }
            FlightItem::Message { epoch, message_type, message_seq, body } => {
                let whole = HandshakeHeader::whole(*message_type, *message_seq, body.len() as u32);
                piece(&mut packer, *epoch, whole, body, 0..body.len(), overhead(*epoch));
            }
        }
    }
    packer.datagrams
}

/// The datagrams that hold the missing pieces of a flight: one fragment a record.
pub(crate) fn plan_missing(
    missing: &[Missing<'_>],
    mtu: usize,
    overhead: impl Fn(u64) -> usize,
) -> Vec<Vec<PlannedRecord>> {
    let mut packer = Packer { mtu, datagrams: Vec::new(), room: 0 };
    for part in missing {
        piece(&mut packer, part.epoch, part.whole, part.body, part.range.clone(), overhead(part.epoch));
    }
    packer.datagrams
}

/// Fills what is left of the datagram and goes on in the next until the message is out: the fewest datagrams, as a
/// flight is of use only when all of them have arrived.
fn piece(packer: &mut Packer, epoch: u64, whole: HandshakeHeader, body: &[u8], range: Range<usize>, overhead: usize) {
    let mut offset = range.start;
    loop {
        let left = range.end - offset;
        let room = packer.room.checked_sub(overhead + HANDSHAKE_HEADER_LEN);
        let room = match room {
            Some(room) if room >= left.min(FRAGMENT_LEN_MIN) => room,
            _ => {
                packer.next_datagram();
                packer.room - overhead - HANDSHAKE_HEADER_LEN
            }
        };
        let len = left.min(room).min(PLAINTEXT_LEN_MAX - HANDSHAKE_HEADER_LEN);
        let header = HandshakeHeader { fragment_offset: offset as u32, fragment_length: len as u32, ..whole };
        let mut w = Writer::new();
        Fragment { header, body: &body[offset..offset + len] }.emit(&mut w);
        packer.push(ContentType::HANDSHAKE, epoch, w.into_bytes(), overhead);
        offset += len;
        if offset == range.end {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Fragments, HandshakeType};

    const OVERHEAD: fn(u64) -> usize = |epoch| if epoch == 0 { 13 } else { 37 };

    fn flight(lengths: &[usize]) -> OutgoingFlight {
        let message = |(seq, len): (usize, &usize)| FlightItem::Message {
            epoch: 0,
            message_type: HandshakeType::CERTIFICATE,
            message_seq: seq as u16,
            body: (0..*len).map(|i| (i * 7 + seq) as u8).collect(),
        };
        let mut items: Vec<_> = lengths.iter().enumerate().map(message).collect();
        items.push(FlightItem::ChangeCipherSpec { epoch: 0 });
        items.push(FlightItem::Message {
            epoch: 1,
            message_type: HandshakeType::FINISHED,
            message_seq: lengths.len() as u16,
            body: vec![1; 12],
        });
        OutgoingFlight { items }
    }

    fn datagram_len(datagram: &[PlannedRecord]) -> usize {
        datagram.iter().map(|record| OVERHEAD(record.epoch) + record.plaintext.len()).sum()
    }

    #[test]
    fn every_datagram_keeps_to_the_mtu_and_the_messages_come_out_whole() {
        for mtu in [256, 300, 512, 1024, 1200, 65_507] {
            for lengths in [&[0][..], &[1, 0, 5000], &[231, 232, 230], &[40_000, 3], &[219, 0, 0, 200]] {
                let flight = flight(lengths);
                let datagrams = plan(&flight, mtu, OVERHEAD);
                assert!(datagrams.iter().all(|datagram| datagram_len(datagram) <= mtu && !datagram.is_empty()));
                let records: Vec<_> = datagrams.into_iter().flatten().collect();
                for item in &flight.items {
                    let FlightItem::Message { message_seq, body, epoch, .. } = item else { continue };
                    let fragments = records
                        .iter()
                        .filter(|record| record.content_type == ContentType::HANDSHAKE && record.epoch == *epoch)
                        .flat_map(|record| Fragments::new(&record.plaintext).flatten())
                        .filter(|fragment| fragment.header.message_seq == *message_seq);
                    let mut put_together = Vec::new();
                    for fragment in fragments {
                        assert_eq!(fragment.header.length as usize, body.len());
                        assert_eq!(fragment.header.fragment_offset as usize, put_together.len());
                        put_together.extend_from_slice(fragment.body);
                    }
                    assert_eq!(&put_together, body);
                }
            }
        }
    }

    #[test]
    fn a_small_flight_shares_one_datagram() {
        assert_eq!(plan(&flight(&[70, 100, 0]), 1200, OVERHEAD).len(), 1);
    }

    #[test]
    fn no_record_is_larger_than_the_protocol_allows() {
        let records: Vec<_> = plan(&flight(&[60_000]), 65_507, OVERHEAD).into_iter().flatten().collect();
        assert!(records.iter().all(|record| record.plaintext.len() <= PLAINTEXT_LEN_MAX));
    }
}

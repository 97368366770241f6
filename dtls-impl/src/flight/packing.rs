//! Cuts a flight into records, and packs records into datagrams, for an MTU (RFC 6347 §4.1.1, §4.2.3). Pure: numbers and
//! keys come later.

use core::ops::Range;

use super::few::Few;
use super::tracked::Missing;
use super::{FlightItem, OutgoingFlight};
use crate::terms::RecordLimits;
use crate::wire::{ChangeCipherSpec, ContentType, Fragment, HANDSHAKE_HEADER_LEN, HandshakeHeader};

/// A record to be: no number yet, and not protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlannedRecord<'a> {
    /// Whether it is the first of its datagram.
    opens_datagram: bool,
    pub(crate) epoch: u64,
    pub(crate) content: Content<'a>,
}

/// What a record is to carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    ChangeCipherSpec,
    Fragment(Fragment<'a>),
}

impl Content<'_> {
    pub(crate) const fn content_type(&self) -> ContentType {
        match self {
            Self::ChangeCipherSpec => ContentType::CHANGE_CIPHER_SPEC,
            Self::Fragment(_) => ContentType::HANDSHAKE,
        }
    }

    const fn len(&self) -> usize {
        match self {
            Self::ChangeCipherSpec => ChangeCipherSpec::BYTES.len(),
            Self::Fragment(fragment) => HANDSHAKE_HEADER_LEN + fragment.body.len(),
        }
    }

    /// Passes on the record's plaintext in two parts, so that it need not be put together first.
    pub(crate) fn with_parts<T>(&self, take: impl FnOnce([&[u8]; 2]) -> T) -> T {
        match self {
            Self::ChangeCipherSpec => take([&ChangeCipherSpec::BYTES, &[]]),
            Self::Fragment(fragment) => take([&fragment.header.to_bytes(), fragment.body]),
        }
    }
}

/// The records of one transmission, datagram by datagram.
#[derive(Debug)]
pub(crate) struct Plan<'a>(Records<'a>);

/// Most flights have no more records.
pub(crate) const RECORDS_USUAL: usize = 8;

type Records<'a> = Few<PlannedRecord<'a>, RECORDS_USUAL>;

impl<'a> Plan<'a> {
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = &[PlannedRecord<'a>]> {
        self.0.chunk_by(|_, next| !next.opens_datagram)
    }
}

/// Room to make for a datagram: larger ones may be allowed but are rare.
pub(crate) const DATAGRAM_LEN_USUAL: usize = 2048;

/// A piece of a message smaller than this is not worth its 25 bytes of headers: it waits for the next datagram.
const FRAGMENT_LEN_MIN: usize = 32;

/// Datagrams in the making.
struct Packer<'a> {
    mtu: usize,
    limits: RecordLimits,
    records: Records<'a>,
    /// The next record opens a datagram.
    opens_datagram: bool,
    /// Bytes left in the last datagram.
    room: usize,
}

impl<'a> Packer<'a> {
    const fn new(mtu: usize, limits: RecordLimits) -> Self {
        Self { mtu, limits, records: Few::new(), opens_datagram: true, room: 0 }
    }

    const fn next_datagram(&mut self) {
        self.opens_datagram = true;
        self.room = self.mtu;
    }

    fn push(&mut self, epoch: u64, content: Content<'a>, overhead: usize) {
        self.room -= overhead + content.len();
        let opens_datagram = core::mem::take(&mut self.opens_datagram);
        self.records.push(PlannedRecord { opens_datagram, epoch, content });
    }
}

/// The datagrams of one transmission. `overhead` is what a record of an epoch has beyond its plaintext; the MTU leaves
/// room for it, a handshake header and at least one byte.
pub(crate) fn plan(
    flight: &OutgoingFlight,
    mtu: usize,
    limits: RecordLimits,
    overhead: impl Fn(u64) -> usize,
) -> Plan<'_> {
    let mut packer = Packer::new(mtu, limits);
    for item in &flight.items {
        match item {
            FlightItem::ChangeCipherSpec { epoch } => {
                let overhead = overhead(*epoch);
                if packer.room < overhead + ChangeCipherSpec::BYTES.len() {
                    packer.next_datagram();
                }
                packer.push(*epoch, Content::ChangeCipherSpec, overhead);
            }
            FlightItem::Message { epoch, message_type, message_seq, body } => {
                let whole = HandshakeHeader::whole(*message_type, *message_seq, body.len() as u32);
                piece(&mut packer, *epoch, whole, body, 0..body.len(), overhead(*epoch));
            }
        }
    }
    Plan(packer.records)
}

/// The datagrams that hold the missing pieces of a flight: one fragment a record.
pub(crate) fn plan_missing<'a>(
    missing: &[Missing<'a>],
    mtu: usize,
    limits: RecordLimits,
    overhead: impl Fn(u64) -> usize,
) -> Plan<'a> {
    let mut packer = Packer::new(mtu, limits);
    for part in missing {
        piece(&mut packer, part.epoch, part.whole, part.body, part.range.clone(), overhead(part.epoch));
    }
    Plan(packer.records)
}

/// Fills what is left of the datagram and goes on in the next until the message is out: the fewest datagrams, as a
/// flight is of use only when all of them have arrived.
fn piece<'a>(
    packer: &mut Packer<'a>,
    epoch: u64,
    whole: HandshakeHeader,
    body: &'a [u8],
    range: Range<usize>,
    overhead: usize,
) {
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
        let len = left.min(room).min(packer.limits.of(epoch) - HANDSHAKE_HEADER_LEN);
        let header = HandshakeHeader { fragment_offset: offset as u32, fragment_length: len as u32, ..whole };
        let fragment = Fragment { header, body: &body[offset..offset + len] };
        packer.push(epoch, Content::Fragment(fragment), overhead);
        offset += len;
        if offset == range.end {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{HandshakeType, PLAINTEXT_LEN_MAX};

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

    fn datagram_len(datagram: &[PlannedRecord<'_>]) -> usize {
        datagram.iter().map(|record| OVERHEAD(record.epoch) + record.content.len()).sum()
    }

    #[test]
    fn every_datagram_keeps_to_the_mtu_and_the_messages_come_out_whole() {
        for mtu in [256, 300, 512, 1024, 1200, 65_507] {
            for lengths in [&[0][..], &[1, 0, 5000], &[231, 232, 230], &[40_000, 3], &[219, 0, 0, 200]] {
                let flight = flight(lengths);
                let plan = plan(&flight, mtu, RecordLimits::default(), OVERHEAD);
                assert!(plan.datagrams().all(|datagram| datagram_len(datagram) <= mtu && !datagram.is_empty()));
                let records = &plan.0;
                for item in &flight.items {
                    let FlightItem::Message { message_seq, body, epoch, .. } = item else { continue };
                    let fragments = records.iter().filter(|record| record.epoch == *epoch);
                    let fragments = fragments.filter_map(|record| match record.content {
                        Content::Fragment(fragment) => Some(fragment),
                        Content::ChangeCipherSpec => None,
                    });
                    let fragments = fragments.filter(|fragment| fragment.header.message_seq == *message_seq);
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
        assert_eq!(plan(&flight(&[70, 100, 0]), 1200, RecordLimits::default(), OVERHEAD).datagrams().count(), 1);
    }

    #[test]
    fn no_record_is_larger_than_the_protocol_allows() {
        let flight = flight(&[60_000]);
        let plan = plan(&flight, 65_507, RecordLimits::default(), OVERHEAD);
        assert!(plan.0.iter().all(|record| record.content.len() <= PLAINTEXT_LEN_MAX));
    }
}

//! Records of DTLS 1.3 in a datagram: plaintext ones as in DTLS 1.2, and protected ones behind the unified header
//! (RFC 9147 §4). Looks at nothing behind the header, and takes nothing off the record number but its bits.

use core::ops::Range;

use super::codec::{ParseError, Reader};
use super::record::Record;

/// `0b001` in the top bits marks a protected record (RFC 9147 §4.1).
const FIXED_BITS: u8 = 0b0010_0000;
const FIXED_MASK: u8 = 0b1110_0000;
/// C: a connection ID follows.
const CONNECTION_ID_BIT: u8 = 0b0001_0000;
/// S: the number has 16 bits, not 8.
const LONG_SEQ_BIT: u8 = 0b0000_1000;
/// L: a length follows.
const LENGTH_BIT: u8 = 0b0000_0100;
/// E: low bits of the epoch.
const EPOCH_MASK: u8 = 0b0000_0011;

/// Longest unified header: first byte, connection ID, number, length.
pub const UNIFIED_HEADER_LEN_MAX: usize = 1 + CONNECTION_ID_LEN_MAX + 2 + 2;

/// Longest connection ID (RFC 9146 §3).
pub const CONNECTION_ID_LEN_MAX: usize = u8::MAX as usize;

/// The two bits of its epoch that a record shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochBits(u8);

impl EpochBits {
    /// The bits of an epoch.
    pub const fn of(epoch: u64) -> Self {
        Self(epoch as u8 & EPOCH_MASK)
    }

    /// Whether the epoch has these bits.
    pub const fn fit(self, epoch: u64) -> bool {
        self.0 == Self::of(epoch).0
    }
}

/// The low bits of its number that a record shows, masked until [`Self::unmask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeqBits {
    /// 8 bits.
    Short(u8),
    /// 16 bits.
    Long(u16),
}

impl SeqBits {
    /// Adds the mask: hides bits that show, and shows bits that are hidden.
    pub const fn unmask(self, mask: [u8; 2]) -> Self {
        match self {
            Self::Short(bits) => Self::Short(bits ^ mask[0]),
            Self::Long(bits) => Self::Long(bits ^ u16::from_be_bytes(mask)),
        }
    }
}

/// Choices a sender has for each header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderForm {
    /// 16 bits of the number, not 8.
    pub long_seq: bool,
    /// A length: needed unless the record is the last of its datagram.
    pub length: bool,
}

impl HeaderForm {
    /// What fits everywhere.
    pub const FULL: Self = Self { long_seq: true, length: true };

    /// Length of the header without a connection ID.
    pub const fn header_len(self) -> usize {
        2 + self.long_seq as usize + 2 * self.length as usize
    }
}

/// A unified header as bytes, its number not masked: what the tag covers (RFC 9147 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnifiedHeader {
    bytes: [u8; UNIFIED_HEADER_LEN_MAX],
    len: usize,
    number_at: usize,
    number_len: usize,
}

impl UnifiedHeader {
    /// The header of a record with a body of `body_len` bytes. A connection ID is at most
    /// [`CONNECTION_ID_LEN_MAX`] bytes long; what is longer is cut.
    pub fn new(form: HeaderForm, connection_id: Option<&[u8]>, epoch: u64, seq: u64, body_len: u16) -> Self {
        let bit = |condition, bit| if condition { bit } else { 0 };
        let mut bytes = [0; UNIFIED_HEADER_LEN_MAX];
        bytes[0] = FIXED_BITS
            | bit(connection_id.is_some(), CONNECTION_ID_BIT)
            | bit(form.long_seq, LONG_SEQ_BIT)
            | bit(form.length, LENGTH_BIT)
            | EpochBits::of(epoch).0;
        let connection_id = connection_id.unwrap_or_default();
        let connection_id = &connection_id[..connection_id.len().min(CONNECTION_ID_LEN_MAX)];
        let number_at = 1 + connection_id.len();
        bytes[1..number_at].copy_from_slice(connection_id);
        let number_len = if form.long_seq { 2 } else { 1 };
        let mut len = number_at + number_len;
        bytes[number_at..len].copy_from_slice(&(seq as u16).to_be_bytes()[2 - number_len..]);
        if form.length {
            bytes[len..len + 2].copy_from_slice(&body_len.to_be_bytes());
            len += 2;
        }
        Self { bytes, len, number_at, number_len }
    }

    /// The header.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The header with the number masked, as it is sent.
    #[must_use]
    pub fn masked(mut self, mask: [u8; 2]) -> Self {
        let number_at = self.number_at();
        add_mask(&mut self.bytes[number_at], mask);
        self
    }

    /// Where the number is.
    pub(crate) const fn number_at(&self) -> Range<usize> {
        self.number_at..self.number_at + self.number_len
    }
}

/// Masks a number that shows, and shows one that is masked.
pub(crate) fn add_mask(number: &mut [u8], mask: [u8; 2]) {
    number.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
}

/// A record as it arrived: which epoch and number it has is not known yet, only bits of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtectedRecord<'a> {
    header: &'a [u8],
    epoch: EpochBits,
    connection_id: Option<&'a [u8]>,
    seq: SeqBits,
    body: &'a [u8],
}

impl<'a> ProtectedRecord<'a> {
    /// Reads one record. `connection_id_len` is the length that the receiver chose for its connection IDs, if it has
    /// any: without, a record whose C bit is set cannot be read (RFC 9147 §9.1). A record whose bit is not set can: it is
    /// for the association to say whether that will do.
    pub fn parse(r: &mut Reader<'a>, connection_id_len: Option<usize>) -> Result<Self, ParseError> {
        let whole = *r;
        let first = r.u8()?;
        if first & FIXED_MASK != FIXED_BITS {
            return Err(ParseError::BadValue);
        }
        let connection_id = match (first & CONNECTION_ID_BIT != 0, connection_id_len) {
            (true, Some(len)) if len <= CONNECTION_ID_LEN_MAX => Some(r.take(len)?),
            (false, _) => None,
            _ => return Err(ParseError::BadValue),
        };
        let seq = if first & LONG_SEQ_BIT != 0 { SeqBits::Long(r.u16()?) } else { SeqBits::Short(r.u8()?) };
        let body_len = if first & LENGTH_BIT != 0 { Some(usize::from(r.u16()?)) } else { None };
        let header = whole.clone().take(whole.len() - r.len())?;
        let body = match body_len {
            Some(len) => r.take(len)?,
            None => r.take_rest(),
        };
        Ok(Self { header, epoch: EpochBits::of(u64::from(first)), connection_id, seq, body })
    }

    /// The bits of the epoch.
    pub const fn epoch(&self) -> EpochBits {
        self.epoch
    }

    /// The connection ID.
    pub const fn connection_id(&self) -> Option<&'a [u8]> {
        self.connection_id
    }

    /// The bits of the number, masked.
    pub const fn seq(&self) -> SeqBits {
        self.seq
    }

    /// Length of the record as it arrived, header included.
    #[expect(clippy::len_without_is_empty, reason = "there is no record without bytes")]
    pub const fn len(&self) -> usize {
        self.header.len() + self.body.len()
    }

    /// The record as it arrived.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.header, self.body].concat()
    }

    /// The ciphertext.
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The header as it was before this mask was added to its number.
    pub fn header_unmasked(&self, mask: [u8; 2]) -> UnifiedHeader {
        let mut bytes = [0; UNIFIED_HEADER_LEN_MAX];
        let len = self.header.len();
        bytes[..len].copy_from_slice(self.header);
        let number_at = 1 + self.connection_id.map_or(0, <[u8]>::len);
        let number_len = match self.seq {
            SeqBits::Short(_) => 1,
            SeqBits::Long(_) => 2,
        };
        add_mask(&mut bytes[number_at..number_at + number_len], mask);
        UnifiedHeader { bytes, len, number_at, number_len }
    }
}

/// A record of either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnyRecord<'a> {
    /// DTLSPlaintext, or any record of DTLS 1.2.
    Plain(Record<'a>),
    /// DTLSCiphertext.
    Protected(ProtectedRecord<'a>),
}

/// The records of one datagram in order, told apart by their first byte (RFC 9147 §4.1). An item is an error once, for
/// the bytes behind the last whole record. Records of either version may have a connection ID, of the same length.
#[derive(Clone, Copy, Debug)]
pub struct AnyRecords<'a> {
    reader: Reader<'a>,
    connection_id_len: Option<usize>,
}

impl<'a> AnyRecords<'a> {
    /// The records of `datagram`.
    pub const fn new(datagram: &'a [u8], connection_id_len: Option<usize>) -> Self {
        Self { reader: Reader::new(datagram), connection_id_len }
    }
}

impl<'a> Iterator for AnyRecords<'a> {
    type Item = Result<AnyRecord<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.reader.clone().u8().ok()?;
        let record = if first & FIXED_MASK == FIXED_BITS {
            ProtectedRecord::parse(&mut self.reader, self.connection_id_len).map(AnyRecord::Protected)
        } else {
            let cid_len = self.connection_id_len.unwrap_or_default();
            Record::parse_with_cid(&mut self.reader, cid_len).map(AnyRecord::Plain)
        };
        if record.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::Writer;
    use super::*;
    use crate::wire::{ContentType, ProtocolVersion, RecordHeader};

    fn header(form: HeaderForm, body_len: u16) -> Vec<u8> {
        UnifiedHeader::new(form, None, 6, 0x1_2345, body_len).as_bytes().to_vec()
    }

    /// RFC 9147 §4, figure 4: what each form looks like.
    #[test]
    fn every_form_of_the_header_is_as_long_as_drawn() {
        let form = |long_seq, length| HeaderForm { long_seq, length };
        assert_eq!(header(form(true, true), 7), [0b0010_1110, 0x23, 0x45, 0, 7]);
        assert_eq!(header(form(false, true), 7), [0b0010_0110, 0x45, 0, 7]);
        assert_eq!(header(form(true, false), 7), [0b0010_1010, 0x23, 0x45]);
        assert_eq!(header(form(false, false), 7), [0b0010_0010, 0x45]);
        for (long_seq, length) in [(true, true), (false, true), (true, false), (false, false)] {
            assert_eq!(header(form(long_seq, length), 7).len(), form(long_seq, length).header_len());
        }
        assert_eq!(HeaderForm::FULL.header_len() + CONNECTION_ID_LEN_MAX, UNIFIED_HEADER_LEN_MAX);
    }

    #[test]
    fn every_form_of_the_header_is_read_back_with_and_without_connection_id() {
        for bits in 0..8u8 {
            let (with_id, long, length) = (bits & 4 != 0, bits & 2 != 0, bits & 1 != 0);
            let mut bytes = header(HeaderForm { long_seq: long, length }, 4);
            if with_id {
                bytes[0] |= CONNECTION_ID_BIT;
                bytes.splice(1..1, *b"id!");
            }
            let header_len = bytes.len();
            bytes.extend_from_slice(b"body");
            let id_len = with_id.then_some(3);
            let mut r = Reader::new(&bytes);
            let record = ProtectedRecord::parse(&mut r, id_len).unwrap();
            assert_eq!(r.finish(), Ok(()));
            assert_eq!(record.body(), b"body");
            assert_eq!(record.connection_id(), with_id.then_some(&b"id!"[..]));
            assert!(record.epoch().fit(2) && record.epoch().fit(6) && !record.epoch().fit(3));
            let seq = if long { SeqBits::Long(0x2345) } else { SeqBits::Short(0x45) };
            assert_eq!(record.seq(), seq);
            let other = record.header_unmasked([0xff, 0xff]);
            assert_ne!(other.as_bytes(), &bytes[..header_len]);
            assert_eq!(other.masked([0xff, 0xff]).as_bytes(), &bytes[..header_len]);
            // A connection ID that nobody chose cannot be read, nor a cut header.
            assert_eq!(ProtectedRecord::parse(&mut Reader::new(&bytes), None).is_err(), with_id);
            for cut in 0..header_len {
                assert!(ProtectedRecord::parse(&mut Reader::new(&bytes[..cut]), id_len).is_err());
            }
        }
    }

    #[test]
    fn a_record_without_length_takes_the_rest_of_the_datagram() {
        let short = HeaderForm { long_seq: false, length: false };
        let plain = Record {
            header: RecordHeader {
                content_type: ContentType::HANDSHAKE,
                version: ProtocolVersion::DTLS1_2,
                epoch: 0,
                seq: 1,
            },
            connection_id: &[],
            body: b"hello",
        };
        let mut w = Writer::new();
        plain.emit(&mut w);
        let mut datagram = w.into_bytes();
        datagram.extend_from_slice(&header(HeaderForm::FULL, 3));
        datagram.extend_from_slice(b"one");
        datagram.extend_from_slice(&header(short, 0));
        datagram.extend_from_slice(b"all the rest");
        let records: Vec<_> = AnyRecords::new(&datagram, None).collect();
        let bodies = records.iter().map(|record| match record {
            Ok(AnyRecord::Plain(record)) => record.body,
            Ok(AnyRecord::Protected(record)) => record.body(),
            Err(error) => panic!("{error}"),
        });
        assert_eq!(bodies.collect::<Vec<_>>(), [&b"hello"[..], b"one", b"all the rest"]);
    }

    #[test]
    fn a_broken_record_ends_the_datagram_with_one_error() {
        let mut datagram = header(HeaderForm::FULL, 100);
        datagram.extend_from_slice(&[0; 99]);
        assert_eq!(AnyRecords::new(&datagram, None).collect::<Vec<_>>(), [Err(ParseError::Truncated)]);
        // The first byte of neither kind: read as a plaintext record of unknown type, which is not our business.
        assert!(AnyRecords::new(&[0xff, 0xfe, 0xfd], None).next().is_some_and(|record| record.is_err()));
    }
}

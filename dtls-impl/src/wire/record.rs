//! Record headers and the records of a datagram (RFC 6347 §4.1), with and without a connection ID (RFC 9146 §4). Looks
//! at nothing behind the header.
//!
//! A connection ID does not say how long it is. Whoever reads records to an endpoint knows the length that the endpoint
//! gave its own; all others read type and number of such a record, and cannot go on behind it.

use super::code_points::{ContentType, ProtocolVersion};
use super::codec::{ParseError, Reader, Writer};

/// Length of a record header.
pub const RECORD_HEADER_LEN: usize = 13;

/// Largest plaintext of a record, 2^14 (RFC 5246 §6.2.1).
pub const PLAINTEXT_LEN_MAX: usize = 1 << 14;

/// Largest body of a protected record, 2^14 + 2048 (RFC 5246 §6.2.3).
pub const CIPHERTEXT_LEN_MAX: usize = PLAINTEXT_LEN_MAX + 2048;

/// Largest record sequence number, 2^48 - 1 (RFC 6347 §4.1).
pub const RECORD_SEQ_MAX: u64 = (1 << 48) - 1;

/// The fields in front of a record's body, without its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// What the body is.
    pub content_type: ContentType,
    /// Version of the record.
    pub version: ProtocolVersion,
    /// Counts the sender's changes of keys.
    pub epoch: u16,
    /// Counts the records of the epoch; 48 bits.
    pub seq: u64,
}

impl RecordHeader {
    /// The bytes of the header of a record with a body of `body_len` bytes.
    pub fn to_bytes(&self, body_len: u16) -> [u8; RECORD_HEADER_LEN] {
        let [_, _, seq @ ..] = self.seq.to_be_bytes();
        let mut bytes = [0; RECORD_HEADER_LEN];
        bytes[0] = self.content_type.0;
        bytes[1..3].copy_from_slice(&self.version.0.to_be_bytes());
        bytes[3..5].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[5..11].copy_from_slice(&seq);
        bytes[11..].copy_from_slice(&body_len.to_be_bytes());
        bytes
    }

    /// Writes the header of a record with a body of `body_len` bytes.
    pub fn emit(&self, body_len: u16, w: &mut Writer) {
        w.bytes(&self.to_bytes(body_len));
    }
}

/// A record in a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The header.
    pub header: RecordHeader,
    /// The connection ID in the header: empty but for [`ContentType::TLS12_CID`].
    pub connection_id: &'a [u8],
    /// The body: plaintext in epoch 0, protected in others.
    pub body: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads one record without a connection ID; the length is checked against the bytes there are, not against the
    /// protocol's limit.
    pub fn parse(r: &mut Reader<'a>) -> Result<Self, ParseError> {
        Self::parse_with_cid(r, 0)
    }

    /// Reads one record. If its type is [`ContentType::TLS12_CID`] it has a connection ID of `cid_len` bytes: what the
    /// receiver chose for its own (RFC 9146 §4).
    pub fn parse_with_cid(r: &mut Reader<'a>, cid_len: usize) -> Result<Self, ParseError> {
        let header = RecordHeader {
            content_type: ContentType(r.u8()?),
            version: ProtocolVersion(r.u16()?),
            epoch: r.u16()?,
            seq: r.u48()?,
        };
        let has_cid = header.content_type == ContentType::TLS12_CID;
        let connection_id = r.take(if has_cid { cid_len } else { 0 })?;
        Ok(Self { header, connection_id, body: r.vec16()? })
    }

    /// Length of the record, header included.
    #[expect(clippy::len_without_is_empty, reason = "there is no record without bytes")]
    pub const fn len(&self) -> usize {
        RECORD_HEADER_LEN + self.connection_id.len() + self.body.len()
    }

    /// Writes the record.
    pub fn emit(&self, w: &mut Writer) {
        debug_assert!(self.body.len() <= CIPHERTEXT_LEN_MAX, "records are cut to size before");
        let header = self.header.to_bytes(self.body.len() as u16);
        let (front, length) = header.split_at(RECORD_HEADER_LEN - 2);
        w.bytes(front);
        w.bytes(self.connection_id);
        w.bytes(length);
        w.bytes(self.body);
    }
}

/// The records of one datagram in order. An item is an error once, for the bytes behind the last whole record: lengths
/// chain, so nothing after a broken one can be trusted.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    reader: Reader<'a>,
    cid_len: usize,
}

impl<'a> Records<'a> {
    /// The records of `datagram`, none of which has a connection ID.
    pub const fn new(datagram: &'a [u8]) -> Self {
        Self::with_cid(datagram, 0)
    }

    /// The records of `datagram`, in which connection IDs have `cid_len` bytes.
    pub const fn with_cid(datagram: &'a [u8], cid_len: usize) -> Self {
        Self { reader: Reader::new(datagram), cid_len }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let record = Record::parse_with_cid(&mut self.reader, self.cid_len);
        if record.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seq: u64, body: &[u8]) -> Record<'_> {
        let header =
            RecordHeader { content_type: ContentType::HANDSHAKE, version: ProtocolVersion::DTLS1_2, epoch: 1, seq };
        Record { header, connection_id: &[], body }
    }

    #[test]
    fn a_datagram_holds_records_one_after_the_other() {
        let mut w = Writer::new();
        record(RECORD_SEQ_MAX, b"one").emit(&mut w);
        record(0, b"").emit(&mut w);
        let bytes = w.into_bytes();
        let records: Vec<_> = Records::new(&bytes).collect();
        assert_eq!(records, [Ok(record(RECORD_SEQ_MAX, b"one")), Ok(record(0, b""))]);
    }

    /// RFC 9146 §4, figure 3: the connection ID comes before the length, in records of one type only.
    #[test]
    fn connection_ids_are_read_where_the_type_says_so() {
        let mut with_cid = record(7, b"body");
        with_cid.header.content_type = ContentType::TLS12_CID;
        with_cid.connection_id = b"id!";
        let mut w = Writer::new();
        record(6, b"plain").emit(&mut w);
        with_cid.emit(&mut w);
        record(8, b"").emit(&mut w);
        let bytes = w.into_bytes();
        let at = RECORD_HEADER_LEN + 5;
        assert_eq!(bytes[at..at + 20], *b"\x19\xfe\xfd\0\x01\0\0\0\0\0\x07id!\0\x04body");
        let records: Vec<_> = Records::with_cid(&bytes, 3).collect();
        assert_eq!(records, [Ok(record(6, b"plain")), Ok(with_cid), Ok(record(8, b""))]);
        assert!(Records::new(&bytes).any(|record| record.is_err()), "another idea of the length");
        for cut in at..at + 20 {
            assert!(Records::with_cid(&bytes[at..cut], 3).all(|record| record.is_err()));
        }
    }

    #[test]
    fn a_datagram_cut_anywhere_gives_whole_records_and_then_one_error() {
        let mut w = Writer::new();
        record(1, b"one").emit(&mut w);
        record(2, b"two").emit(&mut w);
        let bytes = w.into_bytes();
        let first = RECORD_HEADER_LEN + 3;
        for cut in 0..bytes.len() {
            let records: Vec<_> = Records::new(&bytes[..cut]).collect();
            let whole = usize::from(cut >= first);
            let broken = usize::from(cut != 0 && cut != first);
            assert_eq!(records.iter().filter(|r| r.is_ok()).count(), whole, "cut at {cut}");
            assert_eq!(records.iter().filter(|r| r.is_err()).count(), broken, "cut at {cut}");
        }
    }
}

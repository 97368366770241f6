//! Record headers and the records of a datagram (RFC 6347 §4.1). Looks at nothing behind the header.

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
    /// The body: plaintext in epoch 0, protected in others.
    pub body: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads one record; the length is checked against the bytes there are, not against the protocol's limit.
    pub fn parse(r: &mut Reader<'a>) -> Result<Self, ParseError> {
        let header = RecordHeader {
            content_type: ContentType(r.u8()?),
            version: ProtocolVersion(r.u16()?),
            epoch: r.u16()?,
            seq: r.u48()?,
        };
        Ok(Self { header, body: r.vec16()? })
    }

    /// Writes the record.
    pub fn emit(&self, w: &mut Writer) {
        debug_assert!(self.body.len() <= CIPHERTEXT_LEN_MAX, "records are cut to size before");
        self.header.emit(self.body.len() as u16, w);
        w.bytes(self.body);
    }
}

/// The records of one datagram in order. An item is an error once, for the bytes behind the last whole record: lengths
/// chain, so nothing after a broken one can be trusted.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    reader: Reader<'a>,
}

impl<'a> Records<'a> {
    /// The records of `datagram`.
    pub const fn new(datagram: &'a [u8]) -> Self {
        Self { reader: Reader::new(datagram) }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let record = Record::parse(&mut self.reader);
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
        Record { header, body }
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

//! Full record numbers and the ACK message that lists them (RFC 9147 §4, §7). An ACK is a content type of its own, not a
//! handshake message.

use super::codec::{ParseError, Reader, Writer};

/// Length of a record number in an ACK.
pub const RECORD_NUMBER_LEN: usize = 16;

/// A record's epoch and its number within it, in full. Ordered as an ACK must list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordNumber {
    /// Counts the sender's changes of keys; a header shows two bits of it.
    pub epoch: u64,
    /// Counts the records of the epoch; a header shows 8 or 16 bits of it, masked.
    pub seq: u64,
}

/// ACK: which records of handshake messages have arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// The records. Senders list them in increasing order; receivers take any.
    pub records: Vec<RecordNumber>,
}

impl Ack {
    /// Reads an ACK that fills its record.
    pub fn parse(plaintext: &[u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(plaintext);
        let (numbers, rest) = r.vec16()?.as_chunks::<RECORD_NUMBER_LEN>();
        r.finish()?;
        if !rest.is_empty() {
            return Err(ParseError::BadLength);
        }
        let number = |bytes: &[u8; RECORD_NUMBER_LEN]| {
            let mut r = Reader::new(bytes);
            Ok(RecordNumber { epoch: r.array().map(u64::from_be_bytes)?, seq: r.array().map(u64::from_be_bytes)? })
        };
        Ok(Self { records: numbers.iter().map(number).collect::<Result<_, _>>()? })
    }

    /// Writes the ACK.
    pub fn emit(&self, w: &mut Writer) {
        w.vec16(|w| {
            for number in &self.records {
                w.bytes(&number.epoch.to_be_bytes());
                w.bytes(&number.seq.to_be_bytes());
            }
        });
    }
}

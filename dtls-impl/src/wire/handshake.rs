//! Handshake headers and fragments (RFC 6347 §4.2.2). What the messages say is in the sibling modules.

use super::code_points::HandshakeType;
use super::codec::{ParseError, Reader, Writer};

/// Length of a handshake header.
pub const HANDSHAKE_HEADER_LEN: usize = 12;

/// The fields in front of every fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeHeader {
    /// Which message.
    pub message_type: HandshakeType,
    /// Length of the whole message's body, 24 bits.
    pub length: u32,
    /// Counts the sender's messages, from 0 in each handshake.
    pub message_seq: u16,
    /// Where in the body this fragment starts, 24 bits.
    pub fragment_offset: u32,
    /// Bytes of the body in this fragment, 24 bits.
    pub fragment_length: u32,
}

impl HandshakeHeader {
    /// The header of a message in one piece, which is also what the transcript hashes (RFC 6347 §4.2.6).
    pub const fn whole(message_type: HandshakeType, message_seq: u16, length: u32) -> Self {
        Self { message_type, length, message_seq, fragment_offset: 0, fragment_length: length }
    }

    /// Whether the fragment is the whole message.
    pub const fn is_whole(&self) -> bool {
        self.fragment_offset == 0 && self.fragment_length == self.length
    }

    /// Reads a header and checks that the fragment lies inside its message.
    pub fn parse(r: &mut Reader<'_>) -> Result<Self, ParseError> {
        let header = Self {
            message_type: HandshakeType(r.u8()?),
            length: r.u24()?,
            message_seq: r.u16()?,
            fragment_offset: r.u24()?,
            fragment_length: r.u24()?,
        };
        // Both are 24 bits wide: the sum cannot overflow.
        if header.fragment_offset + header.fragment_length > header.length {
            return Err(ParseError::BadLength);
        }
        Ok(header)
    }

    /// The header's bytes. The first four are the header that TLS has.
    pub fn to_bytes(&self) -> [u8; HANDSHAKE_HEADER_LEN] {
        let [_, length @ ..] = self.length.to_be_bytes();
        let [_, offset @ ..] = self.fragment_offset.to_be_bytes();
        let [_, fragment @ ..] = self.fragment_length.to_be_bytes();
        let mut bytes = [0; HANDSHAKE_HEADER_LEN];
        bytes[0] = self.message_type.0;
        bytes[1..4].copy_from_slice(&length);
        bytes[4..6].copy_from_slice(&self.message_seq.to_be_bytes());
        bytes[6..9].copy_from_slice(&offset);
        bytes[9..12].copy_from_slice(&fragment);
        bytes
    }

    /// Writes the header.
    pub fn emit(&self, w: &mut Writer) {
        w.bytes(&self.to_bytes());
    }
}

/// A fragment of a handshake message, as a record carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The header.
    pub header: HandshakeHeader,
    /// The fragment's part of the body.
    pub body: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Reads one fragment.
    pub fn parse(r: &mut Reader<'a>) -> Result<Self, ParseError> {
        let header = HandshakeHeader::parse(r)?;
        Ok(Self { header, body: r.take(header.fragment_length as usize)? })
    }

    /// Writes the fragment.
    pub fn emit(&self, w: &mut Writer) {
        debug_assert_eq!(self.header.fragment_length as usize, self.body.len());
        self.header.emit(w);
        w.bytes(self.body);
    }
}

/// The fragments in one handshake record. An item is an error once, for what follows the last whole fragment.
#[derive(Clone, Copy, Debug)]
pub struct Fragments<'a> {
    reader: Reader<'a>,
}

impl<'a> Fragments<'a> {
    /// The fragments of a record's plaintext.
    pub const fn new(plaintext: &'a [u8]) -> Self {
        Self { reader: Reader::new(plaintext) }
    }
}

impl<'a> Iterator for Fragments<'a> {
    type Item = Result<Fragment<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let fragment = Fragment::parse(&mut self.reader);
        if fragment.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(fragment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(fragment: &Fragment<'_>) -> Vec<u8> {
        let mut w = Writer::new();
        fragment.emit(&mut w);
        w.into_bytes()
    }

    #[test]
    fn a_fragment_survives_and_is_refused_at_every_shorter_length() {
        let header = HandshakeHeader {
            message_type: HandshakeType::CERTIFICATE,
            length: 70_000,
            message_seq: 3,
            fragment_offset: 65_536,
            fragment_length: 4,
        };
        let fragment = Fragment { header, body: b"abcd" };
        let bytes = bytes(&fragment);
        assert_eq!(Fragments::new(&bytes).collect::<Vec<_>>(), [Ok(fragment)]);
        for cut in 1..bytes.len() {
            assert_eq!(Fragments::new(&bytes[..cut]).collect::<Vec<_>>(), [Err(ParseError::Truncated)]);
        }
    }

    #[test]
    fn a_fragment_outside_its_message_is_refused() {
        let header = HandshakeHeader {
            message_type: HandshakeType::FINISHED,
            length: 12,
            message_seq: 0,
            fragment_offset: 9,
            fragment_length: 4,
        };
        let bytes = bytes(&Fragment { header, body: b"abcd" });
        assert_eq!(Fragment::parse(&mut Reader::new(&bytes)), Err(ParseError::BadLength));
    }
}

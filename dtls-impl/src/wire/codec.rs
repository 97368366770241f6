//! Reading and writing big-endian integers and length-prefixed vectors (RFC 5246 §4). Knows no message.

use core::fmt;

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// The bytes end before the value does.
    Truncated,
    /// Bytes are left after the value.
    TrailingBytes,
    /// A length contradicts the lengths around it, or is outside its allowed range.
    BadLength,
    /// A field holds a value it must not hold.
    BadValue,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "bytes end too early",
            Self::TrailingBytes => "bytes left over",
            Self::BadLength => "impossible length",
            Self::BadValue => "impossible value",
        })
    }
}

impl core::error::Error for ParseError {}

/// A cursor over received bytes. No method panics, whatever the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether every byte has been read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Number of bytes not yet read.
    pub const fn len(&self) -> usize {
        self.rest.len()
    }

    /// Takes the next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], ParseError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(ParseError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes all that is left.
    pub fn take_rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    /// Takes an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(ParseError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// `uint8`.
    pub fn u8(&mut self) -> Result<u8, ParseError> {
        self.array().map(|[byte]| byte)
    }

    /// `uint16`.
    pub fn u16(&mut self) -> Result<u16, ParseError> {
        self.array().map(u16::from_be_bytes)
    }

    /// `uint24`.
    pub fn u24(&mut self) -> Result<u32, ParseError> {
        self.array().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// `uint48`.
    pub fn u48(&mut self) -> Result<u64, ParseError> {
        self.array().map(|[a, b, c, d, e, f]| u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// A vector with a length of one byte.
    pub fn vec8(&mut self) -> Result<&'a [u8], ParseError> {
        let len = self.u8()?;
        self.take(usize::from(len))
    }

    /// A vector with a length of two bytes.
    pub fn vec16(&mut self) -> Result<&'a [u8], ParseError> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// A vector with a length of three bytes.
    pub fn vec24(&mut self) -> Result<&'a [u8], ParseError> {
        let len = self.u24()?;
        self.take(len as usize)
    }

    /// Succeeds if every byte has been read.
    pub const fn finish(self) -> Result<(), ParseError> {
        if self.rest.is_empty() { Ok(()) } else { Err(ParseError::TrailingBytes) }
    }
}

/// Reads a list of 16-bit code points that fills `bytes`.
pub(crate) fn list16<T>(bytes: &[u8], make: impl Fn(u16) -> T) -> Result<Vec<T>, ParseError> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(ParseError::BadLength);
    }
    Ok(pairs.iter().map(|pair| make(u16::from_be_bytes(*pair))).collect())
}

/// Appends values to a byte vector.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Starts empty.
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Starts empty, with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// Everything written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// `uint8`.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// `uint16`.
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// `uint24`: the low three bytes.
    pub fn u24(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_be_bytes()[1..]);
    }

    /// `uint48`: the low six bytes.
    pub fn u48(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_be_bytes()[2..]);
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A vector with a length of one byte, filled by `fill`.
    pub fn vec8(&mut self, fill: impl FnOnce(&mut Self)) {
        self.prefixed::<1>(fill);
    }

    /// A vector with a length of two bytes, filled by `fill`.
    pub fn vec16(&mut self, fill: impl FnOnce(&mut Self)) {
        self.prefixed::<2>(fill);
    }

    /// A vector with a length of three bytes, filled by `fill`.
    pub fn vec24(&mut self, fill: impl FnOnce(&mut Self)) {
        self.prefixed::<3>(fill);
    }

    /// What is written comes from validated configuration and from values of bounded size, so a vector that outgrows
    /// its length field is a bug here, not an input.
    fn prefixed<const N: usize>(&mut self, fill: impl FnOnce(&mut Self)) {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; N]);
        fill(self);
        let len = (self.bytes.len() - at - N).to_be_bytes();
        let (overflow, low) = len.split_at(len.len() - N);
        debug_assert!(overflow.iter().all(|byte| *byte == 0), "vector outgrew its length field");
        self.bytes[at..at + N].copy_from_slice(low);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_vectors_survive_the_way_out_and_back() {
        let mut w = Writer::new();
        w.u8(1);
        w.u16(0x0203);
        w.u24(0x0004_0506);
        w.u48(0x0000_0708_090a_0b0c);
        w.vec8(|w| w.bytes(b"a"));
        w.vec16(|w| w.bytes(b"bc"));
        w.vec24(|w| w.vec8(|w| w.u8(9)));
        let bytes = w.into_bytes();
        let mut r = Reader::new(&bytes);
        assert_eq!(r.u8(), Ok(1));
        assert_eq!(r.u16(), Ok(0x0203));
        assert_eq!(r.u24(), Ok(0x0004_0506));
        assert_eq!(r.u48(), Ok(0x0000_0708_090a_0b0c));
        assert_eq!(r.vec8(), Ok(&b"a"[..]));
        assert_eq!(r.vec16(), Ok(&b"bc"[..]));
        assert_eq!(r.vec24(), Ok(&[1, 9][..]));
        assert_eq!(r.finish(), Ok(()));
    }

    #[test]
    fn a_length_beyond_the_end_is_an_error() {
        assert_eq!(Reader::new(&[2, 0]).vec8(), Err(ParseError::Truncated));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0]).vec24(), Err(ParseError::Truncated));
        assert_eq!(Reader::new(&[]).u48(), Err(ParseError::Truncated));
    }

    #[test]
    fn an_odd_list_of_code_points_is_an_error() {
        assert_eq!(list16(&[0, 1, 2], |code| code), Err(ParseError::BadLength));
    }
}

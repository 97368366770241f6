//! Settings of what is agreed on besides keys: names of protocols, and sizes of records.

use super::Common;
use crate::error::Misuse;
use crate::wire::PLAINTEXT_LEN_MAX;

/// Smallest record_size_limit (RFC 8449 §4).
pub const RECORD_SIZE_LIMIT_MIN: u16 = 64;

/// Largest record_size_limit of DTLS 1.2; that of 1.3, which counts the content type, is one more (RFC 8449 §4).
pub const RECORD_SIZE_LIMIT_MAX: u16 = PLAINTEXT_LEN_MAX as u16;

/// Lengths that max_fragment_length can ask for (RFC 6066 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxFragmentLength {
    /// 2^9 bytes.
    Bytes512,
    /// 2^10 bytes.
    Bytes1024,
    /// 2^11 bytes.
    Bytes2048,
    /// 2^12 bytes.
    Bytes4096,
}

impl MaxFragmentLength {
    /// The code in the extension.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Bytes512 => 1,
            Self::Bytes1024 => 2,
            Self::Bytes2048 => 3,
            Self::Bytes4096 => 4,
        }
    }

    /// The length of that code.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        let all = [Self::Bytes512, Self::Bytes1024, Self::Bytes2048, Self::Bytes4096];
        all.into_iter().find(|length| length.code() == code)
    }

    /// The length in bytes.
    pub const fn bytes(self) -> usize {
        256 << self.code()
    }
}

/// Whether names and sizes can be said at all.
pub(super) fn check(common: &Common) -> Result<(), Misuse> {
    let named = common.alpn.iter().all(|protocol| (1..=255).contains(&protocol.len()));
    let together: usize = common.alpn.iter().map(|protocol| 1 + protocol.len()).sum();
    // What one more extension leaves of the 2^16 bytes of a hello's extensions is enough for all others.
    if !named || together > ALPN_LEN_MAX {
        return Err(Misuse::BadAlpn);
    }
    let largest = RECORD_SIZE_LIMIT_MAX + u16::from(common.versions.has_13());
    if common.record_size_limit.is_some_and(|limit| !(RECORD_SIZE_LIMIT_MIN..=largest).contains(&limit)) {
        return Err(Misuse::BadRecordSize);
    }
    Ok(())
}

/// Bytes of all names of protocols together, so that a hello has room for the rest.
const ALPN_LEN_MAX: usize = 1 << 14;

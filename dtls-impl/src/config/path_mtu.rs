//! Settings of what is done about paths that take no datagrams as large as the MTU says.

use crate::error::Misuse;

/// What repeated loss of large datagrams means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathMtu {
    /// Nothing: [`Common::mtu`](super::Common::mtu) is what the path takes, and every transmission of a flight is cut for it.
    #[default]
    Fixed,
    /// Maybe that they are too large: the MTU is a guess. A flight that was repeated in vain is cut for smaller datagrams
    /// (RFC 6347 §4.1.1.1, RFC 9147 §4.4), and so are all flights after it: of 1232 bytes, which every path of IPv6 takes;
    /// of 548 bytes, of IPv4; then of 256. Application data is not, as it is not for the handshake to guess about.
    BackOff {
        /// Repetitions of each size, at least 1. RFC 9147 §4.4 finds 2 or 3 appropriate.
        after: u8,
    },
}

impl PathMtu {
    /// Smaller datagrams after two repetitions.
    pub const BACK_OFF: Self = Self::BackOff { after: 2 };

    pub(super) const fn check(self) -> Result<(), Misuse> {
        match self {
            Self::BackOff { after: 0 } => Err(Misuse::BadMtu),
            _ => Ok(()),
        }
    }
}

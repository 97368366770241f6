//! What the ends of an association have agreed on.

use crate::wire::{CipherSuite, ProtocolVersion};

/// What was negotiated, once the handshake is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated {
    /// [`DTLS1_2`](ProtocolVersion::DTLS1_2) or [`DTLS1_3`](ProtocolVersion::DTLS1_3).
    pub version: ProtocolVersion,
    /// The cipher suite.
    pub suite: CipherSuite,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
}

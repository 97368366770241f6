//! Whether clients show certificates.

use std::sync::Arc;

use crate::pki::ClientVerifier;

/// Whether a server asks clients for certificates, and who believes them. Only servers that show one themselves can.
#[derive(Clone, Debug, Default)]
pub enum ClientAuth {
    /// Does not ask: clients stay anonymous.
    #[default]
    None,
    /// Asks, and goes on without. A certificate that is shown must be good all the same.
    Optional(Arc<ClientVerifier>),
    /// Asks, and refuses clients without: in DTLS 1.2 with handshake_failure (RFC 5246 §7.4.6), in 1.3 with
    /// certificate_required (RFC 8446 §4.4.2.4), which reaches a client that believes itself established.
    Required(Arc<ClientVerifier>),
}

impl ClientAuth {
    pub(crate) fn verifier(&self) -> Option<&ClientVerifier> {
        match self {
            Self::None => None,
            Self::Optional(verifier) | Self::Required(verifier) => Some(verifier),
        }
    }

    pub(crate) const fn is_required(&self) -> bool {
        matches!(self, Self::Required(_))
    }
}

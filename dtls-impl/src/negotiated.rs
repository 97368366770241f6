//! What the ends of an association have agreed on, and whom each has authenticated.

use rustls_pki_types::CertificateDer;

use crate::wire::{CipherSuite, ParseError, ProtocolVersion, Reader, Writer};

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
    /// Whether the server has accepted early data (RFC 8446 §4.2.10).
    pub early_data: bool,
    /// Who the peer has shown to be. A resumed session has the peer of the first one.
    pub peer: PeerIdentity,
    /// The application's protocol (RFC 7301), if both ends have one.
    pub alpn: Option<Vec<u8>>,
}

/// Who a peer has shown to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerIdentity {
    /// Nobody: a client that was not asked, or had nothing to show.
    #[default]
    Anonymous,
    /// Somebody who knows the pre-shared key of this identity.
    Psk(Vec<u8>),
    /// The owner of the first of these certificates, as they were sent: what follows it need not be on its path.
    Certificate(Vec<CertificateDer<'static>>),
    /// The owner of this key, a DER SubjectPublicKeyInfo (RFC 7250).
    RawPublicKey(Vec<u8>),
}

const ANONYMOUS: u8 = 0;
const PSK: u8 = 1;
const CERTIFICATE: u8 = 2;
const RAW_PUBLIC_KEY: u8 = 3;

impl PeerIdentity {
    /// Whether there is no telling who the peer is.
    pub const fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous)
    }

    /// Bytes that name the peer, framing aside.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Anonymous => 0,
            Self::Psk(identity) => identity.len(),
            Self::Certificate(chain) => chain.iter().map(|certificate| certificate.len()).sum(),
            Self::RawPublicKey(key) => key.len(),
        }
    }

    /// Writes the identity for a ticket.
    pub(crate) fn emit(&self, w: &mut Writer) {
        match self {
            Self::Anonymous => w.u8(ANONYMOUS),
            Self::Psk(identity) => {
                w.u8(PSK);
                w.vec16(|w| w.bytes(identity));
            }
            Self::Certificate(chain) => {
                w.u8(CERTIFICATE);
                w.vec24(|w| chain.iter().for_each(|certificate| w.vec24(|w| w.bytes(certificate))));
            }
            Self::RawPublicKey(key) => {
                w.u8(RAW_PUBLIC_KEY);
                w.vec16(|w| w.bytes(key));
            }
        }
    }

    /// Reads the identity from a ticket.
    pub(crate) fn parse(r: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(match r.u8()? {
            ANONYMOUS => Self::Anonymous,
            PSK => Self::Psk(r.vec16()?.to_vec()),
            CERTIFICATE => {
                let mut list = Reader::new(r.vec24()?);
                let mut chain = Vec::new();
                while !list.is_empty() {
                    chain.push(CertificateDer::from(list.vec24()?.to_vec()));
                }
                Self::Certificate(chain)
            }
            RAW_PUBLIC_KEY => Self::RawPublicKey(r.vec16()?.to_vec()),
            _ => return Err(ParseError::BadValue),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::body_of;

    #[test]
    fn identities_are_read_back_from_tickets_and_cut_ones_are_not() {
        let chain = vec![CertificateDer::from(vec![1; 300]), CertificateDer::from(vec![2; 3])];
        for identity in [
            PeerIdentity::Anonymous,
            PeerIdentity::Psk(b"device".to_vec()),
            PeerIdentity::Certificate(chain),
            PeerIdentity::RawPublicKey(vec![7; 91]),
        ] {
            let bytes = body_of(|w| identity.emit(w));
            assert_eq!(PeerIdentity::parse(&mut Reader::new(&bytes)), Ok(identity));
            for len in 0..bytes.len() {
                assert!(PeerIdentity::parse(&mut Reader::new(&bytes[..len])).is_err());
            }
        }
        assert!(PeerIdentity::parse(&mut Reader::new(&[9])).is_err());
    }
}

//! The handshake of DTLS 1.2: what each message means, and which comes next (RFC 6347 §4.2, RFC 5246 §7.3).
//!
//! State machines see whole messages in order and build flights; records, timers and fragments are not their business.
//! Everything leaves through [`Link`].

pub(crate) mod authentication;
pub(crate) mod builder;
pub(crate) mod client12;
pub(crate) mod client13;
pub(crate) mod connection_id;
pub(crate) mod cookie;
pub(crate) mod cookie13;
pub(crate) mod psk13;
pub(crate) mod server12;
pub(crate) mod server13;
pub(crate) mod session;
pub(crate) mod session13;
pub(crate) mod stored12;
pub(crate) mod ticket;
pub(crate) mod transcript;

use std::fmt::Write as _;

use crate::config::PskMode;
use crate::crypto::{CryptoError, Group, KeyExchange, Secret, SignatureScheme};
use crate::entropy::Entropy;
use crate::error::{Error, PeerMisbehaved};
use crate::flight::reassembly::Message;
use crate::handshake::session::Session;
use crate::link::Link;
use crate::wire::{
    HandshakeType, NamedGroup, PSK_MODE_DHE, PSK_MODE_ONLY, ParseError, ProtocolVersion, SignatureSchemeCode,
};

/// What handlers work with besides their state.
pub(crate) struct Context<'a, C, L = Link> {
    pub(crate) config: &'a C,
    pub(crate) link: &'a mut L,
    pub(crate) entropy: &'a mut Entropy,
}

/// Where a message leads.
#[derive(Debug)]
pub(crate) enum Step<S, E = Session> {
    /// The handshake goes on.
    Next(S),
    /// The peer's Finished was verified, and the own one is sent.
    Established(Box<E>),
}

impl<S, E> Step<S, E> {
    pub(crate) fn map<T>(self, wrap: impl FnOnce(S) -> T) -> Step<T, E> {
        match self {
            Self::Next(state) => Step::Next(wrap(state)),
            Self::Established(session) => Step::Established(session),
        }
    }
}

/// DTLS counts versions downwards: 1.2 is spoken by all who say 1.2 or less, within major version 254.
pub(crate) const fn speaks_dtls12(version: ProtocolVersion) -> bool {
    version.0 >> 8 == 0xfe && version.0 <= ProtocolVersion::DTLS1_2.0
}

pub(crate) const fn named(group: Group) -> NamedGroup {
    match group {
        Group::X25519 => NamedGroup::X25519,
        Group::Secp256r1 => NamedGroup::SECP256R1,
        Group::Secp384r1 => NamedGroup::SECP384R1,
        Group::X25519MlKem768 => NamedGroup::X25519MLKEM768,
    }
}

pub(crate) const fn mode_code(mode: PskMode) -> u8 {
    match mode {
        PskMode::DheKe => PSK_MODE_DHE,
        PskMode::Ke => PSK_MODE_ONLY,
    }
}

pub(crate) const fn code(scheme: SignatureScheme) -> SignatureSchemeCode {
    match scheme {
        SignatureScheme::EcdsaSecp256r1Sha256 => SignatureSchemeCode::ECDSA_SECP256R1_SHA256,
        SignatureScheme::Ed25519 => SignatureSchemeCode::ED25519,
        SignatureScheme::EcdsaSecp384r1Sha384 => SignatureSchemeCode::ECDSA_SECP384R1_SHA384,
        SignatureScheme::RsaPssRsaeSha256 => SignatureSchemeCode::RSA_PSS_RSAE_SHA256,
        SignatureScheme::RsaPssRsaeSha384 => SignatureSchemeCode::RSA_PSS_RSAE_SHA384,
        SignatureScheme::RsaPssRsaeSha512 => SignatureSchemeCode::RSA_PSS_RSAE_SHA512,
        SignatureScheme::RsaPkcs1Sha256 => SignatureSchemeCode::RSA_PKCS1_SHA256,
        SignatureScheme::RsaPkcs1Sha384 => SignatureSchemeCode::RSA_PKCS1_SHA384,
        SignatureScheme::RsaPkcs1Sha512 => SignatureSchemeCode::RSA_PKCS1_SHA512,
    }
}

/// Reads a body, blaming the message if it cannot be read.
fn read<'a, T>(message: &'a Message, parse: impl FnOnce(&'a [u8]) -> Result<T, ParseError>) -> Result<T, Error> {
    parse(&message.body).map_err(|reason| Error::BadMessage(message.message_type, reason))
}

fn expect(message: &Message, message_type: HandshakeType) -> Result<(), Error> {
    if message.message_type == message_type { Ok(()) } else { Err(unexpected(message)) }
}

fn unexpected(message: &Message) -> Error {
    PeerMisbehaved::UnexpectedMessage(message.message_type).into()
}

/// The ECDHE secret, blaming the peer for a bad share.
fn agree(own: Box<dyn KeyExchange>, peer: &[u8]) -> Result<Secret, Error> {
    own.complete(peer).map_err(bad_share)
}

/// Why a share was refused: the peer's fault, unless the primitive has another reason.
fn bad_share(error: CryptoError) -> Error {
    match error {
        CryptoError::BadPublicKey | CryptoError::BadLength => PeerMisbehaved::BadPublicKey.into(),
        other => Error::Crypto(other),
    }
}

fn push_hex(line: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(line, "{byte:02x}");
    }
}

/// An own ephemeral key, whose secret is not shown.
pub(crate) struct EphemeralKey(pub(crate) Box<dyn KeyExchange>);

impl core::fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "EphemeralKey({:?})", self.0.group())
    }
}

//! Showing who one is, and believing the peer: what both roles have in common in both versions.
//!
//! Owns the choice of certificate types and signature schemes, both forms of Certificate, and what a peer has proved of
//! itself. When each of it is due, is for the state machines.

use rustls_pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer};

use super::{code, read, unexpected};
use crate::config::{CertifiedKey, ClientAuth, ClientConfig, ClientCredentials, Common, ServerConfig};
use crate::crypto::schedule12::Side;
use crate::crypto::{Digest, SignatureScheme};
use crate::entropy::Entropy;
use crate::error::{Error, Misuse, PeerIncompatible, PeerMisbehaved};
use crate::flight::reassembly::Message;
use crate::negotiated::PeerIdentity;
use crate::pki::{self, CertificateError, ClientVerifier};
use crate::time::Instant;
use crate::wire::{
    Certificate, Certificate13, CertificateEntry, CertificateOf, CertificateRequest, CertificateRequest13,
    CertificateType, CertificateVerify, ClientCertificateType, Extension, Extensions, HandshakeType, ParseError,
    ProtocolVersion, RawKeyCertificate, SignatureSchemeCode, body_of,
};

/// Proof that what a peer showed is to be believed. That it is the peer's own, its signature has yet to show.
#[derive(Debug)]
pub(crate) struct Believed(PeerIdentity);

impl Believed {
    /// Checks what a server showed.
    pub(crate) fn server(
        shown: &[&[u8]],
        name: Option<&ServerName<'_>>,
        config: &ClientConfig,
        now: Instant,
    ) -> Result<Self, Error> {
        let ClientCredentials::Certificate { verifier } = &config.credentials else {
            return Err(Misuse::NoUsableSuite.into());
        };
        let chain = chain(shown);
        let (common, date) = (&config.common, config.common.date(now));
        verifier.verify_chain(&chain, name, date, &*common.provider).map_err(Error::BadCertificate)?;
        Ok(Self(identity(chain, verifier.certificate_type())))
    }

    /// Checks what a client showed; `None` if that is nothing and need not be more.
    pub(crate) fn client(
        shown: &[&[u8]],
        config: &ServerConfig,
        now: Instant,
        version: ProtocolVersion,
    ) -> Result<Option<Self>, Error> {
        if shown.is_empty() {
            let required = config.client_auth.is_required();
            return if required { Err(PeerIncompatible::NoClientCertificate { version }.into()) } else { Ok(None) };
        }
        let verifier = config.client_auth.verifier().ok_or(Misuse::BadClientAuth)?;
        let chain = chain(shown);
        verify_client(verifier, &chain, &config.common, now).map_err(Error::BadCertificate)?;
        Ok(Some(Self(identity(chain, verifier.certificate_type()))))
    }

    /// Checks that the peer has the key, by what it signed.
    pub(crate) fn check_signature(
        &self,
        common: &Common,
        scheme: SignatureScheme,
        content: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let provider = &*common.provider;
        let verdict = match &self.0 {
            PeerIdentity::Certificate(chain) => {
                let end_entity = chain.first().ok_or(Error::BadCertificate(CertificateError::Empty))?;
                pki::verify_signed(provider, end_entity, scheme, content, signature)
            }
            PeerIdentity::RawPublicKey(key) => {
                let key = SubjectPublicKeyInfoDer::from(&key[..]);
                pki::verify_signed_raw(provider, &key, scheme, content, signature)
            }
            PeerIdentity::Anonymous | PeerIdentity::Psk(_) => return Err(PeerMisbehaved::BadSignature.into()),
        };
        verdict.map_err(|_| PeerMisbehaved::BadSignature.into())
    }

    /// Who the peer is, once its signature is checked.
    pub(crate) fn into_identity(self) -> PeerIdentity {
        self.0
    }
}

fn chain(shown: &[&[u8]]) -> Vec<CertificateDer<'static>> {
    shown.iter().map(|der| CertificateDer::from(der.to_vec())).collect()
}

fn identity(chain: Vec<CertificateDer<'static>>, kind: CertificateType) -> PeerIdentity {
    match kind {
        CertificateType::RAW_PUBLIC_KEY => {
            PeerIdentity::RawPublicKey(chain.first().map(|key| key.to_vec()).unwrap_or_default())
        }
        _ => PeerIdentity::Certificate(chain),
    }
}

fn verify_client(
    verifier: &ClientVerifier,
    chain: &[CertificateDer<'_>],
    common: &Common,
    now: Instant,
) -> Result<(), CertificateError> {
    verifier.verify_chain(chain, common.date(now), &*common.provider)
}

/// Whether a server that asks for certificates still takes a client for what it was when a session began. A server that
/// requires them does not let clients in by sessions that began without.
pub(crate) fn still_welcome(client: &PeerIdentity, config: &ServerConfig, now: Instant) -> bool {
    let Some(verifier) = config.client_auth.verifier() else { return true };
    let good = |chain: &[CertificateDer<'_>]| verify_client(verifier, chain, &config.common, now).is_ok();
    match client {
        PeerIdentity::Anonymous => !config.client_auth.is_required(),
        PeerIdentity::Psk(_) => true,
        PeerIdentity::Certificate(chain) => verifier.certificate_type() == CertificateType::X509 && good(chain),
        PeerIdentity::RawPublicKey(key) => {
            verifier.certificate_type() == CertificateType::RAW_PUBLIC_KEY && good(&[CertificateDer::from(&key[..])])
        }
    }
}

/// The scheme of a peer's signature, if it was offered and may sign handshakes.
pub(crate) fn offered_scheme(
    signed: SignatureSchemeCode,
    common: &Common,
    version: ProtocolVersion,
) -> Result<SignatureScheme, PeerMisbehaved> {
    let is_it = |scheme: &SignatureScheme| code(*scheme) == signed && may_sign(*scheme, version);
    common.signature_schemes.iter().copied().find(is_it).ok_or(PeerMisbehaved::SchemeNotOffered)
}

/// The first scheme of the own key that the peer verifies.
pub(crate) fn common_scheme(
    own: &CertifiedKey,
    peer: &[SignatureSchemeCode],
    version: ProtocolVersion,
) -> Option<SignatureScheme> {
    let fits = |scheme: &SignatureScheme| may_sign(*scheme, version) && peer.contains(&code(*scheme));
    own.key.schemes().iter().copied().find(fits)
}

const fn may_sign(scheme: SignatureScheme, version: ProtocolVersion) -> bool {
    version.0 == ProtocolVersion::DTLS1_2.0 || scheme.signs_13()
}

/// The codes of the schemes on offer, of servers' certificates as of clients'.
pub(crate) fn scheme_codes(common: &Common) -> Vec<SignatureSchemeCode> {
    common.signature_schemes.iter().map(|scheme| code(*scheme)).collect()
}

/// What a CertificateVerify of DTLS 1.3 signs (RFC 8446 §4.4.3).
pub(crate) struct SignatureContent {
    bytes: [u8; 64 + CONTEXT_LEN + 48],
    len: usize,
}

const CONTEXT_LEN: usize = 34;

impl SignatureContent {
    pub(crate) fn new(signer: Side, transcript: &Digest) -> Self {
        let context: &[u8; CONTEXT_LEN] = match signer {
            Side::Client => b"TLS 1.3, client CertificateVerify\0",
            Side::Server => b"TLS 1.3, server CertificateVerify\0",
        };
        let (hash_at, hash) = (64 + CONTEXT_LEN, transcript.as_ref());
        let mut bytes = [b' '; 64 + CONTEXT_LEN + 48];
        bytes[64..hash_at].copy_from_slice(context);
        bytes[hash_at..hash_at + hash.len()].copy_from_slice(hash);
        Self { bytes, len: hash_at + hash.len() }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The body of a CertificateVerify.
pub(crate) fn certificate_verify(
    own: &CertifiedKey,
    scheme: SignatureScheme,
    content: &[u8],
    entropy: &mut Entropy,
) -> Result<Vec<u8>, Error> {
    let signature = own.key.sign(scheme, content, entropy).map_err(Error::Crypto)?;
    Ok(body_of(|w| CertificateVerify { scheme: code(scheme), signature: &signature }.emit(w)))
}

/// The body of a Certificate of DTLS 1.2; empty if there is none to show.
pub(crate) fn certificate_12(own: Option<&CertifiedKey>) -> Vec<u8> {
    let shown = own.map_or(&[][..], |own| &own.chain);
    match (own.map(CertifiedKey::certificate_type), shown) {
        (Some(CertificateType::RAW_PUBLIC_KEY), [key, ..]) => body_of(|w| RawKeyCertificate { key }.emit(w)),
        _ => body_of(|w| Certificate { chain: shown.iter().map(|certificate| &**certificate).collect() }.emit(w)),
    }
}

/// The body of a Certificate of DTLS 1.3; empty if there is none to show.
pub(crate) fn certificate_13(own: Option<&CertifiedKey>) -> Vec<u8> {
    let shown = own.map_or(&[][..], |own| &own.chain);
    let entry = |der| CertificateEntry { certificate: der, extensions: Extensions::default() };
    let entries = shown.iter().map(|certificate| entry(&**certificate)).collect();
    body_of(|w| Certificate13 { context: &[], entries }.emit(w))
}

/// What is in a Certificate of DTLS 1.2: a chain, a raw key, or nothing.
pub(crate) fn shown_12(message: &Message, kind: CertificateType) -> Result<Vec<&[u8]>, Error> {
    if kind == CertificateType::RAW_PUBLIC_KEY {
        let key = read(message, RawKeyCertificate::parse)?.key;
        return Ok(if key.is_empty() { Vec::new() } else { vec![key] });
    }
    Ok(read(message, Certificate::parse)?.chain)
}

/// What is in a Certificate of DTLS 1.3.
pub(crate) fn shown_13(message: &Message, kind: CertificateType) -> Result<Vec<&[u8]>, Error> {
    let certificate = read(message, Certificate13::parse)?;
    // Neither side asks with a context or for anything that would be answered in extensions.
    if !certificate.context.is_empty() {
        return Err(PeerMisbehaved::BadLegacyField.into());
    }
    if certificate.entries.iter().any(|entry| !entry.extensions.0.is_empty()) {
        return Err(PeerMisbehaved::UnsolicitedExtension.into());
    }
    // RFC 8446 §4.4.2: no more than one entry.
    if kind == CertificateType::RAW_PUBLIC_KEY && certificate.entries.len() > 1 {
        return Err(Error::BadMessage(message.message_type, ParseError::BadLength));
    }
    Ok(certificate.entries.into_iter().map(|entry| entry.certificate).collect())
}

/// What a server settles about certificates.
#[derive(Debug)]
pub(crate) struct Settled {
    /// Signs for the server.
    pub(crate) scheme: SignatureScheme,
    /// Answers to the client's offers of certificate types.
    pub(crate) answers: Vec<Extension<'static>>,
    /// What the client is to show, if it is to be asked.
    pub(crate) client: Option<CertificateType>,
}

impl Settled {
    /// Chooses from a hello, for a server with this key. Without the extensions of RFC 7250 a client means X.509.
    pub(crate) fn new(
        own: &CertifiedKey,
        hello: &Extensions<'_>,
        config: &ServerConfig,
        version: ProtocolVersion,
    ) -> Result<Self, Error> {
        let bad = |reason| Error::BadMessage(HandshakeType::CLIENT_HELLO, reason);
        let schemes = hello.signature_algorithms().map_err(bad)?;
        if schemes.is_none() && version == ProtocolVersion::DTLS1_3 {
            return Err(PeerMisbehaved::MissingExtension.into());
        }
        let scheme = common_scheme(own, &schemes.unwrap_or_default(), version);
        let scheme = scheme.ok_or(PeerIncompatible::NoCommonScheme)?;
        let mut answers = Vec::new();
        let mut settle = |of, wanted| -> Result<bool, Error> {
            let offered = hello.certificate_types(of).map_err(bad)?;
            let common = offered.as_deref().unwrap_or(&[CertificateType::X509]).contains(&wanted);
            if common && offered.is_some() {
                answers.push(Extension::certificate_type(of, wanted));
            }
            Ok(common)
        };
        let mut client = config.client_auth.verifier().map(ClientVerifier::certificate_type);
        if let Some(wanted) = client
            && !settle(CertificateOf::Client, wanted)?
        {
            // A client that need not show anything is not asked for what it does not have.
            if config.client_auth.is_required() {
                return Err(PeerIncompatible::NoCommonCertificateType.into());
            }
            client = None;
        }
        if !settle(CertificateOf::Server, own.certificate_type())? {
            return Err(PeerIncompatible::NoCommonCertificateType.into());
        }
        Ok(Self { scheme, answers, client })
    }
}

/// The body of a CertificateRequest of DTLS 1.2.
pub(crate) fn certificate_request_12(client_auth: &ClientAuth, common: &Common) -> Vec<u8> {
    let rsa = common.signature_schemes.iter().any(|scheme| scheme.is_rsa());
    let other = common.signature_schemes.iter().any(|scheme| !scheme.is_rsa());
    let kinds = [(other, ClientCertificateType::ECDSA_SIGN.0), (rsa, ClientCertificateType::RSA_SIGN.0)];
    let certificate_types: Vec<_> = kinds.into_iter().filter_map(|(has, kind)| has.then_some(kind)).collect();
    let authorities = client_auth.verifier().map(ClientVerifier::authorities).unwrap_or_default();
    // A list that does not fit is left out: it is only advice (RFC 5246 §7.4.4).
    let len: usize = authorities.iter().map(|name| 2 + name.len()).sum();
    let fits = len <= usize::from(u16::MAX);
    let request = CertificateRequest {
        certificate_types: &certificate_types,
        signature_algorithms: scheme_codes(common),
        authorities: authorities.iter().filter(|_| fits).map(Vec::as_slice).collect(),
    };
    body_of(|w| request.emit(w))
}

/// The body of a CertificateRequest of DTLS 1.3. The roots' names are left out: they would be the largest part of it.
pub(crate) fn certificate_request_13(common: &Common) -> Vec<u8> {
    let extensions = Extensions(vec![Extension::signature_algorithms(&scheme_codes(common))]);
    body_of(|w| CertificateRequest13 { context: &[], extensions }.emit(w))
}

/// What a client offers beyond X.509 (RFC 7250 §4.1).
pub(crate) fn offered_types(config: &ClientConfig) -> Vec<Extension<'static>> {
    let own = config.identity.as_ref().map(CertifiedKey::certificate_type);
    let peer = match &config.credentials {
        ClientCredentials::Certificate { verifier } => Some(verifier.certificate_type()),
        ClientCredentials::Psk(_) => None,
    };
    let kinds = [(CertificateOf::Client, own), (CertificateOf::Server, peer)];
    let raw = kinds.into_iter().filter(|(_, kind)| *kind == Some(CertificateType::RAW_PUBLIC_KEY));
    raw.map(|(of, _)| Extension::certificate_types(of, &[CertificateType::RAW_PUBLIC_KEY])).collect()
}

/// What a server chose of a client's offers: what the client is to show if it is asked, and that the server shows what
/// the client can read.
pub(crate) fn chosen_types(
    answers: &Extensions<'_>,
    message: &Message,
    config: &ClientConfig,
) -> Result<CertificateType, Error> {
    let ClientCredentials::Certificate { verifier } = &config.credentials else { return Ok(CertificateType::X509) };
    let bad = |reason| Error::BadMessage(message.message_type, reason);
    // All that is ever offered is the raw key.
    let chosen = |of| match answers.certificate_type(of).map_err(bad)? {
        None => Ok(CertificateType::X509),
        Some(CertificateType::RAW_PUBLIC_KEY) => Ok(CertificateType::RAW_PUBLIC_KEY),
        Some(_) => Err(Error::from(PeerMisbehaved::CertificateTypeNotOffered)),
    };
    if chosen(CertificateOf::Server)? != verifier.certificate_type() {
        return Err(PeerIncompatible::NoCommonCertificateType.into());
    }
    chosen(CertificateOf::Client)
}

/// What a client answers to a CertificateRequest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It has nothing that fits: an empty Certificate.
    Nothing,
    /// The configured identity, and a signature of this scheme.
    Identity(SignatureScheme),
}

impl Answer {
    /// To a CertificateRequest of DTLS 1.2.
    pub(crate) fn to_request_12(
        message: &Message,
        kind: CertificateType,
        config: &ClientConfig,
    ) -> Result<Self, Error> {
        let request = read(message, CertificateRequest::parse)?;
        let takes = |scheme: SignatureScheme| {
            let wanted =
                if scheme.is_rsa() { ClientCertificateType::RSA_SIGN } else { ClientCertificateType::ECDSA_SIGN };
            request.certificate_types.contains(&wanted.0)
        };
        let (schemes, version) = (&request.signature_algorithms, ProtocolVersion::DTLS1_2);
        let answer = Self::choose(schemes, &request.authorities, version, kind, config);
        Ok(match answer {
            Self::Identity(scheme) if !takes(scheme) => Self::Nothing,
            answer => answer,
        })
    }

    /// To a CertificateRequest of DTLS 1.3.
    pub(crate) fn to_request_13(
        message: &Message,
        kind: CertificateType,
        config: &ClientConfig,
    ) -> Result<Self, Error> {
        let request = read(message, CertificateRequest13::parse)?;
        // During the handshake there is none (RFC 8446 §4.3.2).
        if !request.context.is_empty() {
            return Err(PeerMisbehaved::BadLegacyField.into());
        }
        if request.extensions.has_duplicates() {
            return Err(PeerMisbehaved::DuplicateExtension.into());
        }
        let bad = |reason| Error::BadMessage(message.message_type, reason);
        let schemes = request.extensions.signature_algorithms().map_err(bad)?;
        let schemes = schemes.ok_or(PeerMisbehaved::MissingExtension)?;
        let authorities = request.extensions.certificate_authorities().map_err(bad)?.unwrap_or_default();
        Ok(Self::choose(&schemes, &authorities, ProtocolVersion::DTLS1_3, kind, config))
    }

    /// An identity fits if it is of the type that was agreed on, signs as the server verifies, and comes from one of the
    /// authorities, if any are named (RFC 5246 §7.4.6, RFC 8446 §4.4.2.3).
    fn choose(
        schemes: &[SignatureSchemeCode],
        authorities: &[&[u8]],
        version: ProtocolVersion,
        kind: CertificateType,
        config: &ClientConfig,
    ) -> Self {
        let known = |own: &&CertifiedKey| {
            own.certificate_type() == kind && (authorities.is_empty() || own.is_issued_by(authorities))
        };
        let own = config.identity.as_ref().filter(known);
        own.and_then(|own| common_scheme(own, schemes, version)).map_or(Self::Nothing, Self::Identity)
    }

    /// What to show and how to sign for it.
    pub(crate) fn identity(self, config: &ClientConfig) -> Option<(&CertifiedKey, SignatureScheme)> {
        match self {
            Self::Nothing => None,
            Self::Identity(scheme) => config.identity.as_ref().map(|own| (own, scheme)),
        }
    }
}

/// Reads a CertificateVerify, whose scheme must be one of those offered.
pub(crate) fn read_certificate_verify<'m>(
    message: &'m Message,
    common: &Common,
    version: ProtocolVersion,
) -> Result<(SignatureScheme, &'m [u8]), Error> {
    if message.message_type != HandshakeType::CERTIFICATE_VERIFY {
        return Err(unexpected(message));
    }
    let verify = read(message, CertificateVerify::parse)?;
    Ok((offered_scheme(verify.scheme, common, version)?, verify.signature))
}

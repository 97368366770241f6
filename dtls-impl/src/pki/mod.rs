//! Certificates and raw public keys of peers: are they trusted, are they for this name, did their key sign this message.
//!
//! Path building and name matching are `webpki`'s; this module fixes the policy around them and gives each refusal a
//! type, from which follows an alert. It owns no clock: the date is an argument. Revocation is not checked.

mod client;
mod error;
mod key_usage;

use core::fmt;
use core::time::Duration;
use std::collections::BTreeSet;

use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, ServerName, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer,
    TrustAnchor, UnixTime, alg_id,
};
use webpki::{EndEntityCert, KeyUsage, RawPublicKeyEntity, anchor_from_trusted_cert};

pub use self::client::ClientVerifier;
pub use self::error::CertificateError;
use crate::crypto::{CryptoError, CryptoProvider, SignatureScheme, SigningKey};
use crate::wire::CertificateType;

/// Decides whether a server's certificates, or its raw public key, are to be believed.
pub struct ServerVerifier(Trust);

impl ServerVerifier {
    /// Trusts the given certificates as issuers, whatever their dates. Fails if one cannot be read.
    pub fn new(roots: Vec<CertificateDer<'static>>) -> Result<Self, CertificateError> {
        Trust::roots(&roots).map(Self)
    }

    /// Trusts exactly these keys, DER SubjectPublicKeyInfos, and takes no certificates (RFC 7250).
    pub fn raw_public_keys(keys: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self(Trust::Keys(BTreeSet::from_iter(keys)))
    }

    /// Checks what a server sent, certificates, its own first, or one raw public key, for the server that was meant to be
    /// reached. Keys are known by themselves and need no name.
    ///
    /// The chain must lead to a trusted root with all dates, constraints and signatures in order (RFC 5280 §6); the
    /// server's certificate must allow server authentication, as far as it says anything about its use, and signatures
    /// (RFC 5246 §7.4.2); and one of its subjectAltNames must match, the common name counting for nothing
    /// (RFC 9525 §2, §6).
    pub fn verify_chain(
        &self,
        chain: &[CertificateDer<'_>],
        name: Option<&ServerName<'_>>,
        now_unix_secs: u64,
        provider: &dyn CryptoProvider,
    ) -> Result<(), CertificateError> {
        match self.0.verify(chain, KeyUsage::server_auth(), now_unix_secs, provider)? {
            None => Ok(()),
            Some(certificate) => {
                let name = name.ok_or(CertificateError::WrongName)?;
                Ok(certificate.verify_is_valid_for_subject_name(name)?)
            }
        }
    }

    /// What servers are to show.
    pub const fn certificate_type(&self) -> CertificateType {
        self.0.certificate_type()
    }
}

impl fmt::Debug for ServerVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerVerifier({:?})", self.0)
    }
}

/// What makes a peer's key its own.
enum Trust {
    /// A path to one of these.
    Roots(Vec<TrustAnchor<'static>>),
    /// Being one of these.
    Keys(BTreeSet<Vec<u8>>),
}

impl Trust {
    fn roots(roots: &[CertificateDer<'static>]) -> Result<Self, CertificateError> {
        let anchors = roots.iter().map(|root| Ok(anchor_from_trusted_cert(root)?.to_owned()));
        Ok(Self::Roots(anchors.collect::<Result<_, webpki::Error>>()?))
    }

    const fn certificate_type(&self) -> CertificateType {
        match self {
            Self::Roots(_) => CertificateType::X509,
            Self::Keys(_) => CertificateType::RAW_PUBLIC_KEY,
        }
    }

    /// Everything but the name, which is checked of the certificate that this gives, if it is one.
    fn verify<'c>(
        &self,
        shown: &'c [CertificateDer<'c>],
        usage: KeyUsage,
        now_unix_secs: u64,
        provider: &dyn CryptoProvider,
    ) -> Result<Option<EndEntityCert<'c>>, CertificateError> {
        let (first, rest) = shown.split_first().ok_or(CertificateError::Empty)?;
        let anchors = match self {
            Self::Roots(anchors) => anchors,
            Self::Keys(_) if !rest.is_empty() => return Err(CertificateError::Malformed),
            Self::Keys(keys) if keys.contains(&**first) => return Ok(None),
            Self::Keys(_) => return Err(CertificateError::UnknownKey),
        };
        let end_entity = EndEntityCert::try_from(first)?;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now_unix_secs));
        end_entity.verify_for_usage(provider.signature_algorithms(), anchors, rest, now, usage, None, None)?;
        if !key_usage::allows_signatures(first)? {
            return Err(CertificateError::WrongUsage);
        }
        Ok(Some(end_entity))
    }

    /// The DER names of the roots.
    fn subjects(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Roots(anchors) => anchors.iter().map(|anchor| in_sequence(&anchor.subject)).collect(),
            Self::Keys(_) => Vec::new(),
        }
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Roots(anchors) => write!(f, "{} roots", anchors.len()),
            Self::Keys(keys) => write!(f, "{} keys", keys.len()),
        }
    }
}

/// The DER name of a certificate's issuer, if the certificate can be read.
pub(crate) fn issuer(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    Some(in_sequence(certificate.issuer()))
}

/// A DER SEQUENCE with this content.
fn in_sequence(content: &[u8]) -> Vec<u8> {
    let mut der = vec![0x30];
    match content.len() {
        len @ 0..=0x7f => der.push(len as u8),
        len => {
            let bytes = len.to_be_bytes();
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            der.push(0x80 | (bytes.len() - zeros) as u8);
            der.extend_from_slice(&bytes[zeros..]);
        }
    }
    der.extend_from_slice(content);
    der
}

/// Checks a signature by a certificate's key, as in ServerKeyExchange.
///
/// The scheme must fit the key (RFC 5246 §7.4.3), else [`CryptoError::BadKey`]; a signature that does not verify is
/// [`CryptoError::BadTagOrSignature`]. That the scheme was offered is for the caller to check.
pub fn verify_signed(
    provider: &dyn CryptoProvider,
    end_entity: &CertificateDer<'_>,
    scheme: SignatureScheme,
    message: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    let end_entity = EndEntityCert::try_from(end_entity).map_err(|_| CryptoError::BadKey)?;
    let verdict = end_entity.verify_signature(algorithm(provider, scheme)?, message, signature);
    verdict.map_err(|error| blame(&error))
}

/// [`verify_signed`] with a key that stands for itself (RFC 7250).
pub fn verify_signed_raw(
    provider: &dyn CryptoProvider,
    public_key: &SubjectPublicKeyInfoDer<'_>,
    scheme: SignatureScheme,
    message: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    let public_key = RawPublicKeyEntity::try_from(public_key).map_err(|_| CryptoError::BadKey)?;
    let verdict = public_key.verify_signature(algorithm(provider, scheme)?, message, signature);
    verdict.map_err(|error| blame(&error))
}

fn algorithm(
    provider: &dyn CryptoProvider,
    scheme: SignatureScheme,
) -> Result<&'static dyn SignatureVerificationAlgorithm, CryptoError> {
    let wanted = identifiers(scheme);
    let is_it = |algorithm: &&&'static dyn SignatureVerificationAlgorithm| {
        (algorithm.public_key_alg_id(), algorithm.signature_alg_id()) == wanted
    };
    provider.signature_algorithms().iter().find(is_it).copied().ok_or(CryptoError::BadKey)
}

fn blame(error: &webpki::Error) -> CryptoError {
    match error {
        webpki::Error::InvalidSignatureForPublicKey => CryptoError::BadTagOrSignature,
        _ => CryptoError::BadKey,
    }
}

/// Checks that a private key belongs to a certificate, so that a wrong configuration shows before the first handshake.
pub fn key_fits_certificate(key: &dyn SigningKey, certificate: &CertificateDer<'_>) -> Result<(), CryptoError> {
    let certificate = EndEntityCert::try_from(certificate).map_err(|_| CryptoError::BadKey)?;
    let fits = &*certificate.subject_public_key_info() == key.public_key();
    if fits { Ok(()) } else { Err(CryptoError::BadKey) }
}

/// Key type and signature algorithm behind a scheme. TLS 1.2 alone would let `ecdsa_secp256r1_sha256` go with any
/// curve; here each curve goes with the hash that TLS 1.3 gives it (RFC 8446 §4.2.3).
fn identifiers(scheme: SignatureScheme) -> (AlgorithmIdentifier, AlgorithmIdentifier) {
    match scheme {
        SignatureScheme::EcdsaSecp256r1Sha256 => (alg_id::ECDSA_P256, alg_id::ECDSA_SHA256),
        SignatureScheme::Ed25519 => (alg_id::ED25519, alg_id::ED25519),
        SignatureScheme::EcdsaSecp384r1Sha384 => (alg_id::ECDSA_P384, alg_id::ECDSA_SHA384),
        SignatureScheme::RsaPssRsaeSha256 => (alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA256),
        SignatureScheme::RsaPssRsaeSha384 => (alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA384),
        SignatureScheme::RsaPssRsaeSha512 => (alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA512),
        SignatureScheme::RsaPkcs1Sha256 => (alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA256),
        SignatureScheme::RsaPkcs1Sha384 => (alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA384),
        SignatureScheme::RsaPkcs1Sha512 => (alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA512),
    }
}

#[cfg(test)]
mod tests;

//! Certificates of servers: is the chain trusted, is it for this name, did its key sign this message.
//!
//! Path building and name matching are `webpki`'s; this module fixes the policy around them and gives each refusal a
//! type, from which follows an alert. It owns no clock: the date is an argument. Revocation is not checked.

mod error;
mod key_usage;

use core::fmt;
use core::time::Duration;

use rustls_pki_types::{AlgorithmIdentifier, CertificateDer, ServerName, TrustAnchor, UnixTime, alg_id};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

pub use self::error::CertificateError;
use crate::crypto::{CryptoError, CryptoProvider, SignatureScheme, SigningKey};

/// Decides whether a server's certificates are to be believed.
pub struct ServerVerifier {
    anchors: Vec<TrustAnchor<'static>>,
}

impl ServerVerifier {
    /// Trusts the given certificates as issuers, whatever their dates. Fails if one cannot be read.
    pub fn new(roots: Vec<CertificateDer<'static>>) -> Result<Self, CertificateError> {
        let anchors = roots.iter().map(|root| Ok(anchor_from_trusted_cert(root)?.to_owned()));
        Ok(Self { anchors: anchors.collect::<Result<_, webpki::Error>>()? })
    }

    /// Checks the certificates a server sent, its own first, for the server that was meant to be reached.
    ///
    /// The chain must lead to a trusted root with all dates, constraints and signatures in order (RFC 5280 §6); the
    /// server's certificate must allow server authentication, as far as it says anything about its use, and signatures
    /// (RFC 5246 §7.4.2); and one of its subjectAltNames must match, the common name counting for nothing
    /// (RFC 9525 §2, §6).
    pub fn verify_chain(
        &self,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now_unix_secs: u64,
        provider: &dyn CryptoProvider,
    ) -> Result<(), CertificateError> {
        let (end_entity_der, intermediates) = chain.split_first().ok_or(CertificateError::Empty)?;
        let end_entity = EndEntityCert::try_from(end_entity_der)?;
        end_entity.verify_for_usage(
            provider.signature_algorithms(),
            &self.anchors,
            intermediates,
            UnixTime::since_unix_epoch(Duration::from_secs(now_unix_secs)),
            KeyUsage::server_auth(),
            None,
            None,
        )?;
        if !key_usage::allows_signatures(end_entity_der)? {
            return Err(CertificateError::WrongUsage);
        }
        Ok(end_entity.verify_is_valid_for_subject_name(name)?)
    }
}

impl fmt::Debug for ServerVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerVerifier({} roots)", self.anchors.len())
    }
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
    let wanted = identifiers(scheme);
    let algorithm = provider
        .signature_algorithms()
        .iter()
        .find(|algorithm| (algorithm.public_key_alg_id(), algorithm.signature_alg_id()) == wanted)
        .ok_or(CryptoError::BadKey)?;
    end_entity.verify_signature(*algorithm, message, signature).map_err(|error| match error {
        webpki::Error::InvalidSignatureForPublicKey => CryptoError::BadTagOrSignature,
        _ => CryptoError::BadKey,
    })
}

/// Checks that a private key belongs to a certificate, so that a wrong configuration shows before the first handshake.
pub fn key_fits_certificate(
    provider: &dyn CryptoProvider,
    key: &dyn SigningKey,
    certificate: &CertificateDer<'_>,
) -> Result<(), CryptoError> {
    let message = b"does this key belong to this certificate";
    let signature = key.sign(message)?;
    verify_signed(provider, certificate, key.scheme(), message, &signature).map_err(|_| CryptoError::BadKey)
}

/// Key type and signature algorithm behind a scheme. TLS 1.2 alone would let `ecdsa_secp256r1_sha256` go with any
/// curve; P-256 is the only one we offer, and a server's key keeps to the curves offered (RFC 8422 §5.3).
fn identifiers(scheme: SignatureScheme) -> (AlgorithmIdentifier, AlgorithmIdentifier) {
    match scheme {
        SignatureScheme::EcdsaSecp256r1Sha256 => (alg_id::ECDSA_P256, alg_id::ECDSA_SHA256),
        SignatureScheme::Ed25519 => (alg_id::ED25519, alg_id::ED25519),
        SignatureScheme::RsaPssRsaeSha256 => (alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA256),
        SignatureScheme::RsaPkcs1Sha256 => (alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA256),
    }
}

#[cfg(test)]
mod tests;

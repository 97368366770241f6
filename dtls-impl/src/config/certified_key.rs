//! What an end shows to say who it is, with the key that proves it.

use std::sync::Arc;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::crypto::{CryptoProvider, SigningKey};
use crate::error::{Error, Misuse};
use crate::flight::reassembly::MESSAGE_LEN_MAX;
use crate::pki;
use crate::wire::CertificateType;

/// Bytes of a Certificate message of DTLS 1.3, where they are more, beside its entries, and of an entry beside the
/// certificate (RFC 8446 §4.4.2).
const MESSAGE_OVERHEAD: usize = 4;
const ENTRY_OVERHEAD: usize = 5;

/// A certificate chain and the private key of its first certificate, or a key that stands for itself.
#[derive(Clone, Debug)]
pub struct CertifiedKey {
    kind: CertificateType,
    /// Certificates, or one SubjectPublicKeyInfo.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// DER names of those who issued the certificates.
    issuers: Vec<Vec<u8>>,
    pub(crate) key: Arc<dyn SigningKey>,
}

impl CertifiedKey {
    /// Loads the key, of any kind that the provider knows. The chain starts with the own certificate, which must be for
    /// this key, and has at most 64 KiB: peers of our kind take no longer messages.
    pub fn new(
        provider: &dyn CryptoProvider,
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'_>,
    ) -> Result<Self, Error> {
        let end_entity = chain.first().ok_or(Misuse::BadCertifiedKey)?;
        let len = chain.iter().map(|certificate| ENTRY_OVERHEAD + certificate.len()).sum::<usize>();
        if MESSAGE_OVERHEAD + len > MESSAGE_LEN_MAX {
            return Err(Misuse::BadCertifiedKey.into());
        }
        let key = provider.signing_key(key).map_err(|_| Misuse::BadCertifiedKey)?;
        pki::key_fits_certificate(&*key, end_entity).map_err(|_| Misuse::BadCertifiedKey)?;
        let issuers = chain.iter().filter_map(pki::issuer).collect();
        Ok(Self { kind: CertificateType::X509, chain, issuers, key })
    }

    /// Loads a key to be shown as it is, without a certificate (RFC 7250). The peer must know it beforehand.
    pub fn raw_public_key(provider: &dyn CryptoProvider, key: &PrivateKeyDer<'_>) -> Result<Self, Error> {
        let key = provider.signing_key(key).map_err(|_| Misuse::BadCertifiedKey)?;
        let chain = vec![CertificateDer::from(key.public_key().to_vec())];
        Ok(Self { kind: CertificateType::RAW_PUBLIC_KEY, chain, issuers: Vec::new(), key })
    }

    /// The public key, a DER SubjectPublicKeyInfo: what a peer has to know of a raw key.
    pub fn public_key(&self) -> &[u8] {
        self.key.public_key()
    }

    /// What the peer is shown.
    pub(crate) const fn certificate_type(&self) -> CertificateType {
        self.kind
    }

    pub(crate) fn is_rsa(&self) -> bool {
        self.key.schemes().iter().any(|scheme| scheme.is_rsa())
    }

    /// Whether one of the chain was issued by one of these, DER names.
    pub(crate) fn is_issued_by(&self, authorities: &[&[u8]]) -> bool {
        self.issuers.iter().any(|issuer| authorities.contains(&&**issuer))
    }
}

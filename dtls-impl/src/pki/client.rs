//! Certificates of clients.

use core::fmt;
use std::collections::BTreeSet;

use rustls_pki_types::CertificateDer;
use webpki::KeyUsage;

use super::{CertificateError, Trust};
use crate::crypto::CryptoProvider;
use crate::wire::CertificateType;

/// Decides whether a client's certificates, or its raw public key, are to be believed.
pub struct ClientVerifier(Trust);

impl ClientVerifier {
    /// Trusts the given certificates as issuers, whatever their dates. Fails if one cannot be read.
    pub fn new(roots: Vec<CertificateDer<'static>>) -> Result<Self, CertificateError> {
        Trust::roots(&roots).map(Self)
    }

    /// Trusts exactly these keys, DER SubjectPublicKeyInfos, and takes no certificates (RFC 7250).
    pub fn raw_public_keys(keys: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self(Trust::Keys(BTreeSet::from_iter(keys)))
    }

    /// Checks what a client sent: certificates, its own first, or one raw public key.
    ///
    /// The chain must lead to a trusted root with all dates, constraints and signatures in order (RFC 5280 §6), and the
    /// client's certificate must allow client authentication, as far as it says anything about its use, and signatures.
    /// Whose certificate it is, is for the application to look at.
    pub fn verify_chain(
        &self,
        chain: &[CertificateDer<'_>],
        now_unix_secs: u64,
        provider: &dyn CryptoProvider,
    ) -> Result<(), CertificateError> {
        self.0.verify(chain, KeyUsage::client_auth(), now_unix_secs, provider).map(|_| ())
    }

    /// What clients are to show.
    pub const fn certificate_type(&self) -> CertificateType {
        self.0.certificate_type()
    }

    /// The DER names of the roots, for a CertificateRequest.
    pub(crate) fn authorities(&self) -> Vec<Vec<u8>> {
        self.0.subjects()
    }
}

impl fmt::Debug for ClientVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientVerifier({:?})", self.0)
    }
}

//! A root, and the certificate of a server that it signed; the same bytes in every run.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyUsagePurpose, SerialNumber};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The server's name.
pub const NAME: &str = "server.example";

/// A date on which the certificates are valid, seconds since 1970.
pub const DATE: u64 = 1_767_225_600;

/// Who the server is.
pub struct Identity {
    /// The certificate that clients trust.
    pub root: CertificateDer<'static>,
    /// The server's.
    pub leaf: CertificateDer<'static>,
    key: Vec<u8>,
}

struct Key(p256::ecdsa::SigningKey, Vec<u8>);

impl Key {
    fn new(seed: u8) -> Self {
        let key = p256::ecdsa::SigningKey::from_slice(&[seed; 32]).expect("a small number is a key");
        let public = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        Self(key, public)
    }
}

impl rcgen::PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.1
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        use p256::ecdsa::signature::Signer;
        let signature: p256::ecdsa::DerSignature = self.0.sign(message);
        Ok(signature.as_bytes().to_vec())
    }
}

fn params(names: &[&str], serial: u64) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names are names");
    params.serial_number = Some(SerialNumber::from(serial));
    params.not_before = rcgen::date_time_ymd(2025, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    params
}

impl Identity {
    /// Makes it.
    pub fn new() -> Self {
        use p256::pkcs8::EncodePrivateKey;
        let root_key = Key::new(3);
        let mut root = params(&[], 1);
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root_der = root.self_signed(&root_key).expect("the key signs").der().clone();
        let leaf_key = Key::new(4);
        let issuer = Issuer::new(root, root_key);
        let leaf = params(&[NAME], 2).signed_by(&leaf_key, &issuer).expect("the key signs").der().clone();
        let key = p256::SecretKey::from(&leaf_key.0).to_pkcs8_der().expect("a key has a form").as_bytes().to_vec();
        Self { root: root_der, leaf, key }
    }

    /// The server's private key.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self::new()
    }
}

//! The fixed test keys, and how they sign. They guard nothing: they are public so that every run has the same bytes.

use std::sync::OnceLock;

use p256::ecdsa::signature::Signer as _;
use rcgen::{KeyUsagePurpose, PublicKeyData, SignatureAlgorithm, SigningKey};
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::pkcs8::DecodePrivateKey as _;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};

use super::{IssuerKind, KeyKind, Owner};

const ROOT_RSA: &[u8] = include_bytes!("../../data/keys/root-rsa-2048.pk8");
const INTERMEDIATE_RSA: &[u8] = include_bytes!("../../data/keys/intermediate-rsa-2048.pk8");

/// A key pair that signs the same message with the same bytes every time (RFC 6979 for ECDSA).
pub(super) struct TestKey {
    secret: Secret,
    public: Vec<u8>,
}

enum Secret {
    EcdsaP256(p256::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
    Rsa(&'static rsa::pkcs1v15::SigningKey<Sha256>),
}

impl TestKey {
    /// The key of a leaf.
    pub(super) fn leaf(kind: KeyKind, owner: Owner) -> Self {
        let label = match owner {
            Owner::Server => "leaf",
            Owner::Client => "client leaf",
        };
        match kind {
            KeyKind::EcdsaP256 => Self::ecdsa(label),
            KeyKind::Ed25519 => {
                let key = ed25519_dalek::SigningKey::from_bytes(&seed(&format!("{label} ed25519")));
                Self { public: key.verifying_key().to_bytes().to_vec(), secret: Secret::Ed25519(key) }
            }
        }
    }

    /// The key of an issuer: the root is number 0. All RSA intermediates share one key, since making more costs time
    /// and shows nothing.
    pub(super) fn issuer(kind: IssuerKind, number: u8) -> Self {
        match (kind, number) {
            (IssuerKind::EcdsaP256, _) => Self::ecdsa(&format!("issuer {number}")),
            (IssuerKind::Rsa2048, 0) => Self::rsa(&RSA_ROOT_KEY, ROOT_RSA),
            (IssuerKind::Rsa2048, _) => Self::rsa(&RSA_INTERMEDIATE_KEY, INTERMEDIATE_RSA),
        }
    }

    fn ecdsa(label: &str) -> Self {
        let key =
            p256::ecdsa::SigningKey::from_slice(&seed(label)).expect("a SHA-256 of a fixed label below the order");
        Self { public: key.verifying_key().to_sec1_point(false).as_bytes().to_vec(), secret: Secret::EcdsaP256(key) }
    }

    fn rsa(cell: &'static OnceLock<rsa::pkcs1v15::SigningKey<Sha256>>, pkcs8: &[u8]) -> Self {
        let key = cell.get_or_init(|| {
            rsa::pkcs1v15::SigningKey::new(rsa::PrivateKey::from_pkcs8_der(pkcs8).expect("an embedded test key"))
        });
        let public = key.as_ref().to_public_key().to_pkcs1_der().expect("a public key").into_vec();
        Self { secret: Secret::Rsa(key), public }
    }

    /// The private key as PKCS #8, with the public key where the format has a place for it.
    pub(super) fn to_pkcs8(&self) -> PrivateKeyDer<'static> {
        let document = match &self.secret {
            Secret::EcdsaP256(key) => p256::pkcs8::EncodePrivateKey::to_pkcs8_der(key),
            Secret::Ed25519(key) => ed25519_dalek::pkcs8::EncodePrivateKey::to_pkcs8_der(key),
            Secret::Rsa(key) => rsa::pkcs8::EncodePrivateKey::to_pkcs8_der(*key),
        };
        PrivatePkcs8KeyDer::from(document.expect("a whole key").as_bytes().to_vec()).into()
    }

    /// What a certificate of an issuer's key may be used for.
    pub(super) fn issuer_usages() -> Vec<KeyUsagePurpose> {
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign]
    }
}

static RSA_ROOT_KEY: OnceLock<rsa::pkcs1v15::SigningKey<Sha256>> = OnceLock::new();
static RSA_INTERMEDIATE_KEY: OnceLock<rsa::pkcs1v15::SigningKey<Sha256>> = OnceLock::new();

fn seed(label: &str) -> [u8; 32] {
    Sha256::digest(format!("windtunnel test key: {label}")).into()
}

impl PublicKeyData for TestKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.secret {
            Secret::EcdsaP256(_) => &rcgen::PKCS_ECDSA_P256_SHA256,
            Secret::Ed25519(_) => &rcgen::PKCS_ED25519,
            Secret::Rsa(_) => &rcgen::PKCS_RSA_SHA256,
        }
    }
}

impl SigningKey for TestKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(match &self.secret {
            Secret::EcdsaP256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_der().as_bytes().to_vec()
            }
            Secret::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Secret::Rsa(key) => {
                let signature: rsa::pkcs1v15::Signature = key.sign(message);
                rsa::signature::SignatureEncoding::to_vec(&signature)
            }
        })
    }
}

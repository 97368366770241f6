//! Test certificates, made on the spot from fixed keys: the same bytes in every run.

use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Key of the server's certificate.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// ECDSA on P-256.
    EcdsaP256,
    /// Ed25519.
    Ed25519,
}

/// Key of the issuing certificates.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerKind {
    /// ECDSA on P-256 with SHA-256.
    EcdsaP256,
    /// RSA 2048 with PKCS #1 v1.5 and SHA-256.
    Rsa2048,
}

/// What a chain is to look like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChainShape {
    /// Key of the leaf.
    pub key: KeyKind,
    /// Key of root and intermediates.
    pub issuer: IssuerKind,
    /// Certificates sent, leaf included, root not.
    pub certificates: u8,
    /// Bytes the certificates sent must have together, by padding in a non-critical extension; `None` leaves them small.
    pub size: Option<u32>,
    /// Names in the leaf's subjectAltName.
    pub names: Vec<String>,
}

/// A server's chain and key, and the root a client trusts.
#[derive(Debug)]
pub struct Identity {
    /// Leaf first, root not included.
    pub chain: Vec<CertificateDer<'static>>,
    /// Key of the leaf, PKCS #8.
    pub key: PrivateKeyDer<'static>,
    /// Root to trust.
    pub root: CertificateDer<'static>,
    /// What was asked for.
    pub shape: ChainShape,
}

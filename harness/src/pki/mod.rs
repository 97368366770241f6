//! Test certificates, made on the spot from fixed keys: the same bytes in every run.
//!
//! Knows X.509 and nothing of DTLS. Every chain is valid from 2020-01-01 to 2049-12-31; runs happen on [`RUN_DATE`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls_pki_types::{CertificateDer, PrivateKeyDer};

mod chain;
mod keys;

/// Date at the start of every run: 2026-01-01 00:00:00 UTC in seconds since 1970.
pub const RUN_DATE: u64 = 1_767_225_600;

/// Name of the server unless a scenario says otherwise.
pub const SERVER_NAME: &str = "server.windtunnel.test";

/// Name of a client that has a certificate.
pub const CLIENT_NAME: &str = "client.windtunnel.test";

/// Identity of the fixed pre-shared key.
pub const PSK_IDENTITY: &[u8] = b"windtunnel";

/// The fixed pre-shared key, 128 bits.
pub const PSK_KEY: [u8; 16] = *b"in a wind tunnel";

/// Most certificates a chain may have: root and five intermediates stay within what common verifiers walk.
pub const CERTIFICATES_MAX: u8 = 6;

/// Largest chain, in bytes: far beyond any use on a constrained link, and one bound for everybody's buffers.
pub const CHAIN_SIZE_MAX: u32 = 60_000;

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
    #[serde(rename = "rsa-2048")]
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
    /// Whose it is.
    pub owner: Owner,
}

/// Whom a chain is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A server.
    Server,
    /// A client.
    Client,
}

impl ChainShape {
    /// One small certificate of a client.
    pub fn of_client() -> Self {
        Self { names: vec![CLIENT_NAME.to_owned()], owner: Owner::Client, ..Self::default() }
    }
}

impl Default for ChainShape {
    /// One small certificate, ECDSA throughout.
    fn default() -> Self {
        Self {
            key: KeyKind::EcdsaP256,
            issuer: IssuerKind::EcdsaP256,
            certificates: 1,
            size: None,
            names: vec![SERVER_NAME.to_owned()],
            owner: Owner::Server,
        }
    }
}

/// A chain and its key, and the root that the peer trusts.
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

/// Hides the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl Identity {
    /// Bytes of the certificates sent, together.
    pub fn chain_size(&self) -> usize {
        self.chain.iter().map(|certificate| certificate.len()).sum()
    }
}

/// Why no chain can have a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShapeError {
    /// Chains have from 1 to [`CERTIFICATES_MAX`] certificates.
    Certificates,
    /// There must be at least one name.
    NoName,
    /// Not a name that a certificate can hold.
    Name(String),
    /// The certificates take more than `size` without any padding.
    TooSmall {
        /// What they take.
        minimum: u32,
    },
    /// `size` is above [`CHAIN_SIZE_MAX`].
    TooLarge,
    /// The lengths of length fields leave out this size.
    Unreachable,
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificates => write!(f, "a chain has from 1 to {CERTIFICATES_MAX} certificates"),
            Self::NoName => f.write_str("a certificate needs at least one name"),
            Self::Name(name) => write!(f, "{name:?} is not a DNS name or an IP address"),
            Self::TooSmall { minimum } => write!(f, "these certificates take at least {minimum} B"),
            Self::TooLarge => write!(f, "a chain has at most {CHAIN_SIZE_MAX} B"),
            Self::Unreachable => f.write_str("no padding gives exactly this size; one byte more or less does"),
        }
    }
}

impl std::error::Error for ShapeError {}

/// The identity of this shape, made once per process.
pub fn try_identity(shape: &ChainShape) -> Result<Arc<Identity>, ShapeError> {
    static MADE: OnceLock<Mutex<BTreeMap<ChainShape, Arc<Identity>>>> = OnceLock::new();
    let mut made = MADE.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(identity) = made.get(shape) {
        return Ok(Arc::clone(identity));
    }
    let identity = Arc::new(chain::make(shape)?);
    made.insert(shape.clone(), Arc::clone(&identity));
    Ok(identity)
}

/// The identity of a shape that is known to be possible: [`crate::scenario`] lets no other through.
///
/// # Panics
///
/// If [`try_identity`] refuses the shape.
pub fn identity(shape: &ChainShape) -> Arc<Identity> {
    try_identity(shape).unwrap_or_else(|error| panic!("no such chain: {error}"))
}

#[cfg(test)]
mod tests;

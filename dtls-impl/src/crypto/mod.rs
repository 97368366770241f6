//! Cryptography behind one trait, so that primitives can change without touching the protocol.
//!
//! This module owns the interface and the names of algorithms; `rustcrypto` is the default provider, `aws_lc_rs` a fast one, `schedule12` and
//! `schedule13` are the key schedules. Nothing here knows records, flights or time.

#[cfg(feature = "aws-lc-rs")]
pub mod aws_lc_rs;
pub mod hkdf;
pub mod importer;
pub mod rustcrypto;
pub mod schedule12;
pub mod schedule13;

#[cfg(test)]
mod negative;
#[cfg(test)]
pub(crate) mod test_vectors;

use core::fmt::Debug;
use std::sync::Arc;

use rand_core::{CryptoRng, Rng};
use rustls_pki_types::{PrivateKeyDer, SignatureVerificationAlgorithm};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Hash functions of the supported cipher suites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
}

impl HashAlgorithm {
    /// Length of the output in bytes.
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// AEADs of the supported cipher suites. Every nonce is 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AeadAlgorithm {
    /// AES-128 in Galois/Counter mode, 16-byte tag (RFC 5288).
    Aes128Gcm,
    /// AES-256 in Galois/Counter mode, 16-byte tag (RFC 5288).
    Aes256Gcm,
    /// ChaCha20 with Poly1305, 16-byte tag (RFC 7905).
    ChaCha20Poly1305,
    /// AES-128 in CCM mode, 16-byte tag (RFC 6655).
    Aes128Ccm,
    /// AES-128 in CCM mode, 8-byte tag (RFC 6655).
    Aes128Ccm8,
}

impl AeadAlgorithm {
    /// Length of the key in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes128Ccm | Self::Aes128Ccm8 => 16,
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Length of the nonce part that comes from the key block in DTLS 1.2 (RFC 5288 §3, RFC 6655 §3, RFC 7905 §2).
    pub const fn fixed_iv_len(self) -> usize {
        match self {
            Self::ChaCha20Poly1305 => 12,
            _ => 4,
        }
    }

    /// Length of the nonce part that each DTLS 1.2 record carries.
    pub const fn explicit_nonce_len(self) -> usize {
        match self {
            Self::ChaCha20Poly1305 => 0,
            _ => 8,
        }
    }

    /// Length of the authentication tag in bytes.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::Aes128Ccm8 => 8,
            _ => 16,
        }
    }
}

/// Groups for ephemeral key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// X25519 (RFC 7748).
    X25519,
    /// NIST P-256, uncompressed points.
    Secp256r1,
    /// NIST P-384, uncompressed points.
    Secp384r1,
    /// ML-KEM-768 and X25519 together, for DTLS 1.3 alone (draft-ietf-tls-ecdhe-mlkem): secret as long as one of the two
    /// is unbroken. Its shares are 1216 bytes from a client and 1120 from a server, so that a ClientHello with one is cut
    /// into fragments on most paths.
    X25519MlKem768,
}

impl Group {
    /// Whether DTLS 1.2 can use it: there the server speaks first, which a KEM does not allow.
    pub(crate) const fn in_12(self) -> bool {
        !matches!(self, Self::X25519MlKem768)
    }
}

/// Signature schemes, by the code points of RFC 8446 §4.2.3, which DTLS 1.2 shares as hash and signature bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureScheme {
    /// ECDSA on P-256 with SHA-256, 0x0403.
    EcdsaSecp256r1Sha256,
    /// Ed25519, 0x0807.
    Ed25519,
    /// ECDSA on P-384 with SHA-384, 0x0503.
    EcdsaSecp384r1Sha384,
    /// RSASSA-PSS with SHA-256 and an rsaEncryption key, 0x0804.
    RsaPssRsaeSha256,
    /// RSASSA-PSS with SHA-384 and an rsaEncryption key, 0x0805.
    RsaPssRsaeSha384,
    /// RSASSA-PSS with SHA-512 and an rsaEncryption key, 0x0806.
    RsaPssRsaeSha512,
    /// RSASSA-PKCS1-v1_5 with SHA-256, 0x0401.
    RsaPkcs1Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-384, 0x0501.
    RsaPkcs1Sha384,
    /// RSASSA-PKCS1-v1_5 with SHA-512, 0x0601.
    RsaPkcs1Sha512,
}

impl SignatureScheme {
    /// Every scheme.
    pub const ALL: [Self; 9] = [
        Self::EcdsaSecp256r1Sha256,
        Self::Ed25519,
        Self::EcdsaSecp384r1Sha384,
        Self::RsaPssRsaeSha256,
        Self::RsaPssRsaeSha384,
        Self::RsaPssRsaeSha512,
        Self::RsaPkcs1Sha256,
        Self::RsaPkcs1Sha384,
        Self::RsaPkcs1Sha512,
    ];

    /// Whether keys are RSA keys: what the suites of DTLS 1.2 tell apart.
    pub(crate) const fn is_rsa(self) -> bool {
        !matches!(self, Self::EcdsaSecp256r1Sha256 | Self::EcdsaSecp384r1Sha384 | Self::Ed25519)
    }

    /// Whether handshakes of DTLS 1.3 may be signed so: PKCS1 is for certificates alone (RFC 8446 §4.2.3).
    pub(crate) const fn signs_13(self) -> bool {
        !matches!(self, Self::RsaPkcs1Sha256 | Self::RsaPkcs1Sha384 | Self::RsaPkcs1Sha512)
    }
}

/// Why a primitive said no. Says nothing about the bytes that were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CryptoError {
    /// A record or signature did not verify.
    BadTagOrSignature,
    /// A peer's public key is not a valid point, or the shared secret would be zero (RFC 7748 §6.1, RFC 8422 §5.11).
    BadPublicKey,
    /// A private key or certificate could not be read, or is of an unsupported kind.
    BadKey,
    /// A key, nonce or buffer has a length that the algorithm does not take.
    BadLength,
}

/// Bytes that are wiped when dropped and never printed.
/// Comparison takes the same time wherever the bytes differ.
#[derive(Clone, Default, Zeroize, ZeroizeOnDrop)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes ownership of secret bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for use in a primitive.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Other bytes of the same length in place of these.
    fn overwrite(&mut self, bytes: &[u8]) {
        self.0.copy_from_slice(bytes);
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        equal(&self.0, &other.0)
    }
}

impl Eq for Secret {}

impl Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// Compares in a time that depends on the lengths only: for MACs, cookies and Finished.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Output of a hash or MAC: up to 48 bytes without allocation. Comparison takes the same time wherever bytes differ.
#[derive(Clone, Copy, Zeroize)]
pub struct Digest {
    bytes: [u8; 48],
    len: u8,
}

impl Digest {
    /// Copies the output of a hash or MAC; at most 48 bytes are kept.
    pub fn new(output: &[u8]) -> Self {
        let len = output.len().min(48);
        let mut bytes = [0; 48];
        bytes[..len].copy_from_slice(&output[..len]);
        Self { bytes, len: len as u8 }
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl AsMut<[u8]> for Digest {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..usize::from(self.len)]
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        equal(self.as_ref(), other.as_ref())
    }
}

impl Eq for Digest {}

impl Debug for Digest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Digest({} bytes)", self.len)
    }
}

/// A running hash.
pub trait Hash: Debug + Send + Sync {
    /// Adds bytes.
    fn update(&mut self, bytes: &[u8]);
    /// The hash of everything added so far; more can be added after.
    fn current(&self) -> Digest;
    /// An independent copy.
    fn fork(&self) -> Box<dyn Hash>;
}

/// A keyed AEAD.
pub trait Aead: Debug + Send + Sync {
    /// Encrypts `buffer[start..]` in place and appends the tag.
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], buffer: &mut Vec<u8>, start: usize) -> Result<(), CryptoError>;
    /// Checks the tag at the end of `buffer`, decrypts in place, and returns the plaintext's length.
    /// On error the buffer holds nothing of use.
    fn open(&self, nonce: &[u8; 12], aad: &[u8], buffer: &mut [u8]) -> Result<usize, CryptoError>;
}

/// Ciphertext that a mask is made from (RFC 9147 §4.2.3).
pub const NUMBER_SAMPLE_LEN: usize = 16;

/// A keyed cipher that hides record numbers (RFC 9147 §4.2.3).
pub trait NumberCipher: Debug + Send + Sync {
    /// What to add, without carry, to the number's bytes in the header of the record whose ciphertext starts so.
    fn mask(&self, sample: &[u8; NUMBER_SAMPLE_LEN]) -> [u8; 2];
}

/// What protects the records of one direction of an epoch of DTLS 1.3.
pub trait RecordCiphers: Debug + Send + Sync {
    /// What protects contents.
    fn aead(&self) -> &dyn Aead;
    /// What hides numbers.
    fn numbers(&self) -> &dyn NumberCipher;
}

/// Both ciphers in one place.
#[derive(Debug)]
struct Ciphers<A, N> {
    aead: A,
    numbers: N,
}

impl<A: Aead + 'static, N: NumberCipher + 'static> Ciphers<A, N> {
    fn boxed(aead: A, numbers: N) -> Box<dyn RecordCiphers> {
        Box::new(Self { aead, numbers })
    }
}

impl<A: Aead, N: NumberCipher> RecordCiphers for Ciphers<A, N> {
    fn aead(&self) -> &dyn Aead {
        &self.aead
    }

    fn numbers(&self) -> &dyn NumberCipher {
        &self.numbers
    }
}

/// An ephemeral key of one side.
pub trait KeyExchange: Send + Sync {
    /// The group the key belongs to.
    fn group(&self) -> Group;
    /// The share to send: an encoded point (RFC 8422 §5.4), or the encapsulation key and a point.
    fn public_key(&self) -> &[u8];
    /// The shared secret, from the share of whoever answered ours; refuses points off the curve and an all-zero result.
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<Secret, CryptoError>;
}

/// What the second to speak has after it has seen the share of the first.
#[derive(Debug)]
pub struct Response {
    /// The share that answers.
    pub share: Vec<u8>,
    /// The shared secret.
    pub secret: Secret,
}

/// A long-term private key, loaded once per configuration.
pub trait SigningKey: Debug + Send + Sync {
    /// The schemes this key signs with, in order of preference.
    fn schemes(&self) -> &[SignatureScheme];
    /// The public key, a DER SubjectPublicKeyInfo.
    fn public_key(&self) -> &[u8];
    /// Signs. Only RSA draws on `random`; ECDSA and Ed25519 are deterministic (RFC 6979, RFC 8032). Fails with
    /// [`CryptoError::BadKey`] if the scheme is not one of this key's.
    fn sign(&self, scheme: SignatureScheme, message: &[u8], random: &mut dyn CryptoRng)
    -> Result<Vec<u8>, CryptoError>;
}

/// An HMAC whose key is set up.
pub type Hmac<'a> = dyn Fn(&[&[u8]]) -> Digest + 'a;

/// The primitives the protocol needs. Implementations keep no state between calls.
pub trait CryptoProvider: Debug + Send + Sync {
    /// Starts a hash.
    fn hash(&self, algorithm: HashAlgorithm) -> Box<dyn Hash>;
    /// The hash of `bytes`.
    fn hash_of(&self, algorithm: HashAlgorithm, bytes: &[u8]) -> Digest {
        let mut hash = self.hash(algorithm);
        hash.update(bytes);
        hash.current()
    }
    /// HMAC over the concatenation of `parts`.
    fn hmac(&self, algorithm: HashAlgorithm, key: &[u8], parts: &[&[u8]]) -> Digest;
    /// HMACs under one key: `each` gets a function that makes one over the concatenation of parts. For providers that can
    /// set up a key once, as key schedules ask for several HMACs under each of theirs.
    fn hmacs(&self, algorithm: HashAlgorithm, key: &[u8], each: &mut dyn FnMut(&Hmac<'_>)) {
        each(&|parts| self.hmac(algorithm, key, parts));
    }
    /// An AEAD under `key`, whose length must be [`AeadAlgorithm::key_len`].
    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn Aead>, CryptoError>;
    /// The cipher that goes with that AEAD to hide record numbers in DTLS 1.3; keys are of the same length.
    fn number_cipher(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn NumberCipher>, CryptoError>;
    /// Both for records of DTLS 1.3.
    fn record_ciphers(
        &self,
        algorithm: AeadAlgorithm,
        key: &[u8],
        number_key: &[u8],
    ) -> Result<Box<dyn RecordCiphers>, CryptoError>;
    /// A fresh ephemeral key whose bytes come from `random` alone.
    fn key_exchange(&self, group: Group, random: &mut dyn Rng) -> Result<Box<dyn KeyExchange>, CryptoError>;
    /// Answers the share of a [`key_exchange`](Self::key_exchange): for a KEM the answer depends on it, for
    /// Diffie-Hellman it is one more fresh key. Refuses what [`KeyExchange::complete`] refuses, and encapsulation keys
    /// with coefficients out of range (FIPS 203 §7.2).
    fn respond(&self, group: Group, peer: &[u8], random: &mut dyn Rng) -> Result<Response, CryptoError> {
        let own = self.key_exchange(group, random)?;
        let share = own.public_key().to_vec();
        Ok(Response { share, secret: own.complete(peer)? })
    }
    /// Loads a private key: ECDSA on P-256 or P-384 as PKCS#8 or SEC1, Ed25519 as PKCS#8, RSA as PKCS#8 or PKCS#1. A
    /// provider may know fewer.
    fn signing_key(&self, key: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, CryptoError>;
    /// Algorithms for certificate chains and for signatures by an end-entity certificate.
    fn signature_algorithms(&self) -> &'static [&'static dyn SignatureVerificationAlgorithm];
}

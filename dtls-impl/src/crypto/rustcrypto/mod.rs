//! The default provider: pure Rust primitives, no entropy of their own.
//!
//! This module only maps the names of [`crate::crypto`] to implementations; each kind of primitive has its own file.
//! Every random byte is drawn from the generator that the caller passes, so equal seeds give equal keys.

mod aead;
mod hash;
mod hybrid;
mod kx;
mod number;
mod sign;
mod verify;

use std::sync::Arc;

use rand_core::Rng;
use rustls_pki_types::{PrivateKeyDer, SignatureVerificationAlgorithm};

use self::aead::Keyed;
use super::{
    Aead, AeadAlgorithm, Ciphers, CryptoError, CryptoProvider, Digest, Group, Hash, HashAlgorithm, Hmac, KeyExchange,
    NumberCipher, RecordCiphers, Response, SigningKey,
};

/// The provider over RustCrypto and dalek crates.
pub fn provider() -> Arc<dyn CryptoProvider> {
    Arc::new(RustCrypto)
}

#[derive(Debug)]
pub(super) struct RustCrypto;

impl CryptoProvider for RustCrypto {
    fn hash(&self, algorithm: HashAlgorithm) -> Box<dyn Hash> {
        hash::start(algorithm)
    }

    fn hash_of(&self, algorithm: HashAlgorithm, bytes: &[u8]) -> Digest {
        hash::of(algorithm, bytes)
    }

    fn hmac(&self, algorithm: HashAlgorithm, key: &[u8], parts: &[&[u8]]) -> Digest {
        hash::hmac(algorithm, key, parts)
    }

    fn hmacs(&self, algorithm: HashAlgorithm, key: &[u8], each: &mut dyn FnMut(&Hmac<'_>)) {
        hash::hmacs(algorithm, key, each);
    }

    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn Aead>, CryptoError> {
        aead::load(algorithm, key)
    }

    fn number_cipher(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn NumberCipher>, CryptoError> {
        number::load(algorithm, key)
    }

    fn record_ciphers(
        &self,
        algorithm: AeadAlgorithm,
        key: &[u8],
        number_key: &[u8],
    ) -> Result<Box<dyn RecordCiphers>, CryptoError> {
        use AeadAlgorithm as A;
        type Aes128Numbers = number::Block<aes::Aes128>;
        let small = || Aes128Numbers::new(number_key);
        Ok(match algorithm {
            A::Aes128Gcm => Ciphers::boxed(Keyed::<aes_gcm::Aes128Gcm>::new(algorithm, key)?, small()?),
            A::Aes128Ccm => Ciphers::boxed(Keyed::<aead::Aes128Ccm>::new(algorithm, key)?, small()?),
            A::Aes128Ccm8 => Ciphers::boxed(Keyed::<aead::Aes128Ccm8>::new(algorithm, key)?, small()?),
            A::Aes256Gcm => {
                let numbers = number::Block::<aes::Aes256>::new(number_key)?;
                Ciphers::boxed(Keyed::<aes_gcm::Aes256Gcm>::new(algorithm, key)?, numbers)
            }
            A::ChaCha20Poly1305 => {
                let numbers = number::ChaCha20::new(number_key)?;
                Ciphers::boxed(Keyed::<chacha20poly1305::ChaCha20Poly1305>::new(algorithm, key)?, numbers)
            }
        })
    }

    fn key_exchange(&self, group: Group, random: &mut dyn Rng) -> Result<Box<dyn KeyExchange>, CryptoError> {
        kx::start(group, random)
    }

    fn respond(&self, group: Group, peer: &[u8], random: &mut dyn Rng) -> Result<Response, CryptoError> {
        kx::respond(group, peer, random)
    }

    fn signing_key(&self, key: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, CryptoError> {
        sign::load(key)
    }

    fn signature_algorithms(&self) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
        verify::ALGORITHMS
    }
}

//! A fast provider over `aws-lc-rs`, for servers with many handshakes (feature `aws-lc-rs`).
//!
//! Curves, signatures and the common AEADs come from AWS-LC. Hashes and HMAC stay with the default provider, which takes
//! less time for the short inputs of key schedules, and so does CCM, which the crate does not have. Ephemeral keys and
//! ECDSA nonces come from the system's generator: equal seeds do not give equal bytes.

mod hybrid;

use core::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey, quic};
use aws_lc_rs::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use rand_core::{CryptoRng, Rng};
use rustls_pki_types::{PrivateKeyDer, SignatureVerificationAlgorithm};

use self::hybrid::Hybrid;
use super::rustcrypto::RustCrypto;
use super::{
    Aead, AeadAlgorithm, Ciphers, CryptoError, CryptoProvider, Digest, Group, Hash, HashAlgorithm, Hmac, KeyExchange,
    NUMBER_SAMPLE_LEN, NumberCipher, RecordCiphers, Response, Secret, SignatureScheme, SigningKey,
};

/// The provider over `aws-lc-rs`. Draws from the system's generator, not from the connection's seed.
pub fn provider() -> Arc<dyn CryptoProvider> {
    Arc::new(AwsLcRs)
}

#[derive(Debug)]
struct AwsLcRs;

impl CryptoProvider for AwsLcRs {
    fn hash(&self, algorithm: HashAlgorithm) -> Box<dyn Hash> {
        RustCrypto.hash(algorithm)
    }

    fn hash_of(&self, algorithm: HashAlgorithm, bytes: &[u8]) -> Digest {
        RustCrypto.hash_of(algorithm, bytes)
    }

    fn hmac(&self, algorithm: HashAlgorithm, key: &[u8], parts: &[&[u8]]) -> Digest {
        RustCrypto.hmac(algorithm, key, parts)
    }

    fn hmacs(&self, algorithm: HashAlgorithm, key: &[u8], each: &mut dyn FnMut(&Hmac<'_>)) {
        RustCrypto.hmacs(algorithm, key, each);
    }

    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn Aead>, CryptoError> {
        match Keyed::new(algorithm, key)? {
            Some(keyed) => Ok(Box::new(keyed)),
            None => RustCrypto.aead(algorithm, key),
        }
    }

    fn number_cipher(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn NumberCipher>, CryptoError> {
        Ok(Box::new(Numbers::new(algorithm, key)?))
    }

    fn record_ciphers(
        &self,
        algorithm: AeadAlgorithm,
        key: &[u8],
        number_key: &[u8],
    ) -> Result<Box<dyn RecordCiphers>, CryptoError> {
        match Keyed::new(algorithm, key)? {
            Some(keyed) => Ok(Ciphers::boxed(keyed, Numbers::new(algorithm, number_key)?)),
            None => RustCrypto.record_ciphers(algorithm, key, number_key),
        }
    }

    /// Draws from the system's generator, whatever `random` is.
    fn key_exchange(&self, group: Group, _random: &mut dyn Rng) -> Result<Box<dyn KeyExchange>, CryptoError> {
        let algorithm = match group {
            Group::X25519 => &agreement::X25519,
            Group::Secp256r1 => &agreement::ECDH_P256,
            Group::Secp384r1 => &agreement::ECDH_P384,
            Group::X25519MlKem768 => return Ok(Box::new(Hybrid::draw()?)),
        };
        Ok(Box::new(Ephemeral::draw(group, algorithm)?))
    }

    fn respond(&self, group: Group, peer: &[u8], random: &mut dyn Rng) -> Result<Response, CryptoError> {
        if group == Group::X25519MlKem768 {
            return hybrid::respond(peer);
        }
        let own = self.key_exchange(group, random)?;
        let share = own.public_key().to_vec();
        Ok(Response { share, secret: own.complete(peer)? })
    }

    /// P-256 and Ed25519 are the crate's; what is rarer stays with the default provider.
    fn signing_key(&self, key: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, CryptoError> {
        let plain = RustCrypto.signing_key(key)?;
        let public_key = plain.public_key().to_vec();
        let p256 = &ECDSA_P256_SHA256_ASN1_SIGNING;
        match (plain.schemes(), key) {
            ([SignatureScheme::EcdsaSecp256r1Sha256], PrivateKeyDer::Pkcs8(der)) => {
                let key = EcdsaKeyPair::from_pkcs8(p256, der.secret_pkcs8_der()).map_err(|_| CryptoError::BadKey)?;
                Ok(Arc::new(EcdsaP256 { key, public_key }))
            }
            ([SignatureScheme::EcdsaSecp256r1Sha256], PrivateKeyDer::Sec1(der)) => {
                let key = EcdsaKeyPair::from_private_key_der(p256, der.secret_sec1_der());
                Ok(Arc::new(EcdsaP256 { key: key.map_err(|_| CryptoError::BadKey)?, public_key }))
            }
            ([SignatureScheme::Ed25519], PrivateKeyDer::Pkcs8(der)) => {
                let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der());
                Ok(Arc::new(Ed25519 { key: key.map_err(|_| CryptoError::BadKey)?, public_key }))
            }
            _ => Ok(plain),
        }
    }

    fn signature_algorithms(&self) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
        VERIFICATION
    }
}

/// As many as the default provider has.
static VERIFICATION: &[&dyn SignatureVerificationAlgorithm] = &[
    webpki::aws_lc_rs::ECDSA_P256_SHA256,
    webpki::aws_lc_rs::ECDSA_P256_SHA384,
    webpki::aws_lc_rs::ECDSA_P384_SHA384,
    webpki::aws_lc_rs::ECDSA_P384_SHA256,
    webpki::aws_lc_rs::ED25519,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA384,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA512,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

struct Keyed(LessSafeKey);

impl Keyed {
    /// None for what the crate does not have.
    fn new(algorithm: AeadAlgorithm, key: &[u8]) -> Result<Option<Self>, CryptoError> {
        let inner = match algorithm {
            AeadAlgorithm::Aes128Gcm => &aead::AES_128_GCM,
            AeadAlgorithm::Aes256Gcm => &aead::AES_256_GCM,
            AeadAlgorithm::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
            AeadAlgorithm::Aes128Ccm | AeadAlgorithm::Aes128Ccm8 => return Ok(None),
        };
        let key = UnboundKey::new(inner, key).map_err(|_| CryptoError::BadLength)?;
        Ok(Some(Self(LessSafeKey::new(key))))
    }
}

impl Aead for Keyed {
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], buffer: &mut Vec<u8>, start: usize) -> Result<(), CryptoError> {
        let plaintext = buffer.get_mut(start..).ok_or(CryptoError::BadLength)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(aad), plaintext);
        buffer.extend_from_slice(tag.map_err(|_| CryptoError::BadLength)?.as_ref());
        Ok(())
    }

    fn open(&self, nonce: &[u8; 12], aad: &[u8], buffer: &mut [u8]) -> Result<usize, CryptoError> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plaintext = self.0.open_in_place(nonce, Aad::from(aad), buffer);
        Ok(plaintext.map_err(|_| CryptoError::BadTagOrSignature)?.len())
    }
}

impl fmt::Debug for Keyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aead(aws-lc-rs)")
    }
}

struct Numbers(quic::HeaderProtectionKey);

impl Numbers {
    fn new(algorithm: AeadAlgorithm, key: &[u8]) -> Result<Self, CryptoError> {
        use AeadAlgorithm as A;
        let inner = match algorithm {
            A::Aes128Gcm | A::Aes128Ccm | A::Aes128Ccm8 => &quic::AES_128,
            A::Aes256Gcm => &quic::AES_256,
            A::ChaCha20Poly1305 => &quic::CHACHA20,
        };
        quic::HeaderProtectionKey::new(inner, key).map(Self).map_err(|_| CryptoError::BadLength)
    }
}

impl NumberCipher for Numbers {
    fn mask(&self, sample: &[u8; NUMBER_SAMPLE_LEN]) -> [u8; 2] {
        let [a, b, ..] = self.0.new_mask(sample).expect("a sample has the length that the cipher takes");
        [a, b]
    }
}

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NumberCipher(aws-lc-rs)")
    }
}

struct Ephemeral {
    group: Group,
    secret: EphemeralPrivateKey,
    public: Vec<u8>,
}

impl Ephemeral {
    fn draw(group: Group, algorithm: &'static agreement::Algorithm) -> Result<Self, CryptoError> {
        let secret = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new()).map_err(|_| CryptoError::BadKey)?;
        let public = secret.compute_public_key().map_err(|_| CryptoError::BadKey)?;
        Ok(Self { group, secret, public: public.as_ref().to_vec() })
    }
}

impl KeyExchange for Ephemeral {
    fn group(&self) -> Group {
        self.group
    }

    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn complete(self: Box<Self>, peer: &[u8]) -> Result<Secret, CryptoError> {
        // The crate reads compressed and DER-wrapped points as well, which are not valid here (RFC 8422 §5.4.1).
        let uncompressed = match self.group {
            Group::X25519 | Group::X25519MlKem768 => true,
            Group::Secp256r1 | Group::Secp384r1 => peer.first() == Some(&4),
        };
        if peer.len() != self.public.len() || !uncompressed {
            return Err(CryptoError::BadPublicKey);
        }
        let peer = UnparsedPublicKey::new(self.secret.algorithm(), peer);
        // It refuses points off the curve, and an all-zero result of X25519.
        agreement::agree_ephemeral(self.secret, peer, CryptoError::BadPublicKey, |shared| {
            Ok(Secret::new(shared.to_vec()))
        })
    }
}

struct EcdsaP256 {
    key: EcdsaKeyPair,
    public_key: Vec<u8>,
}

impl SigningKey for EcdsaP256 {
    fn schemes(&self) -> &[SignatureScheme] {
        &[SignatureScheme::EcdsaSecp256r1Sha256]
    }

    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        _random: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, CryptoError> {
        if scheme != SignatureScheme::EcdsaSecp256r1Sha256 {
            return Err(CryptoError::BadKey);
        }
        let signature = self.key.sign(&SystemRandom::new(), message).map_err(|_| CryptoError::BadKey)?;
        Ok(signature.as_ref().to_vec())
    }
}

impl fmt::Debug for EcdsaP256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(ECDSA P-256)")
    }
}

struct Ed25519 {
    key: Ed25519KeyPair,
    public_key: Vec<u8>,
}

impl SigningKey for Ed25519 {
    fn schemes(&self) -> &[SignatureScheme] {
        &[SignatureScheme::Ed25519]
    }

    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        _random: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, CryptoError> {
        if scheme != SignatureScheme::Ed25519 {
            return Err(CryptoError::BadKey);
        }
        Ok(self.key.sign(message).as_ref().to_vec())
    }
}

impl fmt::Debug for Ed25519 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(Ed25519)")
    }
}

#[cfg(test)]
mod tests;

//! Signature verification in the form that `webpki` takes: one value per pair of key type and signature algorithm.

use core::fmt::{self, Debug};
use core::marker::PhantomData;

use p256::ecdsa::signature::Verifier;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::traits::PublicKeyParts;
use rsa::{pkcs1v15, pss};
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use sha2::digest::FixedOutputReset;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// Everything a chain or a ServerKeyExchange may be signed with.
pub(super) static ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    &Algorithm::<EcdsaP256<Sha256>>::new("ecdsa-p256-sha256", alg_id::ECDSA_P256, alg_id::ECDSA_SHA256),
    &Algorithm::<EcdsaP256<Sha384>>::new("ecdsa-p256-sha384", alg_id::ECDSA_P256, alg_id::ECDSA_SHA384),
    &Algorithm::<EcdsaP384<Sha384>>::new("ecdsa-p384-sha384", alg_id::ECDSA_P384, alg_id::ECDSA_SHA384),
    &Algorithm::<EcdsaP384<Sha256>>::new("ecdsa-p384-sha256", alg_id::ECDSA_P384, alg_id::ECDSA_SHA256),
    &Algorithm::<Ed25519>::new("ed25519", alg_id::ED25519, alg_id::ED25519),
    &Algorithm::<RsaPkcs1<Sha256>>::new("rsa-pkcs1-sha256", alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA256),
    &Algorithm::<RsaPkcs1<Sha384>>::new("rsa-pkcs1-sha384", alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA384),
    &Algorithm::<RsaPkcs1<Sha512>>::new("rsa-pkcs1-sha512", alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA512),
    &Algorithm::<RsaPss<Sha256>>::new("rsa-pss-sha256", alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA256),
    &Algorithm::<RsaPss<Sha384>>::new("rsa-pss-sha384", alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA384),
    &Algorithm::<RsaPss<Sha512>>::new("rsa-pss-sha512", alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA512),
];

/// RSA moduli outside this range are refused: below there is no security, above only work for us.
pub(super) const RSA_BITS: core::ops::RangeInclusive<u32> = 2048..=8192;

/// A verification primitive over raw public key bytes, as they stand in the SubjectPublicKeyInfo's bit string.
trait Verify: Send + Sync {
    /// `None` if key or signature cannot be read or do not match; the caller does not learn which.
    fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> Option<()>;
}

struct Algorithm<V> {
    name: &'static str,
    public_key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    primitive: PhantomData<V>,
}

impl<V> Algorithm<V> {
    const fn new(name: &'static str, public_key: AlgorithmIdentifier, signature: AlgorithmIdentifier) -> Self {
        Self { name, public_key, signature, primitive: PhantomData }
    }
}

impl<V: Verify> SignatureVerificationAlgorithm for Algorithm<V> {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        V::verify(public_key, message, signature).ok_or(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.public_key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

impl<V> Debug for Algorithm<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

struct EcdsaP256<D>(PhantomData<D>);

impl<D: Digest + Send + Sync> Verify for EcdsaP256<D> {
    fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(public_key).ok()?;
        let signature = p256::ecdsa::DerSignature::from_bytes(signature).ok()?;
        key.verify_prehash(&D::digest(message), &signature).ok()
    }
}

struct EcdsaP384<D>(PhantomData<D>);

impl<D: Digest + Send + Sync> Verify for EcdsaP384<D> {
    fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
        let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(public_key).ok()?;
        let signature = p384::ecdsa::DerSignature::from_bytes(signature).ok()?;
        key.verify_prehash(&D::digest(message), &signature).ok()
    }
}

struct Ed25519;

impl Verify for Ed25519 {
    fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(public_key.try_into().ok()?).ok()?;
        let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
        // Strict: also refuses keys of small order, for which one signature would fit many messages.
        key.verify_strict(message, &signature).ok()
    }
}

fn rsa_key(public_key: &[u8]) -> Option<rsa::PublicKey> {
    let key = rsa::PublicKey::from_pkcs1_der(public_key).ok()?;
    RSA_BITS.contains(&key.n().bit_width()).then_some(key)
}

struct RsaPkcs1<D>(PhantomData<D>);

impl<D: Digest + rsa::pkcs8::AssociatedOid + Send + Sync> Verify for RsaPkcs1<D> {
    fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
        let signature = pkcs1v15::Signature::try_from(signature).ok()?;
        pkcs1v15::VerifyingKey::<D>::new(rsa_key(public_key)?).verify(message, &signature).ok()
    }
}

struct RsaPss<D>(PhantomData<D>);

impl<D: Digest + FixedOutputReset + Send + Sync> Verify for RsaPss<D> {
    fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
        let signature = pss::Signature::try_from(signature).ok()?;
        // The salt is as long as the hash (RFC 8446 §4.2.3).
        pss::VerifyingKey::<D>::new(rsa_key(public_key)?).verify(message, &signature).ok()
    }
}

#[cfg(test)]
mod tests;

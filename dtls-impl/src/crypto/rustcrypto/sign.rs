//! Long-term private keys: ECDSA on P-256 and Ed25519. Signing draws no randomness (RFC 6979, RFC 8032).

use core::fmt;
use std::sync::Arc;

use ed25519_dalek::pkcs8::DecodePrivateKey;
use p256::ecdsa::signature::Signer;
use rustls_pki_types::PrivateKeyDer;

use crate::crypto::{CryptoError, SignatureScheme, SigningKey};

pub(super) fn load(key: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, CryptoError> {
    match key {
        PrivateKeyDer::Pkcs8(der) => {
            let der = der.secret_pkcs8_der();
            if let Ok(key) = p256::SecretKey::from_pkcs8_der(der) {
                return Ok(Arc::new(EcdsaP256(key.into())));
            }
            let key = ed25519_dalek::SigningKey::from_pkcs8_der(der).map_err(|_| CryptoError::BadKey)?;
            Ok(Arc::new(Ed25519(key)))
        }
        PrivateKeyDer::Sec1(der) => {
            let key = p256::SecretKey::from_sec1_der(der.secret_sec1_der()).map_err(|_| CryptoError::BadKey)?;
            Ok(Arc::new(EcdsaP256(key.into())))
        }
        _ => Err(CryptoError::BadKey),
    }
}

struct EcdsaP256(p256::ecdsa::SigningKey);

impl SigningKey for EcdsaP256 {
    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::EcdsaSecp256r1Sha256
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let signature: p256::ecdsa::DerSignature = self.0.try_sign(message).map_err(|_| CryptoError::BadKey)?;
        Ok(signature.as_bytes().to_vec())
    }
}

impl fmt::Debug for EcdsaP256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(ECDSA P-256)")
    }
}

struct Ed25519(ed25519_dalek::SigningKey);

impl SigningKey for Ed25519 {
    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::Ed25519
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let signature = self.0.try_sign(message).map_err(|_| CryptoError::BadKey)?;
        Ok(signature.to_bytes().to_vec())
    }
}

impl fmt::Debug for Ed25519 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(Ed25519)")
    }
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::{PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};

    use super::*;
    use crate::crypto::test_vectors::hex;

    /// The private key of RFC 6979 §A.2.5 as ECPrivateKey (RFC 5915).
    fn p256_sec1() -> Vec<u8> {
        hex(
            "3031 020101 0420 c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721 a00a 06082a8648ce3d030107",
        )
    }

    fn p256_pkcs8() -> Vec<u8> {
        let inner = p256_sec1();
        let mut der = hex("304d 020100 3013 06072a8648ce3d0201 06082a8648ce3d030107 0433");
        der.extend_from_slice(&inner);
        der
    }

    /// The private key of RFC 8032 §7.1, test 3.
    fn ed25519_pkcs8() -> Vec<u8> {
        hex("302e 020100 3005 06032b6570 0422 0420 c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
    }

    /// RFC 6979 §A.2.5, P-256 with SHA-256.
    #[test]
    fn ecdsa_signatures_are_those_of_rfc_6979() {
        for key in [
            PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(p256_sec1())),
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(p256_pkcs8())),
        ] {
            let key = load(&key).unwrap();
            assert_eq!(key.scheme(), SignatureScheme::EcdsaSecp256r1Sha256);
            let expected = "3046 022100 efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716 \
                022100 f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
            assert_eq!(key.sign(b"sample").unwrap(), hex(expected));
            let expected = "3045 022100 f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367 \
                0220 019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083";
            assert_eq!(key.sign(b"test").unwrap(), hex(expected));
        }
    }

    /// RFC 8032 §7.1, test 3.
    #[test]
    fn ed25519_signatures_are_those_of_rfc_8032() {
        let key = load(&PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(ed25519_pkcs8()))).unwrap();
        assert_eq!(key.scheme(), SignatureScheme::Ed25519);
        let expected = "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
            18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";
        assert_eq!(key.sign(&[0xaf, 0x82]).unwrap(), hex(expected));
        assert_eq!(format!("{key:?}"), "SigningKey(Ed25519)");
    }

    #[test]
    fn keys_that_are_cut_or_of_another_kind_are_refused() {
        let refused = |key: PrivateKeyDer<'_>| assert_eq!(load(&key).err(), Some(CryptoError::BadKey));
        for der in [p256_pkcs8(), ed25519_pkcs8()] {
            for len in 0..der.len() {
                refused(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(&der[..len])));
            }
        }
        refused(PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(&p256_sec1()[..40])));
        refused(PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(p256_sec1())));
    }
}

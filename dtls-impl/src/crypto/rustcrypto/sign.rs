//! Long-term private keys: ECDSA on P-256 and P-384, Ed25519, RSA. ECDSA and Ed25519 draw no randomness (RFC 6979,
//! RFC 8032); RSA draws the salt of PSS, and what blinds the private operation.

use core::fmt;
use std::sync::Arc;

use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePublicKey};
use p256::ecdsa::signature::{Keypair, SignatureEncoding, Signer};
use rand_core::CryptoRng;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Sign, Pss};
use rustls_pki_types::PrivateKeyDer;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::verify::RSA_BITS;
use crate::crypto::{CryptoError, SignatureScheme, SigningKey};

pub(super) fn load(key: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, CryptoError> {
    match key {
        PrivateKeyDer::Pkcs8(der) => {
            let der = der.secret_pkcs8_der();
            if let Ok(key) = p256::SecretKey::from_pkcs8_der(der) {
                return EcdsaP256::load(key);
            }
            if let Ok(key) = p384::SecretKey::from_pkcs8_der(der) {
                return EcdsaP384::load(key);
            }
            if let Ok(key) = rsa::PrivateKey::from_pkcs8_der(der) {
                return Rsa::load(key);
            }
            Ed25519::load(ed25519_dalek::SigningKey::from_pkcs8_der(der).map_err(|_| CryptoError::BadKey)?)
        }
        PrivateKeyDer::Sec1(der) => {
            let der = der.secret_sec1_der();
            if let Ok(key) = p256::SecretKey::from_sec1_der(der) {
                return EcdsaP256::load(key);
            }
            EcdsaP384::load(p384::SecretKey::from_sec1_der(der).map_err(|_| CryptoError::BadKey)?)
        }
        PrivateKeyDer::Pkcs1(der) => {
            Rsa::load(rsa::PrivateKey::from_pkcs1_der(der.secret_pkcs1_der()).map_err(|_| CryptoError::BadKey)?)
        }
        _ => Err(CryptoError::BadKey),
    }
}

/// The key as SubjectPublicKeyInfo.
fn info(key: &impl EncodePublicKey) -> Result<Vec<u8>, CryptoError> {
    Ok(key.to_public_key_der().map_err(|_| CryptoError::BadKey)?.into_vec())
}

/// Declares a key of one scheme whose signatures are deterministic.
macro_rules! deterministic {
    ($type:ident($key:ty, $from:ty), $scheme:ident, $signature:ty, $name:literal) => {
        struct $type {
            key: $key,
            public_key: Vec<u8>,
        }

        impl $type {
            fn load(key: $from) -> Result<Arc<dyn SigningKey>, CryptoError> {
                let key = <$key>::from(key);
                let public_key = info(&Keypair::verifying_key(&key))?;
                Ok(Arc::new(Self { key, public_key }))
            }
        }

        impl SigningKey for $type {
            fn schemes(&self) -> &[SignatureScheme] {
                &[SignatureScheme::$scheme]
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
                if scheme != SignatureScheme::$scheme {
                    return Err(CryptoError::BadKey);
                }
                let signature: $signature = self.key.try_sign(message).map_err(|_| CryptoError::BadKey)?;
                Ok(signature.to_vec())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!("SigningKey(", $name, ")"))
            }
        }
    };
}

deterministic!(
    EcdsaP256(p256::ecdsa::SigningKey, p256::SecretKey),
    EcdsaSecp256r1Sha256,
    p256::ecdsa::DerSignature,
    "ECDSA P-256"
);
deterministic!(
    EcdsaP384(p384::ecdsa::SigningKey, p384::SecretKey),
    EcdsaSecp384r1Sha384,
    p384::ecdsa::DerSignature,
    "ECDSA P-384"
);
deterministic!(
    Ed25519(ed25519_dalek::SigningKey, ed25519_dalek::SigningKey),
    Ed25519,
    ed25519_dalek::Signature,
    "Ed25519"
);

struct Rsa {
    key: rsa::PrivateKey,
    public_key: Vec<u8>,
}

impl Rsa {
    fn load(key: rsa::PrivateKey) -> Result<Arc<dyn SigningKey>, CryptoError> {
        if !RSA_BITS.contains(&key.n().bit_width()) {
            return Err(CryptoError::BadKey);
        }
        let public_key = info(key.as_ref())?;
        Ok(Arc::new(Self { key, public_key }))
    }
}

impl SigningKey for Rsa {
    fn schemes(&self) -> &[SignatureScheme] {
        use SignatureScheme as S;
        &[
            S::RsaPssRsaeSha256,
            S::RsaPssRsaeSha384,
            S::RsaPssRsaeSha512,
            S::RsaPkcs1Sha256,
            S::RsaPkcs1Sha384,
            S::RsaPkcs1Sha512,
        ]
    }

    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        random: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, CryptoError> {
        use SignatureScheme as S;
        // The salt of PSS is as long as the hash (RFC 8446 §4.2.3). Both paddings blind.
        let signature = match scheme {
            S::RsaPssRsaeSha256 => self.key.sign_with_rng(random, Pss::<Sha256>::new(), &Sha256::digest(message)),
            S::RsaPssRsaeSha384 => self.key.sign_with_rng(random, Pss::<Sha384>::new(), &Sha384::digest(message)),
            S::RsaPssRsaeSha512 => self.key.sign_with_rng(random, Pss::<Sha512>::new(), &Sha512::digest(message)),
            S::RsaPkcs1Sha256 => {
                self.key.sign_with_rng(random, Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message))
            }
            S::RsaPkcs1Sha384 => {
                self.key.sign_with_rng(random, Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(message))
            }
            S::RsaPkcs1Sha512 => {
                self.key.sign_with_rng(random, Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(message))
            }
            S::EcdsaSecp256r1Sha256 | S::EcdsaSecp384r1Sha384 | S::Ed25519 => return Err(CryptoError::BadKey),
        };
        signature.map_err(|_| CryptoError::BadKey)
    }
}

impl fmt::Debug for Rsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(RSA)")
    }
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::{PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer, SubjectPublicKeyInfoDer};

    use super::*;
    use crate::crypto::rustcrypto::provider;
    use crate::crypto::test_vectors::hex;
    use crate::entropy::{Entropy, Seed};
    use crate::pki::verify_signed_raw;

    const RSA: &[u8] = include_bytes!("../../pki/testdata/rsa2048.pk8");

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

    /// The private key of RFC 6979 §A.2.6 as ECPrivateKey (RFC 5915).
    fn p384_sec1() -> Vec<u8> {
        hex("303e 020101 0430 6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d8\
            96d5724e4c70a825f872c9ea60d2edf5 a007 06052b81040022")
    }

    fn p384_pkcs8() -> Vec<u8> {
        let inner = p384_sec1();
        let mut der = hex("3057 020100 3010 06072a8648ce3d0201 06052b81040022 0440");
        der.extend_from_slice(&inner);
        der
    }

    /// The private key of RFC 8032 §7.1, test 3.
    fn ed25519_pkcs8() -> Vec<u8> {
        hex("302e 020100 3005 06032b6570 0422 0420 c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
    }

    fn sec1(der: Vec<u8>) -> Arc<dyn SigningKey> {
        load(&PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der))).unwrap()
    }

    fn pkcs8(der: Vec<u8>) -> Arc<dyn SigningKey> {
        load(&PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der))).unwrap()
    }

    fn entropy() -> Entropy {
        Entropy::new(&Seed([5; 32]))
    }

    /// RFC 6979 §A.2.5, P-256 with SHA-256.
    #[test]
    fn ecdsa_signatures_are_those_of_rfc_6979() {
        for key in [sec1(p256_sec1()), pkcs8(p256_pkcs8())] {
            assert_eq!(key.schemes(), [SignatureScheme::EcdsaSecp256r1Sha256]);
            let sign = |message| key.sign(SignatureScheme::EcdsaSecp256r1Sha256, message, &mut entropy()).unwrap();
            let expected = "3046 022100 efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716 \
                022100 f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
            assert_eq!(sign(b"sample"), hex(expected));
            let expected = "3045 022100 f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367 \
                0220 019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083";
            assert_eq!(sign(b"test"), hex(expected));
        }
    }

    /// RFC 6979 §A.2.6, P-384 with SHA-384.
    #[test]
    fn ecdsa_signatures_on_p384_are_those_of_rfc_6979() {
        for key in [sec1(p384_sec1()), pkcs8(p384_pkcs8())] {
            assert_eq!(key.schemes(), [SignatureScheme::EcdsaSecp384r1Sha384]);
            let signature = key.sign(SignatureScheme::EcdsaSecp384r1Sha384, b"sample", &mut entropy()).unwrap();
            let expected = "3066 0231 00 94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c\
                81a648152e44acf96e36dd1e80fabe46 \
                0231 00 99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8";
            assert_eq!(signature, hex(expected));
        }
    }

    /// RFC 8032 §7.1, test 3.
    #[test]
    fn ed25519_signatures_are_those_of_rfc_8032() {
        let key = pkcs8(ed25519_pkcs8());
        assert_eq!(key.schemes(), [SignatureScheme::Ed25519]);
        let expected = "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
            18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";
        let signature = key.sign(SignatureScheme::Ed25519, &[0xaf, 0x82], &mut entropy()).unwrap();
        assert_eq!(signature, hex(expected));
        assert_eq!(format!("{key:?}"), "SigningKey(Ed25519)");
    }

    /// What each key signs under each of its schemes verifies with the public key it tells, and with no other scheme.
    #[test]
    fn signatures_verify_with_the_public_key_and_keys_keep_to_their_schemes() {
        let provider = provider();
        for key in [pkcs8(p256_pkcs8()), pkcs8(p384_pkcs8()), pkcs8(ed25519_pkcs8()), pkcs8(RSA.to_vec())] {
            let public_key = SubjectPublicKeyInfoDer::from(key.public_key());
            for scheme in SignatureScheme::ALL {
                let signature = key.sign(scheme, b"message", &mut entropy());
                assert_eq!(signature.is_ok(), key.schemes().contains(&scheme), "{key:?} {scheme:?}");
                let Ok(signature) = signature else { continue };
                for other in SignatureScheme::ALL {
                    let verdict = verify_signed_raw(&*provider, &public_key, other, b"message", &signature);
                    assert_eq!(verdict.is_ok(), scheme == other, "{key:?} {scheme:?} {other:?}");
                }
            }
        }
    }

    #[test]
    fn the_salt_of_pss_comes_from_the_given_randomness() {
        let key = pkcs8(RSA.to_vec());
        let sign = |seed| {
            let mut random = Entropy::new(&Seed([seed; 32]));
            key.sign(SignatureScheme::RsaPssRsaeSha256, b"message", &mut random).unwrap()
        };
        assert_eq!(sign(1), sign(1));
        assert_ne!(sign(1), sign(2));
    }

    #[test]
    fn keys_that_are_cut_or_of_another_kind_are_refused() {
        let refused = |key: PrivateKeyDer<'_>| assert_eq!(load(&key).err(), Some(CryptoError::BadKey));
        for der in [p256_pkcs8(), p384_pkcs8(), ed25519_pkcs8()] {
            for len in 0..der.len() {
                refused(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(&der[..len])));
            }
        }
        for len in (0..RSA.len()).step_by(37) {
            refused(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(&RSA[..len])));
        }
        refused(PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(&p256_sec1()[..40])));
        refused(PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(p256_sec1())));
    }
}

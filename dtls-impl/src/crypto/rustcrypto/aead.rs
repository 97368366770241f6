//! AEAD ciphers, keyed once per epoch. Nonces and additional data are the record layer's business.

use core::fmt;

use aes_gcm::aead::array::Array;
use aes_gcm::aead::consts::{U8, U12, U16};
use aes_gcm::{AeadInOut, Aes128Gcm, Aes256Gcm, KeyInit};
use ccm::Ccm;
use chacha20poly1305::ChaCha20Poly1305;

use crate::crypto::{Aead, AeadAlgorithm, CryptoError};

pub(super) fn load(algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn Aead>, CryptoError> {
    match algorithm {
        AeadAlgorithm::Aes128Gcm => Ok(Box::new(Keyed::<Aes128Gcm>::new(algorithm, key)?)),
        AeadAlgorithm::Aes256Gcm => Ok(Box::new(Keyed::<Aes256Gcm>::new(algorithm, key)?)),
        AeadAlgorithm::ChaCha20Poly1305 => Ok(Box::new(Keyed::<ChaCha20Poly1305>::new(algorithm, key)?)),
        AeadAlgorithm::Aes128Ccm => Ok(Box::new(Keyed::<Aes128Ccm>::new(algorithm, key)?)),
        AeadAlgorithm::Aes128Ccm8 => Ok(Box::new(Keyed::<Aes128Ccm8>::new(algorithm, key)?)),
    }
}

/// AES-128 in CCM mode with tags of 16 bytes.
pub(super) type Aes128Ccm = Ccm<aes::Aes128, U16, U12>;
/// AES-128 in CCM mode with tags of 8 bytes.
pub(super) type Aes128Ccm8 = Ccm<aes::Aes128, U8, U12>;

/// A cipher under a key.
pub(super) struct Keyed<C> {
    algorithm: AeadAlgorithm,
    cipher: C,
}

impl<C: KeyInit> Keyed<C> {
    pub(super) fn new(algorithm: AeadAlgorithm, key: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self { algorithm, cipher: C::new_from_slice(key).map_err(|_| CryptoError::BadLength)? })
    }
}

impl<C: AeadInOut<NonceSize = U12> + Send + Sync> Aead for Keyed<C> {
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], buffer: &mut Vec<u8>, start: usize) -> Result<(), CryptoError> {
        let plaintext = buffer.get_mut(start..).ok_or(CryptoError::BadLength)?;
        let tag = self
            .cipher
            .encrypt_inout_detached(&Array(*nonce), aad, plaintext.into())
            .map_err(|_| CryptoError::BadLength)?;
        buffer.extend_from_slice(&tag);
        Ok(())
    }

    fn open(&self, nonce: &[u8; 12], aad: &[u8], buffer: &mut [u8]) -> Result<usize, CryptoError> {
        let len = buffer.len().checked_sub(self.algorithm.tag_len()).ok_or(CryptoError::BadTagOrSignature)?;
        let (ciphertext, tag) = buffer.split_at_mut(len);
        let tag = Array::try_from(&*tag).map_err(|_| CryptoError::BadLength)?;
        self.cipher
            .decrypt_inout_detached(&Array(*nonce), aad, ciphertext.into(), &tag)
            .map_err(|_| CryptoError::BadTagOrSignature)?;
        Ok(len)
    }
}

impl<C> fmt::Debug for Keyed<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aead({:?})", self.algorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::test_vectors::hex;

    struct Vector {
        algorithm: AeadAlgorithm,
        key: &'static str,
        nonce: &'static str,
        aad: &'static str,
        plaintext: &'static str,
        sealed: &'static str,
    }

    const GCM_PLAINTEXT: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
        1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
    const SUNSCREEN: &str = "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920\
        636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73637265656e20\
        776f756c642062652069742e";

    const VECTORS: [Vector; 5] = [
        // The GCM specification, test case 4.
        Vector {
            algorithm: AeadAlgorithm::Aes128Gcm,
            key: "feffe9928665731c6d6a8f9467308308",
            nonce: "cafebabefacedbaddecaf888",
            aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            plaintext: GCM_PLAINTEXT,
            sealed: "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e\
                21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47",
        },
        // The GCM specification, test case 16.
        Vector {
            algorithm: AeadAlgorithm::Aes256Gcm,
            key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            nonce: "cafebabefacedbaddecaf888",
            aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            plaintext: GCM_PLAINTEXT,
            sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
        },
        // RFC 8439 §2.8.2.
        Vector {
            algorithm: AeadAlgorithm::ChaCha20Poly1305,
            key: "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
            nonce: "070000004041424344454647",
            aad: "50515253c0c1c2c3c4c5c6c7",
            plaintext: SUNSCREEN,
            sealed: "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b\
                1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc\
                3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691",
        },
        // NIST SP 800-38C, example 3: 12-byte nonce, 8-byte tag.
        Vector {
            algorithm: AeadAlgorithm::Aes128Ccm8,
            key: "404142434445464748494a4b4c4d4e4f",
            nonce: "101112131415161718191a1b",
            aad: "000102030405060708090a0b0c0d0e0f10111213",
            plaintext: "202122232425262728292a2b2c2d2e2f3031323334353637",
            sealed: "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951",
        },
        // The same inputs with a 16-byte tag, computed with OpenSSL.
        Vector {
            algorithm: AeadAlgorithm::Aes128Ccm,
            key: "404142434445464748494a4b4c4d4e4f",
            nonce: "101112131415161718191a1b",
            aad: "000102030405060708090a0b0c0d0e0f10111213",
            plaintext: "202122232425262728292a2b2c2d2e2f3031323334353637",
            sealed: "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5c87ae488918de93f17dd3e4934347f44",
        },
    ];

    #[test]
    fn every_aead_seals_as_published_and_opens_it_again() {
        for vector in VECTORS {
            let aead = load(vector.algorithm, &hex(vector.key)).unwrap();
            let nonce = hex(vector.nonce).try_into().unwrap();
            let (aad, plaintext, sealed) = (hex(vector.aad), hex(vector.plaintext), hex(vector.sealed));

            let mut buffer = b"header".to_vec();
            buffer.extend_from_slice(&plaintext);
            aead.seal(&nonce, &aad, &mut buffer, 6).unwrap();
            assert_eq!(buffer[..6], *b"header");
            assert_eq!(buffer[6..], sealed, "{:?}", vector.algorithm);

            let len = aead.open(&nonce, &aad, &mut buffer[6..]).unwrap();
            assert_eq!(buffer[6..6 + len], plaintext);
        }
    }

    #[test]
    fn every_aead_refuses_a_flipped_bit_anywhere() {
        for vector in VECTORS {
            let aead = load(vector.algorithm, &hex(vector.key)).unwrap();
            let nonce: [u8; 12] = hex(vector.nonce).try_into().unwrap();
            let (aad, sealed) = (hex(vector.aad), hex(vector.sealed));
            for position in 0..sealed.len() {
                let mut bad = sealed.clone();
                bad[position] ^= 0x10;
                assert_eq!(aead.open(&nonce, &aad, &mut bad), Err(CryptoError::BadTagOrSignature));
            }
            let mut bad_aad = aad.clone();
            bad_aad[0] ^= 1;
            assert!(aead.open(&nonce, &bad_aad, &mut sealed.clone()).is_err());
            let mut bad_nonce = nonce;
            bad_nonce[11] ^= 1;
            assert!(aead.open(&bad_nonce, &aad, &mut sealed.clone()).is_err());
        }
    }

    #[test]
    fn inputs_shorter_than_a_tag_and_keys_of_wrong_length_are_refused() {
        for vector in VECTORS {
            let key = hex(vector.key);
            let aead = load(vector.algorithm, &key).unwrap();
            for len in 0..vector.algorithm.tag_len() {
                assert_eq!(aead.open(&[0; 12], &[], &mut vec![0; len]), Err(CryptoError::BadTagOrSignature));
            }
            assert_eq!(load(vector.algorithm, &key[1..]).err(), Some(CryptoError::BadLength));
            assert_eq!(aead.seal(&[0; 12], &[], &mut Vec::new(), 1), Err(CryptoError::BadLength));
            assert!(!format!("{aead:?}").contains(&vector.key[..8]), "no key in debug output");
        }
    }
}

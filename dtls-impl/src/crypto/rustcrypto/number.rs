//! The ciphers that hide record numbers in DTLS 1.3 (RFC 9147 §4.2.3), keyed once per epoch.

use core::fmt;

use aes::cipher::{BlockCipherEncrypt, BlockSizeUser, KeyInit, consts::U16};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use zeroize::Zeroizing;

use crate::crypto::{AeadAlgorithm, CryptoError, NUMBER_SAMPLE_LEN, NumberCipher};

pub(super) fn load(algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn NumberCipher>, CryptoError> {
    use AeadAlgorithm as A;
    match algorithm {
        A::Aes128Gcm | A::Aes128Ccm | A::Aes128Ccm8 => Ok(Box::new(Block::<aes::Aes128>::new(key)?)),
        A::Aes256Gcm => Ok(Box::new(Block::<aes::Aes256>::new(key)?)),
        A::ChaCha20Poly1305 => Ok(Box::new(ChaCha20::new(key)?)),
    }
}

/// A block cipher under a key: its first bytes are the mask.
pub(super) struct Block<C>(C);

impl<C: KeyInit> Block<C> {
    pub(super) fn new(key: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self(C::new_from_slice(key).map_err(|_| CryptoError::BadLength)?))
    }
}

impl<C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + Send + Sync> NumberCipher for Block<C> {
    fn mask(&self, sample: &[u8; NUMBER_SAMPLE_LEN]) -> [u8; 2] {
        let mut block = (*sample).into();
        self.0.encrypt_block(&mut block);
        [block[0], block[1]]
    }
}

impl<C> fmt::Debug for Block<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NumberCipher(AES)")
    }
}

/// The key of a stream whose first bytes are the mask.
pub(super) struct ChaCha20(Zeroizing<[u8; 32]>);

impl ChaCha20 {
    pub(super) fn new(key: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self(Zeroizing::new(key.try_into().map_err(|_| CryptoError::BadLength)?)))
    }
}

impl NumberCipher for ChaCha20 {
    /// RFC 8439's 32-bit counter and 96-bit nonce are the same four state words as the generator's 64-bit counter and
    /// 64-bit stream; cut there, the 32-bit counter has no last value that a cipher would refuse to go beyond.
    fn mask(&self, sample: &[u8; NUMBER_SAMPLE_LEN]) -> [u8; 2] {
        let (counter, stream) = sample.split_at(8);
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("a sample is two words of eight bytes"));
        let mut block = ChaCha20Rng::from_seed(*self.0);
        block.set_stream(word(stream));
        block.set_word_pos(u128::from(word(counter)) * 16);
        let mut mask = [0; 2];
        block.fill_bytes(&mut mask);
        mask
    }
}

impl fmt::Debug for ChaCha20 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NumberCipher(ChaCha20)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::test_vectors::hex;

    /// QUIC masks its headers the same way: RFC 9001 §A.2 and §A.5.
    #[test]
    fn masks_are_those_of_rfc_9001() {
        let mask = |algorithm, key: &str, sample: &str| {
            load(algorithm, &hex(key)).unwrap().mask(&hex(sample).try_into().unwrap())
        };
        let (key, sample) = ("9f50449e04a0e810283a1e9933adedd2", "d1b1c98dd7689fb8ec11d242b123dc9b");
        assert_eq!(mask(AeadAlgorithm::Aes128Gcm, key, sample), [0x43, 0x7b]);
        assert_eq!(mask(AeadAlgorithm::Aes128Ccm, key, sample), [0x43, 0x7b]);
        let (key, sample) =
            ("25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4", "5e5cd55c41f69080575d7999c25a5bfb");
        assert_eq!(mask(AeadAlgorithm::ChaCha20Poly1305, key, sample), [0xae, 0xfe]);
    }

    /// FIPS 197 §C.3.
    #[test]
    fn aes_256_encrypts_the_sample() {
        let cipher = load(AeadAlgorithm::Aes256Gcm, &core::array::from_fn::<u8, 32, _>(|i| i as u8)).unwrap();
        let sample = core::array::from_fn(|i| (i * 0x11) as u8);
        assert_eq!(cipher.mask(&sample), [0x8e, 0xa2]);
    }

    #[test]
    fn the_largest_counter_is_as_good_as_any_and_wrong_key_lengths_are_refused() {
        let cipher = load(AeadAlgorithm::ChaCha20Poly1305, &[3; 32]).unwrap();
        assert_ne!(cipher.mask(&[0xff; 16]), cipher.mask(&[0xfe; 16]));
        for algorithm in [AeadAlgorithm::Aes128Gcm, AeadAlgorithm::Aes256Gcm, AeadAlgorithm::ChaCha20Poly1305] {
            assert_eq!(load(algorithm, &[0; 15]).err(), Some(CryptoError::BadLength));
        }
    }
}

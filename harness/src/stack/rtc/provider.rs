//! The crypto provider the `rtc-dtls` endpoints run on: the crate's own ring provider, with three things taken over.
//!
//! Random bytes come from the run's entropy, the groups on offer can be narrowed, and the key expansion is overheard
//! for the key log. ring still draws ephemeral keys and ECDSA nonces from the system.

use std::sync::{Arc, Mutex, PoisonError};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rtc_dtls::crypto_provider::providers::{RingCrypto, RingProvider};
use rtc_dtls::crypto_provider::{
    ActiveKeyExchange, AeadAlgorithm, AeadCipher, CbcAlgorithm, CbcCipher, CryptoAlgorithm, CryptoError, HashAlgorithm,
    HmacAlgorithm, KeyExchangeAlgorithm, Mac, PublicKey, RTCCrypto, RTCCryptoProvider, RTCRandom, SignatureScheme,
};

use super::super::key_log;

/// Key log lines on their way from the provider to the endpoint.
pub(super) type KeyLog = Arc<Mutex<Vec<String>>>;

/// ring, seeded, narrowed and overheard.
pub(super) struct Provider {
    crypto: Crypto,
    random: Random,
}

impl Provider {
    /// A provider that offers `groups`, or all if there are none.
    pub(super) fn new(entropy: [u8; 32], groups: Vec<KeyExchangeAlgorithm>, log: KeyLog) -> Self {
        let random = Random(Mutex::new(ChaCha20Rng::from_seed(entropy)));
        Self { crypto: Crypto { groups, log, ring: RingCrypto }, random }
    }
}

impl RTCCryptoProvider for Provider {
    fn name(&self) -> &'static str {
        RingProvider::new().name()
    }

    fn crypto(&self) -> &dyn RTCCrypto {
        &self.crypto
    }

    fn random(&self) -> &dyn RTCRandom {
        &self.random
    }
}

struct Random(Mutex<ChaCha20Rng>);

impl RTCRandom for Random {
    fn fill(&self, output: &mut [u8]) -> Result<(), CryptoError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(output);
        Ok(())
    }
}

struct Crypto {
    groups: Vec<KeyExchangeAlgorithm>,
    log: KeyLog,
    ring: RingCrypto,
}

impl RTCCrypto for Crypto {
    fn supports(&self, algorithm: CryptoAlgorithm) -> bool {
        let narrowed_away = matches!(algorithm, CryptoAlgorithm::KeyExchange(group)
            if !self.groups.is_empty() && !self.groups.contains(&group));
        !narrowed_away && self.ring.supports(algorithm)
    }

    fn hash(&self, algorithm: HashAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.ring.hash(algorithm, data)
    }

    fn new_hmac(&self, algorithm: HmacAlgorithm, key: &[u8]) -> Result<Box<dyn Mac>, CryptoError> {
        let mac = self.ring.new_hmac(algorithm, key)?;
        Ok(Box::new(OverheardMac { key: key.to_vec(), log: Arc::clone(&self.log), mac }))
    }

    fn new_aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, CryptoError> {
        self.ring.new_aead(algorithm, key)
    }

    fn new_cbc(&self, algorithm: CbcAlgorithm, key: &[u8]) -> Result<Box<dyn CbcCipher>, CryptoError> {
        self.ring.new_cbc(algorithm, key)
    }

    fn start_key_exchange(&self, algorithm: KeyExchangeAlgorithm) -> Result<Box<dyn ActiveKeyExchange>, CryptoError> {
        self.ring.start_key_exchange(algorithm)
    }

    fn verify_signature(
        &self,
        scheme: SignatureScheme,
        public_key: PublicKey<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        self.ring.verify_signature(scheme, public_key, message, signature)
    }
}

struct OverheardMac {
    key: Vec<u8>,
    log: KeyLog,
    mac: Box<dyn Mac>,
}

impl Mac for OverheardMac {
    fn output_len(&self) -> usize {
        self.mac.output_len()
    }

    fn sign(&mut self, input: &[&[u8]], output: &mut [u8]) -> Result<(), CryptoError> {
        if let [data] = input
            && let Some(line) = key_log::line(&self.key, data)
        {
            self.log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
        self.mac.sign(input, output)
    }

    fn verify(&mut self, input: &[&[u8]], expected: &[u8]) -> Result<(), CryptoError> {
        self.mac.verify(input, expected)
    }
}

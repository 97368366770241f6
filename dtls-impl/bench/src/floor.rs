//! The primitives that a handshake cannot do without, called one after the other with nothing between them.

use std::sync::Arc;

use dtls_impl::crypto::{AeadAlgorithm, CryptoProvider, Group, HashAlgorithm, SigningKey};
use dtls_impl::pki::ServerVerifier;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rustls_pki_types::{CertificateDer, ServerName};

use crate::PAYLOAD;
use crate::identity::{DATE, Identity, NAME};
use crate::native::Provider;

/// HMACs of a DTLS 1.3 handshake without PSK, of both sides: early, handshake and master secret with the steps between
/// them (6 each), two times two traffic secrets, four times three keys, two Finished made and two checked, and an
/// exporter secret.
const HMACS_CERTIFICATE_13: usize = 2 * (6 + 4 + 12 + 4 + 1);
/// HMACs of a DTLS 1.2 handshake, of both sides: P_SHA256 of the master secret (2 blocks, 4 calls), of the key block
/// (40 bytes: 2 blocks, 4 calls) and of two Finished (1 block, 2 calls each).
const HMACS_12: usize = 2 * (4 + 4 + 4);

/// Primitives with their keys.
pub struct Floor {
    provider: Arc<dyn CryptoProvider>,
    identity: Identity,
    verifier: ServerVerifier,
    key: Arc<dyn SigningKey>,
}

impl Floor {
    /// Loads keys and roots.
    pub fn new(provider: &Provider) -> Self {
        let identity = Identity::new();
        let verifier = ServerVerifier::new(vec![identity.root.clone()]).expect("a root");
        let provider = Arc::clone(&provider.inner);
        let key = provider.signing_key(&identity.key()).expect("a key");
        Self { provider, identity, verifier, key }
    }

    fn exchange(&self) {
        let mut random = ChaCha20Rng::seed_from_u64(1);
        let mut start = || self.provider.key_exchange(Group::X25519, &mut random).expect("a key");
        let (client, server) = (start(), start());
        let (client_share, server_share) = (client.public_key().to_vec(), server.public_key().to_vec());
        let one = client.complete(&server_share).expect("a point");
        let other = server.complete(&client_share).expect("a point");
        assert!(one == other);
    }

    /// Signs once, follows the chain of one certificate, checks the signature.
    fn authenticate(&self) {
        let content = [b' '; 130];
        let scheme = self.key.schemes()[0];
        let signature = self.key.sign(scheme, &content, &mut ChaCha20Rng::seed_from_u64(2)).expect("a signature");
        let chain: [CertificateDer<'static>; 1] = [self.identity.leaf.clone()];
        let name = ServerName::try_from(NAME).expect("a name");
        self.verifier.verify_chain(&chain, Some(&name), DATE, &*self.provider).expect("a good chain");
        dtls_impl::pki::verify_signed(&*self.provider, &chain[0], scheme, &content, &signature)
            .expect("a good signature");
    }

    fn hmacs(&self, count: usize) {
        for _ in 0..count {
            std::hint::black_box(self.provider.hmac(HashAlgorithm::Sha256, &[7; 32], &[&[8; 50]]));
        }
    }

    fn record_keys(&self, count: usize) {
        for _ in 0..count {
            std::hint::black_box(self.provider.aead(AeadAlgorithm::Aes128Gcm, &[7; 16]).expect("a key"));
        }
    }

    fn records(&self, count: usize, len: usize) {
        let aead = self.provider.aead(AeadAlgorithm::Aes128Gcm, &[7; 16]).expect("a key");
        let mut buffer = Vec::with_capacity(len + 16);
        for _ in 0..count {
            buffer.clear();
            buffer.resize(len, 3);
            aead.seal(&[1; 12], &[2; 13], &mut buffer, 0).expect("room");
            aead.open(&[1; 12], &[2; 13], &mut buffer).expect("the same keys");
        }
    }

    /// DTLS 1.3 with a certificate: five protected records, eight sets of keys.
    pub fn certificate13(&self) {
        self.exchange();
        self.authenticate();
        self.hmacs(HMACS_CERTIFICATE_13);
        self.record_keys(8);
        self.records(5, 200);
    }

    /// DTLS 1.2 with a certificate: two protected records, four sets of keys.
    pub fn certificate12(&self) {
        self.exchange();
        self.authenticate();
        self.hmacs(HMACS_12);
        self.record_keys(4);
        self.records(2, 24);
    }

    /// DTLS 1.2 with a shared key.
    pub fn psk12(&self) {
        self.hmacs(HMACS_12);
        self.record_keys(4);
        self.records(2, 24);
    }

    /// DTLS 1.3 with a shared key: a binder more on each side, no signatures.
    pub fn psk13(&self) {
        self.exchange();
        self.hmacs(HMACS_CERTIFICATE_13 + 2 * 4);
        self.record_keys(8);
        self.records(3, 60);
    }

    /// One record under keys that are there.
    pub fn record(&self) -> Record {
        let aead = self.provider.aead(AeadAlgorithm::Aes128Gcm, &[7; 16]).expect("a key");
        Record { aead, buffer: Vec::with_capacity(PAYLOAD + 16) }
    }
}

/// A key, and room for a record.
pub struct Record {
    aead: Box<dyn dtls_impl::crypto::Aead>,
    buffer: Vec<u8>,
}

impl Record {
    /// Seals and opens one record.
    pub fn seal_and_open(&mut self, data: &[u8]) {
        self.buffer.clear();
        self.buffer.extend_from_slice(data);
        self.aead.seal(&[1; 12], &[2; 13], &mut self.buffer, 0).expect("room");
        self.aead.open(&[1; 12], &[2; 13], &mut self.buffer).expect("the same keys");
    }
}

//! What the floors are made of: the crates behind the providers of `dtls-impl`, called without it. Hashes and HMACs are
//! of the same crates under both names, as they are in `dtls-impl`.

use aes::cipher::BlockCipherEncrypt;
use aes_gcm::{AeadInOut, KeyInit};
use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey, quic};
use aws_lc_rs::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use hmac::{Hmac, Mac};
use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::DecodePrivateKey;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rustls_pki_types::PrivateKeyDer;
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::native::Provider;

/// Length of every hash, HMAC and secret here.
pub const HASH_LEN: usize = 32;
/// Length of every tag.
const TAG_LEN: usize = 16;

/// Whose primitives.
#[derive(Clone, Copy, Debug)]
pub enum Crates {
    /// RustCrypto's.
    RustCrypto,
    /// Those of `aws-lc-rs`, but for hashes.
    AwsLc,
}

impl Crates {
    /// Those behind a provider.
    pub fn of(provider: &Provider) -> Self {
        if provider.name == "RustCrypto" { Self::RustCrypto } else { Self::AwsLc }
    }

    /// Two ephemeral keys, two agreements.
    pub fn exchange(self, random: &mut ChaCha20Rng) {
        match self {
            Self::RustCrypto => {
                let mut draw = || {
                    let mut bytes = [0; 32];
                    random.fill_bytes(&mut bytes);
                    let secret = StaticSecret::from(bytes);
                    let public = PublicKey::from(&secret);
                    (secret, public)
                };
                let ((client, client_share), (server, server_share)) = (draw(), draw());
                let one = client.diffie_hellman(&server_share);
                let other = server.diffie_hellman(&client_share);
                assert!(one.as_bytes() == other.as_bytes());
            }
            Self::AwsLc => {
                let draw = || {
                    let secret =
                        EphemeralPrivateKey::generate(&agreement::X25519, &SystemRandom::new()).expect("a key");
                    let public = secret.compute_public_key().expect("a share");
                    (secret, public)
                };
                let agree = |own, peer: &agreement::PublicKey| {
                    let peer = UnparsedPublicKey::new(&agreement::X25519, peer.as_ref());
                    let copy = |shared: &[u8]| -> Result<[u8; 32], &str> { Ok(shared.try_into().expect("32 bytes")) };
                    agreement::agree_ephemeral(own, peer, "a point", copy).expect("a point")
                };
                let ((client, client_share), (server, server_share)) = (draw(), draw());
                assert!(agree(client, &server_share) == agree(server, &client_share));
            }
        }
    }

    /// A key of one direction.
    pub fn sealing(self, key: &[u8]) -> Sealing {
        match (self, key.len()) {
            (Self::RustCrypto, 16) => Sealing::Small(Box::new(aes_gcm::Aes128Gcm::new_from_slice(key).expect("a key"))),
            (Self::RustCrypto, _) => Sealing::Large(Box::new(aes_gcm::Aes256Gcm::new_from_slice(key).expect("a key"))),
            (Self::AwsLc, len) => {
                let algorithm = if len == 16 { &aead::AES_128_GCM } else { &aead::AES_256_GCM };
                Sealing::AwsLc(LessSafeKey::new(UnboundKey::new(algorithm, key).expect("a key")))
            }
        }
    }

    /// A key that hides record numbers.
    pub fn masking(self, key: &[u8; 16]) -> Masking {
        match self {
            Self::RustCrypto => Masking::RustCrypto(aes::Aes128::new(key.into())),
            Self::AwsLc => Masking::AwsLc(quic::HeaderProtectionKey::new(&quic::AES_128, key).expect("a key")),
        }
    }

    /// A key that signs.
    pub fn signing(self, key: &PrivateKeyDer<'_>) -> Signing {
        match self {
            Self::RustCrypto => {
                Signing::RustCrypto(p256::ecdsa::SigningKey::from_pkcs8_der(key.secret_der()).expect("a key"))
            }
            Self::AwsLc => {
                let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.secret_der());
                Signing::AwsLc(key.expect("a key"))
            }
        }
    }
}

/// AES-GCM under one key: AES-128 for records, AES-256 for tickets.
pub enum Sealing {
    /// AES-128 of RustCrypto.
    Small(Box<aes_gcm::Aes128Gcm>),
    /// AES-256 of RustCrypto.
    Large(Box<aes_gcm::Aes256Gcm>),
    /// Both of `aws-lc-rs`.
    AwsLc(LessSafeKey),
}

impl Sealing {
    /// Encrypts what is in the buffer and adds a tag.
    pub fn seal(&self, aad: &[u8], buffer: &mut Vec<u8>) {
        let nonce = [1; 12];
        let tag: [u8; TAG_LEN] = match self {
            Self::Small(key) => {
                key.encrypt_inout_detached(&nonce.into(), aad, (&mut buffer[..]).into()).expect("room").into()
            }
            Self::Large(key) => {
                key.encrypt_inout_detached(&nonce.into(), aad, (&mut buffer[..]).into()).expect("room").into()
            }
            Self::AwsLc(key) => {
                let nonce = Nonce::assume_unique_for_key(nonce);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), buffer).expect("room");
                tag.as_ref().try_into().expect("16 bytes")
            }
        };
        buffer.extend_from_slice(&tag);
    }

    /// Checks the tag and decrypts.
    pub fn open(&self, aad: &[u8], buffer: &mut [u8]) {
        let nonce = [1; 12];
        if let Self::AwsLc(key) = self {
            key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad), buffer).expect("the same keys");
            return;
        }
        let (text, tag) = buffer.split_last_chunk_mut::<TAG_LEN>().expect("a tag");
        let tag = (*tag).into();
        match self {
            Self::Small(key) => {
                key.decrypt_inout_detached(&nonce.into(), aad, text.into(), &tag).expect("the same keys")
            }
            Self::Large(key) => {
                key.decrypt_inout_detached(&nonce.into(), aad, text.into(), &tag).expect("the same keys")
            }
            Self::AwsLc(_) => unreachable!("answered above"),
        }
    }
}

/// AES for the masks of record numbers.
pub enum Masking {
    /// Of RustCrypto.
    RustCrypto(aes::Aes128),
    /// Of `aws-lc-rs`.
    AwsLc(quic::HeaderProtectionKey),
}

impl Masking {
    /// The mask of a record whose ciphertext starts so.
    pub fn mask(&self, ciphertext: &[u8]) -> u8 {
        let sample: &[u8; 16] = ciphertext.first_chunk().expect("a sample");
        match self {
            Self::RustCrypto(key) => {
                let mut block = (*sample).into();
                key.encrypt_block(&mut block);
                block[0]
            }
            Self::AwsLc(key) => key.new_mask(sample).expect("a sample")[0],
        }
    }
}

/// ECDSA on P-256 with SHA-256.
pub enum Signing {
    /// Of RustCrypto.
    RustCrypto(p256::ecdsa::SigningKey),
    /// Of `aws-lc-rs`.
    AwsLc(EcdsaKeyPair),
}

impl Signing {
    /// A signature in DER.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::RustCrypto(key) => {
                let signature: p256::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
            Self::AwsLc(key) => key.sign(&SystemRandom::new(), message).expect("a signature").as_ref().to_vec(),
        }
    }
}

/// HMAC of so many bytes.
pub fn hmac(key: &[u8; HASH_LEN], len: usize) -> [u8; HASH_LEN] {
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("any length");
    mac.update(&[8; 128][..len]);
    mac.finalize().into_bytes().into()
}

/// The PRF of DTLS 1.2 (RFC 5246 §5): label and seed of `seed_len` bytes, `out_len` bytes of output. The key is set up once.
pub fn prf(key: &[u8], seed_len: usize, out_len: usize) -> [u8; HASH_LEN] {
    let keyed = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("any length");
    let mac = |parts: [&[u8]; 2]| -> [u8; HASH_LEN] {
        let mut mac = keyed.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    };
    let seed = &[9; 128][..seed_len];
    let mut a = mac([seed, &[]]);
    let mut block = mac([&a, seed]);
    for _ in 1..out_len.div_ceil(HASH_LEN) {
        a = mac([&a, &[]]);
        block = mac([&a, seed]);
    }
    block
}

/// A hash over messages of these lengths, read `reads` times on the way.
pub fn transcript(messages: &[usize], reads: usize) {
    let mut hash = Sha256::new();
    for len in messages {
        hash.update(&[5; 1024][..*len]);
    }
    for _ in 0..reads {
        std::hint::black_box(hash.clone().finalize());
    }
}

/// A generator of one connection, and a hello's random.
pub fn random(seed: u8) -> ChaCha20Rng {
    let mut random = ChaCha20Rng::from_seed([seed; 32]);
    let mut hello = [0; 32];
    random.fill_bytes(&mut hello);
    std::hint::black_box(hello);
    random
}

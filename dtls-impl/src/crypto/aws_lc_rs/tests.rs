//! Against the default provider, whose primitives have the published vectors: what one makes the other reads.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rustls_pki_types::PrivateSec1KeyDer;

use super::*;
use crate::crypto::rustcrypto;
use crate::entropy::{Entropy, Seed};

const ALGORITHMS: [AeadAlgorithm; 5] = [
    AeadAlgorithm::Aes128Gcm,
    AeadAlgorithm::Aes256Gcm,
    AeadAlgorithm::ChaCha20Poly1305,
    AeadAlgorithm::Aes128Ccm,
    AeadAlgorithm::Aes128Ccm8,
];

fn both() -> [Arc<dyn CryptoProvider>; 2] {
    [provider(), rustcrypto::provider()]
}

#[test]
fn records_sealed_by_one_are_opened_by_the_other_and_changed_ones_by_neither() {
    for algorithm in ALGORITHMS {
        let key: Vec<u8> = (0..algorithm.key_len()).map(|i| i as u8).collect();
        let [own, other] = both().map(|provider| provider.aead(algorithm, &key).unwrap());
        for len in [0, 1, 15, 16, 17, 1000] {
            let plaintext: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let sealed = [&own, &other].map(|aead| {
                let mut buffer = [b"head", &plaintext[..]].concat();
                aead.seal(&[7; 12], b"aad", &mut buffer, 4).unwrap();
                buffer
            });
            assert_eq!(sealed[0], sealed[1], "{algorithm:?}");
            for aead in [&own, &other] {
                let mut good = sealed[0][4..].to_vec();
                assert_eq!(aead.open(&[7; 12], b"aad", &mut good), Ok(plaintext.len()));
                assert_eq!(good[..len], plaintext);
                for at in [0, sealed[0].len() - 5] {
                    let mut changed = sealed[0][4..].to_vec();
                    changed[at] ^= 1;
                    assert_eq!(aead.open(&[7; 12], b"aad", &mut changed), Err(CryptoError::BadTagOrSignature));
                }
                let mut short = vec![0; algorithm.tag_len() - 1];
                assert_eq!(aead.open(&[7; 12], b"aad", &mut short), Err(CryptoError::BadTagOrSignature));
            }
        }
        assert!(provider().aead(algorithm, &key[1..]).is_err(), "a short key");
    }
}

#[test]
fn both_hide_record_numbers_alike() {
    for algorithm in ALGORITHMS {
        let key: Vec<u8> = (0..algorithm.key_len()).map(|i| i as u8).collect();
        let [own, other] = both().map(|provider| provider.number_cipher(algorithm, &key).unwrap());
        for byte in 0..=255 {
            let sample = core::array::from_fn(|i| byte ^ (17 * i) as u8);
            assert_eq!(own.mask(&sample), other.mask(&sample), "{algorithm:?}");
        }
        assert!(provider().number_cipher(algorithm, &key[1..]).is_err());
    }
}

#[test]
fn both_agree_on_secrets_and_refuse_bad_points() {
    let mut random = ChaCha20Rng::seed_from_u64(1);
    for group in [Group::X25519, Group::Secp256r1, Group::Secp384r1] {
        let [own, other] = both().map(|provider| provider.key_exchange(group, &mut random).unwrap());
        let shares = [own.public_key().to_vec(), other.public_key().to_vec()];
        assert_eq!(own.complete(&shares[1]).unwrap(), other.complete(&shares[0]).unwrap());
        let mut compressed = shares[1][..shares[1].len() / 2 + 1].to_vec();
        compressed[0] = 2;
        let mut off_curve = vec![4; shares[1].len()];
        off_curve[5] = 9;
        let zero = vec![0; shares[1].len()];
        for point in [zero, compressed, shares[1][1..].to_vec(), Vec::new()] {
            let key = provider().key_exchange(group, &mut random).unwrap();
            assert_eq!(key.complete(&point), Err(CryptoError::BadPublicKey), "{group:?} {point:02x?}");
        }
        if group != Group::X25519 {
            let key = provider().key_exchange(group, &mut random).unwrap();
            assert_eq!(key.complete(&off_curve), Err(CryptoError::BadPublicKey));
        }
    }
}

#[test]
fn each_answers_shares_of_the_other_and_refuses_bad_ones() {
    let mut random = ChaCha20Rng::seed_from_u64(1);
    for group in [Group::X25519, Group::Secp256r1, Group::Secp384r1, Group::X25519MlKem768] {
        for [asking, answering] in [both(), [rustcrypto::provider(), provider()], [provider(), provider()]] {
            let own = asking.key_exchange(group, &mut random).unwrap();
            let share = own.public_key().to_vec();
            let answer = answering.respond(group, &share, &mut random).unwrap();
            assert_eq!(own.complete(&answer.share).unwrap(), answer.secret, "{group:?}");
            let with_zeros = [&share[..share.len() - 32], &[0; 32]].concat();
            for bad in [with_zeros, share[1..].to_vec(), [&share[..], &[0]].concat(), Vec::new()] {
                let refused = answering.respond(group, &bad, &mut random);
                assert_eq!(refused.err(), Some(CryptoError::BadPublicKey), "{group:?}");
            }
            if group == Group::X25519MlKem768 {
                let unreduced = [&[0xff, 0xff], &share[2..]].concat();
                let refused = answering.respond(group, &unreduced, &mut random);
                assert_eq!(refused.err(), Some(CryptoError::BadPublicKey));
            }
        }
    }
}

#[test]
fn signatures_of_one_are_good_for_the_other() {
    let secret = p256::SecretKey::from_slice(&[9; 32]).unwrap();
    let der = PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(secret.to_sec1_der().unwrap().to_vec()));
    let point = {
        use p256::elliptic_curve::sec1::ToSec1Point;
        secret.public_key().to_sec1_point(false).as_bytes().to_vec()
    };
    for signer in both() {
        let key = signer.signing_key(&der).unwrap();
        assert_eq!(key.schemes(), [SignatureScheme::EcdsaSecp256r1Sha256]);
        let mut random = Entropy::new(&Seed([1; 32]));
        let signature = key.sign(SignatureScheme::EcdsaSecp256r1Sha256, b"message", &mut random).unwrap();
        for verifier in both() {
            let verify = verifier.signature_algorithms()[0];
            assert!(verify.verify_signature(&point, b"message", &signature).is_ok());
            assert!(verify.verify_signature(&point, b"another", &signature).is_err());
        }
    }
    assert!(provider().signing_key(&PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(vec![1, 2, 3]))).is_err());
    let names =
        both().map(|provider| provider.signature_algorithms().iter().map(|a| a.signature_alg_id()).collect::<Vec<_>>());
    assert_eq!(names[0], names[1], "both verify the same");
}

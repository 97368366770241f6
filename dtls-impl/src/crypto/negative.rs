//! What every provider must refuse: keys, points, signatures and records that are almost right. Made from what the RFCs
//! say of each encoding; each case stands beside one that is good, so that a provider that refuses everything fails, too.

mod rsa_vectors;

use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rustls_pki_types::{AlgorithmIdentifier, alg_id};

use self::rsa_vectors::{MESSAGE, RSA_PKCS1, RSA_PSS, RSA_PUBLIC};
use super::test_vectors::hex;
use super::{AeadAlgorithm, CryptoError, CryptoProvider, Group, Secret};

fn providers() -> Vec<Arc<dyn CryptoProvider>> {
    vec![
        super::rustcrypto::provider(),
        #[cfg(feature = "aws-lc-rs")]
        super::aws_lc_rs::provider(),
    ]
}

/// What comes of a share, from whoever is first to speak and from whoever is second.
fn agree(provider: &dyn CryptoProvider, group: Group, share: &[u8]) -> [Result<Secret, CryptoError>; 2] {
    let mut random = ChaCha20Rng::seed_from_u64(1);
    let first = provider.key_exchange(group, &mut random).unwrap();
    [first.complete(share), provider.respond(group, share, &mut random).map(|response| response.secret)]
}

fn refuses_share(group: Group, what: &str, share: &[u8]) {
    for provider in providers() {
        for result in agree(&*provider, group, share) {
            assert_eq!(result, Err(CryptoError::BadPublicKey), "{provider:?} {group:?}: {what}");
        }
    }
}

fn takes_share(group: Group, what: &str, share: &[u8]) {
    for provider in providers() {
        for result in agree(&*provider, group, share) {
            assert!(result.is_ok(), "{provider:?} {group:?}: {what}");
        }
    }
}

/// RFC 7748 §6.1: the points whose multiples are all zero, in every encoding that there is of them.
#[test]
fn x25519_points_of_small_order_are_refused() {
    let mut points = vec![
        hex("0000000000000000000000000000000000000000000000000000000000000000"),
        hex("0100000000000000000000000000000000000000000000000000000000000000"),
        hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
        // p - 1, p, and p + 1.
        hex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        hex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ];
    // The bit above the coordinate does not count (RFC 7748 §5).
    let with_bit = points.iter().map(|point| [&point[..31], &[point[31] | 0x80]].concat()).collect::<Vec<_>>();
    points.extend(with_bit);
    for point in points {
        refuses_share(Group::X25519, &format!("{point:02x?}"), &point);
    }
}

/// RFC 7748 §5: coordinates are taken modulo p, whatever they are.
#[test]
fn x25519_coordinates_that_are_not_reduced_are_taken_as_what_they_mean() {
    let nine = hex("0900000000000000000000000000000000000000000000000000000000000000");
    let unreduced = hex("f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
    let with_bit = hex("0900000000000000000000000000000000000000000000000000000000000080");
    let provider = super::rustcrypto::provider();
    let secrets = [&nine, &unreduced, &with_bit].map(|point| agree(&*provider, Group::X25519, point));
    assert_eq!(secrets[0], secrets[1]);
    assert_eq!(secrets[0], secrets[2]);
    for point in [nine, unreduced, with_bit] {
        takes_share(Group::X25519, "not reduced", &point);
    }
}

#[test]
fn x25519_shares_of_other_lengths_are_refused() {
    for len in [0, 1, 31, 33, 64, 65] {
        refuses_share(Group::X25519, "length", &vec![9; len]);
    }
}

struct Curve {
    group: Group,
    /// The field's prime.
    p: &'static str,
    /// y of the point whose x is zero.
    y_of_zero: &'static str,
}

const CURVES: [Curve; 2] = [
    Curve {
        group: Group::Secp256r1,
        p: "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
        y_of_zero: "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4",
    },
    Curve {
        group: Group::Secp384r1,
        p: "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
        y_of_zero: "c306610fb0ae5a159cf45c06069f22a6c5eb3641c602d42dea2c4b4f75550793406d80d2b91ad54f9048bd487af1ade1",
    },
];

#[test]
fn points_are_on_their_curve_uncompressed_and_reduced() {
    for Curve { group, p, y_of_zero } in CURVES {
        let (p, y) = (hex(p), hex(y_of_zero));
        let zero = vec![0; p.len()];
        let point = |form: u8, x: &[u8], y: &[u8]| [&[form], x, y].concat();
        let good = point(4, &zero, &y);
        takes_share(group, "x of zero", &good);

        let mut off = y.clone();
        off[y.len() - 1] ^= 1;
        let parity = y[y.len() - 1] & 1;
        for (what, share) in [
            ("infinity", vec![0]),
            ("infinity, filled up", vec![0; good.len()]),
            ("the origin", point(4, &zero, &zero)),
            ("off the curve", point(4, &zero, &off)),
            ("x is not reduced", point(4, &p, &y)),
            ("y is p", point(4, &zero, &p)),
            ("all ones", point(4, &vec![0xff; p.len()], &vec![0xff; p.len()])),
            ("compressed", point(2 + parity, &zero, &[])),
            ("hybrid form", point(6 + parity, &zero, &y)),
            ("form 0", point(0, &zero, &y)),
            ("form 5", point(5, &zero, &y)),
            ("coordinates alone", good[1..].to_vec()),
            ("a byte less", good[..good.len() - 1].to_vec()),
            ("a byte more", [&good[..], &[0]].concat()),
            ("nothing", Vec::new()),
        ] {
            refuses_share(group, what, &share);
        }
    }
    // A point of one curve is none of the other.
    let p256 = [&[4][..], &[0; 32], &hex(CURVES[0].y_of_zero)].concat();
    refuses_share(Group::Secp384r1, "of P-256", &p256);
}

#[test]
fn hybrid_shares_of_wrong_lengths_or_values_are_refused() {
    for provider in providers() {
        for other in providers() {
            let mut random = ChaCha20Rng::seed_from_u64(1);
            let mut key = || provider.key_exchange(Group::X25519MlKem768, &mut random).unwrap();
            let share = key().public_key().to_vec();
            // Coefficients have 12 bits each, two in three bytes; the last are just before the seed of 32 bytes.
            let with = |at: usize, bytes: &[u8]| {
                let mut share = share.clone();
                share[at..at + bytes.len()].copy_from_slice(bytes);
                share
            };
            let cases = [
                ("the first coefficient is q", with(0, &[0x01, 0x0d])),
                ("the last coefficient is all ones", with(1150, &[0xf0, 0xff])),
                ("the point is zero", with(1184, &[0; 32])),
                ("a byte less", share[..1215].to_vec()),
                ("a byte more", [&share[..], &[0]].concat()),
                ("no point", share[..1184].to_vec()),
                ("nothing", Vec::new()),
            ];
            let mut random = ChaCha20Rng::seed_from_u64(2);
            for (what, bad) in cases {
                let refused = other.respond(Group::X25519MlKem768, &bad, &mut random).err();
                assert_eq!(refused, Some(CryptoError::BadPublicKey), "{other:?}: {what}");
            }
            let answer = other.respond(Group::X25519MlKem768, &share, &mut random).unwrap().share;
            let zero = [&answer[..1088], &[0; 32]].concat();
            let longer = [&answer[..], &[0]].concat();
            for bad in [&zero[..], &longer, &answer[1..], &answer[..1088], &[]] {
                assert_eq!(key().complete(bad), Err(CryptoError::BadPublicKey), "{provider:?}");
            }
        }
    }
}

fn verifies(
    provider: &dyn CryptoProvider,
    key_id: AlgorithmIdentifier,
    signature_id: AlgorithmIdentifier,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    let fits = |algorithm: &&&dyn rustls_pki_types::SignatureVerificationAlgorithm| {
        algorithm.public_key_alg_id() == key_id && algorithm.signature_alg_id() == signature_id
    };
    let algorithm = provider.signature_algorithms().iter().find(fits).expect("every provider has it");
    algorithm.verify_signature(key, message, signature).is_ok()
}

/// DER of one type, with a length below 128.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
}

/// The key of RFC 6979 §A.2.5, and its signature of "sample" with SHA-256, of which both halves have their first bit set.
const P256_KEY: &str = "04 60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6 \
    7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
const P256_R: &str = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
const P256_S: &str = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
const P256_N: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
/// `P256_S` plus the order.
const P256_S_PLUS_N: &str = "01f7cb1c932d657c42d436c7a1b6e29f65b0cffb8960c7928b417e75f2809df2f9";

#[test]
fn ecdsa_signatures_are_in_range_and_in_der() {
    let integer = |value: &str| der(2, &[&[0][..], &hex(value)].concat());
    let sequence = |parts: &[&[u8]]| der(0x30, &parts.concat());
    let (r, s, n) = (integer(P256_R), integer(P256_S), integer(P256_N));
    let (zero, one) = (der(2, &[0]), der(2, &[1]));
    let key = hex(P256_KEY);
    let check = |provider: &dyn CryptoProvider, signature: &[u8]| {
        verifies(provider, alg_id::ECDSA_P256, alg_id::ECDSA_SHA256, &key, b"sample", signature)
    };
    let good = sequence(&[&r, &s]);
    let body = &good[2..];
    let bad = [
        ("r is zero", sequence(&[&zero, &s])),
        ("s is zero", sequence(&[&r, &zero])),
        ("both are zero", sequence(&[&zero, &zero])),
        ("both are one", sequence(&[&one, &one])),
        ("r is the order", sequence(&[&n, &s])),
        ("s is the order", sequence(&[&r, &n])),
        ("s is larger than the order", sequence(&[&r, &der(2, &hex(P256_S_PLUS_N))])),
        ("r is negative", sequence(&[&der(2, &hex(P256_R)), &s])),
        ("s is negative", sequence(&[&r, &der(2, &hex(P256_S))])),
        ("r has a zero too many", sequence(&[&der(2, &[&[0, 0][..], &hex(P256_R)].concat()), &s])),
        ("s is empty", sequence(&[&r, &der(2, &[])])),
        ("s is missing", sequence(&[&r])),
        ("there is a third integer", sequence(&[&r, &s, &one])),
        ("bytes follow", [&good[..], &[0]].concat()),
        ("bytes follow inside", sequence(&[&r, &s, &[0]])),
        ("the length is in long form", [&[0x30, 0x81, body.len() as u8][..], body].concat()),
        ("the length is indefinite", [&[0x30, 0x80][..], body, &[0, 0]].concat()),
        ("the length is too long", [&[0x30, body.len() as u8 + 1][..], body].concat()),
        ("the length is too short", [&[0x30, body.len() as u8 - 1][..], body].concat()),
        ("it is a set", der(0x31, body)),
        ("r is an octet string", sequence(&[&der(4, &[&[0][..], &hex(P256_R)].concat()), &s])),
        ("it is not in DER", [hex(P256_R), hex(P256_S)].concat()),
        ("it is empty", Vec::new()),
    ];
    for provider in providers() {
        assert!(check(&*provider, &good), "{provider:?}");
        for (what, signature) in &bad {
            assert!(!check(&*provider, signature), "{provider:?}: {what}");
        }
        let other_curve = verifies(&*provider, alg_id::ECDSA_P384, alg_id::ECDSA_SHA256, &key, b"sample", &good);
        assert!(!other_curve, "a key of P-256 is none of P-384");
    }
}

/// RFC 8032 §5.1.7: S must be less than the order L.
#[test]
fn ed25519_signatures_are_in_range_and_whole() {
    // RFC 8032 §7.1, test 3; then its S plus L, and L.
    let key = hex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
    let r = hex("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac");
    let s = hex("18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
    let s_plus_l = hex("05d391b0a77904e98404ef037747a56e4a7c15e9716ed28dc027beceea1ec41a");
    let l = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let good = [&r[..], &s].concat();
    let check = |provider: &dyn CryptoProvider, key: &[u8], signature: &[u8]| {
        verifies(provider, alg_id::ED25519, alg_id::ED25519, key, &[0xaf, 0x82], signature)
    };
    for provider in providers() {
        assert!(check(&*provider, &key, &good), "{provider:?}");
        for (what, signature) in [
            ("S is not reduced", [&r[..], &s_plus_l].concat()),
            ("S is the order", [&r[..], &l].concat()),
            ("S has its highest bits set", [&r[..], &[0xff; 32]].concat()),
            ("S is zero", [&r[..], &[0; 32]].concat()),
            ("R is none", [&[0xff; 32][..], &s].concat()),
            ("the halves are exchanged", [&s[..], &r].concat()),
            ("a byte less", good[..63].to_vec()),
            ("a byte more", [&good[..], &[0]].concat()),
            ("nothing", Vec::new()),
        ] {
            assert!(!check(&*provider, &key, &signature), "{provider:?}: {what}");
        }
        for bad_key in [&key[..31], &[&key[..], &[0]].concat(), &[0xff; 32], &[]] {
            assert!(!check(&*provider, bad_key, &good), "{provider:?} {bad_key:02x?}");
        }
    }
}

#[test]
fn rsa_signatures_are_padded_as_they_must_be() {
    let key = hex(RSA_PUBLIC);
    for (signature_id, vectors) in [(alg_id::RSA_PKCS1_SHA256, RSA_PKCS1), (alg_id::RSA_PSS_SHA256, RSA_PSS)] {
        for provider in providers() {
            let check =
                |signature: &[u8]| verifies(&*provider, alg_id::RSA_ENCRYPTION, signature_id, &key, MESSAGE, signature);
            for (nth, (what, signature)) in vectors.iter().enumerate() {
                assert_eq!(check(&hex(signature)), nth == 0, "{provider:?}: {what}");
            }
            let good = hex(vectors[0].1);
            for bad in [&good[1..], &[&[0], &good[..]].concat(), &[&good[..], &[0]].concat(), &[0; 256], &[0xff; 256]] {
                assert!(!check(bad), "{provider:?}");
            }
        }
    }
}

#[test]
fn records_with_any_other_bit_nonce_or_header_are_refused() {
    for algorithm in [
        AeadAlgorithm::Aes128Gcm,
        AeadAlgorithm::Aes256Gcm,
        AeadAlgorithm::ChaCha20Poly1305,
        AeadAlgorithm::Aes128Ccm,
        AeadAlgorithm::Aes128Ccm8,
    ] {
        for provider in providers() {
            let aead = provider.aead(algorithm, &vec![3; algorithm.key_len()]).unwrap();
            let (nonce, aad) = ([5; 12], *b"header");
            let mut sealed = b"plaintext".to_vec();
            aead.seal(&nonce, &aad, &mut sealed, 0).unwrap();
            let open = |nonce: &[u8; 12], aad: &[u8], sealed: &[u8]| aead.open(nonce, aad, &mut sealed.to_vec());
            assert_eq!(open(&nonce, &aad, &sealed), Ok(9));
            let refused = Err(CryptoError::BadTagOrSignature);
            for bit in 0..8 * sealed.len() {
                let mut bad = sealed.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(open(&nonce, &aad, &bad), refused, "{provider:?} {algorithm:?}: bit {bit}");
            }
            for len in 0..sealed.len() {
                assert_eq!(open(&nonce, &aad, &sealed[..len]), refused, "{provider:?} {algorithm:?}: cut to {len}");
            }
            assert_eq!(open(&nonce, &aad, &[&sealed[..], &[0]].concat()), refused);
            for bit in 0..96 {
                let mut bad = nonce;
                bad[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(open(&bad, &aad, &sealed), refused, "{provider:?} {algorithm:?}: nonce");
            }
            for bad in [&b"Header"[..], b"heade", b"header\0", b""] {
                assert_eq!(open(&nonce, bad, &sealed), refused, "{provider:?} {algorithm:?}: header");
            }
        }
    }
}

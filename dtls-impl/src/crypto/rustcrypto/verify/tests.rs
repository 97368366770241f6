//! Published vectors, and RSA signatures made with OpenSSL by throw-away keys.

use super::*;
use crate::crypto::test_vectors::hex;

fn verifies(name: &str, public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let algorithm = ALGORITHMS.iter().find(|a| format!("{a:?}") == name).expect("the algorithm exists");
    algorithm.verify_signature(public_key, message, signature).is_ok()
}

/// Checks that a signature verifies, and that nothing near it does.
fn verifies_and_neighbours_do_not(name: &str, public_key: &[u8], message: &[u8], signature: &[u8]) {
    assert!(verifies(name, public_key, message, signature), "{name}");
    assert!(!verifies(name, public_key, &[message, b"!"].concat(), signature), "{name}: other message");
    assert!(!verifies(name, public_key, message, &[signature, b"\0"].concat()), "{name}: longer signature");
    // A bit in each eighth of the signature, its framing included: all bits of RSA would take seconds.
    for position in (0..signature.len()).step_by(signature.len() / 8) {
        let mut bad = signature.to_vec();
        bad[position] ^= 1;
        assert!(!verifies(name, public_key, message, &bad), "{name}: bit flipped in byte {position}");
    }
    for len in [0, 1, signature.len() / 2, signature.len() - 1] {
        assert!(!verifies(name, public_key, message, &signature[..len]), "{name}: cut to {len}");
    }
    for len in [0, 1, public_key.len() - 1] {
        assert!(!verifies(name, &public_key[..len], message, signature), "{name}: key cut to {len}");
    }
}

/// ECDSA-Sig-Value of two integers whose first bit is set, or not (RFC 3279 §2.2.3).
fn der_signature(r: &str, s: &str) -> Vec<u8> {
    let integer = |hex_digits: &str| {
        let mut value = hex(hex_digits);
        if value[0] & 0x80 != 0 {
            value.insert(0, 0);
        }
        [&[2, value.len() as u8], value.as_slice()].concat()
    };
    let body = [integer(r), integer(s)].concat();
    [&[0x30, body.len() as u8], body.as_slice()].concat()
}

/// RFC 6979 §A.2.5, message "sample".
#[test]
fn ecdsa_p256_matches_rfc_6979() {
    let key = hex("04 60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6 \
        7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
    let sha256 = der_signature(
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    );
    let sha384 = der_signature(
        "0eafea039b20e9b42309fb1d89e213057cbf973dc0cfc8f129edddc800ef7719",
        "4861f0491e6998b9455193e34e7b0d284ddd7149a74b95b9261f13abde940954",
    );
    verifies_and_neighbours_do_not("ecdsa-p256-sha256", &key, b"sample", &sha256);
    verifies_and_neighbours_do_not("ecdsa-p256-sha384", &key, b"sample", &sha384);
    assert!(!verifies("ecdsa-p256-sha384", &key, b"sample", &sha256), "the hash is part of the algorithm");
    assert!(!verifies("ecdsa-p384-sha256", &key, b"sample", &sha256), "so is the curve");
}

/// RFC 6979 §A.2.6, message "sample".
#[test]
fn ecdsa_p384_matches_rfc_6979() {
    let key =
        hex("04 ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13 \
        8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720");
    let sha256 = der_signature(
        "21b13d1e013c7fa1392d03c5f99af8b30c570c6f98d4ea8e354b63a21d3daa33bde1e888e63355d92fa2b3c36d8fb2cd",
        "f3aa443fb107745bf4bd77cb3891674632068a10ca67e3d45db2266fa7d1feebefdc63eccd1ac42ec0cb8668a4fa0ab0",
    );
    let sha384 = der_signature(
        "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46",
        "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8",
    );
    verifies_and_neighbours_do_not("ecdsa-p384-sha256", &key, b"sample", &sha256);
    verifies_and_neighbours_do_not("ecdsa-p384-sha384", &key, b"sample", &sha384);
}

/// RFC 8032 §7.1, test 3.
#[test]
fn ed25519_matches_rfc_8032() {
    let key = hex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
    let signature = hex("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
        18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
    verifies_and_neighbours_do_not("ed25519", &key, &[0xaf, 0x82], &signature);
}

#[test]
fn ed25519_refuses_the_identity_as_key() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    assert!(!verifies("ed25519", &identity, b"any message", &signature));
}

#[test]
fn rsa_signatures_made_with_openssl_verify() {
    let key = hex(RSA2048_PUBLIC);
    for (name, signature) in [
        ("rsa-pkcs1-sha256", RSA2048_PKCS1_SHA256),
        ("rsa-pkcs1-sha384", RSA2048_PKCS1_SHA384),
        ("rsa-pkcs1-sha512", RSA2048_PKCS1_SHA512),
        ("rsa-pss-sha256", RSA2048_PSS_SHA256),
        ("rsa-pss-sha384", RSA2048_PSS_SHA384),
        ("rsa-pss-sha512", RSA2048_PSS_SHA512),
    ] {
        verifies_and_neighbours_do_not(name, &key, MESSAGE, &hex(signature));
    }
    assert!(!verifies("rsa-pss-sha256", &key, MESSAGE, &hex(RSA2048_PKCS1_SHA256)), "padding is part of the algorithm");
}

#[test]
fn pss_salts_must_be_as_long_as_the_hash() {
    assert!(!verifies("rsa-pss-sha256", &hex(RSA2048_PUBLIC), MESSAGE, &hex(RSA2048_PSS_SHA256_SALT_20)));
}

#[test]
fn rsa_keys_below_2048_bits_are_refused() {
    let key = hex(RSA1024_PUBLIC);
    let signature = hex(RSA1024_PKCS1_SHA256);
    let parsed = rsa::PublicKey::from_pkcs1_der(&key).unwrap();
    let raw = pkcs1v15::Signature::try_from(signature.as_slice()).unwrap();
    pkcs1v15::VerifyingKey::<Sha256>::new(parsed).verify(MESSAGE, &raw).expect("the signature itself is right");
    assert!(!verifies("rsa-pkcs1-sha256", &key, MESSAGE, &signature));
    assert!(!verifies("rsa-pss-sha256", &key, MESSAGE, &hex(RSA1024_PSS_SHA256)));
}

const MESSAGE: &[u8] = b"signed by the test key";

const RSA2048_PUBLIC: &str = "\
    3082010a02820101008a1dbb9e9e1ca80b42c5ba443be1b7aad21e0e38071e512169d29171fcb64451aff570b9ff448ca5bfd93991a9e413 \
    743a3bb94e737e47aede07e886dd1488c1fdefd0a5edcf8c3754ad38df641ff632c670a7ccf0a5fe85196c300e95af195e92d3a5108f1f19 \
    e0956966de1be0f26ffaf0f10d7a6f4a774186ffc846c81b007cf6e0d273c959bb6495e0e31ff7509f9931b0a55d6fa5d07c74d14c6fb9cb \
    41357f0e4e223e316780117ae9c23704f1f36a08851eb0ee5fa516eaabfe72c6fc30bf20eca8154e78b63c2dea6e53cd24146cb1202ae3fa \
    8b60394b49540b92127d7ed45fb70cb881540cca6a580f6d8b5aff641a034a25e9939d21b7cb87dbfb0203010001";
const RSA2048_PKCS1_SHA256: &str = "\
    00e6268f53e05ec86ad7b59105a176e06d8ef1e72ba2fe92fa41ced243547cd80784d355257e0b95e9b3e234dcb4c4ddfaa03e9ed191d654 \
    309c75fd7bf4e8083fc24d1a35cb615b43b9895dd0feab370196bb2871492443640b5292bcecd4456bd9ed379b8a7f42767757cb9aaef95a \
    9a433dbf13e4409b2bece7ad09fb957f2e5581b7e37f557e961452bd78a77f8741281e7054af9beea37bda99b5e007203f570b10ac49eadf \
    b850899870d3696c870b126ba65694694b13abd1da0c052d7b92072ca5bd5d2cbab9af283721f5c6f082482332c11ccd7a9cf78eb8193ba8 \
    8608cdbb60a0bebabe6386c4412926b0f17fd6bc0d530cf453ee99f94b519e0e";
const RSA2048_PSS_SHA256: &str = "\
    0c36f623012030a31c65490178f5cca75f92de20d9c5fb9244311f7b3937e4ee88096e4c13869e06b24abc87c338703065f6ca48d3a52de4 \
    4de0447e26aea449ab9c7c78a0b8805530b11cdad5b2567a0c4b38b27fff11bb30cdc9d66cdd3c5432dbb755d84b86ac33739a51a8c77127 \
    d34ebef1786044eb89e77fd6844d5e63ef63302c1b6d6019f3fe48fbc4c15a37fc5055578ec3cab89fc7a55991da5266fa309654b2be487a \
    c84b397823b07e54952774140c45c3d00233b61fc37810f4091ee1c3782f231dc003d37ec08eab62b872dd95c2be0e74297f4d779b41a0de \
    cf00e20766d5634d2ee8daee380247f52b06c7389e4907696ccbb11cca16fcc0";
const RSA2048_PKCS1_SHA384: &str = "\
    47af20be550d6832df55f8fb29977101d86b12bacf0cb07dd1f32652069b3bf09f46172538a3c37a0e435ed36bbeeb239c3802ce8cd99397 \
    c6d85efa72f64f3e7c10cc6648b5268428ab5a1430c15423968835c104751304b1943d75ae71b8481e25cfb538088c2e1efb2c9e4c20b7b8 \
    f5bdbad30267d8717ea25a8efeca9a241c054b4e8164bb34a7e09b09c001fe7e8412d3a3f2b1dc42b4e031fe21d9f3765fc0b16d7fd21c75 \
    5be55381a4d0838d9eefd8de196389e9c0d345b420302f14fed8531b79cc030e3cef49080018d053222e36822e9f2f17a157daf65a816fa0 \
    0e6bac81a45214d7876acd4c2df978eb91fbb67cdd485060706093ea09993b16";
const RSA2048_PSS_SHA384: &str = "\
    1c482368ab3e46e36faf263c5b65785fb41c3a20c6f8768fc2f0eb06eaf2079a42f33d38e5636d5e526e9d7b2f367fcc4a3a4e170b0b909c \
    e8efa0adf674fff62eb381833c2b1903d2302e07b73d6eccdec2d3e85d7922f45989090a773d7dbad10e66d3d3919a71768d54a6241d3a4a \
    d23649045df94b59b79c64704b9b60c8d9c3e3c3becd5dcb520166a06a0c29722b6b854a07b95b51a0ed5b3d725f9675292ef70ebfd692f9 \
    c7edf5d31d5c37162ea26114d1d3bd5ae79cbecb02829d3b3e6f721ba417715e93635767e5cf2fe23641f2e8710e4b32530bbebc48db1240 \
    901f4f046673cedce5e8c048a3cbe700d7b8992748497941f0c2c7a39be1a071";
const RSA2048_PKCS1_SHA512: &str = "\
    06e669ada8236979a7133aa9557be8ece2b447faa21ca2fe42b30c31a28f58e043f5ac190ea70aa303d656d8effa8ba220637d4dbf7bbf4f \
    aca7b952ac3b6956cbf2178157069f043e692ad6f6a493ffe63bbf45bb99ca23197b13413717ecbae7b1b75f9eb5d2e0338225556f9abc1f \
    60c26f8b87b7362ba0c1e66aa454c913159af68b9448e1ead38235196a7ae94dc6da9df7298601705c19a11982d14a1db5142904f597d854 \
    3aae77d211a709925bee789493ad1572b47545102f29fb809798b12a154046094e22811cc95ee78e2376bbb9be36e2dc6d5849e0fdd48d31 \
    a73684f1b3a1ce2c2879ed43c8b9d60f283eed6c4a7fb23c624db2b4bcadbf8b";
const RSA2048_PSS_SHA512: &str = "\
    0b8a631c82700bb91fdd96238ace796d9c08398dd0f9c306d8d9c8f25e5abf6649d73c471e2e4892dde61fc7e9a2e11d90319b90ea454cfc \
    d7acdf4694b3305d2647d862141c3915a9ec9062831941a7a8f74bfbdcd04f908d0cfd74c33c72ea8c2ba79a72e8355e5d2050256dae5183 \
    ae38a7515881371adf2c2b2eef4f15a19466c1a45a39b280c3a1ef8f0a2ba8fdbcafcf8edd83d508a28173f84f8cebcd8b0fa507e74de7c5 \
    d0be5b4aec1f878da697fb7df4e27c3884908c05f64cbf28489b6e855b582d109bdc67ab1bfa68a4258e31ef992b30a454fdc8a41a74c9dd \
    f3cfcc000e3fb499119fb69830a640af8ae98b4fa481c1d915781f6c82441da9";
const RSA2048_PSS_SHA256_SALT_20: &str = "\
    65740ea6c2a62079d893a978688aafffa059f3bf50846b2b2e9c6e18b6db330bea2cbdf31f1b5b636829d8f1518359afbfc5e235d2db5f0a \
    77be4f8570868fc50225932cf1ba4ce9e69ac3cc77a754ec0a39924135409e7317cc53b64b417b44bb66910731b3fca3575b3e89f7ab1535 \
    63744cb7c272b313f3cbf44ba08adb3b5a0fa24885d67ec95d595387b526a778e3508bd067f9cc30ac0fd7660e9ede8576d9790ea6fa25e7 \
    3a078e4a534fef4d8bc8367e9c4fc683f461548e42abb54b3c804fa3080cc7de44944d372d6efb663adff213d3e9571418d5d10153ad1996 \
    b1b9d52220800c5167a6979002de15887ae3c1eeebec8e32591229d4fd5f027e";
const RSA1024_PUBLIC: &str = "\
    30818902818100d2f9c635c1b21b1ca975b4149d1ac2d8bec7932a3eaa020d2a2d17858d7fb4233e42e0d0c5ff48d62111d954b36de6ba33 \
    7eff6831c66a2b1c6f11c31f9257d841291891c561154677b4acb214aa2c30d10ec5547f0111042a9c612c3aed3317168e744ca2f98f19c9 \
    f37462a6d76887aa75e755726cd7628aa9fbfe1a57af9d0203010001";
const RSA1024_PKCS1_SHA256: &str = "\
    7daa543f30d9db5a2894943e3a730634214133a9ffcad22153a331f6f90b68609e0d2110e890e30897a3a451d42df2d6a4aa80ba12a4be7f \
    729243941b89bb8f7e7a29f8c5cae8f9c99a2835b9c589eb9f4feb0bc8dc925b0a0e4aa330808f36d399261b914a4c449e2c42437577381c \
    c2a98b422a5b0c9cfd049acb68707e54";
const RSA1024_PSS_SHA256: &str = "\
    bad38b9ca198d30716bf5d72143d266be9c17b1335e37c83282de503e33057a8243cea295416c74f52b8dda75d037d5135399bba02ca9dd9 \
    8a3a2d7cd08d26c99205d7e04d306042b8bbc0d5a4bdaa300b206f73fd5752001217e3aecb17d3e5cd7f463c7f9106f9dfddc6f27d22a74a \
    3edde0532e4525318a3f0dd1a0ada08a";

use super::*;
use crate::crypto::rustcrypto::provider;

const ALGORITHMS: [AeadAlgorithm; 5] = [
    AeadAlgorithm::Aes128Gcm,
    AeadAlgorithm::Aes256Gcm,
    AeadAlgorithm::ChaCha20Poly1305,
    AeadAlgorithm::Aes128Ccm,
    AeadAlgorithm::Aes128Ccm8,
];
const EPOCH: u16 = 1;
const SEQ: u64 = 0x1234_5678_9abc;

fn key_and_iv(algorithm: AeadAlgorithm) -> (Vec<u8>, Vec<u8>) {
    let key = (0..algorithm.key_len() as u8).collect();
    let iv = (0..algorithm.fixed_iv_len() as u8).map(|i| 0xf0 | i).collect();
    (key, iv)
}

fn pair(algorithm: AeadAlgorithm) -> (Sealer, Opener) {
    let (key, iv) = key_and_iv(algorithm);
    let sealer = Sealer::new(&*provider(), algorithm, &key, &iv).unwrap();
    let opener = Opener::new(&*provider(), algorithm, &key, &iv).unwrap();
    (sealer, opener)
}

fn sealed(sealer: &Sealer, plaintext: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    sealer.seal(23, EPOCH, SEQ, plaintext, &mut out).unwrap();
    out
}

#[test]
fn records_open_to_what_was_sealed_and_have_the_length_announced() {
    for algorithm in ALGORITHMS {
        let (sealer, opener) = pair(algorithm);
        assert_eq!(sealer.overhead(), opener.overhead());
        for len in [0, 1, 15, 16, 17, 1000, PLAINTEXT_LEN_MAX] {
            let plaintext = vec![0x61; len];
            let mut record = sealed(&sealer, &plaintext);
            assert_eq!(record.len(), HEADER_LEN + len + sealer.overhead(), "{algorithm:?}");
            assert_eq!(record[..11], [23, 0xfe, 0xfd, 0, 1, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc]);
            assert_eq!(usize::from(u16::from_be_bytes([record[11], record[12]])), record.len() - HEADER_LEN);
            let fragment = &mut record[HEADER_LEN..];
            let range = opener.open(23, 0xfefd, EPOCH, SEQ, fragment).unwrap();
            assert_eq!(fragment[range], plaintext);
        }
    }
}

#[test]
fn overheads_are_those_of_the_cipher_suites() {
    assert_eq!(ALGORITHMS.map(overhead), [24, 24, 16, 24, 16]);
}

/// The layout spelled out again with the bare AEAD: nonce and additional data as the RFCs put them.
#[test]
fn nonce_and_additional_data_are_laid_out_as_the_rfcs_say() {
    for algorithm in ALGORITHMS {
        let (sealer, _) = pair(algorithm);
        let record = sealed(&sealer, b"hello");
        let (key, iv) = key_and_iv(algorithm);
        let numbering = [0, 1, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc];
        let nonce: [u8; 12] = match algorithm {
            AeadAlgorithm::ChaCha20Poly1305 => {
                core::array::from_fn(|i| iv[i] ^ if i < 4 { 0 } else { numbering[i - 4] })
            }
            _ => {
                assert_eq!(record[HEADER_LEN..HEADER_LEN + 8], numbering, "explicit nonce");
                [iv.as_slice(), &numbering].concat().try_into().unwrap()
            }
        };
        let aad = [numbering.as_slice(), &[23, 0xfe, 0xfd, 0, 5]].concat();
        let mut expected = b"hello".to_vec();
        provider().aead(algorithm, &key).unwrap().seal(&nonce, &aad, &mut expected, 0).unwrap();
        assert!(record.ends_with(&expected), "{algorithm:?}");
    }
}

#[test]
fn records_are_appended_so_that_a_datagram_can_hold_several() {
    let (sealer, opener) = pair(AeadAlgorithm::Aes128Gcm);
    let mut datagram = Vec::new();
    sealer.seal(22, EPOCH, 7, b"one", &mut datagram).unwrap();
    let second = datagram.len();
    sealer.seal(21, EPOCH, 8, b"two", &mut datagram).unwrap();
    let range = opener.open(22, 0xfefd, EPOCH, 7, &mut datagram[HEADER_LEN..second]).unwrap();
    assert_eq!(datagram[HEADER_LEN..second][range], *b"one");
    let range = opener.open(21, 0xfefd, EPOCH, 8, &mut datagram[second + HEADER_LEN..]).unwrap();
    assert_eq!(datagram[second + HEADER_LEN..][range], *b"two");
}

#[test]
fn every_field_of_the_header_and_every_byte_of_the_fragment_is_authenticated() {
    for algorithm in ALGORITHMS {
        let (sealer, opener) = pair(algorithm);
        let record = sealed(&sealer, b"payload");
        let fragment = &record[HEADER_LEN..];
        let open = |content_type, version, epoch, seq, fragment: &[u8]| {
            opener.open(content_type, version, epoch, seq, &mut fragment.to_vec())
        };
        assert!(open(23, 0xfefd, EPOCH, SEQ, fragment).is_ok());
        assert!(open(22, 0xfefd, EPOCH, SEQ, fragment).is_err());
        assert!(open(23, 0xfeff, EPOCH, SEQ, fragment).is_err());
        assert!(open(23, 0xfefd, EPOCH + 1, SEQ, fragment).is_err());
        assert!(open(23, 0xfefd, EPOCH, SEQ + 1, fragment).is_err());
        for position in 0..fragment.len() {
            let mut bad = fragment.to_vec();
            bad[position] ^= 0x80;
            assert!(open(23, 0xfefd, EPOCH, SEQ, &bad).is_err(), "{algorithm:?}, byte {position}");
        }
        for len in 0..fragment.len() {
            assert!(open(23, 0xfefd, EPOCH, SEQ, &fragment[..len]).is_err(), "{algorithm:?}, cut to {len}");
        }
    }
}

/// RFC 5288 §3: the explicit part is the sender's choice. Some stacks use a counter of their own.
#[test]
fn explicit_nonces_of_the_senders_choice_are_honoured() {
    let (_, opener) = pair(AeadAlgorithm::Aes128Gcm);
    let (key, iv) = key_and_iv(AeadAlgorithm::Aes128Gcm);
    let explicit = [9; 8];
    let nonce = [iv.as_slice(), &explicit].concat().try_into().unwrap();
    let aad = additional_data(numbering(EPOCH, SEQ).unwrap(), 23, VERSION, 2);
    let mut fragment = [explicit.as_slice(), b"hi"].concat();
    provider().aead(AeadAlgorithm::Aes128Gcm, &key).unwrap().seal(&nonce, &aad, &mut fragment, 8).unwrap();
    let range = opener.open(23, VERSION, EPOCH, SEQ, &mut fragment).unwrap();
    assert_eq!(fragment[range], *b"hi");
}

#[test]
fn lengths_beyond_the_limits_are_refused_and_leave_the_output_alone() {
    for algorithm in ALGORITHMS {
        let (sealer, opener) = pair(algorithm);
        let mut out = b"before".to_vec();
        let too_long = vec![0; PLAINTEXT_LEN_MAX + 1];
        assert_eq!(sealer.seal(23, EPOCH, SEQ, &too_long, &mut out), Err(CryptoError::BadLength));
        assert_eq!(sealer.seal(23, EPOCH, 1 << 48, b"x", &mut out), Err(CryptoError::BadLength));
        assert_eq!(out, b"before");
        let mut fragment = vec![0; PLAINTEXT_LEN_MAX + 1 + opener.overhead()];
        assert_eq!(opener.open(23, VERSION, EPOCH, SEQ, &mut fragment), Err(CryptoError::BadLength));
        assert_eq!(opener.open(23, VERSION, EPOCH, 1 << 48, &mut [0; 100]), Err(CryptoError::BadLength));
        let (key, iv) = key_and_iv(algorithm);
        assert!(Sealer::new(&*provider(), algorithm, &key[1..], &iv).is_err());
        assert!(Opener::new(&*provider(), algorithm, &key, &iv[1..]).is_err());
    }
}

#[test]
fn sealing_into_a_buffer_with_room_does_not_move_it() {
    for algorithm in ALGORITHMS {
        let (sealer, _) = pair(algorithm);
        let mut out = Vec::with_capacity(HEADER_LEN + 100 + sealer.overhead());
        let (capacity, pointer) = (out.capacity(), out.as_ptr());
        sealer.seal(23, EPOCH, SEQ, &[0; 100], &mut out).unwrap();
        assert_eq!((out.capacity(), out.as_ptr()), (capacity, pointer), "{algorithm:?}");
    }
}

const CID: &[u8] = b"\x01\x02\x03";

fn sealed_with_cid(sealer: &Sealer, cid: &[u8], padding: usize, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    sealer.seal_with_cid(cid, (23, padding), EPOCH, SEQ, content, &mut out).unwrap();
    out
}

/// RFC 9146 §5.3, spelled out.
#[test]
fn the_additional_data_with_a_connection_id_is_that_of_the_rfc() {
    let aad = CidAdditionalData::new(CID, numbering(EPOCH, SEQ).unwrap(), VERSION, 0x1234);
    let placeholder = [0xff; 8];
    let rest = [25, 3, 25, 0xfe, 0xfd, 0, 1, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 1, 2, 3, 0x12, 0x34];
    assert_eq!(aad.as_bytes(), [&placeholder[..], &rest].concat());
    let longest = CidAdditionalData::new(&[7; 255], numbering(EPOCH, SEQ).unwrap(), VERSION, 1);
    assert_eq!((longest.as_bytes().len(), longest.as_bytes()[9]), (278, 255));
}

/// RFC 9146 §4, figures 2 and 3, with the bare AEAD.
#[test]
fn a_record_with_a_connection_id_has_its_type_and_padding_inside() {
    for algorithm in ALGORITHMS {
        let (sealer, _) = pair(algorithm);
        let record = sealed_with_cid(&sealer, CID, 4, b"hello");
        let (key, iv) = key_and_iv(algorithm);
        let numbering = [0, 1, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc];
        assert_eq!(record[..14], [&[25, 0xfe, 0xfd][..], &numbering, CID].concat());
        assert_eq!(usize::from(u16::from_be_bytes([record[14], record[15]])), record.len() - 16);
        let nonce: [u8; 12] = match algorithm {
            AeadAlgorithm::ChaCha20Poly1305 => {
                core::array::from_fn(|i| iv[i] ^ if i < 4 { 0 } else { numbering[i - 4] })
            }
            _ => [iv.as_slice(), &numbering].concat().try_into().unwrap(),
        };
        let aad = [&[0xff; 8][..], &[25, 3, 25, 0xfe, 0xfd], &numbering, CID, &[0, 10]].concat();
        let mut expected = b"hello\x17\0\0\0\0".to_vec();
        provider().aead(algorithm, &key).unwrap().seal(&nonce, &aad, &mut expected, 0).unwrap();
        assert!(record.ends_with(&expected), "{algorithm:?}");
    }
}

#[test]
fn records_with_connection_ids_of_any_length_open_to_what_was_sealed() {
    for algorithm in ALGORITHMS {
        let (sealer, opener) = pair(algorithm);
        for cid_len in [1, 8, 255] {
            for (len, padding) in [(0, 0), (1, 0), (100, 17), (0, 3), (PLAINTEXT_LEN_MAX - 1, 0)] {
                let (cid, content) = (vec![9; cid_len], vec![0; len]);
                let mut record = sealed_with_cid(&sealer, &cid, padding, &content);
                let expected = HEADER_LEN + len + padding + overhead_with_cid(algorithm, &cid);
                assert_eq!(record.len(), expected, "{algorithm:?}");
                let fragment = &mut record[HEADER_LEN + cid_len..];
                let (content_type, range) = opener.open_with_cid(&cid, VERSION, EPOCH, SEQ, fragment).unwrap();
                assert_eq!((content_type, &fragment[range]), (23, &content[..]));
            }
        }
    }
}

#[test]
fn a_record_with_a_connection_id_opens_only_as_it_was_sealed() {
    for algorithm in ALGORITHMS {
        let (sealer, opener) = pair(algorithm);
        let record = sealed_with_cid(&sealer, CID, 2, b"payload");
        let fragment = &record[HEADER_LEN + CID.len()..];
        let open = |cid: &[u8], version, epoch, seq, fragment: &[u8]| {
            opener.open_with_cid(cid, version, epoch, seq, &mut fragment.to_vec())
        };
        assert!(open(CID, VERSION, EPOCH, SEQ, fragment).is_ok());
        assert!(open(b"\x01\x02\x04", VERSION, EPOCH, SEQ, fragment).is_err());
        assert!(open(b"\x01\x02", VERSION, EPOCH, SEQ, fragment).is_err());
        assert!(open(CID, 0xfeff, EPOCH, SEQ, fragment).is_err());
        assert!(open(CID, VERSION, EPOCH + 1, SEQ, fragment).is_err());
        assert!(open(CID, VERSION, EPOCH, SEQ + 1, fragment).is_err());
        for position in 0..fragment.len() {
            let mut bad = fragment.to_vec();
            bad[position] ^= 1;
            assert!(open(CID, VERSION, EPOCH, SEQ, &bad).is_err(), "{algorithm:?}, byte {position}");
        }
        // Neither construction stands in for the other (RFC 9146 §5).
        for content_type in [23, CID_TYPE] {
            assert!(opener.open(content_type, VERSION, EPOCH, SEQ, &mut fragment.to_vec()).is_err());
        }
        let plain = sealed(&sealer, b"payload\x17");
        assert!(open(CID, VERSION, EPOCH, SEQ, &plain[HEADER_LEN..]).is_err());
    }
}

#[test]
fn padding_without_a_type_and_lengths_beyond_the_limits_are_refused() {
    for algorithm in ALGORITHMS {
        let (sealer, opener) = pair(algorithm);
        let mut all_zeros = Vec::new();
        sealer.seal_with_cid(CID, (0, 5), EPOCH, SEQ, b"", &mut all_zeros).unwrap();
        let fragment = &mut all_zeros[HEADER_LEN + CID.len()..];
        assert_eq!(opener.open_with_cid(CID, VERSION, EPOCH, SEQ, fragment), Err(CryptoError::BadTagOrSignature));
        let mut out = b"before".to_vec();
        let mut seal =
            |cid: &[u8], padding, len| sealer.seal_with_cid(cid, (23, padding), EPOCH, SEQ, &vec![0; len], &mut out);
        assert_eq!(seal(CID, 0, PLAINTEXT_LEN_MAX), Err(CryptoError::BadLength));
        assert_eq!(seal(CID, usize::MAX, 1), Err(CryptoError::BadLength));
        assert_eq!(seal(&[], 0, 1), Err(CryptoError::BadLength));
        assert_eq!(seal(&[0; 256], 0, 1), Err(CryptoError::BadLength));
        assert_eq!(out, b"before");
        let refused = opener.open_with_cid(&[0; 256], VERSION, EPOCH, SEQ, &mut [0; 100]);
        assert_eq!(refused, Err(CryptoError::BadLength));
    }
}

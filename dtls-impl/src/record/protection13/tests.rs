use proptest::prelude::*;

use super::*;
use crate::crypto::rustcrypto::provider;
use crate::wire::Reader;

const ALGORITHMS: [AeadAlgorithm; 5] = [
    AeadAlgorithm::Aes128Gcm,
    AeadAlgorithm::Aes256Gcm,
    AeadAlgorithm::ChaCha20Poly1305,
    AeadAlgorithm::Aes128Ccm,
    AeadAlgorithm::Aes128Ccm8,
];
const FORMS: [HeaderForm; 4] = [
    HeaderForm { long_seq: true, length: true },
    HeaderForm { long_seq: false, length: true },
    HeaderForm { long_seq: true, length: false },
    HeaderForm { long_seq: false, length: false },
];
const NUMBER: RecordNumber = RecordNumber { epoch: 3, seq: 0x1_2345 };

fn keys(algorithm: AeadAlgorithm) -> TrafficKeys {
    let key_len = algorithm.key_len();
    TrafficKeys::of(&vec![1; key_len], &core::array::from_fn::<u8, 12, _>(|i| i as u8), &vec![2; key_len])
}

fn pair(algorithm: AeadAlgorithm) -> (Sealer, Opener) {
    let provider = provider();
    let keys = keys(algorithm);
    (Sealer::new(&*provider, algorithm, &keys).unwrap(), Opener::new(&*provider, algorithm, &keys).unwrap())
}

fn sealed(sealer: &Sealer, form: HeaderForm, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    sealer.seal(form, NUMBER, ContentType::HANDSHAKE, content, &mut out).unwrap();
    out
}

fn open(opener: &Opener, record: &[u8], next: u64) -> Result<PlainRecord, OpenError> {
    let record = ProtectedRecord::parse(&mut Reader::new(record), None).map_err(|_| OpenError::BadLength)?;
    opener.open(opener.number(record, NUMBER.epoch, next)?)
}

#[test]
fn what_is_sealed_is_opened_with_every_algorithm_and_header_form() {
    for algorithm in ALGORITHMS {
        let (sealer, opener) = pair(algorithm);
        for form in FORMS {
            for content in [&b""[..], b"x", b"ends with zeros\0\0\0", &[0; 1000]] {
                let record = sealed(&sealer, form, content);
                let plain = open(&opener, &record, NUMBER.seq - 100).unwrap();
                assert_eq!(plain.number, NUMBER);
                assert_eq!((plain.content_type, &plain.content[..]), (ContentType::HANDSHAKE, content));
            }
        }
    }
}

/// The layout spelled out again with the bare primitives.
#[test]
fn nonce_additional_data_and_mask_are_as_the_rfcs_say() {
    for algorithm in ALGORITHMS {
        let (sealer, _) = pair(algorithm);
        let record = sealed(&sealer, HeaderForm::FULL, b"a content of some length");
        let (header, body) = record.split_at(5);
        let keys = keys(algorithm);
        let mask = provider().number_cipher(algorithm, keys.number_key()).unwrap().mask(body.first_chunk().unwrap());
        let len = body.len() as u8;
        assert_eq!(header, [0b0010_1111, 0x23 ^ mask[0], 0x45 ^ mask[1], 0, len]);
        let nonce: [u8; 12] = core::array::from_fn(|i| i as u8 ^ [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x23, 0x45][i]);
        let mut expected = b"a content of some length\x16".to_vec();
        let aead = provider().aead(algorithm, keys.key()).unwrap();
        aead.seal(&nonce, &[0b0010_1111, 0x23, 0x45, 0, len], &mut expected, 0).unwrap();
        assert_eq!(body, expected);
    }
}

#[test]
fn short_contents_are_padded_until_there_is_a_sample() {
    for algorithm in ALGORITHMS {
        let (sealer, _) = pair(algorithm);
        let expected = 5 + (1 + algorithm.tag_len()).max(16);
        assert_eq!(sealed(&sealer, HeaderForm::FULL, b"").len(), expected, "{algorithm:?}");
        assert_eq!(sealed(&sealer, HeaderForm::FULL, &[7; 100]).len(), 100 + overhead(algorithm));
    }
}

#[test]
fn every_bit_of_header_and_body_is_authenticated_and_no_length_panics() {
    for algorithm in ALGORITHMS {
        let (sealer, opener) = pair(algorithm);
        for form in FORMS {
            let record = sealed(&sealer, form, b"payload");
            for position in 0..record.len() * 8 {
                let mut bad = record.clone();
                bad[position / 8] ^= 1 << (position % 8);
                // The epoch's bits choose the opener: here there is but one.
                if position < 2 {
                    continue;
                }
                assert!(open(&opener, &bad, NUMBER.seq).is_err(), "{algorithm:?}, {form:?}, bit {position}");
            }
            for len in 0..record.len() {
                assert!(open(&opener, &record[..len], NUMBER.seq).is_err(), "{algorithm:?}, {form:?}, cut to {len}");
            }
        }
    }
}

#[test]
fn a_record_without_content_type_is_refused_though_authentic() {
    let (_, opener) = pair(AeadAlgorithm::Aes128Gcm);
    let keys = keys(AeadAlgorithm::Aes128Gcm);
    let header = [0b0010_0111, 0, 0, 20];
    let mut body = vec![0; 4];
    let aead = provider().aead(AeadAlgorithm::Aes128Gcm, keys.key()).unwrap();
    aead.seal(&core::array::from_fn(|i| i as u8), &header, &mut body, 0).unwrap();
    let cipher = provider().number_cipher(AeadAlgorithm::Aes128Gcm, keys.number_key()).unwrap();
    let mask = cipher.mask(body.first_chunk().unwrap());
    let record = [&[header[0], mask[0], 0, 20][..], &body].concat();
    assert_eq!(open(&opener, &record, 0), Err(OpenError::NoContentType));
}

#[test]
fn contents_beyond_the_limit_are_refused_and_leave_the_output_alone() {
    let (sealer, opener) = pair(AeadAlgorithm::Aes128Gcm);
    let mut out = b"before".to_vec();
    let too_long = vec![1; PLAINTEXT_LEN_MAX + 1];
    let sealed_error = sealer.seal(HeaderForm::FULL, NUMBER, ContentType::ALERT, &too_long, &mut out);
    assert_eq!((sealed_error, &out[..]), (Err(CryptoError::BadLength), &b"before"[..]));
    let longest = sealed(&sealer, HeaderForm::FULL, &too_long[1..]);
    assert!(open(&opener, &longest, NUMBER.seq).is_ok());
    let body_len = (CIPHERTEXT_LEN_MAX + 1) as u16;
    let record = [&[0b0010_1111, 0, 0][..], &body_len.to_be_bytes(), &[0; CIPHERTEXT_LEN_MAX + 1]].concat();
    assert_eq!(open(&opener, &record, 0), Err(OpenError::BadLength));
}

#[test]
fn a_number_is_completed_to_the_closest_one() {
    let short = |next, bits| reconstruct_seq(next, SeqBits::Short(bits));
    assert_eq!([short(0, 0), short(0, 255), short(0, 128)], [0, 255, 128], "there is nothing below zero");
    assert_eq!([short(256, 255), short(256, 0), short(256, 1)], [255, 256, 257]);
    assert_eq!([short(300, 0), short(300, 200)], [256, 200]);
    assert_eq!(reconstruct_seq(0x1_0000, SeqBits::Long(0xffff)), 0xffff);
    assert_eq!(reconstruct_seq(0xfff0, SeqBits::Long(3)), 0x1_0003);
    assert_eq!(reconstruct_seq(u64::MAX, SeqBits::Long(0)), u64::MAX, "beyond the end there is nothing to find");
}

proptest! {
    /// Every number less than half a circle away from the expected one is found.
    #[test]
    fn numbers_near_the_expected_one_are_found(next in 0u64..1 << 48, distance in -127i64..128, long in any::<bool>()) {
        let distance = if long { distance * 256 } else { distance };
        if let Some(seq) = next.checked_add_signed(distance) {
            let bits = if long { SeqBits::Long(seq as u16) } else { SeqBits::Short(seq as u8) };
            prop_assert_eq!(reconstruct_seq(next, bits), seq);
        }
    }
}

/// RFC 9147 §4: the tag covers the connection ID with the rest of the header.
#[test]
fn connection_ids_of_any_length_are_in_the_header_and_authenticated() {
    for algorithm in ALGORITHMS {
        let (sealer, opener) = pair(algorithm);
        for form in FORMS {
            for cid_len in [1, 8, 255] {
                let cid = vec![7; cid_len];
                let mut record = Vec::new();
                let content_type = ContentType::APPLICATION_DATA;
                sealer.seal_with_cid(form, Some(&cid), NUMBER, content_type, b"content", &mut record).unwrap();
                let open = |record: &[u8]| {
                    let record = ProtectedRecord::parse(&mut Reader::new(record), Some(cid_len)).unwrap();
                    opener.open(opener.number(record, NUMBER.epoch, NUMBER.seq).unwrap())
                };
                assert_eq!(record[1..=cid_len], cid);
                assert_eq!(open(&record).unwrap().content, b"content");
                record[cid_len] ^= 1;
                assert_eq!(open(&record), Err(OpenError::NotAuthentic));
                assert!(ProtectedRecord::parse(&mut Reader::new(&record), None).is_err());
            }
        }
    }
}

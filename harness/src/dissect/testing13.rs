//! The same for DTLS 1.3: hellos that choose it, records under the unified header, the key log.

use dtls_impl::crypto::hkdf::Hkdf;
use dtls_impl::crypto::schedule13::TrafficSecret;
use dtls_impl::crypto::{AeadAlgorithm, HashAlgorithm, Secret, rustcrypto};
use dtls_impl::record::protection13::Sealer;
use dtls_impl::wire::{ContentType, HELLO_RETRY_RANDOM, HeaderForm, RecordNumber};

use super::testing::{CLIENT_RANDOM, Msg, SERVER_RANDOM, handshake};

pub(crate) const EARLY: [u8; 32] = [0x00; 32];
pub(crate) const HANDSHAKE: [u8; 32] = [0x11; 32];
pub(crate) const APPLICATION: [u8; 32] = [0x22; 32];

/// A ServerHello or HelloRetryRequest that selects DTLS 1.3 and TLS_AES_128_GCM_SHA256.
pub(crate) fn hello13(seq: u16, random: [u8; 32], extensions: &[u8]) -> Msg {
    let selected_version = [0, 43, 0, 2, 0xfe, 0xfc];
    let length = u16::try_from(selected_version.len() + extensions.len()).unwrap().to_be_bytes();
    let start = [&[0xfe, 0xfd][..], &random, &[0, 0x13, 0x01, 0]].concat();
    Msg::new(2, seq, &[&start[..], &length, &selected_version, extensions].concat())
}

/// A ClientHello with these extensions.
pub(crate) fn client_hello13(seq: u16, extensions: &[u8]) -> Msg {
    let length = u16::try_from(extensions.len()).unwrap().to_be_bytes();
    let start = [&[0xfe, 0xfd][..], &CLIENT_RANDOM, &[0, 0, 0, 2, 0x13, 0x01, 1, 0]].concat();
    Msg::new(1, seq, &[&start[..], &length, extensions].concat())
}

/// A record of either end, whose secrets are the same here. Epoch 4 comes from one key update.
pub(crate) fn sealed13(epoch: u64, seq: u64, content_type: u8, content: &[u8]) -> Vec<u8> {
    let provider = rustcrypto::provider();
    let hkdf = Hkdf::dtls13(provider.clone(), HashAlgorithm::Sha256);
    let secret = |bytes: [u8; 32]| TrafficSecret::logged(Secret::new(bytes.to_vec()));
    let secret = match epoch {
        1 => secret(EARLY),
        2 => secret(HANDSHAKE),
        3 => secret(APPLICATION),
        _ => secret(APPLICATION).next(&hkdf),
    };
    let aead = AeadAlgorithm::Aes128Gcm;
    let sealer = Sealer::new(&*provider, aead, &secret.keys(&hkdf, aead)).unwrap();
    let mut out = Vec::new();
    let number = RecordNumber { epoch, seq };
    sealer.seal(HeaderForm::FULL, number, ContentType(content_type), content, &mut out).unwrap();
    out
}

/// The lines of the key log of both ends.
pub(crate) fn key_log13() -> Vec<String> {
    let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    [
        ("CLIENT_EARLY_TRAFFIC_SECRET", EARLY),
        ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", HANDSHAKE),
        ("SERVER_HANDSHAKE_TRAFFIC_SECRET", HANDSHAKE),
        ("CLIENT_TRAFFIC_SECRET_0", APPLICATION),
        ("SERVER_TRAFFIC_SECRET_0", APPLICATION),
    ]
    .map(|(label, secret)| format!("{label} {} {}", hexadecimal(&CLIENT_RANDOM), hexadecimal(&secret)))
    .to_vec()
}

/// An ACK of these records, itself a record.
pub(crate) fn ack13(epoch: u64, seq: u64, numbers: &[(u64, u64)]) -> Vec<u8> {
    let length = u16::try_from(numbers.len() * 16).unwrap().to_be_bytes();
    let numbers: Vec<u8> =
        numbers.iter().flat_map(|(epoch, seq)| [epoch.to_be_bytes(), seq.to_be_bytes()].concat()).collect();
    sealed13(epoch, seq, 26, &[&length[..], &numbers].concat())
}

/// ServerHello, EncryptedExtensions, the two halves of a Certificate of 200 bytes, Finished: the `message_seq` of the
/// first, and its record number; the others take four of epoch 2.
pub(crate) fn flight4_of_13(message_seq: u16, record: u64, protected_record: u64) -> [Vec<u8>; 5] {
    let certificate = Msg::new(11, message_seq + 2, &[0xce; 200]);
    [
        handshake(record, &hello13(message_seq, SERVER_RANDOM, &[]).whole()),
        sealed13(2, protected_record, 22, &Msg::new(8, message_seq + 1, &[0, 0]).whole()),
        sealed13(2, protected_record + 1, 22, &certificate.cut(0, 100)),
        sealed13(2, protected_record + 2, 22, &certificate.cut(100, 200)),
        sealed13(2, protected_record + 3, 22, &Msg::new(20, message_seq + 3, &[0; 32]).whole()),
    ]
}

/// A HelloRetryRequest.
pub(crate) fn retry13() -> Vec<u8> {
    handshake(0, &hello13(0, HELLO_RETRY_RANDOM, &[]).whole())
}

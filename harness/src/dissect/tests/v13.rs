//! DTLS 1.3: flights by their place, records opened, what cannot be opened said to be so.

use dtls_impl::crypto::hkdf::Hkdf;
use dtls_impl::crypto::schedule13::TrafficSecret;
use dtls_impl::crypto::{AeadAlgorithm, HashAlgorithm, Secret, rustcrypto};
use dtls_impl::record::protection13::Sealer;
use dtls_impl::wire::{ContentType, HELLO_RETRY_RANDOM, HeaderForm};

use super::*;

const HANDSHAKE: [u8; 32] = [0x11; 32];
const APPLICATION: [u8; 32] = [0x22; 32];

/// A ServerHello or HelloRetryRequest that selects DTLS 1.3 and TLS_AES_128_GCM_SHA256.
fn hello(seq: u16, random: [u8; 32]) -> Msg {
    let selected_version = [0, 43, 0, 2, 0xfe, 0xfc];
    Msg::new(2, seq, &[&[0xfe, 0xfd][..], &random, &[0, 0x13, 0x01, 0, 0, 6], &selected_version].concat())
}

/// A record of either end, whose secrets are the same here. Epoch 4 comes from one key update.
fn sealed(epoch: u64, seq: u64, content_type: u8, content: &[u8]) -> Vec<u8> {
    let provider = rustcrypto::provider();
    let hkdf = Hkdf::dtls13(provider.clone(), HashAlgorithm::Sha256);
    let secret = |bytes: [u8; 32]| TrafficSecret::logged(Secret::new(bytes.to_vec()));
    let secret = match epoch {
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

fn with_keys() -> Dissector {
    let mut dissector = Dissector::new();
    let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for (label, secret) in [
        ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", HANDSHAKE),
        ("SERVER_HANDSHAKE_TRAFFIC_SECRET", HANDSHAKE),
        ("CLIENT_TRAFFIC_SECRET_0", APPLICATION),
        ("SERVER_TRAFFIC_SECRET_0", APPLICATION),
    ] {
        dissector.learn_key_log(&format!("{label} {} {}", hexadecimal(&CLIENT_RANDOM), hexadecimal(&secret)));
    }
    dissector
}

/// A handshake with HelloRetryRequest, an ACK, data and a key update: sender, flight and datagram.
fn story() -> Vec<(Role, Option<u8>, Vec<u8>)> {
    let finished = |seq| Msg::new(20, seq, &[0; 32]).whole();
    let flight4 = [
        handshake(1, &hello(1, SERVER_RANDOM).whole()),
        sealed(2, 0, 22, &Msg::new(8, 2, &[0, 0]).whole()),
        sealed(2, 1, 22, &finished(3)),
    ];
    let ack = [&[0, 16][..], &2u64.to_be_bytes(), &0u64.to_be_bytes()].concat();
    vec![
        (Role::Client, Some(1), handshake(0, &client_hello(0, b"").whole())),
        (Role::Server, Some(2), handshake(0, &hello(0, HELLO_RETRY_RANDOM).whole())),
        (Role::Client, Some(3), handshake(1, &client_hello(1, b"").whole())),
        (Role::Server, Some(4), flight4.concat()),
        (Role::Client, Some(5), sealed(2, 0, 22, &finished(2))),
        (Role::Server, None, sealed(3, 0, 26, &ack)),
        (Role::Client, None, sealed(3, 0, 22, &Msg::new(24, 3, &[0]).whole())),
        (Role::Client, None, sealed(4, 0, 23, b"ping")),
        (Role::Client, None, sealed(3, 300, 23, b"late")),
    ]
}

#[test]
fn a_handshake_with_retry_has_five_flights_and_an_ack_outside() {
    let mut dissector = with_keys();
    let read: Vec<Dissected> = story()
        .iter()
        .map(|(from, flight, bytes)| {
            let read = dissector.datagram(*from, bytes);
            assert_eq!((read.malformed.as_deref(), read.flight, read.association), (None, *flight, 1));
            read
        })
        .collect();
    let names: Vec<_> = read.iter().flat_map(fragments).map(|(name, ..)| name).collect();
    let expected = [
        "client_hello",
        "hello_retry_request",
        "client_hello",
        "server_hello",
        "encrypted_extensions",
        "finished",
        "finished",
        "key_update",
    ];
    assert_eq!(names, expected);
    let numbers: Vec<_> = read.iter().flat_map(|read| &read.records).map(|r| (r.epoch, r.seq)).collect();
    let expected = [(0, 0), (0, 0), (0, 1), (0, 1), (2, 0), (2, 1), (2, 0), (3, 0), (3, 0), (4, 0), (3, 300)];
    assert_eq!(numbers, expected);
    assert_eq!(read[5].records[0].body, Body::Ack(vec![RecordNumber { epoch: 2, seq: 0 }]));
    assert_eq!(read[7].records[0].body, Body::ApplicationData(b"ping".to_vec()));
    assert!(read[7].records[0].is_unified() && read[7].records[0].is_numbered() && !read[0].records[0].is_unified());
}

#[test]
fn what_is_sent_again_counts_up_under_another_number() {
    let mut dissector = with_keys();
    story().iter().for_each(|(from, _, bytes)| _ = dissector.datagram(*from, bytes));
    let again = dissector.datagram(Role::Client, &sealed(2, 1, 22, &Msg::new(20, 2, &[0; 32]).whole()));
    assert_eq!(place(&again), (Some(5), 2, 1));
}

#[test]
fn without_keys_records_stay_sealed_and_unnumbered() {
    let mut dissector = Dissector::new();
    for (from, _, bytes) in story() {
        let read = dissector.datagram(from, &bytes);
        assert_eq!(read.malformed, None);
        for record in read.records.iter().filter(|record| record.is_unified()) {
            assert_eq!((&record.body, record.is_numbered()), (&Body::Sealed { attempt: 0 }, false));
        }
    }
}

#[test]
fn a_forged_record_is_malformed() {
    let mut dissector = with_keys();
    let mut story = story();
    story.last_mut().unwrap().2[10] ^= 1;
    let read: Vec<_> = story.iter().map(|(from, _, bytes)| dissector.datagram(*from, bytes)).collect();
    let record = &read.last().unwrap().records[0];
    assert!(matches!(&record.body, Body::Malformed(why) if why.contains("does not open")), "{record:?}");
    assert!(!record.is_numbered());
}

#[test]
fn the_unified_header_is_none_before_a_server_chose_it() {
    let mut dissector = with_keys();
    let read = dissector.datagram(Role::Client, &sealed(2, 0, 22, &[0; 40]));
    assert!(read.records.iter().all(|record| !record.is_unified()));
}

#[test]
fn a_finished_sent_again_is_spurious_unless_an_ack_was_lost() {
    use crate::observe::observe;
    use crate::observe::testing::Story;

    for lost in [false, true] {
        let mut tale = Story::default();
        for (label, role) in [("CLIENT", Role::Client), ("SERVER", Role::Server)] {
            let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            for (name, secret) in [("HANDSHAKE_TRAFFIC_SECRET", HANDSHAKE), ("TRAFFIC_SECRET_0", APPLICATION)] {
                let line = format!("{label}_{name} {} {}", hexadecimal(&CLIENT_RANDOM), hexadecimal(&secret));
                tale.report(role, crate::endpoint::EndpointEvent::KeyLog(line));
            }
        }
        for (nth, (from, _, bytes)) in (0u64..).zip(story().into_iter().take(6)) {
            tale.at(25 * nth);
            if lost && nth == 5 {
                tale.lose(from, &bytes);
            } else {
                tale.send(from, &bytes);
            }
        }
        tale.at(1100).send(Role::Client, &sealed(2, 1, 22, &Msg::new(20, 2, &[0; 32]).whole()));
        let seen = observe(&tale.trace());
        let again: Vec<bool> = seen.transmissions(5).skip(1).map(|transmission| transmission.spurious).collect();
        assert_eq!(again, [!lost]);
        // The ACK is sent at 125 ms and takes 25 ms.
        assert_eq!(seen.confirmed13(), (!lost).then_some(crate::observe::testing::ms(150)));
    }
}

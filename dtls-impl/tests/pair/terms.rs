//! What is agreed on besides keys, end to end: application protocols, sizes of records, and CCM_8 in DTLS 1.3.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{DELAY, Key, NAME, Pair, Path, Side, certificates, clean, psk, secs};
use dtls_impl::config::{MaxFragmentLength, Versions};
use dtls_impl::error::{Misuse, PeerIncompatible, PeerMisbehaved};
use dtls_impl::wire::{AlertDescription, AnyRecord, AnyRecords, CipherSuite, RECORD_HEADER_LEN};
use dtls_impl::{ClientConfig, Connection, Error, Event, Instant, Seed, ServerConfig};

const VERSIONS: [Versions; 3] = [Versions::Dtls12, Versions::Dtls13, Versions::Both];

/// With a certificate that needs several records.
fn ends(versions: Versions) -> (ClientConfig, ServerConfig) {
    let (mut client, mut server) = certificates(Key::P256, 2000);
    client.common.versions = versions;
    server.common.versions = versions;
    (client, server)
}

fn shake((client, server): (ClientConfig, ServerConfig), path: Path) -> Pair {
    let mut pair = Pair::new(client, server, path);
    pair.run(secs(100));
    pair
}

fn protocols(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

/// Lengths of the bodies of records, in the clear and protected.
fn bodies(pair: &Pair, from: Side) -> (Vec<usize>, Vec<usize>) {
    let (mut plain, mut protected) = (Vec::new(), Vec::new());
    for sent in pair.sent_by(from) {
        for record in AnyRecords::new(&sent.bytes, None) {
            match record.unwrap() {
                AnyRecord::Plain(record) if record.header.epoch == 0 => plain.push(record.body.len()),
                AnyRecord::Plain(record) => protected.push(record.body.len()),
                AnyRecord::Protected(record) => protected.push(record.body().len()),
            }
        }
    }
    (plain, protected)
}

#[test]
fn ends_agree_on_the_protocol_the_server_likes_best() {
    for versions in VERSIONS {
        let (mut client, mut server) = ends(versions);
        client.common.alpn = protocols(&["coap", "h2", "mqtt"]);
        server.common.alpn = protocols(&["other", "mqtt", "coap"]);
        let mut pair = shake((client, server), clean());
        assert!(pair.both_established(), "{}", pair.story());
        for side in [Side::Client, Side::Server] {
            assert_eq!(pair.end(side).negotiated().unwrap().alpn.as_deref(), Some(&b"mqtt"[..]), "{versions:?}");
        }
        pair.exchange_data();
    }
}

#[test]
fn with_protocols_on_one_side_alone_there_is_none() {
    for versions in VERSIONS {
        for at_client in [true, false] {
            let (mut client, mut server) = ends(versions);
            let common = if at_client { &mut client.common } else { &mut server.common };
            common.alpn = protocols(&["coap"]);
            let mut pair = shake((client, server), clean());
            assert!(pair.both_established(), "{}", pair.story());
            assert_eq!(pair.end(Side::Client).negotiated().unwrap().alpn, None);
        }
    }
}

#[test]
fn without_a_protocol_in_common_the_client_is_told() {
    for versions in VERSIONS {
        let (mut client, mut server) = ends(versions);
        client.common.alpn = protocols(&["coap"]);
        server.common.alpn = protocols(&["mqtt"]);
        let mut pair = shake((client, server), clean());
        assert!(!pair.both_established());
        let told = Error::AlertReceived(AlertDescription::NO_APPLICATION_PROTOCOL);
        assert_eq!(pair.failure(Side::Client), Some(&told), "{versions:?}\n{}", pair.story());
        let refused = Error::PeerIncompatible(PeerIncompatible::NoCommonProtocol);
        if versions == Versions::Dtls12 {
            assert_eq!(pair.failure(Side::Server), Some(&refused));
        }
        pair.forget_what_is_on_its_way();
    }
}

#[test]
fn protected_records_keep_to_what_each_side_takes() {
    for versions in VERSIONS {
        for (own, peer) in [(64, 200), (500, 64), (16_384, 100)] {
            let (mut client, mut server) = ends(versions);
            client.common.record_size_limit = Some(own);
            server.common.record_size_limit = Some(peer);
            let mut pair = shake((client, server), clean());
            assert!(pair.both_established(), "{versions:?} {own} {peer}\n{}", pair.story());
            for (side, limit) in [(Side::Client, usize::from(peer)), (Side::Server, usize::from(own))] {
                // What is encrypted has a content type in 1.3 that counts, and an explicit nonce in 1.2 that does not.
                let (content, overhead) = match versions {
                    Versions::Dtls12 => (limit, 8 + 16),
                    _ => (limit - 1, 16),
                };
                let most = pair.end(side).data_len_max();
                assert_eq!(most, content.min(most), "{side:?}");
                assert!(most == content || limit > 1000);
                pair.send(side, &vec![7; most]);
                let (_, protected) = bodies(&pair, side);
                assert!(protected.iter().all(|len| *len <= limit + overhead), "{protected:?}");
                assert!(protected.contains(&(limit + overhead)) || limit > 1000);
                let now = pair.now;
                let refused = pair.end(side).send(now, &vec![7; most + 1]);
                assert_eq!(refused, Err(Error::Misuse(Misuse::DataTooLarge)));
            }
            let (plain, _) = bodies(&pair, Side::Server);
            assert!(versions != Versions::Dtls12 || plain.iter().any(|len| *len > 500), "not in the clear");
            pair.run(secs(110));
            assert_eq!(pair.data(Side::Client).len() + pair.data(Side::Server).len(), 2);
            pair.exchange_data();
        }
    }
}

#[test]
fn flights_in_small_records_survive_losses() {
    for versions in VERSIONS {
        for lost in 0..14 {
            let (mut client, mut server) = ends(versions);
            client.common.record_size_limit = Some(64);
            server.common.record_size_limit = Some(64);
            let mut nth = 0;
            let path: Path = Box::new(move |_| {
                nth += 1;
                if nth == lost + 1 { Vec::new() } else { vec![DELAY] }
            });
            let mut pair = shake((client, server), path);
            assert!(pair.both_established(), "{versions:?} without {lost}\n{}", pair.story());
            pair.exchange_data();
        }
    }
}

#[test]
fn without_an_answer_no_limit_counts() {
    for versions in VERSIONS {
        let (mut client, server) = ends(versions);
        client.common.record_size_limit = Some(64);
        let mut pair = shake((client, server), clean());
        assert!(pair.both_established());
        assert!(pair.server.data_len_max() > 1000);
        pair.send(Side::Server, &[1; 1000]);
        pair.run(secs(101));
        assert_eq!(pair.data(Side::Client), [&[1; 1000][..]]);
    }
}

#[test]
fn fragments_of_all_messages_after_the_hellos_keep_to_the_length_asked_for() {
    for versions in VERSIONS {
        let (mut client, server) = ends(versions);
        client.max_fragment_length = Some(MaxFragmentLength::Bytes512);
        let mut pair = shake((client, server), clean());
        assert!(pair.both_established(), "{}", pair.story());
        let (plain, protected) = bodies(&pair, Side::Server);
        assert!(plain.iter().all(|len| *len <= 512), "{plain:?}");
        assert!(protected.iter().all(|len| *len <= 512 + 24), "{protected:?}");
        assert!(plain.contains(&512) || protected.contains(&(512 + 17)));
        assert_eq!((pair.client.data_len_max(), pair.server.data_len_max()), (512, 512));
        pair.exchange_data();
    }
}

#[test]
fn records_longer_than_agreed_on_are_dropped() {
    for versions in VERSIONS {
        let (mut client, mut server) = ends(versions);
        client.common.record_size_limit = Some(100);
        server.common.record_size_limit = Some(100);
        let mut pair = shake((client, server), clean());
        assert!(pair.both_established());
        pair.send(Side::Server, &[5; 50]);
        let mut longer = pair.sent.last().unwrap().bytes.clone();
        longer.resize(300, 0);
        if versions == Versions::Dtls12 {
            let body_len = (longer.len() - RECORD_HEADER_LEN) as u16;
            longer[RECORD_HEADER_LEN - 2..RECORD_HEADER_LEN].copy_from_slice(&body_len.to_be_bytes());
        } else {
            let body_len = (longer.len() - 5) as u16;
            longer[3..5].copy_from_slice(&body_len.to_be_bytes());
        }
        pair.inject(Side::Client, &longer);
        let last = &pair.events.last().unwrap().2;
        let dropped = matches!(last, Event::Discarded(dtls_impl::DiscardReason::BeyondLimit));
        assert!(dropped, "{versions:?} {last:?}");
        pair.exchange_data();
    }
}

#[test]
fn settings_that_cannot_be_said_are_refused() {
    let (client, _) = psk();
    let check = |change: &dyn Fn(&mut ClientConfig)| {
        let mut config = client.clone();
        change(&mut config);
        Connection::client(Arc::new(config), Some(NAME), Seed([1; 32]), Instant::ZERO).err()
    };
    for alpn in [vec![vec![]], vec![vec![b'a'; 256]], vec![vec![b'a'; 255]; 65]] {
        assert_eq!(check(&|config| config.common.alpn.clone_from(&alpn)), Some(Error::Misuse(Misuse::BadAlpn)));
    }
    for (versions, limit, good) in [
        (Versions::Dtls12, 63, false),
        (Versions::Dtls12, 64, true),
        (Versions::Dtls12, 16_384, true),
        (Versions::Dtls12, 16_385, false),
        (Versions::Dtls13, 16_385, true),
        (Versions::Both, 16_386, false),
    ] {
        let refused = check(&|config| {
            config.common.versions = versions;
            config.common.record_size_limit = Some(limit);
        });
        assert_eq!(refused, (!good).then_some(Error::Misuse(Misuse::BadRecordSize)), "{versions:?} {limit}");
    }
}

fn ccm_8() -> (ClientConfig, ServerConfig) {
    let (mut client, mut server) = certificates(Key::P256, 0);
    for common in [&mut client.common, &mut server.common] {
        assert!(!common.cipher_suites13.contains(&CipherSuite::TLS_AES_128_CCM_8_SHA256), "not unless asked for");
        common.versions = Versions::Dtls13;
        common.cipher_suites13 = vec![CipherSuite::TLS_AES_128_CCM_8_SHA256];
    }
    (client, server)
}

#[test]
fn short_tags_are_used_on_request_and_stand_128_forgeries() {
    let mut pair = shake(ccm_8(), clean());
    assert!(pair.both_established(), "{}", pair.story());
    pair.exchange_data();
    pair.send(Side::Server, b"to be forged");
    let mut forged = pair.sent.last().unwrap().bytes.clone();
    pair.run(Duration::from_secs(110));
    *forged.last_mut().unwrap() ^= 1;
    for nth in 0..128 {
        pair.inject(Side::Client, &forged);
        assert!(pair.failure(Side::Client).is_none(), "after {nth}");
    }
    pair.exchange_data();
    pair.inject(Side::Client, &forged);
    let ended = Error::PeerMisbehaved(PeerMisbehaved::TooManyForgeries);
    assert_eq!(pair.failure(Side::Client), Some(&ended));
}

#[test]
fn who_did_not_ask_for_short_tags_does_not_use_them() {
    let (client, mut server) = ccm_8();
    server.common.cipher_suites13 = certificates(Key::P256, 0).1.common.cipher_suites13;
    let pair = shake((client, server), clean());
    assert!(!pair.both_established());
    let told = Error::AlertReceived(AlertDescription::HANDSHAKE_FAILURE);
    assert_eq!(pair.failure(Side::Client), Some(&told), "{}", pair.story());
}

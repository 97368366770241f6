//! DTLS 1.3 between two of our own: handshakes over clean and bad paths, retries, key updates, and what must fail.

use std::time::Duration;

use crate::common::{DELAY, Key, Pair, Path, Sent, Side, certificates, clean, psk, secs};
use dtls_impl::config::{Cookies, Versions};
use dtls_impl::crypto::{Group, Secret};
use dtls_impl::error::{PeerIncompatible, PeerMisbehaved};
use dtls_impl::wire::CipherSuite;
use dtls_impl::{ClientConfig, Connection, Error, Event, Instant, ServerConfig};

pub(crate) fn v13((mut client, mut server): (ClientConfig, ServerConfig)) -> (ClientConfig, ServerConfig) {
    client.common.versions = Versions::Dtls13;
    server.common.versions = Versions::Dtls13;
    (client, server)
}

fn shake((client, server): (ClientConfig, ServerConfig), path: Path) -> Pair {
    let mut pair = Pair::new(client, server, path);
    pair.run(secs(300));
    pair
}

#[test]
fn every_suite_shakes_hands_with_every_key_and_group() {
    let suites = certificates(Key::P256, 0).1.common.cipher_suites13;
    assert_eq!(suites.len(), 4);
    for suite in suites {
        for key in [Key::P256, Key::Ed25519] {
            for group in [Group::X25519, Group::Secp256r1] {
                let (mut client, server) = v13(certificates(key, 0));
                client.common.cipher_suites13 = vec![suite];
                client.common.groups = vec![group];
                let mut pair = shake((client, server), clean());
                assert!(pair.both_established(), "{suite} {key:?} {group:?}\n{}", pair.story());
                pair.exchange_data();
            }
        }
    }
}

#[test]
fn a_handshake_takes_the_flights_of_the_rfc() {
    let pair = shake(v13(certificates(Key::P256, 0)), clean());
    let flights: Vec<_> = pair.sent.iter().map(|sent| (sent.from, sent.contents().join(" "))).collect();
    let expected = [
        (Side::Client, "client_hello"),
        (Side::Server, "server_hello"),
        (Side::Client, "client_hello"),
        (Side::Server, "server_hello protected@2 protected@2 protected@2 protected@2"),
        (Side::Client, "protected@2"),
        (Side::Server, "protected@3"),
    ];
    assert_eq!(flights, expected.map(|(from, contents)| (from, contents.to_owned())), "{}", pair.story());
    assert_eq!(pair.established(Side::Client), Some(Instant::ZERO + 4 * DELAY));
    assert_eq!(pair.established(Side::Server), Some(Instant::ZERO + 5 * DELAY));
}

#[test]
fn without_cookies_a_handshake_takes_one_round_trip() {
    let (client, mut server) = v13(certificates(Key::P256, 0));
    server.cookies = Cookies::Off;
    let pair = shake((client, server), clean());
    assert_eq!(pair.established(Side::Client), Some(Instant::ZERO + 2 * DELAY), "{}", pair.story());
}

#[test]
fn a_server_asks_for_a_group_that_it_can_use() {
    for cookies in [Cookies::Off, Cookies::Required { secret: Secret::new(vec![7; 32]) }] {
        let (mut client, mut server) = v13(certificates(Key::P256, 0));
        client.common.groups = vec![Group::X25519, Group::Secp256r1];
        server.common.groups = vec![Group::Secp256r1];
        server.cookies = cookies;
        let mut pair = shake((client, server), clean());
        assert!(pair.both_established(), "{}", pair.story());
        assert_eq!(pair.established(Side::Client), Some(Instant::ZERO + 4 * DELAY), "one retry does for both");
        pair.exchange_data();
    }
}

#[test]
fn an_external_psk_authenticates_both() {
    let mut pair = shake(v13(psk()), clean());
    assert!(pair.both_established(), "{}", pair.story());
    pair.exchange_data();
}

#[test]
fn a_wrong_psk_is_noticed_by_its_binder() {
    let (mut client, mut server) = v13(psk());
    server.cookies = Cookies::Off;
    if let dtls_impl::config::ClientCredentials::Psk(psk) = &mut client.credentials {
        psk.key = Secret::new(vec![1; 16]);
    }
    let pair = shake((client, server), clean());
    assert_eq!(pair.failure(Side::Server), Some(&Error::PeerMisbehaved(PeerMisbehaved::BadBinder)), "{}", pair.story());
}

#[test]
fn nothing_in_common_ends_in_an_alert() {
    let (mut client, mut server) = v13(certificates(Key::P256, 0));
    client.common.cipher_suites13 = vec![CipherSuite::TLS_AES_128_GCM_SHA256];
    server.common.cipher_suites13 = vec![CipherSuite::TLS_AES_256_GCM_SHA384];
    server.cookies = Cookies::Off;
    let pair = shake((client, server), clean());
    let expected = Error::PeerIncompatible(PeerIncompatible::NoCommonSuite);
    assert_eq!(pair.failure(Side::Server), Some(&expected), "{}", pair.story());
    assert!(matches!(pair.failure(Side::Client), Some(Error::AlertReceived(_))), "{}", pair.story());
}

/// A path that loses what `lost` says.
fn losing(mut lost: impl FnMut(&Sent) -> bool + 'static) -> Path {
    Box::new(move |sent| if lost(sent) { Vec::new() } else { vec![DELAY] })
}

/// Each of the first datagrams of each direction lost alone, and each pair of them, over certificates that take several
/// datagrams.
#[test]
fn any_two_lost_datagrams_are_made_up_for() {
    let losses: Vec<_> =
        [Side::Client, Side::Server].into_iter().flat_map(|side| (0..8).map(move |nth| (side, nth))).collect();
    for first in &losses {
        for second in &losses {
            let lost = [*first, *second];
            let path = losing(move |sent| lost.contains(&(sent.from, sent.nth)));
            let mut pair = shake(v13(certificates(Key::P256, 3000)), path);
            assert!(pair.both_established(), "{lost:?}\n{}", pair.story());
            pair.exchange_data();
        }
    }
}

#[test]
fn an_ack_brings_back_only_what_was_lost_and_long_before_the_timer() {
    // The second of the datagrams with the certificate.
    let path = losing(|sent| sent.from == Side::Server && sent.nth == 2);
    let pair = shake(v13(certificates(Key::P256, 3000)), path);
    assert!(pair.both_established(), "{}", pair.story());
    assert!(pair.established(Side::Client).unwrap() < Instant::ZERO + Duration::from_millis(100), "{}", pair.story());
    let again: usize = pair.sent_by(Side::Server).filter(|sent| sent.at > Instant::ZERO + 3 * DELAY).count();
    assert_eq!(again, 2, "the lost datagram and the last ACK\n{}", pair.story());
}

#[test]
fn a_lost_server_hello_is_asked_for_at_once_with_an_empty_ack() {
    let path = losing(|sent| sent.from == Side::Server && sent.nth == 1);
    let pair = shake(v13(certificates(Key::P256, 3000)), path);
    assert!(pair.established(Side::Client).unwrap() < Instant::ZERO + Duration::from_millis(100), "{}", pair.story());
}

#[test]
fn a_last_ack_that_was_lost_is_sent_again_and_then_all_is_quiet() {
    let path = losing(|sent| sent.from == Side::Server && sent.contents() == ["protected@3"] && sent.nth < 4);
    let pair = shake(v13(certificates(Key::P256, 0)), path);
    assert!(pair.both_established(), "{}", pair.story());
    assert_eq!(pair.failure(Side::Client), None, "{}", pair.story());
    let last = pair.sent.last().unwrap();
    assert!(last.from == Side::Server && last.at < Instant::ZERO + secs(5), "{}", pair.story());
}

#[test]
fn every_datagram_may_come_twice_or_late() {
    for spread in [0, 1, 7, 40] {
        let path: Path = Box::new(move |sent| {
            let late = Duration::from_millis(spread * (sent.nth as u64 % 3));
            vec![DELAY + late, DELAY + 2 * late]
        });
        let mut pair = shake(v13(certificates(Key::Ed25519, 4000)), path);
        assert!(pair.both_established(), "{}", pair.story());
        pair.exchange_data();
    }
}

fn update(pair: &mut Pair, side: Side, request_peer: bool) {
    let now = pair.now;
    pair.end(side).update_keys(now, request_peer).unwrap();
    pair.drain(side);
    let until = pair.now.saturating_since(Instant::ZERO) + secs(10);
    pair.run(until);
}

#[test]
fn keys_are_updated_by_either_side_and_by_both() {
    let mut pair = shake(v13(certificates(Key::P256, 0)), clean());
    for side in [Side::Client, Side::Server, Side::Client, Side::Client, Side::Server] {
        for request_peer in [false, true] {
            update(&mut pair, side, request_peer);
            pair.exchange_data();
        }
    }
    for side in [Side::Client, Side::Server] {
        assert_eq!(pair.failure(side), None, "{}", pair.story());
    }
    let epochs: std::collections::BTreeSet<_> = pair.sent.iter().flat_map(Sent::contents).collect();
    assert!(epochs.contains("protected@0") && epochs.contains("protected@1"), "{epochs:?}");
}

#[test]
fn a_key_update_whose_ack_is_lost_is_repeated_and_data_flows_meanwhile() {
    let mut lost = 0;
    let path = losing(move |sent| {
        let is_ack = sent.from == Side::Server && sent.at > Instant::ZERO + secs(300) && lost < 2;
        lost += usize::from(is_ack);
        is_ack
    });
    let mut pair = shake(v13(certificates(Key::P256, 0)), path);
    let now = pair.now;
    pair.run(secs(301));
    pair.client.update_keys(now, false).unwrap();
    pair.drain(Side::Client);
    pair.send(Side::Client, b"before the ACK");
    pair.run(secs(320));
    assert_eq!(pair.data(Side::Server), [b"before the ACK"], "{}", pair.story());
    pair.exchange_data();
}

#[test]
fn both_sides_log_the_same_secrets_and_export_the_same_material() {
    let (mut client, mut server) = v13(certificates(Key::P256, 0));
    client.common.key_log = true;
    server.common.key_log = true;
    let pair = shake((client, server), clean());
    let lines = |side| {
        let lines = pair.events.iter().filter(move |(_, of, _)| *of == side).filter_map(|(.., event)| match event {
            Event::KeyLog(line) => Some(line.clone()),
            _ => None,
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(lines(Side::Client), lines(Side::Server));
    let labels: Vec<_> = lines(Side::Client).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    let expected = [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
    ];
    assert_eq!(labels, expected);
    let export = |connection: &Connection| {
        let mut out = [0; 32];
        connection.export_keying_material(b"EXPORTER-test", Some(b"context"), &mut out).map(|()| out)
    };
    assert_eq!(export(&pair.client), export(&pair.server));
    assert!(export(&pair.client).is_ok());
}

#[test]
fn close_notify_ends_both_sides() {
    let mut pair = shake(v13(certificates(Key::P256, 0)), clean());
    let now = pair.now;
    pair.client.close(now);
    pair.drain(Side::Client);
    pair.run(secs(301));
    assert!(pair.events.iter().any(|(_, side, event)| *side == Side::Server && *event == Event::PeerClosed));
}

#[test]
fn a_client_of_both_versions_goes_with_what_the_server_speaks() {
    for (versions, flights) in [(Versions::Dtls12, 6), (Versions::Dtls13, 6), (Versions::Both, 6)] {
        for credentials in [certificates(Key::P256, 0), psk()] {
            let (mut client, mut server) = credentials;
            client.common.versions = Versions::Both;
            server.common.versions = versions;
            let mut pair = shake((client, server), clean());
            assert!(pair.both_established(), "{versions:?}\n{}", pair.story());
            assert_eq!(pair.sent.len(), flights, "{versions:?}\n{}", pair.story());
            pair.exchange_data();
        }
    }
}

#[test]
fn a_client_of_both_versions_recovers_from_losses_with_a_server_of_1_2() {
    for lost in [(Side::Client, 0), (Side::Server, 0), (Side::Client, 1), (Side::Server, 1), (Side::Client, 2)] {
        let (mut client, server) = certificates(Key::P256, 3000);
        client.common.versions = Versions::Both;
        let mut pair = shake((client, server), losing(move |sent| (sent.from, sent.nth) == lost));
        assert!(pair.both_established(), "{lost:?}\n{}", pair.story());
        pair.exchange_data();
    }
}

/// Somebody takes 1.3 out of the hello.
#[test]
fn a_downgrade_is_noticed() {
    let (mut client, mut server) = certificates(Key::P256, 0);
    client.common.versions = Versions::Both;
    server.common.versions = Versions::Both;
    server.cookies = Cookies::Off;
    let mut pair = Pair::new(client, server, losing(|_| true));
    let mut hello = pair.sent[0].bytes.clone();
    // The list of supported_versions: 43, a length, four bytes, 1.3 and 1.2.
    let at = hello.windows(9).position(|bytes| *bytes == [0, 43, 0, 5, 4, 0xfe, 0xfc, 0xfe, 0xfd]).unwrap();
    hello[at + 6] = 0xfd;
    pair.inject(Side::Server, &hello);
    let answer = pair.sent_by(Side::Server).next().unwrap().bytes.clone();
    pair.inject(Side::Client, &answer);
    let expected = Error::PeerMisbehaved(PeerMisbehaved::Downgrade);
    assert_eq!(pair.failure(Side::Client), Some(&expected), "{}", pair.story());
}

#[test]
fn a_server_of_both_versions_serves_clients_of_either() {
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        let (mut client, mut server) = certificates(Key::P256, 0);
        client.common.versions = versions;
        server.common.versions = Versions::Both;
        let mut pair = shake((client, server), clean());
        assert!(pair.both_established(), "{versions:?}\n{}", pair.story());
        pair.exchange_data();
    }
}

/// A generator of its own, so that each run of the test is the same (splitmix64).
fn draws(mut state: u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// A fifth of all datagrams lost, a tenth twice, all of them late by chance; hellos in pieces, certificates in many.
#[test]
fn handshakes_and_key_updates_survive_a_rough_path() {
    for seed in 0..150 {
        let (mut client, mut server) = v13(certificates(Key::P256, 2000 * (seed as usize % 3)));
        client.common.mtu = [256, 300, 1200][seed as usize / 3 % 3];
        server.common.mtu = client.common.mtu;
        if seed % 2 == 0 {
            client.common.versions = Versions::Both;
        }
        let mut draw = draws(seed);
        let rough: Path = Box::new(move |_| {
            let copies = [0, 0, 1, 1, 1, 1, 1, 1, 1, 2][draw(10) as usize];
            (0..copies).map(|_| Duration::from_millis(5 + draw(50))).collect()
        });
        let mut pair = Pair::new(client, server, rough);
        pair.run(secs(150));
        assert!(pair.both_established(), "seed {seed}\n{}", pair.story());
        for round in 0..4 {
            let side = if round % 2 == 0 { Side::Client } else { Side::Server };
            let now = pair.now;
            pair.end(side).update_keys(now, round > 1).unwrap();
            pair.drain(side);
            pair.run(secs(150 + 60 * (round + 1)));
        }
        for side in [Side::Client, Side::Server] {
            assert_eq!(pair.failure(side), None, "seed {seed}\n{}", pair.story());
        }
        pair.exchange_data();
    }
}

//! Handshakes over a clean path: every suite, every kind of credentials, and what must fail.

use std::sync::Arc;

use crate::common::{DELAY, Key, NAME, Pair, Side, certificates, clean, psk, secs};
use dtls_impl::config::{ClientCredentials, Cookies, ExtendedMasterSecret, ServerCredentials, UnknownIdentity};
use dtls_impl::crypto::{Group, Secret};
use dtls_impl::error::{Misuse, PeerIncompatible};
use dtls_impl::pki::CertificateError;
use dtls_impl::wire::{AlertDescription, CipherSuite, HandshakeType, Records};
use dtls_impl::{ClientConfig, Connection, Error, Event, Instant, Seed, ServerConfig};

fn shake(client: ClientConfig, server: ServerConfig) -> Pair {
    let mut pair = Pair::new(client, server, clean());
    pair.run(secs(300));
    pair
}

#[test]
fn every_psk_suite_shakes_hands_and_carries_data() {
    for suite in psk().0.common.cipher_suites {
        let (mut client, server) = psk();
        client.common.cipher_suites = vec![suite];
        let mut pair = shake(client, server);
        assert!(pair.both_established(), "{suite}\n{}", pair.story());
        pair.exchange_data();
    }
}

#[test]
fn every_certificate_suite_shakes_hands_with_every_key_and_group() {
    let suites = certificates(Key::P256, 0).1.common.cipher_suites;
    assert_eq!(suites.len(), 5);
    for suite in suites {
        for key in [Key::P256, Key::Ed25519] {
            for group in [Group::X25519, Group::Secp256r1] {
                let (mut client, server) = certificates(key, 0);
                client.common.cipher_suites = vec![suite];
                client.common.groups = vec![group];
                let mut pair = shake(client, server);
                assert!(pair.both_established(), "{suite} {key:?} {group:?}\n{}", pair.story());
                pair.exchange_data();
            }
        }
    }
}

#[test]
fn a_full_handshake_takes_the_six_flights_of_the_rfc() {
    let (client, server) = certificates(Key::P256, 0);
    let pair = shake(client, server);
    let flights: Vec<_> = pair.sent.iter().map(|sent| (sent.from, sent.contents().join(" "))).collect();
    let expected = [
        (Side::Client, "client_hello"),
        (Side::Server, "hello_verify_request"),
        (Side::Client, "client_hello"),
        (Side::Server, "server_hello certificate server_key_exchange server_hello_done"),
        (Side::Client, "client_key_exchange change_cipher_spec@0 handshake@1"),
        (Side::Server, "change_cipher_spec@0 handshake@1"),
    ];
    assert_eq!(flights, expected.map(|(side, contents)| (side, contents.to_owned())));
    assert_eq!(pair.established(Side::Client), Some(Instant::ZERO + DELAY * 6));
    assert_eq!(pair.established(Side::Server), Some(Instant::ZERO + DELAY * 5));
}

#[test]
fn a_hint_travels_in_server_key_exchange_and_plain_psk_has_none_without() {
    for (hint, expected) in [(None, false), (Some(Vec::new()), false), (Some(b"which".to_vec()), true)] {
        let (mut client, mut server) = psk();
        client.common.cipher_suites = vec![CipherSuite::TLS_PSK_WITH_AES_128_CCM_8];
        let ServerCredentials::Psk { hint: own, .. } = &mut server.credentials else { unreachable!() };
        *own = hint;
        let pair = shake(client, server);
        assert!(pair.both_established());
        assert_eq!(pair.sent_by(Side::Server).any(|sent| sent.holds(HandshakeType::SERVER_KEY_EXCHANGE)), expected);
    }
}

#[test]
fn the_server_copies_the_numbers_of_the_client_hello() {
    let (client, server) = psk();
    let pair = shake(client, server);
    let first_seq = |sent: &crate::common::Sent| Records::new(&sent.bytes).next().unwrap().unwrap().header.seq;
    let numbers: Vec<_> = pair.sent.iter().take(4).map(first_seq).collect();
    assert_eq!(numbers, [0, 0, 1, 1]);
}

#[test]
fn without_cookies_there_is_no_verify_request() {
    let (client, mut server) = psk();
    server.cookies = Cookies::Off;
    let mut pair = shake(client, server);
    assert!(pair.both_established());
    assert_eq!(pair.sent.len(), 4);
    pair.exchange_data();
}

#[test]
fn both_sides_export_the_same_keying_material() {
    let (client, server) = psk();
    let pair = shake(client, server);
    let export = |end: &Connection, label: &[u8], context: Option<&[u8]>| {
        let mut out = [0; 40];
        end.export_keying_material(label, context, &mut out).unwrap();
        out
    };
    let client = export(&pair.client, b"EXTRACTOR-dtls_srtp", None);
    assert_eq!(client, export(&pair.server, b"EXTRACTOR-dtls_srtp", None));
    assert_ne!(client, export(&pair.client, b"EXTRACTOR-dtls_srtp", Some(b"")));
    assert_ne!(client, export(&pair.client, b"other", None));
}

#[test]
fn the_same_seeds_give_the_same_bytes() {
    let run = || {
        let (client, server) = certificates(Key::P256, 0);
        shake(client, server).sent.into_iter().map(|sent| sent.bytes).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn keys_are_logged_only_on_request_and_equal_on_both_sides() {
    let (mut client, mut server) = psk();
    client.common.key_log = true;
    server.common.key_log = true;
    let pair = shake(client, server);
    let lines = pair.events.iter().filter_map(|(.., event)| match event {
        Event::KeyLog(line) => Some(line.clone()),
        _ => None,
    });
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], lines[1]);
    assert_eq!(lines[0].len(), "CLIENT_RANDOM ".len() + 64 + 1 + 96);
    let (client, server) = psk();
    assert!(!shake(client, server).events.iter().any(|(.., event)| matches!(event, Event::KeyLog(_))));
}

#[test]
fn an_unknown_psk_identity_is_refused_with_its_alert() {
    let (mut client, server) = psk();
    let ClientCredentials::Psk(psk) = &mut client.credentials else { unreachable!() };
    psk.identity = b"stranger".to_vec();
    let pair = shake(client, server);
    assert_eq!(pair.failure(Side::Server), Some(&PeerIncompatible::UnknownPskIdentity.into()));
    assert_eq!(pair.failure(Side::Client), Some(&Error::AlertReceived(AlertDescription::UNKNOWN_PSK_IDENTITY)));
}

#[test]
fn a_concealed_identity_looks_like_a_wrong_key() {
    for wrong_key in [true, false] {
        let (mut client, mut server) = psk();
        let ClientCredentials::Psk(psk) = &mut client.credentials else { unreachable!() };
        match wrong_key {
            true => psk.key = Secret::new(vec![1; 16]),
            false => psk.identity = b"stranger".to_vec(),
        }
        let ServerCredentials::Psk { unknown, .. } = &mut server.credentials else { unreachable!() };
        *unknown = UnknownIdentity::Conceal;
        let pair = shake(client, server);
        assert_eq!(pair.failure(Side::Client), Some(&Error::TimedOut), "{}", pair.story());
        assert_eq!(pair.failure(Side::Server), Some(&Error::TimedOut));
    }
}

#[test]
fn a_certificate_is_checked_for_name_date_and_root() {
    let (client, server) = certificates(Key::P256, 0);
    let with_date = |unix_time| {
        let mut client = client.clone();
        client.common.unix_time = unix_time;
        shake(client, server.clone())
    };
    let pair = with_date(crate::common::DATE + 400 * 86_400);
    assert_eq!(pair.failure(Side::Client), Some(&Error::BadCertificate(CertificateError::Expired)));
    assert_eq!(pair.failure(Side::Server), Some(&Error::AlertReceived(AlertDescription::CERTIFICATE_EXPIRED)));
    assert!(with_date(crate::common::DATE).both_established());

    let mut stranger = Pair::new(client.clone(), server, clean());
    stranger.client =
        Connection::client(Arc::new(client), Some("other.example"), Seed([1; 32]), Instant::ZERO).unwrap();
    stranger.drain(Side::Client);
    stranger.run(secs(300));
    assert_eq!(stranger.failure(Side::Client), Some(&Error::BadCertificate(CertificateError::WrongName)));
}

#[test]
fn without_a_common_suite_group_or_scheme_the_handshake_fails_at_once() {
    let (mut client, mut server) = psk();
    client.common.cipher_suites = vec![CipherSuite::TLS_PSK_WITH_AES_128_CCM];
    server.common.cipher_suites = vec![CipherSuite::TLS_PSK_WITH_AES_128_CCM_8];
    let pair = shake(client, server);
    assert_eq!(pair.failure(Side::Server), Some(&PeerIncompatible::NoCommonSuite.into()));
    assert_eq!(pair.failure(Side::Client), Some(&Error::AlertReceived(AlertDescription::HANDSHAKE_FAILURE)));

    let (mut client, mut server) = certificates(Key::P256, 0);
    client.common.groups = vec![Group::X25519];
    server.common.groups = vec![Group::Secp256r1];
    assert_eq!(shake(client, server).failure(Side::Server), Some(&PeerIncompatible::NoCommonGroup.into()));
}

#[test]
fn the_servers_order_of_preference_decides() {
    let (client, mut server) = psk();
    server.common.cipher_suites.reverse();
    let first = server.common.cipher_suites[0];
    let pair = shake(client, server);
    let suite = pair.events.iter().find_map(|(.., event)| match event {
        Event::Established { suite, .. } => Some(*suite),
        _ => None,
    });
    assert_eq!(suite, Some(first));
}

#[test]
fn extended_master_secret_is_used_also_where_it_is_only_preferred() {
    let (mut client, mut server) = psk();
    client.common.extended_master_secret = ExtendedMasterSecret::Preferred;
    server.common.extended_master_secret = ExtendedMasterSecret::Preferred;
    let pair = shake(client, server);
    let extended = |event: &Event| matches!(event, Event::Established { extended_master_secret: true, .. });
    assert_eq!(pair.events.iter().filter(|(.., event)| extended(event)).count(), 2);
}

#[test]
fn close_notify_goes_both_ways_and_ends_both() {
    let (client, server) = psk();
    let mut pair = shake(client, server);
    let now = pair.now;
    pair.client.close(now);
    pair.drain(Side::Client);
    pair.run(secs(400));
    assert!(pair.events.iter().any(|(_, side, event)| *side == Side::Server && *event == Event::PeerClosed));
    assert_eq!(pair.sent.iter().rev().take(2).filter(|sent| sent.contents() == ["alert@1"]).count(), 2);
    assert_eq!(pair.server.send(now, b"x"), Err(Misuse::Closed.into()));
    assert_eq!(pair.client.send(now, b"x"), Err(Misuse::Closed.into()));
}

#[test]
fn configurations_that_cannot_work_are_refused() {
    let client = |change: &dyn Fn(&mut ClientConfig)| {
        let mut config = psk().0;
        change(&mut config);
        Connection::client(Arc::new(config), Some(NAME), Seed([0; 32]), Instant::ZERO).err()
    };
    assert_eq!(client(&|config| config.common.mtu = 255), Some(Misuse::BadMtu.into()));
    assert_eq!(client(&|config| config.common.mtu = 65_508), Some(Misuse::BadMtu.into()));
    assert_eq!(client(&|config| config.common.timers.max = DELAY), Some(Misuse::BadTimers.into()));
    assert_eq!(client(&|config| config.common.groups.clear()), Some(Misuse::NoGroups.into()));
    let ecdsa = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM;
    assert_eq!(client(&|config| config.common.cipher_suites = vec![ecdsa]), Some(Misuse::NoUsableSuite.into()));
    assert_eq!(client(&|_| ()), None);
    let config = Arc::new(certificates(Key::P256, 0).0);
    let nameless = Connection::client(config, None, Seed([0; 32]), Instant::ZERO);
    assert_eq!(nameless.err(), Some(Misuse::BadServerName.into()));
}

#[test]
fn data_must_fit_one_datagram_and_wait_for_the_handshake() {
    let (client, server) = psk();
    let mut pair = Pair::new(client, server, clean());
    assert_eq!(pair.client.send(Instant::ZERO, b"early"), Err(Misuse::NotEstablished.into()));
    pair.run(secs(1));
    let longest = vec![0; pair.client.data_len_max()];
    pair.send(Side::Client, &longest);
    assert_eq!(pair.sent.last().unwrap().bytes.len(), 1200);
    let now = pair.now;
    assert_eq!(pair.client.send(now, &[&longest[..], &[0]].concat()), Err(Misuse::DataTooLarge.into()));
}

//! Groups on request: P-384 in both versions, and X25519MLKEM768, whose ClientHello does not fit a datagram.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{DELAY, Key, NAME, Pair, Path, Sent, Side, certificates, clean, psk, secs};
use crate::dtls13::v13;
use dtls_impl::config::{Cookies, Versions};
use dtls_impl::crypto::Group;
use dtls_impl::error::Misuse;
use dtls_impl::wire::{AnyRecord, AnyRecords, Fragments, HandshakeType};
use dtls_impl::{ClientConfig, Connection, Error, Instant, Seed, ServerConfig};

const MTU: usize = 1024;

fn hybrid(client: &[Group], server: &[Group]) -> (ClientConfig, ServerConfig) {
    let (mut client_config, mut server_config) = v13(certificates(Key::P256, 0));
    for (common, groups) in [(&mut client_config.common, client), (&mut server_config.common, server)] {
        common.groups = groups.to_vec();
        common.mtu = MTU;
    }
    (client_config, server_config)
}

/// Starts of the fragments of ClientHellos in a datagram.
fn hello_fragments(sent: &Sent) -> Vec<u32> {
    let mut offsets = Vec::new();
    for record in AnyRecords::new(&sent.bytes, None) {
        let Ok(AnyRecord::Plain(record)) = record else { continue };
        let fragments = Fragments::new(record.body).filter_map(Result::ok);
        let hellos = fragments.filter(|fragment| fragment.header.message_type == HandshakeType::CLIENT_HELLO);
        offsets.extend(hellos.map(|fragment| fragment.header.fragment_offset));
    }
    offsets
}

#[test]
fn p384_works_in_both_versions_with_certificates_and_psk() {
    for versions in [Versions::Dtls12, Versions::Dtls13, Versions::Both] {
        for (mut client, mut server) in [certificates(Key::P256, 0), psk()] {
            for common in [&mut client.common, &mut server.common] {
                common.versions = versions;
                common.groups = vec![Group::Secp384r1];
            }
            let mut pair = Pair::new(client, server, clean());
            pair.run(secs(10));
            assert!(pair.both_established(), "{versions:?}\n{}", pair.story());
            pair.exchange_data();
        }
    }
}

#[test]
fn a_hybrid_hello_is_cut_into_fragments_and_understood() {
    let groups = [Group::X25519MlKem768, Group::X25519];
    for cookies in [None, Some(Cookies::Off)] {
        let (client, mut server) = hybrid(&groups, &groups);
        let retries = cookies.is_none();
        server.cookies = cookies.unwrap_or(server.cookies);
        let mut pair = Pair::new(client, server, clean());
        pair.run(secs(10));
        assert!(pair.both_established(), "{}", pair.story());
        assert!(pair.sent.iter().all(|sent| sent.bytes.len() <= MTU));
        let hellos: Vec<_> = pair.sent_by(Side::Client).map(hello_fragments).filter(|of| !of.is_empty()).collect();
        assert_eq!(hellos.len(), if retries { 4 } else { 2 }, "two datagrams each time\n{}", pair.story());
        pair.exchange_data();
    }
}

#[test]
fn a_retry_leads_from_x25519_to_the_hybrid_group_and_back() {
    let (hybrid_group, x25519) = (Group::X25519MlKem768, Group::X25519);
    for (client, server) in [([x25519, hybrid_group], [hybrid_group]), ([hybrid_group, x25519], [x25519])] {
        for cookies in [true, false] {
            let (client, mut server) = hybrid(&client, &server);
            if !cookies {
                server.cookies = Cookies::Off;
            }
            let mut pair = Pair::new(client, server, clean());
            pair.run(secs(10));
            assert_eq!(pair.established(Side::Client), Some(Instant::ZERO + 4 * DELAY), "{}", pair.story());
            assert!(pair.both_established());
            pair.exchange_data();
        }
    }
}

/// Fragments of one hello arrive in the other order: each even datagram of the client waits.
fn reordered() -> Path {
    Box::new(|sent| {
        let late = sent.from == Side::Client && sent.nth.is_multiple_of(2);
        vec![if late { 2 * DELAY } else { DELAY }]
    })
}

#[test]
fn hybrid_hellos_survive_reordering_and_every_single_and_double_loss() {
    let pairs = [
        (vec![Group::X25519, Group::X25519MlKem768], vec![Group::X25519MlKem768]),
        (vec![Group::X25519MlKem768, Group::X25519], vec![Group::X25519]),
        (vec![Group::X25519MlKem768], vec![Group::X25519MlKem768]),
    ];
    for (client, server) in pairs {
        let (client, server) = hybrid(&client, &server);
        let mut pair = Pair::new(client.clone(), server.clone(), reordered());
        pair.run(secs(100));
        assert!(pair.both_established(), "{}", pair.story());
        pair.exchange_data();
        for first in 0..9 {
            for second in first..9 {
                let mut nth = 0;
                let path: Path = Box::new(move |_| {
                    let lost = nth == first || nth == second;
                    nth += 1;
                    if lost { Vec::new() } else { vec![DELAY] }
                });
                let mut pair = Pair::new(client.clone(), server.clone(), path);
                pair.run(secs(100));
                assert!(pair.both_established(), "without {first} and {second}\n{}", pair.story());
                pair.exchange_data();
            }
        }
    }
}

#[test]
fn a_hello_that_was_put_together_is_forgotten_when_it_has_no_cookie() {
    let groups = [Group::X25519MlKem768];
    let (client, server) = hybrid(&groups, &groups);
    let mut pair = Pair::new(client, server, clean());
    pair.run(2 * DELAY);
    assert!(pair.sent_by(Side::Server).any(|sent| sent.holds(HandshakeType::SERVER_HELLO)), "{}", pair.story());
    assert!(pair.server.is_listening());
    pair.run(Duration::from_secs(5));
    assert!(!pair.server.is_listening());
}

#[test]
fn a_server_of_12_alone_does_not_see_the_hybrid_group() {
    let groups = [Group::X25519MlKem768, Group::X25519];
    let (mut client, mut server) = hybrid(&groups, &groups);
    client.common.versions = Versions::Both;
    server.common.versions = Versions::Dtls12;
    let mut pair = Pair::new(client, server, clean());
    pair.run(secs(10));
    assert!(pair.both_established(), "{}", pair.story());
    pair.exchange_data();

    let (mut client, _) = certificates(Key::P256, 0);
    client.common.groups = vec![Group::X25519MlKem768];
    for versions in [Versions::Dtls12, Versions::Both] {
        client.common.versions = versions;
        let refused = Connection::client(Arc::new(client.clone()), Some(NAME), Seed([1; 32]), Instant::ZERO);
        assert_eq!(refused.err(), Some(Error::Misuse(Misuse::NoGroups)));
    }
}

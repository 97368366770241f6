//! DTLS 1.3 between two of our own: handshakes over clean and bad paths, retries, key updates, and what must fail.

use std::time::Duration;

use crate::common::{DELAY, Key, Pair, Path, Sent, Side, certificates, clean, psk, secs};
use dtls_impl::config::{Cookies, Versions};
use dtls_impl::crypto::{Group, Secret};
use dtls_impl::error::{PeerIncompatible, PeerMisbehaved};
use dtls_impl::wire::CipherSuite;
use dtls_impl::{ClientConfig, Connection, Error, Event, Instant, ServerConfig};

fn v13((mut client, mut server): (ClientConfig, ServerConfig)) -> (ClientConfig, ServerConfig) {
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

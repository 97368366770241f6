//! Raw public keys (RFC 7250) of servers and clients, in both versions.

use std::sync::Arc;

use crate::common::{Key, Pair, Side, TestKey, certificates, clean, secs};
use crate::dtls13::v13;
use dtls_impl::config::{CertifiedKey, ClientAuth, ClientCredentials, ServerCredentials};
use dtls_impl::crypto::rustcrypto;
use dtls_impl::pki::{CertificateError, ClientVerifier, ServerVerifier};
use dtls_impl::wire::AlertDescription;
use dtls_impl::{ClientConfig, Connection, Error, Instant, PeerIdentity, Seed, ServerConfig};

type Configs = (ClientConfig, ServerConfig);

const VERSIONS: [fn(Configs) -> Configs; 2] = [|configs| configs, v13];

fn raw(key: Key, seed: u8) -> CertifiedKey {
    CertifiedKey::raw_public_key(&*rustcrypto::provider(), &TestKey::new(key, seed).private()).unwrap()
}

fn knows(key: &CertifiedKey) -> ClientCredentials {
    let verifier = ServerVerifier::raw_public_keys([key.public_key().to_vec()]);
    ClientCredentials::Certificate { verifier: Arc::new(verifier) }
}

fn wants(key: &CertifiedKey) -> ClientAuth {
    ClientAuth::Required(Arc::new(ClientVerifier::raw_public_keys([key.public_key().to_vec()])))
}

/// Both ends with keys alone.
fn raw_keys(key: Key) -> Configs {
    let (mut client, mut server) = certificates(key, 0);
    let (own, peer) = (raw(key, 31), raw(key, 32));
    client.credentials = knows(&peer);
    server.client_auth = wants(&own);
    client.identity = Some(own);
    server.credentials = ServerCredentials::Certificate(peer);
    (client, server)
}

fn shake((client, server): Configs) -> Pair {
    let mut pair = Pair::new(client, server, clean());
    pair.run(secs(300));
    pair
}

#[test]
fn both_ends_are_known_by_their_keys_and_certificates_are_none() {
    for of_version in VERSIONS {
        for key in [Key::P256, Key::Ed25519] {
            let mut pair = shake(of_version(raw_keys(key)));
            assert!(pair.both_established(), "{key:?}\n{}", pair.story());
            let peer = |connection: &Connection| connection.negotiated().map(|negotiated| negotiated.peer);
            let expected = |seed| Some(PeerIdentity::RawPublicKey(raw(key, seed).public_key().to_vec()));
            assert_eq!(peer(&pair.client), expected(32));
            assert_eq!(peer(&pair.server), expected(31));
            pair.exchange_data();
        }
    }
}

#[test]
fn only_one_end_may_have_a_raw_key() {
    for of_version in VERSIONS {
        let (client, server) = of_version(raw_keys(Key::P256));
        let (x509_client, x509_server) = of_version(certificates(Key::P256, 0));
        let mut only_server = (client.clone(), server.clone());
        only_server.0.identity = None;
        only_server.1.client_auth = ClientAuth::None;
        let mut only_client = (x509_client, x509_server);
        only_client.0.identity = client.identity;
        only_client.1.client_auth = server.client_auth;
        for configs in [only_server, only_client] {
            let pair = shake(configs);
            assert!(pair.both_established(), "{}", pair.story());
        }
    }
}

#[test]
fn a_client_that_knows_the_key_needs_no_server_name() {
    let config = Arc::new(raw_keys(Key::P256).0);
    assert!(Connection::client(config, None, Seed([0; 32]), Instant::ZERO).is_ok());
}

#[test]
fn unknown_keys_are_refused() {
    for of_version in VERSIONS {
        let (mut client, server) = of_version(raw_keys(Key::P256));
        client.credentials = knows(&raw(Key::P256, 40));
        let pair = shake((client, server));
        let unknown = Error::BadCertificate(CertificateError::UnknownKey);
        let alert = Error::AlertReceived(AlertDescription::BAD_CERTIFICATE);
        assert_eq!(pair.failure(Side::Client), Some(&unknown), "{}", pair.story());
        assert_eq!(pair.failure(Side::Server), Some(&alert), "{}", pair.story());
        let (client, mut server) = of_version(raw_keys(Key::P256));
        server.client_auth = wants(&raw(Key::P256, 40));
        let pair = shake((client, server));
        assert_eq!(pair.failure(Side::Server), Some(&unknown), "{}", pair.story());
        assert_eq!(pair.failure(Side::Client), Some(&alert), "{}", pair.story());
    }
}

/// RFC 7250 §4.2.
#[test]
fn keys_and_certificates_do_not_go_together() {
    for of_version in VERSIONS {
        let (mut client, server) = of_version(raw_keys(Key::P256));
        let (x509_client, x509_server) = of_version(certificates(Key::P256, 0));
        client.identity = None;
        for configs in [(client, x509_server), (x509_client, server)] {
            let pair = shake(configs);
            let alert = Error::AlertReceived(AlertDescription::UNSUPPORTED_CERTIFICATE);
            assert_eq!(pair.failure(Side::Client), Some(&alert), "{}", pair.story());
        }
    }
}

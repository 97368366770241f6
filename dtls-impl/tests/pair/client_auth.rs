//! Who each end finds the other to be, and certificates of clients.

use std::sync::Arc;

use crate::common::{DELAY, Key, NAME, Pair, Side, TestKey, certificates, clean, identity, params, psk, secs};
use crate::dtls13::v13;
use dtls_impl::config::TicketKeys;
use dtls_impl::config::{CertifiedKey, ClientAuth, Tickets, Versions};
use dtls_impl::crypto::{SignatureScheme, rustcrypto};
use dtls_impl::error::{Misuse, PeerIncompatible};
use dtls_impl::pki::ClientVerifier;
use dtls_impl::wire::{AlertDescription, CipherSuite, HandshakeType, ProtocolVersion};
use dtls_impl::{ClientConfig, ClientSession, Connection, Error, Event, Instant, PeerIdentity, Seed, ServerConfig};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyUsagePurpose};
use rustls_pki_types::CertificateDer;

type Configs = (ClientConfig, ServerConfig);

fn shake((client, server): Configs) -> Pair {
    let mut pair = Pair::new(client, server, clean());
    pair.run(secs(300));
    pair
}

fn v12(configs: Configs) -> Configs {
    configs
}

const VERSIONS: [fn(Configs) -> Configs; 2] = [v12, v13];

/// An authority for clients.
struct Authority {
    params: CertificateParams,
    key: TestKey,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = params(&[], 10);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self { params, key: TestKey::new(Key::P256, name.len() as u8) }
    }

    fn root(&self) -> CertificateDer<'static> {
        self.params.self_signed(&self.key).unwrap().der().clone()
    }

    fn issue(&self, key: Key) -> CertifiedKey {
        let own = TestKey::new(key, 21);
        let issuer = Issuer::from_params(&self.params, &self.key);
        let leaf = params(&["device"], 11).signed_by(&own, &issuer).unwrap().der().clone();
        CertifiedKey::new(&*rustcrypto::provider(), vec![leaf], &own.private()).unwrap()
    }

    fn verifier(&self) -> Arc<ClientVerifier> {
        Arc::new(ClientVerifier::new(vec![self.root()]).unwrap())
    }
}

/// A client with a certificate of this kind and a server that wants one.
fn mutual(key: Key) -> Configs {
    let (mut client, mut server) = certificates(Key::P256, 0);
    let authority = Authority::new("clients");
    client.identity = Some(authority.issue(key));
    server.client_auth = ClientAuth::Required(authority.verifier());
    (client, server)
}

/// Whom an end has authenticated.
fn peer_of(pair: &Pair, side: Side) -> Option<PeerIdentity> {
    let connection = if side == Side::Client { &pair.client } else { &pair.server };
    connection.negotiated().map(|negotiated| negotiated.peer)
}

fn is_certificate(peer: Option<PeerIdentity>) -> bool {
    matches!(peer, Some(PeerIdentity::Certificate(chain)) if chain.len() == 1)
}

#[test]
fn each_end_says_whom_it_has_authenticated_and_nothing_before() {
    let chain = PeerIdentity::Certificate(vec![identity(Key::P256, 0).leaf]);
    for of_version in VERSIONS {
        let pair = shake(of_version(certificates(Key::P256, 0)));
        assert_eq!(peer_of(&pair, Side::Client), Some(chain.clone()), "{}", pair.story());
        assert_eq!(peer_of(&pair, Side::Server), Some(PeerIdentity::Anonymous));
        let pair = shake(of_version(psk()));
        for side in [Side::Client, Side::Server] {
            assert_eq!(peer_of(&pair, side), Some(PeerIdentity::Psk(b"device".to_vec())), "{}", pair.story());
        }
        let (client, server) = of_version(psk());
        assert_eq!(peer_of(&Pair::new(client, server, clean()), Side::Client), None);
    }
}

/// Also where the hash of the signature is not that of the suite.
#[test]
fn clients_are_authenticated_by_every_kind_of_key() {
    for of_version in VERSIONS {
        for key in [Key::P256, Key::P384, Key::Ed25519, Key::Rsa] {
            for suite in [CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, CipherSuite::TLS_AES_128_GCM_SHA256] {
                let (mut client, mut server) = of_version(mutual(key));
                let suites = match suite {
                    CipherSuite::TLS_AES_128_GCM_SHA256 => &mut client.common.cipher_suites13,
                    _ => &mut client.common.cipher_suites,
                };
                *suites = vec![suite];
                server.common.signature_schemes = SignatureScheme::ALL.to_vec();
                let mut pair = shake((client, server));
                assert!(pair.both_established(), "{key:?}\n{}", pair.story());
                assert!(is_certificate(peer_of(&pair, Side::Server)), "{key:?}\n{}", pair.story());
                pair.exchange_data();
            }
        }
    }
}

#[test]
fn servers_are_authenticated_by_every_kind_of_key() {
    for of_version in VERSIONS {
        for key in [Key::P256, Key::P384, Key::Ed25519, Key::Rsa] {
            for scheme in SignatureScheme::ALL {
                let fits = match key {
                    Key::P256 => scheme == SignatureScheme::EcdsaSecp256r1Sha256,
                    Key::P384 => scheme == SignatureScheme::EcdsaSecp384r1Sha384,
                    Key::Ed25519 => scheme == SignatureScheme::Ed25519,
                    Key::Rsa => format!("{scheme:?}").starts_with("Rsa"),
                };
                let (mut client, server) = of_version(certificates(key, 0));
                let pkcs1 = format!("{scheme:?}").starts_with("RsaPkcs1");
                let fits = fits && !(pkcs1 && client.common.versions == Versions::Dtls13);
                client.common.signature_schemes = vec![scheme];
                let mut pair = shake((client, server));
                assert_eq!(pair.both_established(), fits, "{key:?} {scheme:?}\n{}", pair.story());
                if fits {
                    pair.exchange_data();
                } else {
                    let expected = Error::AlertReceived(AlertDescription::HANDSHAKE_FAILURE);
                    assert_eq!(pair.failure(Side::Client), Some(&expected), "{key:?} {scheme:?}");
                }
            }
        }
    }
}

#[test]
fn rsa_servers_have_the_rsa_suites_of_dtls_1_2_and_no_others() {
    let suites = certificates(Key::Rsa, 0).1.common.cipher_suites;
    assert!(suites.iter().all(|suite| suite.to_string().starts_with("TLS_ECDHE_RSA_")), "{suites:?}");
    for suite in suites {
        let (mut client, server) = certificates(Key::Rsa, 0);
        client.common.cipher_suites = vec![suite];
        let mut pair = shake((client, server));
        assert!(pair.both_established(), "{suite}\n{}", pair.story());
        pair.exchange_data();
    }
}

#[test]
fn the_same_seeds_sign_the_same_bytes_also_with_rsa() {
    for of_version in VERSIONS {
        let run = || shake(of_version(certificates(Key::Rsa, 0))).sent.into_iter().map(|sent| sent.bytes);
        assert!(run().eq(run()));
    }
}

#[test]
fn a_mutual_handshake_takes_the_messages_of_the_rfc() {
    let pair = shake(mutual(Key::P256));
    let flights: Vec<_> = pair.sent.iter().skip(3).map(|sent| (sent.from, sent.contents().join(" "))).collect();
    let expected = [
        (Side::Server, "server_hello certificate server_key_exchange certificate_request server_hello_done"),
        (Side::Client, "certificate client_key_exchange certificate_verify change_cipher_spec@0 handshake@1"),
        (Side::Server, "change_cipher_spec@0 handshake@1"),
    ];
    assert_eq!(flights, expected.map(|(side, contents)| (side, contents.to_owned())));
    let pair = shake(v13(mutual(Key::P256)));
    assert_eq!(pair.established(Side::Client), Some(Instant::ZERO + 4 * DELAY), "{}", pair.story());
    assert_eq!(pair.established(Side::Server), Some(Instant::ZERO + 5 * DELAY), "{}", pair.story());
}

/// Each datagram lost alone, in small datagrams, so that messages of the client's flight arrive in any order.
#[test]
fn mutual_handshakes_survive_the_loss_of_any_datagram() {
    for of_version in VERSIONS {
        for side in [Side::Client, Side::Server] {
            for lost in 0..8 {
                let (mut client, mut server) = of_version(mutual(Key::P256));
                client.common.mtu = 300;
                server.common.mtu = 300;
                let path = Box::new(
                    move |sent: &crate::common::Sent| {
                        if (sent.from, sent.nth) == (side, lost) { Vec::new() } else { vec![DELAY] }
                    },
                );
                let mut pair = Pair::new(client, server, path);
                pair.run(secs(300));
                assert!(pair.both_established(), "{side:?} {lost}\n{}", pair.story());
                assert!(is_certificate(peer_of(&pair, Side::Server)));
                pair.exchange_data();
            }
        }
    }
}

/// RFC 5246 §7.4.6.
#[test]
fn a_client_without_a_certificate_is_refused_in_1_2_before_it_is_established() {
    let (mut client, server) = mutual(Key::P256);
    client.identity = None;
    let pair = shake((client, server));
    let expected = PeerIncompatible::NoClientCertificate { version: ProtocolVersion::DTLS1_2 };
    assert_eq!(pair.failure(Side::Server), Some(&expected.into()), "{}", pair.story());
    assert_eq!(pair.failure(Side::Client), Some(&Error::AlertReceived(AlertDescription::HANDSHAKE_FAILURE)));
    assert_eq!(pair.established(Side::Client), None);
}

/// RFC 8446 §4.4.2.4: the alert comes after the handshake, as the client sees it.
#[test]
fn a_client_without_a_certificate_is_refused_in_1_3_after_it_is_established() {
    let (mut client, server) = v13(mutual(Key::P256));
    client.identity = None;
    let mut pair = shake((client, server));
    let expected = PeerIncompatible::NoClientCertificate { version: ProtocolVersion::DTLS1_3 };
    assert_eq!(pair.failure(Side::Server), Some(&expected.into()), "{}", pair.story());
    assert!(pair.established(Side::Client).is_some(), "{}", pair.story());
    assert_eq!(pair.established(Side::Server), None);
    assert_eq!(pair.failure(Side::Client), Some(&Error::AlertReceived(AlertDescription::CERTIFICATE_REQUIRED)));
    let now = pair.now;
    assert_eq!(pair.client.send(now, b"too late"), Err(Misuse::Closed.into()));
    assert_eq!(peer_of(&pair, Side::Client), None);
}

#[test]
fn a_server_that_may_do_without_goes_on_without() {
    for of_version in VERSIONS {
        let (mut client, mut server) = of_version(mutual(Key::P256));
        let authority = Authority::new("clients");
        server.client_auth = ClientAuth::Optional(authority.verifier());
        let pair = shake((client.clone(), server.clone()));
        assert!(is_certificate(peer_of(&pair, Side::Server)), "{}", pair.story());
        client.identity = None;
        let mut pair = shake((client, server));
        assert_eq!(peer_of(&pair, Side::Server), Some(PeerIdentity::Anonymous), "{}", pair.story());
        pair.exchange_data();
    }
}

#[test]
fn a_client_is_not_asked_by_a_server_that_does_not_ask() {
    for of_version in VERSIONS {
        let (client, mut server) = of_version(mutual(Key::P256));
        server.client_auth = ClientAuth::None;
        let pair = shake((client, server));
        assert!(pair.both_established(), "{}", pair.story());
        assert_eq!(peer_of(&pair, Side::Server), Some(PeerIdentity::Anonymous));
        assert!(!pair.sent_by(Side::Server).any(|sent| sent.holds(HandshakeType::CERTIFICATE_REQUEST)));
    }
}

/// What does not fit is not shown: another scheme, or an authority that the server does not name (1.2 names them).
#[test]
fn a_certificate_that_does_not_fit_the_request_is_not_shown() {
    for of_version in VERSIONS {
        let (client, mut server) = of_version(mutual(Key::P384));
        server.client_auth = ClientAuth::Optional(Authority::new("clients").verifier());
        let pair = shake((client, server));
        assert_eq!(peer_of(&pair, Side::Server), Some(PeerIdentity::Anonymous), "{}", pair.story());
    }
    let (mut client, mut server) = mutual(Key::P256);
    client.identity = Some(Authority::new("somebody else").issue(Key::P256));
    server.client_auth = ClientAuth::Optional(Authority::new("clients").verifier());
    let pair = shake((client, server));
    assert_eq!(peer_of(&pair, Side::Server), Some(PeerIdentity::Anonymous), "{}", pair.story());
}

#[test]
fn in_1_3_a_certificate_of_an_unknown_authority_is_refused() {
    let (mut client, server) = v13(mutual(Key::P256));
    client.identity = Some(Authority::new("somebody else").issue(Key::P256));
    let pair = shake((client, server));
    assert_eq!(
        pair.failure(Side::Client),
        Some(&Error::AlertReceived(AlertDescription::UNKNOWN_CA)),
        "{}",
        pair.story()
    );
}

/// Who resumes is who was there first, and a session of nobody does not get past a server that wants somebody.
#[test]
fn resumed_sessions_keep_their_client_and_none_stays_none() {
    let resume = |client: &ClientConfig, server: &ServerConfig, session: ClientSession| {
        let (mut client, mut server) = (client.clone(), server.clone());
        client.common.unix_time += 60;
        server.common.unix_time += 60;
        let config = Arc::new(client.clone());
        let mut pair = Pair::new(client, server, clean());
        pair.client = Connection::resume(config, Some(NAME), session, Seed([3; 32]), Instant::ZERO).unwrap();
        pair.forget_what_is_on_its_way();
        pair.drain(Side::Client);
        pair.run(secs(10));
        pair
    };
    let session_of = |pair: &Pair| {
        let is_session = |(.., event): &(_, _, Event)| match event {
            Event::Session(session) => Some(session.clone()),
            _ => None,
        };
        pair.events.iter().find_map(is_session).expect("the server gives tickets")
    };
    let (mut client, mut server) = v13(mutual(Key::P256));
    client.sessions = true;
    server.tickets = Some(Tickets::new(TicketKeys::new([5; 32])));
    let first = shake((client.clone(), server.clone()));
    let session = session_of(&first);
    let again = resume(&client, &server, session.clone());
    let negotiated = again.server.negotiated().unwrap();
    assert!(negotiated.resumed, "{}", again.story());
    assert_eq!(Some(negotiated.peer), peer_of(&first, Side::Server));
    assert_eq!(peer_of(&again, Side::Client), peer_of(&first, Side::Client));

    // The same ticket keys, another authority: the client is asked again, and refused.
    let mut elsewhere = server.clone();
    elsewhere.client_auth = ClientAuth::Required(Authority::new("others").verifier());
    let refused = resume(&client, &elsewhere, session);
    assert_eq!(peer_of(&refused, Side::Server), None, "{}", refused.story());
    assert!(matches!(refused.failure(Side::Server), Some(Error::BadCertificate(_))), "{}", refused.story());

    let mut open = server.clone();
    open.client_auth = ClientAuth::None;
    let anonymous = session_of(&shake((client.clone(), open)));
    let asked = resume(&client, &server, anonymous);
    let negotiated = asked.server.negotiated().unwrap();
    assert!(!negotiated.resumed && is_certificate(Some(negotiated.peer)), "{}", asked.story());
}

#[test]
fn certificates_do_not_go_with_psks() {
    let authority = Authority::new("clients");
    let (mut client, mut server) = psk();
    client.identity = Some(authority.issue(Key::P256));
    server.client_auth = ClientAuth::Required(authority.verifier());
    let now = Instant::ZERO;
    let client = Connection::client(Arc::new(client), Some(NAME), Seed([0; 32]), now);
    assert_eq!(client.err(), Some(Misuse::BadClientAuth.into()));
    let server = Connection::server(Arc::new(server), b"client", Seed([0; 32]), now);
    assert_eq!(server.err(), Some(Misuse::BadClientAuth.into()));
    let mut client = psk().0;
    client.common.signature_schemes.clear();
    let client = Connection::client(Arc::new(client), Some(NAME), Seed([0; 32]), now);
    assert_eq!(client.err(), Some(Misuse::NoSchemes.into()));
}

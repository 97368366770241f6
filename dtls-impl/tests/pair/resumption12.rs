//! DTLS 1.2: sessions resumed by id and by ticket, and what is not resumed.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{DATE, DELAY, Key, NAME, Pair, Path, Side, certificates, clean, psk, secs};
use crate::dtls13::v13;
use crate::dtls13_resumption::{Ends, direct, first_session, resume, resumed, sessions, with_tickets};
use dtls_impl::config::{
    Cookies, ExtendedMasterSecret, ServerCredentials, SessionCache, TicketKeys, Tickets, UnknownIdentity, Versions,
};
use dtls_impl::error::{Misuse, PeerIncompatible, PeerMisbehaved};
use dtls_impl::wire::{
    CipherSuite, ClientHello, ClientHelloStart, ContentType, Extension, ExtensionType, Extensions,
    HANDSHAKE_HEADER_LEN, HandshakeHeader, HandshakeType, ProtocolVersion, Record, RecordHeader, Records, ServerHello,
    Writer,
};
use dtls_impl::{ClientConfig, ClientSession, Connection, Error, Event, Instant, Seed};

fn with_cache((mut client, mut server): Ends) -> Ends {
    client.sessions = true;
    server.sessions = Some(Arc::new(SessionCache::new(16, secs(3600))));
    (client, server)
}

/// By session id and by ticket.
fn both_ways(ends: &Ends) -> [Ends; 2] {
    [with_cache(ends.clone()), with_tickets(ends.clone())]
}

#[test]
fn a_resumed_session_takes_one_round_trip_and_another_for_a_cookie() {
    for ends in [certificates(Key::P256, 0), psk()] {
        for (by_ticket, ends) in both_ways(&ends).into_iter().enumerate() {
            for (cookie, ends) in [ends.clone(), direct(ends)].into_iter().enumerate().map(|(n, e)| (n == 0, e)) {
                let mut pair = resume(&ends, first_session(&ends), clean());
                assert!(resumed(&pair), "{}", pair.story());
                let trips = if cookie { 2 } else { 1 };
                assert_eq!(pair.established(Side::Client), Some(Instant::ZERO + 2 * trips * DELAY));
                assert_eq!(pair.established(Side::Server), Some(Instant::ZERO + (2 * trips + 1) * DELAY));
                let answer = pair.sent_by(Side::Server).nth(usize::from(cookie)).unwrap().contents();
                let expected = ["server_hello", "new_session_ticket", "change_cipher_spec@0", "handshake@1"];
                let expected: Vec<_> =
                    expected.into_iter().filter(|of| by_ticket == 1 || !of.contains("ticket")).collect();
                assert_eq!(answer, expected, "no certificate and no key exchange");
                assert_eq!(pair.sent.last().unwrap().contents(), ["change_cipher_spec@0", "handshake@1"]);
                assert_eq!(pair.client.negotiated().unwrap().version, ProtocolVersion::DTLS1_2);
                pair.exchange_data();
            }
        }
    }
}

#[test]
fn a_resumed_session_has_the_peers_of_the_first_and_other_keys() {
    for ends in both_ways(&psk()) {
        let (mut client, server) = ends;
        client.common.key_log = true;
        let ends = (client, server);
        let session = first_session(&ends);
        let lines = [Seed([3; 32]), Seed([4; 32])].map(|seed| {
            let mut pair = resume(&ends, session.clone(), clean());
            let again = Connection::resume(Arc::new(ends.0.clone()), Some(NAME), session.clone(), seed, pair.now);
            pair.client = again.unwrap();
            pair.server = Connection::server(Arc::new(ends.1.clone()), b"client", Seed([5; 32]), pair.now).unwrap();
            pair.events.clear();
            pair.drain(Side::Client);
            pair.run(secs(600));
            assert!(resumed(&pair), "{}", pair.story());
            assert_eq!(pair.server.negotiated().unwrap().peer, dtls_impl::PeerIdentity::Psk(b"device".to_vec()));
            let line = |event: &Event| if let Event::KeyLog(line) = event { Some(line.clone()) } else { None };
            let line = pair.events.iter().find_map(|(.., event)| line(event)).unwrap();
            let mut exported = [0; 16];
            pair.client.export_keying_material(b"test", None, &mut exported).unwrap();
            (line, exported)
        });
        let words = lines.clone().map(|(line, _)| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(
            (&words[0][0], &words[0][2]),
            (&words[1][0], &words[1][2]),
            "the master secret is that of the session"
        );
        assert_ne!(words[0][1], words[1][1]);
        assert_ne!(lines[0].1, lines[1].1);
    }
}

#[test]
fn protocols_and_sizes_are_settled_anew_when_a_session_is_resumed() {
    for (mut client, mut server) in both_ways(&psk()) {
        let session = first_session(&(client.clone(), server.clone()));
        client.common.alpn = vec![b"coap".to_vec()];
        server.common.alpn = vec![b"coap".to_vec()];
        client.common.record_size_limit = Some(100);
        server.common.record_size_limit = Some(200);
        let mut pair = resume(&(client, server), session, clean());
        assert!(resumed(&pair), "{}", pair.story());
        for (end, data_len_max) in [(&pair.client, 200), (&pair.server, 100)] {
            assert_eq!(end.negotiated().unwrap().alpn.as_deref(), Some(&b"coap"[..]));
            assert_eq!(end.data_len_max(), data_len_max);
        }
        pair.exchange_data();
    }
}

#[test]
fn any_two_lost_datagrams_of_a_resumption_are_made_up_for() {
    for ends in both_ways(&certificates(Key::P256, 0)) {
        let session = first_session(&ends);
        let losses: Vec<_> =
            [Side::Client, Side::Server].into_iter().flat_map(|side| (0..8).map(move |nth| (side, nth))).collect();
        for first in &losses {
            for second in &losses {
                let lost = [*first, *second];
                let path: Path =
                    Box::new(move |sent| if lost.contains(&(sent.from, sent.nth)) { vec![] } else { vec![DELAY] });
                let mut pair = resume(&ends, session.clone(), path);
                assert!(resumed(&pair), "{lost:?}\n{}", pair.story());
                pair.exchange_data();
            }
        }
    }
}

#[test]
fn any_two_lost_datagrams_of_a_handshake_with_a_ticket_are_made_up_for() {
    for first in 0..10 {
        for second in first + 1..11 {
            let (mut client, mut server) = with_tickets(certificates(Key::P256, 0));
            client.common.mtu = 256;
            server.common.mtu = 256;
            let mut count = 0;
            let path: Path = Box::new(move |_| {
                count += 1;
                if count - 1 == first || count - 1 == second { vec![] } else { vec![DELAY] }
            });
            let mut pair = Pair::new(client, server, path);
            pair.run(secs(300));
            assert!(pair.both_established(), "{first} {second}\n{}", pair.story());
            assert_eq!(sessions(&pair).len(), 1);
            pair.exchange_data();
        }
    }
}

/// RFC 6347 §4.2.4: with the abbreviated handshake the client's flight is the last.
#[test]
fn the_clients_last_flight_is_repeated_when_the_server_repeats_its_own() {
    let ends = with_cache(psk());
    let session = first_session(&ends);
    let mut lost = 0;
    let path: Path = Box::new(move |sent| {
        let last = sent.from == Side::Client && sent.contents().contains(&"handshake@1".into());
        lost += u32::from(last);
        if last && lost <= 3 { vec![] } else { vec![DELAY] }
    });
    let mut pair = resume(&ends, session, path);
    assert!(resumed(&pair), "{}", pair.story());
    let times = |side| {
        let finished = pair.sent_by(side).filter(|sent| sent.contents().contains(&"handshake@1".into()));
        finished.map(|sent| sent.at.as_nanos() / 1_000_000).collect::<Vec<_>>()
    };
    assert_eq!(times(Side::Server), [30, 1030, 3030, 7030]);
    assert_eq!(times(Side::Client), [40, 1040, 3040, 7040], "answered each time, never by timer");
    pair.exchange_data();
}

#[test]
fn rough_paths_are_survived() {
    for ends in both_ways(&certificates(Key::P256, 0)) {
        let session = first_session(&ends);
        for seed in 0..30_u64 {
            let mut state = seed;
            let path: Path = Box::new(move |_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                match (state >> 33) % 8 {
                    0 => vec![],
                    1 => vec![DELAY, DELAY * 3],
                    2 => vec![DELAY * 70],
                    spread => vec![DELAY * u32::try_from(spread).unwrap()],
                }
            });
            let mut pair = resume(&ends, session.clone(), path);
            assert!(resumed(&pair), "{seed}\n{}", pair.story());
            pair.exchange_data();
        }
    }
}

#[test]
fn what_the_server_does_not_know_leads_to_a_full_handshake_and_another_session() {
    let by_id = with_cache(certificates(Key::P256, 0));
    let by_ticket = with_tickets(certificates(Key::P256, 0));
    let (id, ticket) = (first_session(&by_id), first_session(&by_ticket));

    let cleared = with_cache(by_id.clone());
    let mut other_keys = by_ticket.clone();
    other_keys.1.tickets = Some(Tickets::new(TicketKeys::new([8; 32])));
    let mut later = by_ticket.clone();
    later.1.common.unix_time += 7200;
    let mut later_id = by_id;
    later_id.1.common.unix_time += 3600;
    let mut other_suite = by_ticket.clone();
    let suites = &mut other_suite.1.common.cipher_suites;
    suites.retain(|suite| *suite == CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8);
    for (n, (ends, session)) in
        [(cleared, &id), (later_id, &id), (other_keys, &ticket), (later, &ticket), (other_suite, &ticket)]
            .into_iter()
            .enumerate()
    {
        let mut pair = resume(&ends, session.clone(), clean());
        assert!(pair.both_established() && !resumed(&pair), "{n}\n{}", pair.story());
        assert_ne!(sessions(&pair).pop().as_ref(), Some(session), "{n}");
        pair.exchange_data();
    }
    let mut none = by_ticket;
    none.1.tickets = None;
    let pair = resume(&none, ticket, clean());
    assert!(pair.both_established() && !resumed(&pair), "{}", pair.story());
    assert!(sessions(&pair).is_empty());
}

#[test]
fn a_client_whose_key_was_withdrawn_is_not_resumed() {
    for ends in both_ways(&psk()) {
        let session = first_session(&ends);
        let (client, mut server) = ends;
        let keys = [(b"another".to_vec(), dtls_impl::crypto::Secret::new(vec![1; 16]))].into();
        server.credentials = ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert };
        let pair = resume(&(client, server), session, clean());
        let unknown = Error::PeerIncompatible(PeerIncompatible::UnknownPskIdentity);
        assert_eq!(pair.failure(Side::Server), Some(&unknown), "{}", pair.story());
    }
}

#[test]
fn tickets_are_renewed_and_ids_stay() {
    for (by_ticket, mut ends) in both_ways(&certificates(Key::P256, 0)).into_iter().enumerate() {
        let first = first_session(&ends);
        let mut session = first.clone();
        for _ in 0..3 {
            let pair = resume(&ends, session.clone(), clean());
            assert!(resumed(&pair));
            ends.0.common.unix_time += 1;
            ends.1.common.unix_time += 1;
            let next = sessions(&pair).pop().unwrap();
            assert_eq!(next == session, by_ticket == 0);
            session = next;
        }
        // A session does not grow younger by use; a new ticket is new.
        let lifetime = if by_ticket == 0 { 86_400 } else { 7200 };
        assert!(first.is_fresh(DATE + lifetime - 1) && !first.is_fresh(DATE + lifetime + 1));
        assert_eq!(session.is_fresh(DATE + lifetime + 1), by_ticket == 1);
    }
}

#[test]
fn a_full_cache_forgets_the_oldest() {
    let (client, mut server) = direct(with_cache(certificates(Key::P256, 0)));
    server.sessions = Some(Arc::new(SessionCache::new(2, secs(3600))));
    let session = |seed: u8| {
        let mut pair = Pair::new(client.clone(), server.clone(), clean());
        pair.server = Connection::server(Arc::new(server.clone()), b"client", Seed([seed; 32]), pair.now).unwrap();
        pair.run(secs(10));
        sessions(&pair).pop().unwrap()
    };
    let kept = [20, 21, 22].map(session);
    let ends = (client.clone(), server.clone());
    let known = kept.map(|session| resumed(&resume(&ends, session, clean())));
    assert_eq!(known, [false, false, true], "the full handshake in place of the first is remembered, too");
}

#[test]
fn a_client_that_wants_no_sessions_asks_for_none_and_is_given_none() {
    for (mut client, server) in both_ways(&certificates(Key::P256, 0)) {
        client.sessions = false;
        let mut pair = Pair::new(client, server, clean());
        pair.run(secs(10));
        assert!(pair.both_established() && sessions(&pair).is_empty());
        assert!(!pair.sent.iter().any(|sent| sent.holds(HandshakeType::NEW_SESSION_TICKET)));
    }
}

#[test]
fn a_session_is_for_its_server_its_time_its_suite_and_its_version() {
    let (client, server) = with_cache(certificates(Key::P256, 0));
    let session = first_session(&(client.clone(), server));
    let refusal = |edit: &dyn Fn(&mut ClientConfig), name: &str, session: &ClientSession| {
        let mut client = client.clone();
        edit(&mut client);
        Connection::resume(Arc::new(client), Some(name), session.clone(), Seed([3; 32]), Instant::ZERO).err()
    };
    assert_eq!(refusal(&|_| (), NAME, &session), None);
    let refused = Some(Error::Misuse(Misuse::SessionNotUsable));
    assert_eq!(refusal(&|_| (), "other.example", &session), refused);
    assert_eq!(refusal(&|client| client.common.unix_time += 86_401, NAME, &session), refused);
    let ccm8 = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8;
    assert_eq!(refusal(&|client| client.common.cipher_suites = vec![ccm8], NAME, &session), refused);
    assert_eq!(refusal(&|client| client.common.versions = Versions::Dtls13, NAME, &session), refused);
    let of_13 = first_session(&with_tickets(v13(certificates(Key::P256, 0))));
    assert_eq!(refusal(&|_| (), NAME, &of_13), refused);
}

#[test]
fn a_client_of_both_versions_resumes_with_a_server_of_1_2_and_meets_one_of_1_3() {
    for (mut client, mut server) in both_ways(&certificates(Key::P256, 0)) {
        client.common.versions = Versions::Both;
        let session = first_session(&(client.clone(), server.clone()));
        let mut pair = resume(&(client.clone(), server.clone()), session.clone(), clean());
        assert!(resumed(&pair), "{}", pair.story());
        pair.exchange_data();

        server.common.versions = Versions::Both;
        let mut pair = resume(&(client.clone(), server.clone()), session, clean());
        assert!(pair.both_established() && !resumed(&pair), "{}", pair.story());
        assert_eq!(pair.client.negotiated().unwrap().version, ProtocolVersion::DTLS1_3);
        pair.exchange_data();

        client.common.versions = Versions::Dtls12;
        let session = first_session(&(client.clone(), server.clone()));
        assert!(resumed(&resume(&(client, server), session, clean())));
    }
}

/// A first hello in one datagram.
fn hello(session_id: &[u8], name: &str, extended: bool) -> Vec<u8> {
    let mut extensions = vec![Extension::server_name(name)];
    if extended {
        extensions.push(Extension::extended_master_secret());
    }
    let hello = ClientHello {
        start: ClientHelloStart {
            version: ProtocolVersion::DTLS1_2,
            random: [9; 32],
            session_id,
            cookie: &[],
            cipher_suites: vec![CipherSuite::TLS_PSK_WITH_AES_128_CCM_8],
            compression_methods: &[0],
        },
        extensions: Extensions(extensions),
    };
    let mut body = Writer::new();
    hello.emit(&mut body);
    message(HandshakeType::CLIENT_HELLO, 0, &body.into_bytes())
}

fn message(message_type: HandshakeType, message_seq: u16, body: &[u8]) -> Vec<u8> {
    let header = HandshakeHeader::whole(message_type, message_seq, u32::try_from(body.len()).unwrap());
    let body = [&header.to_bytes()[..], body].concat();
    let header =
        RecordHeader { content_type: ContentType::HANDSHAKE, version: ProtocolVersion::DTLS1_2, epoch: 0, seq: 77 };
    let mut w = Writer::new();
    Record { header, connection_id: &[], body: &body }.emit(&mut w);
    w.into_bytes()
}

/// The session id of the first full handshake.
fn session_id(pair: &Pair) -> Vec<u8> {
    server_hello(pair, |hello| hello.session_id.to_vec())
}

fn server_hello<T>(pair: &Pair, of: impl Fn(&ServerHello<'_>) -> T) -> T {
    let sent = pair.sent_by(Side::Server).find(|sent| sent.holds(HandshakeType::SERVER_HELLO)).unwrap();
    let record = Records::new(&sent.bytes).next().unwrap().unwrap();
    of(&ServerHello::parse(&record.body[HANDSHAKE_HEADER_LEN..]).unwrap())
}

/// RFC 7627 §5.3 and RFC 6066 §3.
#[test]
fn a_server_resumes_for_the_same_name_and_never_without_extended_master_secret() {
    let (client, mut server) = direct(with_cache(psk()));
    server.common.extended_master_secret = ExtendedMasterSecret::Preferred;
    server.common.cipher_suites = vec![CipherSuite::TLS_PSK_WITH_AES_128_CCM_8];
    let mut pair = Pair::new(client.clone(), server.clone(), clean());
    pair.run(secs(10));
    let id = session_id(&pair);
    assert_eq!(id.len(), 32);
    server.common.unix_time += 1;
    let answer = |id: &[u8], name: &str, extended: bool| {
        let mut pair = Pair::new(client.clone(), server.clone(), Box::new(|_| vec![]));
        pair.inject(Side::Server, &hello(id, name, extended));
        (pair.failure(Side::Server).cloned(), pair.sent_by(Side::Server).next().unwrap().contents())
    };
    let (resumed, full) =
        (["server_hello", "change_cipher_spec@0", "handshake@1"], ["server_hello", "server_hello_done"]);
    assert_eq!(answer(&id, NAME, true), (None, resumed.map(str::to_owned).to_vec()));
    assert_eq!(answer(&id, "other.example", true), (None, full.map(str::to_owned).to_vec()));
    assert_eq!(answer(&[7; 32], NAME, true), (None, full.map(str::to_owned).to_vec()));
    assert_eq!(answer(&[7; 32], NAME, false), (None, full.map(str::to_owned).to_vec()));
    let taken_away = Error::PeerIncompatible(PeerIncompatible::NoExtendedMasterSecret);
    assert_eq!(answer(&id, NAME, false), (Some(taken_away), vec!["alert@0".to_owned()]));
}

#[test]
fn a_client_takes_no_other_suite_and_no_other_secret_than_the_sessions() {
    let (client, server) = direct(with_cache(psk()));
    let ends = (client.clone(), server.clone());
    let session = first_session(&ends);
    let failure = |edit: &dyn Fn(&mut ServerHello<'_>)| {
        let mut pair = resume(&ends, session.clone(), Box::new(|_| vec![]));
        let mut hello = pair.sent_by(Side::Client).next().unwrap().bytes.clone();
        pair.server = Connection::server(Arc::new(server.clone()), b"client", Seed([2; 32]), pair.now).unwrap();
        pair.client =
            Connection::resume(Arc::new(client.clone()), Some(NAME), session.clone(), Seed([3; 32]), pair.now).unwrap();
        pair.sent.clear();
        pair.events.clear();
        pair.drain(Side::Client);
        hello.clone_from(&pair.sent[0].bytes);
        pair.inject(Side::Server, &hello);
        let body = server_hello(&pair, |hello| {
            let mut hello = hello.clone();
            edit(&mut hello);
            let mut w = Writer::new();
            hello.emit(&mut w);
            w.into_bytes()
        });
        pair.inject(Side::Client, &message(HandshakeType::SERVER_HELLO, 0, &body));
        pair.failure(Side::Client).cloned()
    };
    assert_eq!(failure(&|_| ()), None);
    let other = CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256;
    let suite = |hello: &mut ServerHello<'_>| {
        hello.cipher_suite = if hello.cipher_suite == other { CipherSuite::TLS_PSK_WITH_AES_128_CCM_8 } else { other };
    };
    assert_eq!(failure(&suite), Some(Error::PeerMisbehaved(PeerMisbehaved::BadResumption)));
    let not_extended = |hello: &mut ServerHello<'_>| {
        hello.extensions.0.retain(|one| one.extension_type != ExtensionType::EXTENDED_MASTER_SECRET);
    };
    let taken_away = Some(Error::PeerIncompatible(PeerIncompatible::NoExtendedMasterSecret));
    assert_eq!(failure(&not_extended), taken_away);
}

#[test]
fn a_ticket_that_was_announced_must_come() {
    let (client, server) = direct(with_tickets(psk()));
    let path: Path = Box::new(|sent| if sent.from == Side::Server { vec![] } else { vec![DELAY] });
    let mut pair = Pair::new(client, server, path);
    pair.run(Duration::from_millis(15));
    let flight = pair.sent_by(Side::Server).next().unwrap().bytes.clone();
    pair.inject(Side::Client, &flight);
    let early = message(HandshakeType::SERVER_HELLO_DONE, 3, &[]);
    pair.inject(Side::Client, &early);
    let unexpected = PeerMisbehaved::UnexpectedMessage(HandshakeType::SERVER_HELLO_DONE);
    assert_eq!(pair.failure(Side::Client), Some(&Error::PeerMisbehaved(unexpected)), "{}", pair.story());
}

#[test]
fn cookies_are_asked_for_without_remembering_the_offer() {
    let ends = with_cache(psk());
    assert!(matches!(ends.1.cookies, Cookies::Required { .. }));
    let session = first_session(&ends);
    let path: Path = Box::new(|sent| if sent.from == Side::Server { vec![] } else { vec![DELAY] });
    let pair = resume(&ends, session, path);
    assert!(pair.sent_by(Side::Server).all(|sent| sent.contents() == ["hello_verify_request"]));
}

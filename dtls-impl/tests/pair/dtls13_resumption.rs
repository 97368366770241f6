//! DTLS 1.3: tickets, resumption, and what pre-shared keys go with.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{DATE, DELAY, Key, NAME, Pair, Path, Side, certificates, clean, psk, secs};
use crate::dtls13::v13;
use crate::dtls13_forged::message;
use dtls_impl::config::{Cookies, PskMode, TicketKeys, Tickets};
use dtls_impl::crypto::hkdf::Hkdf;
use dtls_impl::crypto::schedule13::TrafficSecret;
use dtls_impl::crypto::{AeadAlgorithm, HashAlgorithm, Secret, rustcrypto};
use dtls_impl::error::{Misuse, PeerIncompatible, PeerMisbehaved};
use dtls_impl::record::protection13::Sealer;
use dtls_impl::wire::{
    CipherSuite, ClientHello, ContentType, Extension, ExtensionType, Fragments, HandshakeHeader, HandshakeType,
    HeaderForm, OfferedPsk, RecordNumber, Records, ServerHello, Writer,
};
use dtls_impl::{ClientConfig, ClientSession, Connection, Error, Event, Instant, Seed, ServerConfig};

pub(crate) type Ends = (ClientConfig, ServerConfig);

pub(crate) fn with_tickets((mut client, mut server): Ends) -> Ends {
    client.sessions = true;
    server.tickets = Some(Tickets::new(TicketKeys::new([7; 32])));
    (client, server)
}

/// Without the cookie exchange.
pub(crate) fn direct((client, mut server): Ends) -> Ends {
    server.cookies = Cookies::Off;
    (client, server)
}

pub(crate) fn sessions(pair: &Pair) -> Vec<ClientSession> {
    let session = |event: &Event| if let Event::Session(session) = event { Some(session.clone()) } else { None };
    pair.events.iter().filter_map(|(_, _, event)| session(event)).collect()
}

pub(crate) fn first_session((client, server): &Ends) -> ClientSession {
    let mut pair = Pair::new(client.clone(), server.clone(), clean());
    pair.run(secs(10));
    sessions(&pair).pop().unwrap_or_else(|| panic!("no ticket\n{}", pair.story()))
}

/// A second later.
pub(crate) fn resume((client, server): &Ends, session: ClientSession, path: Path) -> Pair {
    let (mut client, mut server) = (client.clone(), server.clone());
    client.common.unix_time += 1;
    server.common.unix_time += 1;
    let mut pair = Pair::new(client.clone(), server.clone(), path);
    pair.server = Connection::server(Arc::new(server), b"client", Seed([4; 32]), Instant::ZERO).unwrap();
    let again = Connection::resume(Arc::new(client), Some(NAME), session, Seed([3; 32]), Instant::ZERO);
    pair.sent.clear();
    pair.forget_what_is_on_its_way();
    pair.client = again.unwrap();
    pair.drain(Side::Client);
    pair.run(secs(300));
    pair
}

pub(crate) fn resumed(pair: &Pair) -> bool {
    let ends = [pair.client.negotiated(), pair.server.negotiated()];
    let [client, server] = ends.map(|end| end.is_some_and(|negotiated| negotiated.resumed));
    assert_eq!(client, server, "{}", pair.story());
    client
}

#[test]
fn a_ticket_saves_the_certificates() {
    for ends in [certificates(Key::P256, 0), psk()].map(v13).map(with_tickets) {
        for ends in [ends.clone(), direct(ends)] {
            let mut pair = resume(&ends, first_session(&ends), clean());
            assert!(resumed(&pair), "{}", pair.story());
            pair.exchange_data();
            let cookie = matches!(ends.1.cookies, Cookies::Required { .. });
            let round_trips = if cookie { 4 } else { 2 };
            assert_eq!(pair.established(Side::Client), Some(Instant::ZERO + round_trips * DELAY));
            let flight4 = pair.sent_by(Side::Server).nth(usize::from(cookie)).unwrap().contents();
            assert_eq!(flight4, ["server_hello", "protected@2", "protected@2"], "no certificate");
        }
    }
}

#[test]
fn every_resumption_gives_another_session() {
    let mut ends = with_tickets(v13(certificates(Key::P256, 0)));
    let mut session = first_session(&ends);
    for _ in 0..3 {
        let pair = resume(&ends, session.clone(), clean());
        ends.0.common.unix_time += 1;
        ends.1.common.unix_time += 1;
        assert!(resumed(&pair));
        let next = sessions(&pair).pop().unwrap();
        assert_ne!(next, session);
        session = next;
    }
}

#[test]
fn as_many_tickets_come_as_the_server_is_told() {
    for count in [0, 1, 8] {
        let (client, mut server) = with_tickets(v13(certificates(Key::P256, 0)));
        server.tickets = server.tickets.map(|tickets| Tickets { count, ..tickets });
        let mut pair = Pair::new(client, server, clean());
        pair.run(secs(10));
        let sessions = sessions(&pair);
        assert_eq!(sessions.len(), usize::from(count));
        assert!(sessions.windows(2).all(|two| two[0] != two[1]));
    }
}

#[test]
fn a_lost_ticket_comes_again_until_it_is_acknowledged() {
    // Hello, retry, flight 4, ACK of Finished, ticket.
    for lost in [vec![3], vec![3, 4], vec![4, 5, 6]] {
        let count = lost.len();
        let ends = with_tickets(v13(certificates(Key::P256, 0)));
        let path: Path =
            Box::new(
                move |sent| {
                    if sent.from == Side::Server && lost.contains(&sent.nth) { vec![] } else { vec![DELAY] }
                },
            );
        let mut pair = Pair::new(ends.0, ends.1, path);
        pair.run(secs(60));
        assert_eq!(sessions(&pair).len(), 1, "{count}\n{}", pair.story());
        let quiet_since = pair.sent.last().unwrap().at;
        assert!(quiet_since < Instant::ZERO + secs(20), "nothing is repeated for ever\n{}", pair.story());
    }
}

#[test]
fn a_lost_ack_of_a_ticket_costs_a_repetition_and_gives_no_second_session() {
    let ends = with_tickets(v13(certificates(Key::P256, 0)));
    // Two hellos, Finished, ACK of the ticket.
    let path: Path = Box::new(|sent| if sent.from == Side::Client && sent.nth == 3 { vec![] } else { vec![DELAY] });
    let mut pair = Pair::new(ends.0, ends.1, path);
    pair.run(secs(60));
    assert_eq!(sessions(&pair).len(), 1, "{}", pair.story());
    assert_eq!(pair.sent_by(Side::Client).count(), 5, "{}", pair.story());
}

#[test]
fn any_two_lost_datagrams_of_a_resumption_are_made_up_for() {
    let ends = with_tickets(v13(certificates(Key::P256, 0)));
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

#[test]
fn a_ticket_that_is_unknown_or_old_leads_to_a_full_handshake() {
    let ends = with_tickets(v13(certificates(Key::P256, 0)));
    let session = first_session(&ends);
    let mut other_keys = ends.clone();
    other_keys.1.tickets = Some(Tickets::new(TicketKeys::new([8; 32])));
    let mut none = ends.clone();
    none.1.tickets = None;
    let mut later = ends.clone();
    // The client believes that it is still the hour of the ticket.
    later.1.common.unix_time += 7200;
    for ends in [other_keys, none, later] {
        let mut pair = resume(&ends, session.clone(), clean());
        assert!(pair.both_established() && !resumed(&pair), "{}", pair.story());
        pair.exchange_data();
    }
}

#[test]
fn a_psk_server_that_does_not_know_the_ticket_takes_the_external_key() {
    let mut ends = with_tickets(v13(psk()));
    let session = first_session(&ends);
    ends.1.tickets = None;
    let pair = resume(&ends, session, clean());
    assert!(pair.both_established() && !resumed(&pair), "{}", pair.story());
}

#[test]
fn a_session_is_for_its_server_its_time_and_its_hash() {
    let (client, server) = with_tickets(v13(certificates(Key::P256, 0)));
    let session = first_session(&(client.clone(), server));
    let refusal = |edit: &dyn Fn(&mut ClientConfig), name: &str| {
        let mut client = client.clone();
        edit(&mut client);
        Connection::resume(Arc::new(client), Some(name), session.clone(), Seed([3; 32]), Instant::ZERO).err()
    };
    assert_eq!(refusal(&|_| (), NAME), None);
    let refused = Some(Error::Misuse(Misuse::SessionNotUsable));
    assert_eq!(refusal(&|_| (), "other.example"), refused);
    assert_eq!(refusal(&|client| client.common.unix_time += 7201, NAME), refused);
    assert!(session.is_fresh(client.common.unix_time) && !session.is_fresh(client.common.unix_time + 7201));
    assert_eq!(
        refusal(&|client| client.common.cipher_suites13 = vec![CipherSuite::TLS_AES_256_GCM_SHA384], NAME),
        refused
    );
    assert_eq!(refusal(&|client| client.common.versions = dtls_impl::config::Versions::Dtls12, NAME), refused);
}

#[test]
fn a_ticket_goes_with_another_suite_of_its_hash_but_not_with_another_hash() {
    let (client, server) = with_tickets(v13(certificates(Key::P256, 0)));
    let session = first_session(&(client.clone(), server.clone()));
    for (suite, expected) in
        [(CipherSuite::TLS_CHACHA20_POLY1305_SHA256, true), (CipherSuite::TLS_AES_256_GCM_SHA384, false)]
    {
        for cookies in [Cookies::Off, server.cookies.clone()] {
            let mut server = server.clone();
            server.cookies = cookies;
            server.common.cipher_suites13 = vec![suite];
            let pair = resume(&(client.clone(), server), session.clone(), clean());
            assert!(pair.both_established(), "{suite}\n{}", pair.story());
            assert_eq!(resumed(&pair), expected, "{suite}");
        }
    }
}

#[test]
fn a_pre_shared_key_alone_does_if_both_want_it() {
    let modes = [&[PskMode::DheKe][..], &[PskMode::Ke], &[PskMode::Ke, PskMode::DheKe]];
    for (client_modes, server_modes) in modes.iter().flat_map(|client| modes.map(|server| (*client, server))) {
        for with_session in [false, true] {
            let (mut client, mut server) = with_tickets(v13(psk()));
            client.common.psk_modes = client_modes.to_vec();
            server.common.psk_modes = server_modes.to_vec();
            let common = server_modes.iter().find(|mode| client_modes.contains(mode));
            let ends = (client, server);
            let pair = if with_session && common.is_some() {
                resume(&ends, first_session(&ends), clean())
            } else {
                let mut pair = Pair::new(ends.0, ends.1, clean());
                pair.run(secs(300));
                pair
            };
            assert_eq!(
                pair.both_established(),
                common.is_some(),
                "{client_modes:?} {server_modes:?}\n{}",
                pair.story()
            );
            if common.is_none() {
                // With cookies an unfit hello is refused and forgotten: the client gives up on the alert.
                let refused = Error::AlertReceived(dtls_impl::wire::AlertDescription::HANDSHAKE_FAILURE);
                assert_eq!(pair.failure(Side::Client), Some(&refused));
                continue;
            }
            // A share of X25519 takes 40 bytes.
            let server_hello = pair.sent_by(Side::Server).find(|sent| sent.contents().len() > 1).unwrap();
            assert_eq!(server_hello.bytes.len() < 200, common == Some(&PskMode::Ke), "{}", server_hello.bytes.len());
        }
    }
}

#[test]
fn imported_keys_work_for_both_hashes_if_both_import_with_the_same_context() {
    for suite in [CipherSuite::TLS_AES_128_GCM_SHA256, CipherSuite::TLS_AES_256_GCM_SHA384] {
        for (ours, theirs, fits) in [
            (Some(b"ward 7".to_vec()), Some(b"ward 7".to_vec()), true),
            (Some(vec![]), Some(vec![]), true),
            (Some(b"ward 7".to_vec()), Some(b"ward 8".to_vec()), false),
            (Some(b"ward 7".to_vec()), None, false),
        ] {
            let (mut client, mut server) = direct(v13(psk()));
            server.common.cipher_suites13 = vec![suite, CipherSuite::TLS_AES_128_GCM_SHA256];
            client.common.psk_import = ours;
            server.common.psk_import = theirs;
            let mut pair = Pair::new(client, server, clean());
            pair.run(secs(300));
            assert_eq!(pair.both_established(), fits, "{}", pair.story());
            if fits {
                assert_eq!(pair.client.negotiated().map(|negotiated| negotiated.suite), Some(suite));
                pair.exchange_data();
            } else {
                let unknown = Error::PeerIncompatible(PeerIncompatible::UnknownPskIdentity);
                assert_eq!(pair.failure(Side::Server), Some(&unknown));
            }
        }
    }
}

#[test]
fn a_ticket_that_waits_for_its_ack_does_not_hold_up_a_key_update() {
    let ends = with_tickets(v13(certificates(Key::P256, 0)));
    // The ticket gets lost twice.
    let path: Path =
        Box::new(|sent| if sent.from == Side::Server && matches!(sent.nth, 4 | 5) { vec![] } else { vec![DELAY] });
    let mut pair = Pair::new(ends.0, ends.1, path);
    pair.run(Duration::from_millis(200));
    let now = pair.now;
    pair.server.update_keys(now, true).unwrap();
    pair.drain(Side::Server);
    pair.run(secs(30));
    assert_eq!(sessions(&pair).len(), 1);
    pair.exchange_data();
}

/// RFC 8446 §4.2.9.
#[test]
fn no_ticket_comes_to_a_client_that_has_no_use_for_it() {
    let mut ends = with_tickets(v13(certificates(Key::P256, 0)));
    ends.0.sessions = false;
    let mut pair = Pair::new(ends.0.clone(), ends.1.clone(), clean());
    pair.run(secs(10));
    assert!(sessions(&pair).is_empty(), "it does not ask\n{}", pair.story());
    ends.0.sessions = true;
    ends.0.common.psk_modes = vec![PskMode::Ke];
    let mut pair = Pair::new(ends.0, ends.1, clean());
    pair.run(secs(10));
    assert!(pair.both_established() && sessions(&pair).is_empty(), "the server would not take it\n{}", pair.story());
}

#[test]
fn tickets_that_nobody_acknowledges_are_given_up_and_the_association_lives_on() {
    let ends = with_tickets(v13(certificates(Key::P256, 0)));
    // Two hellos, Finished.
    let path: Path = Box::new(|sent| if sent.from == Side::Client && sent.nth > 2 { vec![] } else { vec![DELAY] });
    let mut pair = Pair::new(ends.0, ends.1, path);
    pair.run(secs(400));
    let last = pair.sent_by(Side::Server).last().unwrap().at;
    assert!((100..184).contains(&(last - Instant::ZERO).as_secs()), "{}", pair.story());
    assert_eq!(pair.failure(Side::Server), None, "{}", pair.story());
    pair.exchange_data();
    let now = pair.now;
    pair.server.update_keys(now, true).unwrap();
    pair.drain(Side::Server);
    pair.exchange_data();
}

/// A handshake record that a side could have sent, under the secret of this label in its key log.
pub(crate) fn sealed(pair: &Pair, label: &str, number: RecordNumber, content: &[u8]) -> Vec<u8> {
    let secret = pair.events.iter().find_map(|(_, _, event)| match event {
        Event::KeyLog(line) => line.strip_prefix(label)?.split(' ').nth(2).map(str::to_owned),
        _ => None,
    });
    let secret = secret.unwrap();
    let bytes = (0..secret.len()).step_by(2).map(|at| u8::from_str_radix(&secret[at..at + 2], 16).unwrap());
    let provider = rustcrypto::provider();
    let hkdf = Hkdf::dtls13(provider.clone(), HashAlgorithm::Sha256);
    let keys = TrafficSecret::logged(Secret::new(bytes.collect())).keys(&hkdf, AeadAlgorithm::Aes128Gcm);
    let sealer = Sealer::new(&*provider, AeadAlgorithm::Aes128Gcm, &keys).unwrap();
    let mut record = Vec::new();
    sealer.seal(HeaderForm::FULL, number, ContentType::HANDSHAKE, content, &mut record).unwrap();
    record
}

/// Each takes its own ACK, and an ACK of tickets must not change keys.
#[test]
fn tickets_wait_for_a_key_update_that_came_first() {
    let mut ends = with_tickets(v13(certificates(Key::P256, 0)));
    ends.0.common.key_log = true;
    ends.0.common.cipher_suites13 = vec![CipherSuite::TLS_AES_128_GCM_SHA256];
    let path: Path = Box::new(|sent| if (sent.from, sent.nth) == (Side::Client, 2) { vec![] } else { vec![DELAY] });
    let mut pair = Pair::new(ends.0, ends.1, path);
    pair.run(5 * DELAY);
    // Finished is number 2; right behind it comes a KeyUpdate that asks for another.
    let finished = pair.sent_by(Side::Client).nth(2).unwrap().bytes.clone();
    let header = HandshakeHeader::whole(HandshakeType::KEY_UPDATE, 3, 1);
    let number = RecordNumber { epoch: 3, seq: 20 };
    let update = sealed(&pair, "CLIENT_TRAFFIC_SECRET_0", number, &[&header.to_bytes()[..], &[1]].concat());
    pair.inject(Side::Server, &[finished, update].concat());
    pair.run(secs(30));
    assert_eq!(sessions(&pair).len(), 1, "{}", pair.story());
    let in_epoch_4 = pair.sent_by(Side::Server).filter(|sent| sent.contents() == ["protected@0"]);
    assert_eq!(in_epoch_4.count(), 1, "the ticket\n{}", pair.story());
    pair.exchange_data();
}

/// After the handshake each direction has epochs of its own: an ACK may come in an earlier one than what it is for.
#[test]
fn keys_of_one_direction_are_updated_as_often_as_wanted() {
    let ends = v13(psk());
    let mut pair = Pair::new(ends.0, ends.1, clean());
    pair.run(secs(1));
    for round in 1..6 {
        let now = pair.now;
        pair.server.update_keys(now, false).unwrap();
        pair.drain(Side::Server);
        let before = pair.sent.len();
        pair.run(secs(10 * round));
        assert_eq!(pair.sent.len() - before, 1, "nothing but the ACK\n{}", pair.story());
        pair.exchange_data();
    }
}

/// RFC 8446 §4.6.1: nothing but a full handshake shows that certificates are still good.
#[test]
fn tickets_of_tickets_end_with_the_first_session() {
    let (client, mut server) = with_tickets(v13(certificates(Key::P256, 0)));
    server.tickets.as_mut().unwrap().session_lifetime = secs(4);
    let mut ends = (client, server);
    let mut session = first_session(&ends);
    let mut generations = 0;
    loop {
        let pair = resume(&ends, session, clean());
        assert!(resumed(&pair), "{}", pair.story());
        generations += 1;
        ends.0.common.unix_time += 1;
        ends.1.common.unix_time += 1;
        let Some(next) = sessions(&pair).pop() else { break };
        assert!(!next.is_fresh(DATE + 5), "generation {generations}");
        session = next;
    }
    assert_eq!(generations, 3, "part of a second counts as one");
}

/// The first hello of a pair, and the one after a HelloRetryRequest.
fn hellos(pair: &Pair) -> [Vec<u8>; 2] {
    let mut hellos = pair.sent_by(Side::Client).filter(|sent| sent.holds(HandshakeType::CLIENT_HELLO)).map(|sent| {
        let record = Records::new(&sent.bytes).next().unwrap().unwrap();
        Fragments::new(record.body).next().unwrap().unwrap().body.to_vec()
    });
    [hellos.next().unwrap(), hellos.next().unwrap()]
}

/// RFC 8446 §4.1.4, §4.2.11.1.
#[test]
fn after_a_retry_keys_of_another_hash_are_gone_and_ages_and_binders_are_new() {
    let (mut client, mut server) = with_tickets(v13(psk()));
    client.common.psk_import = Some(b"ward 7".to_vec());
    server.common.psk_import = Some(b"ward 7".to_vec());
    let ends = (client, server);
    let pair = resume(&ends, first_session(&ends), clean());
    assert!(resumed(&pair), "{}", pair.story());
    let [first, second] = hellos(&pair);
    let [first, second] = [&first, &second].map(|hello| ClientHello::parse(hello).unwrap());
    let [first, second] = [&first, &second].map(|hello| hello.extensions.offered_psks().unwrap().unwrap());
    let binders = |psks: &[OfferedPsk<'_>]| psks.iter().map(|psk| psk.binder.len()).collect::<Vec<_>>();
    assert_eq!(binders(&first), [32, 32, 48], "the ticket, and the external key for each hash");
    assert_eq!(binders(&second), [32, 32]);
    let aged = second[0].obfuscated_ticket_age.wrapping_sub(first[0].obfuscated_ticket_age);
    assert_eq!(aged, 20, "milliseconds");
    assert_eq!(second[1].obfuscated_ticket_age, 0, "external keys have no age");
    assert_ne!(first[0].binder, second[0].binder);
}

/// A hello of a client that resumes, to a server without cookies, changed on its way.
fn changed_hello(edit: &dyn Fn(&mut ClientHello<'_>)) -> Option<Error> {
    let ends = direct(with_tickets(v13(psk())));
    let mut pair = Pair::new(ends.0, ends.1, Box::new(|_| vec![]));
    let record = Records::new(&pair.sent[0].bytes).next().unwrap().unwrap();
    let body = Fragments::new(record.body).next().unwrap().unwrap().body.to_vec();
    let mut hello = ClientHello::parse(&body).unwrap();
    edit(&mut hello);
    let mut w = Writer::new();
    hello.emit(&mut w);
    pair.inject(Side::Server, &message(0, HandshakeType::CLIENT_HELLO, 0, &w.into_bytes()));
    pair.failure(Side::Server).cloned()
}

/// RFC 8446 §4.2.9, §4.2.11.
#[test]
fn offers_of_keys_that_break_a_rule_end_the_handshake() {
    assert_eq!(changed_hello(&|_| ()), None);
    let misbehaved = |misbehaved| Some(Error::PeerMisbehaved(misbehaved));
    let modes = changed_hello(&|hello| {
        hello.extensions.0.retain(|extension| extension.extension_type != ExtensionType::PSK_KEY_EXCHANGE_MODES);
    });
    assert_eq!(modes, misbehaved(PeerMisbehaved::MissingExtension));
    let not_last = changed_hello(&|hello| {
        let last = hello.extensions.0.pop().unwrap();
        hello.extensions.0.insert(0, last);
    });
    assert_eq!(not_last, misbehaved(PeerMisbehaved::BadPskChoice));
    let binder = changed_hello(&|hello| {
        let last = hello.extensions.0.last_mut().unwrap();
        let mut data = last.data.to_vec();
        *data.last_mut().unwrap() ^= 1;
        last.data = data.into();
    });
    assert_eq!(binder, misbehaved(PeerMisbehaved::BadBinder));
    let covered = changed_hello(&|hello| hello.start.random[0] ^= 1);
    assert_eq!(covered, misbehaved(PeerMisbehaved::BadBinder));
    let too_many = changed_hello(&|hello| {
        let known = hello.extensions.offered_psks().unwrap().unwrap().pop().unwrap();
        let unknown = OfferedPsk { identity: b"nobody", obfuscated_ticket_age: 0, binder: &[0; 32] };
        let offered = [vec![unknown; 8], vec![known]].concat();
        let offered = Extension::offered_psks(&offered).data.into_owned();
        hello.extensions.0.last_mut().unwrap().data = offered.into();
    });
    assert_eq!(too_many, Some(Error::PeerIncompatible(PeerIncompatible::UnknownPskIdentity)), "beyond the eighth");
}

/// A ServerHello to a client that offers an external key, changed on its way.
fn changed_server_hello(edit: &dyn Fn(&mut ServerHello<'_>)) -> Option<Error> {
    let ends = direct(v13(psk()));
    let path: Path = Box::new(|sent| if sent.from == Side::Server { vec![] } else { vec![DELAY] });
    let mut pair = Pair::new(ends.0, ends.1, path);
    pair.run(DELAY);
    let datagram = pair.sent_by(Side::Server).next().unwrap().bytes.clone();
    let record = Records::new(&datagram).next().unwrap().unwrap();
    let mut hello = ServerHello::parse(Fragments::new(record.body).next().unwrap().unwrap().body).unwrap();
    edit(&mut hello);
    let mut w = Writer::new();
    hello.emit(&mut w);
    pair.inject(Side::Client, &message(0, HandshakeType::SERVER_HELLO, 0, &w.into_bytes()));
    pair.failure(Side::Client).cloned()
}

/// RFC 8446 §4.2.11.
#[test]
fn choices_of_keys_that_break_a_rule_end_the_handshake() {
    assert_eq!(changed_server_hello(&|_| ()), None);
    let misbehaved = |misbehaved| Some(Error::PeerMisbehaved(misbehaved));
    let replace = |hello: &mut ServerHello<'_>, gone, new: Option<Extension<'static>>| {
        hello.extensions.0.retain(|extension| extension.extension_type != gone);
        hello.extensions.0.extend(new);
    };
    let psk = ExtensionType::PRE_SHARED_KEY;
    let beyond = changed_server_hello(&|hello| replace(hello, psk, Some(Extension::selected_psk(1))));
    assert_eq!(beyond, misbehaved(PeerMisbehaved::BadPskChoice));
    let none = changed_server_hello(&|hello| replace(hello, psk, None));
    assert_eq!(none, misbehaved(PeerMisbehaved::BadPskChoice), "nothing would authenticate the server");
    let no_share = changed_server_hello(&|hello| replace(hello, ExtensionType::KEY_SHARE, None));
    assert_eq!(no_share, misbehaved(PeerMisbehaved::MissingExtension), "psk_ke was not offered");
    let other_suite = changed_server_hello(&|hello| hello.cipher_suite = CipherSuite::TLS_AES_256_GCM_SHA384);
    assert_eq!(other_suite, misbehaved(PeerMisbehaved::SuiteNotOffered), "of no hash that a key has");
    let early = changed_server_hello(&|hello| hello.extensions.0.push(Extension::early_data()));
    assert_eq!(early, misbehaved(PeerMisbehaved::UnsolicitedExtension));
}

#[test]
fn key_updates_that_have_to_wait_are_sent_once_and_ask_if_any_asked() {
    for asks in [[false, false], [false, true], [true, false]] {
        let ends = v13(psk());
        let mut pair = Pair::new(ends.0, ends.1, clean());
        // The client's Finished is on its way.
        pair.run(4 * DELAY);
        let now = pair.now;
        for request_peer in asks {
            pair.client.update_keys(now, request_peer).unwrap();
        }
        pair.run(secs(10));
        pair.exchange_data();
        let last = |side| pair.sent_by(side).last().unwrap().contents();
        assert_eq!(last(Side::Client), ["protected@0"], "epoch 4\n{}", pair.story());
        let expected = if asks.contains(&true) { "protected@0" } else { "protected@3" };
        assert_eq!(last(Side::Server), [expected], "{asks:?}\n{}", pair.story());
    }
}

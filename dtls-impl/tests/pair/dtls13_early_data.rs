//! DTLS 1.3: early data, accepted, refused, and sent again by someone else.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{DATE, DELAY, Key, NAME, Pair, Path, Side, certificates, clean, cookies, psk, secs};
use crate::dtls13::v13;
use crate::dtls13_resumption::sealed;
use dtls_impl::config::{Cookies, EarlyData, PskMode, ReplayGuard, TicketKeys, Tickets, Versions};
use dtls_impl::crypto::Group;
use dtls_impl::error::{Misuse, PeerIncompatible, PeerMisbehaved};
use dtls_impl::wire::{
    AlertDescription, CipherSuite, EncryptedExtensions, Extension, Extensions, HandshakeHeader, HandshakeType,
    RECORD_HEADER_LEN, RecordNumber, Records, Writer,
};
use dtls_impl::{ClientConfig, ClientSession, Connection, Error, Event, Instant, Seed, ServerConfig};

pub(crate) type Ends = (ClientConfig, ServerConfig);
type Edit<'a> = &'a dyn Fn(&mut Ends);

pub(crate) fn with_early_data((mut client, mut server): Ends) -> Ends {
    server.tickets = Some(Tickets::new(TicketKeys::new([7; 32])));
    server.early_data = Some(EarlyData::new(Arc::new(ReplayGuard::new(100))));
    server.cookies = Cookies::Off;
    (client.sessions, client.early_data) = (true, true);
    (client.common.unix_time, server.common.unix_time) = (DATE, DATE);
    (client, server)
}

/// A session that was made ten seconds before time zero.
pub(crate) fn session((client, server): &Ends) -> ClientSession {
    let (mut client, mut server) = (client.clone(), server.clone());
    client.common.unix_time -= 10;
    server.common.unix_time -= 10;
    let mut pair = Pair::new(client, server, clean());
    pair.run(secs(10));
    let session = |event: &Event| if let Event::Session(session) = event { Some(session.clone()) } else { None };
    pair.events.iter().find_map(|(_, _, event)| session(event)).unwrap()
}

pub(crate) fn resume((client, server): &Ends, session: ClientSession, early: &[&[u8]], path: Path) -> Pair {
    let mut pair = Pair::new(client.clone(), server.clone(), path);
    pair.sent.clear();
    pair.forget_what_is_on_its_way();
    let (config, now) = (Arc::new(client.clone()), Instant::ZERO);
    pair.client = Connection::resume(config, Some(NAME), session, Seed([3; 32]), now).unwrap();
    for data in early {
        pair.client.send_early(now, data).unwrap();
    }
    pair.drain(Side::Client);
    pair.run(secs(300));
    pair
}

pub(crate) fn early_data(pair: &Pair) -> Vec<&[u8]> {
    let data = pair.events.iter().filter_map(|(_, _, event)| match event {
        Event::EarlyData(data) => Some(&data[..]),
        _ => None,
    });
    data.collect()
}

/// What the client was told.
fn accepted(pair: &Pair) -> Option<bool> {
    pair.events.iter().find_map(|(_, _, event)| match event {
        Event::EarlyDataAccepted => Some(true),
        Event::EarlyDataRejected => Some(false),
        _ => None,
    })
}

#[test]
fn early_data_arrives_half_a_round_trip_after_the_start() {
    for ends in [certificates(Key::P256, 0), psk()].map(v13).map(with_early_data) {
        let mut pair = resume(&ends, session(&ends), &[b"one", b"two"], clean());
        assert_eq!(early_data(&pair), [b"one", b"two"], "{}", pair.story());
        assert_eq!(accepted(&pair), Some(true));
        for end in [&pair.client, &pair.server] {
            assert!(end.negotiated().is_some_and(|negotiated| negotiated.resumed && negotiated.early_data));
        }
        let at = pair.events.iter().find(|(.., event)| matches!(event, Event::EarlyData(_))).map(|(at, ..)| *at);
        assert_eq!(at, Some(Instant::ZERO + DELAY));
        assert_eq!(pair.established(Side::Client), Some(Instant::ZERO + 2 * DELAY));
        pair.exchange_data();
        assert!(pair.data(Side::Server).iter().all(|data| !data.starts_with(b"one")), "early data is not data");
    }
}

/// What both ends agree on if they know these protocols.
fn of_protocols((mut client, mut server): Ends, of_client: &[&str], of_server: &[&str]) -> Ends {
    let names = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect();
    client.common.alpn = names(of_client);
    server.common.alpn = names(of_server);
    (client, server)
}

/// RFC 8446 §4.2.10.
#[test]
fn early_data_is_taken_for_the_protocol_of_its_ticket_alone() {
    let ends = with_early_data(v13(certificates(Key::P256, 0)));
    let coap = of_protocols(ends.clone(), &["mqtt", "coap"], &["coap"]);
    let (none, for_coap) = (session(&ends), session(&coap));
    let mqtt = of_protocols(ends.clone(), &["mqtt", "coap"], &["mqtt", "coap"]);
    let without = of_protocols(ends.clone(), &["coap"], &[]);
    type Case<'a> = (&'a str, &'a Ends, &'a ClientSession, Option<&'a [u8]>, bool);
    let cases: [Case<'_>; 5] = [
        ("none and none", &ends, &none, None, true),
        ("the same", &coap, &for_coap, Some(b"coap"), true),
        ("another", &mqtt, &for_coap, Some(b"mqtt"), false),
        ("none then, one now", &coap, &none, Some(b"coap"), false),
        ("one then, none now", &without, &for_coap, None, false),
    ];
    for (what, ends, session, protocol, taken) in cases {
        let mut pair = resume(ends, session.clone(), &[b"one"], clean());
        assert_eq!((early_data(&pair).len(), accepted(&pair)), (usize::from(taken), Some(taken)), "{what}");
        for side in [Side::Client, Side::Server] {
            let negotiated = pair.end(side).negotiated().unwrap();
            assert!(negotiated.resumed && negotiated.early_data == taken, "{what}");
            assert_eq!(negotiated.alpn.as_deref(), protocol, "{what}");
        }
        pair.exchange_data();
    }
    // Who no longer speaks the protocol has nothing to say in it.
    let (config, now) = (Arc::new(ends.0.clone()), Instant::ZERO);
    let mut client = Connection::resume(config, Some(NAME), for_coap, Seed([3; 32]), now).unwrap();
    assert_eq!(client.send_early(now, b"one"), Err(Error::Misuse(Misuse::NoEarlyData)));
}

/// RFC 8449 says nothing of early data: what the server took when it gave the ticket is the best guess.
#[test]
fn records_of_early_data_are_as_long_as_the_server_took_them_before() {
    let mut ends = with_early_data(v13(certificates(Key::P256, 0)));
    ends.0.common.record_size_limit = Some(1000);
    ends.1.common.record_size_limit = Some(100);
    let session = session(&ends);
    let (config, now) = (Arc::new(ends.0.clone()), Instant::ZERO);
    let mut client = Connection::resume(config, Some(NAME), session.clone(), Seed([3; 32]), now).unwrap();
    // The content type counts.
    assert_eq!(client.send_early(now, &[7; 100]), Err(Error::Misuse(Misuse::DataTooLarge)));
    let mut pair = resume(&ends, session, &[&[7; 99]], clean());
    assert_eq!((early_data(&pair), accepted(&pair)), (vec![&[7; 99][..]], Some(true)), "{}", pair.story());
    pair.exchange_data();
}

#[test]
fn where_cookies_are_required_there_is_no_early_data() {
    let mut ends = with_early_data(v13(certificates(Key::P256, 0)));
    ends.1.cookies = cookies();
    let mut pair = resume(&ends, session(&ends), &[b"one"], clean());
    assert_eq!((early_data(&pair).len(), accepted(&pair)), (0, Some(false)), "{}", pair.story());
    assert_eq!(pair.established(Side::Client), Some(Instant::ZERO + 4 * DELAY), "with a HelloRetryRequest");
    assert_eq!(pair.client.negotiated().map(|negotiated| negotiated.resumed), Some(true));
    pair.exchange_data();
}

#[test]
fn an_acceptable_hello_needs_no_cookie_if_the_server_says_so_and_others_do() {
    let mut ends = with_early_data(v13(certificates(Key::P256, 0)));
    ends.1.cookies = cookies();
    ends.1.early_data.as_mut().unwrap().without_cookie = true;
    let session = session(&ends);
    let mut pair = resume(&ends, session.clone(), &[b"one"], clean());
    assert_eq!((early_data(&pair).len(), accepted(&pair)), (1, Some(true)), "{}", pair.story());
    pair.exchange_data();
    let mut again = resume(&ends, session, &[b"one"], clean());
    assert_eq!((early_data(&again).len(), accepted(&again)), (0, Some(false)), "{}", again.story());
    assert_eq!(again.established(Side::Client), Some(Instant::ZERO + 4 * DELAY), "with a HelloRetryRequest");
    again.exchange_data();
}

#[test]
fn what_does_not_fit_is_refused_and_the_handshake_goes_on() {
    let ends = with_early_data(v13(certificates(Key::P256, 0)));
    let session = session(&ends);
    let edits: [(&str, Edit<'_>); 7] = [
        ("no policy", &|(_, server)| server.early_data = None),
        ("another ticket key", &|(_, server)| server.tickets = Some(Tickets::new(TicketKeys::new([8; 32])))),
        ("another suite", &|(_, server)| {
            server.common.cipher_suites13 = vec![CipherSuite::TLS_CHACHA20_POLY1305_SHA256];
        }),
        ("another group", &|(_, server)| server.common.groups = vec![Group::Secp256r1]),
        // To the server the ticket is older than the client says, or younger.
        ("a delay", &|(_, server)| server.common.unix_time += 12),
        ("a fast clock", &|(client, _)| client.common.unix_time += 12),
        ("a server without a past", &|(_, server)| {
            server.early_data = Some(EarlyData::new(Arc::new(ReplayGuard::new(100).since(DATE - 1))));
        }),
    ];
    for (name, edit) in edits {
        let mut ends = ends.clone();
        edit(&mut ends);
        let mut pair = resume(&ends, session.clone(), &[b"one", b"two"], clean());
        assert!(early_data(&pair).is_empty(), "{name}");
        assert_eq!(accepted(&pair), Some(false), "{name}\n{}", pair.story());
        assert!(pair.both_established(), "{name}\n{}", pair.story());
        pair.exchange_data();
    }
}

#[test]
fn a_replayed_hello_brings_its_early_data_only_once() {
    let ends = with_early_data(v13(certificates(Key::P256, 0)));
    let pair = resume(&ends, session(&ends), &[b"pay 10"], clean());
    assert_eq!(early_data(&pair).len(), 1);
    let flight: Vec<_> = pair.sent_by(Side::Client).take(2).map(|sent| sent.bytes.clone()).collect();
    // To other connections of the same server, from elsewhere, at once and later.
    for after in [Duration::ZERO, Duration::from_millis(300), secs(5), secs(19), secs(25), secs(3600), secs(7200)] {
        let now = Instant::ZERO + after;
        let mut other = Connection::server(Arc::new(ends.1.clone()), b"elsewhere", Seed([9; 32]), now).unwrap();
        for datagram in &flight {
            other.handle_datagram(now, datagram);
        }
        loop {
            match other.poll_output() {
                dtls_impl::Output::Event(Event::EarlyData(_)) => panic!("replayed after {after:?}"),
                dtls_impl::Output::WakeAt(_) | dtls_impl::Output::Idle => break,
                _ => {}
            }
        }
    }
}

#[test]
fn losses_and_reordering_cost_early_data_but_not_the_connection() {
    let ends = with_early_data(v13(certificates(Key::P256, 0)));
    let losses: Vec<_> =
        [Side::Client, Side::Server].into_iter().flat_map(|side| (0..8).map(move |nth| (side, nth))).collect();
    for first in &losses {
        for second in &losses {
            // A guard of its own for each, as the session is the same.
            let ends = with_early_data((ends.0.clone(), ends.1.clone()));
            let lost = [*first, *second];
            let path: Path =
                Box::new(move |sent| if lost.contains(&(sent.from, sent.nth)) { vec![] } else { vec![DELAY] });
            let mut pair = resume(&ends, session(&ends), &[b"one", b"two"], path);
            assert!(pair.both_established(), "{lost:?}\n{}", pair.story());
            assert!(early_data(&pair).len() <= 2, "{lost:?}\n{}", pair.story());
            pair.exchange_data();
        }
    }
    let late_hello: Path =
        Box::new(|sent| if sent.from == Side::Client && sent.nth == 0 { vec![3 * DELAY] } else { vec![DELAY] });
    let mut pair = resume(&ends, session(&ends), &[b"one"], late_hello);
    assert!(early_data(&pair).is_empty(), "it came before its hello");
    assert_eq!(accepted(&pair), Some(true));
    pair.exchange_data();
}

#[test]
fn data_that_comes_after_the_keys_of_the_handshake_is_too_late() {
    let ends = with_early_data(v13(certificates(Key::P256, 0)));
    let late: Path =
        Box::new(|sent| if sent.from == Side::Client && sent.nth == 1 { vec![4 * DELAY] } else { vec![DELAY] });
    let mut pair = resume(&ends, session(&ends), &[b"late"], late);
    // Still taken: nothing of epoch 3 has come.
    assert_eq!(early_data(&pair).len(), 1, "{}", pair.story());
    let copy = pair.sent_by(Side::Client).nth(1).unwrap().bytes.clone();
    pair.exchange_data();
    pair.inject(Side::Server, &copy);
    assert_eq!(early_data(&pair).len(), 1);
}

#[test]
fn both_ends_keep_to_the_size_of_the_ticket() {
    let (client, mut server) = with_early_data(v13(certificates(Key::P256, 0)));
    server.early_data.as_mut().unwrap().max_size = 10;
    let ends = (client, server);
    let session = session(&ends);
    assert_eq!(session.early_data_max(), 10);
    let start =
        || Connection::resume(Arc::new(ends.0.clone()), Some(NAME), session.clone(), Seed([3; 32]), Instant::ZERO);
    let mut connection = start().unwrap();
    assert_eq!(connection.send_early(Instant::ZERO, &[1; 6]), Ok(()));
    assert_eq!(connection.send_early(Instant::ZERO, &[1; 5]), Err(Error::Misuse(Misuse::TooMuchEarlyData)));
    assert_eq!(connection.send_early(Instant::ZERO, &[1; 4]), Ok(()));
    assert_eq!(start().unwrap().send_early(Instant::ZERO, &[1; 1200]), Err(Error::Misuse(Misuse::DataTooLarge)));
    // A server that has become less generous since takes none, rather than be angry later.
    let mut ends = ends.clone();
    ends.1.early_data.as_mut().unwrap().max_size = 4;
    let mut pair = resume(&ends, session, &[b"12345"], clean());
    assert_eq!((early_data(&pair).len(), accepted(&pair)), (0, Some(false)), "{}", pair.story());
    pair.exchange_data();
}

#[test]
fn early_data_is_off_unless_both_want_it() {
    let no = Err(Error::Misuse(Misuse::NoEarlyData));
    let on = with_early_data(v13(certificates(Key::P256, 0)));
    let send = |client: &ClientConfig, session: Option<ClientSession>| {
        let (client, seed, now) = (Arc::new(client.clone()), Seed([3; 32]), Instant::ZERO);
        let connection = match session {
            Some(session) => Connection::resume(client, Some(NAME), session, seed, now),
            None => Connection::client(client, Some(NAME), seed, now),
        };
        connection.unwrap().send_early(now, b"x")
    };
    assert_eq!(send(&on.0, Some(session(&on))), Ok(()));
    assert_eq!(send(&on.0, None), no, "no session");
    let mut off = on.0.clone();
    off.early_data = false;
    assert_eq!(send(&off, Some(session(&on))), no, "the client's configuration");
    let mut off = on.clone();
    off.1.early_data = None;
    assert_eq!(send(&off.0, Some(session(&off))), no, "the server's tickets");
    let mut both = on.0.clone();
    both.common.versions = Versions::Both;
    assert_eq!(send(&both, Some(session(&on))), Ok(()));
    assert_eq!(send(&certificates(Key::P256, 0).0, None), no, "DTLS 1.2");
    let mut pair = resume(&on, session(&on), &[b"x"], clean());
    let now = pair.now;
    assert_eq!(pair.client.send_early(now, b"x"), no, "too late");
}

#[test]
fn early_data_goes_with_a_pre_shared_key_alone() {
    let mut ends = with_early_data(v13(psk()));
    for common in [&mut ends.0.common, &mut ends.1.common] {
        common.psk_modes = vec![PskMode::Ke];
    }
    let mut pair = resume(&ends, session(&ends), &[b"one"], clean());
    assert_eq!((early_data(&pair).len(), accepted(&pair)), (1, Some(true)), "{}", pair.story());
    pair.exchange_data();
}

/// RFC 9147 §5.6.
#[test]
fn early_data_that_is_late_is_dropped() {
    let ends = with_early_data(v13(certificates(Key::P256, 0)));
    // Its record is the client's second datagram.
    let after = |late: Duration| -> Path {
        Box::new(move |sent| if (sent.from, sent.nth) == (Side::Client, 1) { vec![late] } else { vec![DELAY] })
    };
    for (late, arrives) in [(3 * DELAY, true), (secs(2), false)] {
        let ends = with_early_data(ends.clone());
        let mut pair = resume(&ends, session(&ends), &[b"one"], after(late));
        assert_eq!(early_data(&pair).len(), usize::from(arrives), "{late:?}\n{}", pair.story());
        pair.exchange_data();
    }
    // What came later was there first: the ACK of the ticket.
    let ends = with_early_data(ends);
    let pair = resume(&ends, session(&ends), &[b"one"], after(10 * DELAY));
    assert!(early_data(&pair).is_empty(), "{}", pair.story());
}

/// RFC 8446 §D.3.
#[test]
fn a_session_is_no_obstacle_to_an_older_version_but_early_data_is() {
    let mut ends = with_early_data(v13(certificates(Key::P256, 0)));
    let session = session(&ends);
    ends.0.common.versions = Versions::Both;
    ends.1.common.versions = Versions::Dtls12;
    let pair = resume(&ends, session.clone(), &[b"one"], clean());
    assert!(!pair.both_established() && early_data(&pair).is_empty(), "{}", pair.story());
    let too_old = Error::PeerIncompatible(PeerIncompatible::NoCommonVersion);
    assert_eq!(pair.failure(Side::Client), Some(&too_old), "{}", pair.story());
    ends.0.early_data = false;
    let mut pair = resume(&ends, session, &[], clean());
    assert!(pair.both_established(), "{}", pair.story());
    pair.exchange_data();
}

/// What a client makes of EncryptedExtensions that accept early data.
fn unfit_acceptance(ends: &Ends, session: Option<ClientSession>, more: Option<Extension<'static>>) -> Option<Error> {
    let (mut client, mut server) = ends.clone();
    server.common.key_log = true;
    client.common.cipher_suites13 = vec![CipherSuite::TLS_AES_128_GCM_SHA256];
    let path: Path = Box::new(|sent| if sent.from == Side::Server { vec![] } else { vec![DELAY] });
    let mut pair = Pair::new(client.clone(), server, path);
    if let Some(session) = session {
        pair.sent.clear();
        pair.forget_what_is_on_its_way();
        let resumed = Connection::resume(Arc::new(client), Some(NAME), session, Seed([3; 32]), Instant::ZERO);
        pair.client = resumed.unwrap();
        pair.drain(Side::Client);
    }
    pair.run(DELAY);
    let flight = pair.sent_by(Side::Server).next().unwrap().bytes.clone();
    let record = Records::new(&flight).next().unwrap().unwrap();
    let server_hello = &flight[..RECORD_HEADER_LEN + record.body.len()];
    let mut w = Writer::new();
    let extensions = Extensions([Extension::early_data()].into_iter().chain(more).collect());
    EncryptedExtensions { extensions }.emit(&mut w);
    let body = w.into_bytes();
    let header = HandshakeHeader::whole(HandshakeType::ENCRYPTED_EXTENSIONS, 1, body.len() as u32);
    let (label, number) = ("SERVER_HANDSHAKE_TRAFFIC_SECRET", RecordNumber { epoch: 2, seq: 0 });
    let encrypted = sealed(&pair, label, number, &[&header.to_bytes()[..], &body].concat());
    pair.inject(Side::Client, &[server_hello, &encrypted].concat());
    pair.failure(Side::Client).cloned()
}

/// RFC 8446 §4.2.10.
#[test]
fn acceptance_of_early_data_that_does_not_fit_the_offer_ends_the_handshake() {
    let ends = with_early_data(v13(psk()));
    let not_offered = unfit_acceptance(&ends, None, None);
    assert_eq!(not_offered, Some(Error::PeerMisbehaved(PeerMisbehaved::UnsolicitedExtension)));
    let session = session(&ends);
    let mut ends = ends;
    ends.1.tickets = None;
    ends.1.early_data = None;
    let for_another_key = unfit_acceptance(&ends, Some(session), None);
    assert_eq!(for_another_key, Some(Error::PeerMisbehaved(PeerMisbehaved::BadPskChoice)));
}

#[test]
fn acceptance_of_early_data_with_another_protocol_ends_the_handshake() {
    let ends = of_protocols(with_early_data(v13(psk())), &["mqtt", "coap"], &["coap"]);
    let session = session(&ends);
    for more in [None, Some(Extension::alpn(&[b"mqtt"]))] {
        let error = unfit_acceptance(&ends, Some(session.clone()), more);
        assert_eq!(error, Some(Error::PeerMisbehaved(PeerMisbehaved::BadEarlyProtocol)));
    }
    let error = Error::PeerMisbehaved(PeerMisbehaved::BadEarlyProtocol);
    assert_eq!(error.alert(), Some(AlertDescription::ILLEGAL_PARAMETER));
}

/// A path that loses a fifth, doubles a tenth, and delays each datagram by 1 to 50 ms.
fn rough(seed: u64) -> Path {
    let mut state = seed;
    let mut draw = move |below: u64| {
        // Knuth's MMIX generator; its high bits are good enough.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    Box::new(move |_| {
        let copies = match draw(10) {
            0 | 1 => 0,
            2 => 2,
            _ => 1,
        };
        (0..copies).map(|_| Duration::from_millis(1 + draw(50))).collect()
    })
}

#[test]
fn rough_paths_deliver_early_data_at_most_once_and_everything_else() {
    let ends = with_early_data(v13(psk()));
    for seed in 0..200 {
        let mut ends = with_early_data(ends.clone());
        ends.1.tickets.as_mut().unwrap().count = 4;
        ends.0.common.mtu = 300;
        ends.1.common.mtu = 300;
        let mut pair = Pair::new(ends.0.clone(), ends.1.clone(), rough(seed));
        pair.sent.clear();
        pair.forget_what_is_on_its_way();
        let (config, now) = (Arc::new(ends.0.clone()), Instant::ZERO);
        pair.client = Connection::resume(config, Some(NAME), session(&ends), Seed([3; 32]), now).unwrap();
        for data in [&b"one"[..], b"two", b"three"] {
            pair.client.send_early(now, data).unwrap();
        }
        pair.drain(Side::Client);
        let mut until = secs(1);
        while !pair.both_established() {
            pair.run(until);
            until += secs(1);
            assert!(until < secs(180), "seed {seed}\n{}", pair.story());
        }
        for request_peer in [true, false] {
            let now = pair.now;
            pair.server.update_keys(now, request_peer).unwrap();
            pair.client.update_keys(now, !request_peer).unwrap();
            pair.drain(Side::Server);
            pair.drain(Side::Client);
            pair.run(until);
            until += secs(1);
        }
        pair.run(until + secs(170));
        let mut early = early_data(&pair);
        early.sort_unstable();
        early.dedup();
        assert_eq!(early.len(), early_data(&pair).len(), "seed {seed}: more than once\n{}", pair.story());
        let sessions = pair.events.iter().filter(|(.., event)| matches!(event, Event::Session(_))).count();
        assert_eq!(sessions, 4, "seed {seed}\n{}", pair.story());
        pair.exchange_data();
        assert_eq!(pair.failure(Side::Client).or(pair.failure(Side::Server)), None, "seed {seed}");
    }
}

//! A client that has lost its state comes back from the same address (RFC 6347 §4.2.8, RFC 9147 §5.11), and those who
//! only say so.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{DELAY, Key, NAME, Pair, Path, Side, certificates, clean, other, psk, secs};
use crate::dtls13::v13;
use dtls_impl::config::{ClientCredentials, ConnectionId, Cookies, Psk, ServerCredentials, Versions};
use dtls_impl::crypto::{Group, Secret};
use dtls_impl::wire::{AnyRecord, AnyRecords, HandshakeType};
use dtls_impl::{
    ClientConfig, Connection, DiscardReason, Error, Event, Instant, Output, PeerIdentity, Seed, ServerConfig,
};

type Configs = (ClientConfig, ServerConfig);

/// Both versions, each with and without certificates.
fn all_kinds() -> [Configs; 4] {
    [certificates(Key::P256, 0), psk(), v13(certificates(Key::P256, 0)), v13(psk())]
}

fn both(configs: Configs) -> Configs {
    let (mut client, mut server) = configs;
    (client.common.versions, server.common.versions) = (Versions::Both, Versions::Both);
    (client, server)
}

fn established((client, server): Configs) -> Pair {
    let mut pair = Pair::new(client, server, clean());
    pair.run(secs(5));
    assert!(pair.both_established(), "{}", pair.story());
    pair.exchange_data();
    pair
}

fn run(pair: &mut Pair, time: Duration) {
    let until = pair.now.saturating_since(Instant::ZERO) + time;
    pair.run(until);
}

/// What the server reported since, but for what it dropped.
fn reported(pair: &Pair, since: usize) -> Vec<&Event> {
    let events = pair.events[since..].iter().filter(|(_, side, _)| *side == Side::Server).map(|(.., event)| event);
    events.filter(|event| !matches!(event, Event::Discarded(_))).collect()
}

fn restarts(pair: &Pair) -> usize {
    pair.events.iter().filter(|(.., event)| *event == Event::Restarted).count()
}

/// The client's hellos, oldest first.
fn hellos(pair: &Pair) -> Vec<Vec<u8>> {
    let hellos = pair.sent_by(Side::Client).filter(|sent| sent.holds(HandshakeType::CLIENT_HELLO));
    hellos.map(|sent| sent.bytes.clone()).collect()
}

/// The datagrams of a client that nobody answers.
fn hello_of(config: ClientConfig, seed: [u8; 32]) -> Vec<u8> {
    let mut client = Connection::client(Arc::new(config), Some(NAME), Seed(seed), Instant::ZERO).unwrap();
    match client.poll_output() {
        Output::Datagram(hello) => hello,
        other => panic!("{other:?}"),
    }
}

fn datagram_of(connection: &mut Connection, now: Instant, data: &[u8]) -> Vec<u8> {
    connection.send(now, data).unwrap();
    match connection.poll_output() {
        Output::Datagram(datagram) => datagram,
        other => panic!("{other:?}"),
    }
}

/// The whole state of the server, but for what time it is and how long the datagram was that it looks at.
fn state(pair: &Pair) -> String {
    let without = |all: String, field: &str| {
        let mut parts = all.split(field);
        let first = parts.next().unwrap().to_owned();
        parts.map(|part| part.split_once(',').unwrap().1).fold(first, |before, part| before + part)
    };
    ["now: ", "uncounted: "].into_iter().fold(format!("{:?}", pair.server), without)
}

#[test]
fn a_client_that_lost_its_state_gets_another_association() {
    for configs in all_kinds() {
        let mut pair = established(configs.clone());
        let since = pair.events.len();
        let mut before = pair.replace_client(configs.0, 3);
        run(&mut pair, secs(5));
        let events = reported(&pair, since);
        assert!(matches!(events[..], [Event::Restarted, Event::Established { .. }]), "{}", pair.story());
        pair.exchange_data();
        // The keys before are gone, and who has them is not heard.
        let late = datagram_of(&mut before, pair.now, b"late");
        pair.inject(Side::Server, &late);
        assert_eq!(pair.events.last().unwrap().2, Event::Discarded(DiscardReason::BadRecord), "{}", pair.story());
    }
}

#[test]
fn a_client_may_begin_anew_in_the_other_version() {
    for (first, second) in [(Versions::Dtls12, Versions::Dtls13), (Versions::Dtls13, Versions::Dtls12)] {
        let (mut client, server) = both(certificates(Key::P256, 0));
        client.common.versions = first;
        let mut pair = established((client.clone(), server));
        let before = pair.server.negotiated().unwrap().version;
        client.common.versions = second;
        pair.replace_client(client, 3);
        run(&mut pair, secs(5));
        assert_eq!(restarts(&pair), 1, "{}", pair.story());
        assert_ne!(pair.server.negotiated().unwrap().version, before);
        pair.exchange_data();
    }
}

#[test]
fn a_client_may_begin_anew_many_times_and_as_another() {
    for configs in [psk(), v13(psk()), both(psk())] {
        let (client, mut server) = configs;
        let ServerCredentials::Psk { keys, .. } = &mut server.credentials else { panic!() };
        keys.insert(b"other".to_vec(), Secret::new(vec![5; 16]));
        let mut as_other = client.clone();
        let other = Psk { identity: b"other".to_vec(), key: Secret::new(vec![5; 16]) };
        as_other.credentials = ClientCredentials::Psk(other);
        let mut pair = established((client.clone(), server));
        for round in 0..6 {
            let (config, name) = [(&as_other, b"other".to_vec()), (&client, b"device".to_vec())][round % 2].clone();
            pair.replace_client(config.clone(), 3 + round as u8);
            run(&mut pair, secs(5));
            assert_eq!(restarts(&pair), round + 1, "{}", pair.story());
            assert_eq!(pair.server.negotiated().unwrap().peer, PeerIdentity::Psk(name));
            pair.exchange_data();
        }
    }
}

/// Pieces of a hello are kept for a client that begins anew as for one that is new.
#[test]
fn a_hello_in_pieces_starts_an_association_too() {
    let (mut client, mut server) = v13(certificates(Key::P256, 0));
    client.common.groups = vec![Group::X25519MlKem768];
    server.common.groups = vec![Group::X25519MlKem768];
    client.common.mtu = 300;
    let mut pair = established((client.clone(), server));
    pair.replace_client(client, 3);
    run(&mut pair, secs(20));
    assert_eq!(restarts(&pair), 1, "{}", pair.story());
    pair.exchange_data();
}

#[test]
fn a_restart_survives_losses() {
    for configs in all_kinds() {
        for lost in 0..12 {
            let mut pair = established(configs.clone());
            pair.replace_client(configs.0.clone(), 3);
            pair.set_path(losing(lost));
            run(&mut pair, secs(60));
            assert_eq!(restarts(&pair), 1, "{lost} {}", pair.story());
            pair.exchange_data();
        }
    }
}

/// Loses the datagram of this number, counted from now.
fn losing(lost: usize) -> Path {
    let mut sent = 0;
    Box::new(move |_| {
        sent += 1;
        if sent == lost + 1 { Vec::new() } else { vec![DELAY] }
    })
}

/// RFC 6347 §4.2.8: whoever sends forged hellos destroys nothing. The server stays the same to the byte, answers as a
/// server that knows nobody, with less than it was sent, and serves its client.
#[test]
fn a_thousand_forged_hellos_change_nothing() {
    for configs in all_kinds().into_iter().chain([both(psk())]) {
        let mut pair = established(configs.clone());
        let (before, sent, since) = (state(&pair), pair.sent.len(), pair.events.len());
        pair.set_path(Box::new(|_| Vec::new()));
        let mut received = 0;
        for number in 0..1000_u16 {
            let mut seed = [9; 32];
            seed[..2].copy_from_slice(&number.to_be_bytes());
            let hello = hello_of(configs.0.clone(), seed);
            received += hello.len();
            pair.inject(Side::Server, &hello);
        }
        assert_eq!(state(&pair), before);
        assert!(reported(&pair, since).is_empty(), "{}", pair.story());
        let answered: usize = pair.sent[sent..].iter().map(|sent| sent.bytes.len()).sum();
        assert_eq!(pair.sent.len() - sent, 1000);
        assert!(answered <= received, "{answered} for {received}");
        pair.exchange_data();
        assert_eq!(restarts(&pair), 0);
    }
}

/// Until the new client has proved itself the old association works in both directions, whoever that is.
#[test]
fn data_flows_over_the_old_keys_until_the_new_client_has_proved_itself() {
    for (number, configs) in all_kinds().into_iter().enumerate() {
        let mut pair = established(configs.clone());
        // Nothing of the new client's last flight arrives.
        pair.set_path(Box::new(|sent| {
            let last = sent.from == Side::Client
                && (sent.holds(HandshakeType::CLIENT_KEY_EXCHANGE)
                    || sent.contents().iter().any(|content| content.starts_with("protected")));
            if last { Vec::new() } else { vec![DELAY] }
        }));
        let mut old = pair.replace_client(configs.0, 3);
        run(&mut pair, secs(3));
        let since = pair.events.len();
        assert!(pair.established(Side::Client).is_some(), "{}", pair.story());
        let data = datagram_of(&mut old, pair.now, b"over the old keys");
        pair.inject(Side::Server, &data);
        assert_eq!(reported(&pair, since), [&Event::Data(b"over the old keys".to_vec())], "{number} {}", pair.story());
        let now = pair.now;
        pair.server.send(now, b"and back").unwrap();
        let Output::Datagram(back) = pair.server.poll_output() else { panic!() };
        old.handle_datagram(now, &back);
        let mut heard = Vec::new();
        while let output @ (Output::Event(_) | Output::Datagram(_)) = old.poll_output() {
            heard.push(output);
        }
        assert_eq!(heard, [Output::Event(Event::Data(b"and back".to_vec()))]);
        // A copy is known as one.
        pair.inject(Side::Server, &data);
        assert_eq!(pair.events.last().unwrap().2, Event::Discarded(DiscardReason::Replayed));
        pair.set_path(clean());
        run(&mut pair, secs(30));
        assert_eq!(restarts(&pair), 1, "{}", pair.story());
        pair.exchange_data();
    }
}

#[test]
fn a_restart_that_dies_leaves_the_association_as_it_was() {
    for configs in all_kinds() {
        let mut pair = established(configs.clone());
        let (before, since) = (state(&pair), pair.events.len());
        let old = pair.replace_client(configs.0, 3);
        // The new client is heard twice, and never again.
        let mut heard = 0;
        pair.set_path(Box::new(move |sent| {
            heard += usize::from(sent.from == Side::Client);
            if sent.from == Side::Client && heard > 1 { Vec::new() } else { vec![DELAY] }
        }));
        run(&mut pair, secs(200));
        assert_eq!(reported(&pair, since), [&Event::RestartFailed(Error::TimedOut)], "{}", pair.story());
        assert_eq!(state(&pair), before);
        pair.client = old;
        pair.exchange_data();
        assert_eq!(restarts(&pair), 0);
    }
}

#[test]
fn a_client_that_cannot_prove_itself_replaces_nobody() {
    for configs in [psk(), v13(psk())] {
        let mut pair = established(configs.clone());
        let since = pair.events.len();
        let (mut client, _) = configs;
        client.credentials =
            ClientCredentials::Psk(Psk { identity: b"device".to_vec(), key: Secret::new(vec![1; 16]) });
        let old = pair.replace_client(client, 3);
        run(&mut pair, secs(300));
        let failed = reported(&pair, since).iter().any(|event| matches!(event, Event::RestartFailed(_)));
        let refused = reported(&pair, since).iter().any(|event| matches!(event, Event::AlertSent(_)));
        assert!(failed || refused, "{}", pair.story());
        pair.client = old;
        pair.exchange_data();
        assert_eq!(restarts(&pair), 0);
    }
}

/// The network, or whoever heard it, says again what the association began with: cookie and all.
#[test]
fn the_hellos_of_the_association_itself_start_nothing() {
    for configs in all_kinds() {
        let mut pair = established(configs);
        let (before, sent, since) = (state(&pair), pair.sent.len(), pair.events.len());
        let hellos = hellos(&pair);
        assert_eq!(hellos.len(), 2);
        for hello in hellos.iter().cycle().take(20) {
            pair.inject(Side::Server, hello);
        }
        assert_eq!((state(&pair), pair.sent.len()), (before, sent), "{}", pair.story());
        assert!(reported(&pair, since).is_empty());
    }
}

/// The hello of an association before the last has a cookie that still holds. It gets no further than that.
#[test]
fn a_replayed_hello_with_an_old_cookie_replaces_nobody() {
    for configs in all_kinds() {
        let mut pair = established(configs.clone());
        let with_cookie = hellos(&pair)[1].clone();
        pair.replace_client(configs.0, 3);
        run(&mut pair, secs(5));
        pair.exchange_data();
        let (before, since) = (state(&pair), pair.events.len());
        for _ in 0..20 {
            pair.inject(Side::Server, &with_cookie);
        }
        pair.forget_what_is_on_its_way();
        pair.exchange_data();
        run(&mut pair, secs(200));
        assert!(reported(&pair, since).contains(&&Event::RestartFailed(Error::TimedOut)), "{}", pair.story());
        assert_eq!(restarts(&pair), 1);
        assert_eq!(state(&pair).len(), before.len());
        pair.exchange_data();
    }
}

#[test]
fn a_cookie_of_another_address_is_none() {
    for configs in all_kinds() {
        let (client, server) = configs;
        let mut pair = established((client.clone(), server.clone()));
        let (before, since) = (state(&pair), pair.events.len());
        // The same server gave it, but to somebody else.
        let now = pair.now;
        let mut elsewhere = Connection::server(Arc::new(server), b"elsewhere", Seed([8; 32]), now).unwrap();
        let mut stranger = Connection::client(Arc::new(client), Some(NAME), Seed([9; 32]), now).unwrap();
        let Output::Datagram(first) = stranger.poll_output() else { panic!() };
        elsewhere.handle_datagram(now, &first);
        let Output::Datagram(request) = elsewhere.poll_output() else { panic!() };
        stranger.handle_datagram(now, &request);
        let Output::Datagram(second) = stranger.poll_output() else { panic!() };
        elsewhere.handle_datagram(now, &second);
        assert!(!elsewhere.is_listening(), "it is good there");
        pair.set_path(Box::new(|_| Vec::new()));
        pair.inject(Side::Server, &second);
        assert_eq!(state(&pair), before);
        let alerts_only = |event: &&Event| matches!(event, Event::AlertSent(_));
        assert!(reported(&pair, since).iter().all(alerts_only), "{}", pair.story());
        pair.exchange_data();
    }
}

/// A client in the middle of beginning anew loses its state once more.
#[test]
fn the_last_client_to_show_a_cookie_counts() {
    for configs in all_kinds() {
        for messages in 1..4 {
            let mut pair = established(configs.clone());
            pair.replace_client(configs.0.clone(), 3);
            let mut heard = 0;
            pair.set_path(Box::new(move |sent| {
                heard += usize::from(sent.from == Side::Client);
                if sent.from == Side::Client && heard > messages { Vec::new() } else { vec![DELAY] }
            }));
            run(&mut pair, Duration::from_millis(200));
            pair.set_path(clean());
            let since = restarts(&pair);
            pair.replace_client(configs.0.clone(), 4);
            run(&mut pair, secs(30));
            assert_eq!(restarts(&pair), since + 1, "{messages} {}", pair.story());
            pair.exchange_data();
        }
    }
}

/// Without cookies a hello is as good as forged, and a client is nobody to begin with.
#[test]
fn servers_without_cookies_and_clients_ignore_hellos() {
    for (client, mut server) in all_kinds() {
        server.cookies = Cookies::Off;
        let mut pair = established((client.clone(), server));
        let hello = hello_of(client, [9; 32]);
        for side in [Side::Server, Side::Client] {
            let sent = pair.sent.len();
            pair.inject(side, &hello);
            assert_eq!(pair.sent.len(), sent, "{}", pair.story());
            let dropped = Event::Discarded(DiscardReason::WrongEpoch);
            assert_eq!(pair.events.last().unwrap(), &(pair.now, side, dropped));
            assert!(pair.end(other(side)).negotiated().is_some());
        }
        pair.exchange_data();
    }
}

#[test]
fn connection_ids_are_those_of_the_new_association() {
    for configs in all_kinds() {
        let (mut client, mut server) = configs;
        let random = ConnectionId::Random { len: 8 };
        (client.common.connection_id, server.common.connection_id) = (random.clone(), random);
        let mut pair = established((client.clone(), server));
        let before = pair.server.connection_ids()[0].to_vec();
        let since = pair.events.len();
        let mut old = pair.replace_client(client, 3);
        run(&mut pair, secs(5));
        let events = reported(&pair, since);
        let [Event::Restarted, rest @ .., Event::Established { .. }] = &events[..] else { panic!("{events:?}") };
        assert!(rest.iter().all(|event| **event == Event::ConnectionIds) && !rest.is_empty(), "{events:?}");
        assert_ne!(pair.server.connection_ids(), [&before[..]]);
        let late = datagram_of(&mut old, pair.now, b"late");
        assert!(!pair.server.owns(&late));
        let of_before = |record| match record {
            AnyRecord::Plain(record) => record.connection_id == before,
            AnyRecord::Protected(record) => record.connection_id() == Some(&before[..]),
        };
        assert!(AnyRecords::new(&late, Some(8)).flatten().all(of_before));
        pair.exchange_data();
    }
}

/// Whoever owns the socket sorts by address. A hello from another is not this connection's affair.
#[test]
fn a_hello_from_another_address_is_not_heard() {
    for (mut client, mut server) in all_kinds() {
        let random = ConnectionId::Random { len: 8 };
        (client.common.connection_id, server.common.connection_id) = (random.clone(), random);
        let mut pair = established((client.clone(), server));
        let (before, sent, now) = (state(&pair), pair.sent.len(), pair.now);
        pair.server.handle_datagram_from(now, b"elsewhere", &hello_of(client, [9; 32]));
        pair.drain(Side::Server);
        assert_eq!(pair.events.last().unwrap().2, Event::Discarded(DiscardReason::OtherAddress));
        pair.server.handle_datagram_from(now, b"client", &[]);
        assert_eq!((state(&pair), pair.sent.len()), (before, sent), "{}", pair.story());
    }
}

/// What the application knows of the path holds for the next client on it, too.
#[test]
fn the_path_takes_what_it_took() {
    for configs in all_kinds() {
        let mut pair = established(configs.clone());
        pair.server.set_mtu(300).unwrap();
        pair.replace_client(configs.0, 3);
        let sent = pair.sent.len();
        run(&mut pair, secs(5));
        assert_eq!(restarts(&pair), 1, "{}", pair.story());
        let of_server = pair.sent[sent..].iter().filter(|sent| sent.from == Side::Server);
        assert!(of_server.map(|sent| sent.bytes.len()).all(|len| len <= 300), "{}", pair.story());
        assert!(pair.server.data_len_max() < 300);
    }
}

#[test]
fn closing_ends_a_restart_too() {
    for configs in all_kinds() {
        let mut pair = established(configs.clone());
        pair.replace_client(configs.0, 3);
        run(&mut pair, Duration::from_millis(45));
        let (now, sent) = (pair.now, pair.sent.len());
        pair.server.close(now);
        pair.drain(Side::Server);
        pair.forget_what_is_on_its_way();
        run(&mut pair, secs(1));
        assert_eq!(pair.sent[sent..].iter().filter(|sent| sent.from == Side::Server).count(), 1, "{}", pair.story());
        assert_eq!(pair.server.poll_output(), Output::Idle);
    }
}

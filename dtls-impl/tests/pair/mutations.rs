//! Each mutation shows, and shows as what it says.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use dtls_impl::wire::{AlertDescription, HandshakeType, Records};
use dtls_impl::{ClientConfig, Connection, Error, Event, Instant, Mutation, Output, Seed, ServerConfig};

use crate::common::{DELAY, Key, NAME, Pair, Path, Sent, Side, certificates, clean, psk, secs};
use crate::dtls13::v13;
use crate::dtls13_early_data::{early_data, resume, session, with_early_data};

fn mutate(mutation: Mutation, side: Side, configs: (ClientConfig, ServerConfig), path: Path) -> Pair {
    let (mut client, mut server) = configs;
    match side {
        Side::Client => client.common.mutation = Some(mutation),
        Side::Server => server.common.mutation = Some(mutation),
    }
    let mut pair = Pair::new(client, server, path);
    pair.run(secs(400));
    pair
}

fn nothing_arrives() -> Path {
    Box::new(|_| vec![])
}

fn client_times(pair: &Pair) -> Vec<u64> {
    pair.sent_by(Side::Client).map(|sent| sent.at.as_nanos() / 1_000_000).collect()
}

/// The server's flight 4 of several messages is lost once, so that it is repeated.
fn flight_4_repeated(mutation: Mutation) -> Vec<Sent> {
    let path: Path = Box::new(|sent| if sent.from == Side::Server && sent.nth == 1 { vec![] } else { vec![DELAY] });
    let pair = mutate(mutation, Side::Server, certificates(Key::P256, 0), path);
    pair.sent_by(Side::Server).skip(1).take(2).cloned().collect()
}

fn numbers(sent: &Sent) -> Vec<u64> {
    Records::new(&sent.bytes).map(|record| record.unwrap().header.seq).collect()
}

#[test]
fn retransmission_mutations_show_on_the_wire() {
    let repeated = flight_4_repeated(Mutation::ResendFirstMessageOnly);
    assert_eq!(repeated[1].contents(), ["server_hello"]);

    let repeated = flight_4_repeated(Mutation::ReuseRecordNumbers);
    assert_eq!(repeated[0].bytes, repeated[1].bytes);

    let repeated = flight_4_repeated(Mutation::RenumberMessages);
    let body = |sent: &Sent| Records::new(&sent.bytes).next().unwrap().unwrap().body.to_vec();
    assert_eq!((body(&repeated[0])[5], body(&repeated[1])[5]), (1, 5));
    assert_ne!(numbers(&repeated[0]), numbers(&repeated[1]));
}

/// A hello that proves nothing ends an association, which the client finds out when nothing comes back.
#[test]
fn a_server_that_abandons_on_a_hello_answers_its_client_no_more() {
    for mutation in [None, Some(Mutation::AbandonOnHello)] {
        let (client, mut server) = psk();
        server.common.mutation = mutation;
        let mut pair = Pair::new(client.clone(), server, clean());
        pair.run(secs(10));
        let mut forger = Connection::client(Arc::new(client), Some(NAME), Seed([9; 32]), pair.now).unwrap();
        let Output::Datagram(hello) = forger.poll_output() else { panic!() };
        pair.inject(Side::Server, &hello);
        pair.send(Side::Client, b"data");
        pair.run(secs(20));
        assert_eq!(pair.data(Side::Server).is_empty(), mutation.is_some(), "{}", pair.story());
    }
}

#[test]
fn timer_mutations_change_the_ladder() {
    let ladder = |mutation| client_times(&mutate(mutation, Side::Client, psk(), nothing_arrives()));
    assert_eq!(ladder(Mutation::NoBackoff)[..5], [0, 1000, 2000, 3000, 4000]);
    assert_eq!(ladder(Mutation::ImpatientTimer)[..4], [0, 100, 300, 700]);
    assert_eq!(ladder(Mutation::NoRetransmission), [0]);
}

#[test]
fn ignored_offsets_break_reordered_fragments_only() {
    let small = || {
        let (mut client, mut server) = certificates(Key::P256, 600);
        client.common.mtu = 256;
        server.common.mtu = 256;
        (client, server)
    };
    assert!(mutate(Mutation::IgnoreFragmentOffsets, Side::Client, small(), clean()).both_established());
    let mut flip = false;
    let reordering: Path = Box::new(move |sent| {
        flip = !flip;
        vec![if sent.from == Side::Server && flip { DELAY * 2 } else { DELAY }]
    });
    assert!(!mutate(Mutation::IgnoreFragmentOffsets, Side::Client, small(), reordering).both_established());
}

#[test]
fn accepted_replays_are_delivered_twice() {
    let mut pair = mutate(Mutation::AcceptReplay, Side::Server, psk(), clean());
    pair.send(Side::Client, b"twice");
    let record = pair.sent.last().unwrap().bytes.clone();
    pair.inject(Side::Server, &record);
    pair.run(secs(500));
    assert_eq!(pair.data(Side::Server), [b"twice", b"twice"]);
}

#[test]
fn a_last_flight_that_is_never_repeated_leaves_the_client_alone() {
    let path: Path = Box::new(|sent| {
        let last = sent.from == Side::Server && sent.contents().contains(&"handshake@1".to_owned());
        if last { vec![] } else { vec![DELAY] }
    });
    let pair = mutate(Mutation::NeverRepeatLastFlight, Side::Server, psk(), path);
    let last = pair.sent_by(Side::Server).filter(|sent| sent.contents().contains(&"handshake@1".to_owned()));
    assert_eq!(last.count(), 1);
    assert_eq!(pair.failure(Side::Client), Some(&Error::TimedOut));
}

#[test]
fn the_mtu_is_ignored() {
    let pair = mutate(Mutation::IgnoreMtu, Side::Server, certificates(Key::P256, 5000), clean());
    assert!(pair.sent.iter().any(|sent| sent.bytes.len() > 5000));
}

#[test]
fn a_corrupt_finished_is_refused_by_the_peer() {
    for side in [Side::Client, Side::Server] {
        let pair = mutate(Mutation::CorruptFinished, side, psk(), clean());
        assert!(!pair.both_established());
        let alert = |event: &Event| matches!(event, Event::AlertSent(alert) if alert.description == AlertDescription::DECRYPT_ERROR);
        assert!(pair.events.iter().any(|(_, of, event)| *of != side && alert(event)), "{}", pair.story());
    }
}

#[test]
fn silence_and_unsolicited_alerts_come_after_the_handshake() {
    let mut pair = mutate(Mutation::SilentAfterHandshake, Side::Client, psk(), clean());
    let before = pair.sent.len();
    assert!(pair.both_established());
    pair.send(Side::Client, b"lost");
    assert_eq!(pair.sent.len(), before);

    let pair = mutate(Mutation::UnsolicitedAlert, Side::Server, psk(), clean());
    assert!(pair.both_established());
    assert_eq!(pair.sent_by(Side::Server).last().unwrap().contents(), ["alert@1"]);
}

#[test]
fn a_cookie_is_skipped() {
    let pair = mutate(Mutation::SkipCookie, Side::Server, psk(), clean());
    assert!(pair.both_established());
    assert!(!pair.sent.iter().any(|sent| sent.holds(HandshakeType::HELLO_VERIFY_REQUEST)));
}

#[test]
fn every_fragment_of_a_repeated_flight_is_answered() {
    let path: Path = Box::new(|sent| {
        let first = sent.holds(HandshakeType::CLIENT_KEY_EXCHANGE) && sent.at < Instant::ZERO + secs(1);
        if first { vec![] } else { vec![DELAY] }
    });
    let (mut client, server) = certificates(Key::P256, 0);
    client.common.timers.initial = secs(3);
    let pair = mutate(Mutation::AnswerEveryFragment, Side::Client, (client, server), path);
    let answers = pair.sent_by(Side::Client).filter(|sent| sent.holds(HandshakeType::CLIENT_KEY_EXCHANGE)).count();
    assert_eq!(answers, 1 + 4, "{}", pair.story());
}

#[test]
fn panic_spin_and_flood_are_what_they_say() {
    let panics = |side| {
        let run = AssertUnwindSafe(|| mutate(Mutation::PanicOnHello, side, psk(), clean()));
        catch_unwind(run).is_err()
    };
    assert!(panics(Side::Client) && panics(Side::Server));

    let client = |mutation| {
        let (mut client, _) = psk();
        client.common.mutation = Some(mutation);
        Connection::client(Arc::new(client), Some(NAME), Seed([1; 32]), Instant::ZERO).unwrap()
    };
    let mut spinning = client(Mutation::SpinForever);
    assert!(matches!(spinning.poll_output(), Output::Datagram(_)));
    for now in [Instant::ZERO, Instant::ZERO + Duration::from_secs(5)] {
        spinning.handle_timeout(now);
        while !matches!(spinning.poll_output(), Output::WakeAt(at) if at == now) {}
    }
    let mut flooding = client(Mutation::Flood);
    assert!((0..1000).all(|_| matches!(flooding.poll_output(), Output::Datagram(_))));
}

#[test]
fn a_server_without_a_memory_takes_early_data_again() {
    let ends = with_early_data(v13(psk()));
    for (mutation, times) in [(None, 1), (Some(Mutation::TakeEarlyDataAgain), 2)] {
        let mut ends = with_early_data(ends.clone());
        ends.1.common.mutation = mutation;
        let session = session(&ends);
        let came = [(); 2].map(|()| early_data(&resume(&ends, session.clone(), &[b"pay 10"], clean())).len());
        assert_eq!(came.iter().sum::<usize>(), times, "{mutation:?}");
    }
}

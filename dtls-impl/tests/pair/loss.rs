//! Handshakes over paths that lose, repeat, delay and cut: timers, retransmission, fragments, the last flight.

use std::time::Duration;

use dtls_impl::config::Cookies;
use dtls_impl::wire::{ContentType, Fragments, HandshakeType, Records};
use dtls_impl::{DiscardReason, Error, Event, Instant};

use crate::common::{DELAY, Key, Pair, Path, Sent, Side, certificates, clean, psk, secs};

/// Loses the datagrams for which `lost` holds.
fn losing(mut lost: impl FnMut(&Sent) -> bool + 'static) -> Path {
    Box::new(move |sent| if lost(sent) { vec![] } else { vec![DELAY] })
}

fn times(pair: &Pair, side: Side) -> Vec<u64> {
    pair.sent_by(side).map(|sent| sent.at.as_nanos() / 1_000_000).collect()
}

#[test]
fn any_single_lost_datagram_costs_one_timeout() {
    for key in [Key::P256, Key::Ed25519] {
        for (side, nth) in [(Side::Client, 0), (Side::Server, 0), (Side::Client, 1), (Side::Server, 1)] {
            let (client, server) = certificates(key, 0);
            let mut pair = Pair::new(client, server, losing(move |sent| sent.from == side && sent.nth == nth));
            pair.run(secs(300));
            assert!(pair.both_established(), "{side:?} {nth}\n{}", pair.story());
            let established = pair.established(Side::Client).unwrap();
            assert!(established < Instant::ZERO + Duration::from_millis(1200), "{established}");
            pair.exchange_data();
        }
    }
}

#[test]
fn every_pair_of_lost_datagrams_is_survived_with_small_datagrams() {
    for first in 0..12 {
        for second in first + 1..14 {
            let (mut client, mut server) = certificates(Key::P256, 0);
            client.common.mtu = 256;
            server.common.mtu = 256;
            let mut count = 0;
            let path = losing(move |_| {
                count += 1;
                count - 1 == first || count - 1 == second
            });
            let mut pair = Pair::new(client, server, path);
            pair.run(secs(300));
            assert!(pair.both_established(), "{first} {second}\n{}", pair.story());
            pair.exchange_data();
        }
    }
}

#[test]
fn an_unanswered_hello_climbs_the_ladder_and_gives_up() {
    let (client, server) = psk();
    let mut pair = Pair::new(client, server, losing(|_| true));
    pair.run(secs(1000));
    assert_eq!(times(&pair, Side::Client), [0, 1000, 3000, 7000, 15_000, 31_000, 63_000, 123_000]);
    let failed = pair.events.iter().find(|(.., event)| *event == Event::Failed(Error::TimedOut)).unwrap();
    assert_eq!(failed.0, Instant::ZERO + secs(183));
}

#[test]
fn timers_are_as_configured() {
    let (mut client, server) = psk();
    client.common.timers.initial = Duration::from_millis(400);
    client.common.timers.max = secs(1);
    client.common.timers.give_up = secs(4);
    let mut pair = Pair::new(client, server, losing(|_| true));
    pair.run(secs(1000));
    assert_eq!(times(&pair, Side::Client), [0, 400, 1200, 2200, 3200]);
    assert_eq!(pair.events.last().map(|(at, ..)| *at), Some(Instant::ZERO + secs(4)));
}

#[test]
fn a_verify_request_is_never_repeated_by_timer() {
    let (client, server) = psk();
    let mut pair = Pair::new(client, server, losing(|sent| sent.from == Side::Server));
    pair.run(secs(300));
    assert_eq!(pair.sent_by(Side::Server).count(), pair.sent_by(Side::Client).count());
    assert!(pair.sent_by(Side::Server).all(|sent| sent.contents() == ["hello_verify_request"]));
}

#[test]
fn a_retransmission_has_the_same_messages_in_new_records() {
    let (client, server) = certificates(Key::P256, 2000);
    let mut pair = Pair::new(client, server, losing(|sent| sent.from == Side::Server && (1..=6).contains(&sent.nth)));
    pair.run(secs(300));
    assert!(pair.both_established(), "{}", pair.story());
    let flight_4: Vec<_> =
        pair.sent_by(Side::Server).filter(|sent| sent.contents() != ["hello_verify_request"]).collect();
    let flight_4: Vec<_> =
        flight_4.into_iter().filter(|sent| !sent.contents().contains(&"handshake@1".into())).collect();
    let per_transmission = flight_4.iter().filter(|sent| sent.at == flight_4[0].at).count();
    let bodies = |sent: &[&Sent]| {
        let mut bodies = Vec::new();
        for sent in sent {
            bodies.extend(Records::new(&sent.bytes).map(|record| record.unwrap().body.to_vec()));
        }
        bodies
    };
    let numbers: Vec<_> =
        flight_4.iter().flat_map(|sent| Records::new(&sent.bytes).map(|record| record.unwrap().header.seq)).collect();
    assert_eq!(bodies(&flight_4[..per_transmission]), bodies(&flight_4[per_transmission..2 * per_transmission]));
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
}

#[test]
fn the_timer_keeps_its_value_from_flight_to_flight() {
    let (client, server) = psk();
    // The first hello is lost twice, so the timer is at 4 s when the hello with the cookie is lost.
    let mut pair = Pair::new(client, server, losing(|sent| sent.from == Side::Client && [0, 1, 3].contains(&sent.nth)));
    pair.run(secs(300));
    assert!(pair.both_established());
    assert_eq!(times(&pair, Side::Client)[..5], [0, 1000, 3000, 3020, 7020]);
}

#[test]
fn large_flights_are_cut_to_every_mtu() {
    for mtu in [256, 512, 1024, 1200, 65_507] {
        let (mut client, mut server) = certificates(Key::P256, 8000);
        client.common.mtu = mtu;
        server.common.mtu = mtu;
        let mut pair = Pair::new(client, server, clean());
        pair.run(secs(300));
        assert!(pair.both_established(), "{mtu}");
        assert!(pair.sent.iter().all(|sent| sent.bytes.len() <= mtu));
        let flight_4 = pair.sent_by(Side::Server).filter(|sent| !sent.contents().contains(&"handshake@1".into()));
        let datagrams = flight_4.count() - 1;
        assert!(datagrams <= 8600 / (mtu - 25) + 2, "{mtu}: {datagrams} datagrams");
        pair.exchange_data();
    }
}

/// A small generator, so that the tests need no crate for it.
fn dice(mut state: u64) -> impl FnMut(u64) -> u64 {
    move |sides| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    }
}

#[test]
fn rough_paths_are_survived() {
    for seed in 0..40 {
        let (mut client, mut server) = certificates(Key::P256, 3000);
        client.common.mtu = 256 + seed as usize * 20;
        server.common.mtu = 300 + seed as usize * 10;
        let mut roll = dice(seed);
        let path = move |_: &Sent| match roll(10) {
            0 => vec![],
            1 => vec![DELAY, DELAY * 3],
            2 => vec![DELAY * 7],
            3 => vec![DELAY * 60],
            _ => vec![DELAY + Duration::from_micros(roll(30_000))],
        };
        let mut pair = Pair::new(client, server, Box::new(path));
        pair.run(secs(300));
        assert!(pair.both_established(), "seed {seed}\n{}", pair.story());
        pair.exchange_data();
    }
}

#[test]
fn the_last_flight_is_repeated_when_the_client_repeats_its_own() {
    let (client, server) = psk();
    // The server's last flight is lost three times.
    let mut lost = 0;
    let path = losing(move |sent| {
        let last = sent.from == Side::Server && sent.contents().contains(&"handshake@1".into());
        lost += u32::from(last);
        last && lost <= 3
    });
    let mut pair = Pair::new(client, server, path);
    pair.run(secs(300));
    assert!(pair.both_established(), "{}", pair.story());
    let finished = |sent: &&Sent| sent.contents().contains(&"handshake@1".into());
    let client: Vec<_> =
        pair.sent_by(Side::Client).filter(finished).map(|sent| sent.at.as_nanos() / 1_000_000).collect();
    let server: Vec<_> =
        pair.sent_by(Side::Server).filter(finished).map(|sent| sent.at.as_nanos() / 1_000_000).collect();
    assert_eq!(client, [40, 1040, 3040, 7040]);
    assert_eq!(server, [50, 1050, 3050, 7050], "answered each time, never by timer");
    pair.exchange_data();
}

#[test]
fn a_repeated_flight_is_answered_once_however_many_datagrams_it_has() {
    let (mut client, mut server) = certificates(Key::P256, 1000);
    client.common.mtu = 256;
    server.common.mtu = 256;
    // The client's answer to the server's flight is lost once, and the client's own timer is out of the way.
    client.common.timers.initial = secs(5);
    client.common.timers.give_up = secs(600);
    let mut lost = 0;
    let path = losing(move |sent| {
        let key_exchange = sent.holds(HandshakeType::CLIENT_KEY_EXCHANGE);
        lost += u32::from(key_exchange);
        key_exchange && lost == 1
    });
    let mut pair = Pair::new(client, server, path);
    pair.run(secs(300));
    assert!(pair.both_established(), "{}", pair.story());
    let answers = pair.sent_by(Side::Client).filter(|sent| sent.holds(HandshakeType::CLIENT_KEY_EXCHANGE)).count();
    assert_eq!(answers, 2, "{}", pair.story());
}

#[test]
fn copies_made_by_the_network_are_not_taken_for_repeated_flights() {
    let (client, server) = certificates(Key::P256, 0);
    let mut pair = Pair::new(client, server, Box::new(|_| vec![DELAY, DELAY, DELAY * 2]));
    pair.run(secs(300));
    assert!(pair.both_established());
    // Each copy of the first hello gets its HelloVerifyRequest: the server has no memory to tell them apart.
    let flights = pair.sent.iter().filter(|sent| !sent.holds(HandshakeType::HELLO_VERIFY_REQUEST)).count();
    assert_eq!(flights, 5, "{}", pair.story());
}

#[test]
fn data_that_overtakes_finished_is_held_until_then() {
    let (client, server) = psk();
    let slow = |sent: &Sent| if sent.contents().contains(&"handshake@1".into()) { DELAY * 20 } else { DELAY };
    let mut pair = Pair::new(client, server, Box::new(move |sent| vec![slow(sent)]));
    while pair.established(Side::Server).is_none() {
        let until = pair.now.saturating_since(Instant::ZERO) + Duration::from_millis(1);
        pair.run(until);
    }
    pair.send(Side::Server, b"overtakes");
    pair.run(secs(300));
    let events: Vec<_> =
        pair.events.iter().filter(|(_, side, _)| *side == Side::Client).map(|(.., event)| event).collect();
    let established = events.iter().position(|event| matches!(event, Event::Established { .. })).unwrap();
    let data = events.iter().position(|event| **event == Event::Data(b"overtakes".to_vec())).unwrap();
    assert!(established < data);
}

#[test]
fn a_change_cipher_spec_may_arrive_before_and_after_everything_else() {
    // Cuts flight 5 into its records and delivers them in every order.
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (client, mut server) = psk();
        server.cookies = Cookies::Off;
        let mut pair = Pair::new(client, server, losing(|sent| sent.from == Side::Client && sent.nth == 1));
        pair.run(Duration::from_millis(100));
        let flight_5 = pair.sent_by(Side::Client).nth(1).unwrap().bytes.clone();
        let records: Vec<_> = Records::new(&flight_5)
            .map(|record| {
                let mut w = dtls_impl::wire::Writer::new();
                record.unwrap().emit(&mut w);
                w.into_bytes()
            })
            .collect();
        for index in order {
            pair.inject(Side::Server, &records[index]);
        }
        assert!(pair.established(Side::Server).is_some(), "{order:?}\n{}", pair.story());
    }
}

#[test]
fn a_replayed_record_is_dropped() {
    let (client, server) = psk();
    let mut pair = Pair::new(client, server, clean());
    pair.run(secs(1));
    pair.send(Side::Client, b"once");
    let record = pair.sent.last().unwrap().bytes.clone();
    for _ in 0..3 {
        pair.inject(Side::Server, &record);
    }
    pair.run(secs(2));
    assert_eq!(pair.data(Side::Server), [b"once"]);
    let replayed = Event::Discarded(DiscardReason::Replayed);
    assert_eq!(pair.events.iter().filter(|(.., event)| *event == replayed).count(), 3);
}

#[test]
fn fragments_of_a_message_cover_it_once_and_agree_about_it() {
    let (client, mut server) = certificates(Key::P256, 5000);
    server.common.mtu = 512;
    let mut pair = Pair::new(client, server, clean());
    pair.run(secs(1));
    let mut end = 0;
    for sent in pair.sent_by(Side::Server) {
        for record in Records::new(&sent.bytes).map(Result::unwrap) {
            if record.header.content_type != ContentType::HANDSHAKE || record.header.epoch != 0 {
                continue;
            }
            for fragment in Fragments::new(record.body).map(Result::unwrap) {
                if fragment.header.message_type == HandshakeType::CERTIFICATE {
                    assert_eq!((fragment.header.message_seq, fragment.header.fragment_offset), (2, end));
                    end += fragment.header.fragment_length;
                    assert!(end <= fragment.header.length);
                }
            }
        }
    }
    assert!(end > 5000);
}

//! Paths that take no datagrams as large as the MTU says, and do or do not say so.

use std::time::Duration;

use crate::common::{DELAY, Key, Pair, Path, Side, certificates, psk, secs};
use crate::dtls13::v13;
use dtls_impl::config::PathMtu;
use dtls_impl::error::Misuse;
use dtls_impl::wire::HandshakeType;
use dtls_impl::{ClientConfig, Connection, Error, Event, Instant, Seed, ServerConfig};

type Configs = (ClientConfig, ServerConfig);

/// Takes datagrams of at most so many bytes, and says nothing of larger ones.
fn narrow(mtu: usize) -> Path {
    Box::new(move |sent| if sent.bytes.len() > mtu { vec![] } else { vec![DELAY] })
}

/// Both versions, with a server's flight of several datagrams.
fn versions(path_mtu: PathMtu) -> [Configs; 2] {
    [certificates(Key::P256, 2000), v13(certificates(Key::P256, 2000))].map(|(mut client, mut server)| {
        (client.common.path_mtu, server.common.path_mtu) = (path_mtu, path_mtu);
        (client, server)
    })
}

#[test]
fn a_flight_that_no_one_answers_comes_through_in_smaller_datagrams() {
    for (client, server) in versions(PathMtu::BACK_OFF) {
        let mut pair = Pair::new(client, server, narrow(600));
        pair.run(secs(100));
        assert!(pair.both_established(), "{}", pair.story());
        // At most two repetitions of the first size: at 1 and 3 s, and the next at 7 s.
        assert!(pair.established(Side::Client).unwrap() < Instant::ZERO + secs(8), "{}", pair.story());
        let large: Vec<_> = pair.sent.iter().filter(|sent| sent.bytes.len() > 600).map(|sent| sent.at).collect();
        let transmissions: std::collections::BTreeSet<_> = large.iter().copied().collect();
        assert_eq!(transmissions.len(), 3, "{}", pair.story());
        assert!(pair.sent.iter().all(|sent| sent.bytes.len() <= 600 || sent.from == Side::Server));
        assert!(pair.sent.iter().any(|sent| (500..=548).contains(&sent.bytes.len())));
        pair.exchange_data();
        assert!(pair.server.data_len_max() > 1000, "for the application to find out");
    }
}

#[test]
fn without_the_back_off_the_handshake_fails() {
    for (client, server) in versions(PathMtu::Fixed) {
        let mut pair = Pair::new(client, server, narrow(600));
        pair.run(secs(300));
        assert_eq!(pair.failure(Side::Client), Some(&Error::TimedOut));
        assert!(pair.established(Side::Server).is_none());
    }
}

#[test]
fn the_smallest_datagrams_come_through_where_nothing_else_does() {
    for (client, server) in versions(PathMtu::BackOff { after: 1 }) {
        let mut pair = Pair::new(client, server, narrow(300));
        pair.run(secs(100));
        assert!(pair.both_established(), "{}", pair.story());
        pair.exchange_data();
    }
}

/// Small flights say nothing about the size of large ones.
#[test]
fn a_server_that_was_away_gets_no_smaller_datagrams_for_it() {
    for (client, server) in versions(PathMtu::BACK_OFF) {
        let path: Path = Box::new(|sent| if sent.at < Instant::ZERO + secs(20) { vec![] } else { vec![DELAY] });
        let mut pair = Pair::new(client, server, path);
        pair.run(secs(100));
        assert!(pair.both_established(), "{}", pair.story());
        assert!(pair.sent_by(Side::Server).any(|sent| sent.bytes.len() > 1100), "{}", pair.story());
    }
}

/// A message cut anew keeps its number, and pieces of both sizes fit together (RFC 6347 §4.2.3).
#[test]
fn pieces_of_different_sizes_make_one_message() {
    for (client, server) in versions(PathMtu::BACK_OFF) {
        // The first datagram of the server's large flight never arrives as it was, the others do.
        let path: Path = Box::new(|sent| if sent.bytes.len() > 1150 { vec![] } else { vec![DELAY] });
        let mut pair = Pair::new(client, server, path);
        pair.run(secs(100));
        assert!(pair.both_established(), "{}", pair.story());
        pair.exchange_data();
    }
}

#[test]
fn a_report_of_the_network_has_the_flight_cut_anew_at_once() {
    for (client, server) in versions(PathMtu::Fixed) {
        let mut pair = Pair::new(client, server, narrow(1000));
        pair.run(Duration::from_millis(35));
        let large = pair.sent_by(Side::Server).filter(|sent| sent.bytes.len() > 1000).count();
        assert_ne!(large, 0, "{}", pair.story());
        let hellos =
            |pair: &Pair| pair.sent_by(Side::Server).filter(|sent| sent.holds(HandshakeType::SERVER_HELLO)).count();
        let (before, now) = (hellos(&pair), pair.now);
        pair.server.datagram_too_big(now, 1000);
        pair.server.datagram_too_big(now, 1000);
        pair.server.datagram_too_big(now, 300);
        pair.drain(Side::Server);
        assert_eq!(hellos(&pair), before + 1, "once more, whatever is repeated or not believed");
        pair.run(Duration::from_millis(200));
        assert!(pair.both_established(), "{}", pair.story());
        assert_eq!(pair.sent_by(Side::Server).filter(|sent| sent.bytes.len() > 1000).count(), large);
        assert!(pair.sent_by(Side::Server).any(|sent| sent.bytes.len() > 900), "as large as may be");
        assert!(pair.server.data_len_max() < 1000);
        pair.exchange_data();
    }
}

#[test]
fn the_application_may_say_what_the_path_takes() {
    for (client, server) in versions(PathMtu::Fixed) {
        let mut pair = Pair::new(client, server, narrow(700));
        pair.server.set_mtu(700).unwrap();
        pair.run(secs(1));
        assert!(pair.both_established(), "{}", pair.story());
        let before = pair.server.data_len_max();
        pair.server.set_mtu(1400).unwrap();
        assert_eq!(pair.server.data_len_max(), before + 700);
        for bad in [255, 65_508] {
            assert_eq!(pair.server.set_mtu(bad), Err(Misuse::BadMtu.into()));
        }
    }
}

#[test]
fn reports_after_the_end_do_nothing() {
    for (client, server) in versions(PathMtu::BACK_OFF) {
        let mut pair = Pair::new(client, server, Box::new(|_| vec![DELAY]));
        pair.run(secs(1));
        let sent = pair.sent.len();
        for side in [Side::Client, Side::Server] {
            let now = pair.now;
            pair.end(side).datagram_too_big(now, 600);
            pair.drain(side);
        }
        let news: Vec<_> = pair.sent[sent..].iter().map(|sent| sent.from).collect();
        assert!(news.is_empty(), "{news:?}");
        pair.exchange_data();
        let now = pair.now;
        pair.client.close(now);
        pair.client.datagram_too_big(now, 548);
        pair.drain(Side::Client);
        pair.run(secs(10));
        assert!(pair.events.iter().any(|(.., event)| *event == Event::PeerClosed));
    }
}

#[test]
fn a_back_off_at_once_is_refused() {
    let (mut client, _) = psk();
    client.common.path_mtu = PathMtu::BackOff { after: 0 };
    let client = Connection::client(client.into(), None, Seed([1; 32]), Instant::ZERO);
    assert_eq!(client.err(), Some(Misuse::BadMtu.into()));
}

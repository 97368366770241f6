//! Timers that follow the round trip time: from a hint, or from what the handshake itself measures.

use std::time::Duration;

use crate::common::{Key, Pair, Path, Side, certificates, psk};
use crate::dtls13::v13;
use dtls_impl::config::{AdaptiveTimer, ConnectionId, Timers};
use dtls_impl::error::Misuse;
use dtls_impl::wire::HandshakeType;
use dtls_impl::{ClientConfig, Error, Event, Instant, Output, ServerConfig};

type Configs = (ClientConfig, ServerConfig);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// One-way delay of a link whose round trip is above the default timer.
const SLOW: Duration = ms(800);

fn slow() -> Path {
    Box::new(|_| vec![SLOW])
}

/// Both versions, with certificates and cookies.
fn versions() -> [Configs; 2] {
    [certificates(Key::P256, 0), v13(certificates(Key::P256, 0))]
}

fn with_timers((mut client, mut server): Configs, client_timers: Timers, server_timers: Timers) -> Configs {
    (client.common.timers, server.common.timers) = (client_timers, server_timers);
    (client, server)
}

/// Datagrams sent when the handshake is over everywhere.
fn datagrams((client, server): Configs, path: Path) -> (usize, Pair) {
    let mut pair = Pair::new(client, server, path);
    pair.run(Duration::from_secs(100));
    assert!(pair.both_established(), "{}", pair.story());
    (pair.sent.len(), pair)
}

#[test]
fn with_a_hint_nothing_is_repeated_on_a_link_slower_than_the_default_timer() {
    for configs in versions() {
        let by_default = Timers::default();
        let (quick, pair) = datagrams(with_timers(configs.clone(), by_default, by_default), Box::new(|_| vec![ms(10)]));
        assert_eq!(pair.client.rtt(), Some(ms(20)));
        let (repeating, _) = datagrams(with_timers(configs.clone(), by_default, by_default), slow());
        assert!(repeating > quick, "{repeating} {quick}");
        let hint = Timers::adaptive(Some(2 * SLOW));
        let (hinted, pair) = datagrams(with_timers(configs.clone(), hint, hint), slow());
        assert_eq!(hinted, quick, "{}", pair.story());
        let constrained = Timers::constrained();
        assert_eq!(datagrams(with_timers(configs, constrained, constrained), slow()).0, quick);
    }
}

#[test]
fn the_first_timeout_is_by_the_hint_and_the_rule_of_the_version() {
    for (configs, expected) in versions().into_iter().zip([ms(4800), ms(2400)]) {
        let hint = Timers::adaptive(Some(2 * SLOW));
        let (client, server) = with_timers(configs, hint, hint);
        let mut pair = Pair::new(client, server, Box::new(|_| vec![]));
        pair.run(3 * expected);
        let sent: Vec<_> = pair.sent.iter().map(|sent| sent.at - Instant::ZERO).collect();
        assert_eq!(sent, [Duration::ZERO, expected, 3 * expected]);
    }
}

/// The cookie exchange costs the server no state, so it is the client that measures.
#[test]
fn the_cookie_exchange_measures_the_round_trip_for_the_flights_after_it() {
    for (configs, expected) in versions().into_iter().zip([ms(600), ms(300)]) {
        let timers = Timers { adaptive: Some(AdaptiveTimer { rtt_hint: None, min: ms(50) }), ..Timers::default() };
        let mut nth = 0;
        let path: Path = Box::new(move |sent| {
            nth += usize::from(sent.from == Side::Client);
            // The second hello gets lost.
            if sent.from == Side::Client && nth == 2 { vec![] } else { vec![ms(100)] }
        });
        let (_, pair) = datagrams(with_timers(configs, timers, timers), path);
        let hellos = pair.sent_by(Side::Client).filter(|sent| sent.holds(HandshakeType::CLIENT_HELLO));
        let hellos: Vec<_> = hellos.map(|sent| sent.at - Instant::ZERO).collect();
        assert_eq!(hellos, [Duration::ZERO, ms(200), ms(200) + expected]);
    }
}

/// The HelloVerifyRequest of DTLS 1.2 has the record number of the hello that it answers.
#[test]
fn what_was_repeated_measures_nothing_unless_the_answer_tells_and_the_doubled_timer_stays() {
    for (configs, from_the_first) in versions().into_iter().zip([Some(2 * SLOW), None]) {
        let timers = Timers { adaptive: Some(AdaptiveTimer { rtt_hint: None, min: ms(50) }), ..Timers::default() };
        let (client, server) = with_timers(configs, timers, timers);
        let mut pair = Pair::new(client, server, slow());
        // The first hello was repeated after a second, so its answer may be one to either.
        pair.run(ms(3199));
        assert_eq!(pair.client.rtt(), from_the_first);
        // The second was answered before the doubled timer had run out.
        pair.run(ms(3200));
        assert_eq!(pair.client.rtt(), Some(2 * SLOW));
        assert_eq!(pair.sent_by(Side::Client).filter(|sent| sent.holds(HandshakeType::CLIENT_HELLO)).count(), 3);
    }
}

#[test]
fn a_server_measures_from_its_own_flight_to_the_answer() {
    for configs in versions() {
        let (_, mut pair) = datagrams(configs, Box::new(|_| vec![ms(30)]));
        assert_eq!((pair.client.rtt(), pair.server.rtt()), (Some(ms(60)), Some(ms(60))));
        pair.exchange_data();
        assert_eq!(pair.server.rtt(), Some(ms(60)), "data measures nothing");
    }
}

/// Who offered 1.3 first and is then of 1.2 has not sent its hello just now.
#[test]
fn a_client_that_becomes_one_of_1_2_measures_no_round_trip_of_no_time() {
    use dtls_impl::config::Versions;
    let (mut client, server) = psk();
    client.common.versions = Versions::Both;
    client.common.timers = Timers::adaptive(None);
    let (_, pair) = datagrams((client, server), Box::new(|_| vec![ms(30)]));
    assert_eq!(pair.client.rtt(), Some(ms(60)));
}

/// RFC 9147 §7.1: a quarter of the timer.
#[test]
fn an_ack_of_half_a_flight_waits_for_a_quarter_of_the_measured_timer() {
    let (mut client, mut server) = v13(certificates(Key::P256, 3000));
    client.common.timers = Timers::adaptive(None);
    server.common.timers = Timers::constrained();
    // The end of the server's flight gets lost; the round trip is 1.2 s, but the first hello is not repeated.
    client.common.timers.initial = Duration::from_secs(2);
    let path: Path = Box::new(|sent| {
        let last = sent.from == Side::Server && sent.nth == 4;
        if last { vec![] } else { vec![ms(600)] }
    });
    let mut pair = Pair::new(client, server, path);
    pair.run(Duration::from_secs(30));
    assert!(pair.both_established(), "{}", pair.story());
    // Flight 4 arrives at 2.4 s. Its hello waited for 1.5 round trips, a quarter of which is 450 ms.
    let ack = pair.sent_by(Side::Client).nth(2).unwrap();
    assert_eq!(ack.at - Instant::ZERO, ms(2400 + 450), "{}", pair.story());
}

/// RFC 9853 §5.5: three round trips, one between challenges.
#[test]
fn a_check_of_a_path_goes_by_the_measured_round_trip() {
    for (configs, timers) in [psk(), v13(psk())]
        .into_iter()
        .flat_map(|configs| [Timers::default(), Timers::adaptive(None)].map(|timers| (configs.clone(), timers)))
    {
        let (mut client, mut server) = with_timers(configs, timers, timers);
        for common in [&mut client.common, &mut server.common] {
            common.connection_id = ConnectionId::Random { len: 4 };
        }
        let (_, mut pair) = datagrams((client, server), Box::new(|_| vec![ms(30)]));
        let now = pair.now;
        pair.client.send(now, b"from elsewhere").unwrap();
        let datagram = core::iter::from_fn(|| match pair.client.poll_output() {
            Output::WakeAt(_) | Output::Idle => None,
            output => Some(output),
        });
        let datagram =
            datagram.filter_map(|output| if let Output::Datagram(bytes) = output { Some(bytes) } else { None });
        let datagram = datagram.last().unwrap();
        pair.server.handle_datagram_from(now, b"elsewhere", &datagram);
        let wake = core::iter::from_fn(|| Some(pair.server.poll_output())).find_map(|output| match output {
            Output::WakeAt(at) => Some(at),
            Output::Idle => panic!("nothing is checked"),
            _ => None,
        });
        let expected = if timers.adaptive.is_some() { 3 * ms(60) / 3 } else { Duration::from_secs(1) / 3 };
        assert_eq!(wake.map(|at| at - now), Some(expected));
    }
}

#[test]
fn adaptive_timers_still_give_up() {
    for configs in versions() {
        let hint = Timers::adaptive(Some(Duration::from_secs(40)));
        let (client, server) = with_timers(configs, hint, hint);
        let mut pair = Pair::new(client, server, Box::new(|_| vec![]));
        pair.run(Duration::from_secs(1000));
        let sent: Vec<_> = pair.sent.iter().map(|sent| (sent.at - Instant::ZERO).as_secs()).collect();
        assert_eq!(sent, [0, 60, 120, 180], "never above the cap");
        assert_eq!(
            pair.events.last(),
            Some(&(Instant::ZERO + ms(183_000), Side::Client, Event::Failed(Error::TimedOut)))
        );
    }
}

#[test]
fn nonsense_is_refused() {
    let (mut client, _) = psk();
    client.common.timers = Timers::adaptive(Some(Duration::ZERO));
    let client = dtls_impl::Connection::client(client.into(), None, dtls_impl::Seed([1; 32]), Instant::ZERO);
    assert_eq!(client.err(), Some(Misuse::BadTimers.into()));
}

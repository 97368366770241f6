//! The peer's address changes, or seems to: what moves the traffic and what does not (RFC 9146 §6, RFC 9853).

use std::collections::VecDeque;
use std::time::Duration;

use crate::common::{Side, other, psk, secs};
use crate::dtls13::v13;
use dtls_impl::config::{ConnectionId, PathCheck, PeerMove, ReturnRoutability};
use dtls_impl::wire::{AnyRecord, AnyRecords, ContentType};
use dtls_impl::{ClientConfig, Connection, DiscardReason, Error, Event, Instant, Output, Seed, ServerConfig};

type Configs = (ClientConfig, ServerConfig);

pub(crate) const HOME: &str = "home";
pub(crate) const AWAY: &str = "away";
const ATTACKER: &str = "attacker";
pub(crate) const TIMEOUT: Duration = Duration::from_millis(900);

/// A datagram between the server and an address that may be the client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Datagram {
    pub(crate) from: Side,
    /// The address at the other end from the server.
    pub(crate) client_at: String,
    pub(crate) bytes: Vec<u8>,
}

/// What becomes of a datagram on its way.
pub(crate) type Relay = Box<dyn FnMut(&Datagram) -> Vec<Datagram>>;

pub(crate) fn faithful() -> Relay {
    Box::new(|datagram| vec![datagram.clone()])
}

/// A server at one place and a client at one or several, without delay. To the client, a path is its own address.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) client: Connection,
    pub(crate) server: Connection,
    client_at: Vec<String>,
    pub(crate) sent: Vec<Datagram>,
    pub(crate) events: Vec<(Side, Event)>,
    queue: VecDeque<Datagram>,
    wake: [Option<Instant>; 2],
    pub(crate) relay: Relay,
}

impl World {
    fn new((client, server): Configs) -> Self {
        let now = Instant::ZERO;
        let mut client = Connection::client(client.into(), Some("server.example"), Seed([1; 32]), now).unwrap();
        client.set_peer_address(HOME.as_bytes());
        let server = Connection::server(server.into(), HOME.as_bytes(), Seed([2; 32]), now).unwrap();
        Self {
            now,
            client,
            server,
            client_at: vec![HOME.to_owned()],
            sent: Vec::new(),
            events: Vec::new(),
            queue: VecDeque::new(),
            wake: [None; 2],
            relay: faithful(),
        }
    }

    pub(crate) fn established(configs: Configs) -> Self {
        let mut world = Self::new(configs);
        world.settle();
        for side in [Side::Client, Side::Server] {
            let is_it = |(of, event): &(Side, Event)| *of == side && matches!(event, Event::Established { .. });
            assert!(world.events.iter().any(is_it), "{:?}", world.events);
        }
        (world.sent, world.events) = (Vec::new(), Vec::new());
        world
    }

    fn end(&mut self, side: Side) -> &mut Connection {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn drain(&mut self, side: Side) {
        loop {
            let output = self.end(side).poll_output();
            let (address, bytes) = match output {
                Output::Datagram(bytes) => (self.end(side).peer_address().unwrap().to_vec(), bytes),
                Output::DatagramTo { address, datagram } => (address, datagram),
                Output::Event(event) => {
                    self.events.push((side, event));
                    continue;
                }
                Output::WakeAt(at) => return self.wake[side as usize] = Some(at),
                Output::Idle => return self.wake[side as usize] = None,
            };
            let mut client_at = String::from_utf8(address).unwrap();
            // A client's datagrams take the address that it has.
            if side == Side::Client && !self.client_at.contains(&client_at) {
                client_at.clone_from(&self.client_at[0]);
            }
            let datagram = Datagram { from: side, client_at, bytes };
            self.sent.push(datagram.clone());
            self.queue.extend((self.relay)(&datagram));
        }
    }

    /// What an address sent, or the server to it, arrives; at a place where nobody is it is lost.
    fn deliver(&mut self, datagram: &Datagram) {
        let to = other(datagram.from);
        if to == Side::Client && !self.client_at.contains(&datagram.client_at) {
            return;
        }
        // What a NAT does is hidden from the client: to it there is one path, unless it has several addresses.
        let hidden = to == Side::Client && self.client_at.len() == 1;
        let now = self.now;
        let from =
            if hidden { self.client.peer_address().unwrap().to_vec() } else { datagram.client_at.clone().into() };
        self.end(to).handle_datagram_from(now, &from, &datagram.bytes);
        self.drain(to);
    }

    /// Until nothing moves any more, without passing of time.
    pub(crate) fn settle(&mut self) {
        self.drain(Side::Client);
        self.drain(Side::Server);
        for _ in 0..1000 {
            let Some(datagram) = self.queue.pop_front() else { return };
            self.deliver(&datagram);
        }
        panic!("the ends do not stop talking");
    }

    pub(crate) fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        self.settle();
        while let Some(next) = self.wake.iter().flatten().min().copied().filter(|next| *next <= until) {
            self.now = next.max(self.now);
            for side in [Side::Client, Side::Server] {
                let now = self.now;
                if self.wake[side as usize].is_some_and(|at| at <= now) {
                    self.end(side).handle_timeout(now);
                    self.drain(side);
                }
            }
            self.settle();
        }
        self.now = until;
    }

    pub(crate) fn send(&mut self, side: Side, data: &[u8]) {
        let now = self.now;
        self.end(side).send(now, data).unwrap();
        self.settle();
    }

    /// The client's NAT gives it another address.
    pub(crate) fn rebind(&mut self, to: &str) {
        self.client_at = vec![to.to_owned()];
    }

    pub(crate) fn got(&self, side: Side, data: &[u8]) -> bool {
        self.events.contains(&(side, Event::Data(data.to_vec())))
    }

    fn server_events(&self) -> Vec<&Event> {
        let events =
            self.events.iter().filter(|(side, event)| *side == Side::Server && !matches!(event, Event::Data(_)));
        events.map(|(_, event)| event).collect()
    }

    /// Bytes between the server and an address.
    fn bytes(&self, from: Side, client_at: &str) -> usize {
        let sent = self.sent.iter().filter(|sent| sent.from == from && sent.client_at == client_at);
        sent.map(|sent| sent.bytes.len()).sum()
    }

    pub(crate) fn server_is_at(&self, address: &str) -> bool {
        self.server.peer_address() == Some(address.as_bytes())
    }
}

pub(crate) fn moved(address: &str) -> Event {
    Event::PeerMoved { address: address.into() }
}

fn refused(address: &str) -> Event {
    Event::PathRefused { address: address.into() }
}

fn seen(address: &str) -> Event {
    Event::PeerSeen { address: address.into() }
}

/// Both versions with connection IDs in both directions.
pub(crate) fn kinds(check: Option<PathCheck>) -> [Configs; 2] {
    [psk(), v13(psk())].map(|(mut client, mut server)| {
        for common in [&mut client.common, &mut server.common] {
            common.connection_id = ConnectionId::Random { len: 8 };
            common.return_routability = check.map(|check| ReturnRoutability { check, timeout: Some(TIMEOUT) });
        }
        (client, server)
    })
}

#[test]
fn a_client_behind_another_nat_binding_is_found_there_and_data_flows_both_ways() {
    for check in [PathCheck::Basic, PathCheck::Enhanced] {
        for configs in kinds(Some(check)) {
            let mut world = World::established(configs);
            world.rebind(AWAY);
            world.send(Side::Client, b"from elsewhere");
            assert!(world.got(Side::Server, b"from elsewhere"), "authentic data counts wherever it comes from");
            world.wait(TIMEOUT);
            assert_eq!(world.server_events(), [&moved(AWAY)]);
            assert!(world.server_is_at(AWAY));
            world.send(Side::Server, b"to the new address");
            assert!(world.got(Side::Client, b"to the new address"));
            world.send(Side::Client, b"and back");
            assert!(world.got(Side::Server, b"and back"));
        }
    }
}

#[test]
fn a_basic_check_takes_one_exchange_and_an_enhanced_one_waits_for_the_old_path() {
    for (check, waits) in [(PathCheck::Basic, false), (PathCheck::Enhanced, true)] {
        for configs in kinds(Some(check)) {
            let mut world = World::established(configs);
            world.rebind(AWAY);
            world.send(Side::Client, b"data");
            assert_eq!(world.server_is_at(AWAY), !waits);
            world.wait(TIMEOUT - Duration::from_millis(1));
            assert_eq!(world.server_is_at(AWAY), !waits);
            world.wait(Duration::from_millis(1));
            assert!(world.server_is_at(AWAY));
        }
    }
}

#[test]
fn until_the_new_address_has_answered_data_goes_to_the_old_one() {
    for configs in kinds(Some(PathCheck::Basic)) {
        let mut world = World::established(configs);
        world.rebind(AWAY);
        // Answers to challenges are lost.
        let mut nth = 0;
        world.relay = Box::new(move |datagram| {
            nth += usize::from(datagram.from == Side::Client);
            if datagram.from == Side::Client && nth > 1 { vec![] } else { vec![datagram.clone()] }
        });
        world.send(Side::Client, b"data");
        let probes = world.bytes(Side::Server, AWAY);
        world.send(Side::Server, &[7; 500]);
        assert_eq!(world.bytes(Side::Server, AWAY), probes);
        assert!(world.bytes(Side::Server, HOME) > 500);
        world.wait(secs(2));
        assert_eq!(world.server_events(), [&refused(AWAY)]);
        assert!(world.server_is_at(HOME));
    }
}

/// RFC 9853 §2, with a connection ID of the client that makes challenges many times longer than a short record to the
/// server.
#[test]
fn an_unchecked_address_gets_no_more_than_three_times_what_it_sent() {
    for (mut client, server) in kinds(Some(PathCheck::Basic)) {
        client.common.connection_id = ConnectionId::Random { len: 255 };
        let mut world = World::established((client, server));
        world.rebind(AWAY);
        world.relay = Box::new(|datagram| if datagram.from == Side::Server { vec![] } else { vec![datagram.clone()] });
        for _ in 0..4 {
            world.send(Side::Client, b"");
            let (received, sent) = (world.bytes(Side::Client, AWAY), world.bytes(Side::Server, AWAY));
            assert!(sent <= 3 * received, "{sent} bytes for {received}");
        }
        assert_ne!(world.bytes(Side::Server, AWAY), 0);
        world.relay = faithful();
        (0..4).for_each(|_| world.send(Side::Client, b""));
        world.wait(TIMEOUT);
        let (received, sent) = (world.bytes(Side::Client, AWAY), world.bytes(Side::Server, AWAY));
        assert!(sent <= 3 * received, "{sent} bytes for {received}");
        assert!(world.server_is_at(AWAY), "{:?}", world.events);
    }
}

/// Copies what the client sends and delivers it first, and passes nothing back.
fn racing() -> Relay {
    Box::new(|datagram| match datagram.from {
        Side::Client => vec![Datagram { client_at: ATTACKER.to_owned(), ..datagram.clone() }, datagram.clone()],
        Side::Server => vec![datagram.clone()],
    })
}

/// As [`racing`], and passes on what the server sends to it.
fn racing_both_ways() -> Relay {
    let mut race = racing();
    Box::new(move |datagram| {
        let mut copies = race(datagram);
        if datagram.from == Side::Server && datagram.client_at == ATTACKER {
            copies.push(Datagram { client_at: HOME.to_owned(), ..datagram.clone() });
        }
        copies
    })
}

#[test]
fn who_copies_records_and_is_faster_does_not_get_the_traffic() {
    for check in [PathCheck::Basic, PathCheck::Enhanced] {
        for configs in kinds(Some(check)) {
            let mut world = World::established(configs);
            world.relay = racing();
            for _ in 0..5 {
                world.send(Side::Client, b"data");
                world.send(Side::Server, b"answer");
                world.wait(secs(1));
            }
            assert!(world.server_is_at(HOME));
            assert!(world.server_events().contains(&&refused(ATTACKER)));
            assert!(!world.server_events().contains(&&moved(ATTACKER)));
            assert!(world.got(Side::Client, b"answer"));
            assert!(world.got(Side::Server, b"data"));
        }
    }
}

/// RFC 9853 §8.1.2: why there are two kinds of checks.
#[test]
fn who_passes_on_both_directions_gets_past_a_basic_check_but_not_past_an_enhanced_one() {
    for (check, caught) in [(PathCheck::Basic, true), (PathCheck::Enhanced, false)] {
        for configs in kinds(Some(check)) {
            let mut world = World::established(configs);
            world.relay = racing_both_ways();
            world.send(Side::Client, b"data");
            // The answer on the old path is late by one datagram, as the copies overtake it, but it comes.
            world.relay = faithful();
            world.wait(secs(1));
            assert_eq!(world.server_is_at(ATTACKER), caught, "{check:?}: {:?}", world.server_events());
        }
    }
}

#[test]
fn without_checks_the_application_is_told_and_decides() {
    for configs in kinds(None) {
        let mut world = World::established(configs);
        world.rebind(AWAY);
        world.send(Side::Client, b"from elsewhere");
        world.send(Side::Client, b"again");
        assert!(world.got(Side::Server, b"again"));
        assert_eq!(world.server_events(), [&seen(AWAY)]);
        world.wait(secs(10));
        assert!(world.server_is_at(HOME));
        assert_eq!(world.bytes(Side::Server, AWAY), 0, "not even a challenge");
        world.server.set_peer_address(AWAY.as_bytes());
        world.send(Side::Server, b"here you are");
        assert!(world.got(Side::Client, b"here you are"));
    }
}

#[test]
fn only_an_authentic_record_that_is_the_newest_moves_a_peer_that_is_not_checked() {
    for (client, mut server) in kinds(None) {
        server.common.peer_move = PeerMove::Newest;
        let mut world = World::established((client, server));
        world.send(Side::Client, b"one");
        world.relay = Box::new(|_| vec![]);
        world.send(Side::Client, b"two");
        world.send(Side::Client, b"three");
        let sent: Vec<_> = world.sent.iter().filter(|sent| sent.from == Side::Client).cloned().collect();
        let [one, two, three] = &sent[..] else { panic!("{sent:?}") };
        let away = |datagram: &Datagram| Datagram { client_at: AWAY.to_owned(), ..datagram.clone() };

        let mut forged = away(three);
        *forged.bytes.last_mut().unwrap() ^= 1;
        world.deliver(&forged);
        world.deliver(&away(one));
        assert!(world.server_is_at(HOME), "forged and replayed");
        world.deliver(three);
        world.deliver(&away(two));
        assert!(world.server_is_at(HOME), "late");
        assert!(world.got(Side::Server, b"two"), "but data all the same");
        world.relay = faithful();
        world.rebind(AWAY);
        world.send(Side::Client, b"four");
        assert!(world.server_is_at(AWAY));
        world.send(Side::Server, b"answer");
        assert!(world.got(Side::Client, b"answer"));
    }
}

/// RFC 9853 §3: both must want checks.
#[test]
fn nobody_checks_unless_both_have_agreed_to() {
    for one_sided in [Side::Client, Side::Server] {
        for (mut client, mut server) in kinds(Some(PathCheck::Basic)) {
            let common = if one_sided == Side::Client { &mut server.common } else { &mut client.common };
            common.return_routability = None;
            let mut world = World::established((client, server));
            world.rebind(AWAY);
            world.send(Side::Client, b"data");
            world.wait(secs(5));
            assert_eq!(world.server_events(), [&seen(AWAY)]);
            assert_eq!(world.bytes(Side::Server, AWAY), 0);
        }
    }
}

/// The client goes over to another address on purpose while the old one still works.
#[test]
fn a_client_that_moves_on_purpose_says_so_on_the_old_path() {
    for check in [PathCheck::Basic, PathCheck::Enhanced] {
        for configs in kinds(Some(check)) {
            let mut world = World::established(configs);
            world.client_at = vec![HOME.to_owned(), AWAY.to_owned()];
            world.client.set_peer_address(AWAY.as_bytes());
            world.send(Side::Client, b"over here");
            assert!(world.server_is_at(AWAY), "without waiting for the old path\n{:?}", world.server_events());
            assert_eq!(world.server_events(), [&moved(AWAY)]);
            world.send(Side::Server, b"welcome");
            assert!(world.got(Side::Client, b"welcome"));
            assert_eq!(world.sent.last().unwrap().client_at, AWAY);
        }
    }
}

#[test]
fn an_answer_that_takes_another_path_than_its_challenge_does_not_count() {
    for configs in kinds(Some(PathCheck::Basic)) {
        let mut world = World::established(configs);
        world.rebind(AWAY);
        let mut nth = 0;
        world.relay = Box::new(move |datagram| {
            nth += usize::from(datagram.from == Side::Client);
            let detour = datagram.from == Side::Client && nth > 1;
            let client_at = if detour { HOME } else { &datagram.client_at };
            vec![Datagram { client_at: client_at.to_owned(), ..datagram.clone() }]
        });
        world.send(Side::Client, b"data");
        world.wait(secs(2));
        assert_eq!(world.server_events(), [&refused(AWAY)]);
    }
}

/// RFC 9853 §5.4: the network doubles everything.
#[test]
fn each_challenge_is_answered_once_however_often_it_comes() {
    for configs in kinds(Some(PathCheck::Basic)) {
        let mut world = World::established(configs);
        world.rebind(AWAY);
        world.relay = Box::new(|datagram| vec![datagram.clone(); 3]);
        world.send(Side::Client, b"data");
        let from = |side| world.sent.iter().filter(|sent| sent.from == side).count();
        assert_eq!((from(Side::Client), from(Side::Server)), (2, 1));
        let repeated = |event: &&Event| **event != Event::Discarded(DiscardReason::Replayed);
        let events: Vec<_> = world.server_events().into_iter().filter(repeated).collect();
        assert_eq!(events, [&moved(AWAY)]);
    }
}

#[test]
fn a_second_move_during_a_check_waits_for_the_end_of_the_first() {
    for configs in kinds(Some(PathCheck::Basic)) {
        let mut world = World::established(configs);
        world.rebind(AWAY);
        world.relay = Box::new(|datagram| if datagram.from == Side::Server { vec![] } else { vec![datagram.clone()] });
        world.send(Side::Client, b"one");
        world.rebind("farther");
        world.relay = faithful();
        world.send(Side::Client, b"two");
        assert_eq!(world.server_events(), [] as [&Event; 0]);
        world.wait(TIMEOUT);
        assert_eq!(world.server_events(), [&refused(AWAY)]);
        world.send(Side::Client, b"three");
        assert!(world.server_is_at("farther"));
    }
}

/// Challenges in both directions at once: both ends have other addresses to each other.
#[test]
fn a_server_may_move_too() {
    for configs in kinds(Some(PathCheck::Basic)) {
        let mut world = World::established(configs);
        // To the client, the server is now at another address, from which its datagrams come.
        world.client_at = vec![HOME.to_owned(), AWAY.to_owned()];
        let now = world.now;
        world.server.send(now, b"from elsewhere").unwrap();
        let Output::Datagram(bytes) = world.server.poll_output() else { panic!("data") };
        world.client.handle_datagram_from(now, AWAY.as_bytes(), &bytes);
        let Output::DatagramTo { address, datagram } = world.client.poll_output() else { panic!("a challenge") };
        assert_eq!(address, AWAY.as_bytes());
        world.server.handle_datagram_from(now, HOME.as_bytes(), &datagram);
        let Output::Datagram(bytes) = world.server.poll_output() else { panic!("a response") };
        world.client.handle_datagram_from(now, AWAY.as_bytes(), &bytes);
        assert_eq!(world.client.peer_address(), Some(AWAY.as_bytes()));
    }
}

/// Without a connection ID nothing but the address tells whose a datagram is.
#[test]
fn without_a_connection_id_of_our_own_other_addresses_do_not_count() {
    for (client, mut server) in kinds(Some(PathCheck::Basic)) {
        for own in [ConnectionId::None, ConnectionId::Use(Vec::new())] {
            server.common.connection_id = own;
            let mut world = World::established((client.clone(), server.clone()));
            world.rebind(AWAY);
            world.send(Side::Client, b"from elsewhere");
            assert!(!world.got(Side::Server, b"from elsewhere"));
            assert_eq!(world.server_events(), [&Event::Discarded(DiscardReason::OtherAddress)]);
        }
    }
}

/// The cookie is for the old address, and the second hello belongs to another association.
#[test]
fn a_hello_from_another_address_is_not_taken_for_the_peers() {
    for configs in kinds(Some(PathCheck::Basic)) {
        let mut world = World::new(configs);
        let mut hellos = 0;
        world.relay = Box::new(move |datagram| {
            hellos += usize::from(datagram.from == Side::Client);
            let client_at = if datagram.from == Side::Client && hellos > 1 { AWAY } else { &datagram.client_at };
            vec![Datagram { client_at: client_at.to_owned(), ..datagram.clone() }]
        });
        world.settle();
        assert_eq!(world.server_events(), [&Event::Discarded(DiscardReason::OtherAddress)]);
        assert_eq!(world.sent.len(), 3, "hello, cookie, and a hello without an answer");
    }
}

/// What a client says under the keys of the handshake is authentic; answers keep to the old address until it is checked.
#[test]
fn a_client_of_1_3_may_move_in_the_middle_of_the_handshake() {
    let [_, configs] = kinds(Some(PathCheck::Basic));
    let mut world = World::new(configs);
    let mut flights = 0;
    world.relay = Box::new(move |datagram| {
        flights += usize::from(datagram.from == Side::Client);
        let moved = datagram.from == Side::Client && flights > 2;
        let client_at = if moved { AWAY } else { &datagram.client_at };
        vec![Datagram { client_at: client_at.to_owned(), ..datagram.clone() }]
    });
    world.client_at = vec![HOME.to_owned(), AWAY.to_owned()];
    world.settle();
    assert!(world.server_events().iter().any(|event| matches!(event, Event::Established { .. })));
    assert!(world.server_is_at(HOME));
    world.send(Side::Client, b"data");
    assert!(world.server_is_at(AWAY), "{:?}", world.server_events());
}

/// A client of DTLS 1.2 that did not get the answer to its last flight repeats it, and by then has another address. It
/// can pass no check before it has the answer, which therefore comes to both addresses, within what a check may send.
#[test]
fn a_client_of_1_2_that_moves_before_the_answer_to_its_last_flight_gets_it_there() {
    for check in [PathCheck::Basic, PathCheck::Enhanced] {
        let [configs, _] = kinds(Some(check));
        let mut world = World::new(configs);
        world.relay = Box::new(|datagram| {
            let last = datagram.from == Side::Server && datagram.bytes[0] == 20;
            if last { vec![] } else { vec![datagram.clone()] }
        });
        world.settle();
        assert!(world.server_events().iter().any(|event| matches!(event, Event::Established { .. })));
        world.relay = faithful();
        world.client_at = vec![AWAY.to_owned()];
        let before = (world.bytes(Side::Client, AWAY), world.bytes(Side::Server, AWAY));
        world.wait(Duration::from_secs(10));
        assert!(world.client.negotiated().is_some(), "{:?}", world.events);
        let moved = Event::PeerMoved { address: AWAY.into() };
        assert!(world.server_events().contains(&&moved), "{:?}", world.server_events());
        let (received, sent) = (world.bytes(Side::Client, AWAY) - before.0, world.bytes(Side::Server, AWAY) - before.1);
        assert!(sent <= 3 * received, "{sent} for {received}");
        world.send(Side::Client, b"data");
        world.send(Side::Server, b"back");
        assert!(world.events.contains(&(Side::Client, Event::Data(b"back".to_vec()))));
    }
}

/// Nothing tells whose a ClientKeyExchange from another address is (RFC 9146 §3), and without it no Finished can be opened.
#[test]
fn a_client_of_1_2_that_moves_before_its_last_flight_is_not_heard() {
    let [configs, _] = kinds(Some(PathCheck::Basic));
    let mut world = World::new(configs);
    let mut flights = 0;
    world.relay = Box::new(move |datagram| {
        flights += usize::from(datagram.from == Side::Client);
        if datagram.from == Side::Client && flights == 3 { vec![] } else { vec![datagram.clone()] }
    });
    world.settle();
    world.client_at = vec![AWAY.to_owned()];
    world.wait(Duration::from_secs(400));
    let server = world.server_events();
    assert!(server.contains(&&Event::Discarded(DiscardReason::OtherAddress)), "{server:?}");
    assert!(world.events.contains(&(Side::Client, Event::Failed(Error::TimedOut))), "{:?}", world.events);
    assert_eq!(world.bytes(Side::Server, AWAY), 0);
}

/// Without addresses nothing ever moves, and checks are answered all the same.
#[test]
fn datagrams_without_an_address_are_the_peers() {
    for configs in kinds(Some(PathCheck::Basic)) {
        let mut world = World::established(configs);
        let now = world.now;
        world.client.send(now, b"data").unwrap();
        let Output::Datagram(bytes) = world.client.poll_output() else { panic!("data") };
        world.server.handle_datagram(now, &bytes);
        world.settle();
        assert!(world.server_is_at(HOME) && world.got(Side::Server, b"data"));
    }
}

#[test]
fn checks_are_protected_and_hidden_in_their_records() {
    for configs in kinds(Some(PathCheck::Basic)) {
        let mut world = World::established(configs);
        world.rebind(AWAY);
        world.send(Side::Client, b"data");
        for sent in &world.sent {
            for record in AnyRecords::new(&sent.bytes, Some(8)) {
                let hidden = match record.unwrap() {
                    AnyRecord::Plain(record) => record.header.content_type == ContentType::TLS12_CID,
                    AnyRecord::Protected(record) => record.connection_id().is_some(),
                };
                assert!(hidden);
            }
        }
    }
}

//! Connection IDs given and asked for after the handshake of DTLS 1.3 (RFC 9147 §9), between two of our own.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::common::{DELAY, Pair, Path, Sent, Side, clean, other, psk, secs};
use crate::connection_id::{CLIENT_ID, Configs, SERVER_ID, ids, using, with};
use crate::dtls13::v13;
use crate::paths::{AWAY, TIMEOUT, World, kinds, moved};
use dtls_impl::config::{ConnectionId, PathCheck, PeerMove};
use dtls_impl::error::Misuse;
use dtls_impl::wire::ConnectionIdUsage::{self, Immediate, Spare};
use dtls_impl::{DiscardReason, Error, Event};

const SIDES: [Side; 2] = [Side::Client, Side::Server];
/// How long connection IDs count that the peer was told to use no more.
const KEPT: Duration = secs(240);

fn configs() -> Configs {
    with(v13(psk()), using(CLIENT_ID), using(SERVER_ID))
}

fn shake((client, server): Configs, path: Path) -> Pair {
    let mut pair = Pair::new(client, server, path);
    pair.run(secs(100));
    assert!(pair.both_established(), "{}", pair.story());
    pair
}

fn run_for(pair: &mut Pair, duration: Duration) {
    let until = Duration::from_nanos(pair.now.as_nanos()) + duration;
    pair.run(until);
}

fn give(pair: &mut Pair, side: Side, count: u8, usage: ConnectionIdUsage) -> Result<(), Error> {
    let now = pair.now;
    let result = pair.end(side).new_connection_ids(now, count, usage);
    pair.drain(side);
    result
}

fn ask(pair: &mut Pair, side: Side, count: u8) -> Result<(), Error> {
    let now = pair.now;
    let result = pair.end(side).request_connection_ids(now, count);
    pair.drain(side);
    result
}

fn own(pair: &mut Pair, side: Side) -> Vec<Vec<u8>> {
    pair.end(side).connection_ids().into_iter().map(<[u8]>::to_vec).collect()
}

/// The connection ID of the last record of a side.
fn last(pair: &Pair, side: Side) -> Vec<u8> {
    ids(pair.sent_by(side).last().unwrap()).pop().unwrap().unwrap()
}

fn count(pair: &Pair, side: Side, event: &Event) -> usize {
    pair.events.iter().filter(|(_, of, it)| *of == side && it == event).count()
}

/// The newest word about the peer's connection IDs.
fn spares(pair: &Pair, side: Side) -> Option<usize> {
    pair.events.iter().rev().find_map(|(_, of, event)| match event {
        Event::NewConnectionIds { spares } if *of == side => Some(*spares),
        _ => None,
    })
}

fn refused(misuse: Misuse) -> Result<(), Error> {
    Err(Error::Misuse(misuse))
}

#[test]
fn spares_are_given_in_both_directions_and_leave_records_as_they_are() {
    for side in SIDES {
        let mut pair = shake(configs(), clean());
        let before = pair.sent.len();
        give(&mut pair, side, 3, Spare).unwrap();
        assert_eq!(count(&pair, side, &Event::ConnectionIds), 2, "once established, and now");
        run_for(&mut pair, secs(10));
        assert_eq!(pair.sent.len() - before, 2, "the message and its ACK\n{}", pair.story());
        assert_eq!(spares(&pair, other(side)), Some(3));
        let own = own(&mut pair, side);
        let lengths: BTreeSet<_> = own.iter().map(Vec::len).collect();
        assert_eq!((own.len(), lengths), (4, BTreeSet::from([8])));
        pair.exchange_data();
        assert_eq!(last(&pair, other(side)), own[0]);
    }
}

#[test]
fn an_immediate_one_is_used_from_the_acknowledgement_on() {
    for side in SIDES {
        let mut pair = shake(configs(), clean());
        give(&mut pair, side, 2, Spare).unwrap();
        run_for(&mut pair, secs(1));
        // On its way when the peer learns of the change, and long after.
        pair.send(other(side), b"late");
        let late = pair.sent_by(other(side)).last().unwrap().bytes.clone();
        pair.send(other(side), b"too late");
        let too_late = pair.sent_by(other(side)).last().unwrap().bytes.clone();
        pair.forget_what_is_on_its_way();
        give(&mut pair, side, 2, Immediate).unwrap();
        run_for(&mut pair, secs(1));
        let own_ids = own(&mut pair, side);
        assert_eq!(own_ids.len(), 5);
        assert_eq!(last(&pair, other(side)), own_ids[3], "the first of the new ones, in the ACK already");
        assert_eq!(spares(&pair, other(side)), Some(1), "those before are forgotten");
        pair.exchange_data();
        assert_eq!(last(&pair, other(side)), own_ids[3]);

        pair.inject(side, &late);
        assert!(pair.data(side).contains(&&b"late"[..]), "{}", pair.story());
        run_for(&mut pair, KEPT);
        assert_eq!(own(&mut pair, side).len(), 5, "nothing happens without a datagram");
        pair.exchange_data();
        assert_eq!(own(&mut pair, side), own_ids[3..]);
        assert_eq!(count(&pair, side, &Event::ConnectionIds), 4);
        pair.inject(side, &too_late);
        assert_eq!(pair.events.last().unwrap().2, Event::Discarded(DiscardReason::WrongConnectionId));
        assert!(!pair.end(side).owns(&too_late));
    }
}

#[test]
fn requests_are_answered_with_spares_and_are_made_one_at_a_time() {
    for side in SIDES {
        let mut pair = shake(configs(), clean());
        ask(&mut pair, side, 3).unwrap();
        assert_eq!(ask(&mut pair, side, 1), refused(Misuse::RequestOutstanding));
        run_for(&mut pair, secs(1));
        assert_eq!(spares(&pair, side), Some(3));
        assert_eq!(own(&mut pair, other(side)).len(), 4);
        ask(&mut pair, side, 4).unwrap();
        run_for(&mut pair, secs(1));
        assert_eq!(spares(&pair, side), Some(7));
        assert_eq!(own(&mut pair, other(side)).len(), 8);
        assert_eq!(ask(&mut pair, side, 1), refused(Misuse::BadConnectionIdCount));
        pair.exchange_data();
        assert_eq!(last(&pair, side), own(&mut pair, other(side))[0]);
    }
}

/// A peer that gave all it has room for still says so (RFC 9147 §9).
#[test]
fn a_request_without_room_for_it_is_answered_with_none() {
    let mut pair = shake(configs(), clean());
    give(&mut pair, Side::Server, 7, Spare).unwrap();
    ask(&mut pair, Side::Client, 5).unwrap();
    run_for(&mut pair, secs(1));
    assert_eq!(count(&pair, Side::Client, &Event::NewConnectionIds { spares: 7 }), 2);
    assert_eq!(own(&mut pair, Side::Server).len(), 8);
    // The first request counts as answered.
    assert_eq!(ask(&mut pair, Side::Client, 1), refused(Misuse::BadConnectionIdCount));
}

#[test]
fn the_loss_of_any_datagram_is_made_good() {
    type Ask = fn(&mut Pair, Side);
    let asks: [Ask; 3] = [
        |pair, side| give(pair, side, 7, Spare).unwrap(),
        |pair, side| give(pair, side, 7, Immediate).unwrap(),
        |pair, side| ask(pair, side, 7).unwrap(),
    ];
    for (kind, act) in asks.iter().enumerate() {
        for side in SIDES {
            for (lost_by, nth) in SIDES.into_iter().flat_map(|by| (0..6).map(move |nth| (by, nth))) {
                // Long ones for a small MTU: several fragments.
                let (mut client, mut server) = with(v13(psk()), using(&[1; 100]), using(&[2; 100]));
                (client.common.mtu, server.common.mtu) = (256, 256);
                let mut pair = shake((client, server), clean());
                let first = pair.sent_by(lost_by).count() + nth;
                pair.set_path(Box::new(
                    move |sent: &Sent| {
                        if (sent.from, sent.nth) == (lost_by, first) { vec![] } else { vec![DELAY] }
                    },
                ));
                act(&mut pair, side);
                run_for(&mut pair, secs(60));
                let (gives, gets) = if kind == 2 { (other(side), side) } else { (side, other(side)) };
                let expected = if kind == 1 { 6 } else { 7 };
                assert_eq!(spares(&pair, gets), Some(expected), "{kind} {side:?} {lost_by:?} {nth}\n{}", pair.story());
                assert_eq!(own(&mut pair, gives).len(), 8);
                assert_eq!(count(&pair, gets, &Event::NewConnectionIds { spares: expected }), 1, "taken once");
                assert!(pair.failure(gives).is_none() && pair.failure(gets).is_none());
                let quiet = pair.sent.len();
                run_for(&mut pair, secs(300));
                assert_eq!(pair.sent.len(), quiet, "acknowledged in the end");
                pair.exchange_data();
            }
        }
    }
}

#[test]
fn a_message_that_comes_twice_is_taken_once_and_acknowledged_twice() {
    for side in SIDES {
        let mut pair = shake(configs(), clean());
        let acks = pair.sent_by(other(side)).count();
        // The ACK is lost: the message comes again in another record.
        let lost = acks;
        pair.set_path(Box::new(move |sent: &Sent| {
            if (sent.from, sent.nth) == (other(side), lost) { vec![] } else { vec![DELAY, DELAY * 2] }
        }));
        give(&mut pair, side, 2, Immediate).unwrap();
        run_for(&mut pair, secs(30));
        assert_eq!(count(&pair, other(side), &Event::NewConnectionIds { spares: 1 }), 1, "{}", pair.story());
        assert_eq!(count(&pair, other(side), &Event::Discarded(DiscardReason::RepeatedMessage)), 1);
        assert_eq!(count(&pair, other(side), &Event::Discarded(DiscardReason::Replayed)), 2, "copies of the record");
        assert_eq!(pair.sent_by(other(side)).count() - acks, 2);
        pair.exchange_data();
    }
}

/// Everything that can be under way after a handshake, at once, from both ends.
#[test]
fn all_kinds_of_messages_cross_and_each_is_done() {
    let mut pair = shake(configs(), clean());
    let now = pair.now;
    for side in SIDES {
        give(&mut pair, side, 1, Spare).unwrap();
        give(&mut pair, side, 1, Spare).unwrap();
        give(&mut pair, side, 1, Immediate).unwrap();
        ask(&mut pair, side, 2).unwrap();
        pair.end(side).update_keys(now, true).unwrap();
        pair.drain(side);
        assert_eq!(own(&mut pair, side).len(), 2, "the first is sent, two wait together");
    }
    run_for(&mut pair, secs(5));
    for side in SIDES {
        assert!(pair.failure(side).is_none(), "{}", pair.story());
        // One of two was used immediately; asked for were two, which go with those two or after them.
        assert_eq!(own(&mut pair, side).len(), 6, "{}", pair.story());
        assert_eq!(spares(&pair, side), Some(3));
    }
    pair.exchange_data();
    for side in SIDES {
        assert_eq!(last(&pair, side), own(&mut pair, other(side))[2]);
    }
}

#[test]
fn who_has_no_connection_ids_neither_gives_nor_gets_any() {
    let none = || ConnectionId::None;
    let cases = [
        (none(), none(), [false, false]),
        (none(), using(SERVER_ID), [false, false]),
        (using(b""), using(b""), [false, false]),
        (using(b""), using(SERVER_ID), [false, true]),
        (using(CLIENT_ID), using(b""), [true, false]),
    ];
    for (client, server, gives) in cases {
        let mut pair = shake(with(v13(psk()), client, server), clean());
        for side in SIDES {
            let expected = if gives[side as usize] { Ok(()) } else { refused(Misuse::NoConnectionIds) };
            assert_eq!(give(&mut pair, side, 1, Spare), expected);
            assert_eq!(ask(&mut pair, other(side), 1), expected);
        }
        run_for(&mut pair, secs(1));
        pair.exchange_data();
    }
}

#[test]
fn calls_at_the_wrong_time_or_of_a_wrong_number_are_refused() {
    let (client, server) = configs();
    let mut pair = Pair::new(client, server, clean());
    for side in SIDES {
        assert_eq!(give(&mut pair, side, 1, Spare), refused(Misuse::NotEstablished));
        assert_eq!(ask(&mut pair, side, 1), refused(Misuse::NotEstablished));
    }
    pair.run(secs(1));
    for side in SIDES {
        for count in [0, 8, 255] {
            assert_eq!(give(&mut pair, side, count, Spare), refused(Misuse::BadConnectionIdCount));
            assert_eq!(ask(&mut pair, side, count), refused(Misuse::BadConnectionIdCount));
        }
        assert_eq!(give(&mut pair, side, 9, Immediate), refused(Misuse::BadConnectionIdCount));
        give(&mut pair, side, 4, Spare).unwrap();
        give(&mut pair, side, 3, Spare).unwrap();
        assert_eq!(give(&mut pair, side, 1, Spare), refused(Misuse::BadConnectionIdCount), "with what waits");
    }
    run_for(&mut pair, secs(1));
    for side in SIDES {
        assert_eq!(own(&mut pair, side).len(), 8);
    }
    let now = pair.now;
    pair.client.close(now);
    assert_eq!(give(&mut pair, Side::Client, 1, Spare), refused(Misuse::Closed));
    assert_eq!(ask(&mut pair, Side::Client, 1), refused(Misuse::Closed));

    let mut pair = Pair::new(psk().0, psk().1, clean());
    pair.run(secs(1));
    for side in SIDES {
        assert_eq!(give(&mut pair, side, 1, Spare), refused(Misuse::NotNegotiable));
        assert_eq!(ask(&mut pair, side, 1), refused(Misuse::NotNegotiable));
    }
}

/// A peer that is gone, or asleep, loses the connection IDs but not the association.
#[test]
fn what_is_never_acknowledged_is_given_up_without_an_end() {
    for side in SIDES {
        let mut pair = shake(configs(), clean());
        pair.set_path(Box::new(|_| vec![]));
        give(&mut pair, side, 1, Immediate).unwrap();
        ask(&mut pair, side, 1).unwrap();
        run_for(&mut pair, secs(3600));
        assert!(pair.failure(side).is_none(), "{}", pair.story());
        assert_eq!(own(&mut pair, side).len(), 2, "the peer may have got it");
        pair.exchange_data();
        assert_eq!(ask(&mut pair, side, 1), Ok(()), "the request is given up, too");
    }
}

/// The connection IDs of a side's records to or from an address of the client.
fn seen(world: &World, from: Side, client_at: &str) -> BTreeSet<Vec<u8>> {
    let sent = world.sent.iter().filter(|sent| sent.from == from && sent.client_at == client_at);
    sent.map(|sent| sent.bytes[1..9].to_vec()).collect()
}

fn with_spares(mut world: World) -> World {
    let now = world.now;
    for side in SIDES {
        let end = if side == Side::Client { &mut world.client } else { &mut world.server };
        end.request_connection_ids(now, 2).unwrap();
    }
    world.settle();
    (world.sent, world.events) = (Vec::new(), Vec::new());
    world
}

/// What a server sends to the new address of a client has nothing in common with what it sent to the old one.
#[test]
fn a_server_uses_a_spare_on_the_path_that_its_client_moved_to() {
    for check in [Some(PathCheck::Basic), Some(PathCheck::Enhanced), None] {
        let [_, (client, mut server)] = kinds(check);
        if check.is_none() {
            server.common.peer_move = PeerMove::Newest;
        }
        let mut world = with_spares(World::established((client, server)));
        world.send(Side::Server, b"at home");
        world.rebind(AWAY);
        world.send(Side::Client, b"from elsewhere");
        world.wait(TIMEOUT);
        assert!(world.events.contains(&(Side::Server, moved(AWAY))), "{:?}", world.events);
        world.send(Side::Server, b"to the new address");
        assert!(world.got(Side::Client, b"to the new address"));
        let (home, away) = (seen(&world, Side::Server, "home"), seen(&world, Side::Server, AWAY));
        assert_eq!((home.len(), away.len()), (1, 1), "{home:?} {away:?}");
        assert!(home.is_disjoint(&away), "{check:?}");
    }
}

/// A check that fails has shown a spare at the address that did not answer: the old path keeps what it has.
#[test]
fn a_check_that_comes_to_nothing_leaves_the_old_path_as_it_was() {
    let [_, configs] = kinds(Some(PathCheck::Basic));
    let mut world = with_spares(World::established(configs));
    world.send(Side::Server, b"before");
    world.relay = Box::new(|datagram| {
        let mut datagram = datagram.clone();
        if datagram.from == Side::Client {
            datagram.client_at = "nowhere".to_owned();
        }
        vec![datagram]
    });
    world.send(Side::Client, b"seems to come from elsewhere");
    world.relay = crate::paths::faithful();
    world.wait(TIMEOUT);
    world.send(Side::Server, b"after");
    assert!(world.got(Side::Client, b"after"));
    assert_eq!(seen(&world, Side::Server, "home").len(), 1);
    let nowhere = seen(&world, Side::Server, "nowhere");
    assert!(nowhere.len() == 1 && nowhere.is_disjoint(&seen(&world, Side::Server, "home")));
    // The client still has room to give, counted from the one that is in use.
    let now = world.now;
    world.server.request_connection_ids(now, 5).unwrap();
    world.settle();
    assert_eq!(world.client.connection_ids().len(), 8);
}

/// A client that knows of its new path takes a fresh one, and the server answers with a fresh one, too.
#[test]
fn a_client_that_moves_on_purpose_and_its_server_both_change() {
    let [_, configs] = kinds(Some(PathCheck::Basic));
    let mut world = with_spares(World::established(configs));
    world.send(Side::Client, b"at home");
    world.send(Side::Server, b"at home");
    world.rebind(AWAY);
    world.client.set_peer_address(AWAY.as_bytes());
    world.send(Side::Client, b"from the new place");
    world.wait(TIMEOUT);
    assert!(world.server_is_at(AWAY), "{:?}", world.events);
    world.send(Side::Server, b"welcome");
    assert!(world.got(Side::Client, b"welcome"));
    for side in SIDES {
        let (home, away) = (seen(&world, side, "home"), seen(&world, side, AWAY));
        assert!(!home.is_empty() && !away.is_empty() && home.is_disjoint(&away), "{side:?} {home:?} {away:?}");
    }
}

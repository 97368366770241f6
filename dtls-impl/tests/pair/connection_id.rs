//! Connection IDs of both versions between two of our own: who sends which, and records that have the wrong one.

use crate::common::{Key, Pair, Path, Sent, Side, certificates, clean, psk, secs};
use crate::dtls13::v13;
use dtls_impl::config::{ConnectionId, Versions};
use dtls_impl::error::Misuse;
use dtls_impl::wire::{AnyRecord, AnyRecords, ClientHello, ContentType, Fragments, HandshakeType, Records};
use dtls_impl::{ClientConfig, Connection, DiscardReason, Error, Event, Instant, Seed, ServerConfig};

pub(crate) const CLIENT_ID: &[u8] = b"client's";
pub(crate) const SERVER_ID: &[u8] = b"server's";

pub(crate) type Configs = (ClientConfig, ServerConfig);

pub(crate) fn with((mut client, mut server): Configs, client_id: ConnectionId, server_id: ConnectionId) -> Configs {
    client.common.connection_id = client_id;
    server.common.connection_id = server_id;
    (client, server)
}

pub(crate) fn using(own: &[u8]) -> ConnectionId {
    ConnectionId::Use(own.to_vec())
}

fn shake((client, server): Configs, path: Path) -> Pair {
    let mut pair = Pair::new(client, server, path);
    pair.run(secs(300));
    pair
}

/// Both versions, each with and without certificates.
fn all_kinds() -> [Configs; 4] {
    [certificates(Key::P256, 0), psk(), v13(certificates(Key::P256, 0)), v13(psk())]
}

/// The connection ID of each protected record of a datagram, empty for none; none for plaintext.
pub(crate) fn ids(sent: &Sent) -> Vec<Option<Vec<u8>>> {
    let records = AnyRecords::new(&sent.bytes, sent.cid_len);
    let id = |record| match record {
        AnyRecord::Protected(record) => Some(record.connection_id().unwrap_or_default().to_vec()),
        AnyRecord::Plain(record) if record.header.epoch != 0 => {
            let marked = record.header.content_type == ContentType::TLS12_CID;
            assert_eq!(marked, !record.connection_id.is_empty(), "the type says whether there is one");
            Some(record.connection_id.to_vec())
        }
        AnyRecord::Plain(record) => {
            assert_ne!(record.header.content_type, ContentType::TLS12_CID, "plaintext has none");
            None
        }
    };
    records.map(|record| id(record.unwrap())).collect()
}

#[test]
fn every_combination_of_both_sides_works_in_both_versions() {
    let lengths: [Option<usize>; 5] = [None, Some(0), Some(1), Some(8), Some(255)];
    for configs in all_kinds() {
        for client_len in lengths {
            for server_len in lengths {
                let id = |len: Option<usize>, byte| len.map_or(ConnectionId::None, |len| using(&vec![byte; len]));
                let configs = with(configs.clone(), id(client_len, 1), id(server_len, 2));
                let mut pair = shake(configs, clean());
                assert!(pair.both_established(), "{client_len:?} {server_len:?}\n{}", pair.story());
                pair.exchange_data();
                for side in [Side::Client, Side::Server] {
                    let now = pair.now;
                    pair.end(side).close(now);
                    pair.drain(side);
                }
                let both = client_len.is_some() && server_len.is_some();
                for sent in &pair.sent {
                    let (len, byte) = if sent.from == Side::Client { (server_len, 2) } else { (client_len, 1) };
                    let expected = vec![byte; len.filter(|_| both).unwrap_or_default()];
                    assert!(ids(sent).into_iter().flatten().all(|id| id == expected), "{}", pair.story());
                }
            }
        }
    }
}

#[test]
fn a_client_of_both_versions_takes_its_connection_id_to_either() {
    for versions in [Versions::Dtls12, Versions::Dtls13, Versions::Both] {
        for client_versions in [Versions::Dtls12, Versions::Dtls13, Versions::Both] {
            let (client, server) = with(certificates(Key::P256, 0), using(CLIENT_ID), using(SERVER_ID));
            let (mut client, mut server) = (client, server);
            client.common.versions = client_versions;
            server.common.versions = versions;
            let compatible =
                client_versions == Versions::Both || versions == Versions::Both || versions == client_versions;
            let mut pair = shake((client, server), clean());
            assert_eq!(pair.both_established(), compatible, "{}", pair.story());
            if compatible {
                pair.exchange_data();
                assert_eq!(pair.client.connection_ids(), [CLIENT_ID]);
                assert_eq!(ids(pair.sent_by(Side::Server).last().unwrap()), [Some(CLIENT_ID.to_vec())]);
            }
        }
    }
}

#[test]
fn random_ones_come_from_the_seed_and_both_hellos_of_a_client_have_the_same() {
    for configs in [psk(), v13(psk())] {
        let random = ConnectionId::Random { len: 8 };
        let pair = shake(with(configs.clone(), random.clone(), random.clone()), clean());
        let own = pair.client.connection_ids()[0].to_vec();
        assert_ne!(pair.server.connection_ids(), [&own[..]]);
        let mut hellos = 0;
        for sent in pair.sent_by(Side::Client).filter(|sent| sent.holds(HandshakeType::CLIENT_HELLO)) {
            let record = Records::new(&sent.bytes).next().unwrap().unwrap();
            let fragment = Fragments::new(record.body).next().unwrap().unwrap();
            let hello = ClientHello::parse(fragment.body).unwrap();
            assert_eq!(hello.extensions.connection_id(), Ok(Some(&own[..])));
            assert_eq!(hello.extensions.rrc(), Ok(true));
            hellos += 1;
        }
        assert_eq!(hellos, 2);
        let again = shake(with(configs, random.clone(), random), clean());
        assert_eq!(again.client.connection_ids(), [&own[..]]);
    }
}

/// Copies of what carries them are dropped, and so is every record with a bit changed, quietly.
#[test]
fn replayed_and_corrupted_records_are_dropped_without_a_sound() {
    for configs in all_kinds() {
        let mut pair = shake(with(configs, using(CLIENT_ID), using(SERVER_ID)), clean());
        pair.exchange_data();
        let (records, events) = (pair.sent.len(), pair.events.len());
        let data = pair.sent_by(Side::Client).last().unwrap().bytes.clone();
        pair.inject(Side::Server, &data);
        assert_eq!(pair.events.last().unwrap().2, Event::Discarded(DiscardReason::Replayed));
        pair.forget_what_is_on_its_way();
        pair.send(Side::Client, b"to be broken");
        pair.forget_what_is_on_its_way();
        let data = pair.sent_by(Side::Client).last().unwrap().bytes.clone();
        for position in 0..data.len() {
            let mut broken = data.clone();
            broken[position] ^= 4;
            pair.inject(Side::Server, &broken);
        }
        let quiet = |(_, _, event): &(_, _, Event)| matches!(event, Event::Discarded(_));
        assert!(pair.events[events..].iter().all(quiet), "{}", pair.story());
        assert_eq!(pair.sent.len(), records + 1, "no answer\n{}", pair.story());
        pair.inject(Side::Server, &data);
        assert_eq!(pair.data(Side::Server).last(), Some(&&b"to be broken"[..]));
    }
}

/// A record that would be welcome but for what its header says of the connection.
#[test]
fn a_record_with_another_connection_id_or_none_is_dropped() {
    for configs in [psk(), v13(psk())] {
        let mut pair = shake(with(configs.clone(), using(CLIENT_ID), using(SERVER_ID)), clean());
        pair.send(Side::Client, b"data");
        pair.forget_what_is_on_its_way();
        let data = pair.sent_by(Side::Client).last().unwrap().bytes.clone();
        let at = data.windows(SERVER_ID.len()).position(|bytes| bytes == SERVER_ID).unwrap();
        let mut foreign = data.clone();
        foreign[at] ^= 1;
        let mut without = data.clone();
        without.drain(at..at + SERVER_ID.len());
        if at == 1 {
            without[0] &= !0b0001_0000;
        } else {
            without[0] = ContentType::APPLICATION_DATA.0;
        }
        for wrong in [&foreign, &without] {
            pair.inject(Side::Server, wrong);
            assert_eq!(pair.events.last().unwrap().2, Event::Discarded(DiscardReason::WrongConnectionId));
            assert!(!pair.server.owns(wrong));
        }
        assert!(pair.server.owns(&data) && !pair.client.owns(&data));
        // RFC 9147 §4: in DTLS 1.3 what follows in the same datagram is dropped with it.
        let joined = [&foreign[..], &data].concat();
        pair.inject(Side::Server, &joined);
        let arrived = !pair.data(Side::Server).is_empty();
        assert_eq!(arrived, at != 1, "{}", pair.story());
        pair.inject(Side::Server, &data);
        assert_eq!(pair.data(Side::Server), [b"data"]);
    }
}

/// RFC 9147 §9.1, and the type that DTLS 1.2 does not have without.
#[test]
fn records_with_a_connection_id_are_dropped_where_none_was_negotiated() {
    for configs in [psk(), v13(psk())] {
        let plain = with(configs.clone(), ConnectionId::None, using(SERVER_ID));
        let mut pair = shake(plain, clean());
        let mut other = shake(with(configs, using(CLIENT_ID), using(SERVER_ID)), clean());
        other.send(Side::Client, b"data");
        let data = other.sent_by(Side::Client).last().unwrap().bytes.clone();
        assert!(pair.server.connection_ids().is_empty() && !pair.server.owns(&data));
        pair.inject(Side::Server, &data);
        let reasons = [DiscardReason::Malformed, DiscardReason::WrongConnectionId];
        assert!(matches!(pair.events.last().unwrap().2, Event::Discarded(reason) if reasons.contains(&reason)));
        assert!(pair.data(Side::Server).is_empty());
        pair.exchange_data();
    }
}

#[test]
fn handshakes_with_connection_ids_survive_any_lost_datagram_and_a_small_mtu() {
    for configs in [certificates(Key::P256, 2000), v13(certificates(Key::P256, 2000))] {
        for mtu in [256, 1200] {
            for lost in 0..12 {
                for side in [Side::Client, Side::Server] {
                    let (mut client, mut server) = with(configs.clone(), using(&[1; 200]), using(&[2; 33]));
                    (client.common.mtu, server.common.mtu) = (mtu, mtu);
                    let path: Path = Box::new(move |sent| {
                        if (sent.from, sent.nth) == (side, lost) { vec![] } else { vec![crate::common::DELAY] }
                    });
                    let mut pair = shake((client, server), path);
                    assert!(pair.both_established(), "{side:?} {lost}\n{}", pair.story());
                    let longest = pair.sent.iter().map(|sent| sent.bytes.len()).max().unwrap();
                    assert!(longest <= mtu.max(200 + 128), "{longest}");
                    pair.exchange_data();
                }
            }
        }
    }
}

#[test]
fn as_much_data_as_announced_fits_one_datagram_with_its_connection_id() {
    for configs in [psk(), v13(psk())] {
        for mtu in [256, 1200, 65_507] {
            let (mut client, server) = with(configs.clone(), using(CLIENT_ID), using(&[2; 100]));
            client.common.mtu = mtu;
            let mut pair = shake((client, server), clean());
            let most = pair.client.data_len_max();
            pair.send(Side::Client, &vec![7; most]);
            assert!(pair.sent_by(Side::Client).last().unwrap().bytes.len() <= mtu);
            let now = pair.now;
            assert_eq!(pair.client.send(now, &vec![7; most + 1]), Err(Error::Misuse(Misuse::DataTooLarge)));
            pair.run(secs(301));
            assert_eq!(pair.data(Side::Server), [&vec![7; most][..]]);
        }
    }
}

#[test]
fn connection_ids_that_cannot_be_are_refused_at_once() {
    for bad in [ConnectionId::Use(vec![0; 256]), ConnectionId::Random { len: 0 }] {
        let (client, _) = with(psk(), bad, ConnectionId::None);
        let refused = Connection::client(client.into(), None, Seed([1; 32]), Instant::ZERO);
        assert_eq!(refused.err(), Some(Error::Misuse(Misuse::BadConnectionId)));
    }
}

#[test]
fn the_application_is_told_when_it_can_tell_datagrams_apart() {
    for configs in [psk(), v13(psk())] {
        for (own, told) in [(using(SERVER_ID), true), (using(b""), false), (ConnectionId::None, false)] {
            let pair = shake(with(configs.clone(), using(CLIENT_ID), own), clean());
            let tells = |(_, side, event): &(_, _, Event)| *side == Side::Server && *event == Event::ConnectionIds;
            assert_eq!(pair.events.iter().any(tells), told);
        }
    }
}

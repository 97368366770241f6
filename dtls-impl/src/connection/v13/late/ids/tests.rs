//! What no honest peer sends of connection IDs, sent by one that was tampered with.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::Purpose;
use super::*;
use crate::config::{ClientCredentials, ConnectionId, Cookies, Psk, ServerCredentials, UnknownIdentity, Versions};
use crate::connection::Engine;
use crate::crypto::{Secret, rustcrypto};
use crate::event::Output;
use crate::ids::{OWN_MAX, UNGRANTED_MAX};
use crate::wire::{Alert, AlertDescription, ParseError};
use crate::{ClientConfig, Connection, Seed, ServerConfig};

const NOW: Instant = Instant::ZERO;

/// An association whose ends hear each other without loss or delay.
struct Pair {
    ends: [Connection; 2],
    events: [Vec<Event>; 2],
}

impl Pair {
    fn new(own: [ConnectionId; 2]) -> Self {
        let key = Secret::new(vec![9; 16]);
        let client = ClientCredentials::Psk(Psk { identity: b"device".to_vec(), key: key.clone() });
        let mut client = ClientConfig::new(rustcrypto::provider(), client);
        let keys = BTreeMap::from([(b"device".to_vec(), key)]);
        let server = ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert };
        let mut server = ServerConfig::new(rustcrypto::provider(), server, Cookies::Off);
        for (common, own) in [&mut client.common, &mut server.common].into_iter().zip(own) {
            (common.versions, common.connection_id) = (Versions::Dtls13, own);
        }
        let client = Connection::client(Arc::new(client), None, Seed([1; 32]), NOW).unwrap();
        let server = Connection::server(Arc::new(server), b"client", Seed([2; 32]), NOW).unwrap();
        let mut pair = Self { ends: [client, server], events: [Vec::new(), Vec::new()] };
        pair.settle();
        pair
    }

    fn settle(&mut self) {
        for turn in 0..20 {
            let [one, two] = &mut self.ends;
            let (from, to) = if turn % 2 == 0 { (one, two) } else { (two, one) };
            loop {
                match from.poll_output() {
                    Output::Datagram(datagram) => to.handle_datagram(NOW, &datagram),
                    Output::Event(event) => self.events[turn % 2].push(event),
                    Output::DatagramTo { .. } => panic!("there is one path only"),
                    Output::WakeAt(_) | Output::Idle => break,
                }
            }
        }
    }

    fn end(&mut self, end: usize) -> &mut Connection13 {
        match &mut self.ends[end].engine {
            Engine::V13(connection) => connection,
            Engine::V12(_) => panic!("only 1.3 is configured"),
        }
    }

    /// One end says this, whether it may or not, and the other hears it.
    fn say(&mut self, end: usize, message_type: HandshakeType, body: &[u8]) {
        self.end(end).send_messages(Purpose::NewIds, vec![(message_type, body.to_vec())]).unwrap();
        self.settle();
    }

    fn ended(&self, end: usize, error: &Error) -> bool {
        let alert =
            Event::AlertSent(Alert { level: crate::wire::AlertLevel::FATAL, description: error.alert().unwrap() });
        self.events[end].contains(&Event::Failed(error.clone())) && self.events[end].contains(&alert)
    }
}

fn random(len: u8) -> ConnectionId {
    ConnectionId::Random { len }
}

const NEW: HandshakeType = HandshakeType::NEW_CONNECTION_ID;
const REQUEST: HandshakeType = HandshakeType::REQUEST_CONNECTION_ID;

/// Who has the extension, and whether with an empty connection ID: only one who has a real one may give more, and only
/// such a one may be asked.
#[test]
fn messages_from_or_to_an_end_without_connection_ids_are_unexpected() {
    let empty = || ConnectionId::Use(Vec::new());
    for own in [[ConnectionId::None, random(8)], [random(8), ConnectionId::None], [empty(), empty()]] {
        for end in [0, 1] {
            for (message_type, body) in [(NEW, &[0, 2, 1, 7, 1][..]), (REQUEST, &[1])] {
                let mut pair = Pair::new(own.clone());
                pair.say(end, message_type, body);
                let error = Error::PeerMisbehaved(PeerMisbehaved::UnexpectedMessage(message_type));
                assert!(pair.ended(1 - end, &error), "{own:?} {:?}", pair.events);
                assert_eq!(error.alert(), Some(AlertDescription::UNEXPECTED_MESSAGE));
            }
        }
    }
    for own in [[empty(), random(8)], [random(8), empty()]] {
        let with = usize::from(own[0] == empty());
        for (end, message_type, bad) in
            [(with, NEW, false), (1 - with, NEW, true), (with, REQUEST, true), (1 - with, REQUEST, false)]
        {
            let mut pair = Pair::new(own.clone());
            let body: &[u8] = if message_type == NEW { &[0, 2, 1, 7, 1] } else { &[1] };
            pair.say(end, message_type, body);
            let error = Error::PeerMisbehaved(PeerMisbehaved::UnexpectedMessage(message_type));
            assert_eq!(pair.ended(1 - end, &error), bad, "{end} {message_type} {:?}", pair.events);
        }
    }
}

#[test]
fn messages_that_cannot_be_read_end_the_association() {
    let bad: [(_, &[u8], _); 5] = [
        (NEW, &[0], ParseError::Truncated),
        (NEW, &[0, 2, 1, 7], ParseError::Truncated),
        (NEW, &[0, 2, 2, 7, 1], ParseError::Truncated),
        (NEW, &[0, 2, 1, 7, 2], ParseError::BadValue),
        (REQUEST, &[1, 1], ParseError::TrailingBytes),
    ];
    for (message_type, body, reason) in bad {
        for end in [0, 1] {
            let mut pair = Pair::new([random(8), random(8)]);
            pair.say(end, message_type, body);
            assert!(pair.ended(1 - end, &Error::BadMessage(message_type, reason)), "{body:?} {:?}", pair.events);
        }
    }
}

#[test]
fn nothing_to_use_immediately_is_an_illegal_parameter_and_no_spare_is_nothing() {
    let mut pair = Pair::new([random(8), random(8)]);
    pair.say(0, NEW, &[0, 0, 1]);
    assert!(pair.events[1].contains(&Event::NewConnectionIds { spares: 0 }));
    pair.say(0, NEW, &[0, 0, 0]);
    assert!(pair.ended(1, &PeerMisbehaved::NoConnectionId.into()), "{:?}", pair.events);
    assert_eq!(Error::from(PeerMisbehaved::NoConnectionId).alert(), Some(AlertDescription::ILLEGAL_PARAMETER));
}

#[test]
fn a_peer_that_does_not_stop_asking_is_told_so() {
    let mut pair = Pair::new([random(8), random(8)]);
    pair.say(0, REQUEST, &[255]);
    assert_eq!(pair.ends[1].connection_ids().len(), OWN_MAX);
    for asked in 0..=UNGRANTED_MAX {
        assert!(!pair.events[1].iter().any(|event| matches!(event, Event::Failed(_))), "{asked}");
        pair.say(0, REQUEST, &[1]);
    }
    let error = Error::from(PeerMisbehaved::TooManyConnectionIdRequests);
    assert!(pair.ended(1, &error), "{:?}", pair.events);
    assert_eq!(error.alert(), Some(AlertDescription::TOO_MANY_CIDS_REQUESTED));
}

/// Requests that come while the answer to the first cannot be sent.
#[test]
fn requests_without_end_are_answered_together() {
    let mut pair = Pair::new([random(8), random(8)]);
    pair.end(1).update_keys(NOW, false).unwrap();
    while !matches!(pair.ends[1].poll_output(), Output::WakeAt(_) | Output::Idle) {}
    for _ in 0..100 {
        pair.say(0, REQUEST, &[3]);
    }
    assert_eq!(pair.end(1).late.waiting.len(), 1);
    assert_eq!(pair.ends[1].connection_ids().len(), 1, "none is made before it is sent");
}

/// A connection ID of another length than before, as only a peer of another make would choose.
#[test]
fn spares_of_any_length_are_used_and_an_empty_one_is_no_connection_id() {
    for (body, own) in [(&[0, 4, 3, 1, 2, 3, 0][..], &[1, 2, 3][..]), (&[0, 1, 0, 0], &[])] {
        let mut pair = Pair::new([random(8), random(8)]);
        pair.say(0, NEW, body);
        assert_eq!(pair.end(1).ids().peer(), own);
        let refused = pair.ends[1].request_connection_ids(NOW, 1).err();
        assert_eq!(refused, own.is_empty().then_some(Error::Misuse(Misuse::NoConnectionIds)));
    }
}

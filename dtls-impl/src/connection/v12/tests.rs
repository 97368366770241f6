//! What needs a look inside: messages under the keys of an association that no well-behaved peer sends.

use std::collections::BTreeMap;

use super::*;
use crate::config::{ClientCredentials, Psk, ServerCredentials, SessionCache, UnknownIdentity};
use crate::crypto::{Secret, rustcrypto};
use crate::flight::{FlightItem, OutgoingFlight};
use crate::link::FlightKind;

/// Client and server, established.
fn established() -> [Connection12; 2] {
    established_with(None)
}

fn established_with(sessions: Option<Arc<SessionCache>>) -> [Connection12; 2] {
    let key = Secret::new(vec![9; 16]);
    let client = ClientCredentials::Psk(Psk { identity: b"device".to_vec(), key: key.clone() });
    let keys = BTreeMap::from([(b"device".to_vec(), key)]);
    let server = ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert };
    let client = Arc::new(ClientConfig::new(rustcrypto::provider(), client));
    let mut server = ServerConfig::new(rustcrypto::provider(), server, Cookies::Off);
    server.sessions = sessions;
    let server = Arc::new(server);
    let now = Instant::ZERO;
    let client = Connection12::client(client, None, None, &Seed([1; 32]), now).unwrap();
    let server = Connection12::server(server, b"client", &Seed([2; 32]), now);
    let mut ends = [client, server];
    for turn in 0..5 {
        deliver(&mut ends, turn % 2);
    }
    assert!(ends.iter().all(|end| matches!(end.state, State::Established(_))));
    ends
}

/// Delivers what one end has to send, and gives its events.
fn deliver(ends: &mut [Connection12; 2], from: usize) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        match ends[from].poll_output() {
            Output::Datagram(bytes) => ends[1 - from].handle_datagram(Instant::ZERO, None, &bytes),
            Output::Event(event) => events.push(event),
            Output::DatagramTo { .. } => panic!("there is one path only"),
            Output::WakeAt(_) | Output::Idle => return events,
        }
    }
}

fn send_message(end: &mut Connection12, message_type: HandshakeType, message_seq: u16, body: Vec<u8>) {
    let item = FlightItem::Message { epoch: 1, message_type, message_seq, body };
    end.link.send_flight((OutgoingFlight { items: vec![item] }, message_seq + 1), FlightKind::Last).unwrap();
}

#[test]
fn renegotiation_is_refused_with_a_warning_and_the_association_goes_on() {
    let no_renegotiation =
        Event::AlertSent(Alert { level: AlertLevel::WARNING, description: AlertDescription::NO_RENEGOTIATION });
    for (asking, message_type) in [(1, HandshakeType::HELLO_REQUEST), (0, HandshakeType::CLIENT_HELLO)] {
        let mut ends = established();
        send_message(&mut ends[asking], message_type, 0, Vec::new());
        deliver(&mut ends, asking);
        assert!(deliver(&mut ends, 1 - asking).contains(&no_renegotiation), "{message_type}");
        ends[asking].send(Instant::ZERO, b"still here").unwrap();
        deliver(&mut ends, asking);
        assert!(deliver(&mut ends, 1 - asking).contains(&Event::Data(b"still here".to_vec())), "{message_type}");
    }
}

#[test]
fn other_messages_after_the_handshake_are_dropped() {
    let mut ends = established();
    for message_seq in 0..9 {
        send_message(&mut ends[1], HandshakeType::CERTIFICATE, message_seq, vec![0; 20]);
    }
    deliver(&mut ends, 1);
    let events = deliver(&mut ends, 0);
    assert!(!events.is_empty() && events.iter().all(|event| matches!(event, Event::Discarded(_))), "{events:?}");
    assert!(matches!(ends[0].state, State::Established(_)));
}

#[test]
fn an_authentic_fatal_alert_ends_the_association_at_once() {
    let mut ends = established();
    ends[0].fail(Error::Crypto(crate::crypto::CryptoError::BadKey));
    deliver(&mut ends, 0);
    let failed = Event::Failed(Error::AlertReceived(AlertDescription::INTERNAL_ERROR));
    assert!(deliver(&mut ends, 1).contains(&failed));
}

/// RFC 5246 §7.2.2.
#[test]
fn a_fatal_alert_from_either_side_takes_the_session_out_of_the_cache_and_a_close_does_not() {
    for end in [None, Some(0), Some(1)] {
        let sessions = Arc::new(SessionCache::new(4, Duration::from_secs(60)));
        let mut ends = established_with(Some(Arc::clone(&sessions)));
        assert_eq!(sessions.len(), 1);
        match end {
            Some(end) => ends[end].fail(Error::Crypto(crate::crypto::CryptoError::BadKey)),
            None => ends[0].close(Instant::ZERO),
        }
        deliver(&mut ends, 0);
        deliver(&mut ends, 1);
        assert_eq!(sessions.is_empty(), end.is_some());
    }
}

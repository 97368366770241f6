//! What no honest client does, done by one whose session was tampered with.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{
    ClientCredentials, Cookies, EarlyData, Psk, ReplayGuard, ServerCredentials, TicketKeys, Tickets, UnknownIdentity,
    Versions,
};
use crate::crypto::{Secret, rustcrypto};
use crate::error::{Error, PeerMisbehaved};
use crate::session::Kind;
use crate::suite::SUITES13;
use crate::wire::CipherSuite;
use crate::{ClientConfig, ClientSession, Connection, Event, Instant, Output, Seed, ServerConfig};

const NOW: Instant = Instant::ZERO;

fn configs() -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let key = Secret::new(vec![9; 16]);
    let client = ClientCredentials::Psk(Psk { identity: b"device".to_vec(), key: key.clone() });
    let mut client = ClientConfig::new(rustcrypto::provider(), client);
    let keys = BTreeMap::from([(b"device".to_vec(), key)]);
    let server = ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert };
    let mut server = ServerConfig::new(rustcrypto::provider(), server, Cookies::Off);
    for common in [&mut client.common, &mut server.common] {
        common.versions = Versions::Dtls13;
    }
    (client.sessions, client.early_data) = (true, true);
    server.tickets = Some(Tickets::new(TicketKeys::new([7; 32])));
    let early_data = EarlyData { max_size: 10, ..EarlyData::new(Arc::new(ReplayGuard::new(10))) };
    server.early_data = Some(early_data);
    (Arc::new(client), Arc::new(server))
}

/// All that one end has to say, heard by the other.
fn pump(from: &mut Connection, to: &mut Connection, events: &mut Vec<Event>) {
    loop {
        match from.poll_output() {
            Output::Datagram(datagram) => to.handle_datagram(NOW, &datagram),
            Output::Event(event) => events.push(event),
            Output::DatagramTo { .. } => panic!("there is one path only"),
            Output::WakeAt(_) | Output::Idle => return,
        }
    }
}

/// Lets a client talk to a new server; the events of both.
fn talk(mut client: Connection, server: Arc<ServerConfig>) -> [Vec<Event>; 2] {
    let mut server = Connection::server(server, b"client", Seed([2; 32]), NOW).unwrap();
    let mut events = [Vec::new(), Vec::new()];
    for _ in 0..6 {
        pump(&mut client, &mut server, &mut events[0]);
        pump(&mut server, &mut client, &mut events[1]);
    }
    events
}

fn session(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> ClientSession {
    let client = Connection::client(Arc::clone(client), None, Seed([1; 32]), NOW).unwrap();
    let [events, _] = talk(client, Arc::clone(server));
    let session = events.into_iter().find_map(|event| match event {
        Event::Session(session) => Some(session),
        _ => None,
    });
    session.unwrap()
}

fn resume(client: &Arc<ClientConfig>, session: ClientSession) -> Connection {
    Connection::resume(Arc::clone(client), None, session, Seed([3; 32]), NOW).unwrap()
}

/// RFC 8446 §4.2.10.
#[test]
fn more_early_data_than_the_ticket_allows_ends_the_connection() {
    let (client, server) = configs();
    let mut session = session(&client, &server);
    let Kind::V13(ticket) = &mut session.kind else { panic!() };
    assert_eq!(ticket.early_data_max, 10);
    ticket.early_data_max = 100;
    let mut greedy = resume(&client, session);
    for data in [&b"123456"[..], b"1234", b"1"] {
        greedy.send_early(NOW, data).unwrap();
    }
    let [_, events] = talk(greedy, server);
    let early = events.iter().filter(|event| matches!(event, Event::EarlyData(_))).count();
    assert_eq!(early, 2, "what is within the limit: {events:?}");
    assert!(events.contains(&Event::Failed(Error::PeerMisbehaved(PeerMisbehaved::TooMuchEarlyData))), "{events:?}");
}

/// RFC 8446 §4.2.11: the binder proves that the client knows the key, not the ticket alone.
#[test]
fn a_ticket_without_its_key_ends_the_connection() {
    let (client, server) = configs();
    let mut session = session(&client, &server);
    let Kind::V13(ticket) = &mut session.kind else { panic!() };
    ticket.psk = Secret::new(vec![1; 32]);
    for early in [false, true] {
        let mut thief = resume(&client, session.clone());
        if early {
            thief.send_early(NOW, b"1").unwrap();
        }
        let [_, events] = talk(thief, Arc::clone(&server));
        assert!(events.contains(&Event::Failed(Error::PeerMisbehaved(PeerMisbehaved::BadBinder))), "{events:?}");
        assert!(!events.iter().any(|event| matches!(event, Event::EarlyData(_))));
    }
}

/// Early data comes in its ticket's suite: without that on offer there can be none.
#[test]
fn a_client_without_the_suite_of_its_ticket_sends_no_early_data() {
    let (client, server) = configs();
    let mut session = session(&client, &server);
    let Kind::V13(ticket) = &mut session.kind else { panic!() };
    let other = SUITES13.iter().find(|suite| suite.hash == ticket.suite.hash && suite.code != ticket.suite.code);
    ticket.suite = *other.unwrap();
    let mut narrow = (*client).clone();
    narrow.common.cipher_suites13 = vec![CipherSuite::TLS_AES_128_GCM_SHA256];
    let mut connection = resume(&Arc::new(narrow), session.clone());
    assert!(connection.send_early(NOW, b"1").is_err());
    assert!(resume(&client, session).send_early(NOW, b"1").is_ok());
}

//! A connection of `dtls-impl` as the simulation sees it.
//!
//! Outputs are pulled one at a time, as the simulation asks, so that its budgets see a stack that never comes to rest.

use std::collections::VecDeque;
use std::net::SocketAddr;

use std::sync::Arc;

use dtls_impl::wire::ConnectionIdUsage;
use dtls_impl::{Connection, Event, Instant, Output, PeerIdentity};
use sha2::{Digest, Sha256};

use super::instant;
use super::settings::suite_name;
use crate::endpoint::{Ask, Endpoint, EndpointEvent, Negotiated, Session, Transmit};
use crate::time::SimTime;

/// Makes the connection of a client once it starts.
pub(super) type Connect = Box<dyn FnOnce(Instant) -> Result<Connection, dtls_impl::Error>>;

enum State {
    /// A client that has not started.
    Waiting(Connect),
    Running(Box<Connection>),
    /// A client that could not start.
    Dead,
}

/// One connection.
pub(super) struct NativeEndpoint {
    state: State,
    events: VecDeque<EndpointEvent>,
    datagrams: VecDeque<Transmit>,
    deadline: Option<SimTime>,
    is_server: bool,
    /// Where the peer is, if no longer where it was.
    moved_to: Option<SocketAddr>,
}

impl NativeEndpoint {
    /// A client, whose connection is made once it starts.
    pub(super) fn client(connect: Connect) -> Self {
        Self::new(State::Waiting(connect), false)
    }

    /// A server, which is there at once.
    pub(super) fn server(connection: Connection) -> Self {
        Self::new(State::Running(Box::new(connection)), true)
    }

    fn new(state: State, is_server: bool) -> Self {
        Self { state, events: VecDeque::new(), datagrams: VecDeque::new(), deadline: None, is_server, moved_to: None }
    }

    fn connection(&mut self) -> Option<&mut Connection> {
        match &mut self.state {
            State::Running(connection) => Some(connection),
            State::Waiting(_) | State::Dead => None,
        }
    }

    /// Takes one output into its queue; false if there is none, which settles the deadline.
    fn pull(&mut self) -> bool {
        match self.connection().map_or(Output::Idle, Connection::poll_output) {
            Output::Datagram(bytes) => self.datagrams.push_back(Transmit { to: self.moved_to, bytes }),
            Output::DatagramTo { address, datagram: bytes } => {
                let to = socket_address(&address);
                self.datagrams.push_back(Transmit { to, bytes });
            }
            Output::Event(event) => {
                if let Event::PeerMoved { address } = &event {
                    self.moved_to = socket_address(address);
                }
                let established = matches!(event, Event::Established { .. });
                self.events.extend(translate(event));
                if established {
                    let is_server = self.is_server;
                    let negotiated = self.connection().and_then(|connection| connection.negotiated());
                    let more = negotiated.iter().flat_map(|negotiated| more(negotiated, is_server));
                    self.events.extend(more.map(EndpointEvent::Negotiated));
                }
            }
            Output::WakeAt(at) => {
                self.deadline = Some(SimTime::from_nanos(at.as_nanos()));
                return false;
            }
            Output::Idle => {
                self.deadline = None;
                return false;
            }
        }
        true
    }
}

/// As [`Endpoint::handle_datagram`] wrote it.
fn socket_address(address: &[u8]) -> Option<SocketAddr> {
    std::str::from_utf8(address).ok()?.parse().ok()
}

fn translate(event: Event) -> Option<EndpointEvent> {
    Some(match event {
        Event::Established { suite, .. } => EndpointEvent::Established { suite: suite_name(suite) },
        Event::Data(data) => EndpointEvent::Data(data),
        Event::PeerClosed => EndpointEvent::PeerClosed,
        Event::Failed(error) => EndpointEvent::Failed(error.to_string()),
        Event::Discarded(reason) => EndpointEvent::Discarded(reason.to_string()),
        Event::KeyLog(line) => EndpointEvent::KeyLog(line),
        Event::Session(session) => EndpointEvent::Session(Session(Arc::new(session))),
        Event::EarlyData(data) => EndpointEvent::EarlyData(data),
        Event::PeerMoved { address } => EndpointEvent::PeerMoved(socket_address(&address)?),
        Event::EarlyDataAccepted => EndpointEvent::EarlyDataAnswer { accepted: true },
        Event::EarlyDataRejected => EndpointEvent::EarlyDataAnswer { accepted: false },
        // Alerts are on the wire for all to see.
        _ => return None,
    })
}

/// What was agreed beyond the suite.
fn more(negotiated: &dtls_impl::Negotiated, is_server: bool) -> Vec<Negotiated> {
    let resumed = negotiated.resumed.then_some(Negotiated::Resumed);
    // Every client knows its server: only who the client is, is worth a word.
    let peer = if is_server { client_name(&negotiated.peer) } else { None };
    let protocol = negotiated.alpn.as_ref().map(|name| Negotiated::Alpn(String::from_utf8_lossy(name).into_owned()));
    resumed.into_iter().chain(peer.map(Negotiated::Peer)).chain(protocol).collect()
}

fn client_name(peer: &PeerIdentity) -> Option<String> {
    let digest = |der: &[u8]| Sha256::digest(der)[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match peer {
        PeerIdentity::Certificate(chain) => Some(format!("certificate {}", digest(chain.first()?))),
        PeerIdentity::RawPublicKey(key) => Some(format!("raw public key {}", digest(key))),
        // Who has the pre-shared key is the same on both ends.
        _ => None,
    }
}

impl Endpoint for NativeEndpoint {
    fn start(&mut self, now: SimTime) {
        match std::mem::replace(&mut self.state, State::Dead) {
            State::Waiting(connect) => match connect(instant(now)) {
                Ok(connection) => self.state = State::Running(Box::new(connection)),
                Err(error) => self.events.push_back(EndpointEvent::Failed(error.to_string())),
            },
            started => self.state = started,
        }
    }

    fn handle_datagram(&mut self, now: SimTime, from: SocketAddr, datagram: &[u8]) {
        let is_server = self.is_server;
        match self.connection() {
            Some(connection) if is_server => {
                connection.handle_datagram_from(instant(now), from.to_string().as_bytes(), datagram);
            }
            // All that a client hears comes from its server.
            Some(connection) => connection.handle_datagram(instant(now), datagram),
            None => {}
        }
    }

    fn owns(&self, datagram: &[u8]) -> bool {
        matches!(&self.state, State::Running(connection) if connection.owns(datagram))
    }

    fn poll_transmit(&mut self, _now: SimTime) -> Option<Transmit> {
        while self.datagrams.is_empty() && self.pull() {}
        self.datagrams.pop_front()
    }

    fn poll_timeout(&mut self, _now: SimTime) -> Option<SimTime> {
        while self.datagrams.is_empty() && self.events.is_empty() && self.pull() {}
        self.deadline
    }

    fn handle_timeout(&mut self, now: SimTime) {
        if let Some(connection) = self.connection() {
            connection.handle_timeout(instant(now));
        }
    }

    fn poll_event(&mut self) -> Option<EndpointEvent> {
        while self.datagrams.is_empty() && self.events.is_empty() && self.pull() {}
        self.events.pop_front()
    }

    fn send(&mut self, now: SimTime, data: &[u8]) {
        let sent = self.connection().map(|connection| connection.send(instant(now), data));
        let refusal = match sent {
            Some(Ok(())) => return,
            Some(Err(error)) => error.to_string(),
            None => "not started".to_owned(),
        };
        self.events.push_back(EndpointEvent::SendRefused(refusal));
    }

    fn datagram_too_big(&mut self, now: SimTime, mtu: u32) {
        if let Some(connection) = self.connection() {
            connection.datagram_too_big(instant(now), usize::try_from(mtu).unwrap_or(usize::MAX));
        }
    }

    fn close(&mut self, now: SimTime) {
        if let Some(connection) = self.connection() {
            connection.close(instant(now));
        }
    }

    fn send_early(&mut self, now: SimTime, data: &[u8]) -> Result<(), String> {
        let connection = self.connection().ok_or("not started")?;
        connection.send_early(instant(now), data).map_err(|error| error.to_string())
    }

    fn ask(&mut self, now: SimTime, ask: Ask) -> Result<(), String> {
        let connection = self.connection().ok_or("not started")?;
        let done = match ask {
            Ask::UpdateKeys { request_peer } => connection.update_keys(instant(now), request_peer),
            Ask::RequestConnectionIds(count) => connection.request_connection_ids(instant(now), count),
            Ask::NewConnectionIds(count) => {
                connection.new_connection_ids(instant(now), count, ConnectionIdUsage::Spare)
            }
            Ask::ReplaceConnectionIds(count) => {
                connection.new_connection_ids(instant(now), count, ConnectionIdUsage::Immediate)
            }
        };
        done.map_err(|error| error.to_string())
    }
}

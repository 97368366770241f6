//! Two connections, and the datagrams between them. With a shared key there are neither signatures nor ephemeral keys,
//! which makes thousands of handshakes a second; with certificates there are fewer, and more messages.

use std::sync::Arc;
use std::time::Duration;

use dtls_impl::{ClientConfig, ClientSession, Connection, Event, Instant, Output, Seed, ServerConfig};

use super::setup::{MTU, Setup};

/// Datagrams that wait to be delivered to one end; more are dropped.
const WAITING_MAX: usize = 64;

/// What an application sends.
pub(crate) const DATA: &[u8] = b"data";

const SERVER_NAME: Option<&str> = Some("server.example");

pub(crate) struct Pair {
    setup: Setup,
    pub(crate) ends: [Connection; 2],
    /// To each end.
    pub(crate) waiting: [Vec<Vec<u8>>; 2],
    pub(crate) now: Instant,
    wake: [Option<Instant>; 2],
    /// Lines of the key log, of both ends.
    pub(crate) key_log: Vec<String>,
    pub(crate) established: [bool; 2],
    pub(crate) failed: [bool; 2],
    pub(crate) received: [Vec<Vec<u8>>; 2],
    session: Option<ClientSession>,
}

impl Pair {
    /// Two ends of which none has heard the other. One that resumes has had a connection before, without trouble.
    pub(crate) fn new(setup: Setup) -> Self {
        let (client, server) = setup.configs();
        let (client, server) = (Arc::new(client), Arc::new(server));
        let mut pair = Self::start(setup, &client, &server, None, 1);
        if setup.resumes() {
            pair.calm();
            let session = pair.session.expect("a session to resume");
            pair = Self::start(setup, &client, &server, Some(session), 3);
        }
        pair
    }

    fn start(
        setup: Setup,
        client: &Arc<ClientConfig>,
        server: &Arc<ServerConfig>,
        session: Option<ClientSession>,
        seed: u8,
    ) -> Self {
        let (client, server, now) = (Arc::clone(client), Arc::clone(server), Instant::ZERO);
        let client = match session {
            None => Connection::client(client, SERVER_NAME, Seed([seed; 32]), now),
            Some(session) => Connection::resume(client, SERVER_NAME, session, Seed([seed; 32]), now),
        };
        let server = Connection::server(server, address(0, false), Seed([seed + 1; 32]), now);
        let mut pair = Self {
            setup,
            ends: [client.expect("a good configuration"), server.expect("a good configuration")],
            waiting: [Vec::new(), Vec::new()],
            now,
            wake: [None; 2],
            key_log: Vec::new(),
            established: [false; 2],
            failed: [false; 2],
            received: [Vec::new(), Vec::new()],
            session: None,
        };
        if setup.has_connection_ids() {
            pair.ends[0].set_peer_address(address(1, false));
        }
        pair.drain(0);
        pair.drain(1);
        pair
    }

    /// Takes all that an end has to say. An end that never stops is a bug.
    pub(crate) fn drain(&mut self, end: usize) {
        for _ in 0..2000 {
            match self.ends[end].poll_output() {
                Output::Datagram(bytes) => self.send(end, bytes),
                Output::DatagramTo { address: to, datagram } => {
                    assert!(self.setup.has_connection_ids(), "there is one path only");
                    assert!([address(1 - end, false), address(1 - end, true)].contains(&&*to), "where nobody is");
                    self.send(end, datagram);
                }
                Output::Event(event) => match event {
                    Event::Established { .. } => self.established[end] = true,
                    Event::Failed(_) => self.failed[end] = true,
                    Event::KeyLog(line) => self.key_log.push(line),
                    Event::Data(data) | Event::EarlyData(data) => self.received[end].push(data),
                    Event::Session(session) => self.session = Some(session),
                    _ => {}
                },
                Output::WakeAt(at) => return self.wake[end] = Some(at),
                Output::Idle => return self.wake[end] = None,
            }
        }
        panic!("an end does not stop talking");
    }

    fn send(&mut self, from: usize, datagram: Vec<u8>) {
        assert!(!datagram.is_empty(), "an empty datagram");
        assert!(datagram.len() <= MTU, "{} bytes are above the MTU", datagram.len());
        if self.waiting[1 - from].len() < WAITING_MAX {
            self.waiting[1 - from].push(datagram);
        }
    }

    /// Delivers a datagram from where the sender was at first.
    pub(crate) fn deliver(&mut self, to: usize, datagram: &[u8]) {
        self.deliver_from(to, datagram, false);
    }

    /// Delivers a datagram, from the sender's other place or not. Where there are no connection IDs nobody moves.
    pub(crate) fn deliver_from(&mut self, to: usize, datagram: &[u8], elsewhere: bool) {
        if self.setup.has_connection_ids() {
            self.ends[to].handle_datagram_from(self.now, address(1 - to, elsewhere), datagram);
        } else {
            self.ends[to].handle_datagram(self.now, datagram);
        }
        self.drain(to);
    }

    /// Delivers the datagram that has waited longest.
    pub(crate) fn deliver_first(&mut self, to: usize) {
        self.deliver_first_from(to, false);
    }

    pub(crate) fn deliver_first_from(&mut self, to: usize, elsewhere: bool) {
        if !self.waiting[to].is_empty() {
            let datagram = self.waiting[to].remove(0);
            self.deliver_from(to, &datagram, elsewhere);
        }
    }

    /// The application sends at the first opportunity.
    pub(crate) fn send_data(&mut self, from: usize) {
        let end = &mut self.ends[from];
        let _ = if self.established[from] { end.send(self.now, DATA) } else { end.send_early(self.now, DATA) };
        self.drain(from);
    }

    /// Time goes on to the next deadline of either end.
    pub(crate) fn wait(&mut self) {
        let Some(next) = self.wake.into_iter().flatten().min() else { return };
        self.now = self.now.max(next);
        for end in 0..2 {
            if self.wake[end].is_some_and(|at| at <= self.now) {
                self.ends[end].handle_timeout(self.now);
                self.drain(end);
            }
        }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        for end in 0..2 {
            self.ends[end].handle_timeout(self.now);
            self.drain(end);
        }
    }

    /// From here on everything arrives, until both ends are established or one has failed.
    pub(crate) fn calm(&mut self) {
        for _ in 0..40 {
            for _ in 0..WAITING_MAX {
                if self.waiting.iter().all(Vec::is_empty) {
                    break;
                }
                self.deliver_first(1);
                self.deliver_first(0);
            }
            if self.established == [true; 2] || self.failed != [false; 2] {
                return;
            }
            self.wait();
        }
    }
}

/// Where an end is, or seems to be.
pub(crate) fn address(end: usize, elsewhere: bool) -> &'static [u8] {
    match (end, elsewhere) {
        (0, false) => b"client",
        (0, true) => b"client's other address",
        (_, false) => b"server",
        (_, true) => b"server's other address",
    }
}

//! Two connections, and the datagrams between them. With a shared key there are neither signatures nor ephemeral keys,
//! which makes thousands of handshakes a second; with certificates there are fewer, and more messages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dtls_impl::config::{
    CertifiedKey, ClientCredentials, Cookies, EarlyData, Psk, PskMode, ReplayGuard, ServerCredentials, TicketKeys,
    Tickets, UnknownIdentity, Versions,
};
use dtls_impl::crypto::{Secret, rustcrypto};
use dtls_impl::pki::ServerVerifier;
use dtls_impl::{ClientConfig, Connection, Event, Instant, Output, Seed, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// Datagrams that wait to be delivered to one end; more are dropped.
const WAITING_MAX: usize = 64;

pub(crate) struct Pair {
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
}

/// When the certificates are valid, as they are for a century.
const DATE: u64 = 1_800_000_000;

fn shared_key() -> (ClientCredentials, ServerCredentials) {
    let key = Secret::new(vec![9; 16]);
    let client = ClientCredentials::Psk(Psk { identity: b"device".to_vec(), key: key.clone() });
    let keys = BTreeMap::from([(b"device".to_vec(), key)]);
    (client, ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert })
}

/// Ed25519, whose signatures are short and quickly made.
fn certificate() -> (ClientCredentials, ServerCredentials) {
    let own = CertificateDer::from(&include_bytes!("certificates/end.der")[..]);
    let key = PrivatePkcs8KeyDer::from(&include_bytes!("certificates/end.key.der")[..]);
    let root = CertificateDer::from(&include_bytes!("certificates/root.der")[..]);
    let own = CertifiedKey::new(&*rustcrypto::provider(), vec![own], &key.into()).expect("a key and its certificate");
    let verifier = Arc::new(ServerVerifier::new(vec![root]).expect("a root"));
    (ClientCredentials::Certificate { verifier }, ServerCredentials::Certificate(own))
}

/// Version, cookies, tickets and credentials come from one byte.
pub(crate) fn configs(choice: u8) -> (ClientConfig, ServerConfig) {
    let (client, server) = if choice & 16 == 0 { shared_key() } else { certificate() };
    let cookies = if choice & 4 == 0 { Cookies::Required { secret: Secret::new(vec![7; 32]) } } else { Cookies::Off };
    let mut client = ClientConfig::new(rustcrypto::provider(), client);
    let mut server = ServerConfig::new(rustcrypto::provider(), server, cookies);
    let versions = [Versions::Dtls12, Versions::Dtls13, Versions::Both, Versions::Dtls13][usize::from(choice & 3)];
    for common in [&mut client.common, &mut server.common] {
        common.versions = versions;
        common.psk_modes = vec![PskMode::Ke];
        common.key_log = true;
        common.mtu = 256;
        common.unix_time = DATE;
        // No ephemeral keys beside the shared one in 1.2 either.
        common.cipher_suites.retain(|suite| !suite.to_string().starts_with("TLS_ECDHE_PSK"));
    }
    if choice & 8 != 0 {
        server.tickets = Some(Tickets::new(TicketKeys::new([7; 32])));
        server.early_data = Some(EarlyData::new(Arc::new(ReplayGuard::new(4))));
        client.early_data = true;
    }
    (client, server)
}

impl Pair {
    pub(crate) fn new(choice: u8) -> Self {
        let (client, server) = configs(choice);
        let now = Instant::ZERO;
        let client = Connection::client(Arc::new(client), Some("server.example"), Seed([1; 32]), now);
        let server = Connection::server(Arc::new(server), b"client", Seed([2; 32]), now);
        let mut pair = Self {
            ends: [client.expect("a good configuration"), server.expect("a good configuration")],
            waiting: [Vec::new(), Vec::new()],
            now,
            wake: [None; 2],
            key_log: Vec::new(),
            established: [false; 2],
            failed: [false; 2],
            received: [Vec::new(), Vec::new()],
        };
        pair.drain(0);
        pair.drain(1);
        pair
    }

    /// Takes all that an end has to say. An end that never stops is a bug.
    pub(crate) fn drain(&mut self, end: usize) {
        for _ in 0..2000 {
            match self.ends[end].poll_output() {
                Output::Datagram(bytes) => {
                    assert!(!bytes.is_empty(), "an empty datagram");
                    assert!(bytes.len() <= 256, "{} bytes are above the MTU", bytes.len());
                    if self.waiting[1 - end].len() < WAITING_MAX {
                        self.waiting[1 - end].push(bytes);
                    }
                }
                Output::DatagramTo { .. } => panic!("there is one path only"),
                Output::Event(event) => match event {
                    Event::Established { .. } => self.established[end] = true,
                    Event::Failed(_) => self.failed[end] = true,
                    Event::KeyLog(line) => self.key_log.push(line),
                    Event::Data(data) => self.received[end].push(data),
                    _ => {}
                },
                Output::WakeAt(at) => return self.wake[end] = Some(at),
                Output::Idle => return self.wake[end] = None,
            }
        }
        panic!("an end does not stop talking");
    }

    pub(crate) fn deliver(&mut self, to: usize, datagram: &[u8]) {
        self.ends[to].handle_datagram(self.now, datagram);
        self.drain(to);
    }

    /// Delivers the datagram that has waited longest.
    pub(crate) fn deliver_first(&mut self, to: usize) {
        if !self.waiting[to].is_empty() {
            let datagram = self.waiting[to].remove(0);
            self.deliver(to, &datagram);
        }
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

    /// From here on everything arrives. `true` if both ends could be asked to talk and did.
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

//! The hash of a trace: one number that says whether two runs were the same.
//!
//! It is the first 64 bits of SHA-256 over a canonical encoding, format version 1: the line `windtunnel trace 1`, then
//! every event as its instant (nanoseconds, 64 bits), a tag of 8 bits and its fields in the order of their declaration.
//! Numbers are big-endian in their declared width; byte strings and texts have their length in 64 bits before them, lists
//! their number of elements; roles are 0 for the client and 1 for the server; an absent value is 0, a present one is 1 and
//! the value. Tags follow the order of declaration, from 0. What was added later has the tags after those: 8 is the visit of
//! an event that is not of the first, before its own tag, and 9 the path of a datagram, before the tag of its sending.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use sha2::{Digest, Sha256};

use super::{Cause, End, Event, Fate, FaultAction, Path, Refusal, Sent, Trace, Visit, What};
use crate::endpoint::{Ask, EndpointEvent, Negotiated, Role};

/// Hash of a trace. Shown as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TraceHash(pub u64);

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Trace {
    /// The hash of all events.
    pub fn hash(&self) -> TraceHash {
        let mut encoder = Encoder(Sha256::new());
        encoder.0.update(b"windtunnel trace 1\n");
        for event in &self.events {
            encoder.event(event);
        }
        let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(encoder.0.finalize());
        TraceHash(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

struct Encoder(Sha256);

impl Encoder {
    fn u8(&mut self, value: u8) {
        self.0.update([value]);
    }

    fn u16(&mut self, value: u16) {
        self.0.update(value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.0.update(value.to_be_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.update(value.to_be_bytes());
    }

    fn length(&mut self, length: usize) {
        self.u64(length as u64);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.update(bytes);
    }

    fn role(&mut self, role: Role) {
        self.u8(match role {
            Role::Client => 0,
            Role::Server => 1,
        });
    }

    fn event(&mut self, event: &Event) {
        self.u64(event.at.as_nanos());
        if event.visit != Visit::FIRST {
            self.u8(8);
            self.u16(event.visit.0);
        }
        match &event.what {
            What::Sent(Sent { id, from, path, index, bytes, fate }) => {
                if let Some(path) = path {
                    self.path(path);
                }
                self.u8(0);
                self.u32(id.0);
                self.role(*from);
                self.u32(*index);
                self.bytes(bytes);
                self.fate(fate);
            }
            What::Released { id, copy, due } => {
                self.u8(1);
                self.u32(id.0);
                self.u8(*copy);
                self.u64(due.as_nanos());
            }
            What::Delivered { id, copy } => {
                self.u8(2);
                self.u32(id.0);
                self.u8(*copy);
            }
            What::Timer(role) => {
                self.u8(3);
                self.role(*role);
            }
            What::Endpoint(role, event) => {
                self.u8(4);
                self.role(*role);
                self.endpoint_event(event);
            }
            What::AppSend(role, data) => {
                self.u8(5);
                self.role(*role);
                self.bytes(data);
            }
            What::AppClose(role) => {
                self.u8(6);
                self.role(*role);
            }
            What::End(end) => {
                self.u8(7);
                self.end(end);
            }
            What::Refused { id, copy, why } => {
                self.u8(10);
                self.u32(id.0);
                self.u8(*copy);
                self.u8(match why {
                    Refusal::NoMapping => 0,
                    Refusal::NobodyThere => 1,
                });
            }
            What::Rebound(outside) => {
                self.u8(11);
                self.address(*outside);
            }
            What::AppSendEarly(data) => {
                self.u8(12);
                self.bytes(data);
            }
            What::TooBig(role, mtu) => {
                self.u8(14);
                self.role(*role);
                self.u32(*mtu);
            }
            What::AppAsk(role, ask) => {
                self.u8(13);
                self.role(*role);
                let (tag, value) = match ask {
                    Ask::UpdateKeys { request_peer } => (0, u8::from(*request_peer)),
                    Ask::RequestConnectionIds(count) => (1, *count),
                    Ask::NewConnectionIds(count) => (2, *count),
                    Ask::ReplaceConnectionIds(count) => (3, *count),
                };
                self.u8(tag);
                self.u8(value);
            }
        }
    }

    fn fate(&mut self, Fate { causes, copies }: &Fate) {
        self.length(causes.len());
        for cause in causes {
            self.cause(cause);
        }
        self.length(copies.len());
        for copy in copies {
            if let Some(source) = copy.forged {
                self.u8(2);
                self.address(source);
            }
            match copy.due {
                None => self.u8(0),
                Some(due) => {
                    self.u8(1);
                    self.u64(due.as_nanos());
                }
            }
        }
    }

    fn cause(&mut self, cause: &Cause) {
        match cause {
            Cause::Mtu { size, limit } => {
                self.u8(0);
                self.u32(*size);
                self.u32(*limit);
            }
            Cause::Fault { fault, action } => {
                self.u8(1);
                self.u16(*fault);
                self.u8(match action {
                    FaultAction::Drop => 0,
                    FaultAction::Duplicate => 1,
                    FaultAction::Delay => 2,
                    FaultAction::Hold => 3,
                    FaultAction::Replay => 4,
                });
            }
            Cause::Blackhole { fault } => {
                self.u8(2);
                self.u16(*fault);
            }
            Cause::Loss => self.u8(3),
            Cause::LossBurst => self.u8(4),
            Cause::Duplicate => self.u8(5),
            Cause::QueueFull { queued, limit } => {
                self.u8(6);
                self.u32(*queued);
                self.u32(*limit);
            }
            Cause::Reorder => self.u8(7),
        }
    }

    fn endpoint_event(&mut self, event: &EndpointEvent) {
        let (tag, bytes): (u8, &[u8]) = match event {
            EndpointEvent::Established { suite } => (0, suite.as_bytes()),
            EndpointEvent::Data(data) => (1, data),
            EndpointEvent::PeerClosed => {
                self.u8(2);
                return;
            }
            EndpointEvent::Failed(text) => (3, text.as_bytes()),
            EndpointEvent::Discarded(text) => (4, text.as_bytes()),
            EndpointEvent::KeyLog(line) => (5, line.as_bytes()),
            EndpointEvent::SendRefused(text) => (6, text.as_bytes()),
            EndpointEvent::Session(_) => (7, &[]),
            EndpointEvent::EarlyData(data) => (8, data),
            EndpointEvent::EarlyDataAnswer { accepted } => (9, if *accepted { &[1] } else { &[0] }),
            EndpointEvent::PeerMoved(address) => {
                self.u8(10);
                self.address(*address);
                return;
            }
            EndpointEvent::Negotiated(what) => {
                self.u8(11);
                self.negotiated(what);
                return;
            }
        };
        self.u8(tag);
        self.bytes(bytes);
    }

    fn negotiated(&mut self, what: &Negotiated) {
        match what {
            Negotiated::Resumed => self.u8(0),
            Negotiated::Peer(name) => {
                self.u8(1);
                self.bytes(name.as_bytes());
            }
            Negotiated::Alpn(protocol) => {
                self.u8(2);
                self.bytes(protocol.as_bytes());
            }
        }
    }

    fn path(&mut self, Path { inside, outside }: &Path) {
        self.u8(9);
        match inside {
            None => self.u8(0),
            Some(inside) => {
                self.u8(1);
                self.address(*inside);
            }
        }
        self.address(*outside);
    }

    /// The IP address as bytes, and the port.
    fn address(&mut self, address: SocketAddr) {
        match address.ip() {
            IpAddr::V4(ip) => self.bytes(&ip.octets()),
            IpAddr::V6(ip) => self.bytes(&ip.octets()),
        }
        self.u16(address.port());
    }

    fn end(&mut self, end: &End) {
        match end {
            End::Quiescent => self.u8(0),
            End::Duration => self.u8(1),
            End::Broken { role, what } => {
                self.u8(2);
                self.role(*role);
                self.bytes(what.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SimTime;
    use crate::trace::{Copy, DatagramId};

    fn trace(events: Vec<What>) -> Trace {
        Trace {
            events: events
                .into_iter()
                .map(|what| Event { at: SimTime::from_nanos(5), visit: Visit::FIRST, what })
                .collect(),
        }
    }

    fn sent(fate: Fate) -> What {
        let bytes = Arc::from(*b"abc");
        What::Sent(Sent { id: DatagramId(0), from: Role::Client, path: None, index: 0, bytes, fate })
    }

    fn copy(due: Option<SimTime>) -> Copy {
        Copy { due, forged: None }
    }

    fn somewhere(port: u16) -> SocketAddr {
        SocketAddr::from(([203, 0, 113, 1], port))
    }

    fn of_visit(visit: u16, what: What) -> Trace {
        Trace { events: vec![Event { at: SimTime::from_nanos(5), visit: Visit(visit), what }] }
    }

    fn on_path(inside: Option<SocketAddr>) -> What {
        let What::Sent(sent) = sent(Fate::default()) else { panic!() };
        What::Sent(Sent { path: Some(Path { inside, outside: somewhere(1) }), ..sent })
    }

    use std::sync::Arc;

    /// Hashes stand in goldens and tokens: if this changes, raise the version in the first line of the encoding.
    #[test]
    fn the_encoding_of_version_1_stays_as_it_is() {
        let copies = vec![copy(Some(SimTime::from_nanos(9))), copy(None)];
        let fate = Fate { causes: vec![Cause::Duplicate, Cause::Reorder], copies };
        let one = trace(vec![sent(fate), What::Timer(Role::Server), What::End(End::Quiescent)]);
        assert_eq!(one.hash().to_string(), "fb30f0ea60232759");
        assert_eq!(Trace::default().hash().to_string(), "20f86dbf173c95e6");
    }

    #[test]
    fn every_difference_shows() {
        let traces = [
            trace(vec![]),
            trace(vec![What::Timer(Role::Client)]),
            trace(vec![What::Timer(Role::Server)]),
            trace(vec![What::Timer(Role::Client), What::Timer(Role::Client)]),
            trace(vec![What::AppClose(Role::Client)]),
            trace(vec![What::AppSend(Role::Client, vec![])]),
            trace(vec![What::AppSend(Role::Client, vec![0])]),
            trace(vec![sent(Fate::default())]),
            trace(vec![sent(Fate { causes: vec![Cause::Loss], copies: vec![] })]),
            trace(vec![sent(Fate { causes: vec![Cause::LossBurst], copies: vec![] })]),
            trace(vec![sent(Fate { causes: vec![], copies: vec![copy(None)] })]),
            trace(vec![sent(Fate { causes: vec![], copies: vec![Copy { due: None, forged: Some(somewhere(1)) }] })]),
            trace(vec![sent(Fate { causes: vec![], copies: vec![Copy { due: None, forged: Some(somewhere(2)) }] })]),
            trace(vec![What::TooBig(Role::Client, 600)]),
            trace(vec![What::TooBig(Role::Client, 601)]),
            trace(vec![What::Rebound(somewhere(1))]),
            trace(vec![What::Rebound(somewhere(2))]),
            trace(vec![What::Refused { id: DatagramId(0), copy: 0, why: Refusal::NoMapping }]),
            trace(vec![What::Refused { id: DatagramId(0), copy: 0, why: Refusal::NobodyThere }]),
            of_visit(2, What::Timer(Role::Client)),
            of_visit(3, What::Timer(Role::Client)),
            trace(vec![on_path(None)]),
            trace(vec![on_path(Some(somewhere(1)))]),
            trace(vec![on_path(Some(somewhere(2)))]),
        ];
        let mut hashes: Vec<_> = traces.iter().map(Trace::hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), traces.len());
    }
}

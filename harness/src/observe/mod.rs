//! What a trace shows: datagrams read and decrypted with what became of them, flights with their transmissions, what
//! the endpoints reported, what the network did.
//!
//! A pure function of the trace. Says what happened, never whether it should have: that is the judge's part.

mod flights;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use flights::{Flight, PartKey, Parts, Transmission};

use crate::dissect::{Body, Dissected, Dissector, Message};
use crate::endpoint::{EndpointEvent, Negotiated, Role};
use crate::scenario::Impairment;
use crate::time::SimTime;
use crate::trace::{Cause, DatagramId, Sent, Trace, Visit, What};

/// Everything a trace shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// All datagrams in the order of sending.
    pub datagrams: Vec<Datagram>,
    /// What is in each of them.
    pub dissected: Vec<Dissected>,
    /// Flights in the order of their first appearance.
    pub flights: Vec<Flight>,
    /// Messages in the order of their first appearance, whoever sent them, each once.
    pub messages: Vec<Message>,
    /// What became of each end, client first.
    pub outcomes: [Outcome; 2],
    /// Alerts that could be read.
    pub alerts: Vec<AlertSeen>,
    /// Records dropped quietly, as reported: when, by whom, why.
    pub discards: Vec<(SimTime, Role, String)>,
    /// When messages of the client came back to it, unchanged; a message that comes back again does not count.
    pub echoes: Vec<SimTime>,
    /// When application data was handed to which end, early data aside.
    pub data: Vec<(SimTime, Role)>,
    /// When early data was sent, and when handed to the server.
    pub early: EarlySeen,
    /// What the ends said of the handshake besides that it is complete.
    pub negotiated: Vec<(Role, Negotiated)>,
    /// When which end became sure that its peer has another address.
    pub moved: Vec<(SimTime, Role)>,
    /// What the network did at random or for want of room.
    pub impairments: ImpairmentCounts,
    /// How often each scripted fault struck, by its index.
    pub struck: BTreeMap<u16, u64>,
    /// The last instant of the run.
    pub end: SimTime,
}

/// A datagram and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Its number in the run.
    pub id: DatagramId,
    /// Its association.
    pub visit: Visit,
    /// When it was sent.
    pub at: SimTime,
    /// By whom.
    pub from: Role,
    /// Bytes of UDP payload.
    pub size: usize,
    /// What the stages of the link did to it.
    pub causes: Vec<Cause>,
    /// Whether no copy of it is to arrive.
    pub dropped: bool,
    /// When its copies arrived.
    pub delivered: Vec<SimTime>,
    /// Whether it arrived after one sent later in its direction.
    pub overtaken: bool,
}

/// What became of one end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// When it was established.
    pub established: Option<SimTime>,
    /// When and with what error it ended.
    pub failed: Option<(SimTime, String)>,
    /// When it learned that the peer has closed.
    pub peer_closed: Option<SimTime>,
}

/// What became of early data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EarlySeen {
    /// When the client's application gave it to its endpoint.
    pub sent: Vec<SimTime>,
    /// When the server's application got it.
    pub delivered: Vec<SimTime>,
    /// What the client was told, accepted or not.
    pub accepted: Option<bool>,
}

/// An alert on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertSeen {
    /// Index of its datagram.
    pub datagram: usize,
    /// Who sent it.
    pub from: Role,
    /// 1 warning, 2 fatal.
    pub level: u8,
    /// Code of RFC 5246 §7.2.
    pub description: u8,
}

/// How often each kind of impairment happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImpairmentCounts {
    /// Random loss, single or in bursts.
    pub loss: u64,
    /// Random duplication.
    pub duplicate: u64,
    /// Datagrams that arrived after one sent later in their direction.
    pub reordered: u64,
    /// Queue overflows.
    pub queue_full: u64,
    /// Packets larger than the link's MTU.
    pub mtu: u64,
}

impl ImpairmentCounts {
    /// The count of one kind.
    pub const fn of(&self, impairment: Impairment) -> u64 {
        match impairment {
            Impairment::Loss => self.loss,
            Impairment::Duplicate => self.duplicate,
            Impairment::Reordered => self.reordered,
            Impairment::QueueFull => self.queue_full,
            Impairment::Mtu => self.mtu,
        }
    }
}

impl Observation {
    /// Place in [`datagrams`](Self::datagrams) of the datagram with this number.
    pub fn index_of(&self, id: DatagramId) -> Option<usize> {
        self.datagrams.binary_search_by_key(&id, |datagram| datagram.id).ok()
    }

    /// All datagrams with what is in them, in the order of sending.
    pub fn read(&self) -> impl Iterator<Item = (&Datagram, &Dissected)> {
        self.datagrams.iter().zip(&self.dissected)
    }

    /// What became of this end.
    pub const fn outcome(&self, role: Role) -> &Outcome {
        &self.outcomes[role as usize]
    }

    /// When the first ClientHello was sent: where the clocks of the handshake start.
    pub fn started(&self) -> Option<SimTime> {
        let hello = self.flights.iter().find(|flight| flight.from == Role::Client)?;
        hello.transmissions.first().map(|transmission| transmission.at)
    }

    /// All transmissions of a flight, in the order of sending.
    pub fn transmissions(&self, flight: u8) -> impl Iterator<Item = &Transmission> {
        self.flights.iter().filter(move |found| found.number == flight).flat_map(|flight| &flight.transmissions)
    }

    /// When the client first got from the server what only a server sends that has the client's last flight of DTLS 1.3:
    /// an ACK or application data of epoch 3 (RFC 9147 §7.1).
    pub fn confirmed13(&self) -> Option<SimTime> {
        let confirms = |read: &Dissected| {
            read.records
                .iter()
                .any(|record| record.epoch >= 3 && matches!(record.body, Body::Ack(_) | Body::ApplicationData(_)))
        };
        let of_server = self.read().filter(|(datagram, _)| datagram.from == Role::Server);
        of_server
            .filter(|(_, read)| confirms(read))
            .filter_map(|(datagram, _)| datagram.delivered.first().copied())
            .min()
    }

    /// Whether the server answered with an abbreviated handshake (RFC 5246 §7.3): its Finished is in flight 4.
    pub fn is_abbreviated(&self) -> bool {
        self.transmissions(4).any(|transmission| transmission.parts.has(PartKey::ChangeCipherSpec))
    }
}

/// Reads a trace. All its associations are in what comes out: [`observe_visit`] tells them apart.
pub fn observe(trace: &Trace) -> Observation {
    observe_some(trace, |_| true)
}

/// Reads what belongs to one association. What happens to the run as a whole is not in it.
pub fn observe_visit(trace: &Trace, visit: Visit) -> Observation {
    observe_some(trace, |other| other == visit)
}

fn observe_some(trace: &Trace, wanted: impl Fn(Visit) -> bool) -> Observation {
    let mut observer = Observer::default();
    // Some stacks log keys only after they have used them: all lines first, then the datagrams.
    for event in &trace.events {
        if let What::Endpoint(_, EndpointEvent::KeyLog(line)) = &event.what {
            observer.dissectors.entry(event.visit).or_default().learn_key_log(line);
        }
    }
    for event in trace.events.iter().filter(|event| wanted(event.visit)) {
        observer.event(event.at, event.visit, &event.what);
    }
    let mut seen = observer.seen;
    seen.flights = observer.flights.finish();
    seen.end = trace.events.last().map_or(SimTime::ZERO, |event| event.at);
    seen
}

#[derive(Debug, Default)]
struct Observer<'a> {
    /// One for each association.
    dissectors: BTreeMap<Visit, Dissector>,
    flights: flights::Grouping,
    seen: Observation,
    /// Messages the client has sent and not got back, by association.
    awaited: BTreeMap<(Visit, &'a [u8]), u32>,
    /// Highest number that arrived, per association and sender.
    latest: BTreeMap<(Visit, Role), DatagramId>,
}

impl<'a> Observer<'a> {
    fn event(&mut self, at: SimTime, visit: Visit, what: &'a What) {
        match what {
            What::Sent(sent) => self.sent(at, visit, sent),
            What::Delivered { id, .. } => self.delivered(at, *id),
            What::Endpoint(role, event) => self.reported(at, visit, *role, event),
            What::AppSend(Role::Client, data) => *self.awaited.entry((visit, data)).or_default() += 1,
            What::AppSendEarly(data) => {
                *self.awaited.entry((visit, data)).or_default() += 1;
                self.seen.early.sent.push(at);
            }
            What::AppSend(Role::Server, _)
            | What::Released { .. }
            | What::Timer(_)
            | What::AppClose(_)
            | What::AppAsk(..)
            | What::Refused { .. }
            | What::TooBig(..)
            | What::Rebound(_)
            | What::End(_) => {}
        }
    }

    fn sent(&mut self, at: SimTime, visit: Visit, sent: &Sent) {
        let index = self.seen.datagrams.len();
        let read = self.dissectors.entry(visit).or_default().datagram(sent.from, &sent.bytes);
        for cause in &sent.fate.causes {
            self.impaired(cause);
        }
        for record in &read.records {
            match &record.body {
                &Body::Alert { level, description } => {
                    self.seen.alerts.push(AlertSeen { datagram: index, from: sent.from, level, description });
                }
                Body::ChangeCipherSpec { .. } => self.message(Message::ChangeCipherSpec),
                Body::Sealed { attempt: 1.. } => self.message(Message::Finished),
                Body::Handshake(fragments) => {
                    fragments.iter().filter_map(|fragment| fragment.message).for_each(|message| self.message(message));
                }
                Body::Sealed { .. }
                | Body::ApplicationData(_)
                | Body::Ack(_)
                | Body::PathCheck(_)
                | Body::Malformed(_) => {}
            }
        }
        let dropped = sent.fate.copies.is_empty();
        self.flights.datagram(index, (at, visit, sent.from), dropped, &read);
        self.seen.datagrams.push(Datagram {
            id: sent.id,
            visit,
            at,
            from: sent.from,
            size: sent.bytes.len(),
            causes: sent.fate.causes.clone(),
            dropped,
            delivered: Vec::new(),
            overtaken: false,
        });
        self.seen.dissected.push(read);
    }

    fn message(&mut self, message: Message) {
        if !self.seen.messages.contains(&message) {
            self.seen.messages.push(message);
        }
    }

    fn impaired(&mut self, cause: &Cause) {
        let counts = &mut self.seen.impairments;
        match cause {
            Cause::Loss | Cause::LossBurst => counts.loss += 1,
            Cause::Duplicate => counts.duplicate += 1,
            Cause::QueueFull { .. } => counts.queue_full += 1,
            Cause::Mtu { .. } => counts.mtu += 1,
            Cause::Fault { fault, .. } | Cause::Blackhole { fault } => {
                *self.seen.struck.entry(*fault).or_default() += 1;
            }
            // Only what was overtaken counts as reordered, not what was held for nothing.
            Cause::Reorder => {}
        }
    }

    fn delivered(&mut self, at: SimTime, id: DatagramId) {
        let Some(index) = self.seen.index_of(id) else { return };
        let datagram = &mut self.seen.datagrams[index];
        let latest = self.latest.entry((datagram.visit, datagram.from)).or_insert(id);
        if datagram.delivered.is_empty() && *latest > id {
            datagram.overtaken = true;
            self.seen.impairments.reordered += 1;
        }
        datagram.delivered.push(at);
        *latest = (*latest).max(id);
    }

    fn reported(&mut self, at: SimTime, visit: Visit, role: Role, event: &'a EndpointEvent) {
        let outcome = &mut self.seen.outcomes[role as usize];
        match event {
            EndpointEvent::Established { .. } => _ = outcome.established.get_or_insert(at),
            EndpointEvent::Failed(why) => _ = outcome.failed.get_or_insert_with(|| (at, why.clone())),
            EndpointEvent::PeerClosed => _ = outcome.peer_closed.get_or_insert(at),
            EndpointEvent::Discarded(why) => self.seen.discards.push((at, role, why.clone())),
            EndpointEvent::Data(data) => {
                self.seen.data.push((at, role));
                let awaited = self.awaited.get_mut(&(visit, data.as_slice()));
                if let Some(left) = awaited.filter(|left| role == Role::Client && **left > 0) {
                    *left -= 1;
                    self.seen.echoes.push(at);
                }
            }
            EndpointEvent::EarlyData(_) => self.seen.early.delivered.push(at),
            EndpointEvent::EarlyDataAnswer { accepted } => self.seen.early.accepted = Some(*accepted),
            EndpointEvent::PeerMoved(_) => self.seen.moved.push((at, role)),
            EndpointEvent::Negotiated(what) => self.seen.negotiated.push((role, what.clone())),
            EndpointEvent::KeyLog(_) | EndpointEvent::SendRefused(_) | EndpointEvent::Session(_) => {}
        }
    }
}

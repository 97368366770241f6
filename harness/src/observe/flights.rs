//! Datagrams to flights and their transmissions, and which retransmissions were needed.

use std::collections::{BTreeMap, BTreeSet};

use crate::dissect::{Body, Coverage, Dissected};
use crate::endpoint::Role;
use crate::time::SimTime;
use crate::trace::Visit;

/// A flight with all its transmissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// Its association as the run counts.
    pub visit: Visit,
    /// Which one on the same addresses, from 1: a client that begins anew begins the next.
    pub association: u32,
    /// Its number by its place in the full handshake with cookie (RFC 6347 §4.2.4, figure 1).
    pub number: u8,
    /// Who sends it.
    pub from: Role,
    /// Its transmissions, first to last.
    pub transmissions: Vec<Transmission>,
}

/// One sending of a flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmission {
    /// Which it is, from 1.
    pub attempt: u32,
    /// When its first datagram was sent.
    pub at: SimTime,
    /// Its datagrams, by their index in the observation.
    pub datagrams: Vec<usize>,
    /// What it carries.
    pub parts: Parts,
    /// A retransmission for which nothing had been lost: when it began, every byte that this end had sent of the flight
    /// had gone out in a datagram that was or will be delivered, and so had every byte that the peer had sent of later
    /// flights, and every ACK of the peer's. That datagrams are slow makes a retransmission no less spurious.
    pub spurious: bool,
}

/// What is carried: parts of flights and how much of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts(BTreeMap<PartKey, Part>);

/// A part of a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartKey {
    /// A handshake message.
    Message {
        /// Its `message_seq`.
        message_seq: u16,
        /// Code of its type.
        code: u8,
        /// Length of the whole message.
        length: u32,
    },
    /// A ChangeCipherSpec.
    ChangeCipherSpec,
    /// A handshake record that cannot be read.
    Sealed,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Part {
    coverage: Coverage,
    fragments: u64,
}

impl Parts {
    /// Whether anything of this part is carried.
    pub fn has(&self, key: PartKey) -> bool {
        self.0.contains_key(&key)
    }

    /// Parts in the order of their keys, each with the number of fragments that carry it.
    pub fn iter(&self) -> impl Iterator<Item = (PartKey, u64)> {
        self.0.iter().map(|(key, part)| (*key, part.fragments))
    }

    /// The first part of `others` that is not carried in full here, whether in full there or not.
    pub fn first_incomplete<'a>(&self, others: impl IntoIterator<Item = &'a Self>) -> Option<PartKey> {
        let mut keys = others.into_iter().flat_map(|parts| parts.0.keys());
        keys.find(|key| {
            let length = match key {
                PartKey::Message { length, .. } => *length,
                PartKey::ChangeCipherSpec | PartKey::Sealed => 0,
            };
            self.0.get(key).is_none_or(|part| !part.coverage.is_complete(length))
        })
        .copied()
    }

    /// Whether every byte that `other` carries is carried here too.
    fn includes(&self, other: &Self) -> bool {
        other.0.iter().all(|(key, part)| self.0.get(key).is_some_and(|mine| mine.coverage.includes(&part.coverage)))
    }

    fn add(&mut self, key: PartKey, offset: u32, len: u32) {
        let part = self.0.entry(key).or_default();
        part.fragments += 1;
        let carries_nothing = matches!(key, PartKey::Message { length: 1.., .. }) && len == 0;
        if !carries_nothing && part.coverage.least(offset, offset + len) == 0 {
            part.coverage.send(offset, offset + len);
        }
    }

    /// Adds what a datagram carries of one flight.
    fn add_datagram(&mut self, flight: u8, read: &Dissected) {
        for record in &read.records {
            match &record.body {
                Body::Handshake(fragments) => {
                    for fragment in fragments.iter().filter(|fragment| fragment.flight == Some(flight)) {
                        let (message_seq, code, length) = (fragment.message_seq, fragment.code, fragment.length);
                        self.add(PartKey::Message { message_seq, code, length }, fragment.offset, fragment.len);
                    }
                }
                Body::ChangeCipherSpec { .. } => self.add(PartKey::ChangeCipherSpec, 0, 0),
                Body::Sealed { attempt: 1.. } => self.add(PartKey::Sealed, 0, 0),
                Body::Sealed { .. }
                | Body::Alert { .. }
                | Body::ApplicationData(_)
                | Body::Ack(_)
                | Body::PathCheck(_)
                | Body::Malformed(_) => {}
            }
        }
    }
}

/// Flights while the datagrams come in.
#[derive(Debug, Default)]
pub(super) struct Grouping {
    flights: Vec<Growing>,
    /// Who has lost a datagram with an ACK, in which association.
    ack_lost: BTreeSet<(Visit, Role)>,
}

#[derive(Debug)]
struct Growing {
    flight: Flight,
    /// Everything sent of it, and everything sent of it in datagrams that arrive.
    sent: Parts,
    safe: Parts,
}

impl Grouping {
    pub(super) fn datagram(
        &mut self,
        index: usize,
        (at, visit, from): (SimTime, Visit, Role),
        dropped: bool,
        read: &Dissected,
    ) {
        if dropped && read.records.iter().any(|record| matches!(record.body, Body::Ack(_))) {
            self.ack_lost.insert((visit, from));
        }
        let Some(number) = read.flight else { return };
        let place = self.place(visit, read.association, number, from);
        let transmissions = &self.flights[place].flight.transmissions;
        let which = match transmissions.binary_search_by_key(&read.attempt, |transmission| transmission.attempt) {
            Ok(which) => which,
            Err(which) => {
                let transmission = Transmission {
                    attempt: read.attempt,
                    at,
                    datagrams: Vec::new(),
                    parts: Parts::default(),
                    spurious: which > 0 && self.nothing_lost(place),
                };
                self.flights[place].flight.transmissions.insert(which, transmission);
                which
            }
        };
        let growing = &mut self.flights[place];
        let transmission = &mut growing.flight.transmissions[which];
        transmission.datagrams.push(index);
        transmission.parts.add_datagram(number, read);
        growing.sent.add_datagram(number, read);
        if !dropped {
            growing.safe.add_datagram(number, read);
        }
    }

    pub(super) fn finish(self) -> Vec<Flight> {
        self.flights.into_iter().map(|growing| growing.flight).collect()
    }

    /// Where the flight is kept. It is among the last few, unless the visits of many clients are mixed.
    fn place(&mut self, visit: Visit, association: u32, number: u8, from: Role) -> usize {
        let found = self.flights.iter().rposition(|Growing { flight, .. }| {
            (flight.visit, flight.association, flight.number) == (visit, association, number)
        });
        if let Some(place) = found {
            return place;
        }
        let flight = Flight { visit, association, number, from, transmissions: Vec::new() };
        self.flights.push(Growing { flight, sent: Parts::default(), safe: Parts::default() });
        self.flights.len() - 1
    }

    /// Whether everything sent so far of this flight, of the peer's later ones and of its ACKs arrives.
    fn nothing_lost(&self, place: usize) -> bool {
        let Flight { visit, association, number, from, .. } = self.flights[place].flight;
        let same = self
            .flights
            .iter()
            .filter(|Growing { flight, .. }| (flight.visit, flight.association) == (visit, association));
        !self.ack_lost.contains(&(visit, from.peer()))
            && same
                .filter(|growing| {
                    growing.flight.number == number
                        || (growing.flight.from == from.peer() && growing.flight.number > number)
                })
                .all(|growing| growing.safe.includes(&growing.sent))
    }
}

//! Who takes part, in which association, and which address leads to whom.

use std::net::SocketAddr;

use super::guard::guarded;
use super::host::{Broken, Host};
use super::queue::Alarm;
use super::workload::Applications;
use super::{Made, Simulation};
use crate::addresses;
use crate::dissect::Dissector;
use crate::endpoint::{Endpoint, Role};
use crate::scenario::{VisitSpec, Workload};
use crate::trace::{DatagramId, Refusal, Visit, What};

/// An endpoint with its deadline.
pub(super) struct Party {
    pub(super) role: Role,
    /// The association it began in.
    pub(super) visit: Visit,
    /// Own address of a client; a client's address as its server knows it.
    pub(super) address: SocketAddr,
    pub(super) host: Host,
    pub(super) timer: Alarm,
}

/// What the ends of an association have beside their endpoints.
pub(super) struct Association {
    pub(super) applications: Applications,
    pub(super) acts: [Alarm; 2],
    /// The endpoints, client and server; places in the list of parties. The server's is that which was established last,
    /// or else the first.
    pub(super) parties: [Option<usize>; 2],
    /// Reads its datagrams, if a fault asks what they mean.
    pub(super) dissector: Option<Dissector>,
}

impl Association {
    /// One of the client's visits, or one of no client.
    pub(super) fn new(spec: Option<&VisitSpec>, reading: bool) -> Self {
        let idle = Workload::default();
        Self {
            applications: Applications::new(spec.map_or(&idle, |spec| &spec.workload)),
            acts: [Alarm::default(); 2],
            parties: [None; 2],
            dissector: reading.then(Dissector::new),
        }
    }
}

impl Simulation<'_> {
    /// Association of a datagram, and its address at the client's side as the server sees it.
    pub(super) fn route(&self, id: DatagramId) -> (Visit, SocketAddr) {
        self.datagrams[id.0 as usize]
    }

    /// What a client's address becomes on the way to the server.
    pub(super) fn outside_of(&mut self, inside: SocketAddr) -> SocketAddr {
        let (outside, is_another) = match &mut self.nat {
            Some(nat) => nat.outward(self.now, inside),
            None => (inside, false),
        };
        if is_another {
            self.rebound(inside, outside);
        }
        let visit = self.user_inside(inside);
        self.users.insert(outside, visit);
        outside
    }

    /// A client's address has another address outside.
    pub(super) fn rebound(&mut self, inside: SocketAddr, outside: SocketAddr) {
        let visit = self.user_inside(inside);
        self.note(visit, What::Rebound(outside));
    }

    /// The visit in which the client uses its address.
    pub(super) fn user_inside(&self, inside: SocketAddr) -> Visit {
        self.client_using(inside).map_or(Visit::FIRST, |party| self.parties[party].visit)
    }

    /// The client's endpoint that has this address of its own.
    pub(super) fn client_using(&self, inside: SocketAddr) -> Option<usize> {
        self.parties.iter().rposition(|party| party.role == Role::Client && party.address == inside)
    }

    /// The client's endpoint that a datagram to this address reaches.
    pub(super) fn client_at(&self, outside: SocketAddr) -> Result<usize, Refusal> {
        let inside = match &self.nat {
            Some(nat) if outside.ip() == addresses::OUTSIDE.ip() => {
                nat.inward(self.now, outside).ok_or(Refusal::NoMapping)?
            }
            Some(_) => return Err(Refusal::NobodyThere),
            None => outside,
        };
        self.client_using(inside).ok_or(Refusal::NobodyThere)
    }

    pub(super) fn client_of(&self, visit: Visit) -> Option<usize> {
        self.associations.get(&visit)?.parties[Role::Client as usize]
    }

    /// The server's endpoint for a datagram: that of its source, or one that recognises it, or a new one.
    pub(super) fn server_for(&mut self, source: SocketAddr, datagram: &[u8]) -> Result<usize, Broken> {
        let known = |party: &Party| party.role == Role::Server && party.address == source;
        if let Some(party) = self.parties.iter().rposition(known) {
            return Ok(party);
        }
        for (number, party) in self.parties.iter_mut().enumerate().filter(|(_, party)| party.role == Role::Server) {
            if party.host.owns(datagram)? {
                return Ok(number);
            }
        }
        let (now, hosts) = (self.now, &mut *self.hosts);
        let made = guarded(|| hosts.server(now, source));
        let endpoint = self.made(Role::Server, made)?;
        let visit = self.users.get(&source).copied().unwrap_or_else(|| self.next_stray());
        let party = self.join(Role::Server, visit, source, endpoint);
        self.input(party, |endpoint, now| endpoint.start(now))?;
        Ok(party)
    }

    /// Number for an association with an address that was never the client's.
    pub(super) fn next_stray(&self) -> Visit {
        let highest = self.associations.keys().next_back().map_or(0, |visit| visit.0);
        Visit(highest.max(u16::try_from(self.visits.len()).unwrap_or(u16::MAX)).saturating_add(1))
    }

    pub(super) fn made(&self, role: Role, made: Result<Made, String>) -> Result<Box<dyn Endpoint>, Broken> {
        let made = made.map_err(|message| format!("panicked when an endpoint was made: {message}"));
        made.and_then(|made| made.map_err(|reason| format!("made no endpoint: {reason}")))
            .map_err(|what| Broken::new(role, what))
    }

    /// A new endpoint takes its place.
    pub(super) fn join(&mut self, role: Role, visit: Visit, address: SocketAddr, endpoint: Box<dyn Endpoint>) -> usize {
        let place = self.parties.len();
        let host = Host::new(role, endpoint, self.budget);
        self.parties.push(Party { role, visit, address, host, timer: Alarm::default() });
        let spec = self.visits.get(usize::from(visit.0) - 1);
        let reading = self.faults.need_reading();
        let association = self.associations.entry(visit).or_insert_with(|| Association::new(spec, reading));
        association.parties[role as usize].get_or_insert(place);
        place
    }

    /// The association that an endpoint is in now.
    pub(super) fn visit_of(&self, party: usize) -> Visit {
        let Party { role, visit, address, .. } = &self.parties[party];
        match role {
            Role::Client => *visit,
            Role::Server => self.users.get(address).copied().unwrap_or(*visit),
        }
    }
}

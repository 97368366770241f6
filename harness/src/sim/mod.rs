//! The simulation: two hosts with their endpoints, a link and a workload on virtual time, from one seed to one trace.
//!
//! [`run`] is a plain loop that jumps to the next event. Within one instant the order is fixed: changes of the network,
//! deliveries, deadlines, applications. After each input an endpoint is drained: events, then datagrams, until it has
//! neither. The simulation writes the trace and nothing else.
//!
//! The client has one endpoint for each visit, the server one for each address that it hears from. What arrives at the
//! server goes to the endpoint of its source address, else to one that finds its connection ID in it, else to a new one.
//! The first two endpoints are there from the beginning.
//!
//! A call that never returns cannot be stopped from here; everything else a stack may do wrong ends its run as
//! [`End::Broken`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::addresses;
use crate::endpoint::{Endpoint, EndpointEvent, Role, Session, Transmit};
use crate::scenario::{Begin, Fault, Network, VisitSpec};
use crate::time::SimTime;
use crate::trace::{Copy, DatagramId, End, Event, Path, Sent, Trace, Visit, What};

mod budget;
mod bystander;
mod delay;
mod faults;
mod guard;
mod hold;
mod host;
mod lognormal;
mod loss;
mod nat;
mod normal_table;
mod parties;
mod pipe;
mod queue;
pub mod random;
mod rate;
mod workload;

pub use budget::Budget;
pub use bystander::BystanderCount;
pub use faults::selects;
pub use pipe::IP_UDP_HEADER;
pub use random::entropy;
pub use workload::{ECHO_WAIT, early_message, message, server_message};

use bystander::Bystander;
use faults::Faults;
use guard::guarded;
use host::Broken;
use nat::Nat;
use parties::{Association, Party};
use pipe::{Packet, Pipe, Release};
use queue::{Alarm, Class, Queue, Source};
use random::Draws;
use rate::Air;
use workload::Act;

/// Name of the link between the ends: its draws depend on it.
pub const LINK: &str = "pair";

/// Everything a run is a function of.
pub struct Setup<'a> {
    /// The link, and the hosts beside it.
    pub network: &'a Network,
    /// Scripted faults.
    pub faults: &'a [Fault],
    /// When the client comes, and what the applications do; at least one visit.
    pub visits: &'a [VisitSpec],
    /// When the run ends if it does not end by itself.
    pub duration: Duration,
    /// Root of all randomness of the network.
    pub seed: u64,
    /// The client's endpoint of the first visit.
    pub client: Box<dyn Endpoint>,
    /// The server's for the client's first address.
    pub server: Box<dyn Endpoint>,
    /// Makes all others.
    pub hosts: &'a mut dyn Hosts,
    /// What each endpoint may use up.
    pub budget: Budget,
}

/// Makes the endpoints of a run after the first two.
pub trait Hosts {
    /// The client's endpoint of a later visit, to resume this session if there is one.
    fn client(&mut self, now: SimTime, visit: Visit, local: SocketAddr, session: Option<&Session>) -> Made;
    /// The server's endpoint for an address from which it has heard nothing.
    fn server(&mut self, now: SimTime, peer: SocketAddr) -> Made;
}

/// An endpoint, or why there is none.
pub type Made = Result<Box<dyn Endpoint>, String>;

/// A trace, and what is not part of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What happened between the ends.
    pub trace: Trace,
    /// Steps the loop took.
    pub steps: u64,
    /// What the bystanders did.
    pub bystanders: Vec<BystanderCount>,
}

/// Runs the setup to its end. The last event of the trace says which.
pub fn run(setup: Setup<'_>) -> Trace {
    run_counted(setup).trace
}

/// The same, and tells what the loop and the bystanders did.
pub fn run_counted(setup: Setup<'_>) -> Outcome {
    let mut simulation = Simulation::new(setup);
    let end = simulation.run().unwrap_or_else(End::from);
    simulation.note(Visit::FIRST, What::End(end));
    let bystanders = simulation.bystanders.iter().map(|bystander| bystander.count().clone()).collect();
    Outcome { trace: simulation.trace, steps: simulation.steps, bystanders }
}

/// What can be in the queue.
#[derive(Debug)]
enum Happening {
    /// A held copy of this end's datagrams has waited long enough.
    HoldEnd(Role),
    /// A copy reaches the end of its direction.
    Deliver { from: Role, packet: Packet, copy: u8, forged: Option<SocketAddr> },
    /// This endpoint is told that a datagram was too large.
    TooBig(usize, u32),
    /// A deadline of this endpoint.
    Timer(usize),
    /// The application at this end of an association acts.
    Act(Visit, Role),
    /// The client comes.
    Begin(Visit),
    /// The NAT forgets its mappings.
    Rebind,
    /// Something of a bystander.
    Beside(u16, Side),
}

/// What happens to a bystander.
#[derive(Clone, Copy, Debug)]
enum Side {
    HoldEnd,
    Deliver,
    Send,
}

/// A direction of the link.
struct Lane {
    pipe: Pipe,
    hold_end: Alarm,
    air: Air,
}

struct Simulation<'a> {
    now: SimTime,
    end: SimTime,
    queue: Queue<Happening>,
    trace: Trace,
    steps: u64,
    /// What the client sends, what the server sends.
    lanes: [Lane; 2],
    half_duplex: bool,
    /// By their number: the association, and the address at the client's side as the server sees it.
    datagrams: Vec<(Visit, SocketAddr)>,
    parties: Vec<Party>,
    associations: BTreeMap<Visit, Association>,
    /// The association that an address at the client's side was last used for, as the server sees it.
    users: BTreeMap<SocketAddr, Visit>,
    nat: Option<Nat>,
    faults: Faults<'a>,
    visits: &'a [VisitSpec],
    /// Visits whose beginning is settled.
    settled: usize,
    hosts: &'a mut dyn Hosts,
    session: Option<Session>,
    budget: Budget,
    bystanders: Vec<Bystander>,
}

impl<'a> Simulation<'a> {
    fn new(setup: Setup<'a>) -> Self {
        let Setup { network, faults, visits, duration, seed, client, server, hosts, budget } = setup;
        let lane = |role, pipe| Lane {
            pipe: Pipe::new(pipe, Draws::new(seed, LINK, role)),
            hold_end: Alarm::default(),
            air: Air::default(),
        };
        let mut queue = Queue::new();
        let bystanders = (0..).zip(&network.bystanders);
        let bystanders = bystanders.map(|(number, spec)| Bystander::new(spec, number, seed, &mut queue)).collect();
        let mut simulation = Self {
            now: SimTime::ZERO,
            end: SimTime::ZERO + duration,
            queue,
            trace: Trace::default(),
            steps: 0,
            lanes: [lane(Role::Client, &network.up), lane(Role::Server, &network.down)],
            half_duplex: network.half_duplex,
            datagrams: Vec::new(),
            parties: Vec::new(),
            associations: BTreeMap::new(),
            users: BTreeMap::new(),
            nat: network.nat.as_ref().map(Nat::new),
            faults: Faults::new(faults),
            visits,
            settled: 1,
            hosts,
            session: None,
            budget,
            bystanders,
        };
        let outside = if network.nat.is_some() { addresses::OUTSIDE } else { addresses::CLIENT };
        simulation.users.insert(outside, Visit::FIRST);
        simulation.join(Role::Client, Visit::FIRST, addresses::CLIENT, client);
        simulation.join(Role::Server, Visit::FIRST, outside, server);
        for at in network.nat.iter().flat_map(|nat| &nat.rebind_at) {
            simulation.queue.schedule(*at, Class::Change, Source::Pair(Role::Client), Happening::Rebind);
        }
        simulation.settle_visits(None);
        simulation
    }

    fn run(&mut self) -> Result<End, Broken> {
        for party in [1, 0] {
            self.input(party, |endpoint, now| endpoint.start(now))?;
        }
        while let Some(key) = self.queue.peek() {
            if key.at > self.end {
                self.now = self.end;
                return Ok(End::Duration);
            }
            debug_assert!(key.at >= self.now, "time runs backwards");
            let Some((key, happening)) = self.queue.pop() else { break };
            self.now = key.at;
            self.steps += 1;
            self.happen(happening)?;
        }
        Ok(End::Quiescent)
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Broken> {
        match happening {
            Happening::HoldEnd(from) => {
                self.lanes[from as usize].hold_end.rang();
                for release in self.lanes[from as usize].pipe.end_holds(self.now) {
                    self.release(from, release);
                }
                self.set_hold_end(from);
            }
            Happening::Deliver { from: Role::Client, packet, copy, forged } => {
                let (visit, outside) = self.route(packet.id);
                self.note(visit, What::Delivered { id: packet.id, copy });
                let source = forged.unwrap_or(outside);
                let party = self.server_for(source, &packet.bytes)?;
                self.input(party, |endpoint, now| endpoint.handle_datagram(now, source, &packet.bytes))?;
            }
            Happening::Deliver { from: Role::Server, packet, copy, .. } => {
                let (visit, outside) = self.route(packet.id);
                let id = packet.id;
                match self.client_at(outside) {
                    Ok(party) => {
                        self.note(visit, What::Delivered { id, copy });
                        let server = addresses::SERVER;
                        self.input(party, |endpoint, now| endpoint.handle_datagram(now, server, &packet.bytes))?;
                    }
                    Err(why) => self.note(visit, What::Refused { id, copy, why }),
                }
            }
            Happening::TooBig(party, mtu) => {
                let (visit, role) = (self.visit_of(party), self.parties[party].role);
                self.note(visit, What::TooBig(role, mtu));
                self.input(party, |endpoint, now| endpoint.datagram_too_big(now, mtu))?;
            }
            Happening::Timer(party) => {
                self.parties[party].timer.rang();
                let (visit, role) = (self.visit_of(party), self.parties[party].role);
                self.note(visit, What::Timer(role));
                self.input(party, |endpoint, now| endpoint.handle_timeout(now))?;
            }
            Happening::Act(visit, role) => {
                if let Some(association) = self.associations.get_mut(&visit) {
                    association.acts[role as usize].rang();
                }
                self.act(visit, role)?;
            }
            Happening::Begin(visit) => self.begin(visit)?,
            Happening::Rebind => {
                let changes = self.nat.as_mut().map(|nat| nat.rebind(self.now)).unwrap_or_default();
                for (inside, outside) in changes {
                    self.rebound(inside, outside);
                }
            }
            Happening::Beside(number, side) => {
                self.bystanders[usize::from(number)].happen(self.now, side, &mut self.queue);
            }
        }
        Ok(())
    }

    /// The client comes again.
    fn begin(&mut self, visit: Visit) -> Result<(), Broken> {
        let spec = &self.visits[usize::from(visit.0) - 1];
        let before = Visit(visit.0 - 1);
        let address = match self.client_of(before) {
            Some(party) if spec.same_address => {
                // Whoever had the address has forgotten everything.
                self.parties[party].host.forget();
                self.parties[party].timer.stop(&mut self.queue);
                self.parties[party].address
            }
            _ => addresses::of_client(visit),
        };
        let session = if spec.resume { self.session.clone() } else { None };
        let (now, hosts) = (self.now, &mut *self.hosts);
        let made = guarded(|| hosts.client(now, visit, address, session.as_ref()));
        let endpoint = self.made(Role::Client, made)?;
        let party = self.join(Role::Client, visit, address, endpoint);
        self.input(party, |endpoint, now| endpoint.start(now))?;
        if let Some(size) = spec.early_data {
            let data = early_message(size);
            self.note(visit, What::AppSendEarly(data.clone()));
            if let Some(association) = self.associations.get_mut(&visit) {
                association.applications.sent_early(self.now, data.clone());
            }
            self.request(party, |endpoint, now| endpoint.send_early(now, &data))?;
        }
        Ok(())
    }

    fn act(&mut self, visit: Visit, role: Role) -> Result<(), Broken> {
        let Some(association) = self.associations.get_mut(&visit) else { return Ok(()) };
        let Some(party) = association.parties[role as usize] else { return Ok(()) };
        match association.applications.act(self.now, role) {
            Act::Send(data) => {
                self.note(visit, What::AppSend(role, data.clone()));
                self.input(party, |endpoint, now| endpoint.send(now, &data))
            }
            Act::Ask(ask) => {
                self.note(visit, What::AppAsk(role, ask));
                self.request(party, |endpoint, now| endpoint.ask(now, ask))
            }
            Act::Close => {
                self.note(visit, What::AppClose(role));
                self.input(party, |endpoint, now| endpoint.close(now))?;
                if role == Role::Client {
                    self.settle_visits(Some(visit));
                }
                Ok(())
            }
        }
    }

    /// Asks an endpoint for something that it may refuse.
    fn request(
        &mut self,
        party: usize,
        call: impl FnOnce(&mut dyn Endpoint, SimTime) -> Result<(), String>,
    ) -> Result<(), Broken> {
        let now = self.now;
        if let Some(refusal) = self.parties[party].host.input(now, |endpoint| call(endpoint, now).err())? {
            self.report(party, EndpointEvent::SendRefused(refusal));
        }
        self.drain(party)
    }

    /// Gives an endpoint an input and drains it.
    fn input(&mut self, party: usize, call: impl FnOnce(&mut dyn Endpoint, SimTime)) -> Result<(), Broken> {
        let now = self.now;
        self.parties[party].host.input(now, |endpoint| call(endpoint, now))?;
        self.drain(party)
    }

    /// Takes what an endpoint has, and asks when it wants to be called.
    fn drain(&mut self, party: usize) -> Result<(), Broken> {
        let now = self.now;
        loop {
            let mut quiet = true;
            // Events before each datagram: keys must be known before the faults read what they protect.
            while let Some(event) = self.parties[party].host.poll_event(now)? {
                quiet = false;
                self.report(party, event);
            }
            if let Some(transmit) = self.parties[party].host.poll_transmit(now)? {
                quiet = false;
                self.send(party, transmit);
            }
            if quiet {
                break;
            }
        }
        let visit = self.visit_of(party);
        let Party { role, host, timer, .. } = &mut self.parties[party];
        let deadline = host.poll_timeout(now)?;
        let source = Source::end(visit, *role);
        timer.set(&mut self.queue, deadline, Class::Timer, source, || Happening::Timer(party));
        // What one application has received or sent can decide when the other one acts.
        let Some(association) = self.associations.get_mut(&visit) else { return Ok(()) };
        for role in Role::BOTH {
            let next = association.applications.next(role).map(|at| at.max(now));
            let source = Source::end(visit, role);
            let alarm = &mut association.acts[role as usize];
            alarm.set(&mut self.queue, next, Class::Output, source, || Happening::Act(visit, role));
        }
        Ok(())
    }

    fn report(&mut self, party: usize, event: EndpointEvent) {
        let role = self.parties[party].role;
        match &event {
            EndpointEvent::Session(session) if role == Role::Client => self.session = Some(session.clone()),
            EndpointEvent::PeerMoved(address) if role == Role::Server => self.parties[party].address = *address,
            _ => {}
        }
        let visit = self.visit_of(party);
        let reading = self.faults.need_reading();
        let association = self.associations.entry(visit).or_insert_with(|| Association::new(None, reading));
        if let (Some(dissector), EndpointEvent::KeyLog(line)) = (&mut association.dissector, &event) {
            dissector.learn_key_log(line);
        }
        if matches!(event, EndpointEvent::Established { .. }) {
            association.parties[role as usize] = Some(party);
        }
        let concerned = association.parties[role as usize] == Some(party);
        if concerned {
            association.applications.on_event(self.now, role, &event);
        }
        let over = matches!(event, EndpointEvent::Failed(_) | EndpointEvent::PeerClosed);
        self.note(visit, What::Endpoint(role, event));
        if over && role == Role::Client {
            self.settle_visits(Some(visit));
        }
    }

    /// An endpoint gives a datagram to the network, which decides its fate.
    fn send(&mut self, party: usize, Transmit { to, bytes }: Transmit) {
        let now = self.now;
        let bytes: Arc<[u8]> = bytes.into();
        let Party { role: from, address, .. } = self.parties[party];
        let (inside, outside) = match from {
            Role::Client => (Some(address), self.outside_of(address)),
            Role::Server => {
                let to = to.unwrap_or(address);
                (self.client_at(to).ok().map(|party| self.parties[party].address), to)
            }
        };
        let visit = match from {
            Role::Client => self.parties[party].visit,
            Role::Server => self.users.get(&outside).copied().unwrap_or(self.parties[party].visit),
        };
        let is_plain = inside == Some(addresses::CLIENT) && outside == addresses::CLIENT;
        let path = (!is_plain).then_some(Path { inside, outside });

        let dissector = self.associations.get_mut(&visit).and_then(|association| association.dissector.as_mut());
        let read = dissector.map(|dissector| dissector.datagram(from, &bytes));
        let id = DatagramId(u32::try_from(self.datagrams.len()).unwrap_or(u32::MAX));
        self.datagrams.push((visit, outside));
        let packet = Packet { id, bytes };

        let [client, server] = &mut self.lanes;
        let (own, other) = match from {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        let index = own.pipe.index();
        let faults = &mut self.faults;
        let strike = || faults.strike(visit, now, from, read.as_ref());
        let (fate, released) = own.pipe.send(now, &packet, &mut own.air, strike);
        if self.half_duplex {
            other.air = own.air;
        }

        if let Some((after, mtu)) = own.pipe.tells(&fate) {
            self.queue.schedule(now + after, Class::Delivery, Source::Pair(from), Happening::TooBig(party, mtu));
        }
        for (copy, due) in (0..).zip(&fate.copies) {
            if let Copy { due: Some(due), forged } = *due {
                self.deliver_at(due, from, packet.clone(), copy, forged);
            }
        }
        let Packet { id, bytes } = packet;
        self.note(visit, What::Sent(Sent { id, from, path, index, bytes, fate }));
        for release in released {
            self.release(from, release);
        }
        self.set_hold_end(from);
    }

    /// Schedules the visits that begin at an instant of their own, and that which follows one that has just ended.
    fn settle_visits(&mut self, ended: Option<Visit>) {
        while let Some(spec) = self.visits.get(self.settled) {
            let at = match spec.begin {
                Begin::At(at) => at.max(self.now),
                Begin::After(pause) if ended.is_some_and(|ended| usize::from(ended.0) == self.settled) => {
                    self.now + pause
                }
                Begin::After(_) => break,
            };
            self.settled += 1;
            let visit = Visit(u16::try_from(self.settled).unwrap_or(u16::MAX));
            let source = Source::end(visit, Role::Client);
            self.queue.schedule(at, Class::Output, source, Happening::Begin(visit));
        }
    }

    fn release(&mut self, from: Role, Release { packet, copy, due }: Release) {
        let (visit, _) = self.route(packet.id);
        self.note(visit, What::Released { id: packet.id, copy, due });
        self.deliver_at(due, from, packet, copy, None);
    }

    fn deliver_at(&mut self, due: SimTime, from: Role, packet: Packet, copy: u8, forged: Option<SocketAddr>) {
        let happening = Happening::Deliver { from, packet, copy, forged };
        self.queue.schedule(due, Class::Delivery, Source::Pair(from), happening);
    }

    fn set_hold_end(&mut self, from: Role) {
        let Lane { pipe, hold_end, .. } = &mut self.lanes[from as usize];
        let next = pipe.next_hold_end();
        hold_end.set(&mut self.queue, next, Class::Change, Source::Pair(from), || Happening::HoldEnd(from));
    }

    fn note(&mut self, visit: Visit, what: What) {
        self.trace.events.push(Event { at: self.now, visit, what });
    }
}

#[cfg(test)]
mod tests;

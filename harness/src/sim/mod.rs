//! The simulation: two endpoints, a link and a workload on virtual time, from one seed to one trace.
//!
//! [`run`] is a plain loop that jumps to the next event. Within one instant the order is fixed: changes of the network,
//! deliveries, deadlines, applications. After each input an endpoint is drained: events, then datagrams, until it has
//! neither. The simulation writes the trace and nothing else.
//!
//! A call that never returns cannot be stopped from here; everything else a stack may do wrong ends its run as
//! [`End::Broken`].

use std::sync::Arc;
use std::time::Duration;

use crate::dissect::Dissector;
use crate::endpoint::{Endpoint, EndpointEvent, Role};
use crate::scenario::{Fault, Network, Workload};
use crate::time::SimTime;
use crate::trace::{DatagramId, End, Event, Sent, Trace, Visit, What};

mod budget;
mod bystander;
mod delay;
mod faults;
mod guard;
mod hold;
mod host;
mod lognormal;
mod loss;
mod normal_table;
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
pub use workload::{ECHO_WAIT, message};

use bystander::Bystander;
use faults::Faults;
use host::{Broken, Host};
use pipe::{Packet, Pipe, Release};
use queue::{Alarm, Class, Queue, Source};
use random::Draws;
use rate::Air;
use workload::{Act, Applications};

/// Name of the link between the ends: its draws depend on it.
pub const LINK: &str = "pair";

/// Everything a run is a function of.
pub struct Setup<'a> {
    /// The link, and the hosts beside it.
    pub network: &'a Network,
    /// Scripted faults.
    pub faults: &'a [Fault],
    /// What the applications do.
    pub workload: &'a Workload,
    /// When the run ends if it does not end by itself.
    pub duration: Duration,
    /// Root of all randomness of the network.
    pub seed: u64,
    /// The client.
    pub client: Box<dyn Endpoint>,
    /// The server.
    pub server: Box<dyn Endpoint>,
    /// What each endpoint may use up.
    pub budget: Budget,
}

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
    simulation.note(What::End(end));
    let bystanders = simulation.bystanders.iter().map(|bystander| bystander.count().clone()).collect();
    Outcome { trace: simulation.trace, steps: simulation.steps, bystanders }
}

/// What can be in the queue.
#[derive(Debug)]
enum Happening {
    /// A held copy of this end's datagrams has waited long enough.
    HoldEnd(Role),
    /// A copy reaches this end.
    Deliver { to: Role, packet: Packet, copy: u8 },
    /// A deadline of this end.
    Timer(Role),
    /// This end's application acts.
    Act(Role),
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

/// What belongs to one end: its host, and the direction in which it sends.
struct EndState {
    host: Host,
    timer: Alarm,
    application: Alarm,
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
    /// Client, server.
    ends: [EndState; 2],
    half_duplex: bool,
    datagrams: u32,
    dissector: Option<Dissector>,
    faults: Faults<'a>,
    applications: Applications,
    bystanders: Vec<Bystander>,
}

impl<'a> Simulation<'a> {
    fn new(setup: Setup<'a>) -> Self {
        let Setup { network, faults, workload, duration, seed, client, server, budget } = setup;
        let end = |role, endpoint, pipe| EndState {
            host: Host::new(role, endpoint, budget),
            timer: Alarm::default(),
            application: Alarm::default(),
            pipe: Pipe::new(pipe, Draws::new(seed, LINK, role)),
            hold_end: Alarm::default(),
            air: Air::default(),
        };
        let mut queue = Queue::new();
        let bystanders = (0..).zip(&network.bystanders);
        let bystanders = bystanders.map(|(number, spec)| Bystander::new(spec, number, seed, &mut queue)).collect();
        let faults = Faults::new(faults);
        Self {
            now: SimTime::ZERO,
            end: SimTime::ZERO + duration,
            queue,
            trace: Trace::default(),
            steps: 0,
            ends: [end(Role::Client, client, &network.up), end(Role::Server, server, &network.down)],
            half_duplex: network.half_duplex,
            datagrams: 0,
            dissector: faults.need_reading().then(Dissector::new),
            faults,
            applications: Applications::new(workload),
            bystanders,
        }
    }

    fn run(&mut self) -> Result<End, Broken> {
        for role in [Role::Server, Role::Client] {
            self.input(role, |endpoint, now| endpoint.start(now))?;
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
                self.ends[from as usize].hold_end.rang();
                for release in self.ends[from as usize].pipe.end_holds(self.now) {
                    self.release(from, release);
                }
                self.set_hold_end(from);
            }
            Happening::Deliver { to, packet, copy } => {
                self.note(What::Delivered { id: packet.id, copy });
                self.input(to, |endpoint, now| endpoint.handle_datagram(now, &packet.bytes))?;
            }
            Happening::Timer(role) => {
                self.ends[role as usize].timer.rang();
                self.note(What::Timer(role));
                self.input(role, |endpoint, now| endpoint.handle_timeout(now))?;
            }
            Happening::Act(role) => {
                self.ends[role as usize].application.rang();
                self.act(role)?;
            }
            Happening::Beside(number, side) => {
                self.bystanders[usize::from(number)].happen(self.now, side, &mut self.queue);
            }
        }
        Ok(())
    }

    fn act(&mut self, role: Role) -> Result<(), Broken> {
        match self.applications.act(self.now, role) {
            Act::Send(data) => {
                self.note(What::AppSend(role, data.clone()));
                self.input(role, |endpoint, now| endpoint.send(now, &data))
            }
            Act::Close => {
                self.note(What::AppClose(role));
                self.input(role, |endpoint, now| endpoint.close(now))
            }
        }
    }

    /// Gives an endpoint an input, drains it, and asks when it wants to be called.
    fn input(&mut self, role: Role, call: impl FnOnce(&mut dyn Endpoint, SimTime)) -> Result<(), Broken> {
        let now = self.now;
        self.ends[role as usize].host.input(now, |endpoint| call(endpoint, now))?;
        loop {
            let mut quiet = true;
            // Events before each datagram: keys must be known before the faults read what they protect.
            while let Some(event) = self.ends[role as usize].host.poll_event(now)? {
                quiet = false;
                self.report(role, event);
            }
            if let Some(bytes) = self.ends[role as usize].host.poll_transmit(now)? {
                quiet = false;
                self.send(role, bytes.into());
            }
            if quiet {
                break;
            }
        }
        let end = &mut self.ends[role as usize];
        let deadline = end.host.poll_timeout(now)?;
        end.timer.set(&mut self.queue, deadline, Class::Timer, Source::Pair(role), || Happening::Timer(role));
        // What one application has received or sent can decide when the other one acts.
        for role in Role::BOTH {
            let next = self.applications.next(role).map(|at| at.max(now));
            let alarm = &mut self.ends[role as usize].application;
            alarm.set(&mut self.queue, next, Class::Output, Source::Pair(role), || Happening::Act(role));
        }
        Ok(())
    }

    fn report(&mut self, role: Role, event: EndpointEvent) {
        if let (Some(dissector), EndpointEvent::KeyLog(line)) = (&mut self.dissector, &event) {
            dissector.learn_key_log(line);
        }
        self.applications.on_event(self.now, role, &event);
        self.note(What::Endpoint(role, event));
    }

    /// An endpoint gives a datagram to the network, which decides its fate.
    fn send(&mut self, from: Role, bytes: Arc<[u8]>) {
        let now = self.now;
        let read = self.dissector.as_mut().map(|dissector| dissector.datagram(from, &bytes));
        let packet = Packet { id: DatagramId(self.datagrams), bytes };
        self.datagrams += 1;

        let [client, server] = &mut self.ends;
        let (own, other) = match from {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        let index = own.pipe.index();
        let faults = &mut self.faults;
        let strike = || faults.strike(Visit::FIRST, now, from, read.as_ref());
        let (fate, released) = own.pipe.send(now, &packet, &mut own.air, strike);
        if self.half_duplex {
            other.air = own.air;
        }

        for (copy, due) in (0..).zip(&fate.copies) {
            if let Some(due) = due.due {
                self.deliver_at(due, from, packet.clone(), copy);
            }
        }
        let Packet { id, bytes } = packet;
        self.note(What::Sent(Sent { id, from, path: None, index, bytes, fate }));
        for release in released {
            self.release(from, release);
        }
        self.set_hold_end(from);
    }

    fn release(&mut self, from: Role, Release { packet, copy, due }: Release) {
        self.note(What::Released { id: packet.id, copy, due });
        self.deliver_at(due, from, packet, copy);
    }

    fn deliver_at(&mut self, due: SimTime, from: Role, packet: Packet, copy: u8) {
        let happening = Happening::Deliver { to: from.peer(), packet, copy };
        self.queue.schedule(due, Class::Delivery, Source::Pair(from), happening);
    }

    fn set_hold_end(&mut self, from: Role) {
        let end = &mut self.ends[from as usize];
        let next = end.pipe.next_hold_end();
        end.hold_end.set(&mut self.queue, next, Class::Change, Source::Pair(from), || Happening::HoldEnd(from));
    }

    fn note(&mut self, what: What) {
        self.trace.events.push(Event { at: self.now, visit: Visit::FIRST, what });
    }
}

#[cfg(test)]
mod tests;

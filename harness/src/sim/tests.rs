//! Whole runs with small endpoints made for one purpose each.

use std::collections::VecDeque;

use super::*;
use crate::scenario::{Action, Bystander as BystanderSpec, Delay, Loss, Order, Pipe as PipeSpec, Rate, Ratio};
use crate::scenario::{Reorder, Selector, Spread, Workload};
use crate::trace::{Cause, Copy, FaultAction, first_difference};

mod independence;
mod misbehaving;
mod runs;
mod visits;

pub(super) const MS: Duration = Duration::from_millis(1);

pub(super) fn ms(millis: u64) -> SimTime {
    SimTime::from_nanos(millis * 1_000_000)
}

pub(super) fn percent(percent: u64) -> Ratio {
    Ratio { parts_per_trillion: percent * 10_000_000_000 }
}

/// A direction with nothing but 10 ms of delay.
pub(super) fn pipe() -> PipeSpec {
    PipeSpec {
        ip_mtu: 1500,
        tells_too_big: false,
        loss: Loss::None,
        duplicate: Ratio::default(),
        rate: None,
        delay: Delay { base: 10 * MS, spread: Spread::None },
        reorder: None,
        order: Order::Fifo,
    }
}

pub(super) fn network(pipe: PipeSpec) -> Network {
    Network {
        profile: "test".to_owned(),
        up: pipe.clone(),
        down: pipe,
        half_duplex: false,
        nat: None,
        bystanders: Vec::new(),
    }
}

pub(super) fn idle() -> Workload {
    Workload::default()
}

/// One visit with this workload.
pub(super) fn once(workload: Workload) -> Vec<VisitSpec> {
    vec![VisitSpec { workload, ..VisitSpec::default() }]
}

/// Everything an endpoint may do, doing nothing.
#[derive(Debug, Default)]
pub(super) struct Fake {
    /// What it sends, and when.
    pub(super) sends: VecDeque<(SimTime, Vec<u8>)>,
    /// Sends back what it receives.
    pub(super) echo: bool,
    /// Is established at the start; application data travels in datagrams as it is.
    pub(super) established: bool,
    /// A client that may be resumed, from the start.
    pub(super) gives_session: bool,
    /// Takes everything for its own, and believes that its peer is where it came from.
    pub(super) owns: bool,
    outbox: VecDeque<Vec<u8>>,
    events: VecDeque<EndpointEvent>,
}

impl Fake {
    /// Sends `count` datagrams of `size` bytes, one every `every`.
    pub(super) fn sender(count: u32, every: Duration, size: usize) -> Self {
        Self { sends: (0..count).map(|n| (SimTime::ZERO + every * n, vec![0; size])).collect(), ..Self::default() }
    }

    pub(super) fn echo() -> Self {
        Self { echo: true, ..Self::default() }
    }

    pub(super) fn established() -> Self {
        Self { established: true, ..Self::default() }
    }

    fn send_due(&mut self, now: SimTime) {
        while let Some((_, datagram)) = self.sends.pop_front_if(|(at, _)| *at <= now) {
            self.outbox.push_back(datagram);
        }
    }
}

impl Endpoint for Fake {
    fn start(&mut self, now: SimTime) {
        if self.established {
            self.events.push_back(EndpointEvent::Established { suite: "NONE".to_owned() });
        }
        if self.gives_session {
            self.events.push_back(EndpointEvent::Session(Session(Arc::new(()))));
        }
        self.send_due(now);
    }

    fn handle_datagram(&mut self, now: SimTime, from: SocketAddr, datagram: &[u8]) {
        if self.owns && now > ms(100) {
            self.events.push_back(EndpointEvent::PeerMoved(from));
        }
        if self.established {
            self.events.push_back(EndpointEvent::Data(datagram.to_vec()));
        }
        if self.echo {
            self.outbox.push_back(datagram.to_vec());
        }
    }

    fn poll_transmit(&mut self, _now: SimTime) -> Option<Transmit> {
        self.outbox.pop_front().map(Transmit::from)
    }

    fn poll_timeout(&mut self, _now: SimTime) -> Option<SimTime> {
        self.sends.front().map(|(at, _)| *at)
    }

    fn handle_timeout(&mut self, now: SimTime) {
        self.send_due(now);
    }

    fn poll_event(&mut self) -> Option<EndpointEvent> {
        self.events.pop_front()
    }

    fn owns(&self, _datagram: &[u8]) -> bool {
        self.owns
    }

    fn send(&mut self, _now: SimTime, data: &[u8]) {
        self.outbox.push_back(data.to_vec());
    }

    fn close(&mut self, _now: SimTime) {
        self.events.push_back(EndpointEvent::Failed("closed".to_owned()));
    }
}

/// Makes no further endpoints.
pub(super) struct NoMore;

impl Hosts for NoMore {
    fn client(&mut self, _: SimTime, _: Visit, _: SocketAddr, _: Option<&Session>) -> Made {
        Err("no more clients".to_owned())
    }

    fn server(&mut self, _: SimTime, _: SocketAddr) -> Made {
        Err("no more servers".to_owned())
    }
}

/// What differs between the runs of the tests.
pub(super) struct Given<'a> {
    pub(super) network: &'a Network,
    pub(super) faults: &'a [Fault],
    pub(super) visits: Vec<VisitSpec>,
    pub(super) seed: u64,
}

impl<'a> Given<'a> {
    pub(super) fn new(network: &'a Network) -> Self {
        Self { network, faults: &[], visits: vec![VisitSpec::default()], seed: 1 }
    }

    pub(super) fn fly(&self, client: impl Endpoint + 'static, server: impl Endpoint + 'static) -> Outcome {
        run_counted(Setup {
            network: self.network,
            faults: self.faults,
            visits: &self.visits,
            duration: Duration::from_secs(7200),
            seed: self.seed,
            client: Box::new(client),
            server: Box::new(server),
            hosts: &mut NoMore,
            budget: Budget::default(),
        })
    }
}

/// Number and instant of each datagram that reached the server.
pub(super) fn arrivals(trace: &Trace) -> Vec<(u32, SimTime)> {
    let from: Vec<Role> = trace.sent().map(|(_, sent)| sent.from).collect();
    let index: Vec<u32> = trace.sent().map(|(_, sent)| sent.index).collect();
    let delivered = trace.events.iter().filter_map(|event| match event.what {
        What::Delivered { id, .. } if from[id.0 as usize] == Role::Client => Some((index[id.0 as usize], event.at)),
        _ => None,
    });
    delivered.collect()
}

pub(super) fn fates(trace: &Trace, from: Role) -> Vec<crate::trace::Fate> {
    trace.sent().filter(|(_, sent)| sent.from == from).map(|(_, sent)| sent.fate.clone()).collect()
}

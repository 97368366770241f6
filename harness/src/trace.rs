//! The ordered list of typed events of a run: the only record of what happened. Everything shown is a function of it.
//!
//! Written by the simulation alone, read by everything after it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::endpoint::{Ask, EndpointEvent, Role};
use crate::time::SimTime;

mod difference;
mod hash;

pub use difference::{Difference, first_difference};
pub use hash::TraceHash;

/// Number of a datagram in its run, in the order of sending, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatagramId(pub u32);

/// An association of a run, from 1: the nth time that the client came to the server. What a server begins with addresses
/// that were never the client's, because somebody sent it copies from there, has numbers above those of the client's visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Visit(pub u16);

impl Visit {
    /// The first, and in most runs the only one.
    pub const FIRST: Self = Self(1);
}

impl Default for Visit {
    fn default() -> Self {
        Self::FIRST
    }
}

impl fmt::Display for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "visit {}", self.0)
    }
}

/// The addresses of a datagram at the client's side. Before a NAT and behind it they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// The client's own address; `None` if the datagram is for an address that leads to no client.
    pub inside: Option<SocketAddr>,
    /// Source of what the client sends as the server sees it; destination of what the server sends.
    pub outside: SocketAddr,
}

/// Where a datagram was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its number in the run.
    pub id: DatagramId,
    /// Who sent it.
    pub from: Role,
    /// Between which addresses; `None` where they are those of a plain run, `plan::CLIENT` and `plan::SERVER`.
    pub path: Option<Path>,
    /// Its number on this direction of this link, from 0; fates are drawn by it.
    pub index: u32,
    /// The UDP payload.
    pub bytes: Arc<[u8]>,
    /// What the network does with it, decided when it is sent.
    pub fate: Fate,
}

/// What the network does with one datagram: which copies arrive when, or why none does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Everything the stages did, in their order; empty if the datagram passed untouched.
    pub causes: Vec<Cause>,
    /// Copies that are to arrive, the original first; empty if it was dropped.
    pub copies: Vec<Copy>,
}

/// One copy of a datagram on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// When it arrives; `None` while it is held for a later datagram to overtake it.
    pub due: Option<SimTime>,
    /// Source address that a third party gave its copy; `None` for copies that come from the sender.
    pub forged: Option<SocketAddr>,
}

/// What a stage of the link did to a datagram, and why. A cause that drops ends one copy: with random duplication a
/// datagram can arrive although its second copy did not fit the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Dropped: the IP packet is larger than the link takes.
    Mtu {
        /// Bytes of the IP packet.
        size: u32,
        /// Bytes the link takes.
        limit: u32,
    },
    /// Dropped, held or copied by fault number `fault` of the scenario, from 0.
    Fault {
        /// Index into the scenario's list of faults.
        fault: u16,
        /// What it did.
        action: FaultAction,
    },
    /// Dropped: the link was a black hole at that time (fault number `fault`).
    Blackhole {
        /// Index into the scenario's list of faults.
        fault: u16,
    },
    /// Dropped by random loss.
    Loss,
    /// Dropped by the bad state of a Gilbert-Elliott process.
    LossBurst,
    /// Copied at random.
    Duplicate,
    /// Dropped: the bytes waiting for the link's rate exceed its queue.
    QueueFull {
        /// Bytes waiting.
        queued: u32,
        /// Bytes the queue takes.
        limit: u32,
    },
    /// Held back at random so that later datagrams overtake it.
    Reorder,
}

/// What a scripted fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultAction {
    /// The datagram is lost.
    Drop,
    /// It arrives more than once.
    Duplicate,
    /// It arrives later.
    Delay,
    /// It waits until later datagrams have passed.
    Hold,
    /// A third party sends copies of it.
    Replay,
}

impl Cause {
    /// Whether the datagram, or the copy, ends here.
    pub fn drops(&self) -> bool {
        match self {
            Self::Mtu { .. } | Self::Blackhole { .. } | Self::Loss | Self::LossBurst | Self::QueueFull { .. } => true,
            Self::Fault { action, .. } => *action == FaultAction::Drop,
            Self::Duplicate | Self::Reorder => false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mtu { size, limit } => write!(f, "dropped: IP packet of {size} B exceeds MTU {limit} B"),
            Self::Fault { fault, action } => {
                let action = match action {
                    FaultAction::Drop => "dropped",
                    FaultAction::Duplicate => "duplicated",
                    FaultAction::Delay => "delayed",
                    FaultAction::Hold => "held",
                    FaultAction::Replay => "replayed",
                };
                write!(f, "{action} by fault #{}", fault + 1)
            }
            Self::Blackhole { fault } => write!(f, "dropped: blackhole, fault #{}", fault + 1),
            Self::Loss => f.write_str("dropped: random loss"),
            Self::LossBurst => f.write_str("dropped: loss burst"),
            Self::Duplicate => f.write_str("duplicated at random"),
            Self::QueueFull { queued, limit } => write!(f, "dropped: queue full, {queued} of {limit} B"),
            Self::Reorder => f.write_str("held back at random"),
        }
    }
}

/// Why a datagram that has come through is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The NAT has no mapping, or no longer one, for its destination.
    NoMapping,
    /// Nobody has the address it is for.
    NobodyThere,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoMapping => "the NAT has no mapping for its destination",
            Self::NobodyThere => "nobody is at its destination",
        })
    }
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing was left to happen.
    Quiescent,
    /// The scenario's duration was reached.
    Duration,
    /// An endpoint broke a budget or panicked; its run cannot be trusted after this.
    Broken {
        /// Whose endpoint.
        role: Role,
        /// What it did, in words.
        what: String,
    },
}

/// One event of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// An endpoint gave a datagram to the network.
    Sent(Sent),
    /// A held datagram was let go and arrives at `due`.
    Released {
        /// Which datagram.
        id: DatagramId,
        /// Which of its copies.
        copy: u8,
        /// When it arrives.
        due: SimTime,
    },
    /// A copy of a datagram reached the peer of its sender.
    Delivered {
        /// Which datagram.
        id: DatagramId,
        /// Which of its copies, 0 for the original.
        copy: u8,
    },
    /// A copy of a datagram got to the end of the link, and nobody took it in.
    Refused {
        /// Which datagram.
        id: DatagramId,
        /// Which of its copies, 0 for the original.
        copy: u8,
        /// Why.
        why: Refusal,
    },
    /// The network told an endpoint that UDP payloads of more than so many bytes do not pass.
    TooBig(Role, u32),
    /// The NAT gave the client's address of this visit a new address outside.
    Rebound(SocketAddr),
    /// An endpoint's deadline came.
    Timer(Role),
    /// An endpoint reported something.
    Endpoint(Role, EndpointEvent),
    /// The workload had an endpoint send this application data.
    AppSend(Role, Vec<u8>),
    /// The workload had an endpoint close.
    AppClose(Role),
    /// The workload had the client send this as early data, with its ClientHello.
    AppSendEarly(Vec<u8>),
    /// The workload asked something else of an endpoint.
    AppAsk(Role, Ask),
    /// The run ended. Always the last event.
    End(End),
}

/// One event with its instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: SimTime,
    /// In which association. The end of the run has the number of the first.
    pub visit: Visit,
    /// What.
    pub what: What,
}

/// The record of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Events in the order in which they happened.
    pub events: Vec<Event>,
}

impl Trace {
    /// All datagrams in the order of sending, with their instants.
    pub fn sent(&self) -> impl Iterator<Item = (SimTime, &Sent)> {
        self.events.iter().filter_map(|event| match &event.what {
            What::Sent(sent) => Some((event.at, sent)),
            _ => None,
        })
    }

    /// The associations of the run in the order of their numbers; at least the first.
    pub fn visits(&self) -> Vec<Visit> {
        let mut visits: Vec<Visit> = self.events.iter().map(|event| event.visit).collect();
        visits.push(Visit::FIRST);
        visits.sort_unstable();
        visits.dedup();
        visits
    }

    /// Why the run ended; `None` only for a trace that is still being written.
    pub fn end(&self) -> Option<&End> {
        match &self.events.last()?.what {
            What::End(end) => Some(end),
            _ => None,
        }
    }
}

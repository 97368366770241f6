//! A scenario as the rest of the harness sees it: validated, every default filled in, every unit turned into integers.
//!
//! This module says what it can hold; those below read it from YAML: `file` is the language, `lower`, `link`, `select`
//! and `expect` give the keys their meaning, `load` finds the files. None knows a stack or runs anything.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::dissect::{Content, Message};
use crate::endpoint::{Ask, Dtls, Features, Group, Role};
use crate::pki::ChainShape;
use crate::time::SimTime;
use crate::trace::Visit;

mod error;
mod expect;
mod features;
mod file;
pub mod findings;
mod link;
mod load;
mod lower;
mod names;
pub mod profile;
mod select;
mod text;
mod visit;

pub use error::Error;
pub use load::{collect, from_text, load};

/// The JSON Schema of scenario files, for editors.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(file::File).to_value();
    refuse_null(&mut schema);
    schema
}

/// A key may be absent but not empty; schemars takes the two for the same.
fn refuse_null(schema: &mut serde_json::Value) {
    use serde_json::Value;
    match schema {
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = &mut types[..] {
                    let only = only.take();
                    map.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(forms)) = map.get_mut("anyOf") {
                forms.retain(|form| form.get("type").is_none_or(|name| name != "null"));
                if let [Value::Object(only)] = &mut forms[..] {
                    let only = std::mem::take(only);
                    map.remove("anyOf");
                    // The description beside the reference says more than that of the type.
                    for (key, value) in only {
                        map.entry(key).or_insert(value);
                    }
                }
            }
            map.values_mut().for_each(refuse_null);
        }
        Value::Array(list) => list.iter_mut().for_each(refuse_null),
        _ => {}
    }
}

/// One behaviour, its network, its faults, and what must come of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// `topic/behaviour`, from the path.
    pub name: String,
    /// The file it came from, as given.
    pub path: PathBuf,
    /// SHA-256 of the file.
    pub digest: [u8; 32],
    /// What it shows, one sentence.
    pub goal: String,
    /// Clauses it tests, as `RFC 6347 §4.2.4`.
    pub clauses: Vec<String>,
    /// Seeds to run, first and last.
    pub seeds: (u64, u64),
    /// Whether the ladder of the native pair is a reviewed golden.
    pub golden: bool,
    /// The version both ends speak.
    pub dtls: Dtls,
    /// How the ends authenticate.
    pub credentials: CredentialsSpec,
    /// The client.
    pub client: EndpointSpec,
    /// The server.
    pub server: EndpointSpec,
    /// The link between them.
    pub network: Network,
    /// Scripted faults, in file order; the first that matches a datagram acts.
    pub faults: Vec<Fault>,
    /// The client's visits to the server, in their order; at least one. All demands concern the last unless they say
    /// otherwise.
    pub visits: Vec<VisitSpec>,
    /// Virtual time after which the run ends if it has not ended by itself.
    pub duration: Duration,
    /// What must come of it.
    pub expect: Vec<Expectation>,
}

impl Scenario {
    /// What the applications do in the last visit.
    pub fn workload(&self) -> &Workload {
        &self.visits.last().expect("a scenario has a visit").workload
    }
}

/// One time that the client comes to the server: an association.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VisitSpec {
    /// When it begins.
    pub begin: Begin,
    /// Whether the client comes from the address of the visit before, as if it had forgotten that one.
    pub same_address: bool,
    /// Whether the client offers the session that it got last.
    pub resume: bool,
    /// Bytes the client sends as early data.
    pub early_data: Option<u16>,
    /// What the applications do once established.
    pub workload: Workload,
}

/// When a visit begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At this instant.
    At(SimTime),
    /// So long after the visit before it has ended at the client.
    After(Duration),
}

impl Default for Begin {
    /// At once.
    fn default() -> Self {
        Self::At(SimTime::ZERO)
    }
}

/// How the ends authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialsSpec {
    /// The harness's fixed pre-shared key.
    Psk {
        /// With ECDHE, or PSK alone.
        ecdhe: bool,
    },
    /// A server certificate.
    Certificate(ChainShape),
}

/// Options of one endpoint; `None` leaves the choice to the stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointSpec {
    /// Largest datagram to send, bytes of UDP payload.
    pub mtu: u16,
    /// Server: ask for a cookie.
    pub cookie: bool,
    /// Server: if the stack cannot do with a cookie, or without, the other will do as well.
    pub any_cookie: bool,
    /// Cipher suites, IANA names without `TLS_`.
    pub suites: Vec<String>,
    /// Key exchange groups.
    pub groups: Vec<Group>,
    /// First retransmission timeout.
    pub timer_initial: Option<Duration>,
    /// Cap of the doubling.
    pub timer_max: Option<Duration>,
    /// Time after which an unanswered flight ends the handshake.
    pub give_up: Option<Duration>,
    /// What it is to be capable of beyond a handshake.
    pub features: Features,
}

/// The link, one pipeline per direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Name of the profile it started from.
    pub profile: String,
    /// Client to server.
    pub up: Pipe,
    /// Server to client.
    pub down: Pipe,
    /// One transmitter at a time: both directions share the time on the air.
    pub half_duplex: bool,
    /// A NAT in front of the client.
    pub nat: Option<Nat>,
    /// Hosts with links of their own, which must not disturb this one.
    pub bystanders: Vec<Bystander>,
}

/// A NAT in front of the client, which gives it another address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nat {
    /// Time without traffic from inside after which a mapping is forgotten; never if `None`.
    pub lifetime: Option<Duration>,
    /// When it forgets everything and the client gets a new address outside, in order.
    pub rebind_at: Vec<SimTime>,
}

/// One direction of a link: the stages a datagram passes, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipe {
    /// Largest IP packet; larger ones are dropped.
    pub ip_mtu: u32,
    /// Whether the sender of one that was dropped for its size is told (RFC 1191, RFC 8201).
    pub tells_too_big: bool,
    /// Random loss.
    pub loss: Loss,
    /// Share of datagrams that arrive twice.
    pub duplicate: Ratio,
    /// Serialisation, with a queue before it.
    pub rate: Option<Rate>,
    /// One-way delay after serialisation.
    pub delay: Delay,
    /// Share of datagrams held back, and for how long at most.
    pub reorder: Option<Reorder>,
    /// Whether later datagrams may arrive before earlier ones when delays cross.
    pub order: Order,
}

/// A probability as the threshold for a uniform `u64`: exact, without floats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ratio {
    /// Numerator over 10^12.
    pub parts_per_trillion: u64,
}

/// Random loss of a direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// None.
    #[default]
    None,
    /// Each datagram by itself.
    Bernoulli(Ratio),
    /// Two states with one step per datagram.
    GilbertElliott {
        /// Good to bad.
        p_gb: Ratio,
        /// Bad to good.
        p_bg: Ratio,
        /// Loss in the good state.
        h_g: Ratio,
        /// Loss in the bad state.
        h_b: Ratio,
    },
}

/// Serialisation at a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Bits per second at IP level.
    pub bits_per_second: u64,
    /// Bytes that may wait; a datagram that does not fit is dropped.
    pub queue_bytes: u32,
}

/// One-way delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// Fixed part.
    pub base: Duration,
    /// Random part on top.
    pub spread: Spread,
}

/// Random part of a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// None: the delay is exact.
    None,
    /// Uniform from zero to this.
    Uniform(Duration),
    /// Log-normal.
    LogNormal {
        /// Median.
        median: Duration,
        /// Standard deviation of the logarithm, in thousandths.
        sigma_milli: u32,
    },
}

/// Random reordering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reorder {
    /// Share of datagrams held.
    pub share: Ratio,
    /// A held datagram leaves right after the next one in its direction, or after this time.
    pub hold_max: Duration,
}

/// Order of arrival within one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Delays never let a datagram overtake an earlier one.
    Fifo,
    /// Delays that cross reorder.
    Free,
}

/// A host beside the pair, with a link and traffic of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bystander {
    /// Its name.
    pub name: String,
    /// Its link, one direction.
    pub pipe: Pipe,
    /// Sends a datagram of `size` bytes every `every`; `None` is idle.
    pub traffic: Option<(Duration, u16)>,
}

/// A scripted fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Does something to the datagrams that a selector picks.
    Hit {
        /// Which datagrams.
        select: Selector,
        /// What happens to them.
        action: Action,
        /// At most this many.
        times: Option<u32>,
        /// Whether a run in which it never struck may pass.
        optional: bool,
    },
    /// Drops everything sent in a span of time.
    Blackhole {
        /// Only what this end sends; both if `None`.
        from: Option<Role>,
        /// Begin, inclusive.
        start: SimTime,
        /// End, exclusive.
        end: SimTime,
        /// Whether a run in which it never struck may pass.
        optional: bool,
    },
}

/// What a fault does to a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Lose it.
    Drop,
    /// Deliver `copies` more, each `after` the one before.
    Duplicate {
        /// Additional copies.
        copies: u8,
        /// Time between copies.
        after: Duration,
    },
    /// Deliver it later by this time.
    Delay(Duration),
    /// Keep it until `behind` later datagrams of the direction have been sent, at most `hold_max`.
    Hold {
        /// Datagrams to let pass.
        behind: u32,
        /// Longest time to wait for them.
        hold_max: Duration,
    },
    /// A third party that sees it sends copies of it.
    Replay {
        /// How many.
        copies: u8,
        /// When the first arrives.
        when: ReplayTime,
        /// Under which source address; the sender's own if `None`.
        source: Option<SocketAddr>,
    },
}

/// When copies by a third party arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayTime {
    /// So long after the original, and each as long after the one before.
    After(Duration),
    /// So long before the original, but not before it was sent; all at once.
    Ahead(Duration),
}

/// Picks datagrams by meaning. A datagram matches if every given part holds, those about messages for one and the same
/// record or fragment in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Of this association; the last visit unless a file says otherwise.
    pub visit: Visit,
    /// Sent by this end.
    pub from: Option<Role>,
    /// Part of this flight, 1 to 6, by its place in the full handshake with cookie (RFC 6347 §4.2.4, figure 1).
    pub flight: Option<u8>,
    /// Carries (a fragment of) this message.
    pub message: Option<Message>,
    /// Carries the nth fragment of `message`, from 1, in the order of offsets within one transmission.
    pub fragment: Option<u32>,
    /// The nth transmission, from 1, of what it carries; first and last.
    pub attempt: Option<(u32, u32)>,
    /// The nth datagram, from 1: of the transmission of the flight if `flight` is given, else of the direction.
    pub datagram: Option<u32>,
    /// Has a record of this epoch.
    pub epoch: Option<u16>,
    /// Has a record of this content.
    pub content: Option<Content>,
    /// Sent at or after.
    pub after: Option<SimTime>,
    /// Sent before.
    pub before: Option<SimTime>,
}

/// What the applications do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// Messages the client sends once established; the server's application echoes each.
    pub messages: u32,
    /// Bytes of each.
    pub size: u16,
    /// Time between them.
    pub interval: Duration,
    /// Who closes after the last echo (or a second after the last send, whichever is first); nobody if `None`.
    pub close: Option<Role>,
    /// Messages the server sends of its own accord, at the same interval; nobody echoes them.
    pub server_messages: u32,
    /// What the applications ask of their endpoints besides, in the order in which they do it.
    pub steps: Vec<Step>,
}

/// Something that an application asks of its endpoint once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whose application.
    pub by: Role,
    /// After this many messages of the client: at the client once it has sent them, at the server once it has them.
    pub after: u32,
    /// What.
    pub ask: Ask,
}

/// One demand on the outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Line in the scenario file.
    pub line: u32,
    /// Which association it concerns.
    pub visit: Visit,
    /// The demand.
    pub kind: Demand,
}

/// Kinds of demands. Each has a counter-example among the tests that trips it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Both ends establish, or an end fails.
    Handshake {
        /// Complete or fail.
        result: HandshakeResult,
        /// Only this end; both if `None`.
        who: Option<Role>,
        /// Bounds on the instant at which (the later of) them did.
        at: TimeCheck,
    },
    /// A clock of the handshake, in halves of the link's round trip, exactly.
    RoundTrips {
        /// Which clock.
        clock: Clock,
        /// Twice the number of round trips.
        halves: u32,
    },
    /// The flights on the wire, in the order of their first appearance.
    Flights(Vec<u8>),
    /// The handshake messages and ChangeCipherSpecs of both ends in the order of their first appearance.
    Messages(Vec<Message>),
    /// How often a flight was sent, and when.
    Transmissions {
        /// Which flight.
        flight: u8,
        /// How often.
        count: CountCheck,
        /// Exactly when, if given.
        at: Option<Vec<SimTime>>,
        /// Time between consecutive transmissions, exactly, if given.
        gaps: Option<Vec<Duration>>,
    },
    /// Each retransmission carries the whole flight, with the same `message_seq` and new record numbers.
    WholeFlight {
        /// Which flight.
        flight: u8,
        /// Retransmissions there must be for this to mean something.
        at_least: u32,
    },
    /// Retransmissions for which nothing had been lost.
    Spurious {
        /// Only those of this end.
        from: Option<Role>,
        /// How many.
        count: CountCheck,
    },
    /// Size of the datagrams sent.
    DatagramSize {
        /// Only those of this end.
        from: Option<Role>,
        /// None is larger, bytes of UDP payload.
        at_most: u32,
        /// One is at least this large.
        reaches: Option<u32>,
    },
    /// Fragments of a message in one transmission.
    Fragments {
        /// Which message.
        message: Message,
        /// How many.
        count: CountCheck,
    },
    /// Workload messages that arrived, of those sent.
    Echo {
        /// Arrived back at the client, unchanged, once each.
        count: CountCheck,
    },
    /// Datagrams of a kind that were sent.
    Sent {
        /// Which.
        select: Selector,
        /// Only those with a record that has this connection ID of the receiver's, from 1 by first appearance.
        connection_id: Option<u32>,
        /// How many; `0` demands their absence.
        count: CountCheck,
    },
    /// Alerts that could be read.
    Alert {
        /// Sent by this end.
        from: Option<Role>,
        /// Its description, RFC 5246 §7.2 name.
        description: String,
        /// How many.
        count: CountCheck,
    },
    /// Records an endpoint reported as dropped quietly.
    Discards {
        /// By this end.
        by: Option<Role>,
        /// How many.
        count: CountCheck,
    },
    /// An impairment happened.
    Struck {
        /// Which kind.
        impairment: Impairment,
        /// How often.
        count: CountCheck,
        /// In each run, or in all seeds together.
        per: Per,
    },
    /// Each retransmission of a flight of DTLS 1.3 carries all that is not acknowledged, and nothing else.
    Selective {
        /// Which flight.
        flight: u8,
        /// Retransmissions there must be for this to mean something.
        at_least: u32,
    },
    /// Application data handed to an end, early data aside.
    Data {
        /// To this end.
        to: Option<Role>,
        /// How many messages.
        count: CountCheck,
    },
    /// What becomes of early data.
    EarlyData {
        /// How often the server's application gets some, in the whole run.
        delivered: Option<CountCheck>,
        /// What the client is told.
        accepted: Option<bool>,
    },
    /// What the ends agreed on.
    Negotiated {
        /// Only this end; both if `None`.
        who: Option<Role>,
        /// Whether the association continues an earlier session.
        resumed: Option<bool>,
        /// Whether it says whom it has authenticated.
        peer: Option<bool>,
        /// Application protocol; empty for none.
        alpn: Option<String>,
    },
    /// An end became sure that its peer has another address.
    Moved {
        /// This end.
        by: Option<Role>,
        /// How often.
        count: CountCheck,
    },
}

/// How a handshake ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HandshakeResult {
    /// Established.
    Completes,
    /// Ended with an error.
    Fails,
    /// Neither by the end of the run.
    Unfinished,
}

/// Clocks of a handshake, all from the first ClientHello datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// The client may send application data.
    AppSend,
    /// The client has the first application reply.
    AppReply,
    /// The server has verified the client's Finished.
    ServerDone,
    /// The client knows that its last flight arrived.
    Confirmed,
}

/// Kinds of impairment that a run can demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Impairment {
    /// Random loss, single or in bursts.
    Loss,
    /// Random duplication.
    Duplicate,
    /// A datagram arrived after one sent later in its direction.
    Reordered,
    /// A queue overflowed.
    QueueFull,
    /// A packet exceeded the link's MTU.
    Mtu,
}

/// Where an impairment is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// In each run.
    #[default]
    Run,
    /// In all seeds of the scenario together.
    Seeds,
}

/// Bounds on a count, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountCheck {
    /// At least.
    pub min: u64,
    /// At most; `u64::MAX` is unbounded.
    pub max: u64,
}

impl CountCheck {
    /// Whether `count` is within.
    pub const fn holds(self, count: u64) -> bool {
        self.min <= count && count <= self.max
    }
}

impl fmt::Display for CountCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (min, max) if min == max => write!(f, "exactly {min}"),
            (0, max) => write!(f, "at most {max}"),
            (min, u64::MAX) => write!(f, "at least {min}"),
            (min, max) => write!(f, "{min} to {max}"),
        }
    }
}

/// Bounds on an instant, both inclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeCheck {
    /// Not before.
    pub min: Option<SimTime>,
    /// Not after.
    pub max: Option<SimTime>,
}

#[cfg(test)]
mod bad;
#[cfg(test)]
mod tests;

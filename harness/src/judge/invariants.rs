//! What every run must keep, whatever its scenario asks.

use std::collections::{BTreeMap, BTreeSet};

use super::Complaint;
use crate::dissect::{Body, Dissected, Fragment, Message, Record};
use crate::endpoint::{Dtls, EndpointEvent, Role};
use crate::observe::{Datagram, Observation};
use crate::scenario::{Fault, Scenario};
use crate::time::SimTime;
use crate::trace::{Trace, Visit, What};

/// Handshake type of the HelloVerifyRequest, RFC 6347 §4.3.2.
const HELLO_VERIFY_REQUEST: u8 = 3;

/// Largest body of a record without and with protection, RFC 5246 §6.2.
const PLAINTEXT_MAX: u16 = 1 << 14;
const CIPHERTEXT_MAX: u16 = PLAINTEXT_MAX + 2048;
/// RFC 8446 §5.2.
const CIPHERTEXT13_MAX: u16 = PLAINTEXT_MAX + 256;

/// Something that every run must keep. Each has a counter-example among the tests that trips it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// No endpoint panics, floods, or spins.
    StackBroken,
    /// The trace has an end.
    TraceEnds,
    /// Every scripted fault that is not optional struck at least once.
    FaultStruck,
    /// What an application gets was sent by its peer, unchanged, and comes once.
    DataIntegrity,
    /// Datagrams are whole records that can be read.
    WellFormed,
    /// Record numbers increase and are never used again.
    RecordNumber,
    /// `message_seq` starts at 0, goes up by one for each message, and stays when a message is sent again.
    MessageSeq,
    /// A message sent again has the same bytes.
    SameBytes,
    /// An ACK lists records with handshake messages that have arrived, and none else.
    Ack,
    /// No datagram is larger than its sender was told.
    Mtu,
}

impl Invariant {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Self; 10] = [
        Self::StackBroken,
        Self::TraceEnds,
        Self::FaultStruck,
        Self::DataIntegrity,
        Self::WellFormed,
        Self::RecordNumber,
        Self::MessageSeq,
        Self::SameBytes,
        Self::Ack,
        Self::Mtu,
    ];

    /// Its name in results.
    pub const fn id(self) -> &'static str {
        match self {
            Self::StackBroken => "stack-broken",
            Self::TraceEnds => "trace-ends",
            Self::FaultStruck => "fault-struck",
            Self::DataIntegrity => "data-integrity",
            Self::WellFormed => "well-formed",
            Self::RecordNumber => "record-number",
            Self::MessageSeq => "message-seq",
            Self::SameBytes => "same-bytes",
            Self::Ack => "ack",
            Self::Mtu => "mtu",
        }
    }

    /// The clause behind it in a version; empty for what is the harness's own.
    pub const fn clause(self, dtls: Dtls) -> &'static str {
        match (self, dtls) {
            (Self::StackBroken | Self::TraceEnds | Self::FaultStruck, _) => "",
            (Self::DataIntegrity, Dtls::V12) => "RFC 6347 §4.1.2.6",
            (Self::DataIntegrity, Dtls::V13) => "RFC 9147 §4.5.1",
            (Self::WellFormed | Self::RecordNumber, Dtls::V12) => "RFC 6347 §4.1",
            (Self::WellFormed, Dtls::V13) => "RFC 9147 §4",
            (Self::RecordNumber, Dtls::V13) => "RFC 9147 §4.2",
            (Self::MessageSeq, Dtls::V12) => "RFC 6347 §4.2.2",
            (Self::MessageSeq, Dtls::V13) => "RFC 9147 §5.2",
            (Self::SameBytes, Dtls::V12) => "RFC 6347 §4.2.4",
            (Self::SameBytes, Dtls::V13) => "RFC 9147 §5.8.1",
            (Self::Ack, _) => "RFC 9147 §7.1",
            (Self::Mtu, Dtls::V12) => "RFC 6347 §4.1.1.1",
            (Self::Mtu, Dtls::V13) => "RFC 9147 §4.4",
        }
    }

    pub(super) fn check(self, scenario: &Scenario, seen: &Observation, trace: &Trace) -> Vec<Complaint> {
        match self {
            // Whether and how the run ended is looked at before anything else.
            Self::StackBroken | Self::TraceEnds => Vec::new(),
            Self::FaultStruck => fault_struck(scenario, seen),
            Self::DataIntegrity => data_integrity(trace),
            Self::WellFormed => each_datagram(seen, |(), _, read| ill_formed(read)),
            Self::RecordNumber => each_datagram(seen, record_number),
            Self::MessageSeq => each_datagram(seen, message_seq),
            Self::SameBytes => each_datagram(seen, other_bytes),
            Self::Ack => each_datagram(seen, unfounded_ack),
            Self::Mtu => each_datagram(seen, |(), datagram, _| {
                let mtu = usize::from(spec_mtu(scenario, datagram.from));
                (datagram.size > mtu).then(|| format!("{} bytes, more than {mtu}", datagram.size))
            }),
        }
    }
}

const fn spec_mtu(scenario: &Scenario, role: Role) -> u16 {
    match role {
        Role::Client => scenario.client.mtu,
        Role::Server => scenario.server.mtu,
    }
}

/// Checks datagram after datagram with a state of the check's own. Reports the first offender of each end, and how many
/// more there are.
fn each_datagram<S: Default>(
    seen: &Observation,
    mut check: impl FnMut(&mut S, &Datagram, &Dissected) -> Option<String>,
) -> Vec<Complaint> {
    let mut state = S::default();
    let mut found: [Option<(String, u64)>; 2] = [None, None];
    for (datagram, read) in seen.read() {
        let Some(what) = check(&mut state, datagram, read) else { continue };
        match &mut found[datagram.from as usize] {
            Some((_, more)) => *more += 1,
            first => *first = Some((format!("{}: {what}", label(datagram)), 0)),
        }
    }
    let complaint = |(role, found): (Role, Option<(String, u64)>)| {
        let (first, more) = found?;
        Some(Complaint::of(role, if more == 0 { first } else { format!("{first}; and {more} more") }))
    };
    Role::BOTH.into_iter().zip(found).filter_map(complaint).collect()
}

/// A datagram as failures name it.
pub(super) fn label(datagram: &Datagram) -> String {
    format!("datagram #{} of the {} at {}", datagram.id.0, datagram.from, datagram.at)
}

fn fault_struck(scenario: &Scenario, seen: &Observation) -> Vec<Complaint> {
    let never = |(number, fault): (usize, &Fault)| {
        let (Fault::Hit { optional, .. } | Fault::Blackhole { optional, .. }) = fault;
        let struck = u16::try_from(number).is_ok_and(|number| seen.struck.contains_key(&number));
        (!struck && !optional).then(|| Complaint::new(format!("fault #{} never struck", number + 1)))
    };
    scenario.faults.iter().enumerate().filter_map(never).collect()
}

/// Early data may come more than once, in other associations too, unless a scenario demands otherwise: an attacker can send
/// it again (RFC 8446 §8).
fn data_integrity(trace: &Trace) -> Vec<Complaint> {
    let mut under_way: BTreeMap<(Visit, Role, &[u8]), i64> = BTreeMap::new();
    let mut early: BTreeSet<&[u8]> = BTreeSet::new();
    let mut found = Vec::new();
    for event in &trace.events {
        match &event.what {
            What::AppSend(from, data) => *under_way.entry((event.visit, *from, data)).or_default() += 1,
            What::AppSendEarly(data) => _ = early.insert(data),
            What::Endpoint(role, EndpointEvent::EarlyData(data)) if !early.contains(data.as_slice()) => {
                let (at, bytes) = (event.at, data.len());
                let what = format!("the {role} delivered {bytes} bytes of early data at {at} that the peer never sent");
                found.push(Complaint::of(*role, what));
            }
            What::Endpoint(role, EndpointEvent::Data(data)) => {
                let (at, bytes) = (event.at, data.len());
                let problem = match under_way.get_mut(&(event.visit, role.peer(), data.as_slice())) {
                    Some(left @ 1..) => {
                        *left -= 1;
                        continue;
                    }
                    Some(_) => "more than once",
                    None => "that the peer never sent",
                };
                found.push(Complaint::of(*role, format!("the {role} delivered {bytes} bytes at {at} {problem}")));
            }
            _ => {}
        }
    }
    found
}

fn ill_formed(read: &Dissected) -> Option<String> {
    read.malformed.clone().or_else(|| read.records.iter().find_map(ill_formed_record))
}

fn ill_formed_record(record: &Record) -> Option<String> {
    let number = |what: String| Some(format!("record {}/{}: {what}", record.epoch, record.seq));
    if let Body::Malformed(what) = &record.body {
        return number(what.clone());
    }
    if !matches!(record.version, 0xfeff | 0xfefd) && !record.is_unified() {
        return number(format!("version {:#06x}", record.version));
    }
    let length_max = match record.epoch {
        0 => PLAINTEXT_MAX,
        _ if record.is_unified() => CIPHERTEXT13_MAX,
        _ => CIPHERTEXT_MAX,
    };
    if record.length > length_max {
        return number(format!("{} bytes, more than {length_max}", record.length));
    }
    None
}

/// An association, and one that a client began anew on the same addresses; with the sender.
type Sender = (Visit, u32, Role);

/// Last record number by sender and epoch.
type Numbers = BTreeMap<(Sender, u16), u64>;

/// HelloVerifyRequests do not count: they take the number of the ClientHello they answer, so that a server need not keep
/// state, and each copy of that is answered with the same (RFC 6347 §4.2.1). Nor do HelloRetryRequests, which keep no
/// state either (RFC 9147 §5.1), nor numbers that cannot be unmasked.
fn record_number(last: &mut Numbers, datagram: &Datagram, read: &Dissected) -> Option<String> {
    let mut problem = None;
    for record in &read.records {
        if let Body::Handshake(fragments) = &record.body
            && fragments.iter().any(is_of_stateless_server)
        {
            continue;
        }
        if !record.is_numbered() {
            continue;
        }
        let key = ((datagram.visit, read.association, datagram.from), record.epoch);
        let previous = last.insert(key, record.seq);
        if let Some(previous) = previous.filter(|previous| record.seq <= *previous) {
            last.insert(key, previous);
            problem.get_or_insert_with(|| format!("record {}/{} after {previous}", record.epoch, record.seq));
        }
    }
    problem
}

/// What one end has sent so far in one association.
#[derive(Debug, Default)]
struct Sequence {
    next: u32,
    /// `message_seq` and length by flight and type; a type comes once in a flight.
    known: BTreeMap<(u8, u8), (u16, u32)>,
    /// Type and length of what comes after the handshake, by `message_seq`.
    later: BTreeMap<u16, (u8, u32)>,
}

fn message_seq(sent: &mut BTreeMap<Sender, Sequence>, datagram: &Datagram, read: &Dissected) -> Option<String> {
    let sequence = sent.entry((datagram.visit, read.association, datagram.from)).or_default();
    // Every fragment must be followed, also after the first problem.
    fragments(read).filter_map(|fragment| sequence.follow(fragment)).fold(None, |first, next| first.or(Some(next)))
}

impl Sequence {
    fn follow(&mut self, fragment: &Fragment) -> Option<String> {
        let (seq, length) = (fragment.message_seq, fragment.length);
        let Some(flight) = fragment.flight else { return self.follow_later(fragment) };
        let key = (flight, fragment.code);
        let problem = match self.known.get(&key) {
            Some(&(known_seq, known_length)) if !is_renewable(fragment) => {
                match (seq == known_seq, length == known_length) {
                    (true, true) => return None,
                    (true, false) => Some(format!("is {length} bytes instead of {known_length}")),
                    (false, _) => Some(format!("comes again with message_seq {seq} instead of {known_seq}")),
                }
            }
            Some(_) if u32::from(seq) < self.next => None,
            _ if u32::from(seq) != self.next => Some(format!("has message_seq {seq} instead of {}", self.next)),
            _ => None,
        };
        self.known.insert(key, (seq, length));
        // Goes on from a wrong number, so that one gap is one problem.
        self.next = self.next.max(u32::from(seq) + 1);
        problem.map(|what| format!("{} {what}", message_name(fragment)))
    }
}

impl Sequence {
    /// After the handshake of DTLS 1.3 the count goes on, and a type may come many times (RFC 9147 §5.2). A HelloRequest
    /// begins a count of its own.
    fn follow_later(&mut self, fragment: &Fragment) -> Option<String> {
        let (seq, this) = (fragment.message_seq, (fragment.code, fragment.length));
        if fragment.message == Some(Message::HelloRequest) {
            return None;
        }
        let problem = match self.later.get(&seq) {
            Some(known) if *known == this => return None,
            Some(_) => Some(format!("has message_seq {seq}, as another message had")),
            None if u32::from(seq) != self.next => Some(format!("has message_seq {seq} instead of {}", self.next)),
            None => None,
        };
        self.later.entry(seq).or_insert(this);
        self.next = self.next.max(u32::from(seq) + 1);
        problem.map(|what| format!("{} {what}", message_name(fragment)))
    }
}

/// Whether another message of the same type may come in the same flight: a server without state answers every
/// ClientHello with a HelloVerifyRequest or HelloRetryRequest, a client every new cookie with a ClientHello (RFC 6347
/// §4.2.1, RFC 9147 §5.1).
fn is_renewable(fragment: &Fragment) -> bool {
    is_of_stateless_server(fragment) || fragment.flight == Some(3)
}

fn is_of_stateless_server(fragment: &Fragment) -> bool {
    fragment.code == HELLO_VERIFY_REQUEST || fragment.message == Some(Message::HelloRetryRequest)
}

/// The number of associations begun in each visit, to find a ClientHello that was made anew instead of sent again. No
/// scenario has a client begin twice in one visit.
fn other_bytes(begun: &mut BTreeMap<Visit, u32>, datagram: &Datagram, read: &Dissected) -> Option<String> {
    let begun = begun.entry(datagram.visit).or_default();
    let anew = *begun > 0 && read.association > *begun;
    *begun = read.association;
    if anew {
        return Some("ClientHello with message_seq 0 and another random".into());
    }
    let changed = fragments(read).find(|fragment| fragment.changed && !is_renewable(fragment))?;
    let (name, end) = (message_name(changed), changed.offset + changed.len);
    Some(format!("{name} comes again with other bytes in {}..{end}", changed.offset))
}

/// When records with handshake messages first arrived, by their sender, epoch and number.
type Arrivals = BTreeMap<(Sender, u64, u64), Option<SimTime>>;

fn unfounded_ack(arrivals: &mut Arrivals, datagram: &Datagram, read: &Dissected) -> Option<String> {
    let sender = |from| (datagram.visit, read.association, from);
    let mut problem = None;
    for record in &read.records {
        match &record.body {
            Body::Handshake(_) => {
                let arrival = datagram.delivered.first().copied();
                let known = arrivals.entry((sender(datagram.from), u64::from(record.epoch), record.seq)).or_default();
                *known = match (*known, arrival) {
                    (Some(known), Some(arrival)) => Some(known.min(arrival)),
                    (known, arrival) => known.or(arrival),
                };
            }
            Body::Ack(numbers) => {
                let unfounded = numbers.iter().find(|number| {
                    let arrival = arrivals.get(&(sender(datagram.from.peer()), number.epoch, number.seq));
                    arrival.copied().flatten().is_none_or(|arrival| arrival > datagram.at)
                });
                if let (Some(number), None) = (unfounded, &problem) {
                    let number = format!("{}/{}", number.epoch, number.seq);
                    problem = Some(format!("acknowledges {number}, no handshake record that has arrived"));
                }
            }
            _ => {}
        }
    }
    problem
}

fn fragments(read: &Dissected) -> impl Iterator<Item = &Fragment> {
    let bodies = read.records.iter().filter_map(|record| match &record.body {
        Body::Handshake(fragments) => Some(fragments),
        _ => None,
    });
    bodies.flatten()
}

fn message_name(fragment: &Fragment) -> String {
    fragment.message.map_or_else(|| format!("message of type {}", fragment.code), |message| message.to_string())
}

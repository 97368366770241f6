//! The ladder of a run: a page of text on which each datagram is a rung between the client on the left and the server
//! on the right. It is the golden form of a run, what a failing test prints, and what `replay` shows.
//!
//! Fixed columns, virtual time, no data of the host, no random bytes.

use std::fmt::Write as _;

use super::path::{Arrival, Passage, passages};
use super::words;
use crate::dissect::{Body, Dissected, Record};
use crate::endpoint::{EndpointEvent, Role};
use crate::time::SimTime;
use crate::trace::{DatagramId, End, Event, Sent, Trace, What};

/// Columns between the client's line and the server's.
const LANE: usize = 62;
/// Columns of an arrow before its label and, at least, after it.
const SHAFT: usize = 5;
/// Columns before the client's line.
const MARGIN: usize = 29;

/// The whole ladder: a legend, a line per event, a last line with totals.
pub fn text(trace: &Trace, dissected: &[Dissected]) -> String {
    Ladder::new(trace, dissected).render(0)
}

/// The ladder from where the last `flights` transmissions of flights began.
pub fn tail(trace: &Trace, dissected: &[Dissected], flights: usize) -> String {
    Ladder::new(trace, dissected).render(begin_of_last(trace, dissected, flights))
}

/// Index of the event at which the last `flights` transmissions of flights began.
fn begin_of_last(trace: &Trace, dissected: &[Dissected], flights: usize) -> usize {
    let mut seen = Vec::new();
    for (index, event) in trace.events.iter().enumerate().rev() {
        let What::Sent(Sent { id, from, .. }) = &event.what else { continue };
        let Some(read) = dissected.get(id.0 as usize) else { continue };
        let Some(flight) = read.flight else { continue };
        let transmission = (*from, flight, read.attempt);
        if !seen.contains(&transmission) {
            seen.push(transmission);
        }
        // Leave at the first datagram of one transmission too many: what follows it is wanted.
        if seen.len() > flights {
            return index + 1;
        }
    }
    0
}

struct Ladder<'a> {
    trace: &'a Trace,
    dissected: &'a [Dissected],
    passages: Vec<Passage<'a>>,
    /// Whether six decimals show every instant exactly.
    micros: bool,
    out: String,
}

impl<'a> Ladder<'a> {
    fn new(trace: &'a Trace, dissected: &'a [Dissected]) -> Self {
        let passages = passages(trace);
        let dues = passages.iter().flat_map(|passage| &passage.copies).filter_map(|copy| copy.due);
        let micros = trace.events.iter().map(|event| event.at).chain(dues).all(|at| at.as_nanos() % 1000 == 0);
        Self { trace, dissected, passages, micros, out: String::new() }
    }

    fn render(mut self, begin: usize) -> String {
        let server = format!("{:>width$}", "server", width = LANE - "client".len() + 2);
        self.line(&format!("{:>14} {:>5}  {:<7}client{server}  bytes  fate", "seconds", "#", "flight"));
        if begin > 0 {
            self.line(&format!("{:>MARGIN$}  ... {begin} earlier events", ""));
        }
        for event in &self.trace.events[begin..] {
            self.event(event);
        }
        self.totals();
        self.out
    }

    fn event(&mut self, event: &Event) {
        match &event.what {
            What::Sent(sent) => self.sent(sent.id),
            What::Released { id, due, .. } => {
                let text = format!("held #{} let go => {}", id.0, self.time(*due));
                self.middle(event.at, &text);
            }
            // Shown with the datagram.
            What::Delivered { .. } => {}
            What::Timer(role) => self.beside(event.at, *role, "timer"),
            What::Endpoint(_, EndpointEvent::KeyLog(_)) => {}
            What::Endpoint(role, reported) => self.beside(event.at, *role, &words::reported(reported)),
            What::AppSend(role, data) => self.beside(event.at, *role, &format!("send {} B", data.len())),
            What::AppClose(role) => self.beside(event.at, *role, "close"),
            What::AppSendEarly(data) => {
                self.beside(event.at, Role::Client, &format!("send {} B early", data.len()));
            }
            What::AppAsk(role, ask) => self.beside(event.at, *role, &ask.to_string()),
            What::Refused { id, why, .. } => self.beside(event.at, Role::Client, &format!("#{} is lost: {why}", id.0)),
            What::TooBig(role, mtu) => self.beside(event.at, *role, &format!("ICMP: at most {mtu} B")),
            What::Rebound(outside) => self.beside(event.at, Role::Client, &format!("NAT: now at {outside}")),
            What::End(end) => {
                let text = match end {
                    End::Quiescent => "nothing left to happen".to_owned(),
                    End::Duration => "end of the run".to_owned(),
                    End::Broken { role, what } => format!("run broken by the {role}: {what}"),
                };
                self.middle(event.at, &text);
            }
        }
    }

    /// The rung of one datagram. A label that is too long for the arrow goes on below it.
    fn sent(&mut self, id: DatagramId) {
        let passage = &self.passages[id.0 as usize];
        let read = self.dissected.get(id.0 as usize);
        let from = passage.sent.from;
        let dropped = passage.dropped();
        let flight = match read {
            Some(Dissected { flight: Some(flight), attempt: 0 | 1, .. }) => format!("F{flight}"),
            Some(Dissected { flight: Some(flight), attempt, .. }) => format!("F{flight}.{attempt}"),
            _ => String::new(),
        };
        let mut rows = wrap(&read.map(label).unwrap_or_default(), LANE - 2 * SHAFT - 2).into_iter();
        let shaft = shaft(&rows.next().unwrap_or_default(), from, dropped);
        let fate = self.fate(passage);
        let head = format!("{:>14} {:>5}  {flight:<7}", self.time(passage.at), id.0);
        let bytes = passage.sent.bytes.len();
        self.line(&format!("{head}|{shaft}| {bytes:>6}  {fate}"));
        for row in rows {
            let row = format!("{:SHAFT$} {row}", "");
            self.line(&format!("{:MARGIN$}|{row:<LANE$}|", ""));
        }
    }

    fn fate(&self, passage: &Passage<'_>) -> String {
        if passage.dropped() {
            return format!("X  {}", passage.causes().unwrap_or_else(|| "dropped".to_owned()));
        }
        let arrivals: Vec<String> = passage.copies.iter().map(|copy| self.arrival(*copy)).collect();
        let causes = passage.causes().map(|causes| format!("  {causes}")).unwrap_or_default();
        format!("=> {}{causes}", arrivals.join(", "))
    }

    fn arrival(&self, arrival: Arrival) -> String {
        match (arrival.delivered, arrival.due) {
            (Some(at), _) => self.time(at),
            (None, Some(due)) => format!("{} (not reached)", self.time(due)),
            (None, None) => "held to the end".to_owned(),
        }
    }

    /// A note at one end's line.
    fn beside(&mut self, at: SimTime, role: Role, note: &str) {
        for (nth, row) in wrap(note, LANE - 2).iter().enumerate() {
            let time = if nth == 0 { self.time(at) } else { String::new() };
            let note = match role {
                Role::Client => format!(" {row:<width$}", width = LANE - 1),
                Role::Server => format!("{row:>width$} ", width = LANE - 1),
            };
            self.line(&format!("{time:>14}{:width$}|{note}|", "", width = MARGIN - 14));
        }
    }

    /// A note about the link or the run.
    fn middle(&mut self, at: SimTime, note: &str) {
        for (nth, row) in wrap(note, LANE - 2).iter().enumerate() {
            let time = if nth == 0 { self.time(at) } else { String::new() };
            self.line(&format!("{time:>14}{:width$}|{row:^LANE$}|", "", width = MARGIN - 14));
        }
    }

    fn totals(&mut self) {
        let totals = Totals::of(&self.passages);
        self.line(&format!(
            "{:MARGIN$} sent {}, delivered {}, dropped {}; client {} B, server {} B",
            "", totals.sent, totals.delivered, totals.dropped, totals.client_bytes, totals.server_bytes
        ));
    }

    fn time(&self, at: SimTime) -> String {
        let mut text = at.to_string();
        if self.micros {
            text.truncate(text.len() - 3);
        }
        text
    }

    fn line(&mut self, line: &str) {
        writeln!(self.out, "{}", line.trim_end()).expect("writing to memory cannot fail");
    }
}

/// Sums over the datagrams of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Datagrams sent.
    pub sent: u64,
    /// Arrivals, copies included.
    pub delivered: u64,
    /// Datagrams of which no copy was to arrive.
    pub dropped: u64,
    /// UDP payload the client sent.
    pub client_bytes: u64,
    /// UDP payload the server sent.
    pub server_bytes: u64,
}

impl Totals {
    /// Those of a run.
    pub fn of(passages: &[Passage<'_>]) -> Self {
        let mut totals = Self::default();
        for passage in passages {
            totals.sent += 1;
            totals.delivered += passage.copies.iter().filter(|copy| copy.delivered.is_some()).count() as u64;
            totals.dropped += u64::from(passage.dropped());
            match passage.sent.from {
                Role::Client => totals.client_bytes += passage.sent.bytes.len() as u64,
                Role::Server => totals.server_bytes += passage.sent.bytes.len() as u64,
            }
        }
        totals
    }
}

/// An arrow as wide as the lane with a label on it: `---- label --->`. A dropped one does not get there.
fn shaft(label: &str, from: Role, dropped: bool) -> String {
    let fill = LANE - SHAFT - 2 - label.chars().count();
    match (from, dropped) {
        (Role::Client, false) => format!("{:-<SHAFT$} {label} {:->fill$}", "", ">"),
        (Role::Client, true) => format!("{:-<SHAFT$} {label} {:->fill$}", "", "X  "),
        (Role::Server, false) => format!("{:-<SHAFT$} {label} {:-<fill$}", "<", ""),
        (Role::Server, true) => format!("{:-<SHAFT$} {label} {:-<fill$}", "  X", ""),
    }
}

/// What a datagram carries: messages with their fragments, `{}` around what is protected, `()` around early data,
/// `cid1:` before what shows the receiver's first connection ID.
fn label(read: &Dissected) -> String {
    let mut parts: Vec<String> = read.records.iter().map(record).collect();
    if let Some(malformed) = &read.malformed {
        parts.push(format!("malformed: {malformed}"));
    }
    parts.join(", ")
}

fn record(record: &Record) -> String {
    let text = match &record.body {
        Body::Handshake(fragments) => fragments.iter().map(words::fragment).collect::<Vec<_>>().join(", "),
        Body::ChangeCipherSpec { .. } => "ChangeCipherSpec".to_owned(),
        Body::Alert { level, description } => words::alert(*level, *description),
        Body::ApplicationData(data) => format!("ApplicationData({})", data.len()),
        Body::Ack(records) => words::ack(records),
        Body::PathCheck(kind) => words::path_check(*kind),
        Body::Sealed { .. } => words::content_type(record.content_type),
        Body::Malformed(reason) => format!("malformed: {reason}"),
    };
    let cid = record.connection_id.map_or_else(String::new, |number| format!("cid{number}: "));
    match (record.epoch, &record.body) {
        (0, _) => text,
        (_, Body::Sealed { .. }) => format!("{{{cid}sealed {text}}}"),
        // Early data has keys of its own.
        (1, _) if record.is_unified() => format!("({cid}{text})"),
        _ => format!("{{{cid}{text}}}"),
    }
}

/// Breaks at spaces into rows of at most `width` columns, inside words only where a word is longer than that.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let row = rows.last_mut().expect("starts with one row");
            let used = row.chars().count();
            let gap = usize::from(used > 0);
            if used + gap + word.len() <= width {
                if gap == 1 {
                    row.push(' ');
                }
                row.extend(word);
                break;
            }
            if used == 0 {
                row.extend(word.drain(..width));
            }
            rows.push(String::new());
        }
    }
    rows
}

#[cfg(test)]
mod tests;

//! Where two traces part: what a check of determinism has to tell.

use std::fmt;

use super::{Event, Trace, Visit, What};
use crate::endpoint::EndpointEvent;

/// The first event in which two traces differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference<'a> {
    /// Its place in both traces, from 0.
    pub index: usize,
    /// The event of the first trace; `None` if that one has ended.
    pub left: Option<&'a Event>,
    /// The event of the second.
    pub right: Option<&'a Event>,
}

/// The first difference, or `None` if the traces are the same.
pub fn first_difference<'a>(left: &'a Trace, right: &'a Trace) -> Option<Difference<'a>> {
    let common = left.events.iter().zip(&right.events).take_while(|(left, right)| left == right).count();
    let (left, right) = (left.events.get(common), right.events.get(common));
    (left.is_some() || right.is_some()).then_some(Difference { index: common, left, right })
}

/// Both sides, a line each, and for datagrams the first byte that differs.
impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "event {} differs:", self.index)?;
        for (side, event) in [("left", self.left), ("right", self.right)] {
            match event {
                Some(event) => writeln!(f, "  {side:<5}  {event}")?,
                None => writeln!(f, "  {side:<5}  (has ended)")?,
            }
        }
        if let (Some(What::Sent(left)), Some(What::Sent(right))) =
            (self.left.map(|event| &event.what), self.right.map(|event| &event.what))
            && left.bytes != right.bytes
        {
            let same = left.bytes.iter().zip(right.bytes.iter()).take_while(|(left, right)| left == right).count();
            writeln!(f, "  the datagrams differ from byte {same} on")?;
        }
        Ok(())
    }
}

/// One line: the instant and what happened. Neither keys nor application data appear.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.visit {
            Visit::FIRST => write!(f, "{}  {}", self.at, self.what),
            visit => write!(f, "{}  {visit}: {}", self.at, self.what),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent(sent) => {
                write!(f, "{} sends datagram {} of {} B", sent.from, sent.id.0, sent.bytes.len())?;
                for cause in &sent.fate.causes {
                    write!(f, ", {cause}")?;
                }
                for copy in &sent.fate.copies {
                    match copy.due {
                        Some(due) => write!(f, ", arrives at {due}")?,
                        None => f.write_str(", waits")?,
                    }
                    if let Some(source) = copy.forged {
                        write!(f, " from {source}")?;
                    }
                }
                Ok(())
            }
            Self::Released { id, copy, due } => write!(f, "datagram {} copy {copy} goes on, arrives at {due}", id.0),
            Self::Delivered { id, copy } => write!(f, "datagram {} copy {copy} arrives", id.0),
            Self::Refused { id, copy, why } => write!(f, "datagram {} copy {copy} is not taken in: {why}", id.0),
            Self::TooBig(role, mtu) => write!(f, "the network tells the {role} that at most {mtu} B pass"),
            Self::Rebound(outside) => write!(f, "the NAT maps the client to {outside}"),
            Self::Timer(role) => write!(f, "{role}'s deadline"),
            Self::Endpoint(role, event) => match event {
                EndpointEvent::Established { suite } => write!(f, "{role} is established {suite}"),
                EndpointEvent::Data(data) => write!(f, "{role} receives {} B", data.len()),
                EndpointEvent::PeerClosed => write!(f, "{role}'s peer has closed"),
                EndpointEvent::Failed(why) => write!(f, "{role} fails: {why}"),
                EndpointEvent::Discarded(why) => write!(f, "{role} discards a record: {why}"),
                EndpointEvent::KeyLog(line) => {
                    write!(f, "{role} logs {}", line.split(' ').next().unwrap_or_default())
                }
                EndpointEvent::SendRefused(why) => write!(f, "{role} refuses to send: {why}"),
                EndpointEvent::Session(_) => write!(f, "{role} has a session to resume"),
                EndpointEvent::EarlyData(data) => write!(f, "{role} receives {} B of early data", data.len()),
                EndpointEvent::EarlyDataAnswer { accepted: true } => write!(f, "{role}'s early data is accepted"),
                EndpointEvent::EarlyDataAnswer { accepted: false } => write!(f, "{role}'s early data is refused"),
                EndpointEvent::PeerMoved(address) => write!(f, "{role}'s peer is now at {address}"),
                EndpointEvent::Negotiated(what) => write!(f, "{role}: {what}"),
            },
            Self::AppSend(role, data) => write!(f, "{role}'s application sends {} B", data.len()),
            Self::AppClose(role) => write!(f, "{role}'s application closes"),
            Self::AppSendEarly(data) => write!(f, "client's application sends {} B of early data", data.len()),
            Self::AppAsk(role, ask) => write!(f, "{role}'s application wants it to {ask}"),
            Self::End(end) => write!(f, "the run ends: {end}"),
        }
    }
}

impl fmt::Display for super::End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quiescent => f.write_str("nothing is left to happen"),
            Self::Duration => f.write_str("its duration is over"),
            Self::Broken { role, what } => write!(f, "the {role} {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::endpoint::Role;
    use crate::time::SimTime;
    use crate::trace::{DatagramId, End, Fate, Sent, Visit};

    fn trace(events: Vec<What>) -> Trace {
        Trace {
            events: events
                .into_iter()
                .map(|what| Event { at: SimTime::from_nanos(5), visit: Visit::FIRST, what })
                .collect(),
        }
    }

    fn sent(bytes: &[u8]) -> What {
        let (id, from, bytes) = (DatagramId(3), Role::Client, Arc::from(bytes));
        What::Sent(Sent { id, from, path: None, index: 3, bytes, fate: Fate::default() })
    }

    #[test]
    fn equal_traces_have_none() {
        let one = trace(vec![What::Timer(Role::Client), What::End(End::Quiescent)]);
        assert_eq!(first_difference(&one, &one.clone()), None);
    }

    #[test]
    fn the_first_differing_event_is_shown_with_both_sides() {
        let left = trace(vec![What::Timer(Role::Client), sent(b"abcd"), What::End(End::Quiescent)]);
        let right = trace(vec![What::Timer(Role::Client), sent(b"abXd")]);
        let difference = first_difference(&left, &right).expect("they differ");
        assert_eq!(difference.index, 1);
        let text = difference.to_string();
        assert!(text.starts_with("event 1 differs:\n  left   0.000000005  client sends datagram 3 of 4 B"), "{text}");
        assert!(text.ends_with("the datagrams differ from byte 2 on\n"), "{text}");
    }

    #[test]
    fn a_shorter_trace_differs_where_it_ends() {
        let left = trace(vec![What::Timer(Role::Client)]);
        let difference = first_difference(&left, &Trace { events: vec![] }).map(|found| found.to_string());
        let expected = "event 0 differs:\n  left   0.000000005  client's deadline\n  right  (has ended)\n";
        assert_eq!(difference.as_deref(), Some(expected));
    }

    #[test]
    fn lines_hold_no_keys() {
        let line = EndpointEvent::KeyLog("CLIENT_RANDOM 00 5ec2e7".to_owned());
        assert_eq!(What::Endpoint(Role::Client, line).to_string(), "client logs CLIENT_RANDOM");
    }
}

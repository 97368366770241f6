//! Scripted faults: which of them strikes a datagram, by what the datagram means.
//!
//! Faults are tried in file order and the first that matches acts, as long as its `times` last. What happens then is the
//! business of the pipe.

use crate::dissect::{Body, Dissected, Message, Record};
use crate::endpoint::Role;
use crate::scenario::{Action, Fault, Selector};
use crate::time::SimTime;
use crate::trace::{Cause, FaultAction, Visit};

/// Content type of handshake records (RFC 5246 §6.2.1).
const HANDSHAKE: u8 = 22;

/// A fault that met a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Strike {
    fault: u16,
    /// `None` is a black hole.
    action: Option<Action>,
}

impl Strike {
    #[cfg(test)]
    pub(super) fn new(fault: u16, action: Option<Action>) -> Self {
        Self { fault, action }
    }

    /// What the pipe is to do, if the datagram survives.
    pub(super) fn action(self) -> Option<Action> {
        self.action
    }

    /// The same for the trace.
    pub(super) fn cause(self) -> Cause {
        let fault = self.fault;
        let action = match self.action {
            None => return Cause::Blackhole { fault },
            Some(Action::Drop) => FaultAction::Drop,
            Some(Action::Duplicate { .. }) => FaultAction::Duplicate,
            Some(Action::Delay(_)) => FaultAction::Delay,
            Some(Action::Hold { .. }) => FaultAction::Hold,
            Some(Action::Replay { .. }) => FaultAction::Replay,
        };
        Cause::Fault { fault, action }
    }
}

/// The faults of a scenario and how often each has struck.
#[derive(Clone, Debug)]
pub(super) struct Faults<'a> {
    faults: &'a [Fault],
    struck: Vec<u32>,
}

impl<'a> Faults<'a> {
    pub(super) fn new(faults: &'a [Fault]) -> Self {
        Self { faults, struck: vec![0; faults.len()] }
    }

    /// Whether any fault asks what datagrams mean.
    pub(super) fn need_reading(&self) -> bool {
        self.faults.iter().any(|fault| matches!(fault, Fault::Hit { .. }))
    }

    /// The first fault that means this datagram. `read` is the datagram dissected, `None` only if no fault needs it.
    pub(super) fn strike(
        &mut self,
        visit: Visit,
        now: SimTime,
        from: Role,
        read: Option<&Dissected>,
    ) -> Option<Strike> {
        for (number, (fault, struck)) in self.faults.iter().zip(&mut self.struck).enumerate() {
            let action = match fault {
                Fault::Blackhole { from: only, start, end, .. } => {
                    let inside = only.is_none_or(|role| role == from) && (*start..*end).contains(&now);
                    inside.then_some(None)
                }
                Fault::Hit { select, action, times, .. } => {
                    let left = times.is_none_or(|times| *struck < times);
                    (left && read.is_some_and(|read| selects(select, visit, now, from, read))).then_some(Some(*action))
                }
            };
            if let Some(action) = action {
                *struck = struck.saturating_add(1);
                return Some(Strike { fault: u16::try_from(number).unwrap_or(u16::MAX), action });
            }
        }
        None
    }
}

/// Whether every part of the selector holds for a datagram of `visit` that `from` sends at `now`.
///
/// Parts about a message, the epoch, and the content hold for one and the same record, or fragment in it. Without `message`,
/// `attempt` means the datagram as a whole. `datagram` counts within the transmission of the flight if `flight` is given,
/// else on the direction.
pub fn selects(select: &Selector, visit: Visit, now: SimTime, from: Role, read: &Dissected) -> bool {
    let given = |part: Option<u32>, value: u32| part.is_none_or(|part| part == value);
    let nth = if select.flight.is_some() { read.nth_in_attempt } else { read.nth_in_direction };
    select.visit == visit
        && select.from.is_none_or(|role| role == from)
        && select.after.is_none_or(|after| after <= now)
        && select.before.is_none_or(|before| now < before)
        && (select.flight.is_none() || select.flight == read.flight)
        && given(select.datagram, nth)
        && (select.message.is_some() || within(select.attempt, read.attempt))
        && holds_a_record(select, read)
}

fn within(bounds: Option<(u32, u32)>, attempt: u32) -> bool {
    bounds.is_none_or(|(first, last)| (first..=last).contains(&attempt))
}

/// Whether one record meets all parts that are about records.
fn holds_a_record(select: &Selector, read: &Dissected) -> bool {
    if (select.message, select.fragment, select.epoch, select.content) == (None, None, None, None) {
        return true;
    }
    read.records.iter().any(|record| {
        select.epoch.is_none_or(|epoch| epoch == record.epoch)
            && (select.content.is_none() || select.content == record.content())
            && match select.message {
                Some(message) => carries(select, message, record),
                None => select.fragment.is_none(),
            }
    })
}

/// Whether the record carries the message, in the fragment and attempt asked for.
fn carries(select: &Selector, message: Message, record: &Record) -> bool {
    // What is not cut is its own first fragment.
    let whole = |attempt: u32| select.fragment.is_none_or(|nth| nth == 1) && within(select.attempt, attempt);
    match &record.body {
        Body::Handshake(fragments) => fragments.iter().any(|fragment| {
            fragment.message == Some(message)
                && select.fragment.is_none_or(|nth| nth == fragment.nth)
                && within(select.attempt, fragment.attempt)
        }),
        Body::ChangeCipherSpec { attempt } => message == Message::ChangeCipherSpec && whole(*attempt),
        Body::Sealed { attempt } => {
            message == Message::Finished && record.content_type == HANDSHAKE && record.epoch > 0 && whole(*attempt)
        }
        Body::Alert { .. } | Body::ApplicationData(_) | Body::Ack(_) | Body::PathCheck(_) | Body::Malformed(_) => false,
    }
}

#[cfg(test)]
mod tests;

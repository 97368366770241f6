//! Whether a flight of DTLS 1.3 that comes again leaves out what is acknowledged, and nothing else (RFC 9147 §5.8.1, §7.2).

use std::collections::{BTreeMap, BTreeSet};

use super::Complaint;
use super::demands::{Check, part_name};
use crate::dissect::{Body, Dissected};
use crate::observe::{Datagram, Observation, PartKey};
use crate::time::SimTime;

/// One byte of a message; of one without a body its first, as if it had one.
type Byte = (PartKey, u32);

/// What is known of the flight at an instant.
#[derive(Default)]
struct Ledger {
    /// Everything sent so far.
    sent: BTreeSet<Byte>,
    /// What each record carried, by epoch and number.
    records: BTreeMap<(u64, u64), Vec<Byte>>,
}

/// What goes out at one instant.
struct Batch {
    at: SimTime,
    bytes: BTreeSet<Byte>,
    is_again: bool,
}

pub(super) fn check(seen: &Observation, flight: u8, at_least: u32) -> Check {
    let Some(from) = seen.flights.iter().find(|found| found.number == flight).map(|found| found.from) else {
        return Err(Complaint::new(format!("flight {flight} was not sent")));
    };
    let mut ledger = Ledger::default();
    let mut again = 0;
    let mut mine = seen.read().filter(|(datagram, _)| datagram.from == from).peekable();
    while let Some((first, _)) = mine.peek() {
        let at = first.at;
        let mut batch = Batch { at, bytes: BTreeSet::new(), is_again: false };
        // What was sent before this instant is what an ACK can be about.
        // Of several that come at once it may have read the first only.
        let due: BTreeSet<Byte> =
            ledger.sent.difference(&acknowledged(seen, &ledger, at, usize::MAX)).copied().collect();
        let not_told: BTreeSet<Byte> = ledger.sent.difference(&acknowledged(seen, &ledger, at, 1)).copied().collect();
        while let Some((_, read)) = mine.next_if(|(datagram, _)| datagram.at == at) {
            batch.take(&mut ledger, flight, read);
        }
        if !batch.is_again {
            continue;
        }
        again += 1;
        let complain = |what: &str, byte: Option<&Byte>| match byte {
            None => Ok(()),
            Some((part, offset)) => {
                let place = format!("{} from byte {offset} on", part_name(*part));
                let what = format!("what is sent again of flight {flight} at {} {what} {place}", batch.at);
                Err(Complaint::of(from, what))
            }
        };
        complain("lacks", due.difference(&batch.bytes).next())?;
        complain("repeats though it is acknowledged", batch.bytes.difference(&not_told).next())?;
    }
    if again < at_least {
        return Err(Complaint::of(
            from,
            format!("flight {flight} was sent again {again} times, not at least {at_least}"),
        ));
    }
    Ok(())
}

impl Batch {
    fn take(&mut self, ledger: &mut Ledger, flight: u8, read: &Dissected) {
        for record in &read.records {
            let Body::Handshake(fragments) = &record.body else { continue };
            for fragment in fragments.iter().filter(|fragment| fragment.flight == Some(flight)) {
                let (message_seq, code, length) = (fragment.message_seq, fragment.code, fragment.length);
                let part = PartKey::Message { message_seq, code, length };
                let end = fragment.offset + fragment.len.max(u32::from(length == 0));
                let bytes: Vec<Byte> = (fragment.offset..end).map(|offset| (part, offset)).collect();
                self.is_again |= fragment.attempt > 1;
                self.bytes.extend(bytes.iter().copied());
                ledger.sent.extend(bytes.iter().copied());
                ledger.records.entry((u64::from(record.epoch), record.seq)).or_default().extend(bytes);
            }
        }
    }
}

/// What ACKs are about that arrived before this instant, and the first so many that arrived at it.
fn acknowledged(seen: &Observation, ledger: &Ledger, by: SimTime, of_now: usize) -> BTreeSet<Byte> {
    let acks = seen.read().flat_map(|(datagram, read)| {
        read.records.iter().filter_map(move |record| match &record.body {
            Body::Ack(numbers) => Some((datagram, numbers)),
            _ => None,
        })
    });
    let arrived = |datagram: &Datagram| datagram.delivered.iter().min().filter(|at| **at <= by).copied();
    let mut acks: Vec<_> = acks.filter_map(|(datagram, numbers)| Some((arrived(datagram)?, numbers))).collect();
    acks.sort_by_key(|(at, _)| *at);
    let before = acks.iter().take_while(|(at, _)| *at < by).count();
    let numbers = acks.iter().take(before.saturating_add(of_now)).flat_map(|(_, numbers)| *numbers);
    let records = numbers.filter_map(|number| ledger.records.get(&(number.epoch, number.seq)));
    records.flatten().copied().collect()
}

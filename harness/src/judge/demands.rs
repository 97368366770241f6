//! What a scenario demands, kind by kind.

use std::collections::BTreeSet;
use std::time::Duration;

use dtls_impl::wire::AlertDescription;

use super::invariants::label;
use super::{Complaint, association, selective};
use crate::dissect::{Body, Dissected, Message};
use crate::endpoint::{Dtls, Role};
use crate::observe::{Observation, PartKey, Transmission};
use crate::scenario::{
    Clock, CountCheck, Demand, HandshakeResult, Impairment, Per, Pipe, Scenario, Selector, Spread, TimeCheck,
};
use crate::sim::selects;
use crate::time::SimTime;

pub(super) type Check = Result<(), Complaint>;

/// Name of a kind of demand, as in scenario files.
pub const fn name(demand: &Demand) -> &'static str {
    match demand {
        Demand::Handshake { .. } => "handshake",
        Demand::RoundTrips { .. } => "round-trips",
        Demand::Flights(_) => "flights",
        Demand::Messages(_) => "messages",
        Demand::Transmissions { .. } => "transmissions",
        Demand::WholeFlight { .. } => "whole-flight",
        Demand::Spurious { .. } => "spurious",
        Demand::DatagramSize { .. } => "datagram-size",
        Demand::Fragments { .. } => "fragments",
        Demand::Echo { .. } => "echo",
        Demand::Sent { .. } => "sent",
        Demand::Alert { .. } => "alert",
        Demand::Discards { .. } => "discards",
        Demand::Struck { .. } => "struck",
        Demand::Selective { .. } => "selective",
        Demand::Data { .. } => "data",
        Demand::EarlyData { .. } => "early-data",
        Demand::Negotiated { .. } => "negotiated",
        Demand::Moved { .. } => "moved",
    }
}

/// `seen` is the association that the demand concerns, `run` the whole run.
pub(super) fn check(scenario: &Scenario, seen: &Observation, run: &Observation, demand: &Demand) -> Check {
    match demand {
        Demand::Handshake { result, who, at } => handshake(seen, *result, *who, *at),
        Demand::RoundTrips { clock, halves } => round_trips(scenario, seen, *clock, *halves),
        Demand::Flights(expected) => flights(seen, expected),
        Demand::Messages(expected) => messages(seen, expected),
        Demand::Transmissions { flight, count, at, gaps } => {
            transmissions(seen, *flight, *count, at.as_deref(), gaps.as_deref())
        }
        Demand::WholeFlight { flight, at_least } => whole_flight(seen, *flight, *at_least),
        Demand::Spurious { from, count } => spurious(seen, *from, *count),
        Demand::DatagramSize { from, at_most, reaches } => datagram_size(seen, *from, *at_most, *reaches),
        Demand::Fragments { message, count } => fragments(seen, *message, *count),
        Demand::Echo { count } => counted("messages came back to the client", seen.echoes.len(), *count, None),
        Demand::Sent { select, connection_id, count } => sent(run, select, *connection_id, *count),
        Demand::Alert { from, description, count } => alerts(seen, *from, description, *count),
        Demand::Discards { by, count } => discards(seen, *by, *count),
        Demand::Struck { impairment, count, per: Per::Run } => struck(run, *impairment, *count),
        Demand::Struck { per: Per::Seeds, .. } => Ok(()),
        Demand::Selective { flight, at_least } => selective::check(seen, *flight, *at_least),
        Demand::Data { to, count } => association::data(seen, *to, *count),
        Demand::EarlyData { delivered, accepted } => association::early_data(seen, run, *delivered, *accepted),
        Demand::Negotiated { who, resumed, peer, alpn } => {
            association::negotiated(seen, *who, *resumed, *peer, alpn.as_deref())
        }
        Demand::Moved { by, count } => association::moved(seen, *by, *count),
    }
}

/// A demand on a number of things.
pub(super) fn counted(what: &str, count: usize, check: CountCheck, first: Option<String>) -> Check {
    if check.holds(count as u64) {
        return Ok(());
    }
    let first = first.map_or_else(String::new, |first| format!(", first {first}"));
    Err(Complaint::new(format!("{count} {what}, not {check}{first}")))
}

fn handshake(seen: &Observation, result: HandshakeResult, who: Option<Role>, at: TimeCheck) -> Check {
    let roles: Vec<Role> = Role::BOTH.into_iter().filter(|role| who.is_none_or(|who| who == *role)).collect();
    let established = |role: Role| seen.outcome(role).established;
    let failed = |role: Role| match &seen.outcome(role).failed {
        Some((at, _)) if established(role).is_none() => Some(*at),
        _ => None,
    };
    let instants: Vec<Option<SimTime>> = match result {
        HandshakeResult::Completes => roles.iter().map(|role| established(*role)).collect(),
        HandshakeResult::Fails => roles.iter().map(|role| failed(*role)).collect(),
        HandshakeResult::Unfinished => {
            if at != TimeCheck::default() {
                return Err(Complaint::new("bounds on the instant of a handshake that is not to end"));
            }
            let over = roles.iter().find(|role| established(**role).is_some() || failed(**role).is_some());
            return over.map_or(Ok(()), |role| Err(Complaint::of(*role, outcome(seen, *role))));
        }
    };
    let missing = roles.iter().zip(&instants).find(|(_, instant)| instant.is_none()).map(|(role, _)| *role);
    let holds = match result {
        // One end that ends with an error makes the handshake fail, unless an end was asked for.
        HandshakeResult::Fails => instants.iter().any(Option::is_some),
        HandshakeResult::Completes | HandshakeResult::Unfinished => missing.is_none(),
    };
    let last = match instants.into_iter().flatten().max() {
        Some(last) if holds => last,
        _ => {
            let role = missing.unwrap_or(Role::Client);
            return Err(Complaint::of(role, outcome(seen, role)));
        }
    };
    let word = if result == HandshakeResult::Fails { "failed" } else { "completed" };
    if let Some(min) = at.min.filter(|min| last < *min) {
        return Err(Complaint::new(format!("{word} at {last}, before {min}")));
    }
    if let Some(max) = at.max.filter(|max| last > *max) {
        return Err(Complaint::new(format!("{word} at {last}, after {max}")));
    }
    Ok(())
}

fn outcome(seen: &Observation, role: Role) -> String {
    let outcome = seen.outcome(role);
    match (&outcome.established, &outcome.failed) {
        (Some(at), None) => format!("the {role} was established at {at}"),
        (Some(at), Some((failed, why))) => format!("the {role} was established at {at} and failed at {failed}: {why}"),
        (None, Some((at, why))) => format!("the {role} failed at {at}: {why}"),
        (None, None) => format!("the {role} was neither established nor failed by {}", seen.end),
    }
}

fn round_trips(scenario: &Scenario, seen: &Observation, clock: Clock, halves: u32) -> Check {
    let delay = |pipe: &Pipe| {
        let fixed = pipe.delay.spread == Spread::None && pipe.rate.is_none() && pipe.reorder.is_none();
        fixed.then_some(pipe.delay.base)
    };
    let (Some(up), Some(down)) = (delay(&scenario.network.up), delay(&scenario.network.down)) else {
        return Err(Complaint::new("round trips can be counted only on a link with fixed delays and no rate"));
    };
    let Some(start) = seen.started() else { return Err(Complaint::new("no ClientHello was sent")) };
    let (stop, role) = match clock {
        Clock::AppSend => (seen.outcome(Role::Client).established, Role::Client),
        Clock::AppReply => (seen.echoes.first().copied(), Role::Client),
        Clock::ServerDone => (seen.outcome(Role::Server).established, Role::Server),
        Clock::Confirmed if seen.is_abbreviated() => {
            return Err(Complaint::new("nothing confirms the client's last flight in an abbreviated handshake"));
        }
        Clock::Confirmed if scenario.dtls == Dtls::V13 => (seen.confirmed13(), Role::Client),
        Clock::Confirmed => (seen.outcome(Role::Client).established, Role::Client),
    };
    let Some(stop) = stop else { return Err(Complaint::of(role, format!("the clock {clock:?} never stopped"))) };
    // The first half is on the way to the server, the next on the way back.
    let expected = up.saturating_mul(halves.div_ceil(2)).saturating_add(down.saturating_mul(halves / 2));
    let measured = stop - start;
    if measured == expected {
        return Ok(());
    }
    let (whole, half) = (halves / 2, if halves % 2 == 1 { ".5" } else { "" });
    Err(Complaint::of(role, format!("{clock:?} after {measured:?}, not {expected:?} ({whole}{half} round trips)")))
}

fn flights(seen: &Observation, expected: &[u8]) -> Check {
    let found: Vec<u8> = seen.flights.iter().map(|flight| flight.number).collect();
    if found == expected { Ok(()) } else { Err(Complaint::new(format!("flights {found:?}, not {expected:?}"))) }
}

fn messages(seen: &Observation, expected: &[Message]) -> Check {
    if seen.messages == expected {
        return Ok(());
    }
    let place = seen.messages.iter().zip(expected).take_while(|(found, expected)| found == expected).count();
    let at = |list: &[Message]| list.get(place).map_or_else(|| "nothing".to_owned(), Message::to_string);
    let (found, expected) = (at(&seen.messages), at(expected));
    Err(Complaint::new(format!("message {} is {found}, not {expected}", place + 1)))
}

fn transmissions(
    seen: &Observation,
    flight: u8,
    count: CountCheck,
    at: Option<&[SimTime]>,
    gaps: Option<&[Duration]>,
) -> Check {
    let times: Vec<SimTime> = seen.transmissions(flight).map(|transmission| transmission.at).collect();
    let shown = times.iter().map(SimTime::to_string).collect::<Vec<_>>().join(", ");
    let from = seen.flights.iter().find(|found| found.number == flight).map(|found| found.from);
    let complain = |what: String| Err(Complaint::of(from, format!("flight {flight} {what} (sent at {shown})")));
    if !count.holds(times.len() as u64) {
        return complain(format!("was sent {} times, not {count}", times.len()));
    }
    if at.is_some_and(|expected| expected != times) {
        return complain("was not sent at the instants demanded".into());
    }
    if let Some(expected) = gaps {
        let found: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        if found != expected {
            return complain(format!("came after {found:?}, not {expected:?}"));
        }
    }
    Ok(())
}

fn whole_flight(seen: &Observation, flight: u8, at_least: u32) -> Check {
    let mut again = 0;
    for flight in seen.flights.iter().filter(|found| found.number == flight) {
        let complain = |transmission: &Transmission, what: String| {
            let (number, attempt, at) = (flight.number, transmission.attempt, transmission.at);
            Err(Complaint::of(flight.from, format!("transmission {attempt} of flight {number} at {at} {what}")))
        };
        let mut numbers: BTreeSet<(u16, u64)> = BTreeSet::new();
        for transmission in &flight.transmissions {
            if transmission.attempt > 1 {
                again += 1;
                if let Some(part) = transmission.parts.first_incomplete(flight.transmissions.iter().map(|t| &t.parts)) {
                    return complain(transmission, format!("lacks all or some of {}", part_name(part)));
                }
            }
            for record in transmission.datagrams.iter().flat_map(|&index| &seen.dissected[index].records) {
                if !is_of_stateless_server(&record.body) && !numbers.insert((record.epoch, record.seq)) {
                    return complain(transmission, format!("has record {}/{} again", record.epoch, record.seq));
                }
            }
        }
    }
    if again < at_least {
        return Err(Complaint::new(format!("flight {flight} was sent again {again} times, not at least {at_least}")));
    }
    Ok(())
}

/// HelloVerifyRequests take the record numbers of what they answer (RFC 6347 §4.2.1).
fn is_of_stateless_server(body: &Body) -> bool {
    matches!(body, Body::Handshake(fragments)
        if fragments.iter().any(|fragment| fragment.message == Some(Message::HelloVerifyRequest)))
}

pub(super) fn part_name(part: PartKey) -> String {
    match part {
        PartKey::Message { message_seq, code, .. } => {
            let name = Message::from_code(code).map_or_else(|| format!("type {code}"), |message| message.to_string());
            format!("{name} (message_seq {message_seq})")
        }
        PartKey::ChangeCipherSpec => Message::ChangeCipherSpec.to_string(),
        PartKey::Sealed => Message::Finished.to_string(),
    }
}

fn spurious(seen: &Observation, from: Option<Role>, count: CountCheck) -> Check {
    let flights = seen.flights.iter().filter(|flight| from.is_none_or(|role| role == flight.from));
    let mut found =
        flights.flat_map(|flight| flight.transmissions.iter().filter(|t| t.spurious).map(move |t| (flight.number, t)));
    let first = found.next();
    let number = usize::from(first.is_some()) + found.count();
    let first = first.map(|(flight, t)| format!("transmission {} of flight {flight} at {}", t.attempt, t.at));
    counted("retransmissions for which nothing had been lost", number, count, first)
}

fn datagram_size(seen: &Observation, from: Option<Role>, at_most: u32, reaches: Option<u32>) -> Check {
    let sent = || seen.datagrams.iter().filter(|datagram| from.is_none_or(|role| role == datagram.from));
    let Some(largest) = sent().max_by_key(|datagram| datagram.size) else {
        return Err(Complaint::new("no datagram was sent"));
    };
    let complain = |what: String| Err(Complaint::of(largest.from, format!("{}: {what}", label(largest))));
    if largest.size as u64 > u64::from(at_most) {
        return complain(format!("{} bytes, more than {at_most}", largest.size));
    }
    match reaches {
        Some(reaches) if (largest.size as u64) < u64::from(reaches) => {
            complain(format!("the largest, {} bytes, does not reach {reaches}", largest.size))
        }
        _ => Ok(()),
    }
}

fn fragments(seen: &Observation, message: Message, count: CountCheck) -> Check {
    let mut any = false;
    for flight in &seen.flights {
        for transmission in &flight.transmissions {
            for (part, fragments) in transmission.parts.iter().filter(|(part, _)| is_part(*part, message)) {
                any = true;
                if !count.holds(fragments) {
                    let (attempt, number, at) = (transmission.attempt, flight.number, transmission.at);
                    let what = format!("{} has {fragments} fragments, not {count}", part_name(part));
                    let place = format!("in transmission {attempt} of flight {number} at {at}");
                    return Err(Complaint::of(flight.from, format!("{what}, {place}")));
                }
            }
        }
    }
    if any { Ok(()) } else { Err(Complaint::new(format!("no {message} was sent"))) }
}

fn is_part(part: PartKey, message: Message) -> bool {
    match part {
        PartKey::Message { code, .. } => Message::from_code(code) == Some(message),
        PartKey::ChangeCipherSpec => message == Message::ChangeCipherSpec,
        PartKey::Sealed => message == Message::Finished,
    }
}

fn sent(seen: &Observation, select: &Selector, connection_id: Option<u32>, count: CountCheck) -> Check {
    let has = |read: &Dissected| {
        let shown = || read.records.iter().filter_map(|record| record.connection_id.map(u32::from));
        connection_id.is_none_or(|wanted| shown().any(|shown| shown == wanted))
    };
    let mut found = seen
        .read()
        .filter(|(datagram, read)| selects(select, datagram.visit, datagram.at, datagram.from, read) && has(read));
    let first = found.next().map(|(datagram, _)| datagram);
    let number = usize::from(first.is_some()) + found.count();
    counted("datagrams of this kind were sent", number, count, first.map(label))
}

fn alerts(seen: &Observation, from: Option<Role>, description: &str, count: CountCheck) -> Check {
    let Some(AlertDescription(code)) = AlertDescription::from_name(description) else {
        return Err(Complaint::new(format!("there is no alert {description}")));
    };
    let found: Vec<_> = (seen.alerts.iter())
        .filter(|alert| alert.description == code && from.is_none_or(|role| role == alert.from))
        .collect();
    let first = found.first().map(|alert| label(&seen.datagrams[alert.datagram]));
    counted(&format!("{description} alerts"), found.len(), count, first)
}

fn discards(seen: &Observation, by: Option<Role>, count: CountCheck) -> Check {
    let found: Vec<_> = seen.discards.iter().filter(|(_, role, _)| by.is_none_or(|by| by == *role)).collect();
    let first = found.first().map(|(at, role, why)| format!("by the {role} at {at}: {why}"));
    counted("records were discarded", found.len(), count, first)
}

fn struck(seen: &Observation, impairment: Impairment, count: CountCheck) -> Check {
    let struck = seen.impairments.of(impairment);
    if count.holds(struck) {
        return Ok(());
    }
    Err(Complaint::new(format!("{impairment:?} struck {struck} times, not {count}")))
}

//! Codes of the wire and events of endpoints in the words of the RFCs, as ladders show them.

use dtls_impl::wire::{AlertDescription, RecordNumber};

use crate::dissect::{Fragment, Message};
use crate::endpoint::EndpointEvent;

/// Name of a message as the RFCs write it: `ClientHello`.
pub(super) fn message(message: Message) -> String {
    let snake = message.to_string();
    snake
        .split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect()
}

/// A fragment: the name alone if it is the whole message, else with its range, `Certificate[0..512/2048]`.
pub(super) fn fragment(fragment: &Fragment) -> String {
    let name = fragment.message.map_or_else(|| format!("Handshake({})", fragment.code), message);
    if fragment.offset == 0 && fragment.len == fragment.length {
        return name;
    }
    format!("{name}[{}..{}/{}]", fragment.offset, u64::from(fragment.offset) + u64::from(fragment.len), fragment.length)
}

/// An alert: `Alert(fatal, decrypt_error)`.
pub(super) fn alert(level: u8, description: u8) -> String {
    let level = match level {
        1 => "warning".to_owned(),
        2 => "fatal".to_owned(),
        other => format!("level {other}"),
    };
    format!("Alert({level}, {})", AlertDescription(description))
}

/// An ACK with what it acknowledges, `Ack(2/0, 2/1)`; a long list is cut.
pub(super) fn ack(records: &[RecordNumber]) -> String {
    const SHOWN_MAX: usize = 8;
    let shown = records.iter().take(SHOWN_MAX).map(|number| format!("{}/{}", number.epoch, number.seq));
    let more = records.len().saturating_sub(SHOWN_MAX);
    let more = (more > 0).then(|| format!("{more} more"));
    format!("Ack({})", shown.chain(more).collect::<Vec<_>>().join(", "))
}

/// A message of the return routability check, RFC 9853 §4.
pub(super) fn path_check(kind: u8) -> String {
    match kind {
        0 => "PathChallenge".to_owned(),
        1 => "PathResponse".to_owned(),
        2 => "PathDrop".to_owned(),
        other => format!("PathCheck({other})"),
    }
}

/// Content type of a record that cannot be opened.
pub(super) fn content_type(code: u8) -> String {
    match code {
        0 => "record".to_owned(),
        20 => "ChangeCipherSpec".to_owned(),
        21 => "Alert".to_owned(),
        22 => "Handshake".to_owned(),
        23 => "ApplicationData".to_owned(),
        25 => "record".to_owned(),
        other => format!("content type {other}"),
    }
}

/// What an endpoint reported, without secrets or data.
pub(super) fn reported(event: &EndpointEvent) -> String {
    match event {
        EndpointEvent::Established { suite } if suite.is_empty() => "established".to_owned(),
        EndpointEvent::Established { suite } => format!("established {suite}"),
        EndpointEvent::Data(data) => format!("data {} B", data.len()),
        EndpointEvent::PeerClosed => "closed by the peer".to_owned(),
        EndpointEvent::Failed(reason) => format!("failed: {reason}"),
        EndpointEvent::Discarded(reason) => format!("discarded: {reason}"),
        EndpointEvent::KeyLog(_) => "key log".to_owned(),
        EndpointEvent::SendRefused(reason) => format!("cannot send: {reason}"),
        EndpointEvent::Session(_) => "has a session to resume".to_owned(),
        EndpointEvent::EarlyData(data) => format!("early data {} B", data.len()),
        EndpointEvent::EarlyDataAnswer { accepted: true } => "early data accepted".to_owned(),
        EndpointEvent::EarlyDataAnswer { accepted: false } => "early data refused".to_owned(),
        EndpointEvent::PeerMoved(address) => format!("peer now at {address}"),
        EndpointEvent::Negotiated(what) => what.to_string(),
    }
}

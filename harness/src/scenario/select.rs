//! Faults, and the selectors they share with expectations. A selector that no datagram can match is refused.

use std::time::Duration;

use super::error::{Error, Source};
use super::file::faults::{BlackholeKeys, FaultStep, ReplayKeys, ReplaySource};
use super::file::selector::Picks;
use super::lower::Facts;
use super::text::{At, Number, Place, Time, Value};
use super::{Action, CredentialsSpec, Fault, ReplayTime, Selector};
use crate::addresses;
use crate::dissect::{Content, Message};
use crate::endpoint::{Dtls, Role};
use crate::time::SimTime;
use crate::trace::Visit;

/// Longest time that a fault may hold a datagram.
const HOLD_MAX: Duration = Duration::from_secs(24 * 3600);
const COPIES_MAX: u64 = 16;

impl Source<'_> {
    pub(super) fn fault(&self, step: &At<FaultStep>, facts: &Facts) -> Result<Fault, Error> {
        let hit = |picks, place: &dyn Fn() -> Place, action, times: Option<&Value<Number>>, optional: Option<bool>| {
            let select = self.selector(picks, facts)?;
            self.can_match(picks, &select, facts)?;
            let any = Selector { visit: select.visit, ..Selector::default() };
            if select == any && times.is_none() {
                let help = "say which datagrams, for example `{flight: 4, attempt: 1}`, or how many: `{times: 3}`";
                return Err(self.error_at(place(), "this fault would strike every datagram", help));
            }
            let times = times.map(|times| self.ordinal(times, "times")).transpose()?;
            Ok(Fault::Hit { select, action, times, optional: optional.unwrap_or(false) })
        };
        match &step.value {
            FaultStep::Drop(keys) => {
                hit(keys.value.picks(), &|| keys.place, Action::Drop, keys.value.times.as_ref(), keys.value.optional)
            }
            FaultStep::Duplicate(At { value: keys, .. }) => {
                let copies = self.copies(keys.copies.as_ref())?;
                let after = self.read_option(keys.after.as_ref())?.unwrap_or_default();
                let action = Action::Duplicate { copies, after };
                hit(keys.picks(), &|| step.place, action, keys.times.as_ref(), keys.optional)
            }
            FaultStep::Delay(At { value: keys, .. }) => {
                let by = self.span(&keys.by)?;
                hit(keys.picks(), &|| step.place, Action::Delay(by), keys.times.as_ref(), keys.optional)
            }
            FaultStep::Hold(At { value: keys, .. }) => {
                let behind = keys.behind.as_ref().map(|behind| self.ordinal(behind, "behind")).transpose()?;
                let action = Action::Hold { behind: behind.unwrap_or(1), hold_max: self.span(&keys.at_most)? };
                hit(keys.picks(), &|| step.place, action, keys.times.as_ref(), keys.optional)
            }
            FaultStep::Replay(At { value: keys, .. }) => {
                let action = self.replay(step, keys)?;
                let mut fault = hit(keys.picks(), &|| step.place, action, keys.times.as_ref(), keys.optional)?;
                if let (Fault::Hit { select, .. }, Action::Replay { source: Some(_), .. }) = (&mut fault, action) {
                    select.from = Some(Role::Client);
                }
                Ok(fault)
            }
            FaultStep::Blackhole(keys) => self.blackhole(&keys.value, facts),
        }
    }

    fn replay(&self, step: &At<FaultStep>, keys: &ReplayKeys) -> Result<Action, Error> {
        let when = match (&keys.after, &keys.ahead) {
            (Some(after), None) => ReplayTime::After(self.span(after)?),
            (None, Some(ahead)) => ReplayTime::Ahead(self.span(ahead)?),
            (Some(_), Some(ahead)) => {
                return Err(self.error(ahead, "`after` and `ahead` at once", "keep one of them"));
            }
            (None, None) => {
                let help = "say `after: 1 s`, or `ahead: 5 ms` for copies that overtake the original";
                return Err(self.error_at(step.place, "it is not said when the copies arrive", help));
            }
        };
        let source = match keys.source.unwrap_or(ReplaySource::Stranger) {
            ReplaySource::Stranger => Some(addresses::STRANGER),
            ReplaySource::Same => None,
        };
        let of_server = keys.flight.as_ref().map(|flight| self.flight(flight)).transpose()?.map(sender);
        let of_server = keys.from.as_ref().map(|from| from.value).or(of_server) == Some(Role::Server);
        if of_server && source.is_some() {
            let help = "a client takes nothing from other addresses than its server's; add `source: same`";
            return Err(self.error_at(step.place, "these copies can reach nobody", help));
        }
        Ok(Action::Replay { copies: self.copies(keys.copies.as_ref())?, when, source })
    }

    fn copies(&self, at: Option<&Value<Number>>) -> Result<u8, Error> {
        let copies = self.read_option(at)?.unwrap_or(1);
        match u8::try_from(copies).ok().filter(|_| (1..=COPIES_MAX).contains(&copies)) {
            Some(copies) => Ok(copies),
            None => {
                let place = at.map_or(Place::START, |at| at.place);
                let help = format!("from 1 to {COPIES_MAX} besides the original");
                Err(self.error_at(place, format!("{copies} copies are not possible"), help))
            }
        }
    }

    fn blackhole(&self, keys: &BlackholeKeys, facts: &Facts) -> Result<Fault, Error> {
        let (start, end) = (self.read(&keys.start)?, self.read(&keys.end)?);
        if start >= end {
            return Err(self.error(&keys.end, "this black hole has no extent", "`end` is later than `start`"));
        }
        if start >= facts.duration {
            let help = format!("the run lasts {:?}; see `duration`", facts.duration);
            return Err(self.error(&keys.start, "this black hole begins after the run", help));
        }
        Ok(Fault::Blackhole {
            from: keys.from,
            start: SimTime::ZERO + start,
            end: SimTime::ZERO + end,
            optional: keys.optional.unwrap_or(false),
        })
    }

    /// A time for which a datagram may be kept.
    fn span(&self, at: &Value<Time>) -> Result<Duration, Error> {
        let span = self.read(at)?;
        if span.is_zero() || span > HOLD_MAX {
            return Err(self.error(at, "a datagram cannot be kept for this time", "more than nothing, at most 24 h"));
        }
        Ok(span)
    }

    /// A number from 1.
    pub(super) fn ordinal(&self, at: &Value<Number>, key: &str) -> Result<u32, Error> {
        match self.read(at)? {
            0 => Err(self.error(at, format!("`{key}: 0` means nothing"), "counting starts at 1")),
            number => {
                u32::try_from(number).map_err(|_| self.error(at, format!("`{key}` is too large"), "at most 4294967295"))
            }
        }
    }

    /// A flight, 1 to 6.
    pub(super) fn flight(&self, at: &Value<Number>) -> Result<u8, Error> {
        match self.read(at)? {
            flight @ 1..=6 => Ok(flight as u8),
            flight => {
                let help = "flights are 1 to 6: ClientHello, HelloVerifyRequest, ClientHello with cookie, ServerHello to \
                            ServerHelloDone, the client's Finished, the server's Finished";
                Err(self.error(at, format!("there is no flight {flight}"), help))
            }
        }
    }

    /// A visit of the client, from 1.
    pub(super) fn visit(&self, at: &Value<Number>, facts: &Facts) -> Result<Visit, Error> {
        let last = facts.last_visit;
        match u16::try_from(self.read(at)?).map(Visit) {
            Ok(visit) if (Visit::FIRST..=last).contains(&visit) => Ok(visit),
            _ => {
                let help = match last {
                    Visit::FIRST => "the client comes once; see `visits`".to_owned(),
                    Visit(last) => format!("visits are 1 to {last}"),
                };
                Err(self.error(at, "there is no such visit", help))
            }
        }
    }

    /// The selector, if its parts agree with each other.
    pub(super) fn selector(&self, picks: Picks<'_>, facts: &Facts) -> Result<Selector, Error> {
        let dtls = facts.dtls;
        let select = Selector {
            visit: picks.visit.map_or(Ok(facts.last_visit), |at| self.visit(at, facts))?,
            from: picks.from.map(|from| from.value),
            flight: picks.flight.map(|flight| self.flight(flight)).transpose()?,
            message: picks.message.map(|message| message.value),
            fragment: picks.fragment.map(|at| self.ordinal(at, "fragment")).transpose()?,
            attempt: match picks.attempt {
                None => None,
                Some(at) => {
                    let (first, last) = self.read(at)?;
                    let clamp = |number| u32::try_from(number).unwrap_or(u32::MAX);
                    Some((clamp(first), clamp(last)))
                }
            },
            datagram: picks.datagram.map(|at| self.ordinal(at, "datagram")).transpose()?,
            epoch: match picks.epoch {
                None => None,
                Some(at) => Some(match self.read(at)? {
                    epoch @ (0 | 1) if dtls == Dtls::V12 => epoch as u16,
                    epoch @ (0 | 2 | 3) if dtls == Dtls::V13 => epoch as u16,
                    1 if facts.early_data => 1,
                    epoch @ 4..=0xffff if facts.updates_keys => epoch as u16,
                    epoch => {
                        let help = match dtls {
                            Dtls::V12 => "DTLS 1.2 without renegotiation has epoch 0, and 1 after ChangeCipherSpec",
                            Dtls::V13 => "DTLS 1.3 has epoch 0, 2 for the handshake and 3 for application data",
                        };
                        return Err(self.error(at, format!("no record has epoch {epoch}"), help));
                    }
                }),
            },
            content: picks.content.map(|content| content.value),
            after: self.read_option(picks.after)?.map(|after| SimTime::ZERO + after),
            before: self.read_option(picks.before)?.map(|before| SimTime::ZERO + before),
        };
        self.consistent(picks, &select, facts)?;
        Ok(select)
    }

    fn consistent(&self, picks: Picks<'_>, select: &Selector, facts: &Facts) -> Result<(), Error> {
        let dtls = facts.dtls;
        if let (Some(at), None) = (picks.fragment, select.message) {
            let help = "say of which message, for example `message: certificate`";
            return Err(self.error(at, "`fragment` without `message`", help));
        }
        if let (Some(at), Some(Message::ChangeCipherSpec)) = (picks.fragment, select.message) {
            let help = "it is a record of one byte and no handshake message; leave out `fragment`";
            return Err(self.error(at, "change_cipher_spec has no fragments", help));
        }
        if let (Some(at), Some(after), Some(before)) = (picks.before, select.after, select.before)
            && after >= before
        {
            let help = "`before-time` is later than `after-time`";
            return Err(self.error(at, "this window of time is empty", help));
        }
        if let (Some(at), Some(message)) = (picks.message, select.message) {
            let places = places(message, facts);
            let fits = |&&(role, flight): &&(Role, Option<u8>)| {
                select.from.is_none_or(|from| from == role) && (select.flight.is_none() || select.flight == flight)
            };
            if !places.iter().any(|place| fits(&place)) {
                return Err(self.error(at, format!("no such datagram carries {message}"), sent_in(message, facts)));
            }
        }
        if let (Some(at), Some(from), Some(flight)) = (picks.flight, select.from, select.flight)
            && sender(flight) != from
        {
            let help = format!("the {from} sends flights {}", if from == Role::Client { "1, 3, 5" } else { "2, 4, 6" });
            return Err(self.error(at, format!("the {from} does not send flight {flight}"), help));
        }
        // Finished is the only message under the new keys (RFC 6347 §4.1: ChangeCipherSpec itself is not).
        let (lowest, highest) = match (select.message, select.flight) {
            (message, flight) if dtls == Dtls::V13 => epochs13(message, flight),
            (Some(Message::Finished), _) => (1, 1),
            (Some(Message::NewSessionTicket), _) | (Some(Message::ChangeCipherSpec), _) => (0, 0),
            (None, Some(4)) if facts.resumes => (0, 1),
            (Some(_), _) | (None, Some(1..=4)) => (0, 0),
            _ => (0, 1),
        };
        if let (Some(at), Some(Content::Ack)) = (picks.content, select.content)
            && dtls == Dtls::V12
        {
            return Err(self.error(at, "DTLS 1.2 has no ACKs", "set `dtls: 1.3`"));
        }
        if let (Some(at), Some(content)) = (picks.content, select.content)
            && (select.message.is_some() || select.fragment.is_some())
            && content != Content::Handshake
        {
            return Err(self.error(at, "no such record carries a message", "leave out `message` or `content`"));
        }
        if let (Some(at), Some(epoch)) = (picks.epoch, select.epoch)
            && !(lowest..=highest).contains(&epoch)
        {
            let what = select.message.map_or_else(|| "this flight".to_owned(), |message| message.to_string());
            return Err(self.error(at, format!("{what} is never in epoch {epoch}"), format!("its epoch is {lowest}")));
        }
        Ok(())
    }

    /// Whether the handshake of this scenario can have such a datagram.
    fn can_match(&self, picks: Picks<'_>, select: &Selector, facts: &Facts) -> Result<(), Error> {
        if let (Some(at), Some(after)) = (picks.after, select.after)
            && after.since_start() >= facts.duration
        {
            let help = format!("the run lasts {:?}; see `duration`", facts.duration);
            return Err(self.error(at, "this fault begins after the run", help));
        }
        if let (Some(at), Some(flight @ (2 | 3))) = (picks.flight, select.flight)
            && !facts.cookie
        {
            let help = "without a cookie the handshake has flights 1, 4, 5 and 6";
            return Err(self.error(at, format!("there is no flight {flight} in this scenario"), help));
        }
        if let (Some(at), Some(6), Dtls::V13) = (picks.flight, select.flight, facts.dtls) {
            let help = "in DTLS 1.3 an ACK answers flight 5, and ACKs belong to no flight";
            return Err(self.error(at, "there is no flight 6 in this scenario", help));
        }
        let Some((at, message)) = picks.message.map(|at| (at, at.value)) else { return Ok(()) };
        let psk = matches!(facts.credentials, CredentialsSpec::Psk { .. });
        let why = match message {
            Message::HelloVerifyRequest | Message::HelloRetryRequest if !facts.cookie => {
                "`cookie: false` leaves it out"
            }
            Message::CertificateVerify if facts.dtls == Dtls::V13 && select.from != Some(Role::Client) && !psk => {
                return Ok(());
            }
            Message::CertificateVerify if psk => "a pre-shared key needs no certificate",
            Message::Certificate if psk => "a pre-shared key needs no certificate",
            _ if facts.client_auth && is_of_authentication(message) => return Ok(()),
            Message::Certificate if select.from == Some(Role::Client) || select.flight == Some(5) => {
                "clients have no certificate here"
            }
            Message::CertificateRequest | Message::CertificateVerify => "clients have no certificate here",
            Message::HelloRequest => "nobody renegotiates here",
            Message::NewSessionTicket if !facts.tickets => "nobody resumes here",
            Message::KeyUpdate if !facts.updates_keys => "nobody updates keys here",
            Message::RequestConnectionId | Message::NewConnectionId if !facts.gives_ids => {
                "nobody asks for connection IDs or gives any here"
            }
            _ => return Ok(()),
        };
        Err(self.error(at, format!("{message} is not sent in this scenario"), why))
    }
}

/// Whether a message proves who somebody is, or asks for that.
fn is_of_authentication(message: Message) -> bool {
    matches!(message, Message::Certificate | Message::CertificateRequest | Message::CertificateVerify)
}

/// Who sends a flight.
fn sender(flight: u8) -> Role {
    if flight % 2 == 1 { Role::Client } else { Role::Server }
}

/// Lowest and highest epoch of a message or flight of DTLS 1.3 (RFC 9147 §6.1).
fn epochs13(message: Option<Message>, flight: Option<u8>) -> (u16, u16) {
    match (message, flight) {
        (Some(Message::ClientHello | Message::HelloRetryRequest | Message::ServerHello), _) => (0, 0),
        (
            Some(
                Message::NewSessionTicket
                | Message::KeyUpdate
                | Message::RequestConnectionId
                | Message::NewConnectionId,
            ),
            _,
        ) => (3, u16::MAX),
        (Some(_), _) | (None, Some(5)) => (2, 2),
        (None, Some(1..=3)) => (0, 0),
        (None, Some(4)) => (0, 2),
        _ => (0, u16::MAX),
    }
}

/// Who may send a message of DTLS 1.3, and in which flight (RFC 9147 §5.7, figures 6 and 7).
fn places13(message: Message) -> &'static [(Role, Option<u8>)] {
    use Role::{Client, Server};
    match message {
        Message::ClientHello => &[(Client, Some(1)), (Client, Some(3))],
        Message::HelloRetryRequest => &[(Server, Some(2))],
        Message::ServerHello | Message::EncryptedExtensions | Message::CertificateRequest => &[(Server, Some(4))],
        Message::Certificate | Message::CertificateVerify | Message::Finished => {
            &[(Server, Some(4)), (Client, Some(5))]
        }
        Message::NewSessionTicket => &[(Server, None)],
        Message::KeyUpdate | Message::RequestConnectionId | Message::NewConnectionId => {
            &[(Client, None), (Server, None)]
        }
        Message::HelloRequest
        | Message::HelloVerifyRequest
        | Message::ServerKeyExchange
        | Message::ServerHelloDone
        | Message::ClientKeyExchange
        | Message::ChangeCipherSpec => &[],
    }
}

/// Who may send a message, and in which flight (RFC 6347 §4.2.4, figures 1 and 2).
fn places(message: Message, facts: &Facts) -> &'static [(Role, Option<u8>)] {
    use Role::{Client, Server};
    if facts.dtls == Dtls::V13 {
        return places13(message);
    }
    match message {
        Message::HelloRetryRequest
        | Message::EncryptedExtensions
        | Message::KeyUpdate
        | Message::RequestConnectionId
        | Message::NewConnectionId => &[],
        Message::HelloRequest => &[(Server, None)],
        Message::ClientHello => &[(Client, Some(1)), (Client, Some(3))],
        Message::HelloVerifyRequest => &[(Server, Some(2))],
        Message::ServerHello | Message::ServerKeyExchange | Message::CertificateRequest | Message::ServerHelloDone => {
            &[(Server, Some(4))]
        }
        Message::Certificate => &[(Server, Some(4)), (Client, Some(5))],
        Message::CertificateVerify | Message::ClientKeyExchange => &[(Client, Some(5))],
        Message::NewSessionTicket if facts.resumes => &[(Server, Some(4)), (Server, Some(6))],
        Message::NewSessionTicket => &[(Server, Some(6))],
        Message::ChangeCipherSpec | Message::Finished if facts.resumes => {
            &[(Client, Some(5)), (Server, Some(4)), (Server, Some(6))]
        }
        Message::ChangeCipherSpec | Message::Finished => &[(Client, Some(5)), (Server, Some(6))],
    }
}

fn sent_in(message: Message, facts: &Facts) -> String {
    if places(message, facts).is_empty() {
        return format!("{} has no {message}", facts.dtls);
    }
    let places: Vec<_> = places(message, facts)
        .iter()
        .map(|(role, flight)| match flight {
            Some(flight) => format!("by the {role} in flight {flight}"),
            None => format!("by the {role} outside flights"),
        })
        .collect();
    format!("{message} is sent {}", places.join(", or "))
}

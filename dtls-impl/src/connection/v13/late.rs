//! Messages after the handshake (RFC 8446 §4.6): tickets, and updates of keys.
//!
//! Each flight of them is repeated until an ACK ends it. One is in flight at a time, and the others wait in a queue: RFC
//! 9147 §5.8.4 would allow more, but then each would need a timer of its own.

use std::collections::VecDeque;

use super::{Connection13, Role, State};
use crate::config::ServerConfig;
use crate::error::{Error, PeerMisbehaved};
use crate::event::Event;
use crate::flight::reassembly::Message;
use crate::flight::{FlightItem, OutgoingFlight};
use crate::handshake::session13::Session13;
use crate::link13::FlightEnd;
use crate::record::epochs13::{EPOCH_APPLICATION, EPOCH_MAX};
use crate::wire::{HandshakeType, KeyUpdate, NewSessionTicket, body_of};

/// Bytes of a client's certificates that a ticket carries. A client with more does a full handshake each time.
const TICKET_IDENTITY_MAX: usize = 1 << 14;

/// What a flight after the handshake is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Its ACK changes the own keys (RFC 9147 §8).
    KeyUpdate,
    /// A gift: nothing is lost but the gift if no ACK comes.
    Tickets,
}

/// A flight that is wanted. Its messages get epoch and number when it is sent.
#[derive(Debug)]
struct LateFlight {
    purpose: Purpose,
    messages: Vec<(HandshakeType, Vec<u8>)>,
}

/// The flights after the handshake. At most one of each purpose waits, so that the peer cannot make the queue grow.
#[derive(Debug, Default)]
pub(super) struct LateFlights {
    in_flight: Option<Purpose>,
    waiting: VecDeque<LateFlight>,
}

impl LateFlights {
    /// Whether the own keys are about to change.
    pub(super) fn updates_keys(&self) -> bool {
        self.in_flight == Some(Purpose::KeyUpdate)
    }

    /// What is wanted twice is sent once; an update that asks for the peer's stands for one that does not.
    fn queue(&mut self, flight: LateFlight) {
        let same = self.waiting.iter_mut().find(|waiting| waiting.purpose == flight.purpose);
        match (same, flight.purpose) {
            (None, _) => self.waiting.push_back(flight),
            (Some(same), Purpose::KeyUpdate) => same.messages = same.messages.clone().max(flight.messages),
            (Some(_), Purpose::Tickets) => {}
        }
    }
}

impl Connection13 {
    /// A message after the handshake.
    pub(super) fn handle_late_message(&mut self, message: &Message) -> Result<(), Error> {
        let bad = |reason| Error::BadMessage(message.message_type, reason);
        match (message.message_type, &self.role) {
            (HandshakeType::KEY_UPDATE, _) => {
                let update = KeyUpdate::parse(&message.body).map_err(bad)?;
                self.on_key_update(update)
            }
            (HandshakeType::NEW_SESSION_TICKET, Role::Client(config)) => {
                let received = config.common.date_millis(self.link.now);
                let ticket = NewSessionTicket::parse(&message.body).map_err(bad)?;
                if ticket.extensions.has_duplicates() {
                    return Err(PeerMisbehaved::DuplicateExtension.into());
                }
                let early_data_max = ticket.extensions.early_data_max().map_err(bad)?.unwrap_or(0);
                self.on_ticket(&ticket, early_data_max, received)
            }
            _ => Err(PeerMisbehaved::UnexpectedMessage(message.message_type).into()),
        }
    }

    /// A ticket of no lifetime is not to be kept (RFC 8446 §4.6.1).
    fn on_ticket(&mut self, ticket: &NewSessionTicket<'_>, early_data_max: u32, received: u64) -> Result<(), Error> {
        let State::Established(session) = &self.state else { return Ok(()) };
        if ticket.lifetime != 0 {
            let session = session.client_session(ticket, early_data_max, received).map_err(Error::Crypto)?;
            self.link.event(Event::Session(session));
        }
        Ok(())
    }

    /// A server's gift after the handshake: one flight. Not to a client that says that it could not use them (RFC 8446
    /// §4.2.9).
    pub(super) fn send_tickets(&mut self) -> Result<(), Error> {
        let (State::Established(session), Role::Server { config, .. }) = (&self.state, &self.role) else {
            return Ok(());
        };
        if !session.peer_resumes || session.identity.len() > TICKET_IDENTITY_MAX {
            return Ok(());
        }
        let issued = config.common.date_millis(self.link.now);
        // Early data would have to be for the same application protocol (RFC 8446 §4.2.10), which tickets do not hold.
        let early_data = config.early_data.as_ref().filter(|_| self.link.terms.alpn.is_none());
        let early_data_max = early_data.map_or(0, |early| early.max_size);
        let messages = tickets(session, config, early_data_max, issued, &mut self.entropy)?;
        if messages.is_empty() {
            return Ok(());
        }
        self.send_late(LateFlight { purpose: Purpose::Tickets, messages })
    }

    /// The peer will write with its next keys once it knows that we know. The keys before are kept for what is still on
    /// its way, and in case the ACK gets lost (RFC 9147 §8).
    fn on_key_update(&mut self, update: KeyUpdate) -> Result<(), Error> {
        let State::Established(session) = &mut self.state else { return Ok(()) };
        let opener = session.next_opener()?;
        let read = &mut self.link.inbound.read;
        let newest = read.newest().unwrap_or(EPOCH_APPLICATION);
        // Receivers take epochs that senders must not use; only the last of all has no successor.
        let next = newest.checked_add(1).ok_or(Error::SequenceExhausted)?;
        read.install(next, opener);
        read.forget_before(newest);
        self.handshake_keys_until = None;
        if update.update_requested && !self.late.updates_keys() {
            return self.update_keys_with(false);
        }
        Ok(())
    }

    /// Sends a KeyUpdate, or remembers to.
    pub(super) fn update_keys_with(&mut self, request_peer: bool) -> Result<(), Error> {
        let body = body_of(|w| KeyUpdate { update_requested: request_peer }.emit(w));
        self.send_late(LateFlight { purpose: Purpose::KeyUpdate, messages: vec![(HandshakeType::KEY_UPDATE, body)] })
    }

    /// Sends a flight, or remembers to: a client's last flight may be on its way, too.
    fn send_late(&mut self, flight: LateFlight) -> Result<(), Error> {
        let epoch = self.link.write.current();
        // RFC 9147 §8: a request that would lead beyond is ignored.
        if flight.purpose == Purpose::KeyUpdate && epoch >= EPOCH_MAX {
            return Ok(());
        }
        if self.link.retransmitter.flight().is_some() {
            self.late.queue(flight);
            return Ok(());
        }
        let mut message_seq = self.link.next_message_seq();
        let mut items = Vec::with_capacity(flight.messages.len());
        for (message_type, body) in flight.messages {
            items.push(FlightItem::Message { epoch, message_type, message_seq, body });
            message_seq = message_seq.checked_add(1).ok_or(Error::SequenceExhausted)?;
        }
        self.late.in_flight = Some(flight.purpose);
        let end = match flight.purpose {
            Purpose::KeyUpdate => FlightEnd::Ack,
            Purpose::Tickets => FlightEnd::AckOrNever,
        };
        self.link.send_flight((OutgoingFlight { items }, message_seq), end)
    }

    /// The client's last flight, tickets, or a KeyUpdate have arrived.
    pub(super) fn on_flight_done(&mut self) -> Result<(), Error> {
        let State::Established(session) = &mut self.state else { return Ok(()) };
        match self.late.in_flight.take() {
            Some(Purpose::KeyUpdate) => {
                let next = self.link.write.current() + 1;
                self.link.install_write(next, session.next_sealer()?);
                self.link.write.forget_before(next);
            }
            Some(Purpose::Tickets) => {}
            // The client's last flight. A server keeps the keys for a while, in case its ACK got lost.
            None => {
                self.link.inbound.forget_handshake_keys();
                self.link.write.forget_before(EPOCH_APPLICATION);
            }
        }
        match self.late.waiting.pop_front() {
            Some(flight) => self.send_late(flight),
            None => Ok(()),
        }
    }

    /// Time has passed: the peer may be given up on as a receiver of tickets.
    pub(super) fn end_unwanted_tickets(&mut self) -> Result<(), Error> {
        if self.late.in_flight == Some(Purpose::Tickets) && self.link.retransmitter.flight().is_none() {
            return self.on_flight_done();
        }
        Ok(())
    }
}

/// The tickets of a session, as many as the server is told to give.
fn tickets(
    session: &Session13,
    config: &ServerConfig,
    early_data_max: u32,
    issued: u64,
    entropy: &mut crate::entropy::Entropy,
) -> Result<Vec<(HandshakeType, Vec<u8>)>, Error> {
    let Some(tickets) = &config.tickets else { return Ok(Vec::new()) };
    let ticket = |nonce| session.new_ticket(nonce, tickets, early_data_max, issued, entropy);
    let bodies: Result<Vec<_>, _> = (0..tickets.count).map(ticket).collect();
    let bodies = bodies.map_err(Error::Crypto)?.into_iter().flatten();
    Ok(bodies.map(|body| (HandshakeType::NEW_SESSION_TICKET, body)).collect())
}

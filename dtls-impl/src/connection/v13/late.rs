//! Messages after the handshake (RFC 8446 §4.6): tickets, updates of keys, and those about connection IDs, whose meaning
//! is [`ids`]'s.
//!
//! Each flight of them is repeated until an ACK ends it. One is in flight at a time, and the others wait in a queue: RFC
//! 9147 §5.8.4 would allow more, but then each would need a timer of its own.

mod ids;

use std::collections::VecDeque;

use self::ids::NewIds;
use super::{Connection13, Role, State};
use crate::config::ServerConfig;
use crate::error::{Error, PeerMisbehaved};
use crate::event::Event;
use crate::flight::reassembly::Message;
use crate::flight::{FlightItem, OutgoingFlight};
use crate::handshake::session13::Session13;
use crate::link13::FlightEnd;
use crate::record::epochs13::{EPOCH_APPLICATION, EPOCH_MAX};
use crate::wire::{HandshakeType, KeyUpdate, NewSessionTicket, RequestConnectionId, body_of};

/// Bytes of a client's certificates that a ticket carries. A client with more does a full handshake each time.
const TICKET_IDENTITY_MAX: usize = 1 << 14;

/// What a flight after the handshake is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Its ACK changes the own keys (RFC 9147 §8).
    KeyUpdate,
    /// A gift: nothing is lost but the gift if no ACK comes.
    Tickets,
    /// More connection IDs for the peer; it can do with those it has.
    NewIds,
    /// A wish for connection IDs, without which we do, too.
    RequestIds,
}

impl Purpose {
    const fn end(self) -> FlightEnd {
        match self {
            Self::KeyUpdate => FlightEnd::Ack,
            Self::Tickets | Self::NewIds | Self::RequestIds => FlightEnd::AckOrNever,
        }
    }
}

/// A flight that is wanted. Its messages are made, and get epoch and number, when it is sent.
#[derive(Debug)]
enum LateFlight {
    KeyUpdate { request_peer: bool },
    Tickets { bodies: Vec<Vec<u8>> },
    NewIds(NewIds),
    RequestIds { count: u8 },
}

impl LateFlight {
    const fn purpose(&self) -> Purpose {
        match self {
            Self::KeyUpdate { .. } => Purpose::KeyUpdate,
            Self::Tickets { .. } => Purpose::Tickets,
            Self::NewIds(_) => Purpose::NewIds,
            Self::RequestIds { .. } => Purpose::RequestIds,
        }
    }

    /// One flight for what was wanted twice: of tickets the first, and an update that asks for the peer's stands for one
    /// that does not.
    fn merge(&mut self, later: Self) {
        match (self, later) {
            (Self::KeyUpdate { request_peer }, Self::KeyUpdate { request_peer: later }) => *request_peer |= later,
            (Self::NewIds(ids), Self::NewIds(later)) => ids.merge(later),
            _ => {}
        }
    }
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

    fn queue(&mut self, flight: LateFlight) {
        match self.waiting.iter_mut().find(|waiting| waiting.purpose() == flight.purpose()) {
            None => self.waiting.push_back(flight),
            Some(same) => same.merge(flight),
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
            (HandshakeType::NEW_CONNECTION_ID, _) => self.on_new_ids(&message.body),
            (HandshakeType::REQUEST_CONNECTION_ID, _) => self.on_ids_requested(&message.body),
            _ => Err(PeerMisbehaved::UnexpectedMessage(message.message_type).into()),
        }
    }

    /// A ticket of no lifetime is not to be kept (RFC 8446 §4.6.1).
    fn on_ticket(&mut self, ticket: &NewSessionTicket<'_>, early_data_max: u32, received: u64) -> Result<(), Error> {
        let State::Established(session) = &self.state else { return Ok(()) };
        if ticket.lifetime != 0 {
            let session = session.client_session(ticket, early_data_max, received, &self.link.terms);
            let session = session.map_err(Error::Crypto)?;
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
        let early_data_max = config.early_data.as_ref().map_or(0, |early| early.max_size);
        let early = (early_data_max, self.link.terms.alpn.as_deref());
        let bodies = tickets(session, config, early, issued, &mut self.entropy)?;
        if bodies.is_empty() {
            return Ok(());
        }
        self.send_late(LateFlight::Tickets { bodies })
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
        self.send_late(LateFlight::KeyUpdate { request_peer })
    }

    /// Sends a flight, or remembers to: a client's last flight may be on its way, too.
    fn send_late(&mut self, flight: LateFlight) -> Result<(), Error> {
        let epoch = self.link.write.current();
        let purpose = flight.purpose();
        // RFC 9147 §8: a request that would lead beyond is ignored.
        if purpose == Purpose::KeyUpdate && epoch >= EPOCH_MAX {
            return Ok(());
        }
        if self.link.retransmitter.flight().is_some() {
            self.late.queue(flight);
            return Ok(());
        }
        let messages = match flight {
            LateFlight::KeyUpdate { request_peer } => {
                let body = body_of(|w| KeyUpdate { update_requested: request_peer }.emit(w));
                vec![(HandshakeType::KEY_UPDATE, body)]
            }
            LateFlight::Tickets { bodies } => {
                bodies.into_iter().map(|body| (HandshakeType::NEW_SESSION_TICKET, body)).collect()
            }
            LateFlight::NewIds(wanted) => vec![(HandshakeType::NEW_CONNECTION_ID, self.make_new_ids(wanted))],
            LateFlight::RequestIds { count } => {
                let body = body_of(|w| RequestConnectionId { num_cids: count }.emit(w));
                vec![(HandshakeType::REQUEST_CONNECTION_ID, body)]
            }
        };
        self.send_messages(purpose, messages)
    }

    fn send_messages(&mut self, purpose: Purpose, messages: Vec<(HandshakeType, Vec<u8>)>) -> Result<(), Error> {
        let epoch = self.link.write.current();
        let mut message_seq = self.link.next_message_seq();
        let mut items = Vec::with_capacity(messages.len());
        for (message_type, body) in messages {
            items.push(FlightItem::Message { epoch, message_type, message_seq, body });
            message_seq = message_seq.checked_add(1).ok_or(Error::SequenceExhausted)?;
        }
        self.late.in_flight = Some(purpose);
        self.link.send_flight((OutgoingFlight { items }, message_seq), purpose.end())
    }

    /// The client's last flight, or one of those after the handshake, has arrived.
    pub(super) fn on_flight_done(&mut self) -> Result<(), Error> {
        let State::Established(session) = &mut self.state else { return Ok(()) };
        match self.late.in_flight.take() {
            Some(Purpose::KeyUpdate) => {
                let next = self.link.write.current() + 1;
                self.link.install_write(next, session.next_sealer()?);
                self.link.write.forget_before(next);
            }
            Some(Purpose::NewIds) => self.link.ids.on_outdated_known(self.link.now),
            Some(Purpose::Tickets | Purpose::RequestIds) => {}
            // The client's last flight. A server keeps the keys for a while, in case its ACK got lost.
            None => {
                self.link.inbound.forget_handshake_keys();
                self.link.write.forget_before(EPOCH_APPLICATION);
            }
        }
        self.send_waiting()
    }

    fn send_waiting(&mut self) -> Result<(), Error> {
        match self.late.waiting.pop_front() {
            Some(flight) => self.send_late(flight),
            None => Ok(()),
        }
    }

    /// Time has passed: a flight that the association can do without may be given up.
    pub(super) fn end_abandoned_flight(&mut self) -> Result<(), Error> {
        let given_up = self.link.retransmitter.flight().is_none();
        match self.late.in_flight.filter(|purpose| given_up && purpose.end() == FlightEnd::AckOrNever) {
            None => return Ok(()),
            Some(Purpose::RequestIds) => self.link.ids.set_requested(false),
            Some(_) => {}
        }
        self.late.in_flight = None;
        self.send_waiting()
    }
}

/// The tickets of a session, as many as the server is told to give.
fn tickets(
    session: &Session13,
    config: &ServerConfig,
    early: (u32, Option<&[u8]>),
    issued: u64,
    entropy: &mut crate::entropy::Entropy,
) -> Result<Vec<Vec<u8>>, Error> {
    let Some(tickets) = &config.tickets else { return Ok(Vec::new()) };
    let ticket = |nonce| session.new_ticket(nonce, tickets, early, issued, entropy);
    let bodies: Result<Vec<_>, _> = (0..tickets.count).map(ticket).collect();
    Ok(bodies.map_err(Error::Crypto)?.into_iter().flatten().collect())
}

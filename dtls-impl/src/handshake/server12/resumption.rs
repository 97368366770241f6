//! The server's side of the abbreviated handshake (RFC 5246 §7.3, RFC 5077 §3.1), and what it keeps for one:
//!
//! 1. ClientHello with a session id or a ticket                                `WaitClientHello`
//! 2. ServerHello, (NewSessionTicket,) ChangeCipherSpec, Finished             -> `WaitFinished`
//! 3. ChangeCipherSpec, Finished                                             -> established

use super::{Basics, Cx, Next, State, WaitFinished, server_random};
use crate::config::{ServerConfig, ServerCredentials};
use crate::crypto::schedule12::Side;
use crate::entropy::Entropy;
use crate::error::{Error, PeerIncompatible};
use crate::event::Event;
use crate::flight::reassembly::Message;
use crate::handshake::Step;
use crate::handshake::authentication::still_welcome;
use crate::handshake::builder::FlightBuilder;
use crate::handshake::session::{Randoms, Session};
use crate::handshake::stored12::Stored12;
use crate::handshake::ticket::{self, TICKET_LEN_MAX};
use crate::handshake::transcript::Transcript;
use crate::link::FlightKind;
use crate::mutation::Mutation;
use crate::negotiated::PeerIdentity;
use crate::suite::Suite;
use crate::time::Instant;
use crate::wire::{
    COMPRESSION_NULL, ClientHello, Extension, Extensions, Finished, HandshakeType, NewSessionTicket12, ProtocolVersion,
    SESSION_ID_LEN_MAX, ServerHello, body_of,
};

/// How a session is to be kept, as the hellos settled.
#[derive(Debug)]
pub(crate) struct Keeping {
    /// The client gets a ticket, and keeps it itself.
    pub(super) ticket: bool,
    /// What the server remembers it by; empty if it does not.
    pub(super) id: Vec<u8>,
    server_name: Option<Vec<u8>>,
    /// When the session began with a full handshake, in milliseconds since 1970.
    began: u64,
}

impl Keeping {
    /// For a full handshake. Only sessions with an extended master secret are kept (RFC 7627 §5.3). Who gets a ticket
    /// needs no session id (RFC 5077 §3.4).
    pub(super) fn new(
        hello: &ClientHello<'_>,
        basics: &Basics,
        config: &ServerConfig,
        entropy: &mut Entropy,
        began: u64,
    ) -> Self {
        let ticket = basics.extended && config.tickets.is_some() && hello.extensions.session_ticket().is_some();
        let remembers = basics.extended && config.sessions.is_some() && !ticket;
        let id = if remembers { entropy.array::<SESSION_ID_LEN_MAX>().to_vec() } else { Vec::new() };
        Self { ticket, id, server_name: basics.server_name.clone(), began }
    }

    fn stored(&self, session: &Session, issued: u64, lifetime: u32) -> Stored12 {
        let (suite, master) = (session.suite().code, session.master().clone());
        let (server_name, client) = (self.server_name.clone(), session.identity.clone());
        Stored12 { suite, began: self.began, issued, lifetime, master, server_name, client }
    }

    /// Remembers a session that both sides have confirmed.
    pub(super) fn remember(&self, session: &Session, config: &ServerConfig, now: Instant) {
        if let Some(sessions) = config.sessions.as_ref().filter(|_| !self.id.is_empty()) {
            let date = config.common.date_millis(now);
            sessions.insert(&self.id, self.stored(session, date, sessions.lifetime_secs()), date);
        }
    }

    /// The body of the NewSessionTicket that the ServerHello has announced, if any. It is empty should there be no ticket
    /// after all (RFC 5077 §3.3).
    pub(super) fn new_ticket(&self, session: &Session, cx: &mut Cx<'_>) -> Result<Option<Vec<u8>>, Error> {
        let Some(tickets) = cx.config.tickets.as_ref().filter(|_| self.ticket) else { return Ok(None) };
        let date = cx.config.common.date_millis(cx.link.now);
        let lifetime = tickets.lifetime_secs(self.began, date).unwrap_or(0);
        let content = self.stored(session, date, lifetime).to_content();
        let mut ticket = Vec::new();
        if lifetime != 0 {
            let provider = &*cx.config.common.provider;
            ticket = ticket::seal(&tickets.keys, provider, cx.entropy, content.expose()).map_err(Error::Crypto)?;
        }
        if ticket.len() > TICKET_LEN_MAX {
            ticket.clear();
        }
        let message = NewSessionTicket12 { lifetime_hint: lifetime, ticket: &ticket };
        Ok(Some(body_of(|w| message.emit(w))))
    }
}

/// A session that a hello offers, and that can be resumed.
#[derive(Debug)]
pub(super) struct Found {
    stored: Stored12,
    suite: Suite,
    /// What it was remembered by; empty if it came in a ticket.
    id: Vec<u8>,
}

/// The session that the hello offers, if it is known and everything fits; else the handshake is a full one.
pub(super) fn find(
    hello: &ClientHello<'_>,
    basics: &Basics,
    config: &ServerConfig,
    now: Instant,
) -> Result<Option<Found>, Error> {
    let date = config.common.date_millis(now);
    let ticket = hello.extensions.session_ticket().filter(|ticket| !ticket.is_empty());
    let (stored, id) = match (&config.tickets, ticket, &config.sessions) {
        // The session id that goes with a ticket is made up, to be echoed (RFC 5077 §3.4).
        (Some(tickets), Some(ticket), _) => {
            let content = ticket::open(&tickets.keys, &*config.common.provider, ticket);
            (content.and_then(|content| Stored12::from_content(&content)), Vec::new())
        }
        (_, _, Some(sessions)) => (sessions.find(hello.start.session_id, date), hello.start.session_id.to_vec()),
        _ => return Ok(None),
    };
    let Some(stored) = stored.filter(|stored| stored.is_fresh(date)) else { return Ok(None) };
    // RFC 7627 §5.3: somebody may have taken the extension away.
    if !basics.extended {
        return Err(PeerIncompatible::NoExtendedMasterSecret.into());
    }
    let mut own = config.common.suites(|key_exchange| config.credentials.usable(key_exchange));
    let suite = own.find(|suite| suite.code == stored.suite);
    let suite = suite.filter(|suite| hello.start.cipher_suites.contains(&suite.code));
    // RFC 6066 §3: a session is for the name it was made for.
    let welcome = is_welcome(&stored.client, config) && still_welcome(&stored.client, config, now);
    let fits = stored.server_name == basics.server_name && welcome;
    Ok(suite.filter(|_| fits).map(|suite| Found { stored, suite, id }))
}

/// Whether the client could still do a full handshake as whom it was then: its key may have been withdrawn.
fn is_welcome(client: &PeerIdentity, config: &ServerConfig) -> bool {
    match (client, &config.credentials) {
        (PeerIdentity::Psk(identity), ServerCredentials::Psk { keys, .. }) => keys.contains_key(identity),
        _ => true,
    }
}

/// 2. Takes the session up again under new keys, and proves it first.
pub(super) fn answer(
    message: &Message,
    hello: &ClientHello<'_>,
    basics: &Basics,
    found: Found,
    cx: &mut Cx<'_>,
) -> Next {
    let Found { stored, suite, id } = found;
    let randoms = Randoms { client: hello.start.random, server: server_random(cx) };
    let provider = &cx.config.common.provider;
    let mut session = Session::resume(provider, suite, stored.master, &randoms, stored.client);
    let mut transcript = Transcript::new();
    transcript.start(&**provider, suite.hash);
    transcript.add_received(message);
    // Each resumption by ticket gives a new one: nobody who watches can tell that it is the same client's.
    let date = cx.config.common.date_millis(cx.link.now);
    let tickets = cx.config.tickets.as_ref().filter(|_| hello.extensions.session_ticket().is_some());
    let ticket = tickets.is_some_and(|tickets| tickets.lifetime_secs(stored.began, date).is_some());
    let keeping = Keeping { ticket, id, server_name: stored.server_name, began: stored.began };

    // Protocols and sizes are among it, settled anew (RFC 7301 §3.1).
    let mut extensions = basics.answer();
    if ticket {
        extensions.push(Extension::session_ticket(&[]));
    }
    let server_hello = ServerHello {
        version: ProtocolVersion::DTLS1_2,
        random: randoms.server,
        session_id: hello.start.session_id,
        cipher_suite: suite.code,
        compression_method: COMPRESSION_NULL,
        extensions: Extensions(extensions),
    };
    if cx.config.common.key_log {
        cx.link.event(Event::KeyLog(session.key_log_line()));
    }
    cx.link.install_keys(session.keys(Side::Server).map_err(Error::Crypto)?);
    let new_ticket = keeping.new_ticket(&session, cx)?;
    let mut flight = FlightBuilder::new(&mut transcript, cx.link.next_message_seq());
    flight.message(HandshakeType::SERVER_HELLO, body_of(|w| server_hello.emit(w)));
    if let Some(body) = new_ticket {
        flight.message(HandshakeType::NEW_SESSION_TICKET, body);
    }
    flight.change_cipher_spec();
    let mut verify_data = session.verify_data(Side::Server, &flight.transcript().hash());
    if cx.link.mutated.by(Mutation::CorruptFinished) {
        verify_data[0] ^= 1;
    }
    flight.message(HandshakeType::FINISHED, body_of(|w| Finished { verify_data }.emit(w)));
    cx.link.send_flight(flight.finish(), FlightKind::Awaited)?;
    session.id.clone_from(&keeping.id);
    let state = WaitFinished { session: Box::new(session), transcript, keeping };
    Ok(Step::Next(State::WaitFinished(state)))
}

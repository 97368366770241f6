//! The client's side of the abbreviated handshake (RFC 5246 §7.3, RFC 5077 §3.1), and what it keeps for one:
//!
//! 1. ClientHello with a session id or a ticket                                `WaitServerHello`
//! 2. ServerHello                                                            -> `WaitTicket` if announced, or
//!    (NewSessionTicket,)                                                    -> `WaitFinished`
//!    ChangeCipherSpec, Finished
//! 3. ChangeCipherSpec, Finished                                             -> established

use rustls_pki_types::ServerName;

use super::{Cx, Negotiated, Next, State, WaitFinished};
use crate::config::ClientConfig;
use crate::crypto::schedule12::Side;
use crate::entropy::Entropy;
use crate::error::{Error, Misuse, PeerIncompatible, PeerMisbehaved};
use crate::event::Event;
use crate::flight::reassembly::Message;
use crate::handshake::session::Session;
use crate::handshake::{Step, expect, read};
use crate::record::protection12::Opener;
use crate::session::{ClientSession, Key12, Kind, LIFETIME_12, Session12};
use crate::time::Instant;
use crate::wire::{ExtensionType, HandshakeType, NewSessionTicket12, SESSION_ID_LEN_MAX, ServerHello};

/// What a hello offers to resume, and asks for.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    session: Option<Box<Session12>>,
    /// The session's or, with a ticket, one made up: a server that takes the ticket echoes it (RFC 5077 §3.4).
    pub(crate) session_id: Vec<u8>,
    /// The session's ticket, or empty to ask for one.
    pub(crate) ticket: Option<Vec<u8>>,
}

impl Offer {
    /// Fails if the session does not go with the server or the configuration.
    pub(crate) fn new(
        config: &ClientConfig,
        server_name: Option<&ServerName<'static>>,
        session: Option<ClientSession>,
        entropy: &mut Entropy,
        now: Instant,
    ) -> Result<Self, Error> {
        let ask = config.sessions.then(Vec::new);
        let Some(ClientSession { server_name: known_as, kind }) = session else {
            return Ok(Self { session: None, session_id: Vec::new(), ticket: ask });
        };
        let Kind::V12(session) = kind else { return Err(Misuse::SessionNotUsable.into()) };
        let mut suites = config.common.suites(|key_exchange| config.credentials.usable(key_exchange));
        let fits = known_as.as_ref() == server_name
            && suites.any(|suite| suite.code == session.suite.code)
            && session.is_fresh(config.common.date_millis(now));
        if !fits {
            return Err(Misuse::SessionNotUsable.into());
        }
        let (session_id, ticket) = match &session.key {
            Key12::Id(id) => (id.clone(), ask),
            Key12::Ticket(ticket) => (entropy.array::<SESSION_ID_LEN_MAX>().to_vec(), Some(ticket.clone())),
        };
        Ok(Self { session: Some(session), session_id, ticket })
    }

    /// The session that the server resumes, which shows in the session id.
    pub(super) fn resumed(&mut self, hello: &ServerHello<'_>) -> Option<Box<Session12>> {
        let resumed = !hello.session_id.is_empty() && hello.session_id == self.session_id;
        self.session.take().filter(|_| resumed)
    }
}

/// What the client will keep to resume the session.
#[derive(Debug)]
pub(crate) struct Keeping {
    server_name: Option<ServerName<'static>>,
    /// The server's session id.
    id: Vec<u8>,
    /// Whether a NewSessionTicket comes.
    pub(super) announced: bool,
    /// The ticket with its lifetime in seconds.
    ticket: Option<(Vec<u8>, u32)>,
    /// The session that is resumed.
    resumed: Option<Box<Session12>>,
}

impl Keeping {
    pub(super) fn new(server_name: Option<ServerName<'static>>, hello: &ServerHello<'_>) -> Self {
        let announced = hello.extensions.contains(ExtensionType::SESSION_TICKET);
        Self { server_name, id: hello.session_id.to_vec(), announced, ticket: None, resumed: None }
    }

    /// What there is to keep of a session, at a date in milliseconds since 1970. Without an extended master secret it is
    /// not to be resumed (RFC 7627 §5.3).
    fn into_session(self, session: &Session, date: u64) -> Option<ClientSession> {
        let (key, received, lifetime) = match (self.ticket, self.resumed) {
            _ if !session.extended_master_secret() => return None,
            (Some((ticket, 0)), _) => (Key12::Ticket(ticket), date, LIFETIME_12),
            (Some((ticket, lifetime)), _) => (Key12::Ticket(ticket), date, lifetime),
            // A session does not grow younger by use.
            (None, Some(resumed)) => (resumed.key, resumed.received, resumed.lifetime),
            (None, None) if self.id.is_empty() => return None,
            (None, None) => (Key12::Id(self.id), date, LIFETIME_12),
        };
        let (suite, master, server) = (session.suite(), session.master().clone(), session.identity.clone());
        let kind = Kind::V12(Box::new(Session12 { suite, key, master, received, lifetime, server }));
        Some(ClientSession { server_name: self.server_name, kind })
    }
}

/// 2. The server takes the session up again: its proof comes next.
pub(super) fn resume(earlier: Box<Session12>, negotiated: Negotiated, cx: &mut Cx<'_>) -> Next {
    let Negotiated { suite, randoms, extended, transcript, mut keeping, .. } = negotiated;
    if suite.code != earlier.suite.code {
        return Err(PeerMisbehaved::BadResumption.into());
    }
    // RFC 7627 §5.3.
    if !extended {
        return Err(PeerIncompatible::NoExtendedMasterSecret.into());
    }
    let provider = &cx.config.common.provider;
    let session = Session::resume(provider, suite, earlier.master.clone(), &randoms, earlier.server.clone());
    keeping.resumed = Some(earlier);
    if cx.config.common.key_log {
        cx.link.event(Event::KeyLog(session.key_log_line()));
    }
    let (sealer, opener) = session.keys(Side::Client).map_err(Error::Crypto)?;
    cx.link.install_sealer(sealer);
    let state = WaitFinished { session: Box::new(session), transcript, keeping };
    Ok(Step::Next(expect_ticket_or_finished(opener, state, cx)))
}

/// What comes after the own flight, or after a ServerHello that resumes: a ticket, if it was announced, is the last that
/// is not protected.
pub(super) fn expect_ticket_or_finished(opener: Opener, state: WaitFinished, cx: &mut Cx<'_>) -> State {
    if state.keeping.announced {
        return State::WaitTicket(WaitTicket { opener, then: state });
    }
    cx.link.install_opener(opener);
    State::WaitFinished(state)
}

/// The server has announced a ticket.
#[derive(Debug)]
pub(crate) struct WaitTicket {
    opener: Opener,
    then: WaitFinished,
}

impl WaitTicket {
    pub(super) fn handle(mut self, message: &Message, cx: &mut Cx<'_>) -> Next {
        expect(message, HandshakeType::NEW_SESSION_TICKET)?;
        let new = read(message, NewSessionTicket12::parse)?;
        if !new.ticket.is_empty() {
            self.then.keeping.ticket = Some((new.ticket.to_vec(), new.lifetime_hint));
        }
        self.then.transcript.add_received(message);
        cx.link.install_opener(self.opener);
        Ok(Step::Next(State::WaitFinished(self.then)))
    }
}

impl WaitFinished {
    /// Lets the caller have what the session can be resumed with, if it wants that.
    pub(super) fn keep(mut self, cx: &Cx<'_>) -> Box<Session> {
        if cx.config.sessions {
            let date = cx.config.common.date_millis(cx.link.now);
            self.session.kept = self.keeping.into_session(&self.session, date).map(Box::new);
        }
        self.session
    }
}

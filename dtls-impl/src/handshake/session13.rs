//! What both sides of a DTLS 1.3 association know once keys are agreed on, and how each epoch's keys follow from it.

use std::fmt::Write as _;
use std::sync::Arc;

use rustls_pki_types::ServerName;

use super::push_hex;
use super::ticket::{self, TICKET_LEN_MAX, Ticket13};
use crate::config::Tickets;
use crate::crypto::hkdf::Hkdf;
use crate::crypto::schedule13::{Exporter, Resumption, TrafficSecret};
use crate::crypto::{CryptoError, CryptoProvider, Digest};
use crate::entropy::Entropy;
use crate::error::{Error, Misuse, PeerMisbehaved};
use crate::event::Event;
use crate::link13::Link13;
use crate::negotiated::{Negotiated, PeerIdentity};
use crate::record::epochs13::EPOCH_EARLY;
use crate::record::protection13::{Opener, Sealer};
use crate::session::{ClientSession, Kind, Ticket};
use crate::suite::Suite13;
use crate::terms::Terms;
use crate::wire::{Extension, Extensions, NewSessionTicket, ProtocolVersion, body_of};

/// The suite with what it takes to make keys.
#[derive(Clone, Debug)]
pub(crate) struct Keying {
    pub(crate) provider: Arc<dyn CryptoProvider>,
    pub(crate) suite: Suite13,
    pub(crate) hkdf: Hkdf,
    pub(crate) client_random: [u8; 32],
    pub(crate) key_log: bool,
}

impl Keying {
    pub(crate) fn new(
        provider: &Arc<dyn CryptoProvider>,
        suite: Suite13,
        client_random: [u8; 32],
        key_log: bool,
    ) -> Self {
        let hkdf = Hkdf::dtls13(Arc::clone(provider), suite.hash);
        Self { provider: Arc::clone(provider), suite, hkdf, client_random, key_log }
    }

    pub(crate) fn sealer(&self, secret: &TrafficSecret) -> Result<Sealer, Error> {
        let keys = secret.keys(&self.hkdf, self.suite.aead);
        Sealer::new(&*self.provider, self.suite.aead, &keys).map_err(Error::Crypto)
    }

    pub(crate) fn opener(&self, secret: &TrafficSecret) -> Result<Opener, Error> {
        let keys = secret.keys(&self.hkdf, self.suite.aead);
        Opener::new(&*self.provider, self.suite.aead, &keys).map_err(Error::Crypto)
    }

    /// Checks a Finished against the messages before it.
    pub(crate) fn check_finished(
        &self,
        secret: &TrafficSecret,
        transcript: &Digest,
        verify_data: &[u8],
    ) -> Result<(), Error> {
        let good = secret.verify_data(&self.hkdf, transcript) == Digest::new(verify_data);
        if good { Ok(()) } else { Err(PeerMisbehaved::BadFinished.into()) }
    }

    /// A line of the NSS key log, if wanted.
    pub(crate) fn log(&self, link: &mut Link13, label: &str, secret: &[u8]) {
        if !self.key_log {
            return;
        }
        let mut line = String::new();
        // Writing to a string cannot fail.
        let _ = write!(line, "{label} ");
        push_hex(&mut line, &self.client_random);
        line.push(' ');
        push_hex(&mut line, secret);
        link.event(Event::KeyLog(line));
    }
}

/// An established association's secrets.
#[derive(Debug)]
pub(crate) struct Session13 {
    pub(crate) keying: Keying,
    pub(crate) exporter: Exporter,
    /// What this side writes with.
    pub(crate) own: TrafficSecret,
    /// What this side reads with.
    pub(crate) peer: TrafficSecret,
    /// What the keys of tickets come from.
    pub(crate) resumption: Resumption,
    /// Whom a client talks to.
    pub(crate) server_name: Option<ServerName<'static>>,
    /// Whether an earlier session was resumed.
    pub(crate) resumed: bool,
    /// Whether early data was accepted.
    pub(crate) early_data: bool,
    /// When it began with a full handshake, in milliseconds since 1970: what a server writes into tickets.
    pub(crate) began: u64,
    /// Who the peer has shown to be.
    pub(crate) identity: PeerIdentity,
    /// Whether the peer, a client, could resume this one.
    pub(crate) peer_resumes: bool,
}

impl Session13 {
    pub(crate) const fn suite(&self) -> Suite13 {
        self.keying.suite
    }

    /// What was agreed on.
    pub(crate) fn negotiated(&self) -> Negotiated {
        Negotiated {
            version: ProtocolVersion::DTLS1_3,
            suite: self.keying.suite.code,
            resumed: self.resumed,
            early_data: self.early_data,
            peer: self.identity.clone(),
            alpn: None,
        }
    }

    /// Keys of the next epoch to write with (RFC 8446 §7.2).
    pub(crate) fn next_sealer(&mut self) -> Result<Sealer, Error> {
        self.own = self.own.next(&self.keying.hkdf);
        self.keying.sealer(&self.own)
    }

    /// Keys of the next epoch to read with.
    pub(crate) fn next_opener(&mut self) -> Result<Opener, Error> {
        self.peer = self.peer.next(&self.keying.hkdf);
        self.keying.opener(&self.peer)
    }

    /// What a client keeps of a ticket that came at `received`, in milliseconds since 1970.
    pub(crate) fn client_session(
        &self,
        ticket: &NewSessionTicket<'_>,
        early_data_max: u32,
        received: u64,
        terms: &Terms,
    ) -> Result<ClientSession, CryptoError> {
        let kind = Kind::V13(Box::new(Ticket {
            suite: self.keying.suite,
            identity: ticket.ticket.to_vec(),
            psk: self.resumption.psk(ticket.nonce)?,
            age_add: ticket.age_add,
            received,
            lifetime: ticket.lifetime,
            early_data_max,
            alpn: terms.alpn.clone(),
            record_max: terms.limits.of(EPOCH_EARLY),
            server: self.identity.clone(),
        }));
        Ok(ClientSession { server_name: self.server_name.clone(), kind })
    }

    /// A server's NewSessionTicket, issued at a date in milliseconds since 1970. None if the session is over, or the
    /// ticket too long for its use.
    pub(crate) fn new_ticket(
        &self,
        nonce: u8,
        tickets: &Tickets,
        (early_data_max, alpn): (u32, Option<&[u8]>),
        issued: u64,
        entropy: &mut Entropy,
    ) -> Result<Option<Vec<u8>>, CryptoError> {
        let Some(lifetime) = tickets.lifetime_secs(self.began, issued) else { return Ok(None) };
        let nonce = [nonce];
        let age_add = u32::from_be_bytes(entropy.array());
        let (suite, psk) = (self.keying.suite.code, self.resumption.psk(&nonce)?);
        let (began, client) = (self.began, self.identity.clone());
        let alpn = alpn.map(<[u8]>::to_vec);
        let content = Ticket13 { suite, began, issued, lifetime, age_add, early_data_max, alpn, psk, client };
        let content = content.to_content();
        let ticket = ticket::seal(&tickets.keys, &*self.keying.provider, entropy, content.expose())?;
        if ticket.len() > TICKET_LEN_MAX {
            return Ok(None);
        }
        let mut extensions = Extensions::default();
        if early_data_max != 0 {
            extensions.0.push(Extension::early_data_max(early_data_max));
        }
        let message = NewSessionTicket { lifetime, age_add, nonce: &nonce, ticket: &ticket, extensions };
        Ok(Some(body_of(|w| message.emit(w))))
    }

    /// Keying material for the application (RFC 8446 §7.5).
    pub(crate) fn export(&self, label: &[u8], context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        self.exporter.export(label, context.unwrap_or_default(), out).map_err(|_| Misuse::ContextTooLong.into())
    }
}

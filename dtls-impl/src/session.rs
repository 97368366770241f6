//! Sessions as clients keep them, to be resumed by a later connection.

use core::fmt;

use rustls_pki_types::ServerName;

use crate::config::TICKET_LIFETIME_MAX;
use crate::crypto::Secret;
use crate::negotiated::PeerIdentity;
use crate::suite::{Suite, Suite13};

/// What a client needs to resume a session: given by [`Event::Session`](crate::Event::Session), to be used once in
/// [`Connection::resume`](crate::Connection::resume). Holds secrets, which it neither prints nor leaves behind. After a
/// connection has failed, forget its sessions of DTLS 1.2 (RFC 5246 §7.2.2).
#[derive(Clone)]
pub struct ClientSession {
    pub(crate) server_name: Option<ServerName<'static>>,
    pub(crate) kind: Kind,
}

#[derive(Clone)]
pub(crate) enum Kind {
    V12(Box<Session12>),
    V13(Box<Ticket>),
}

/// A session of DTLS 1.2.
#[derive(Clone)]
pub(crate) struct Session12 {
    pub(crate) suite: Suite,
    pub(crate) key: Key12,
    pub(crate) master: Secret,
    /// When it began, or when its ticket came, in milliseconds since 1970.
    pub(crate) received: u64,
    /// Seconds.
    pub(crate) lifetime: u32,
    /// Who the server was when the session began.
    pub(crate) server: PeerIdentity,
}

/// What the server finds a session by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key12 {
    /// RFC 5246 §7.4.1.2.
    Id(Vec<u8>),
    /// RFC 5077.
    Ticket(Vec<u8>),
}

/// How long a session of DTLS 1.2 is good if the server does not say: a day (RFC 5246 §F.1.4).
pub(crate) const LIFETIME_12: u32 = 86_400;

/// A ticket of DTLS 1.3 with the key that goes with it.
#[derive(Clone)]
pub(crate) struct Ticket {
    pub(crate) suite: Suite13,
    pub(crate) identity: Vec<u8>,
    pub(crate) psk: Secret,
    pub(crate) age_add: u32,
    /// When it came, in milliseconds since 1970.
    pub(crate) received: u64,
    /// Seconds.
    pub(crate) lifetime: u32,
    /// Bytes that may be sent early.
    pub(crate) early_data_max: u32,
    /// The application's protocol: early data is for no other (RFC 8446 §4.2.10).
    pub(crate) alpn: Option<Vec<u8>>,
    /// Most content of a record that the server took. RFC 8449 does not say how long early data may be.
    pub(crate) record_max: usize,
    /// Who the server was when the session began.
    pub(crate) server: PeerIdentity,
}

impl ClientSession {
    /// Whether it can still be used at a date, in seconds since 1970.
    pub fn is_fresh(&self, unix_time: u64) -> bool {
        match &self.kind {
            Kind::V12(session) => session.is_fresh(unix_time.saturating_mul(1000)),
            Kind::V13(ticket) => ticket.is_fresh(unix_time.saturating_mul(1000)),
        }
    }

    /// Bytes of early data that its server would take at most (RFC 8446 §4.6.1). Zero if it takes none.
    pub const fn early_data_max(&self) -> u32 {
        match &self.kind {
            Kind::V12(_) => 0,
            Kind::V13(ticket) => ticket.early_data_max,
        }
    }
}

impl fmt::Debug for Session12 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session12(..)")
    }
}

impl Session12 {
    /// Never longer than a week, whatever the server says.
    pub(crate) fn is_fresh(&self, now: u64) -> bool {
        let lifetime = u64::from(self.lifetime).min(TICKET_LIFETIME_MAX.as_secs());
        now.saturating_sub(self.received) < lifetime * 1000
    }
}

impl Ticket {
    /// RFC 8446 §4.6.1: never longer than a week, whatever the server says.
    pub(crate) fn is_fresh(&self, now: u64) -> bool {
        let lifetime = u64::from(self.lifetime).min(TICKET_LIFETIME_MAX.as_secs());
        self.age(now) < lifetime * 1000
    }

    /// In milliseconds; zero should the clock have gone back.
    fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.received)
    }

    /// RFC 8446 §4.2.11.1.
    pub(crate) fn obfuscated_age(&self, now: u64) -> u32 {
        (self.age(now) as u32).wrapping_add(self.age_add)
    }
}

impl fmt::Debug for ClientSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::V12(session) => write!(f, "ClientSession(DTLS 1.2, {})", session.suite.code),
            Kind::V13(ticket) => write!(f, "ClientSession(DTLS 1.3, {})", ticket.suite.code),
        }
    }
}

impl PartialEq for ClientSession {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.kind, &other.kind) {
            (Kind::V12(one), Kind::V12(another)) => one.key == another.key && one.master == another.master,
            (Kind::V13(one), Kind::V13(another)) => one.identity == another.identity && one.psk == another.psk,
            (Kind::V12(_), Kind::V13(_)) | (Kind::V13(_), Kind::V12(_)) => false,
        };
        self.server_name == other.server_name && same
    }
}

impl Eq for ClientSession {}

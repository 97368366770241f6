//! Settings of early data (0-RTT), and what keeps a server from taking the same early data twice.

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Misuse};

/// How a server takes early data (RFC 8446 §8). Early data has no forward secrecy, and only the server can tell a replay:
/// take it for requests that may be made twice.
///
/// ```
/// # use std::collections::BTreeMap;
/// # use std::sync::Arc;
/// # use dtls_impl::config::{ClientCredentials, Cookies, Psk, ServerCredentials, UnknownIdentity, Versions};
/// use dtls_impl::config::{EarlyData, ReplayGuard, TicketKeys, Tickets};
/// # use dtls_impl::crypto::{Secret, rustcrypto};
/// # use dtls_impl::{ClientConfig, Connection, Error, Event, Instant, Output, Seed, ServerConfig};
/// # fn main() -> Result<(), Error> {
/// # let key = Secret::new(b"sixteen byte key".to_vec());
/// # let credentials = ClientCredentials::Psk(Psk { identity: b"sensor".to_vec(), key: key.clone() });
/// # let mut client = ClientConfig::new(rustcrypto::provider(), credentials);
/// # let keys = BTreeMap::from([(b"sensor".to_vec(), key)]);
/// # let credentials = ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert };
/// # let mut server = ServerConfig::new(rustcrypto::provider(), credentials, Cookies::Off);
/// # client.common.versions = Versions::Dtls13;
/// # server.common.versions = Versions::Dtls13;
/// // Shared by all connections of a server; 32 random bytes.
/// server.tickets = Some(Tickets::new(TicketKeys::new([7; 32])));
/// server.early_data = Some(EarlyData::new(Arc::new(ReplayGuard::new(10_000))));
/// client.sessions = true;
/// client.early_data = true;
/// # let (client, server) = (Arc::new(client), Arc::new(server));
/// # let talk = |mut client: Connection, seed| -> Result<[Vec<Event>; 2], Error> {
/// #     let mut server = Connection::server(Arc::clone(&server), b"192.0.2.1:5684", Seed([seed; 32]), Instant::ZERO)?;
/// #     let mut events = [Vec::new(), Vec::new()];
/// #     for turn in 0..8 {
/// #         let (from, to) = if turn % 2 == 0 { (&mut client, &mut server) } else { (&mut server, &mut client) };
/// #         loop {
/// #             match from.poll_output() {
/// #                 Output::Datagram(datagram) => to.handle_datagram(Instant::ZERO, &datagram),
/// #                 Output::Event(event) => events[turn % 2].push(event),
/// #                 _ => break,
/// #             }
/// #         }
/// #     }
/// #     Ok(events)
/// # };
/// # let now = Instant::ZERO;
///
/// // After the first handshake the client gets a session, which it uses for the next.
/// let first = Connection::client(Arc::clone(&client), None, Seed([1; 32]), now)?;
/// # let [events, _] = talk(first, 2)?;
/// let session = events.iter().find_map(|event| match event {
///     Event::Session(session) => Some(session.clone()),
///     _ => None,
/// });
/// let session = session.expect("the server gives tickets");
/// assert_eq!(session.early_data_max(), 16_384);
/// let mut again = Connection::resume(client, None, session, Seed([3; 32]), now)?;
/// again.send_early(now, b"22.5 C")?;
/// # let [client, server] = talk(again, 4)?;
/// assert!(server.contains(&Event::EarlyData(b"22.5 C".to_vec())));
/// assert!(client.contains(&Event::EarlyDataAccepted));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct EarlyData {
    /// Most bytes that a client may send early, by ticket. Tickets of a time when it was more are good for none. Default
    /// 16384.
    pub max_size: u32,
    /// How far the age of a ticket as the client tells it may be from that which the server sees (RFC 8446 §8.3): for a
    /// round trip and for clocks, at most an hour. Default 10 s.
    pub window: Duration,
    /// Whether a hello with acceptable early data needs no cookie where the configuration demands one. If it does, there
    /// is a HelloRetryRequest, which ends all early data. Its ticket is good for one such hello, so that copies of it
    /// from forged addresses still need a cookie. Default: it does, so that there is no early data without
    /// [`Cookies::Off`](super::Cookies::Off).
    pub without_cookie: bool,
    /// Who has come already; shared by all servers that have the ticket keys.
    pub guard: Arc<ReplayGuard>,
}

impl EarlyData {
    /// Defaults with this guard.
    pub fn new(guard: Arc<ReplayGuard>) -> Self {
        Self { max_size: 16_384, window: Duration::from_secs(10), without_cookie: false, guard }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let fits = self.max_size != 0 && !self.window.is_zero() && self.window <= Duration::from_secs(3600);
        if fits { Ok(()) } else { Err(Misuse::BadEarlyData.into()) }
    }

    /// In milliseconds.
    pub(crate) const fn window_millis(&self) -> u64 {
        // At most an hour: it fits.
        self.window.as_millis() as u64
    }
}

/// Remembers tickets that came with early data, for as long as a copy of the hello they came in could pass for fresh
/// (RFC 8446 §8.1, §8.3). Of bounded size; when full it refuses early data, not connections.
pub struct ReplayGuard {
    capacity: usize,
    /// In milliseconds since 1970: what came before is not known.
    since: Option<u64>,
    seen: Mutex<Seen>,
}

/// Tickets, by hash, and until when each counts, in milliseconds since 1970.
struct Seen {
    until: BTreeMap<[u8; 32], u64>,
    in_order: BTreeSet<(u64, [u8; 32])>,
}

impl ReplayGuard {
    /// A guard that remembers at most `capacity` tickets, of about 200 bytes each. It knows of all that came with the
    /// ticket keys, as they are new; see [`since`](Self::since) if they are not.
    pub const fn new(capacity: usize) -> Self {
        let seen = Seen { until: BTreeMap::new(), in_order: BTreeSet::new() };
        Self { capacity, since: None, seen: Mutex::new(seen) }
    }

    /// A guard that knows nothing of what came before a date, in seconds since 1970: when the server starts again with
    /// ticket keys of before. It refuses all early data until nothing of before can pass for fresh, twice the window
    /// (RFC 8446 §8.2).
    #[must_use]
    pub const fn since(mut self, unix_time: u64) -> Self {
        self.since = Some(unix_time.saturating_mul(1000));
        self
    }

    /// Whether this is the first use of a ticket, given its hash. From now on it is not, for as long as its hello can be
    /// fresh: at most `span` milliseconds.
    pub(crate) fn claim(&self, ticket: [u8; 32], now: u64, span: u64) -> bool {
        if self.since.is_some_and(|since| now < since.saturating_add(span)) {
            return false;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.forget_before(now);
        if seen.until.contains_key(&ticket) || seen.until.len() >= self.capacity {
            return false;
        }
        let until = now.saturating_add(span);
        seen.until.insert(ticket, until);
        seen.in_order.insert((until, ticket));
        true
    }
}

impl Seen {
    fn forget_before(&mut self, now: u64) {
        while let Some((until, ticket)) = self.in_order.first().copied()
            && until < now
        {
            self.in_order.pop_first();
            self.until.remove(&ticket);
        }
    }
}

impl fmt::Debug for ReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplayGuard(capacity {})", self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_counts_once_until_its_time_is_over_and_a_full_guard_refuses() {
        let guard = ReplayGuard::new(2);
        assert!(guard.claim([1; 32], 10, 10));
        assert!(!guard.claim([1; 32], 20, 10));
        assert!(guard.claim([2; 32], 20, 10));
        assert!(!guard.claim([3; 32], 20, 10), "full");
        assert!(guard.claim([3; 32], 21, 10), "the first is over");
        assert!(!guard.claim([2; 32], 30, 10));
        assert!(guard.claim([2; 32], 31, 10));
        assert_eq!(guard.seen.lock().unwrap().in_order.len(), 2);
    }

    #[test]
    fn a_guard_without_a_past_refuses_until_that_no_longer_matters() {
        let guard = ReplayGuard::new(2).since(1);
        assert!(!guard.claim([1; 32], 1000, 20));
        assert!(!guard.claim([1; 32], 1019, 20));
        assert!(guard.claim([1; 32], 1020, 20));
    }
}

//! Settings of early data (0-RTT), and what keeps a server from taking the same early data twice.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Misuse};

/// How a server takes early data (RFC 8446 §8). Early data has no forward secrecy, and only the server can tell a replay:
/// take it for requests that may be made twice.
#[derive(Clone, Debug)]
pub struct EarlyData {
    /// Most bytes that a client may send early, by ticket. Default 16384.
    pub max_size: u32,
    /// How far the age of a ticket as the client tells it may be from that which the server sees (RFC 8446 §8.3): for a
    /// round trip and for clocks. Default 10 s.
    pub window: Duration,
    /// Who has come already; shared by all servers that have the ticket keys.
    pub guard: Arc<ReplayGuard>,
}

impl EarlyData {
    /// Defaults with this guard.
    pub fn new(guard: Arc<ReplayGuard>) -> Self {
        Self { max_size: 16_384, window: Duration::from_secs(10), guard }
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
    /// Until when each counts, in milliseconds since 1970.
    seen: Mutex<BTreeMap<[u8; 32], u64>>,
}

impl ReplayGuard {
    /// A guard that remembers at most `capacity` tickets, of about 100 bytes each.
    pub const fn new(capacity: usize) -> Self {
        Self { capacity, seen: Mutex::new(BTreeMap::new()) }
    }

    /// Whether this is the first use of a ticket, given its hash. From now on until `until` it is not.
    pub(crate) fn claim(&self, ticket: [u8; 32], now: u64, until: u64) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.get(&ticket).is_some_and(|until| *until >= now) {
            return false;
        }
        if seen.len() >= self.capacity {
            seen.retain(|_, until| *until >= now);
        }
        if seen.len() >= self.capacity {
            return false;
        }
        seen.insert(ticket, until);
        true
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
        assert!(guard.claim([1; 32], 0, 10));
        assert!(!guard.claim([1; 32], 10, 30));
        assert!(guard.claim([2; 32], 10, 20));
        assert!(!guard.claim([3; 32], 10, 20), "full");
        assert!(guard.claim([3; 32], 11, 30), "the first is over");
        assert!(!guard.claim([2; 32], 20, 30));
        assert!(guard.claim([2; 32], 21, 30));
    }
}

//! What a server of DTLS 1.2 remembers of sessions, for clients that come back with a session id (RFC 5246 §7.4.1.2).

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::handshake::stored12::Stored12;

/// Sessions that clients may resume, shared by all connections of a server. It holds master secrets: whoever reads them
/// can read and impersonate. Tickets ([`Tickets`](super::Tickets)) do without such a memory.
///
/// Bounded: when it is full the oldest session makes room. Which sessions it holds follows from the calls alone, so that
/// equal runs have equal memories.
pub struct SessionCache {
    capacity: usize,
    lifetime: Duration,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    by_id: BTreeMap<Vec<u8>, (u64, Stored12)>,
    /// Ids in the order in which they came.
    by_age: BTreeMap<u64, Vec<u8>>,
    inserted: u64,
}

impl Entries {
    fn remove(&mut self, id: &[u8]) {
        if let Some((place, _)) = self.by_id.remove(id) {
            self.by_age.remove(&place);
        }
    }

    fn remove_oldest(&mut self) {
        if let Some((_, id)) = self.by_age.pop_first() {
            self.by_id.remove(&id);
        }
    }

    fn oldest_is_fresh(&self, now: u64) -> bool {
        let oldest = self.by_age.first_key_value().and_then(|(_, id)| self.by_id.get(id));
        oldest.is_none_or(|(_, session)| session.is_fresh(now))
    }
}

impl SessionCache {
    /// Room for `capacity` sessions, each of which can be resumed for `lifetime`, in whole seconds. RFC 5246 §F.1.4
    /// suggests no more than a day.
    pub const fn new(capacity: usize, lifetime: Duration) -> Self {
        let entries = Entries { by_id: BTreeMap::new(), by_age: BTreeMap::new(), inserted: 0 };
        Self { capacity, lifetime, entries: Mutex::new(entries) }
    }

    /// Sessions it holds, of which some may be too old to be resumed.
    pub fn len(&self) -> usize {
        self.entries().by_id.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all sessions: every client has to do a full handshake.
    pub fn clear(&self) {
        let mut entries = self.entries();
        entries.by_id.clear();
        entries.by_age.clear();
    }

    /// In seconds.
    pub(crate) fn lifetime_secs(&self) -> u32 {
        u32::try_from(self.lifetime.as_secs()).unwrap_or(u32::MAX)
    }

    /// Remembers a session at `now`, in milliseconds since 1970.
    pub(crate) fn insert(&self, id: &[u8], session: Stored12, now: u64) {
        let mut entries = self.entries();
        entries.remove(id);
        while !entries.oldest_is_fresh(now) {
            entries.remove_oldest();
        }
        while !entries.by_id.is_empty() && entries.by_id.len() >= self.capacity {
            entries.remove_oldest();
        }
        if self.capacity != 0 {
            let place = entries.inserted;
            entries.inserted += 1;
            entries.by_id.insert(id.to_vec(), (place, session));
            entries.by_age.insert(place, id.to_vec());
        }
    }

    /// The session, if it can be resumed at `now`, in milliseconds since 1970.
    pub(crate) fn find(&self, id: &[u8], now: u64) -> Option<Stored12> {
        let entries = self.entries();
        entries.by_id.get(id).map(|(_, session)| session).filter(|session| session.is_fresh(now)).cloned()
    }

    /// Forgets a session (RFC 5246 §7.2.2).
    pub(crate) fn remove(&self, id: &[u8]) {
        self.entries().remove(id);
    }

    /// A panic elsewhere leaves the entries whole: no call stops half-way.
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SessionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionCache({} of {})", self.len(), self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Secret;
    use crate::negotiated::PeerIdentity;
    use crate::wire::CipherSuite;

    fn session(issued: u64) -> Stored12 {
        Stored12 {
            suite: CipherSuite::TLS_PSK_WITH_AES_128_CCM_8,
            began: issued,
            issued,
            lifetime: 60,
            master: Secret::new(vec![5; 48]),
            server_name: None,
            client: PeerIdentity::Anonymous,
        }
    }

    #[test]
    fn the_oldest_makes_room_and_the_others_stay() {
        let cache = SessionCache::new(2, Duration::from_secs(60));
        for id in 0..3 {
            cache.insert(&[id], session(0), 0);
        }
        assert_eq!([0, 1, 2].map(|id| cache.find(&[id], 0).is_some()), [false, true, true]);
        // Coming again makes a session the newest.
        cache.insert(&[1], session(0), 0);
        cache.insert(&[3], session(0), 0);
        assert_eq!([1, 2, 3].map(|id| cache.find(&[id], 0).is_some()), [true, false, true]);
        cache.remove(&[1]);
        cache.remove(&[1]);
        assert_eq!(cache.len(), 1);
        cache.clear();
        assert!(cache.is_empty());
        assert_eq!(format!("{cache:?}"), "SessionCache(0 of 2)");
    }

    #[test]
    fn sessions_that_are_too_old_are_not_found_and_leave_with_the_next_that_comes() {
        let cache = SessionCache::new(8, Duration::from_secs(60));
        cache.insert(b"old", session(0), 0);
        assert!(cache.find(b"old", 59_999).is_some() && cache.find(b"old", 60_000).is_none());
        cache.insert(b"new", session(60_000), 60_000);
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let cache = SessionCache::new(0, Duration::from_secs(60));
        cache.insert(b"id", session(0), 0);
        assert!(cache.is_empty());
    }
}

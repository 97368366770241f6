//! Settings of resumption: who seals tickets with what, and which key exchange goes with a pre-shared key.

use core::time::Duration;

use crate::crypto::Secret;
use crate::error::{Error, Misuse};

/// Length of a ticket key in bytes.
pub const TICKET_KEY_LEN: usize = 32;

/// Longest lifetime of a ticket: a week (RFC 8446 §4.6.1).
pub const TICKET_LIFETIME_MAX: Duration = Duration::from_secs(604_800);

/// Keys with which a server seals what it would otherwise have to remember (RFC 5077, RFC 8446 §4.6.1). Whoever has one
/// can impersonate every client with a ticket, and read its early data: rotate them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketKeys {
    /// Newest first.
    keys: Vec<Secret>,
}

impl TicketKeys {
    /// A first key, 32 random bytes.
    pub fn new(key: [u8; TICKET_KEY_LEN]) -> Self {
        Self { keys: vec![Secret::new(key.to_vec())] }
    }

    /// Seals with this key from now on; tickets of the last `kept` keys before it are still good.
    #[must_use]
    pub fn rotated(mut self, key: [u8; TICKET_KEY_LEN], kept: usize) -> Self {
        self.keys.truncate(kept);
        self.keys.insert(0, Secret::new(key.to_vec()));
        self
    }

    /// The keys, newest first. There is at least one.
    pub(crate) fn newest_first(&self) -> &[Secret] {
        &self.keys
    }
}

/// How a server gives out tickets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tickets {
    /// What they are sealed with; shared by all connections of the server.
    pub keys: TicketKeys,
    /// How long each is good, in whole seconds, at most a week. Default two hours.
    pub lifetime: Duration,
    /// How long after the full handshake, in whole seconds, a session can be resumed at all, however often it gets new
    /// tickets (RFC 8446 §4.6.1): nothing but a full handshake shows that certificates and keys are still good. Default
    /// a week.
    pub session_lifetime: Duration,
    /// How many a DTLS 1.3 client gets after each handshake, at most 8: each is for one use. Default 1.
    pub count: u8,
}

impl Tickets {
    /// Defaults with these keys.
    pub fn new(keys: TicketKeys) -> Self {
        Self { keys, lifetime: Duration::from_secs(7200), session_lifetime: TICKET_LIFETIME_MAX, count: 1 }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let lifetime_fits = (1..=TICKET_LIFETIME_MAX.as_secs()).contains(&self.lifetime.as_secs());
        if lifetime_fits && self.session_lifetime.as_secs() != 0 && self.count <= 8 {
            Ok(())
        } else {
            Err(Misuse::BadTickets.into())
        }
    }

    /// Lifetime in seconds of a ticket that is issued now, for a session that began with the full handshake then, both in
    /// milliseconds since 1970. None if the session is over.
    pub(crate) fn lifetime_secs(&self, began: u64, now: u64) -> Option<u32> {
        let age = now.saturating_sub(began).div_ceil(1000);
        let left = self.session_lifetime.as_secs().checked_sub(age).filter(|left| *left != 0)?;
        // At most a week: it fits.
        Some(left.min(self.lifetime.as_secs()) as u32)
    }
}

/// What is added to a pre-shared key in DTLS 1.3, be it external or of a ticket (RFC 8446 §4.2.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PskMode {
    /// `psk_dhe_ke`: an ephemeral key exchange, which keeps the past secret if the key becomes known.
    DheKe,
    /// `psk_ke`: nothing. Cheaper, and without forward secrecy.
    Ke,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_do_not_outlive_their_session() {
        let mut tickets = Tickets::new(TicketKeys::new([1; 32]));
        tickets.session_lifetime = Duration::from_secs(10_000);
        let lifetimes =
            [0, 2_800_000, 2_800_001, 9_999_000, 9_999_001].map(|age| tickets.lifetime_secs(5_000, 5_000 + age));
        assert_eq!(lifetimes, [Some(7200), Some(7200), Some(7199), Some(1), None]);
        assert_eq!(tickets.lifetime_secs(5_000, 4_000), Some(7200), "the clock went back");
    }
}

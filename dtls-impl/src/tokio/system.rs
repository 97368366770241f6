//! The system's clock and randomness: the only place of the crate that asks for either.

use core::time::Duration;
use std::io;
use std::time::SystemTime;

use crate::{Instant, Seed};

/// Turns tokio's time into the crate's, and back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: ::tokio::time::Instant,
    /// The crate's time at the start.
    zero: Instant,
}

impl Clock {
    /// Time zero is now if the configuration says which date that is, else the year 1970, so that dates are the system's.
    pub(super) fn start(unix_time: u64) -> Self {
        let zero = if unix_time == 0 { Instant::ZERO + since_1970() } else { Instant::ZERO };
        Self { start: ::tokio::time::Instant::now(), zero }
    }

    pub(super) fn now(&self) -> Instant {
        self.zero + self.start.elapsed()
    }

    pub(super) fn at(&self, instant: Instant) -> ::tokio::time::Instant {
        // Timers beyond a year are none: the runtime cannot add the end of time.
        self.start + instant.saturating_since(self.zero).min(Duration::from_secs(31_536_000))
    }
}

#[expect(clippy::disallowed_methods, reason = "certificates and tickets over real sockets have real dates")]
fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// A fresh seed.
pub(super) fn seed() -> io::Result<Seed> {
    let mut seed = Seed([0; 32]);
    getrandom::fill(&mut seed.0).map_err(io::Error::other)?;
    Ok(seed)
}

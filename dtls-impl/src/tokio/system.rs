//! The system's clock and randomness: the only place of the crate that asks for either.

use core::time::Duration;
use std::io;

use crate::{Instant, Seed};

/// Turns tokio's time into the crate's, and back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: ::tokio::time::Instant,
}

impl Clock {
    /// Time zero is now.
    pub(super) fn start() -> Self {
        Self { start: ::tokio::time::Instant::now() }
    }

    pub(super) fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    pub(super) fn at(&self, instant: Instant) -> ::tokio::time::Instant {
        // Timers beyond a year are none: the runtime cannot add the end of time.
        self.start + instant.saturating_since(Instant::ZERO).min(Duration::from_secs(31_536_000))
    }
}

/// A fresh seed.
pub(super) fn seed() -> io::Result<Seed> {
    let mut seed = Seed([0; 32]);
    getrandom::fill(&mut seed.0).map_err(io::Error::other)?;
    Ok(seed)
}

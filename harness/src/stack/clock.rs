//! Virtual time for stacks that speak `std::time::Instant`.
//!
//! An `Instant` cannot be made from nothing, so one is read once per process and every virtual time is an offset from
//! it. Stacks only ever see differences; the base itself is never printed, hashed or compared with anything.

use std::sync::OnceLock;
use std::time::Instant;

use crate::time::SimTime;

/// Where virtual time zero lies on an `Instant` axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Base(pub(super) Instant);

impl Base {
    /// The base every stack may share.
    #[expect(clippy::disallowed_methods, reason = "the one reading that makes `Instant`s possible at all")]
    pub(super) fn shared() -> Self {
        static BASE: OnceLock<Instant> = OnceLock::new();
        Self(*BASE.get_or_init(Instant::now))
    }

    /// `at` on this axis.
    pub(super) fn instant(self, at: SimTime) -> Instant {
        self.0 + at.since_start()
    }

    /// The virtual time of `at`; the start of the run if it lies before the base.
    pub(super) fn sim_time(self, at: Instant) -> SimTime {
        SimTime::ZERO + at.saturating_duration_since(self.0)
    }
}

//! What an endpoint may use up before its run ends as broken.
//!
//! The limits catch stacks that spin or flood; no run that gets anywhere comes near them.

use crate::time::SimTime;

/// Limits for each endpoint of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Calls that do something (inputs, and polls that return something) at one instant.
    pub calls_per_instant: u32,
    /// Datagrams sent at one instant.
    pub datagrams_per_instant: u32,
    /// Datagrams sent in the run.
    pub datagrams: u32,
    /// Bytes sent and reported in the run.
    pub bytes: u64,
    /// Calls that do something in the run: each leaves at most a few events in the trace.
    pub calls: u64,
}

impl Budget {
    /// The largest flight any scenario makes is a certificate chain of 64 KiB in datagrams of 64 bytes: 1,024 datagrams.
    /// Four of them may meet at one instant on a link without delay.
    pub const DATAGRAMS_PER_INSTANT: u32 = 4 * 1024;
    /// For each such datagram: taking it in, sending it, and up to three events about it.
    pub const CALLS_PER_INSTANT: u32 = 5 * Self::DATAGRAMS_PER_INSTANT;
    /// A flight of 1,024 datagrams repeated 16 times, and 80,000 messages of application data.
    pub const DATAGRAMS: u32 = 100_000;
    /// Two kilobytes for each of these datagrams: the trace of two such ends stays below half a gigabyte.
    pub const BYTES: u64 = 200 << 20;
    /// As above, five calls for each datagram; at about 100 bytes an event, both ends stay below 100 MB.
    pub const CALLS: u64 = 5 * Self::DATAGRAMS as u64;
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            calls_per_instant: Self::CALLS_PER_INSTANT,
            datagrams_per_instant: Self::DATAGRAMS_PER_INSTANT,
            datagrams: Self::DATAGRAMS,
            bytes: Self::BYTES,
            calls: Self::CALLS,
        }
    }
}

/// What one endpoint has used up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    instant: SimTime,
    calls_now: u32,
    datagrams_now: u32,
    datagrams: u32,
    bytes: u64,
    calls: u64,
}

impl Usage {
    /// One more call that did something.
    pub(super) fn call(&mut self, budget: &Budget, now: SimTime) -> Result<(), String> {
        if self.instant != now {
            *self = Self { instant: now, calls_now: 0, datagrams_now: 0, ..*self };
        }
        self.calls_now += 1;
        self.calls += 1;
        if self.calls_now > budget.calls_per_instant {
            return Err(format!("spun: more than {} calls at one instant", budget.calls_per_instant));
        }
        if self.calls > budget.calls {
            return Err(format!("spun: more than {} calls in the run", budget.calls));
        }
        Ok(())
    }

    /// One more datagram, counted after its call.
    pub(super) fn datagram(&mut self, budget: &Budget, bytes: usize) -> Result<(), String> {
        self.datagrams_now += 1;
        self.datagrams += 1;
        if self.datagrams_now > budget.datagrams_per_instant {
            return Err(format!("flooded: more than {} datagrams at one instant", budget.datagrams_per_instant));
        }
        if self.datagrams > budget.datagrams {
            return Err(format!("flooded: more than {} datagrams in the run", budget.datagrams));
        }
        self.bytes(budget, bytes)
    }

    /// More bytes that the trace has to keep.
    pub(super) fn bytes(&mut self, budget: &Budget, bytes: usize) -> Result<(), String> {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.bytes > budget.bytes {
            return Err(format!("flooded: more than {} bytes in the run", budget.bytes));
        }
        Ok(())
    }
}

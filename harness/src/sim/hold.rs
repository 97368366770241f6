//! Stage: copies held back until later datagrams of the direction have been sent.

use std::time::Duration;

use super::pipe::Packet;
use crate::time::SimTime;

/// One copy that waits.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) packet: Packet,
    pub(super) copy: u8,
    /// When it left the transmitter: before that it cannot go on.
    pub(super) ready: SimTime,
    /// Its delay once it is let go.
    pub(super) delay: Duration,
    /// Later datagrams still to pass.
    pub(super) behind: u32,
    /// When it is let go in any case.
    pub(super) until: SimTime,
    /// Arrival of those that have passed: it does not come before them.
    pub(super) after: SimTime,
}

/// The copies held on one direction, in the order of sending.
#[derive(Clone, Debug, Default)]
pub(super) struct HoldStage {
    held: Vec<Held>,
}

impl HoldStage {
    pub(super) fn hold(&mut self, held: Held) {
        self.held.push(held);
    }

    /// A datagram has been sent, to arrive at `due` if at all: the copies of others whose turn has come.
    pub(super) fn passed_by(&mut self, packet: &Packet, due: Option<SimTime>) -> Vec<Held> {
        for held in self.held.iter_mut().filter(|held| held.packet.id != packet.id) {
            held.behind = held.behind.saturating_sub(1);
            held.after = held.after.max(due.unwrap_or_default());
        }
        self.held.extract_if(.., |held| held.packet.id != packet.id && held.behind == 0).collect()
    }

    /// When the next copy is let go in any case.
    pub(super) fn next_end(&self) -> Option<SimTime> {
        self.held.iter().map(|held| held.until).min()
    }

    /// Those that have waited long enough.
    pub(super) fn expired(&mut self, now: SimTime) -> Vec<Held> {
        self.held.extract_if(.., |held| held.until <= now).collect()
    }
}

//! One direction of a link: the stages a datagram passes.
//!
//! In this order, each deciding by the number of the datagram alone where it is random:
//!
//! 1. IP MTU: packets above it end here. A packet is the UDP payload and 28 bytes of IPv4 and UDP header. The sender may
//!    be told, as by ICMP; such a report is not subject to anything below.
//! 2. Scripted faults and black holes, decided by the caller.
//! 3. Random loss.
//! 4. Random duplication: the copy is a packet of its own from here on.
//! 5. Rate, with a queue of so many bytes.
//! 6. One-way delay, drawn for each copy.
//! 7. Order: in fifo order, nothing arrives before what was sent earlier.
//! 8. Holding back, scripted or random: the delay of a held copy begins when it is let go, and it arrives after those
//!    that passed it.
//!
//! Scripted delays and scripted copies act on what comes out of these stages, so they are exact: a delayed datagram is
//! overtaken also on a fifo link, and copies follow the original at the times given. What a script touches is not held
//! back at random as well.

use std::sync::Arc;
use std::time::Duration;

use super::delay::{OrderStage, delay_of};
use super::faults::Strike;
use super::hold::{Held, HoldStage};
use super::loss::LossStage;
use super::random::{Draws, Purpose, falls_within};
use super::rate::{Air, RateStage};
use crate::scenario::{Action, Pipe as Spec, ReplayTime};
use crate::time::SimTime;
use crate::trace::{Cause, Copy, DatagramId, Fate};

/// Bytes of an IPv4 header without options and a UDP header (RFC 791 §3.1, RFC 768).
pub const IP_UDP_HEADER: u32 = 20 + 8;

/// No IPv4 packet is larger: its length field has 16 bits.
const IP_PACKET_MAX: u32 = 65_535;

/// Copies have numbers of 8 bits.
const COPIES_MAX: usize = 256;

/// A datagram on its way.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) id: DatagramId,
    pub(super) bytes: Arc<[u8]>,
}

/// A held copy that goes on.
#[derive(Clone, Debug)]
pub(super) struct Release {
    pub(super) packet: Packet,
    pub(super) copy: u8,
    pub(super) due: SimTime,
}

/// The state of one direction.
#[derive(Clone, Debug)]
pub(super) struct Pipe {
    spec: Spec,
    draws: Draws,
    index: u32,
    loss: LossStage,
    rate: RateStage,
    order: OrderStage,
    hold: HoldStage,
}

impl Pipe {
    pub(super) fn new(spec: &Spec, draws: Draws) -> Self {
        Self {
            spec: spec.clone(),
            draws,
            index: 0,
            loss: LossStage::new(spec.loss),
            rate: RateStage::new(spec.rate),
            order: OrderStage::new(spec.order),
            hold: HoldStage::default(),
        }
    }

    /// Number of the next datagram.
    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// Sends a datagram: its fate, and the held copies that it lets go. `strike` tells what the scripted faults do to it
    /// and is asked only if it gets that far.
    pub(super) fn send(
        &mut self,
        now: SimTime,
        packet: &Packet,
        air: &mut Air,
        strike: impl FnOnce() -> Option<Strike>,
    ) -> (Fate, Vec<Release>) {
        // The process takes its step for every datagram, whatever else happens to it.
        let lost = self.loss.step(&self.draws, self.index);
        let fate = self.decide(now, packet, air, strike, lost);
        self.index += 1;
        let due = fate.copies.first().and_then(|copy| copy.due);
        let passed = self.hold.passed_by(packet, due);
        (fate, passed.into_iter().map(|held| self.release(now, held)).collect())
    }

    /// What the sender is told of this fate, and after what time: the largest UDP payload that passes.
    pub(super) fn tells(&self, fate: &Fate) -> Option<(Duration, u32)> {
        let limit = fate.causes.iter().find_map(|cause| match cause {
            Cause::Mtu { limit, .. } => Some(*limit),
            _ => None,
        });
        limit
            .filter(|_| self.spec.tells_too_big)
            .map(|limit| (self.spec.delay.base, limit.saturating_sub(IP_UDP_HEADER)))
    }

    /// When the next held copy is let go for having waited long enough.
    pub(super) fn next_hold_end(&self) -> Option<SimTime> {
        self.hold.next_end()
    }

    /// The held copies that have waited long enough.
    pub(super) fn end_holds(&mut self, now: SimTime) -> Vec<Release> {
        self.hold.expired(now).into_iter().map(|held| self.release(now, held)).collect()
    }

    fn release(&mut self, now: SimTime, held: Held) -> Release {
        let due = self.order.pass(now.max(held.ready) + held.delay).max(held.after);
        Release { packet: held.packet, copy: held.copy, due }
    }

    fn decide(
        &mut self,
        now: SimTime,
        packet: &Packet,
        air: &mut Air,
        strike: impl FnOnce() -> Option<Strike>,
        lost: Option<Cause>,
    ) -> Fate {
        let size = u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX).saturating_add(IP_UDP_HEADER);
        let limit = self.spec.ip_mtu.min(IP_PACKET_MAX);
        if size > limit {
            return Fate { causes: vec![Cause::Mtu { size, limit }], copies: Vec::new() };
        }
        let strike = strike();
        let action = strike.and_then(|strike| strike.action());
        let mut fate = Fate { causes: strike.map(Strike::cause).into_iter().collect(), copies: Vec::new() };
        if fate.causes.iter().any(Cause::drops) {
            return fate;
        }
        if let Some(cause) = lost {
            fate.causes.push(cause);
            return fate;
        }
        let twice = falls_within(self.draws.draw(Purpose::Duplicate, self.index), self.spec.duplicate);
        if twice {
            fate.causes.push(Cause::Duplicate);
        }
        for copy in 0..=u8::from(twice) {
            match self.rate.pass(now, size, air) {
                Ok(ready) => self.carry(now, packet, copy, ready, action, &mut fate),
                Err(cause) => {
                    fate.causes.push(cause);
                    // A copy of the same size fits no better.
                    break;
                }
            }
        }
        script(now, action, &mut fate.copies);
        fate
    }

    /// Delay, order and holding back of one copy that has left the transmitter.
    fn carry(
        &mut self,
        now: SimTime,
        packet: &Packet,
        copy: u8,
        ready: SimTime,
        action: Option<Action>,
        fate: &mut Fate,
    ) {
        let delay = delay_of(self.spec.delay, &self.draws, self.index, copy);
        let hold = match action {
            Some(Action::Hold { behind, hold_max }) => Some((behind.max(1), hold_max)),
            Some(_) => None,
            None => self.spec.reorder.and_then(|reorder| {
                let draw = self.draws.draw_copy(Purpose::Reorder, self.index, copy);
                falls_within(draw, reorder.share).then(|| {
                    fate.causes.push(Cause::Reorder);
                    (1, reorder.hold_max)
                })
            }),
        };
        let due = match hold {
            Some((behind, hold_max)) => {
                let (packet, until) = (packet.clone(), now + hold_max);
                self.hold.hold(Held { packet, copy, ready, delay, behind, until, after: SimTime::ZERO });
                None
            }
            None => Some(self.order.pass(ready + delay)),
        };
        fate.copies.push(Copy { due, forged: None });
    }
}

/// Scripted delays and copies, on top of what the stages did.
fn script(now: SimTime, action: Option<Action>, copies: &mut Vec<Copy>) {
    match action {
        Some(Action::Delay(extra)) => {
            for copy in copies {
                copy.due = copy.due.map(|due| due + extra);
            }
        }
        Some(Action::Duplicate { copies: count, after }) => {
            let Some(original) = copies.first().and_then(|copy| copy.due) else { return };
            let more = (1..=u32::from(count))
                .map(|nth| Copy { due: Some(original + after.saturating_mul(nth)), forged: None });
            copies.extend(more);
            copies.truncate(COPIES_MAX);
        }
        Some(Action::Replay { copies: count, when, source: forged }) => {
            let Some(original) = copies.first().and_then(|copy| copy.due) else { return };
            let due = |nth| match when {
                ReplayTime::After(after) => original + after.saturating_mul(nth),
                ReplayTime::Ahead(ahead) => original.earlier_by(ahead).max(now),
            };
            copies.extend((1..=u32::from(count)).map(|nth| Copy { due: Some(due(nth)), forged }));
            copies.truncate(COPIES_MAX);
        }
        Some(Action::Drop | Action::Hold { .. }) | None => {}
    }
}

#[cfg(test)]
mod tests;

//! Hosts beside the pair: traffic of their own on links of their own, through the same queue and the same stages.
//!
//! They leave nothing in the trace, so that a run with them and one without can be compared event by event; what they
//! did is counted.

use std::sync::Arc;
use std::time::Duration;

use super::pipe::{Packet, Pipe};
use super::queue::{Alarm, Class, Queue, Source};
use super::random::Draws;
use super::rate::Air;
use super::{Happening, Side};
use crate::endpoint::Role;
use crate::scenario::Bystander as Spec;
use crate::time::SimTime;
use crate::trace::DatagramId;

/// What a bystander's traffic came to by the end of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BystanderCount {
    /// Its name.
    pub name: String,
    /// Datagrams it sent.
    pub sent: u32,
    /// Copies that arrived.
    pub delivered: u32,
}

/// One bystander.
#[derive(Debug)]
pub(super) struct Bystander {
    number: u16,
    count: BystanderCount,
    pipe: Pipe,
    air: Air,
    hold_end: Alarm,
    every: Duration,
    datagram: Arc<[u8]>,
}

impl Bystander {
    /// Puts a bystander beside the pair; its first datagram leaves at the start.
    pub(super) fn new(spec: &Spec, number: u16, seed: u64, queue: &mut Queue<Happening>) -> Self {
        let (every, size) = spec.traffic.unwrap_or_default();
        let bystander = Self {
            number,
            count: BystanderCount { name: spec.name.clone(), ..BystanderCount::default() },
            pipe: Pipe::new(&spec.pipe, Draws::new(seed, &format!("bystander/{}", spec.name), Role::Client)),
            air: Air::default(),
            hold_end: Alarm::default(),
            every,
            datagram: vec![0; usize::from(size)].into(),
        };
        // Traffic without a pause would never let time pass.
        if !every.is_zero() {
            bystander.schedule(SimTime::ZERO, Side::Send, queue);
        }
        bystander
    }

    pub(super) fn count(&self) -> &BystanderCount {
        &self.count
    }

    /// Its turn has come.
    pub(super) fn happen(&mut self, now: SimTime, side: Side, queue: &mut Queue<Happening>) {
        match side {
            Side::Send => {
                let packet = Packet { id: DatagramId(self.count.sent), bytes: Arc::clone(&self.datagram) };
                self.count.sent += 1;
                let (fate, released) = self.pipe.send(now, &packet, &mut self.air, || None);
                for due in fate.copies.iter().filter_map(|copy| copy.due) {
                    self.schedule(due, Side::Deliver, queue);
                }
                for release in released {
                    self.schedule(release.due, Side::Deliver, queue);
                }
                self.schedule(now + self.every, Side::Send, queue);
            }
            Side::HoldEnd => {
                self.hold_end.rang();
                for release in self.pipe.end_holds(now) {
                    self.schedule(release.due, Side::Deliver, queue);
                }
            }
            Side::Deliver => self.count.delivered += 1,
        }
        let (number, source) = (self.number, Source::Bystander(self.number));
        let happening = || Happening::Beside(number, Side::HoldEnd);
        self.hold_end.set(queue, self.pipe.next_hold_end(), Class::Change, source, happening);
    }

    fn schedule(&self, at: SimTime, side: Side, queue: &mut Queue<Happening>) {
        let class = match side {
            Side::Send => Class::Output,
            Side::Deliver => Class::Delivery,
            Side::HoldEnd => Class::Change,
        };
        queue.schedule(at, class, Source::Bystander(self.number), Happening::Beside(self.number, side));
    }
}

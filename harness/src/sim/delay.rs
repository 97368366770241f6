//! Stages: one-way delay, and the order of arrival.

use std::time::Duration;

use crate::scenario::{Delay, Order, Spread};
use crate::sim::lognormal::log_normal;
use crate::sim::random::{Draws, Purpose, scale};
use crate::time::SimTime;

/// The delay of one copy of datagram `index`.
pub(super) fn delay_of(delay: Delay, draws: &Draws, index: u32, copy: u8) -> Duration {
    let draw = || draws.draw_copy(Purpose::Delay, index, copy);
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let random = match delay.spread {
        Spread::None => 0,
        Spread::Uniform(max) => scale(draw(), nanos(max)),
        Spread::LogNormal { median, sigma_milli } => log_normal(draw(), nanos(median), sigma_milli),
    };
    delay.base.saturating_add(Duration::from_nanos(random))
}

/// Order of arrival of one direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct OrderStage {
    order: Order,
    last: SimTime,
}

impl OrderStage {
    pub(super) fn new(order: Order) -> Self {
        Self { order, last: SimTime::ZERO }
    }

    /// When a copy that would arrive at `due` does arrive: in fifo order not before an earlier one.
    pub(super) fn pass(&mut self, due: SimTime) -> SimTime {
        match self.order {
            Order::Free => due,
            Order::Fifo => {
                self.last = self.last.max(due);
                self.last
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Role;

    fn arrivals(order: Order, spread: Spread) -> Vec<SimTime> {
        let draws = Draws::new(3, "pair", Role::Client);
        let delay = Delay { base: Duration::from_millis(10), spread };
        let mut stage = OrderStage::new(order);
        (0..2000)
            .map(|index| {
                let sent = SimTime::from_nanos(u64::from(index) * 1_000_000);
                stage.pass(sent + delay_of(delay, &draws, index, 0))
            })
            .collect()
    }

    const SPREADS: [Spread; 2] = [
        Spread::Uniform(Duration::from_millis(50)),
        Spread::LogNormal { median: Duration::from_millis(20), sigma_milli: 800 },
    ];

    #[test]
    fn fifo_never_reorders() {
        assert!(SPREADS.iter().all(|spread| arrivals(Order::Fifo, *spread).is_sorted()));
    }

    #[test]
    fn free_reorders_when_delays_cross() {
        assert!(SPREADS.iter().all(|spread| !arrivals(Order::Free, *spread).is_sorted()));
        assert!(arrivals(Order::Free, Spread::None).is_sorted());
    }

    #[test]
    fn a_uniform_delay_stays_within_its_bounds() {
        let draws = Draws::new(3, "pair", Role::Server);
        let delay = Delay { base: Duration::from_nanos(100), spread: Spread::Uniform(Duration::from_nanos(3)) };
        let delays: Vec<_> = (0..1000).map(|index| delay_of(delay, &draws, index, 0).as_nanos()).collect();
        assert!((100..=103).all(|nanos| delays.contains(&nanos)));
        assert!(delays.iter().all(|nanos| (100..=103).contains(nanos)));
    }

    #[test]
    fn copies_draw_their_own_delays() {
        let draws = Draws::new(3, "pair", Role::Client);
        let delay = Delay { base: Duration::ZERO, spread: SPREADS[0] };
        assert_ne!(delay_of(delay, &draws, 4, 0), delay_of(delay, &draws, 4, 1));
    }
}

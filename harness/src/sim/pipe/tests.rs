//! The stages together, one datagram after another.

use std::time::Duration;

use super::*;
use crate::endpoint::Role;
use crate::scenario::{Delay, Loss, Order, Rate, Ratio, Reorder, Spread};
use crate::trace::FaultAction;

const MS: Duration = Duration::from_millis(1);

fn ms(millis: u64) -> SimTime {
    SimTime::from_nanos(millis * 1_000_000)
}

fn spec() -> Spec {
    Spec {
        ip_mtu: 1500,
        tells_too_big: false,
        loss: Loss::None,
        duplicate: Ratio::default(),
        rate: None,
        delay: Delay { base: 10 * MS, spread: Spread::None },
        reorder: None,
        order: Order::Fifo,
    }
}

const ALWAYS: Ratio = Ratio { parts_per_trillion: 1_000_000_000_000 };

struct Link {
    pipe: Pipe,
    air: Air,
}

impl Link {
    fn new(spec: &Spec) -> Self {
        Self { pipe: Pipe::new(spec, Draws::new(1, "pair", Role::Client)), air: Air::default() }
    }

    /// Sends `size` bytes at IP level.
    fn send(&mut self, now: SimTime, size: u32, action: Option<Action>) -> (Fate, Vec<(u32, SimTime)>) {
        let bytes = vec![0; (size - IP_UDP_HEADER) as usize].into();
        let packet = Packet { id: DatagramId(self.pipe.index()), bytes };
        let strike = || action.map(|action| Strike::new(0, Some(action)));
        let (fate, released) = self.pipe.send(now, &packet, &mut self.air, strike);
        (fate, released.into_iter().map(|release| (release.packet.id.0, release.due)).collect())
    }

    fn due(&mut self, now: SimTime, action: Option<Action>) -> Vec<Option<SimTime>> {
        self.send(now, 100, action).0.copies.iter().map(|copy| copy.due).collect()
    }
}

#[test]
fn a_packet_above_the_mtu_is_dropped() {
    let mut link = Link::new(&spec());
    assert_eq!(link.send(ms(0), 1500, None).0.copies, [Copy { due: Some(ms(10)), forged: None }]);
    let fate = link.send(ms(0), 1501, Some(Action::Drop)).0;
    assert_eq!(fate, Fate { causes: vec![Cause::Mtu { size: 1501, limit: 1500 }], copies: vec![] });
}

#[test]
fn no_mtu_admits_more_than_an_ip_packet_can_hold() {
    let mut link = Link::new(&Spec { ip_mtu: u32::MAX, ..spec() });
    assert!(link.send(ms(0), 65_535, None).0.causes.is_empty());
    assert_eq!(link.send(ms(0), 65_536, None).0.causes, [Cause::Mtu { size: 65_536, limit: 65_535 }]);
}

#[test]
fn a_script_decides_before_chance_does() {
    let mut link = Link::new(&Spec { loss: Loss::Bernoulli(ALWAYS), duplicate: ALWAYS, ..spec() });
    let cause = |action| Cause::Fault { fault: 0, action };
    assert_eq!(link.send(ms(0), 100, Some(Action::Drop)).0.causes, [cause(FaultAction::Drop)]);
    let delayed = link.send(ms(0), 100, Some(Action::Delay(MS))).0;
    assert_eq!(delayed, Fate { causes: vec![cause(FaultAction::Delay), Cause::Loss], copies: vec![] });
}

#[test]
fn a_random_copy_takes_the_link_as_a_packet_of_its_own() {
    let rate = Some(Rate { bits_per_second: 800_000, queue_bytes: 10_000 });
    let mut link = Link::new(&Spec { duplicate: ALWAYS, rate, ..spec() });
    // 100 bytes take 1 ms.
    assert_eq!(link.due(ms(0), None), [Some(ms(11)), Some(ms(12))]);
    assert_eq!(link.send(ms(0), 100, None).0.causes, [Cause::Duplicate]);
}

#[test]
fn a_random_copy_that_does_not_fit_the_queue_leaves_the_original() {
    let rate = Some(Rate { bits_per_second: 800_000, queue_bytes: 99 });
    let mut link = Link::new(&Spec { duplicate: ALWAYS, rate, ..spec() });
    let fate = link.send(ms(0), 100, None).0;
    assert_eq!(fate.causes, [Cause::Duplicate, Cause::QueueFull { queued: 0, limit: 99 }]);
    assert_eq!(fate.copies, [Copy { due: Some(ms(11)), forged: None }]);
}

#[test]
fn scripted_copies_follow_at_the_times_given() {
    let mut link = Link::new(&spec());
    let twice = Action::Duplicate { copies: 2, after: 3 * MS };
    assert_eq!(link.due(ms(0), Some(twice)), [Some(ms(10)), Some(ms(13)), Some(ms(16))]);
    assert_eq!(link.due(ms(0), None), [Some(ms(10))], "copies do not hold up what follows");
    let many = Action::Duplicate { copies: u8::MAX, after: Duration::ZERO };
    assert_eq!(link.due(ms(0), Some(many)).len(), COPIES_MAX);
}

#[test]
fn a_scripted_delay_is_exact_and_lets_others_overtake() {
    let mut link = Link::new(&spec());
    assert_eq!(link.due(ms(0), Some(Action::Delay(5 * MS))), [Some(ms(15))]);
    assert_eq!(link.due(ms(1), None), [Some(ms(11))]);
}

#[test]
fn a_held_datagram_arrives_after_those_that_pass_it() {
    let mut link = Link::new(&spec());
    let hold = Action::Hold { behind: 2, hold_max: 500 * MS };
    assert_eq!(link.due(ms(0), Some(hold)), [None]);
    assert_eq!(link.pipe.next_hold_end(), Some(ms(500)));
    assert_eq!(link.send(ms(1), 100, None).1, []);
    assert_eq!(link.send(ms(2), 100, Some(Action::Drop)).1, [(0, ms(12))], "what is dropped passes too");
    assert_eq!(link.pipe.next_hold_end(), None);
    assert_eq!(link.due(ms(2), None), [Some(ms(12))]);
}

#[test]
fn a_held_datagram_waits_for_a_delayed_one() {
    let mut link = Link::new(&spec());
    link.due(ms(0), Some(Action::Hold { behind: 1, hold_max: 500 * MS }));
    assert_eq!(link.send(ms(1), 100, Some(Action::Delay(30 * MS))).1, [(0, ms(41))]);
}

#[test]
fn a_held_datagram_does_not_wait_for_ever() {
    let mut link = Link::new(&spec());
    link.due(ms(0), Some(Action::Hold { behind: 1, hold_max: 5 * MS }));
    assert!(link.pipe.end_holds(ms(4)).is_empty());
    let released = link.pipe.end_holds(ms(5));
    assert_eq!(released.iter().map(|release| release.due).collect::<Vec<_>>(), [ms(15)]);
    assert!(link.send(ms(6), 100, None).1.is_empty());
}

#[test]
fn random_holding_swaps_neighbours() {
    let reorder = Some(Reorder { share: Ratio { parts_per_trillion: 200_000_000_000 }, hold_max: 50 * MS });
    let mut link = Link::new(&Spec { reorder, ..spec() });
    let (mut arrivals, mut held) = (Vec::new(), 0);
    for n in 0..1000_u32 {
        let (fate, released) = link.send(ms(u64::from(n)), 100, None);
        held += u32::from(fate.causes == [Cause::Reorder]);
        arrivals.extend(fate.copies[0].due.map(|due| (due, n)));
        arrivals.extend(released.into_iter().map(|(id, due)| (due, id)));
    }
    arrivals.sort_by_key(|(due, _)| *due);
    let overtaken = arrivals.windows(2).filter(|pair| pair[0].1 > pair[1].1).count();
    assert!((150..250).contains(&held), "{held}");
    // Two held ones in a row arrive in order, and the first of them right before the second.
    assert!(overtaken > 100 && overtaken <= held as usize, "{overtaken} of {held}");
}

#[test]
fn what_a_script_touches_is_not_held_at_random() {
    let reorder = Some(Reorder { share: ALWAYS, hold_max: MS });
    let mut link = Link::new(&Spec { reorder, ..spec() });
    assert_eq!(link.due(ms(0), Some(Action::Delay(MS))), [Some(ms(11))]);
    assert_eq!(link.due(ms(0), None), [None]);
}

#[test]
fn the_sender_is_told_what_passes_if_the_link_does_that() {
    for tells_too_big in [false, true] {
        let mut link = Link::new(&Spec { tells_too_big, ..spec() });
        let large = link.send(ms(0), 1501, None).0;
        assert_eq!(link.pipe.tells(&large), tells_too_big.then_some((10 * MS, 1472)));
        let small = link.send(ms(0), 1500, None).0;
        assert_eq!(link.pipe.tells(&small), None);
    }
}

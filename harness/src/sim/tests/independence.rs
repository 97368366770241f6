//! A run is a function of its inputs, and one part of the network moves no draw of another.

use super::*;
use crate::trace::Fate;

/// Everything random at once.
fn rough() -> PipeSpec {
    PipeSpec {
        loss: Loss::GilbertElliott { p_gb: percent(5), p_bg: percent(30), h_g: percent(1), h_b: percent(60) },
        duplicate: percent(10),
        rate: Some(Rate { bits_per_second: 1_000_000, queue_bytes: 100_000 }),
        delay: Delay { base: 5 * MS, spread: Spread::LogNormal { median: 10 * MS, sigma_milli: 700 } },
        reorder: Some(Reorder { share: percent(10), hold_max: 50 * MS }),
        order: Order::Free,
        ..pipe()
    }
}

fn fly(network: &Network, seed: u64) -> Outcome {
    Given { seed, ..Given::new(network) }.fly(Fake::sender(400, 2 * MS, 200), Fake::echo())
}

fn up(network: &Network) -> Vec<Fate> {
    fates(&fly(network, 1).trace, Role::Client)
}

fn lost(fates: &[Fate]) -> Vec<bool> {
    fates.iter().map(|fate| fate.copies.is_empty()).collect()
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_one_does_not() {
    let network = network(rough());
    let (one, again, other) = (fly(&network, 1).trace, fly(&network, 1).trace, fly(&network, 2).trace);
    assert_eq!(first_difference(&one, &again), None);
    assert_eq!(one.hash(), again.hash());
    assert!(first_difference(&one, &other).is_some());
    assert_ne!(one.hash(), other.hash());
}

/// The whole path from seed to trace, on any machine. A change of draws, stages or order moves it.
#[test]
fn the_trace_of_a_rough_link_is_the_same_everywhere() {
    let trace = fly(&network(rough()), 1).trace;
    assert_eq!((trace.events.len(), trace.hash().to_string().as_str()), (2040, "0092b4fba57f0ba8"));
}

#[test]
fn bystanders_fly_and_move_nothing() {
    let alone = network(rough());
    let mut crowded = alone.clone();
    let bystander = |name: &str, traffic| BystanderSpec { name: name.to_owned(), pipe: rough(), traffic };
    crowded.bystanders = vec![
        bystander("idle", None),
        bystander("busy", Some((4 * MS, 200))),
        bystander("restless", Some((Duration::ZERO, 500))),
    ];
    let (alone, crowded) = (fly(&alone, 1), fly(&crowded, 1));
    assert_eq!(first_difference(&alone.trace, &crowded.trace), None);
    assert!(crowded.steps > alone.steps + 300);
    let counts: Vec<_> = crowded.bystanders.iter().map(|count| (count.name.as_str(), count.sent)).collect();
    assert_eq!(counts[0], ("idle", 0));
    assert!(counts[1].1 > 200 && counts[2] == ("restless", 0), "{counts:?}");
    let busy = &crowded.bystanders[1];
    assert!((busy.sent / 2..busy.sent).contains(&busy.delivered), "{busy:?}");
}

#[test]
fn the_other_direction_moves_nothing() {
    let mut network = network(rough());
    let before = up(&network);
    network.down = pipe();
    assert_eq!(up(&network), before);
}

#[test]
fn one_impairment_moves_no_draw_of_another() {
    let plain = PipeSpec { duplicate: percent(0), reorder: None, rate: None, ..rough() };
    let losses = lost(&up(&network(plain.clone())));
    assert!(losses.iter().any(|lost| *lost));
    for changed in [
        PipeSpec { duplicate: percent(50), ..plain.clone() },
        PipeSpec { reorder: Some(Reorder { share: percent(50), hold_max: MS }), ..plain.clone() },
        PipeSpec { delay: pipe().delay, order: Order::Fifo, ..plain.clone() },
        PipeSpec { rate: rough().rate, ..plain.clone() },
    ] {
        assert_eq!(lost(&up(&network(changed))), losses);
    }
    // Without loss, the delays of the originals stay the same whatever else is on.
    let originals = |spec: PipeSpec| {
        let fates = up(&network(PipeSpec { loss: Loss::None, ..spec }));
        fates.into_iter().map(|fate| fate.copies[0].due).collect::<Vec<_>>()
    };
    assert_eq!(originals(PipeSpec { duplicate: percent(50), ..plain.clone() }), originals(plain));
}

#[test]
fn a_scripted_fault_moves_only_its_datagram() {
    let network = network(PipeSpec { reorder: None, rate: None, ..rough() });
    let before = up(&network);
    let place = before.iter().position(|fate| fate.causes.is_empty()).expect("an untouched datagram");
    let select = Selector {
        from: Some(Role::Client),
        datagram: Some(u32::try_from(place + 1).expect("small")),
        ..Selector::default()
    };
    let faults = [Fault::Hit { select, action: Action::Drop, times: Some(1), optional: false }];
    let given = Given { faults: &faults, ..Given::new(&network) };
    let after = fates(&given.fly(Fake::sender(400, 2 * MS, 200), Fake::echo()).trace, Role::Client);
    let moved: Vec<_> = (0..400).filter(|index| before[*index] != after[*index]).collect();
    assert_eq!(moved, [place]);
}

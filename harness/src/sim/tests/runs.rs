//! What whole runs promise.

use super::*;

#[test]
fn a_ping_returns_after_exactly_twice_the_base() {
    let network = network(pipe());
    let trace = Given::new(&network).fly(Fake::sender(1, MS, 100), Fake::echo()).trace;
    let events: Vec<_> = trace.events.iter().map(|event| (event.at, event.what.clone())).collect();
    let copies = |at| vec![Copy { due: Some(ms(at)) }];
    let [first, arrived, echo, returned, end] = &events[..] else { panic!("{events:?}") };
    assert!(matches!(&first.1, What::Sent(sent) if first.0 == ms(0) && sent.fate.copies == copies(10)));
    assert_eq!(*arrived, (ms(10), What::Delivered { id: DatagramId(0), copy: 0 }));
    assert!(matches!(&echo.1, What::Sent(sent) if echo.0 == ms(10) && sent.fate.copies == copies(20)));
    assert_eq!(*returned, (ms(20), What::Delivered { id: DatagramId(1), copy: 0 }));
    assert_eq!(*end, (ms(20), What::End(End::Quiescent)));
}

#[test]
fn an_idle_hour_costs_no_more_steps_than_a_second() {
    let network = network(pipe());
    let steps = |pause: Duration| {
        let outcome = Given::new(&network).fly(Fake::sender(2, pause, 100), Fake::echo());
        assert_eq!(outcome.trace.events.last().map(|event| event.at), Some(SimTime::ZERO + pause + 20 * MS));
        outcome.steps
    };
    assert_eq!(steps(Duration::from_secs(3600)), 5);
    assert_eq!(steps(Duration::from_secs(1)), 5);
}

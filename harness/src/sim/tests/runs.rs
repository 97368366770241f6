//! What whole runs promise.

use super::*;
use crate::dissect::Message;
use crate::dissect::testing::{client_hello, handshake};

#[test]
fn a_ping_returns_after_exactly_twice_the_base() {
    let network = network(pipe());
    let trace = Given::new(&network).fly(Fake::sender(1, MS, 100), Fake::echo()).trace;
    let events: Vec<_> = trace.events.iter().map(|event| (event.at, event.what.clone())).collect();
    let copies = |at| vec![Copy { due: Some(ms(at)), forged: None }];
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

#[test]
fn a_run_ends_with_its_duration_and_not_before_what_is_due_then() {
    let network = network(pipe());
    let run = |duration| {
        let trace = run(Setup {
            network: &network,
            faults: &[],
            visits: &[VisitSpec::default()],
            duration,
            seed: 1,
            client: Box::new(Fake::sender(2, 5 * MS, 10)),
            server: Box::new(Fake::default()),
            hosts: &mut NoMore,
            budget: Budget::default(),
        });
        (arrivals(&trace).len(), trace.events.last().cloned())
    };
    let end = |at, end| Some(Event { at, visit: Visit::FIRST, what: What::End(end) });
    assert_eq!(run(10 * MS), (1, end(ms(10), End::Duration)));
    assert_eq!(run(15 * MS), (2, end(ms(15), End::Quiescent)));
}

#[test]
fn at_one_instant_deliveries_come_before_deadlines() {
    let network = network(pipe());
    // The server's datagram 1 is due at 10 ms, when datagram 0 of the client arrives.
    let trace = Given::new(&network).fly(Fake::sender(1, MS, 10), Fake::sender(2, 10 * MS, 10)).trace;
    let at_10: Vec<_> = trace.events.iter().filter(|event| event.at == ms(10)).map(|event| &event.what).collect();
    let delivered = |what: &What| matches!(what, What::Delivered { .. });
    assert!(
        matches!(at_10[..], [one, two, What::Timer(Role::Server), What::Sent(_)] if delivered(one) && delivered(two)),
        "{at_10:?}"
    );
}

#[test]
fn the_workload_is_echoed_and_then_closed() {
    let network = network(pipe());
    let workload = Workload { messages: 2, size: 20, interval: 3 * MS, close: Some(Role::Client), ..idle() };
    let given = Given { visits: once(workload), ..Given::new(&network) };
    let trace = given.fly(Fake::established(), Fake::established()).trace;
    let actions: Vec<_> = trace
        .events
        .iter()
        .filter(|event| matches!(event.what, What::AppSend(..) | What::AppClose(_)))
        .map(|event| (event.at, event.what.clone()))
        .collect();
    let send = |at, role, index| (ms(at), What::AppSend(role, message(index, 20)));
    let expected = [
        send(0, Role::Client, 0),
        send(3, Role::Client, 1),
        send(10, Role::Server, 0),
        send(13, Role::Server, 1),
        (ms(23), What::AppClose(Role::Client)),
    ];
    assert_eq!(actions, expected);
}

#[test]
fn missing_echoes_delay_the_close_by_a_second() {
    let network = network(pipe());
    let workload = Workload { messages: 1, size: 20, interval: MS, close: Some(Role::Server), ..idle() };
    let hole = Fault::Blackhole { from: Some(Role::Server), start: SimTime::ZERO, end: SimTime::MAX, optional: false };
    let given = Given { visits: once(workload), faults: &[hole], ..Given::new(&network) };
    let trace = given.fly(Fake::established(), Fake::established()).trace;
    let closed = trace.events.iter().find(|event| event.what == What::AppClose(Role::Server)).map(|event| event.at);
    assert_eq!(closed, Some(ms(1000)));
    let (_, echo) = trace.sent().last().expect("the echo");
    assert_eq!(echo.fate.causes, [Cause::Blackhole { fault: 0 }]);
}

#[test]
fn scripted_faults_act_on_the_datagrams_they_mean() {
    let network = network(pipe());
    let nth = |datagram, action| {
        let select = Selector { from: Some(Role::Client), datagram: Some(datagram), ..Selector::default() };
        Fault::Hit { select, action, times: None, optional: false }
    };
    let faults = [
        nth(1, Action::Drop),
        nth(2, Action::Duplicate { copies: 1, after: 2 * MS }),
        nth(3, Action::Delay(20 * MS)),
        nth(4, Action::Hold { behind: 1, hold_max: 500 * MS }),
        nth(6, Action::Hold { behind: 1, hold_max: 100 * MS }),
    ];
    let given = Given { faults: &faults, ..Given::new(&network) };
    let trace = given.fly(Fake::sender(6, MS, 10), Fake::default()).trace;
    let expected = [(1, ms(11)), (1, ms(13)), (4, ms(14)), (3, ms(14)), (2, ms(32)), (5, ms(115))];
    assert_eq!(arrivals(&trace), expected);
    let released: Vec<_> =
        trace.events.iter().filter(|event| matches!(event.what, What::Released { .. })).cloned().collect();
    let release =
        |at, id, due| Event { at, visit: Visit::FIRST, what: What::Released { id: DatagramId(id), copy: 0, due } };
    assert_eq!(released, [release(ms(4), 3, ms(14)), release(ms(105), 5, ms(115))]);
    let actions: Vec<_> = fates(&trace, Role::Client).into_iter().map(|fate| fate.causes).collect();
    let cause = |fault, action| vec![Cause::Fault { fault, action }];
    let expected = [
        cause(0, FaultAction::Drop),
        cause(1, FaultAction::Duplicate),
        cause(2, FaultAction::Delay),
        cause(3, FaultAction::Hold),
        vec![],
        cause(4, FaultAction::Hold),
    ];
    assert_eq!(actions, expected);
}

#[test]
fn faults_find_messages_and_their_attempts_inside_datagrams() {
    let network = network(pipe());
    let select = Selector { message: Some(Message::ClientHello), attempt: Some((2, 2)), ..Selector::default() };
    let faults = [Fault::Hit { select, action: Action::Drop, times: None, optional: false }];
    let hello = |n: u32| (SimTime::ZERO + MS * n, handshake(u64::from(n), &client_hello(0, b"").whole()));
    let client = Fake { sends: (0..3).map(hello).collect(), ..Fake::default() };
    let trace = Given { faults: &faults, ..Given::new(&network) }.fly(client, Fake::default()).trace;
    assert_eq!(arrivals(&trace), [(0, ms(10)), (2, ms(12))]);
}

#[test]
fn half_duplex_ends_share_the_time_on_the_air() {
    // 100 bytes with headers take 1 ms.
    let rate = Some(Rate { bits_per_second: 800_000, queue_bytes: 10_000 });
    let mut network = network(PipeSpec { rate, ..pipe() });
    let due = |network: &Network| {
        let trace = Given::new(network).fly(Fake::sender(1, MS, 72), Fake::sender(1, MS, 72)).trace;
        trace.sent().filter_map(|(_, sent)| sent.fate.copies[0].due).collect::<Vec<_>>()
    };
    assert_eq!(due(&network), [ms(11), ms(11)]);
    network.half_duplex = true;
    assert_eq!(due(&network), [ms(11), ms(12)]);
}

#[test]
fn fifo_keeps_the_order_over_a_jittery_link_and_free_does_not() {
    let delay = Delay { base: MS, spread: Spread::LogNormal { median: 20 * MS, sigma_milli: 800 } };
    let order = |order| {
        let network = network(PipeSpec { delay, order, ..pipe() });
        let trace = Given::new(&network).fly(Fake::sender(500, MS, 10), Fake::default()).trace;
        arrivals(&trace).into_iter().map(|(index, _)| index).collect::<Vec<_>>()
    };
    assert!(order(Order::Fifo).is_sorted());
    let free = order(Order::Free);
    assert!(!free.is_sorted() && free.len() == 500);
}

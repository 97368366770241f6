//! Selectors against datagrams written by hand, and the order of faults.

use std::time::Duration;

use super::*;
use crate::dissect::Fragment;

const NOW: SimTime = SimTime::from_nanos(1000);

fn fragment(message: Message, nth: u32, attempt: u32) -> Fragment {
    Fragment {
        message: Some(message),
        code: 0,
        message_seq: 0,
        length: 100,
        offset: (nth - 1) * 10,
        len: 10,
        flight: Some(4),
        nth,
        attempt,
        changed: false,
    }
}

fn record(epoch: u16, content_type: u8, body: Body) -> Record {
    Record { content_type, version: 0xfefd, epoch, seq: 0, length: 10, connection_id: None, body }
}

fn datagram(records: Vec<Record>) -> Dissected {
    Dissected {
        records,
        malformed: None,
        flight: Some(4),
        attempt: 3,
        nth_in_attempt: 2,
        nth_in_direction: 9,
        association: 1,
    }
}

/// The second fragment of a Certificate in its third transmission, and a first ServerHelloDone.
fn certificate() -> Dissected {
    let fragments = vec![fragment(Message::Certificate, 2, 3), fragment(Message::ServerHelloDone, 1, 1)];
    datagram(vec![record(0, 22, Body::Handshake(fragments))])
}

/// The end of flight 5 as long as no keys are known.
fn sealed_finished(attempt: u32) -> Dissected {
    let ccs = record(0, 20, Body::ChangeCipherSpec { attempt });
    datagram(vec![ccs, record(1, 22, Body::Sealed { attempt })])
}

fn matches(select: Selector, read: &Dissected) -> bool {
    selects(&select, Visit::FIRST, NOW, Role::Server, read)
}

fn message(message: Message) -> Selector {
    Selector { message: Some(message), ..Selector::default() }
}

#[test]
fn an_empty_selector_means_everything() {
    assert!(matches(Selector::default(), &certificate()));
    assert!(matches(Selector::default(), &datagram(vec![])));
}

#[test]
fn direction_flight_and_time_must_all_hold() {
    let read = certificate();
    let yes = Selector { from: Some(Role::Server), flight: Some(4), ..Selector::default() };
    assert!(matches(yes.clone(), &read));
    assert!(!matches(Selector { from: Some(Role::Client), ..yes.clone() }, &read));
    assert!(!matches(Selector { flight: Some(5), ..yes.clone() }, &read));
    let later = SimTime::from_nanos(1001);
    assert!(matches(Selector { after: Some(NOW), before: Some(later), ..yes.clone() }, &read));
    assert!(!matches(Selector { after: Some(later), ..yes.clone() }, &read));
    assert!(!matches(Selector { before: Some(NOW), ..yes }, &read));
}

#[test]
fn fragment_and_attempt_belong_to_the_message_named() {
    let read = certificate();
    assert!(matches(message(Message::Certificate), &read));
    assert!(!matches(message(Message::ServerHello), &read));
    let fragment = |nth| Selector { fragment: Some(nth), ..message(Message::Certificate) };
    assert!(matches(fragment(2), &read));
    assert!(!matches(fragment(1), &read), "the first fragment here is of another message");
    let attempt = |which, first, last| Selector { attempt: Some((first, last)), ..message(which) };
    assert!(matches(attempt(Message::Certificate, 2, 4), &read));
    assert!(!matches(attempt(Message::Certificate, 1, 1), &read), "the first attempt here is of another message");
    assert!(matches(attempt(Message::ServerHelloDone, 1, 1), &read));
    let both = Selector { fragment: Some(2), ..attempt(Message::Certificate, 1, 2) };
    assert!(!matches(both, &read), "both parts mean one fragment");
}

#[test]
fn a_fragment_without_a_message_means_nothing() {
    assert!(!matches(Selector { fragment: Some(1), ..Selector::default() }, &certificate()));
}

#[test]
fn without_a_message_the_attempt_is_that_of_the_datagram() {
    let attempt = |first, last| Selector { attempt: Some((first, last)), ..Selector::default() };
    assert!(matches(attempt(3, 3), &certificate()));
    assert!(!matches(attempt(1, 2), &certificate()));
}

#[test]
fn datagrams_count_within_the_flight_if_one_is_given() {
    let nth = |flight, datagram| Selector { flight, datagram: Some(datagram), ..Selector::default() };
    assert!(matches(nth(None, 9), &certificate()));
    assert!(matches(nth(Some(4), 2), &certificate()));
    assert!(!matches(nth(None, 2), &certificate()));
    assert!(!matches(nth(Some(4), 9), &certificate()));
}

#[test]
fn a_sealed_handshake_record_is_taken_for_the_finished() {
    let attempt = |message_, n| Selector { attempt: Some((n, n)), ..message(message_) };
    for which in [Message::Finished, Message::ChangeCipherSpec] {
        assert!(matches(attempt(which, 2), &sealed_finished(2)));
        assert!(!matches(attempt(which, 1), &sealed_finished(2)));
        assert!(matches(Selector { fragment: Some(1), ..message(which) }, &sealed_finished(1)));
        assert!(!matches(Selector { fragment: Some(2), ..message(which) }, &sealed_finished(1)));
    }
    let sealed = |epoch, content_type| datagram(vec![record(epoch, content_type, Body::Sealed { attempt: 0 })]);
    assert!(!matches(message(Message::Finished), &sealed(1, 23)));
    assert!(!matches(message(Message::Finished), &sealed(0, 22)));
    assert!(matches(
        message(Message::Finished),
        &datagram(vec![record(1, 22, Body::Handshake(vec![fragment(Message::Finished, 1, 1)]))])
    ));
}

#[test]
fn epoch_and_message_mean_one_record() {
    let epoch = |epoch| Selector { epoch: Some(epoch), ..Selector::default() };
    assert!(matches(epoch(1), &sealed_finished(1)));
    assert!(!matches(epoch(2), &sealed_finished(1)));
    assert!(!matches(epoch(1), &certificate()));
    let finished = Selector { epoch: Some(0), ..message(Message::Finished) };
    assert!(!matches(finished, &sealed_finished(1)), "epoch 0 has the ChangeCipherSpec only");
}

fn hit(select: Selector, action: Action, times: Option<u32>) -> Fault {
    Fault::Hit { select, action, times, optional: false }
}

#[test]
fn the_first_fault_that_matches_acts_while_its_times_last() {
    let delay = Action::Delay(Duration::from_millis(1));
    let list = [
        hit(message(Message::Finished), Action::Drop, None),
        hit(message(Message::Certificate), delay, Some(2)),
        hit(Selector::default(), Action::Drop, Some(1)),
    ];
    let mut faults = Faults::new(&list);
    assert!(faults.need_reading());
    let struck: Vec<_> = (0..4).map(|_| faults.strike(Visit::FIRST, NOW, Role::Server, Some(&certificate()))).collect();
    let second = Some(Strike { fault: 1, action: Some(delay) });
    assert_eq!(struck, [second, second, Some(Strike { fault: 2, action: Some(Action::Drop) }), None]);
}

#[test]
fn a_black_hole_swallows_its_span_of_its_direction() {
    let (start, end) = (SimTime::from_nanos(10), SimTime::from_nanos(20));
    let list = [Fault::Blackhole { from: Some(Role::Client), start, end, optional: false }];
    let mut faults = Faults::new(&list);
    assert!(!faults.need_reading());
    let mut strike =
        |nanos, from| faults.strike(Visit::FIRST, SimTime::from_nanos(nanos), from, None).map(Strike::cause);
    let hole = Some(Cause::Blackhole { fault: 0 });
    assert_eq!(
        [strike(9, Role::Client), strike(10, Role::Client), strike(19, Role::Client)],
        [None, hole.clone(), hole]
    );
    assert_eq!([strike(20, Role::Client), strike(15, Role::Server)], [None, None]);
}

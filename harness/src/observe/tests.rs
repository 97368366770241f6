use super::testing::*;
use super::*;
use crate::dissect::testing::{Msg, handshake, server_hello};
use crate::trace::FaultAction;

const CLIENT: Role = Role::Client;
const SERVER: Role = Role::Server;

fn spurious(seen: &Observation) -> Vec<(u8, u32)> {
    let all = seen.flights.iter().flat_map(|flight| flight.transmissions.iter().map(move |t| (flight.number, t)));
    all.filter(|(_, transmission)| transmission.spurious).map(|(flight, t)| (flight, t.attempt)).collect()
}

fn times(seen: &Observation, flight: u8) -> Vec<SimTime> {
    seen.transmissions(flight).map(|transmission| transmission.at).collect()
}

#[test]
fn a_full_handshake_is_seen_whole() {
    let seen = observe(&full().trace());
    assert_eq!(seen.flights.iter().map(|flight| flight.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert!(seen.flights.iter().all(|flight| flight.transmissions.len() == 1));
    assert_eq!(seen.transmissions(4).next().unwrap().datagrams, [3, 4]);
    use Message::*;
    assert_eq!(
        seen.messages,
        [
            ClientHello,
            HelloVerifyRequest,
            ServerHello,
            Certificate,
            ServerHelloDone,
            ClientKeyExchange,
            ChangeCipherSpec,
            Finished
        ]
    );
    assert_eq!(seen.outcome(SERVER).established, Some(ms(125)));
    assert_eq!(seen.outcome(CLIENT).established, Some(ms(150)));
    assert_eq!((seen.started(), seen.echoes.as_slice(), seen.end), (Some(ms(0)), &[ms(200)][..], ms(200)));
    assert!(seen.datagrams.iter().all(|datagram| datagram.delivered == [datagram.at + DELAY] && !datagram.dropped));
    assert!(!seen.is_abbreviated());
    assert!(observe(&abbreviated().trace()).is_abbreviated());
}

#[test]
fn keys_logged_late_open_earlier_records() {
    let mut trace = full().trace();
    let place =
        trace.events.iter().position(|event| matches!(&event.what, What::Endpoint(_, EndpointEvent::KeyLog(_))));
    let line = trace.events.remove(place.unwrap());
    trace.events.insert(trace.events.len() - 1, line);
    let data =
        observe(&trace).dissected.into_iter().flat_map(|read| read.records).find_map(|record| match record.body {
            Body::ApplicationData(data) => Some(data),
            _ => None,
        });
    assert_eq!(data.as_deref(), Some(&b"windtunnel 0000"[..]));
}

#[test]
fn transmissions_are_told_apart_and_timed() {
    let mut story = hellos();
    story.at(1075);
    flight4(5).iter().for_each(|datagram| _ = story.send(SERVER, datagram));
    story.at(3075);
    flight4(9).iter().for_each(|datagram| _ = story.send(SERVER, datagram));
    let seen = observe(&story.trace());
    assert_eq!(times(&seen, 4), [ms(75), ms(1075), ms(3075)]);
    let parts: Vec<u64> = seen.transmissions(4).flat_map(|t| t.parts.iter().map(|(_, fragments)| fragments)).collect();
    assert_eq!(parts, [1, 2, 1, 1, 2, 1, 1, 2, 1]);
}

#[test]
fn a_retransmission_after_a_loss_is_needed() {
    let mut lost = Story::default();
    lost.at(0).lose(CLIENT, &flight1(0));
    lost.at(1000).send(CLIENT, &flight1(1));
    assert_eq!(spurious(&observe(&lost.trace())), []);

    let mut answer_lost = Story::default();
    answer_lost.at(0).send(CLIENT, &flight1(0));
    answer_lost.at(25).lose(SERVER, &flight2(0));
    answer_lost.at(1000).send(CLIENT, &flight1(1));
    assert_eq!(spurious(&observe(&answer_lost.trace())), []);

    // Half of flight 4 is lost, then the other half of its repetition.
    let mut halves = cookie_exchange();
    let [head, tail] = flight4(1);
    halves.at(75).send(SERVER, &head).lose(SERVER, &tail);
    let [head, tail] = flight4(5);
    halves.at(1075).lose(SERVER, &head).send(SERVER, &tail);
    assert_eq!(spurious(&observe(&halves.trace())), []);
}

#[test]
fn a_retransmission_is_spurious_once_everything_is_on_its_way() {
    // Nothing lost, only slow.
    let mut slow = Story::default();
    slow.at(0).send_with(CLIENT, &flight1(0), &[], &[std::time::Duration::from_secs(5)]);
    slow.at(1000).send(CLIENT, &flight1(1));
    assert_eq!(spurious(&observe(&slow.trace())), [(1, 2)]);

    // The first loss is made good by the second transmission; the third finds nothing lost.
    let mut halves = cookie_exchange();
    let [head, tail] = flight4(1);
    halves.at(75).send(SERVER, &head).lose(SERVER, &tail);
    let [head, tail] = flight4(5);
    halves.at(1075).lose(SERVER, &head).send(SERVER, &tail);
    let [head, tail] = flight4(9);
    halves.at(3075).send(SERVER, &head).send(SERVER, &tail);
    assert_eq!(spurious(&observe(&halves.trace())), [(4, 3)]);

    // A later loss does not excuse an earlier retransmission.
    let mut story = cookie_exchange();
    story.at(60).send(CLIENT, &flight3(2));
    flight4(1).iter().for_each(|datagram| _ = story.at(75).lose(SERVER, datagram));
    story.at(1050).send(CLIENT, &flight3(3));
    assert_eq!(spurious(&observe(&story.trace())), [(3, 2)]);
}

#[test]
fn a_flight_cut_anew_is_the_same_flight() {
    let mut story = cookie_exchange();
    flight4(1).iter().for_each(|datagram| _ = story.at(75).send(SERVER, datagram));
    let certificate = certificate();
    story.at(1075).send(SERVER, &handshake(5, &server_hello(1).whole()));
    for (record, from, to) in [(6, 0, 100), (7, 100, 200), (8, 200, 300)] {
        story.send(SERVER, &handshake(record, &certificate.cut(from, to)));
    }
    story.send(SERVER, &handshake(9, &Msg::new(14, 3, b"").whole()));
    let seen = observe(&story.trace());
    let [first, second] = seen.transmissions(4).collect::<Vec<_>>()[..] else { panic!("two transmissions") };
    assert_eq!((first.datagrams.len(), second.datagrams.len()), (2, 5));
    assert_eq!(second.parts.first_incomplete([&first.parts]), None);
}

#[test]
fn parts_say_what_is_missing() {
    let mut story = cookie_exchange();
    flight4(1).iter().for_each(|datagram| _ = story.at(75).send(SERVER, datagram));
    story.at(1075).send(SERVER, &flight4(5)[0]);
    let seen = observe(&story.trace());
    let [first, second] = seen.transmissions(4).collect::<Vec<_>>()[..] else { panic!("two transmissions") };
    let missing = PartKey::Message { message_seq: 2, code: 11, length: 300 };
    assert_eq!(second.parts.first_incomplete([&first.parts]), Some(missing));
    assert!(second.parts.has(missing), "half of it is there");
}

#[test]
fn only_what_is_overtaken_is_reordered() {
    let after = |millis| std::time::Duration::from_millis(millis);
    let mut story = Story::default();
    story.at(0).send_with(CLIENT, &flight1(0), &[Cause::Reorder], &[after(80)]);
    story.at(10).send_with(CLIENT, &flight1(1), &[Cause::Duplicate], &[after(20), after(90)]);
    story.at(20).send_with(CLIENT, &flight1(2), &[Cause::Reorder], &[after(75)]);
    // The other direction has an order of its own.
    story.at(30).send(SERVER, &flight2(0));
    let seen = observe(&story.trace());
    let overtaken: Vec<bool> = seen.datagrams.iter().map(|datagram| datagram.overtaken).collect();
    assert_eq!(overtaken, [true, false, false, false]);
    assert_eq!(seen.impairments, ImpairmentCounts { reordered: 1, duplicate: 1, ..ImpairmentCounts::default() });
}

#[test]
fn causes_are_counted_by_kind() {
    let mut story = Story::default();
    let strike = |action| Cause::Fault { fault: 1, action };
    for cause in [
        Cause::Loss,
        Cause::LossBurst,
        Cause::QueueFull { queued: 9, limit: 8 },
        Cause::Mtu { size: 9, limit: 8 },
        strike(FaultAction::Drop),
        Cause::Blackhole { fault: 0 },
    ] {
        story.send_with(CLIENT, &flight1(0), &[cause], &[]);
    }
    story.send_with(CLIENT, &flight1(0), &[strike(FaultAction::Delay)], &[DELAY]);
    let seen = observe(&story.trace());
    let expected = ImpairmentCounts { loss: 2, queue_full: 1, mtu: 1, ..ImpairmentCounts::default() };
    assert_eq!(seen.impairments, expected);
    assert_eq!(seen.struck, [(0, 1), (1, 2)].into());
}

#[test]
fn an_echo_counts_once() {
    let mut story = full();
    story.report(CLIENT, EndpointEvent::Data(b"windtunnel 0000".to_vec()));
    story.report(CLIENT, EndpointEvent::Data(b"something else".to_vec()));
    assert_eq!(observe(&story.trace()).echoes, [ms(200)]);
}

#[test]
fn the_first_report_of_a_kind_counts() {
    let mut story = Story::default();
    story.at(1).established(SERVER).report(SERVER, EndpointEvent::Failed("first".into()));
    story.at(2).established(SERVER).report(SERVER, EndpointEvent::Failed("second".into()));
    story.at(3).report(CLIENT, EndpointEvent::PeerClosed).report(CLIENT, EndpointEvent::Discarded("late".into()));
    let seen = observe(&story.trace());
    assert_eq!(seen.outcome(SERVER).established, Some(ms(1)));
    assert_eq!(seen.outcome(SERVER).failed, Some((ms(1), "first".into())));
    assert_eq!(seen.outcome(CLIENT).peer_closed, Some(ms(3)));
    assert_eq!(seen.discards, [(ms(3), CLIENT, "late".into())]);
}

use super::*;

/// For each invariant, traces that trip it, with its role and a part of what is said.
fn trips(invariant: Invariant) -> Vec<(Scenario, Trace, Option<Role>, &'static str)> {
    let plain = |story: &Story, role: Role, says| (scenario_of(story), story.trace(), Some(role), says);
    let full13_and = |from: Role, bytes: &[u8]| full13().at(300).send(from, bytes).clone();
    let full_and = |from: Role, bytes: &[u8]| full().at(300).send(from, bytes).clone();
    match invariant {
        Invariant::StackBroken => {
            let mut trace = hellos().trace();
            let end = End::Broken { role: SERVER, what: "panicked: index out of bounds".into() };
            trace.events.last_mut().unwrap().what = What::End(end);
            vec![(scenario(), trace, Some(SERVER), "index out of bounds")]
        }
        Invariant::TraceEnds => {
            let mut trace = full().trace();
            trace.events.pop();
            vec![(scenario(), trace, None, "breaks off"), (scenario(), Trace::default(), None, "breaks off")]
        }
        Invariant::FaultStruck => {
            let hit =
                |optional| Fault::Hit { select: Selector::default(), action: Action::Drop, times: None, optional };
            let hole = Fault::Blackhole { from: None, start: ms(500), end: ms(600), optional: false };
            let faults = vec![hit(true), hole, hit(false)];
            let strike = Cause::Fault { fault: 2, action: FaultAction::Delay };
            let story = full().at(300).send_with(CLIENT, &data(CLIENT, 2, b"x"), &[strike], &[DELAY]).clone();
            vec![
                (Scenario { faults: faults.clone(), ..scenario() }, story.trace(), None, "fault #2 never struck"),
                (Scenario { faults: faults[2..].to_vec(), ..scenario() }, story.trace(), None, "fault #1 never struck"),
            ]
        }
        Invariant::DataIntegrity => {
            let twice = full().at(300).report(SERVER, EndpointEvent::Data(b"windtunnel 0000".to_vec())).clone();
            let other = full().at(300).report(CLIENT, EndpointEvent::Data(b"windtunnel 9999".to_vec())).clone();
            let mut early = Story::default();
            early.report(CLIENT, EndpointEvent::Data(b"x".to_vec())).note(What::AppSend(SERVER, b"x".to_vec()));
            let mut forged = full13();
            forged.report(SERVER, EndpointEvent::EarlyData(b"x".to_vec()));
            vec![
                plain(&forged, SERVER, "early data at 0.200000000 that the peer never sent"),
                plain(&twice, SERVER, "more than once"),
                plain(&other, CLIENT, "never sent"),
                plain(&early, CLIENT, "never sent"),
            ]
        }
        Invariant::WellFormed => {
            let mut version = flight1(0);
            version[2] = 0xfc;
            let long = handshake(0, &Msg::new(11, 0, &[0; 20_000]).cut(0, 16_380));
            let roomy = Scenario { client: EndpointSpec { mtu: u16::MAX, ..scenario().client }, ..scenario() };
            vec![
                plain(&full_and(CLIENT, &[22; 5]), CLIENT, "datagram #9 of the client at 0.300000000: no whole record"),
                plain(&full_and(SERVER, &[]), SERVER, "empty datagram"),
                plain(&full_and(SERVER, &record(99, 0, 99, b"x")), SERVER, "record 0/99: content type 99"),
                plain(&full_and(CLIENT, &record(23, 0, 99, b"x")), CLIENT, "without protection"),
                plain(&full_and(CLIENT, &record(23, 1, 99, &[0; 40])), CLIENT, "does not open"),
                plain(Story::default().send(CLIENT, &version), CLIENT, "version 0xfefc"),
                (roomy, Story::default().send(CLIENT, &long).trace(), Some(CLIENT), "16392 bytes, more than 16384"),
            ]
        }
        Invariant::RecordNumber => {
            let finished13 = Msg::new(20, 2, &[0; 32]).whole();
            let mut again = Story::default();
            again.at(0).send(CLIENT, &flight1(0)).at(1000).send(CLIENT, &flight1(0));
            let mut backwards = hellos();
            backwards.at(1075);
            flight4(3).iter().for_each(|datagram| _ = backwards.send(SERVER, datagram));
            vec![
                plain(&again, CLIENT, "datagram #1 of the client at 1.000000000: record 0/0 after 0"),
                plain(&backwards, SERVER, "record 0/3 after 4"),
                plain(&full_and(CLIENT, &data(CLIENT, 1, b"nonce used again")), CLIENT, "record 1/1 after 1"),
                plain(&full_and(SERVER, &data(SERVER, 0, b"x")), SERVER, "record 1/0 after 1"),
                plain(&full13_and(SERVER, &sealed13(3, 1, 23, b"again")), SERVER, "record 3/1 after 1"),
                plain(&full13_and(CLIENT, &sealed13(2, 0, 22, &finished13)), CLIENT, "record 2/0 after 0"),
            ]
        }
        Invariant::MessageSeq => {
            let mut first = Story::default();
            first.send(CLIENT, &handshake(0, &Msg { seq: 1, ..client_hello(0, b"") }.whole()));
            let mut gap = cookie_exchange();
            gap.at(75).send(SERVER, &handshake(1, &server_hello(2).whole()));
            let mut counted_on = cookie_exchange();
            counted_on.at(75).send(SERVER, &handshake(1, &server_hello(1).whole()));
            counted_on.at(1075).send(SERVER, &handshake(2, &server_hello(2).whole()));
            let mut longer = hellos();
            longer.at(1075).send(SERVER, &handshake(5, &Msg::new(11, 2, &[0xce; 301]).cut(0, 150)));
            let ticket = |seq| sealed13(3, 9, 22, &Msg::new(4, seq, &[1; 30]).whole());
            let update = |seq| sealed13(3, 8, 22, &Msg::new(24, seq, &[0]).whole());
            let mut gap13 = hellos13();
            gap13.send(SERVER, &flight4_of_13(2, 1, 0)[0]);
            let mut twice = full13_and(CLIENT, &update(3));
            twice.at(350).send(CLIENT, &sealed13(3, 9, 22, &Msg::new(9, 3, &[1]).whole()));
            vec![
                plain(&gap13, SERVER, "server_hello has message_seq 2 instead of 1"),
                plain(&full13_and(SERVER, &ticket(6)), SERVER, "new_session_ticket has message_seq 6 instead of 5"),
                plain(&full13_and(CLIENT, &update(0)), CLIENT, "key_update has message_seq 0 instead of 3"),
                plain(&twice, CLIENT, "request_connection_id has message_seq 3, as another message had"),
                plain(&first, CLIENT, "client_hello has message_seq 1 instead of 0"),
                plain(&gap, SERVER, "server_hello has message_seq 2 instead of 1"),
                plain(&counted_on, SERVER, "server_hello comes again with message_seq 2 instead of 1"),
                plain(&longer, SERVER, "certificate is 301 bytes instead of 300"),
            ]
        }
        Invariant::SameBytes => {
            let mut changed = hellos();
            let mut certificate = certificate();
            certificate.body[299] = 0;
            changed.at(1075).send(SERVER, &handshake(5, &certificate.cut(100, 300)));
            let mut anew = Story::default();
            anew.at(0).send(CLIENT, &flight1(0));
            anew.at(1000).send(CLIENT, &handshake(1, &client_hello_with([9; 32], 0, b"").whole()));
            let mut other = full13();
            other.at(1100).send(CLIENT, &sealed13(2, 1, 22, &Msg::new(20, 2, &[1; 32]).whole()));
            vec![
                plain(&other, CLIENT, "finished comes again with other bytes in 0..32"),
                plain(&changed, SERVER, "certificate comes again with other bytes in 100..300"),
                plain(&anew, CLIENT, "another random"),
            ]
        }
        Invariant::Ack => {
            let mut lost = hellos13();
            lost.lose(SERVER, &flight4_of_13(1, 1, 0)[0]);
            lost.at(110).send(CLIENT, &ack13(2, 0, &[(0, 1)]));
            vec![
                plain(&full13_and(SERVER, &ack13(3, 9, &[(2, 7)])), SERVER, "acknowledges 2/7, no handshake record"),
                plain(&full13_and(SERVER, &ack13(3, 9, &[(2, 0), (3, 0)])), SERVER, "acknowledges 3/0"),
                plain(&lost, CLIENT, "acknowledges 0/1"),
            ]
        }
        Invariant::Mtu => {
            let small = Scenario { server: EndpointSpec { mtu: 237, ..scenario().server }, ..scenario() };
            vec![(small, full().trace(), Some(SERVER), "238 bytes, more than 237")]
        }
    }
}

#[test]
fn every_invariant_has_a_counter_example() {
    for invariant in Invariant::ALL {
        let trips = trips(invariant);
        assert!(!trips.is_empty(), "{invariant:?}");
        for (scenario, trace, role, says) in trips {
            let failures = judged(&scenario, &trace);
            let found = failures.iter().find(|failure| failure.id == invariant.id());
            let found = found.unwrap_or_else(|| panic!("{invariant:?} misses {says:?}, found {failures:?}"));
            assert!(found.detail.contains(says), "{says:?} is not in {:?}", found.detail);
            assert_eq!((found.role, found.line), (role, None), "{}", found.detail);
            assert_eq!(found.clause, invariant.clause(scenario.dtls));
        }
    }
}

#[test]
fn names_of_invariants_are_unique() {
    let names: BTreeSet<_> = Invariant::ALL.iter().map(|invariant| invariant.id()).collect();
    assert_eq!(names.len(), Invariant::ALL.len());
}

#[test]
fn a_broken_stack_is_judged_no_further() {
    let (scenario, trace, ..) = trips(Invariant::StackBroken).remove(0);
    let kind = Demand::Flights(Vec::new());
    let scenario = Scenario { expect: vec![Expectation { line: 1, visit: Visit::FIRST, kind }], ..scenario };
    assert_eq!(judged(&scenario, &trace).len(), 1);
}

#[test]
fn hello_verify_requests_may_share_a_record_number() {
    let mut story = Story::default();
    story.at(0).send_with(CLIENT, &flight1(0), &[Cause::Duplicate], &[DELAY, DELAY]);
    story.at(25).send(SERVER, &flight2(0)).send(SERVER, &flight2(0));
    story.at(50).send(CLIENT, &flight3(1));
    // The first ServerHello takes the number of its ClientHello as well.
    story.at(75).send(SERVER, &flight4(0)[0]);
    assert_eq!(judged(&scenario(), &story.trace()), []);
}

#[test]
fn a_new_cookie_is_answered_with_a_new_client_hello() {
    let mut story = cookie_exchange();
    story.at(75).send(SERVER, &handshake(1, &Msg::new(3, 0, b"\xfe\xff\x04efgh").whole()));
    story.at(100).send(CLIENT, &handshake(2, &client_hello(2, b"efgh").whole()));
    story.at(110).send(CLIENT, &handshake(3, &client_hello(1, b"abcd").whole()));
    assert_eq!(judged(&scenario(), &story.trace()), []);
}

#[test]
fn many_offences_of_one_kind_are_one_failure() {
    let mut story = Story::default();
    (0..5).for_each(|_| _ = story.send(CLIENT, &[]));
    let [failure] = &judged(&scenario(), &story.trace())[..] else { panic!("one failure") };
    assert_eq!(failure.detail, "datagram #0 of the client at 0.000000000: empty datagram; and 4 more");
}

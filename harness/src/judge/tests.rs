//! For every invariant and every kind of demand: a trace that keeps it, and traces that trip it.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::dissect::Message;
use crate::dissect::testing::*;
use crate::dissect::testing13::*;
use crate::endpoint::{Dtls, EndpointEvent, Negotiated};
use crate::observe::observe;
use crate::observe::testing::*;
use crate::scenario::*;
use crate::trace::{Cause, FaultAction, What};

mod demands;
mod invariants;

const CLIENT: Role = Role::Client;
const SERVER: Role = Role::Server;

fn scenario() -> Scenario {
    let end = EndpointSpec { mtu: 1200, ..EndpointSpec::default() };
    let pipe = Pipe {
        ip_mtu: 1500,
        tells_too_big: false,
        loss: Loss::None,
        duplicate: Ratio::default(),
        rate: None,
        delay: Delay { base: DELAY, spread: Spread::None },
        reorder: None,
        order: Order::Fifo,
    };
    Scenario {
        name: "topic/behaviour".into(),
        path: "topic/behaviour.yaml".into(),
        digest: [0; 32],
        goal: String::new(),
        clauses: vec!["RFC 6347 §4.2.4".into(), "RFC 6347 §4.2.1".into()],
        seeds: (1, 1),
        golden: false,
        dtls: Dtls::V12,
        credentials: CredentialsSpec::Psk { ecdhe: false },
        client: end.clone(),
        server: EndpointSpec { cookie: true, ..end },
        network: Network {
            profile: String::new(),
            up: pipe.clone(),
            down: pipe,
            half_duplex: false,
            nat: None,
            bystanders: Vec::new(),
        },
        faults: Vec::new(),
        visits: vec![VisitSpec {
            workload: Workload { messages: 1, size: 15, ..Workload::default() },
            ..VisitSpec::default()
        }],
        duration: Duration::from_secs(60),
        expect: Vec::new(),
    }
}

/// The same, of the version that the story's keys are of.
fn scenario_of(story: &Story) -> Scenario {
    let is_13 = story.trace().events.iter().any(|event| {
        matches!(&event.what, What::Endpoint(_, EndpointEvent::KeyLog(line)) if line.contains("TRAFFIC_SECRET"))
    });
    Scenario { dtls: if is_13 { Dtls::V13 } else { Dtls::V12 }, ..scenario() }
}

fn judged(scenario: &Scenario, trace: &Trace) -> Vec<Failure> {
    judge(scenario, &observe(trace), trace)
}

const fn exactly(count: u64) -> CountCheck {
    CountCheck { min: count, max: count }
}

const fn at_least(count: u64) -> CountCheck {
    CountCheck { min: count, max: u64::MAX }
}

#[test]
fn a_good_run_has_no_failures() {
    for story in [full(), without_cookie(), abbreviated(), full13()] {
        assert_eq!(judged(&scenario_of(&story), &story.trace()), []);
    }
}

#[test]
fn a_failed_demand_tells_line_and_clauses() {
    let kind = Demand::Flights(vec![1, 2]);
    let scenario = Scenario { expect: vec![Expectation { line: 17, visit: Visit::FIRST, kind }], ..scenario() };
    let [failure] = &judged(&scenario, &full().trace())[..] else { panic!("one failure") };
    let expected = Failure {
        id: "flights",
        clause: "RFC 6347 §4.2.4, RFC 6347 §4.2.1".into(),
        detail: "flights [1, 2, 3, 4, 5, 6], not [1, 2]".into(),
        line: Some(17),
        role: None,
    };
    assert_eq!(*failure, expected);
}

#[test]
fn seeds_are_counted_together() {
    let demand = |min, per| Expectation {
        line: 3,
        visit: Visit::FIRST,
        kind: Demand::Struck { impairment: Impairment::Loss, count: at_least(min), per },
    };
    let runs = [1, 0, 2].map(|loss| ImpairmentCounts { loss, ..ImpairmentCounts::default() });
    let judged = |min, per| judge_seeds(&Scenario { expect: vec![demand(min, per)], ..scenario() }, &runs);
    assert_eq!(judged(3, Per::Seeds), []);
    assert_eq!(judged(4, Per::Run), [], "not judged over seeds");
    let [failure] = &judged(4, Per::Seeds)[..] else { panic!("one failure") };
    assert_eq!((failure.id, failure.line), ("struck", Some(3)));
    assert_eq!(failure.detail, "Loss struck 3 times in 3 runs, not at least 4");
}

proptest! {
    /// Whatever endpoints send and report, in whatever order, a judgment comes out.
    #[test]
    fn any_trace_is_judged(
        steps in prop::collection::vec((0usize..10, any::<bool>(), 0u64..5, prop::collection::vec(any::<u8>(), 0..60)), 0..40)
    ) {
        let mut story = Story::default();
        for (step, is_client, millis, bytes) in steps {
            let role = if is_client { CLIENT } else { SERVER };
            let record = millis;
            story.at(millis * 1000);
            match step {
                0 => _ = story.send(role, &bytes),
                1 => _ = story.send(role, &flight1(record)),
                2 => _ = story.send(role, &flight3(record)),
                3 => flight4(record).iter().for_each(|datagram| _ = story.send(role, datagram)),
                4 => _ = story.lose(role, &flight5(record, record)),
                5 => _ = story.send(role, &flight6(record, record)),
                6 => _ = story.report(role, EndpointEvent::Data(bytes)),
                7 => _ = story.note(What::AppSend(role, bytes)),
                8 => _ = story.report(role, EndpointEvent::KeyLog(key_log())),
                _ => _ = story.established(role),
            }
        }
        let demands = (1..).zip(demands::all());
        let expect = demands.map(|(line, kind)| Expectation { line, visit: Visit::FIRST, kind }).collect();
        let failures = judged(&Scenario { expect, ..scenario() }, &story.trace());
        prop_assert!(failures.iter().all(|failure| !failure.detail.is_empty()));
    }
}

//! webrtc-rs on the simulated network, against itself and against `native`: nothing of it knows that time is virtual.

use std::path::Path;
use std::sync::Arc;

use windtunnel::output::row::Verdict;
use windtunnel::plan::Plan;
use windtunnel::run::{Flight, fly};
use windtunnel::scenario;
use windtunnel::stack::{self, Stack};
use windtunnel_webrtc::Webrtc;

const LOSSY: &str = "windtunnel: 1
goal: Lost flights come again after a second of virtual time.
clauses: [RFC 6347 §4.2.4]
credentials: psk
network: {delay: 25 ms}
faults:
  - drop: {flight: 1, attempt: 1}
  - drop: {flight: 3, attempt: 1}
workload: {messages: 2, interval: 60 s}
duration: 200 s
expect:
  - handshake: {result: completes, after: 2 s, within: 5 s}
  - echo: 2
";

fn flown(client: Arc<dyn Stack>, server: Arc<dyn Stack>) -> Flight {
    let scenario = scenario::from_text(Path::new("webrtc/lossy.yaml"), LOSSY).unwrap();
    let plan = Plan { scenario: Arc::new(scenario), client, server, seed: 1 };
    let flight = fly(&plan, &[]);
    assert_eq!(flight.verdict, Verdict::Pass, "{:?}\n{}", flight.failures, flight.ladder().unwrap_or_default());
    flight
}

#[test]
fn each_pair_of_async_and_other_stacks_shakes_hands_in_spite_of_loss() {
    let webrtc = || Arc::new(Webrtc) as Arc<dyn Stack>;
    let names = ["native", "native-tokio"].map(|name| stack::get(name).unwrap());
    flown(webrtc(), webrtc());
    for other in names {
        flown(webrtc(), Arc::clone(&other));
        flown(other, webrtc());
    }
}

#[test]
fn instants_are_the_same_again() {
    let instants = |flight: Flight| {
        let trace = flight.record.unwrap().trace;
        trace.sent().map(|(at, sent)| (at, sent.from, sent.bytes.len())).collect::<Vec<_>>()
    };
    let first = instants(flown(Arc::new(Webrtc), Arc::new(Webrtc)));
    assert_eq!(instants(flown(Arc::new(Webrtc), Arc::new(Webrtc))), first);
}

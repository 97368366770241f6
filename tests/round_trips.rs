//! The table of round trips: every handshake of `scenarios/round_trips`, flown by the native pair on a link without loss,
//! with four clocks that start when the first ClientHello leaves.
//!
//! Golden: `golden/claims/round_trips.snap`. A value that is no multiple of half a round trip fails.

use std::sync::Arc;
use std::time::Duration;

use conformance::{name_of, root, scenario_files};
use windtunnel::endpoint::{Dtls, Role};
use windtunnel::observe::{Observation, observe_visit};
use windtunnel::output::row::Verdict;
use windtunnel::plan::Plan;
use windtunnel::run;
use windtunnel::scenario::{self, Scenario};
use windtunnel::stack;
use windtunnel::time::SimTime;
use windtunnel::trace::Visit;

/// One way, as in all scenarios of the folder.
const DELAY: Duration = Duration::from_millis(25);

/// The last visit of the scenario with the native pair.
fn fly(scenario: &Arc<Scenario>) -> Observation {
    let native = stack::get("native").unwrap();
    let plan =
        Plan { scenario: Arc::clone(scenario), client: Arc::clone(&native), server: native, seed: scenario.seeds.0 };
    let flight = run::fly(&plan, &[]);
    assert_eq!(flight.verdict, Verdict::Pass, "{}: {:?} {:?}", scenario.name, flight.failures, flight.reason);
    let visit = Visit(u16::try_from(scenario.visits.len()).unwrap());
    observe_visit(&flight.record.unwrap().trace, visit)
}

/// When the clocks stop: first early data at the server, application data allowed, first reply, server done, last flight
/// confirmed. `None` is a clock that this handshake does not have.
fn clocks(scenario: &Scenario, seen: &Observation) -> [Option<SimTime>; 5] {
    let established = |role| seen.outcome(role).established;
    let confirmed = match scenario.dtls {
        Dtls::V13 => seen.confirmed13(),
        Dtls::V12 if seen.is_abbreviated() => None,
        Dtls::V12 => established(Role::Client),
    };
    [
        seen.early.delivered.first().copied(),
        established(Role::Client),
        seen.echoes.first().copied(),
        established(Role::Server),
        confirmed,
    ]
}

/// A time in round trips, exactly: `2.5`.
fn round_trips(time: Duration) -> String {
    let halves = time.as_nanos() / DELAY.as_nanos();
    assert_eq!(halves * DELAY.as_nanos(), time.as_nanos(), "{time:?} is no multiple of {DELAY:?}");
    format!("{}{}", halves / 2, if halves % 2 == 1 { ".5" } else { "" })
}

#[test]
fn every_handshake_takes_the_round_trips_of_its_flights() {
    let folder = root().join("scenarios");
    let mut table = format!(
        "{:<28} {:<18} {:>6} {:>9} {:>10} {:>12} {:>10}\n",
        "handshake", "flights", "early", "app-send", "app-reply", "server-done", "confirmed"
    );
    for file in scenario_files(&folder.join("round_trips")) {
        let scenario = Arc::new(scenario::load(&file).unwrap());
        assert_eq!(scenario.network.up.delay.base, DELAY, "{}", scenario.name);
        let seen = fly(&scenario);
        let started = seen.started().unwrap();
        let cells =
            clocks(&scenario, &seen).map(|at| at.map_or_else(|| "-".to_owned(), |at| round_trips(at - started)));
        let flights: Vec<String> = seen.flights.iter().map(|flight| flight.number.to_string()).collect();
        let [early, app_send, app_reply, server_done, confirmed] = cells;
        let name = name_of(&file, &folder.join("round_trips"));
        table += &format!(
            "{name:<28} {:<18} {early:>6} {app_send:>9} {app_reply:>10} {server_done:>12} {confirmed:>10}\n",
            flights.join(" ")
        );
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("golden/claims"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("round_trips", table));
}

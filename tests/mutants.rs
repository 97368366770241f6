//! Does the suite see anything? Each mutant of the native stack breaks one rule and must fail somewhere.

use std::sync::Arc;

use conformance::{root, scenario_files};
use windtunnel::output::row::Verdict;
use windtunnel::plan::Plan;
use windtunnel::run::{self, Flight};
use windtunnel::scenario::{self, Scenario};
use windtunnel::stack::{self, Stack};

/// The suite: what the sound stack passes. A scenario that fails anyway says nothing about a mutant.
fn suite(native: &Arc<dyn Stack>) -> Vec<Arc<Scenario>> {
    let load = |file: &std::path::PathBuf| Arc::new(scenario::load(file).expect("checked by the tests of scenarios"));
    let mut suite: Vec<_> = scenario_files(&root().join("scenarios")).iter().map(load).collect();
    suite.retain(|scenario| fly(scenario, native, native).verdict == Verdict::Pass);
    suite
}

/// The run with the scenario's first seed.
fn fly(scenario: &Arc<Scenario>, client: &Arc<dyn Stack>, server: &Arc<dyn Stack>) -> Flight {
    let (scenario, client, server) = (Arc::clone(scenario), Arc::clone(client), Arc::clone(server));
    let seed = scenario.seeds.0;
    run::fly(&Plan { scenario, client, server, seed }, &[])
}

/// The first scenario and role in which a mutant fails, flying against the sound stack.
fn first_failure(mutant: &Arc<dyn Stack>, native: &Arc<dyn Stack>, suite: &[Arc<Scenario>]) -> Option<String> {
    suite.iter().find_map(|scenario| {
        [(mutant, native), (native, mutant)].into_iter().find_map(|(client, server)| {
            let flight = fly(scenario, client, server);
            let id = flight.failures.first().filter(|_| flight.verdict == Verdict::Fail)?.id;
            Some(format!("{} {} -> {}: {id}", scenario.name, client.name(), server.name()))
        })
    })
}

#[test]
fn every_mutant_fails_a_scenario() {
    let native = stack::get("native").unwrap();
    let suite = suite(&native);
    assert!(!suite.is_empty());
    let mutants = stack::mutants();
    assert!(!mutants.is_empty());
    let survivors: Vec<&str> = mutants
        .iter()
        .filter(|mutant| match first_failure(mutant, &native, &suite) {
            Some(where_) => {
                println!("{}: {where_}", mutant.name());
                false
            }
            None => true,
        })
        .map(|mutant| mutant.name())
        .collect();
    assert!(survivors.is_empty(), "no scenario sees what is wrong with {survivors:?}");
}

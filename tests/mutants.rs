//! Does the suite see anything? Each mutant of the native stack breaks one rule and must fail somewhere.

use std::sync::Arc;

use conformance::{root, scenario_files};
use windtunnel::output::row::Verdict;
use windtunnel::run;
use windtunnel::scenario::{self, Scenario};
use windtunnel::stack::{self, Stack};

fn scenarios() -> Vec<Arc<Scenario>> {
    let load = |file: &std::path::PathBuf| Arc::new(scenario::load(file).expect("checked by the tests of scenarios"));
    scenario_files(&root().join("scenarios")).iter().map(load).collect()
}

/// The first scenario and role in which a mutant fails, flying against the sound stack.
fn first_failure(mutant: &Arc<dyn Stack>, native: &Arc<dyn Stack>, scenarios: &[Arc<Scenario>]) -> Option<String> {
    for scenario in scenarios {
        for (client, server) in [(mutant, native), (native, mutant)] {
            let mut plans = run::plans(
                std::slice::from_ref(scenario),
                std::slice::from_ref(client),
                std::slice::from_ref(server),
                Some((scenario.seeds.0, scenario.seeds.0)),
            );
            let plan = plans.pop()?;
            let flight = run::fly(&plan, &[]);
            if flight.verdict == Verdict::Fail {
                let id = flight.failures.first().map_or("", |failure| failure.id);
                return Some(format!("{} {} -> {}: {id}", scenario.name, client.name(), server.name()));
            }
        }
    }
    None
}

#[test]
fn every_mutant_fails_a_scenario() {
    let native = stack::get("native").unwrap();
    let scenarios = scenarios();
    let mutants = stack::mutants();
    assert!(!mutants.is_empty());
    let survivors: Vec<&str> = mutants
        .iter()
        .filter(|mutant| match first_failure(mutant, &native, &scenarios) {
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

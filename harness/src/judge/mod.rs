//! Whether a run was as it had to be: what every run must keep, and what its scenario demands.
//!
//! A function of scenario, observation and trace. A demand that the run gives no occasion to check fails: nothing passes
//! because nothing happened.

mod association;
mod demands;
mod invariants;
mod selective;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::endpoint::Role;
use crate::observe::{ImpairmentCounts, Observation, observe_visit};
use crate::scenario::{Demand, Per, Scenario};
use crate::trace::{End, Trace, Visit};

pub use demands::name;
pub use invariants::Invariant;

/// Something that was not as it had to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which demand or invariant, as `whole-flight` or `record-number`.
    pub id: &'static str,
    /// The clauses behind it.
    pub clause: String,
    /// What happened instead, with datagrams and instants.
    pub detail: String,
    /// Line of the demand in the scenario file; `None` for an invariant.
    pub line: Option<u32>,
    /// Whose doing it is, if that is clear.
    pub role: Option<Role>,
}

/// What was found, before it is known for which demand or invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Complaint {
    role: Option<Role>,
    detail: String,
}

impl Complaint {
    fn new(detail: impl Into<String>) -> Self {
        Self { role: None, detail: detail.into() }
    }

    fn of(role: impl Into<Option<Role>>, detail: impl Into<String>) -> Self {
        Self { role: role.into(), detail: detail.into() }
    }
}

/// Everything that is wrong with a run: what it broke of what every run must keep, then of its scenario's demands in
/// their order. A run that its stack broke off is judged no further.
pub fn judge(scenario: &Scenario, seen: &Observation, trace: &Trace) -> Vec<Failure> {
    let invariant = |invariant: Invariant, complaint: Complaint| Failure {
        id: invariant.id(),
        clause: invariant.clause(scenario.dtls).to_owned(),
        detail: complaint.detail,
        line: None,
        role: complaint.role,
    };
    match trace.end() {
        Some(End::Broken { role, what }) => {
            return vec![invariant(Invariant::StackBroken, Complaint::of(*role, what))];
        }
        Some(End::Quiescent | End::Duration) => {}
        None => return vec![invariant(Invariant::TraceEnds, Complaint::new("the trace breaks off"))],
    }
    let mut failures = Vec::new();
    for kind in Invariant::ALL {
        failures.extend(kind.check(scenario, seen, trace).into_iter().map(|complaint| invariant(kind, complaint)));
    }
    let mut visits: BTreeMap<Visit, Observation> = BTreeMap::new();
    if trace.visits() != [Visit::FIRST] {
        for expectation in &scenario.expect {
            let visit = expectation.visit;
            visits.entry(visit).or_insert_with(|| observe_visit(trace, visit));
        }
    }
    for expectation in &scenario.expect {
        let of_visit = visits.get(&expectation.visit).unwrap_or(seen);
        if let Err(complaint) = demands::check(scenario, of_visit, seen, &expectation.kind) {
            failures.push(Failure {
                id: name(&expectation.kind),
                clause: scenario.clauses.join(", "),
                detail: complaint.detail,
                line: Some(expectation.line),
                role: complaint.role,
            });
        }
    }
    failures
}

/// What is wrong with all runs of a scenario together: the demands that count over its seeds.
pub fn judge_seeds(scenario: &Scenario, runs: &[ImpairmentCounts]) -> Vec<Failure> {
    let over_seeds = scenario.expect.iter().filter_map(|expectation| match &expectation.kind {
        Demand::Struck { impairment, count, per: Per::Seeds } => Some((expectation, *impairment, *count)),
        _ => None,
    });
    over_seeds
        .filter_map(|(expectation, impairment, count)| {
            let struck = runs.iter().fold(0u64, |sum, run| sum.saturating_add(run.of(impairment)));
            (!count.holds(struck)).then(|| Failure {
                id: name(&expectation.kind),
                clause: scenario.clauses.join(", "),
                detail: format!("{impairment:?} struck {struck} times in {} runs, not {count}", runs.len()),
                line: Some(expectation.line),
                role: None,
            })
        })
        .collect()
}

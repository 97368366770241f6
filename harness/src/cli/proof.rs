//! `peers check`: proves that a stack flies on virtual time and repeats its runs, or shows where it does not.
//!
//! The stack flies against itself. Every comparison is of hashes of whole traces: each datagram, event and instant.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use miette::{Report, miette};

use super::{Outcome, print};
use crate::endpoint::{EndpointEvent, Role};
use crate::output::row::Verdict;
use crate::plan::Plan;
use crate::run::{self, Flight};
use crate::scenario::{self, Scenario};
use crate::stack::{Determinism, Stack};
use crate::time::SimTime;
use crate::trace::{Event, What};

/// Prove that a stack flies on virtual time and repeats its runs byte for byte
///
/// The stack flies against itself, on links that lose, reorder and copy: twice in this process, in another process, on one
/// thread and on eight. A run of five minutes must not take long, and other seeds must give other runs: otherwise the
/// comparison would prove nothing.
///
/// Exit code: 0 all is as the stack promises, 1 it is not, 2 there is no such stack.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct CheckArgs {
    /// Stacks from `windtunnel peers list`
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Print the hashes of the runs and nothing else: what the other process is asked for
    #[arg(long, hide = true)]
    hashes: bool,
}

/// Where the runs differ in length, version and credentials; a stack flies those it can.
const SCENARIOS: [(&str, &str); 7] = [
    ("certificate_1_2", include_str!("../../data/proof/certificate_1_2.yaml")),
    ("certificate_1_3", include_str!("../../data/proof/certificate_1_3.yaml")),
    ("idle_1_2", include_str!("../../data/proof/idle_1_2.yaml")),
    ("idle_1_3", include_str!("../../data/proof/idle_1_3.yaml")),
    ("idle_psk_1_2", include_str!("../../data/proof/idle_psk_1_2.yaml")),
    ("psk_1_2", include_str!("../../data/proof/psk_1_2.yaml")),
    ("psk_1_3", include_str!("../../data/proof/psk_1_3.yaml")),
];
const SEEDS: u64 = 8;
const THREADS: u16 = 8;
/// Virtual time that one of the runs has to span.
const LONG: Duration = Duration::from_secs(300);
/// Wall time that is far too much for it, and far too little for five minutes.
const SHORT: Duration = Duration::from_secs(30);

pub(super) fn check(args: CheckArgs) -> Result<Outcome, Report> {
    let mut outcome = Outcome::Good;
    for name in &args.names {
        let stack = super::peers::probed(name)?;
        let plans = plans(&stack)?;
        if plans.is_empty() {
            return Err(miette!("`{name}` can fly none of the scenarios of this check"));
        }
        if args.hashes {
            print(&lines(&hashes(&fly(&plans, 1)?)));
            continue;
        }
        let verdict = prove(&stack, &plans)?;
        print(&verdict.text);
        if !verdict.holds {
            outcome = Outcome::Failed;
        }
    }
    Ok(outcome)
}

struct Proof {
    text: String,
    holds: bool,
}

impl Proof {
    fn line(&mut self, holds: bool, what: &str) {
        self.holds &= holds;
        self.text += &format!("  {}  {what}\n", if holds { "ok  " } else { "FAIL" });
    }
}

fn prove(stack: &Arc<dyn Stack>, plans: &[Plan]) -> Result<Proof, Report> {
    let promise = stack.determinism();
    let title = format!("{} {}, runs repeat: {promise}\n", stack.name(), stack.version());
    let mut proof = Proof { text: title, holds: true };
    // What comes first may set things up that live as long as the process.
    let first = fly(plans, 1)?;
    let wanted = hashes(&first);
    let broken: Vec<String> =
        first.iter().filter_map(|flight| Some(format!("{}: {}", flight.name, flight.broken.as_ref()?))).collect();
    proof.line(
        broken.is_empty(),
        &match broken.first() {
            None => format!("{} runs: none breaks off", plans.len()),
            Some(first) => format!("{} of {} runs break off; {first}", broken.len(), plans.len()),
        },
    );
    let completed = first.iter().filter(|flight| flight.completes).count();
    proof.line(completed > 0, &format!("{completed} of {} runs complete", plans.len()));

    let again = hashes(&fly(plans, 1)?);
    let threads = hashes(&fly(plans, THREADS)?);
    let child = child(stack.name())?;
    for (found, what) in [
        (&again, "the same runs once more in this process".to_owned()),
        (&threads, format!("the same runs on {THREADS} threads at once")),
        (&child, "the same runs in another process".to_owned()),
    ] {
        let differ = wanted.iter().zip(found).filter(|(a, b)| a != b).count() + wanted.len().abs_diff(found.len());
        match promise {
            Determinism::Bytes => proof.line(differ == 0, &format!("{what}: {differ} of {} differ", wanted.len())),
            // What is not promised is shown all the same.
            Determinism::Timing | Determinism::TokioMs | Determinism::WallClock => {
                proof.line(true, &format!("{what}: {differ} of {} differ, as labelled", wanted.len()))
            }
        }
    }
    let mut distinct = wanted.clone();
    distinct.sort_unstable();
    distinct.dedup();
    // Without loss, runs of some stacks differ in their random bytes alone, but differ they must.
    let what = format!("control: {} of {} runs are of their own, by scenario and seed", distinct.len(), wanted.len());
    proof.line(distinct.len() == wanted.len(), &what);

    let long = first.iter().filter(|flight| flight.virtual_time >= SimTime::ZERO + LONG);
    let longest = long.max_by_key(|flight| flight.wall);
    proof.line(
        longest.is_some_and(|flight| flight.wall < SHORT),
        &match longest {
            Some(flight) => format!(
                "{} spans {} s of virtual time, in {} ms",
                flight.name,
                flight.virtual_time.as_nanos() / 1_000_000_000,
                flight.wall.as_millis()
            ),
            None => format!("no run spans {} s of virtual time", LONG.as_secs()),
        },
    );
    Ok(proof)
}

/// All runs of the check that the stack can fly against itself.
fn plans(stack: &Arc<dyn Stack>) -> Result<Vec<Plan>, Report> {
    let read = |(name, text): &(&str, &str)| -> Result<Arc<Scenario>, Report> {
        Ok(Arc::new(scenario::from_text(Path::new(&format!("proof/{name}.yaml")), text)?))
    };
    let scenarios = SCENARIOS.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let stacks = std::slice::from_ref(stack);
    let mut plans = run::plans(&scenarios, stacks, stacks, Some((1, SEEDS)));
    plans.retain(|plan| plan.unsupported().is_none());
    Ok(plans)
}

/// What the check wants to know of a run.
struct Flown {
    name: String,
    hash: u64,
    /// Both ends were established.
    completes: bool,
    broken: Option<String>,
    virtual_time: SimTime,
    wall: Duration,
}

fn fly(plans: &[Plan], threads: u16) -> Result<Vec<Flown>, Report> {
    use rayon::prelude::*;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build();
    let pool = pool.map_err(|error| miette!("cannot start threads: {error}"))?;
    Ok(pool.install(|| plans.par_iter().map(fly_one).collect()))
}

fn fly_one(plan: &Plan) -> Flown {
    #[expect(clippy::disallowed_methods, reason = "how long a run takes is what is measured")]
    let begin = Instant::now();
    let Flight { record, verdict, reason, .. } = run::fly(plan, &[]);
    let trace = record.map(|record| record.trace).unwrap_or_default();
    let established = |role| {
        let is_that =
            |event: &Event| matches!(&event.what, What::Endpoint(of, EndpointEvent::Established { .. }) if *of == role);
        trace.events.iter().any(is_that)
    };
    Flown {
        name: format!("{} seed {}", plan.scenario.name, plan.seed),
        hash: trace.hash().0,
        completes: Role::BOTH.into_iter().all(established),
        broken: (verdict == Verdict::Error).then(|| reason.unwrap_or_default()),
        virtual_time: trace.events.last().map_or(SimTime::ZERO, |event| event.at),
        wall: begin.elapsed(),
    }
}

fn hashes(flights: &[Flown]) -> Vec<u64> {
    flights.iter().map(|flight| flight.hash).collect()
}

fn lines(hashes: &[u64]) -> String {
    hashes.iter().map(|hash| format!("{hash:016x}\n")).collect()
}

/// The hashes of the same runs, flown in another process.
fn child(name: &str) -> Result<Vec<u64>, Report> {
    let own = std::env::current_exe().map_err(|error| miette!("cannot find the own program: {error}"))?;
    let child = Command::new(own).args(["peers", "check", "--hashes", name]).stdin(Stdio::null()).output();
    let child = child.map_err(|error| miette!("cannot start a child: {error}"))?;
    let text = String::from_utf8_lossy(&child.stdout);
    Ok(text.lines().filter_map(|line| u64::from_str_radix(line, 16).ok()).collect())
}

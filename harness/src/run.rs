//! From a plan to a verdict, and from many plans to many verdicts on all cores. The only place where a run is put
//! together from stacks, simulation, observer and judge.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use miette::{Report, miette};
use rayon::prelude::*;

use crate::endpoint::{Endpoint, EndpointConfig, Listener, Role, Session};
use crate::judge::{self, Failure};
use crate::observe::{self, ImpairmentCounts, Observation};
use crate::output::capture::{self, Addresses, Source, View};
use crate::output::ladder::{self, Totals};
use crate::output::path::passages;
use crate::output::row::{Bytes, Datagrams, Failed, Row, Verdict};
use crate::output::token::Token;
use crate::plan::{self, Plan};
use crate::scenario::Scenario;
use crate::scenario::findings::Finding;
use crate::sim::{self, Budget, Setup};
use crate::stack::{Determinism, Stack};
use crate::time::SimTime;
use crate::trace::{End, Trace, Visit};

/// Every scenario with every client and server, and with each of its seeds or of those given; in this order.
pub fn plans(
    scenarios: &[Arc<Scenario>],
    clients: &[Arc<dyn Stack>],
    servers: &[Arc<dyn Stack>],
    seeds: Option<(u64, u64)>,
) -> Vec<Plan> {
    let mut plans = Vec::new();
    for scenario in scenarios {
        let (first, last) = seeds.unwrap_or(scenario.seeds);
        for client in clients {
            for server in servers {
                plans.extend((first..=last).map(|seed| Plan {
                    scenario: Arc::clone(scenario),
                    client: Arc::clone(client),
                    server: Arc::clone(server),
                    seed,
                }));
            }
        }
    }
    plans
}

/// Flies all plans on `jobs` threads, or on all cores. The rows keep the order of the plans whatever the order in which
/// runs end. `land` sees each flight once and may add to its row.
pub fn fly_all(
    plans: &[Plan],
    findings: &[Finding],
    jobs: Option<u16>,
    land: impl Fn(&Flight, &mut Row) -> Result<(), Report> + Sync,
) -> Result<Vec<Row>, Report> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(jobs.map_or(0, usize::from))
        .build()
        .map_err(|error| miette!(help = "try fewer with `--jobs N`", "cannot start threads: {error}"))?;
    let one = |plan: &Plan| {
        let flight = fly(plan, findings);
        let mut row = flight.row();
        land(&flight, &mut row)?;
        Ok((row, flight.impairments()))
    };
    let (mut rows, impairments): (Vec<Row>, Vec<Option<ImpairmentCounts>>) =
        pool.install(|| plans.par_iter().map(one).collect::<Result<Vec<_>, Report>>())?.into_iter().unzip();
    let mut begin = 0;
    for group in plans.chunk_by(Plan::differs_in_seed_only) {
        let end = begin + group.len();
        judge_together(group, &mut rows[begin..end], &impairments[begin..end], findings);
        begin = end;
    }
    Ok(rows)
}

/// Adds to the first row what is wrong with the runs of one scenario and pair together: demands that count over seeds,
/// unless a finding accounts for them, and findings that no run confirms. Says nothing unless these are all the runs that
/// the scenario asks for, and all took place: what holds for all seeds cannot be held against some.
pub fn judge_together(
    plans: &[Plan],
    rows: &mut [Row],
    impairments: &[Option<ImpairmentCounts>],
    findings: &[Finding],
) {
    let (Some(first), Some(last)) = (plans.first(), plans.last()) else { return };
    let flown: Vec<ImpairmentCounts> = impairments.iter().flatten().copied().collect();
    if (first.seed, last.seed) != first.scenario.seeds || flown.len() != plans.len() {
        return;
    }
    let excused = |failure: &&Failure| {
        Role::BOTH.into_iter().any(|role| findings.iter().any(|finding| speaks_of(finding, first, role, failure.id)))
    };
    let over_seeds = judge::judge_seeds(&first.scenario, &flown);
    let unconfirmed = findings
        .iter()
        .filter(|finding| finding.scenario == first.scenario.name)
        .filter(|finding| Role::BOTH.into_iter().any(|role| speaks_of(finding, first, role, &finding.id)))
        .filter(|finding| rows.iter().all(|row| row.failed.iter().all(|failed| failed.id != finding.id)))
        .map(|finding| Failed {
            id: "unexpected-pass".to_owned(),
            clause: finding.clause.clone(),
            detail: format!(
                "the finding in line {} says that {} fails `{}` here, and it does not: remove the finding",
                finding.line, finding.stack, finding.id
            ),
        });
    let more: Vec<Failed> =
        over_seeds.iter().filter(|failure| !excused(failure)).map(failed).chain(unconfirmed).collect();
    let row = &mut rows[0];
    if !more.is_empty() {
        row.verdict = row.verdict.max(Verdict::Fail);
        row.failed.extend(more);
    }
}

/// Whether a finding speaks of the failure `id` of a plan's stack in this role.
fn speaks_of(finding: &Finding, plan: &Plan, role: Role, id: &str) -> bool {
    let (stack, peer) = (plan.stack(role), plan.stack(role.peer()));
    finding.matches(stack.name(), stack.version(), role, &plan.scenario.name, peer.name(), id)
}

/// A run and the verdict on it.
#[derive(Clone)]
pub struct Flight {
    /// What was planned.
    pub plan: Plan,
    /// What happened; `None` if nothing was run.
    pub record: Option<Record>,
    /// Everything that was broken.
    pub failures: Vec<Failure>,
    /// What came of it.
    pub verdict: Verdict,
    /// Why nothing was run, what broke, or what the finding says.
    pub reason: Option<String>,
}

/// What happened, and what it shows.
#[derive(Clone)]
pub struct Record {
    /// The events.
    pub trace: Trace,
    /// What they show.
    pub observation: Observation,
}

/// Flies one plan. If findings account for everything that fails, it is known.
pub fn fly(plan: &Plan, findings: &[Finding]) -> Flight {
    if Role::BOTH.into_iter().any(|role| plan.stack(role).is_plugin()) {
        // What a stack keeps on its thread, such as a generator, begins anew with each run.
        let flown = std::thread::scope(|scope| scope.spawn(|| fly_here(plan, findings)).join());
        return flown.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }
    fly_here(plan, findings)
}

fn fly_here(plan: &Plan, findings: &[Finding]) -> Flight {
    let landed = |verdict, reason| Flight { plan: plan.clone(), record: None, failures: vec![], verdict, reason };
    if let Some((role, reason)) = plan.unsupported() {
        let reason = format!("{} as the {role}: {reason}", plan.stack(role).name());
        return landed(Verdict::Unsupported, Some(reason));
    }
    let mut hosts = match PlannedHosts::new(plan) {
        Ok(hosts) => hosts,
        Err(reason) => return landed(Verdict::Error, Some(reason)),
    };
    let [client, server] = match hosts.first() {
        Ok(first) => first,
        Err(reason) => return landed(Verdict::Error, Some(reason)),
    };
    let scenario = &plan.scenario;
    let trace = sim::run(Setup {
        network: &scenario.network,
        faults: &scenario.faults,
        visits: &scenario.visits,
        duration: scenario.duration,
        seed: plan.seed,
        client,
        server,
        hosts: &mut hosts,
        budget: Budget::default(),
    });
    let observation = observe::observe(&trace);
    let failures = judge::judge(scenario, &observation, &trace);
    let (verdict, reason) = match broken_plugin(plan, &trace) {
        Some(reason) => (Verdict::Error, Some(reason)),
        None => verdict(plan, &failures, findings),
    };
    Flight { plan: plan.clone(), record: Some(Record { trace, observation }), failures, verdict, reason }
}

/// Why a run says nothing about the protocol, if a plugin broke it.
fn broken_plugin(plan: &Plan, trace: &Trace) -> Option<String> {
    let Some(End::Broken { role, what }) = trace.end() else { return None };
    let stack = plan.stack(*role);
    stack.is_plugin().then(|| format!("the plugin {} as the {role}: {what}", stack.name()))
}

/// The two hosts of a plan: they make its endpoints.
struct PlannedHosts<'a> {
    plan: &'a Plan,
    client: EndpointConfig,
    server: EndpointConfig,
    listener: Box<dyn Listener>,
}

impl<'a> PlannedHosts<'a> {
    fn new(plan: &'a Plan) -> Result<Self, String> {
        let [client, server] = Role::BOTH.map(|role| plan.endpoint_config(role));
        let entropy = sim::entropy(plan.seed, Role::Server, Visit::FIRST);
        let listener = guarded(plan, Role::Server, || plan.server.listen(&server, entropy))?;
        Ok(Self { plan, client, server, listener })
    }

    /// The endpoints of the first visit, client and server.
    fn first(&mut self) -> Result<[Box<dyn Endpoint>; 2], String> {
        let plan = self.plan;
        let local = self.client.local;
        let client =
            guarded(plan, Role::Client, || sim::Hosts::client(self, SimTime::ZERO, Visit::FIRST, local, None))?;
        let peer = self.server.peer;
        Ok([client, guarded(plan, Role::Server, || self.listener.accept(SimTime::ZERO, peer))?])
    }
}

impl sim::Hosts for PlannedHosts<'_> {
    fn client(&mut self, now: SimTime, visit: Visit, local: SocketAddr, session: Option<&Session>) -> sim::Made {
        let entropy = sim::entropy(self.plan.seed, Role::Client, visit);
        let config = EndpointConfig { local, ..self.client.clone() };
        self.plan.client.client(&config, session, now, entropy)
    }

    fn server(&mut self, now: SimTime, peer: SocketAddr) -> sim::Made {
        self.listener.accept(now, peer)
    }
}

/// Has a stack make something. One that panics here is as broken as one that refuses.
fn guarded<T>(plan: &Plan, role: Role, make: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let made = catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|_| Err("it panicked when it was built".to_owned()));
    made.map_err(|reason| format!("{} as the {role}: {reason}", plan.stack(role).name()))
}

fn verdict(plan: &Plan, failures: &[Failure], findings: &[Finding]) -> (Verdict, Option<String>) {
    if failures.is_empty() {
        return (Verdict::Pass, None);
    }
    let finding_of = |failure: &Failure| {
        // Whoever shows the symptom: the finding says who is at fault.
        Role::BOTH
            .into_iter()
            .find_map(|role| findings.iter().find(|finding| speaks_of(finding, plan, role, failure.id)))
    };
    match failures.iter().map(finding_of).collect::<Option<Vec<_>>>() {
        Some(known) => {
            let mut reasons: Vec<&str> = known.iter().map(|finding| finding.reason.as_str()).collect();
            reasons.dedup();
            (Verdict::Known, Some(reasons.join(" ")))
        }
        None => (Verdict::Fail, None),
    }
}

fn failed(failure: &Failure) -> Failed {
    let Failure { id, clause, detail, .. } = failure;
    Failed { id: (*id).to_owned(), clause: clause.clone(), detail: detail.clone() }
}

impl Flight {
    /// What the network did to the run at random; `None` if nothing was run.
    pub fn impairments(&self) -> Option<ImpairmentCounts> {
        self.record.as_ref().map(|record| record.observation.impairments)
    }

    /// Hash of the trace, if the same plan gives the same one.
    pub fn hash(&self) -> Option<u64> {
        let record = self.record.as_ref()?;
        (self.plan.determinism() == Determinism::Bytes).then(|| record.trace.hash().0)
    }

    /// Names the run.
    pub fn token(&self) -> Token {
        let Plan { scenario, client, server, seed } = &self.plan;
        let [a, b, c, d, ..] = scenario.digest;
        Token {
            scenario: scenario.name.clone(),
            digest: [a, b, c, d],
            client: client.name().to_owned(),
            server: server.name().to_owned(),
            seed: *seed,
            hash: self.hash(),
        }
    }

    /// The result as data, without a capture.
    pub fn row(&self) -> Row {
        let Plan { scenario, client, server, seed } = &self.plan;
        let totals = self.record.as_ref().map(|record| Totals::of(&passages(&record.trace))).unwrap_or_default();
        let end =
            self.record.as_ref().and_then(|record| record.trace.events.last()).map_or(SimTime::ZERO, |last| last.at);
        Row {
            scenario: scenario.name.clone(),
            client: client.name().to_owned(),
            server: server.name().to_owned(),
            seed: *seed,
            verdict: self.verdict,
            failed: self.failures.iter().map(failed).collect(),
            reason: self.reason.clone(),
            virtual_ms: end.as_nanos() / 1_000_000,
            datagrams: Datagrams { sent: totals.sent, delivered: totals.delivered, dropped: totals.dropped },
            bytes: Bytes { client: totals.client_bytes, server: totals.server_bytes },
            determinism: self.plan.determinism(),
            hash: self.hash().map(|hash| format!("{hash:016x}")),
            token: self.token().to_string(),
            capture: None,
        }
    }

    /// The capture; `None` if nothing was run.
    pub fn capture(&self, view: View) -> Option<Vec<u8>> {
        let record = self.record.as_ref()?;
        let addresses = Addresses { client: plan::CLIENT, server: plan::SERVER };
        let source = Source { trace: &record.trace, dissected: &record.observation.dissected, addresses };
        Some(capture::pcapng(&[source], view))
    }

    /// The ladder; `None` if nothing was run.
    pub fn ladder(&self) -> Option<String> {
        self.record.as_ref().map(|record| ladder::text(&record.trace, &record.observation.dissected))
    }

    /// The end of the ladder, from where the last `flights` transmissions of flights began.
    pub fn ladder_tail(&self, flights: usize) -> Option<String> {
        self.record.as_ref().map(|record| ladder::tail(&record.trace, &record.observation.dissected, flights))
    }
}

#[cfg(test)]
mod tests;

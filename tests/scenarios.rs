//! Every scenario with every pair of stacks, one test each: `topic::behaviour::client_vs_server`. Seeds are inside.
//!
//! A pair that a scenario asks too much of is an ignored test. Options come from the environment, see the crate.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use conformance::{Options, files, name_of, root, scenario_files};
use libtest_mimic::{Arguments, Failed, Trial};
use miette::Report;
use windtunnel::endpoint::Role;
use windtunnel::output::capture::View;
use windtunnel::output::row::Verdict;
use windtunnel::output::table::{self, Paint};
use windtunnel::output::token::Token;
use windtunnel::plan::Plan;
use windtunnel::run::{self, Flight};
use windtunnel::scenario::findings::{self, Finding};
use windtunnel::scenario::{self, Scenario};
use windtunnel::stack::{self, Stack};

/// Transmissions of flights that a failed test shows.
const TAIL_FLIGHTS: usize = 6;
/// Failed seeds that a test shows in full.
const SHOWN_MAX: usize = 2;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let options = match Options::from_env() {
        Ok(options) => Arc::new(options),
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let folder = root().join("scenarios");
    let findings = match findings::beside(std::slice::from_ref(&folder)) {
        Ok(findings) => Arc::<[Finding]>::from(findings),
        Err(error) => {
            eprintln!("{:?}", Report::new(error));
            return ExitCode::from(2);
        }
    };
    let mut trials: Vec<Trial> =
        scenario_files(&folder).iter().flat_map(|file| trials_of(file, &folder, &findings, &options)).collect();
    if let Some(token) = &options.replay {
        if trials.is_empty() {
            eprintln!("error: no scenario {} in {}", token.scenario, folder.display());
            return ExitCode::from(2);
        }
    } else {
        trials.push(Trial::test("golden::each_has_a_scenario_that_asks_for_it", goldens_have_scenarios));
        trials
            .push(Trial::test("findings::each_token_replays_what_it_says", move || tokens_replay(&folder, &findings)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The tests of one file: one for each pair, or one that says what is wrong with the file.
fn trials_of(file: &Path, folder: &Path, findings: &Arc<[Finding]>, options: &Arc<Options>) -> Vec<Trial> {
    let name = name_of(file, folder);
    if options.replay.as_ref().is_some_and(|token| token.scenario != name) {
        return vec![];
    }
    let test_name = name.replace('/', "::");
    let scenario = match scenario::load(file) {
        Ok(scenario) => Arc::new(scenario),
        Err(error) => {
            let text = format!("{:?}", Report::new(error));
            return vec![Trial::test(test_name, move || Err(Failed::from(text)))];
        }
    };
    let (clients, servers) = match pair_of(options) {
        Ok(Some((client, server))) => (vec![client], vec![server]),
        Ok(None) => (stack::registry(), stack::registry()),
        Err(error) => return vec![Trial::test(test_name, move || Err(Failed::from(error)))],
    };
    let seeds = options.replay.as_ref().map(|token| (token.seed, token.seed)).or(options.seeds);
    let mut trials = Vec::new();
    for client in &clients {
        for server in &servers {
            let plans = run::plans(
                std::slice::from_ref(&scenario),
                std::slice::from_ref(client),
                std::slice::from_ref(server),
                seeds,
            );
            let unsupported = plans.first().is_some_and(|plan| plan.unsupported().is_some());
            let (findings, options) = (Arc::clone(findings), Arc::clone(options));
            let name = format!("{test_name}::{}_vs_{}", client.name(), server.name());
            trials.push(Trial::test(name, move || test(&plans, &findings, &options)).with_ignored_flag(unsupported));
        }
    }
    trials
}

/// The pair of a token.
type Pair = (Arc<dyn Stack>, Arc<dyn Stack>);
fn pair_of(options: &Options) -> Result<Option<Pair>, String> {
    let Some(token) = &options.replay else { return Ok(None) };
    let stack = |name: &str| stack::get(name).map_err(|error| error.to_string());
    Ok(Some((stack(&token.client)?, stack(&token.server)?)))
}

/// All seeds of one scenario with one pair.
fn test(plans: &[Plan], findings: &[Finding], options: &Options) -> Result<(), Failed> {
    let (mut rows, mut impairments, mut ladders) = (vec![], vec![], vec![]);
    for plan in plans {
        let flight = run::fly(plan, findings);
        let row = flight.row();
        if let Some(token) = &options.replay {
            println!("{}", flight.ladder().unwrap_or_default());
            if !token.fits(&plan.scenario.digest) {
                return Err(format!("{} has changed since the token was made", plan.scenario.path.display()).into());
            }
            if token.hash.is_some() && token.hash != flight.hash() {
                return Err(format!("not the same run: its token is {}", row.token).into());
            }
        }
        if row.verdict == Verdict::Pass && is_golden(plan) {
            compare_with_golden(plan, &flight)?;
        }
        // What the first run shows is needed if all runs together fail.
        let bad = row.verdict.is_bad() && ladders.len() < SHOWN_MAX;
        ladders.push(if bad || rows.is_empty() { evidence(plan, &flight, bad, options) } else { String::new() });
        rows.push(row);
        impairments.push(flight.impairments());
    }
    run::judge_together(plans, &mut rows, &impairments, findings);
    let bad = rows.iter().filter(|row| row.verdict.is_bad()).count();
    if bad == 0 {
        return Ok(());
    }
    let mut text = format!("{bad} of {} runs failed\n", plans.len());
    for (row, ladder) in rows.iter().zip(&ladders).filter(|(row, _)| row.verdict.is_bad()).take(SHOWN_MAX) {
        text += &format!("\n{}\n{ladder}", table::verdict(row, "", Paint { colour: false }));
    }
    Err(text.into())
}

/// The end of the ladder, and the capture of a failed run. The rule, its clause and the command to replay come before.
fn evidence(plan: &Plan, flight: &Flight, bad: bool, options: &Options) -> String {
    let ladder = flight.ladder_tail(TAIL_FLIGHTS).unwrap_or_default();
    let capture = if bad { write_capture(plan, flight, &options.out) } else { String::new() };
    format!("{ladder}\n{capture}\n")
}

/// Writes the capture of a failed run; the line that says where it is.
fn write_capture(plan: &Plan, flight: &Flight, out: &Path) -> String {
    let Some(capture) = flight.capture(View::Wire) else { return "nothing was run, so there is no capture".to_owned() };
    let Plan { scenario, client, server, seed } = plan;
    let path: PathBuf = out.join(format!("{}/{}_vs_{}-seed{seed}.pcapng", scenario.name, client.name(), server.name()));
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, capture));
    match written {
        Ok(()) => format!("capture: {}", path.display()),
        Err(error) => format!("the capture could not be written to {}: {error}", path.display()),
    }
}

/// Goldens are the ladders of the native pair with the scenario's first seed.
fn is_golden(plan: &Plan) -> bool {
    let Plan { scenario, client, server, seed } = plan;
    scenario.golden && client.name() == "native" && server.name() == "native" && *seed == scenario.seeds.0
}

fn compare_with_golden(plan: &Plan, flight: &Flight) -> Result<(), Failed> {
    let (topic, behaviour) = plan.scenario.name.split_once('/').expect("every scenario has a topic");
    let text = format!("{}\n\n{}", heading(&plan.scenario, plan.seed), flight.ladder().unwrap_or_default());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("golden").join(topic));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let compared = settings.bind(|| catch_unwind(AssertUnwindSafe(|| insta::assert_snapshot!(behaviour, text))));
    compared.map_err(|_| {
        Failed::from(format!(
            "the ladder differs from golden/{}.snap; if it should: INSTA_UPDATE=always cargo test -p conformance",
            plan.scenario.name
        ))
    })
}

fn heading(scenario: &Scenario, seed: u64) -> String {
    format!("{}, seed {seed}\n{}", scenario.name, scenario.goal)
}

/// A golden that no scenario produces any more is a claim nobody checks.
fn goldens_have_scenarios() -> Result<(), Failed> {
    let (golden, scenarios) = (root().join("golden"), root().join("scenarios"));
    for file in files(&golden, "snap") {
        let name = name_of(&file, &golden);
        // Tables over many scenarios have tests of their own.
        if name.starts_with("claims/") {
            continue;
        }
        let asked = scenario::load(&scenarios.join(format!("{name}.yaml"))).is_ok_and(|scenario| scenario.golden);
        if !asked {
            return Err(format!("{} has no scenario with `golden: true`: remove it", file.display()).into());
        }
    }
    Ok(())
}

/// A finding's token is its evidence: it must name a run of the scenario as it is now, in which the stack is what the
/// finding says.
fn tokens_replay(folder: &Path, findings: &[Finding]) -> Result<(), Failed> {
    for finding in findings {
        let bad = |what: String| format!("findings.yaml, line {}: {}: {what}", finding.line, finding.token);
        let token: Token = finding.token.parse().map_err(|error| bad(format!("{error}")))?;
        let scenario = scenario::load(&folder.join(format!("{}.yaml", token.scenario)))
            .map_err(|error| bad(format!("{:?}", Report::new(error))))?;
        if !token.fits(&scenario.digest) {
            return Err(bad("the scenario has changed since: run it again and take the new token".to_owned()).into());
        }
        let stack = match finding.role {
            Role::Client => &token.client,
            Role::Server => &token.server,
        };
        if *stack != finding.stack {
            return Err(bad(format!("the {} in it is {stack}", finding.role)).into());
        }
    }
    Ok(())
}

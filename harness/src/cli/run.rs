//! `windtunnel run`: scenarios by pairs of stacks by seeds; results and captures; a table.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use miette::Report;

use super::files::Folder;
use super::{Outcome, paint, print};
use crate::endpoint::Role;
use crate::output::capture::View;
use crate::output::row::{self, Row};
use crate::output::table;
use crate::plan::Plan;
use crate::run::{self, Flight};
use crate::scenario::{self, findings};
use crate::stack::{self, Stack};

/// Run scenarios, write captures and results, print a table
///
/// Runs every scenario with every pair of stacks. Writes to DIR:
///   results.jsonl                                             one line for each run
///   <topic>/<behaviour>/<client>_vs_<server>-seed<N>.pcapng   opens and decrypts in Wireshark
/// Of a scenario with many seeds, only the first seed and the failed ones get a capture; `replay` makes any other.
///
/// Exit code: 0 nothing failed, 1 a run failed, 2 bad input (nothing was run).
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RunArgs {
    /// Scenario files, or folders of them
    #[arg(value_name = "PATH", default_value = "scenarios")]
    paths: Vec<PathBuf>,
    /// Only this stack as the client (may be given more than once); `windtunnel peers list` names them.
    /// `exec:COMMAND` is a program over loopback, in real time; its words {port}, {psk}, {identity}, {cert}, {key}, {ca},
    /// {name} and {mtu} are replaced
    #[arg(long, value_name = "STACK")]
    client: Vec<String>,
    /// Only this stack as the server (may be given more than once)
    #[arg(long, value_name = "STACK")]
    server: Vec<String>,
    /// This seed instead of those of the scenario
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// These seeds, first and last, instead of those of the scenario
    #[arg(long, value_name = "A..B")]
    seeds: Option<Seeds>,
    /// Folder for results and captures
    #[arg(long, value_name = "DIR", default_value = "windtunnel-out")]
    out: PathBuf,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Also write what each end's interface sees, as ...-client.pcapng and ...-server.pcapng
    #[arg(long)]
    vantage: bool,
    /// Runs at the same time; all cores if not given. The results are the same for every number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Print failures and the summary only
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table for people
    Table,
    /// One JSON object a line, as in results.jsonl
    Json,
    /// A JUnit report
    Junit,
}

/// Seeds from the first to the last, both included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seeds(u64, u64);

impl Seeds {
    /// First and last.
    pub(super) fn ends(self) -> (u64, u64) {
        (self.0, self.1)
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a range of seeds such as `1..50`");
        let (first, last) = text.split_once("..").ok_or_else(wrong)?;
        let (first, last) = (first.parse().map_err(|_| wrong())?, last.parse().map_err(|_| wrong())?);
        if first > last {
            return Err(format!("the first seed, {first}, is after the last, {last}"));
        }
        Ok(Self(first, last))
    }
}

pub(super) fn run(args: RunArgs) -> Result<Outcome, Report> {
    // Everything that can be wrong with the input is found before anything is written.
    let scenarios: Vec<_> = scenario::collect(&args.paths)?.into_iter().map(Arc::new).collect();
    let findings = findings::beside(&args.paths)?;
    let clients = stacks(&args.client)?;
    let servers = stacks(&args.server)?;
    let seeds = args.seeds.map(Seeds::ends).or(args.seed.map(|seed| (seed, seed)));
    let plans = run::plans(&scenarios, &clients, &servers, seeds);
    let folder = Folder::create(&args.out)?;

    let rows = run::fly_all(&plans, &findings, args.jobs, |flight, row| {
        let plan = &flight.plan;
        if plan.seed == seeds.unwrap_or(plan.scenario.seeds).0 || row.verdict.is_bad() {
            row.capture = captures(&folder, flight, args.vantage)?;
        }
        Ok(())
    })?;
    let lines: String = rows.iter().map(Row::json_line).collect();
    let results = folder.write("results.jsonl", lines.as_bytes())?;

    let bad = rows.iter().any(|row| row.verdict.is_bad());
    match args.format {
        Format::Json => print(&lines),
        Format::Junit => print(&row::junit(&rows)),
        Format::Table => {
            let paint = paint();
            let mut text = if args.quiet { String::new() } else { table::grid(&rows, paint) };
            text += &table::failures(&rows, &folder.root().display().to_string(), paint);
            text += if text.is_empty() { "" } else { "\n" };
            text += &table::summary(&rows, paint);
            if !args.quiet {
                text += &format!("results: {}\n", results.display());
            }
            print(&text);
        }
    }
    Ok(if bad { Outcome::Failed } else { Outcome::Good })
}

/// The stacks called for, or all of this build.
fn stacks(names: &[String]) -> Result<Vec<Arc<dyn Stack>>, Report> {
    if names.is_empty() {
        return Ok(stack::registry());
    }
    let mut stacks: Vec<Arc<dyn Stack>> = Vec::new();
    for name in names {
        let stack = super::peers::probed(name)?;
        if stacks.iter().all(|other| other.name() != stack.name()) {
            stacks.push(stack);
        }
    }
    Ok(stacks)
}

/// Writes the capture of a run, and those of both ends if wanted; the name of the first, below the folder.
pub(super) fn captures(folder: &Folder, flight: &Flight, vantage: bool) -> Result<Option<String>, Report> {
    let stem = capture_stem(&flight.plan);
    let Some(wire) = flight.capture(View::Wire) else { return Ok(None) };
    let name = format!("{stem}.pcapng");
    folder.write(&name, &wire)?;
    for role in Role::BOTH.into_iter().filter(|_| vantage) {
        if let Some(capture) = flight.capture(View::At(role)) {
            folder.write(&format!("{stem}-{role}.pcapng"), &capture)?;
        }
    }
    Ok(Some(name))
}

/// `<topic>/<behaviour>/<client>_vs_<server>-seed<N>`.
fn capture_stem(plan: &Plan) -> String {
    let Plan { scenario, client, server, seed } = plan;
    format!("{}/{}_vs_{}-seed{seed}", scenario.name, client.name(), server.name())
}

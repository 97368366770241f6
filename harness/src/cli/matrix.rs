//! `windtunnel matrix`: every scenario over every pair of stacks, plugins included.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use miette::Report;

use super::files::Folder;
use super::run::{Seeds, captures};
use super::{Outcome, paint, peers, print};
use crate::output::row::{self, Row};
use crate::output::{matrix, table};
use crate::run;
use crate::scenario::{self, findings};
use crate::stack::plugin::{self, RECIPES};
use crate::stack::{self, Stack};

/// Run scenarios with all pairs of stacks, plugins included, and print who gets on with whom
///
/// Writes to DIR results.jsonl, a line for each run, and a capture for each run that failed.
///
/// Exit code: 0 nothing failed, 1 a run failed, 2 bad input (nothing was run).
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct MatrixArgs {
    /// Scenario files, or folders of them
    #[arg(value_name = "PATH", default_value = "scenarios")]
    paths: Vec<PathBuf>,
    /// These stacks instead of all that are built in or built as plugins
    #[arg(long, value_name = "STACK,...", value_delimiter = ',')]
    peers: Vec<String>,
    /// This seed instead of those of the scenario
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// These seeds, first and last, instead of those of the scenario
    #[arg(long, value_name = "A..B")]
    seeds: Option<Seeds>,
    /// Folder for results and captures
    #[arg(long, value_name = "DIR", default_value = "windtunnel-out/matrix")]
    out: PathBuf,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Runs at the same time; all cores if not given. The results are the same for every number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table for people
    Table,
    /// One JSON object a line, as in results.jsonl
    Json,
    /// A JUnit report
    Junit,
    /// A table for a page, and the tokens of failures
    Markdown,
}

pub(super) fn matrix(args: MatrixArgs) -> Result<Outcome, Report> {
    let scenarios: Vec<_> = scenario::collect(&args.paths)?.into_iter().map(Arc::new).collect();
    let findings = findings::beside(&args.paths)?;
    let stacks = stacks(&args.peers)?;
    let seeds = args.seeds.map(Seeds::ends).or(args.seed.map(|seed| (seed, seed)));
    let plans = run::plans(&scenarios, &stacks, &stacks, seeds);
    let folder = Folder::create(&args.out)?;

    let bar = ProgressBar::with_draw_target(Some(plans.len() as u64), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let flown = run::fly_all(&plans, &findings, args.jobs, |flight, row| {
        if row.verdict.is_bad() {
            row.capture = captures(&folder, flight, false)?;
        }
        bar.inc(1);
        Ok(())
    });
    bar.finish_and_clear();
    let rows = flown?;
    let lines: String = rows.iter().map(Row::json_line).collect();
    let results = folder.write("results.jsonl", lines.as_bytes())?;

    match args.format {
        Format::Json => print(&lines),
        Format::Junit => print(&row::junit(&rows)),
        Format::Markdown => print(&matrix::markdown(&rows)),
        Format::Table => {
            let mut text = matrix::text(&rows);
            text += &format!("\n{}\n", matrix::LEGEND);
            text += &table::failures(&rows, &folder.root().display().to_string(), paint());
            text += &format!("\n{}", table::summary(&rows, paint()));
            if args.peers.is_empty() {
                text += &absent();
            }
            text += &format!("results: {}\n", results.display());
            print(&text);
        }
    }
    Ok(if rows.iter().any(|row| row.verdict.is_bad()) { Outcome::Failed } else { Outcome::Good })
}

/// The stacks called for, or all that are there.
fn stacks(names: &[String]) -> Result<Vec<Arc<dyn Stack>>, Report> {
    let mut stacks = if names.is_empty() { stack::registry() } else { Vec::new() };
    let built = if names.is_empty() { plugin::built() } else { Vec::new() };
    for name in names.iter().chain(&built) {
        let stack = peers::probed(name)?;
        if stacks.iter().all(|other| other.name() != stack.name()) {
            stacks.push(stack);
        }
    }
    Ok(stacks)
}

/// What could have flown as well.
fn absent() -> String {
    let built = plugin::built();
    let names = RECIPES.iter().map(|recipe| recipe.name).filter(|name| built.iter().all(|built| built != name));
    let names: Vec<&str> = names.collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!("skipped, not built: {}; `windtunnel peers build {}`\n", names.join(", "), names.join(" ")),
    }
}

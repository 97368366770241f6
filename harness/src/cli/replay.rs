//! `windtunnel replay`: the run a token names, again.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use miette::{Report, miette};

use super::files::Folder;
use super::{Outcome, paint, print};
use crate::output::table;
use crate::output::token::Token;
use crate::plan::Plan;
use crate::run;
use crate::scenario::{self, Scenario, findings};

/// Repeat the run a token names: print its ladder and verdict, write its capture
///
/// Exit code: 0 the same run and nothing failed, 1 the run failed or its bytes differ from the token's, 2 bad input.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// As `run` and the tests print it
    token: String,
    /// Folder of the scenario files
    #[arg(long, value_name = "DIR", default_value = "scenarios")]
    scenarios: PathBuf,
    /// Folder for the capture
    #[arg(long, value_name = "DIR", default_value = "windtunnel-out")]
    out: PathBuf,
    /// Also write what each end's interface sees
    #[arg(long)]
    vantage: bool,
}

pub(super) fn replay(args: ReplayArgs) -> Result<Outcome, Report> {
    let token: Token = args.token.parse().map_err(|error| miette!("{error}"))?;
    let plan = Plan {
        scenario: Arc::new(find(&token, &args)?),
        client: super::peers::probed(&token.client)?,
        server: super::peers::probed(&token.server)?,
        seed: token.seed,
    };
    let findings = findings::beside(std::slice::from_ref(&args.scenarios))?;
    let folder = Folder::create(&args.out)?;
    let flight = run::fly(&plan, &findings);
    let mut row = flight.row();
    row.capture = super::run::captures(&folder, &flight, args.vantage)?;

    let mut text = format!(
        "{}: {} client, {} server, seed {}\n\n{}\n",
        plan.scenario.name,
        plan.client.name(),
        plan.server.name(),
        plan.seed,
        flight.ladder().unwrap_or_default()
    );
    text += &match (token.hash, flight.hash()) {
        (None, _) => {
            "one of these stacks draws randomness that no seed sets: the timing repeats, the bytes do not\n".to_owned()
        }
        (Some(wanted), Some(found)) if wanted == found => format!("the same run again, trace {found:016x}\n"),
        (Some(wanted), Some(found)) => {
            format!(
                "NOT the same run: trace {found:016x}, the token's is {wanted:016x}; the stacks or windtunnel have changed since\n"
            )
        }
        (Some(_), None) => "NOT the same run: it did not take place\n".to_owned(),
    };
    let same = token.hash.is_none() || token.hash == flight.hash();
    text += &table::verdict(&row, &folder.root().display().to_string(), paint());
    print(&text);
    Ok(if same && !row.verdict.is_bad() { Outcome::Good } else { Outcome::Failed })
}

/// The scenario of a token, if it is still the one the token was made from.
fn find(token: &Token, args: &ReplayArgs) -> Result<Scenario, Report> {
    let path = args.scenarios.join(format!("{}.yaml", token.scenario));
    if !path.is_file() {
        return Err(miette!(
            help = "name the folder of the scenario files with `--scenarios DIR`",
            "no scenario {} in {}",
            token.scenario,
            args.scenarios.display()
        ));
    }
    let scenario = scenario::load(&path)?;
    if !token.fits(&scenario.digest) {
        return Err(miette!(
            help = "check out the version of the file that the token was made from, or `run` it anew",
            "{} has changed since the token was made",
            path.display()
        ));
    }
    Ok(scenario)
}

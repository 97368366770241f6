//! `check`, `schema`, `profiles`: help for people who write scenarios.

use std::path::PathBuf;

use clap::Args;
use miette::Report;

use super::{Outcome, print};
use crate::scenario::{self, profile};

/// Check scenario files without running them
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Scenario files, or folders of them
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

pub(super) fn check(args: CheckArgs) -> Result<Outcome, Report> {
    let scenarios = scenario::collect(&args.paths)?;
    let text: String = scenarios.iter().map(|scenario| format!("ok  {}  {}\n", scenario.name, scenario.goal)).collect();
    print(&text);
    Ok(Outcome::Good)
}

pub(super) fn schema() -> Result<Outcome, Report> {
    print(&format!("{:#}\n", scenario::schema()));
    Ok(Outcome::Good)
}

pub(super) fn profiles() -> Result<Outcome, Report> {
    let profiles = profile::all();
    let width = profiles.iter().map(|profile| profile.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for profile in profiles {
        text += &format!("{:width$}  {}\n", profile.name, profile.about);
        text += &format!("{:width$}  not modelled: {}\n", "", profile.omits.trim_end());
        for (figure, origin) in &profile.origins {
            text += &format!("{:width$}    {figure}: {origin}\n", "");
        }
    }
    print(&text);
    Ok(Outcome::Good)
}

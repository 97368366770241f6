//! The command line: words in, exit code out. Decides nothing about runs.

mod files;
mod lists;
mod matrix;
mod peers;
mod proof;
mod replay;
mod run;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A wind tunnel for DTLS flights: real DTLS stacks on a simulated network that is bad in a controlled way.
#[derive(Debug, Parser)]
#[command(name = "windtunnel", version, arg_required_else_help = true, max_term_width = 110)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    Matrix(matrix::MatrixArgs),
    Replay(replay::ReplayArgs),
    Check(lists::CheckArgs),
    /// Print the JSON Schema of scenario files, for editors
    Schema,
    /// List the link profiles a scenario can start from
    Profiles,
    /// The stacks that can fly
    Peers {
        #[command(subcommand)]
        command: peers::PeersCommand,
    },
}

/// How a command that could do its work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing failed.
    Good,
    /// A verdict was bad, or a replay was not the same.
    Failed,
}

/// Runs the command in the arguments of this process. 0: all well, 1: a run failed, 2: bad input.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match args.command {
        Command::Run(args) => run::run(args),
        Command::Matrix(args) => matrix::matrix(args),
        Command::Replay(args) => replay::replay(args),
        Command::Check(args) => lists::check(args),
        Command::Schema => lists::schema(),
        Command::Profiles => lists::profiles(),
        Command::Peers { command } => peers::peers(command),
    };
    match outcome {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::from(1),
        Err(report) => {
            // A closed stderr is no reason to end in another way.
            let _ = writeln!(io::stderr(), "{report:?}");
            ExitCode::from(2)
        }
    }
}

/// Writes to standard output. A reader that has seen enough and left (`| head`) is no error: the exit code still counts.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Whether standard output wants colour.
fn paint() -> crate::output::table::Paint {
    use std::io::IsTerminal;
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    crate::output::table::Paint { colour: io::stdout().is_terminal() && !plain }
}

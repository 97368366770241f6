//! `cargo run --release --manifest-path dtls-impl/bench/Cargo.toml`: runs the benchmark three times, or as often as its
//! argument says, and prints a line per row: `native` beside its floor and the others.

use std::process::{Command, ExitCode, Stdio};

use dtls_bench::table;

fn main() -> ExitCode {
    let count = std::env::args().nth(1).map_or(Ok(3), |count| count.parse::<usize>());
    let Ok(count) = count else {
        eprintln!("usage: dtls-bench [runs]");
        return ExitCode::FAILURE;
    };
    let mut runs = Vec::new();
    for run in 1..=count {
        eprintln!("run {run} of {count}");
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let bench =
            Command::new("cargo").args(["bench", "--manifest-path", manifest]).stderr(Stdio::inherit()).output();
        match bench {
            Ok(output) if output.status.success() => runs.push(table::read(&String::from_utf8_lossy(&output.stdout))),
            Ok(output) => {
                eprintln!("the benchmark ended with {}", output.status);
                return ExitCode::FAILURE;
            }
            Err(error) => {
                eprintln!("cargo: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    print!("{}", table::print(&runs));
    ExitCode::SUCCESS
}

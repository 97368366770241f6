//! The `windtunnel` command: see `windtunnel::cli`.

fn main() -> std::process::ExitCode {
    windtunnel::cli::main()
}

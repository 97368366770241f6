//! Plugins from end to end: the template is compiled, checked and flown; copies of it that break the interface, each in
//! one way, end in one message or in an `error`, never in a hang or a crash.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const SCENARIO: &str = "windtunnel: 1
goal: A hello, an answer, two messages and their echoes.
clauses: [RFC 6347 §4.1]
credentials: psk
endpoints: {server: {cookie: false}}
workload: {messages: 2}
network: {delay: 25 ms}
expect:
  - echo: 2
";

/// A folder with one plugin `template` and one scenario.
struct Bench {
    folder: TempDir,
}

impl Bench {
    /// The template itself.
    fn template() -> Self {
        Self::compile("harness/peers/template/peer_template.c", None)
    }

    /// The template with one thing wrong: a name from `bad.c`.
    fn bad(what: &str) -> Self {
        Self::compile("tests/plugins/bad.c", Some(what))
    }

    fn compile(source: &str, bad: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut cc = Command::new("cc");
        cc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-I"])
            .arg(root.join("harness/peers"));
        cc.args(bad.map(|bad| format!("-DBAD={bad}")));
        cc.arg("-o").arg(folder.path().join("peer_template.so")).arg(root.join(source));
        let output = cc.output().expect("there is a C compiler");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::write(folder.path().join("toy.yaml"), SCENARIO).unwrap();
        Self { folder }
    }

    fn windtunnel(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windtunnel"));
        command.env("WINDTUNNEL_PEERS", self.folder.path()).env("NO_COLOR", "1").current_dir(self.folder.path());
        command.args(arguments).output().unwrap()
    }

    fn run(&self, more: &[&str]) -> Output {
        self.windtunnel(&[&["run", "toy.yaml", "--client", "template", "--server", "template"], more].concat())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a refusal says, without the frame around it.
fn flat(bytes: &[u8]) -> String {
    text(bytes).split_whitespace().filter(|word| !["│", "×"].contains(word)).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_template_is_listed_checked_and_flown() {
    let bench = Bench::template();
    let list = text(&bench.windtunnel(&["peers", "list"]).stdout);
    let line = list.lines().find(|line| line.starts_with("template ")).unwrap_or_else(|| panic!("{list}"));
    assert_eq!(line.split_whitespace().take(5).collect::<Vec<_>>(), ["template", "1", "bytes", "the", "template"]);

    let check = bench.windtunnel(&["peers", "check", "template"]);
    let said = text(&check.stdout);
    assert_eq!(check.status.code(), Some(0), "{said}{}", text(&check.stderr));
    assert_eq!(said.lines().filter(|line| line.starts_with("  ok")).count(), 7, "{said}");

    // It does what its scenario asks, and is seen for what it is: no DTLS.
    let run = bench.run(&["--format", "json"]);
    let row: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(row["verdict"], "fail", "{row}");
    let failed: Vec<&str> =
        row["failed"].as_array().unwrap().iter().map(|failed| failed["id"].as_str().unwrap()).collect();
    assert_eq!(failed, ["well-formed", "well-formed"], "{row}");
    assert_eq!(row["datagrams"]["sent"], 6, "{row}");
    assert_eq!(bench.run(&["--format", "json"]).stdout, run.stdout, "the same bytes again");
}

#[test]
fn options_that_it_refuses_are_unsupported() {
    let bench = Bench::template();
    for (from, to, reason) in [
        ("{cookie: false}", "{cookie: true}", "template as the server: has no cookies"),
        ("credentials: psk\n", "", "template as the client: has no certificates"),
        ("credentials: psk\n", "credentials: psk\ndtls: 1.3\n", "template as the client: does not speak DTLS 1.3"),
    ] {
        std::fs::write(bench.folder.path().join("toy.yaml"), SCENARIO.replace(from, to)).unwrap();
        let row: serde_json::Value = serde_json::from_slice(&bench.run(&["--format", "json"]).stdout).unwrap();
        assert_eq!((&row["verdict"], &row["reason"]), (&"unsupported".into(), &reason.into()));
    }
}

#[test]
fn a_plugin_that_cannot_be_loaded_says_why_and_nothing_is_run() {
    for (bad, message) in [
        ("VERSION", "speaks version 99 of the interface, not 1: build it anew"),
        ("SYMBOL", "is no plugin: it does not export `windtunnel_peer`"),
        ("NO_TABLE", "returns no table"),
        ("SMALL_TABLE", "has a table of 16 B, not 160: it was built with another header"),
        ("NO_FUNCTION", "has no function `deadline` in its table"),
        ("CRASH", "crashes when it is loaded: signal: 6 (SIGABRT)"),
        ("UNPREPARED", "could not be prepared: the moon is not full"),
        ("NAME", "calls itself \"somebody\", and its file is"),
    ] {
        let bench = Bench::bad(bad);
        let run = bench.run(&[]);
        let said = flat(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{bad}: {said}");
        assert!(said.starts_with(&format!("the plugin `template` {message}")), "{bad}: {said}");
        assert!(!bench.folder.path().join("windtunnel-out").exists(), "{bad}: something was written");
    }
    let bench = Bench::template();
    std::fs::write(bench.folder.path().join("peer_template.so"), "not a library").unwrap();
    let said = flat(&bench.run(&[]).stderr);
    assert!(said.starts_with("the plugin `template` cannot be loaded: "), "{said}");
    let said = flat(&bench.windtunnel(&["run", "toy.yaml", "--client", "wolfssl"]).stderr);
    assert!(said.starts_with("`wolfssl` is a plugin that is not built: `windtunnel peers build wolfssl`"), "{said}");
}

#[test]
fn a_plugin_that_breaks_the_interface_ends_its_run_as_an_error() {
    for (bad, message) in [
        ("NO_CONTEXT", ": there is no room"),
        ("LARGE_DATAGRAM", ": returned 65508 B where at most 65507 can be"),
        ("NULL_DATAGRAM", ": returned 22 B where at most 65507 can be"),
        ("NO_ADDRESS", ": sends to \"the other one\", which is no address"),
        ("UNKNOWN_EVENT", ": reported event 77, which is nothing known"),
        ("PAST_DEADLINE", ": spun: more than 20480 calls at one instant"),
        ("ENDLESS_DATAGRAMS", ": flooded: more than 4096 datagrams at one instant"),
        ("ENDLESS_EVENTS", ": spun: more than 20480 calls at one instant"),
    ] {
        let run = Bench::bad(bad).run(&["--format", "json"]);
        assert_eq!(run.status.code(), Some(1), "{bad}: {}", text(&run.stderr));
        let row: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!(row["verdict"], "error", "{bad}: {row}");
        // Whichever end comes to it first.
        let reason = row["reason"].as_str().unwrap();
        let role = reason.strip_suffix(message).unwrap_or_else(|| panic!("{bad}: {reason}"));
        assert!(
            role.ends_with("template as the client") || role.ends_with("template as the server"),
            "{bad}: {reason}"
        );
    }
}

#[test]
fn a_plugin_that_looks_at_the_real_clock_does_not_pass_its_check() {
    let check = Bench::bad("CLOCK").windtunnel(&["peers", "check", "template"]);
    let said = text(&check.stdout);
    assert_eq!(check.status.code(), Some(1), "{said}");
    assert!(said.contains("FAIL  the same runs once more in this process: 16 of 16 differ"), "{said}");
}

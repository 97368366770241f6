//! The command line from end to end: what it prints, leaves behind and returns. Bad input leaves nothing behind.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const GOOD: &str = "\
windtunnel: 1
goal: A full handshake.
clauses: [RFC 6347 §4.2.1]
network: {delay: 25 ms}
expect:
  - handshake: completes
  - echo: 1
";

/// The second transmission of the ClientHello never arrives in time: fails at `count`.
const BAD_EXPECTATION: &str = "\
windtunnel: 1
goal: A demand that no run meets.
clauses: [RFC 6347 §4.2.4]
network: {delay: 25 ms}
expect:
  - transmissions: {flight: 1, count: 7}
";

/// An empty place with `scenarios/topic/<name>.yaml` files.
fn place(files: &[(&str, &str)]) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir_all(place.path().join("scenarios/topic")).unwrap();
    for (name, text) in files {
        fs::write(place.path().join(format!("scenarios/topic/{name}.yaml")), text).unwrap();
    }
    place
}

fn windtunnel(place: &Path, args: &[impl AsRef<OsStr>]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_windtunnel")).args(args).current_dir(place).output().unwrap()
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn run(place: &TempDir, line: &str) -> Output {
    windtunnel(place.path(), &words(line))
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// All files below a folder with their bytes.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut tree = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in next.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                tree.insert(name, fs::read(path).unwrap());
            }
        }
    }
    tree
}

#[test]
fn bad_input_ends_with_2_says_where_and_leaves_nothing_behind() {
    let table: &[(&str, String, &str, &[&str])] = &[
        ("a typo in a key", GOOD.replace("goal", "gaol"), "run", &["topic/x.yaml:2:1", "gaol", "goal"]),
        ("an unknown key", GOOD.replace("{delay", "{colour: red, delay"), "run", &["topic/x.yaml:4:11", "colour"]),
        ("a unit that is none", GOOD.replace("25 ms", "25 parsec"), "run", &["topic/x.yaml:4:18", "parsec"]),
        ("a number without its unit", GOOD.replace("25 ms", "25"), "run", &["topic/x.yaml:4:18", "ms"]),
        (
            "a selector that can match nothing",
            format!("{GOOD}faults:\n  - drop: {{flight: 1, message: finished}}\n"),
            "run",
            &["topic/x.yaml:9:"],
        ),
        (
            "a flight that does not exist",
            format!("{GOOD}faults:\n  - drop: {{flight: 9}}\n"),
            "run",
            &["topic/x.yaml:9:"],
        ),
        ("broken YAML", format!("{GOOD}  ]: ["), "run", &["topic/x.yaml:"]),
        (
            "a file that is not there",
            GOOD.into(),
            "run scenarios/topic/y.yaml",
            &["scenarios/topic/y.yaml", "no such file"],
        ),
        ("a folder without scenarios", GOOD.into(), "run empty", &["empty", "no scenario"]),
        ("an unknown stack", GOOD.into(), "run --client natvie", &["natvie", "native"]),
        ("a range that is none", GOOD.into(), "run --seeds 5", &["--seeds", "1..50"]),
        ("a range backwards", GOOD.into(), "run --seeds 5..1", &["first seed, 5"]),
        ("no jobs", GOOD.into(), "run --jobs 0", &["--jobs"]),
        ("a format that is none", GOOD.into(), "run --format xml", &["xml", "junit"]),
        ("a folder that is a file", GOOD.into(), "run --out blocked/out", &["blocked/out", "--out DIR"]),
        ("a command that is none", GOOD.into(), "fly", &["fly"]),
        ("no token", GOOD.into(), "replay hello", &["not a token"]),
        ("a token of another version", GOOD.into(), "replay wt0.topic/x.00000000.native.native.1.-", &["wt0", "wt1"]),
        (
            "a token of no scenario",
            GOOD.into(),
            "replay wt1.topic/z.00000000.native.native.1.-",
            &["topic/z", "scenarios", "--scenarios DIR"],
        ),
        (
            "a token of a changed scenario",
            GOOD.into(),
            "replay wt1.topic/x.00000000.native.native.1.-",
            &["topic/x.yaml", "has changed since"],
        ),
        ("bad input for check", GOOD.replace("goal", "gaol"), "check scenarios", &["topic/x.yaml:2:1"]),
    ];
    for (what, text, line, said) in table {
        let place = place(&[("x", text)]);
        fs::create_dir(place.path().join("empty")).unwrap();
        fs::write(place.path().join("blocked"), "").unwrap();
        let before = tree(place.path());
        let output = run(&place, line);
        let error = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{what}: {error}");
        for word in *said {
            assert!(error.contains(word), "{what}: `{word}` is not in\n{error}");
        }
        assert_eq!(stdout(&output), "", "{what}");
        assert_eq!(tree(place.path()), before, "{what}");
        assert!(!place.path().join("windtunnel-out").exists(), "{what}");
    }
}

#[test]
fn one_bad_file_keeps_all_others_from_running() {
    let place = place(&[("a", GOOD), ("z", "windtunnel: 1\n")]);
    let output = run(&place, "run");
    assert_eq!(output.status.code(), Some(2));
    assert!(!place.path().join("windtunnel-out").exists());
}

#[cfg(unix)]
#[test]
fn an_unwritable_folder_is_bad_input() {
    use std::os::unix::fs::PermissionsExt;
    let place = place(&[("x", GOOD)]);
    let out = place.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::set_permissions(&out, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(out.join("probe"), "").is_ok() {
        return; // whoever may do everything cannot see this
    }
    let output = run(&place, "run --out out");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn a_run_leaves_results_and_captures_and_prints_a_table() {
    let place = place(&[("x", GOOD)]);
    let output = run(&place, "run --client native --server native");
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let table = stdout(&output);
    for word in ["topic", "x", "native", "pass", "1 run of 1 scenario: 1 pass"] {
        assert!(table.contains(word), "`{word}` is not in\n{table}");
    }
    assert!(!table.contains('\x1b'), "no colour without a terminal");
    let files: Vec<String> = tree(&place.path().join("windtunnel-out")).into_keys().collect();
    assert_eq!(files, ["results.jsonl", "topic/x/native_vs_native-seed1.pcapng"]);
    let results = fs::read_to_string(place.path().join("windtunnel-out/results.jsonl")).unwrap();
    let row: serde_json::Value = serde_json::from_str(&results).unwrap();
    assert_eq!(row["verdict"], "pass");
    assert_eq!(row["capture"], "topic/x/native_vs_native-seed1.pcapng");
    assert_eq!(row["determinism"], "bytes");
    assert_eq!(row["datagrams"]["dropped"], 0);
}

#[test]
fn a_failed_run_returns_1_and_its_token_replays_it() {
    let place = place(&[("x", BAD_EXPECTATION)]);
    let output = run(&place, "run --client native --server native --quiet");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("transmissions") && text.contains("RFC 6347 §4.2.4"), "{text}");
    let command = text.lines().find_map(|line| line.split("windtunnel replay ").nth(1)).expect("a command").trim();

    let output = windtunnel(place.path(), &["replay", command, "--out", "again"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}{}", stderr(&output));
    for word in ["ClientHello", "the same run again", "transmissions"] {
        assert!(text.contains(word), "`{word}` is not in\n{text}");
    }
    let first = tree(&place.path().join("windtunnel-out"));
    let again = tree(&place.path().join("again"));
    let capture = "topic/x/native_vs_native-seed1.pcapng";
    assert_eq!(first[capture], again[capture]);
}

#[test]
fn a_replay_of_other_bytes_returns_1() {
    let place = place(&[("x", GOOD)]);
    let output = run(&place, "run --client native --server native --format json");
    let row: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let token = row["token"].as_str().unwrap();
    let good = windtunnel(place.path(), &["replay", token]);
    assert_eq!(good.status.code(), Some(0), "{}", stdout(&good));
    let (begin, _) = token.rsplit_once('.').unwrap();
    let other = windtunnel(place.path(), &["replay", &format!("{begin}.0123456789abcdef")]);
    assert_eq!(other.status.code(), Some(1));
    assert!(stdout(&other).contains("NOT the same run"), "{}", stdout(&other));
}

#[test]
fn two_runs_leave_the_same_bytes_whatever_the_number_of_jobs() {
    let lossy = GOOD.replace("{delay: 25 ms}", "{delay: {base: 5 ms, uniform: 40 ms}, loss: 10 %}");
    let lossy = lossy.replace("clauses", "seeds: 1..8\nclauses");
    let place = place(&[("a", GOOD), ("b", &lossy)]);
    let stacks = "--client native --client dimpl --server native --server dimpl";
    let mut trees = Vec::new();
    for (out, jobs) in [("one", "--jobs 1"), ("two", "--jobs 1"), ("many", "--jobs 7"), ("all", "")] {
        let output = run(&place, &format!("run {stacks} --vantage --out {out} {jobs}"));
        assert_ne!(output.status.code(), Some(2), "{}", stderr(&output));
        trees.push(tree(&place.path().join(out)));
    }
    let first = &trees[0];
    assert_eq!(first["results.jsonl"].iter().filter(|byte| **byte == b'\n').count(), 36);
    for tree in &trees[1..] {
        assert!(first.keys().eq(tree.keys()));
        for (name, bytes) in tree {
            assert!(first[name] == *bytes, "{name} differs");
        }
    }
}

#[test]
fn formats_for_tools_are_alone_on_standard_output() {
    let place = place(&[("x", GOOD)]);
    let json = run(&place, "run --client native --server native --format json");
    for line in stdout(&json).lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    let junit = stdout(&run(&place, "run --client native --server native --format junit"));
    assert!(junit.starts_with("<?xml") && junit.trim_end().ends_with("</testsuites>"), "{junit}");
}

#[test]
fn lists_for_authors_print_and_return_0() {
    let place = place(&[("x", GOOD)]);
    for (line, word) in [
        ("check scenarios", "topic/x"),
        ("schema", "\"$schema\""),
        ("profiles", "ideal"),
        ("peers list", "native"),
        ("--version", "windtunnel"),
        ("run --help", "results.jsonl"),
    ] {
        let output = run(&place, line);
        assert_eq!(output.status.code(), Some(0), "{line}: {}", stderr(&output));
        assert!(stdout(&output).contains(word), "{line}: {}", stdout(&output));
    }
    serde_json::from_str::<serde_json::Value>(&stdout(&run(&place, "schema"))).unwrap();
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let place = place(&[("x", GOOD)]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_windtunnel"))
        .arg("schema")
        .current_dir(place.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn a_program_flies_in_real_time_or_says_why_it_does_not() {
    let place = place(&[("good", GOOD)]);
    let with =
        |server: &str| windtunnel(place.path(), &["run", "--format", "json", "--client", "native", "--server", server]);
    let refused = with("exec:openssl s_server");
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("the command has no place for the port"), "{}", stderr(&refused));

    for (command, verdict, reason) in [
        (
            "exec:openssl s_server -accept {port}",
            "unsupported",
            "exec-openssl as the server: its command has no {cert}",
        ),
        ("exec:false {port} {cert} {key}", "error", "exec-false as the server: `false` does not listen at 127.0.0.1:"),
        (
            "exec:no/such/program {port} {cert} {key}",
            "error",
            "exec-program as the server: cannot start `no/such/program`",
        ),
    ] {
        let output = with(command);
        let row: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(row["verdict"], verdict, "{row}");
        assert_eq!(row["determinism"], "wall-clock", "{row}");
        assert!(row["reason"].as_str().unwrap().starts_with(reason), "{row}");
    }
}

#[test]
fn a_matrix_has_a_cell_for_each_pair() {
    let place = place(&[("good", GOOD), ("bad", BAD_EXPECTATION)]);
    let output = run(&place, "matrix --peers native,dimpl");
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(
        text.starts_with(
            "client \\ server  native  dimpl\nnative           1 1F    1 1F\ndimpl            1 1F    1 1F\n"
        ),
        "{text}"
    );
    let tokens = text.matches("windtunnel replay wt1.topic/bad.").count();
    assert_eq!(tokens, 4, "{text}");
    assert_eq!(text, stdout(&run(&place, "matrix --peers native,dimpl --jobs 1")), "on one thread as on all");
    let markdown = stdout(&run(&place, "matrix --peers native --format markdown --seed 3"));
    assert!(markdown.contains("| native | 1 1F |") && markdown.contains("seed 3: transmissions"), "{markdown}");
    let unknown = run(&place, "matrix --peers native,opnssl");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("did you mean `openssl`"), "{}", stderr(&unknown));
}

//! One result as data: a JSON line, a JUnit test case. Fields keep their order, so equal runs give equal lines.

use std::fmt::Write as _;

use serde::Serialize;

use crate::stack::Determinism;

/// What came of a run, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything held.
    Pass,
    /// It failed as a finding about a foreign stack says.
    Known,
    /// A stack cannot be what the scenario asks for; nothing was run.
    Unsupported,
    /// A rule or an expectation was broken.
    Fail,
    /// The harness or the adapter of a stack broke; the run says nothing about the protocol.
    Error,
}

impl Verdict {
    /// All of them, best first.
    pub const ALL: [Self; 5] = [Self::Pass, Self::Known, Self::Unsupported, Self::Fail, Self::Error];

    /// Whether a set of runs with this one among them has failed.
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Fail | Self::Error)
    }
}

/// What was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Rule of the catalogue, or kind of the expectation.
    pub id: String,
    /// Clause of the RFC, empty if there is none.
    pub clause: String,
    /// What was seen, and what should have been.
    pub detail: String,
}

/// Datagrams of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Datagrams {
    /// Given to the network.
    pub sent: u64,
    /// Arrived, copies included.
    pub delivered: u64,
    /// Lost.
    pub dropped: u64,
}

/// UDP payload of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bytes {
    /// Sent by the client.
    pub client: u64,
    /// Sent by the server.
    pub server: u64,
}

/// The result of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// `topic/behaviour`.
    pub scenario: String,
    /// Stack of the client.
    pub client: String,
    /// Stack of the server.
    pub server: String,
    /// Seed.
    pub seed: u64,
    /// What came of it.
    pub verdict: Verdict,
    /// Everything that was broken.
    pub failed: Vec<Failed>,
    /// Why nothing was run, or what the finding says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Virtual time at the end, in whole milliseconds.
    pub virtual_ms: u64,
    /// Datagrams.
    pub datagrams: Datagrams,
    /// Bytes of UDP payload.
    pub bytes: Bytes,
    /// What the run promises.
    pub determinism: Determinism,
    /// Hash of the trace, 16 hex digits; absent if nothing was run, or if it is not the same twice.
    pub hash: Option<String>,
    /// Repeats the run.
    pub token: String,
    /// The capture, relative to the folder of the results; absent if none was written.
    pub capture: Option<String>,
}

impl Row {
    /// One line of JSON, with its newline.
    pub fn json_line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("strings, numbers and lists always serialise");
        line.push('\n');
        line
    }
}

/// A JUnit report, a suite for each topic. Times are left out: virtual ones would be taken for real ones.
pub fn junit(rows: &[Row]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    line(&mut out, &format!("<testsuites name=\"windtunnel\" {}>", counts(rows)));
    let topic = |row: &Row| row.scenario.split('/').next().unwrap_or_default().to_owned();
    for suite in rows.chunk_by(|a, b| topic(a) == topic(b)) {
        let topic = topic(&suite[0]);
        line(&mut out, &format!("  <testsuite name=\"{}\" {}>", escape(&topic), counts(suite)));
        for row in suite {
            let behaviour = row.scenario.split_once('/').map_or("", |(_, behaviour)| behaviour);
            let name = format!("{behaviour}::{}_vs_{}::seed{}", row.client, row.server, row.seed);
            let case = format!("    <testcase classname=\"{}\" name=\"{}\"", escape(&topic), escape(&name));
            let reason = row.reason.as_deref().unwrap_or_default();
            let body = match row.verdict {
                Verdict::Pass => {
                    line(&mut out, &format!("{case}/>"));
                    continue;
                }
                Verdict::Known => format!("<skipped message=\"{}\"/>", escape(&format!("known: {reason}"))),
                Verdict::Unsupported => format!("<skipped message=\"{}\"/>", escape(reason)),
                Verdict::Fail => element("failure", row),
                Verdict::Error => element("error", row),
            };
            line(&mut out, &format!("{case}>{body}</testcase>"));
        }
        line(&mut out, "  </testsuite>");
    }
    line(&mut out, "</testsuites>");
    out
}

fn counts(rows: &[Row]) -> String {
    let count = |wanted: &[Verdict]| rows.iter().filter(|row| wanted.contains(&row.verdict)).count();
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        rows.len(),
        count(&[Verdict::Fail]),
        count(&[Verdict::Error]),
        count(&[Verdict::Known, Verdict::Unsupported])
    )
}

fn element(name: &str, row: &Row) -> String {
    let message = row.failed.iter().map(|failed| failed.id.as_str()).collect::<Vec<_>>().join(", ");
    let mut body = String::new();
    for Failed { id, clause, detail } in &row.failed {
        line(&mut body, &format!("{id} {clause}: {detail}"));
    }
    line(&mut body, &format!("windtunnel replay {}", row.token));
    format!("<{name} message=\"{}\">{}</{name}>", escape(&message), escape(&body))
}

/// Text for XML; control characters, which XML 1.0 cannot hold at all, become spaces.
fn escape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\n' => "\n".to_owned(),
            c if c.is_control() => " ".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

fn line(out: &mut String, line: &str) {
    writeln!(out, "{line}").expect("writing to memory cannot fail");
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn row(scenario: &str, client: &str, server: &str, seed: u64, verdict: Verdict) -> Row {
        Row {
            scenario: scenario.to_owned(),
            client: client.to_owned(),
            server: server.to_owned(),
            seed,
            verdict,
            failed: vec![],
            reason: None,
            virtual_ms: 0,
            datagrams: Datagrams::default(),
            bytes: Bytes::default(),
            determinism: Determinism::Bytes,
            hash: None,
            token: "wt1".to_owned(),
            capture: None,
        }
    }

    #[test]
    fn a_json_line_has_its_keys_in_a_fixed_order() {
        let line = row("a/b", "native", "dimpl", 7, Verdict::Pass).json_line();
        let expected = r#"{"scenario":"a/b","client":"native","server":"dimpl","seed":7,"verdict":"pass","failed":[],"virtual_ms":0,"datagrams":{"sent":0,"delivered":0,"dropped":0},"bytes":{"client":0,"server":0},"determinism":"bytes","hash":null,"token":"wt1","capture":null}"#;
        assert_eq!(line.trim_end(), expected);
    }

    #[test]
    fn a_junit_report_counts_and_escapes() {
        let mut bad = row("a/b", "native", "native", 1, Verdict::Fail);
        bad.failed.push(Failed { id: "x".into(), clause: String::new(), detail: "1 < 2 & \u{7}\"".into() });
        let report = junit(&[bad, row("c/d", "native", "native", 1, Verdict::Unsupported)]);
        assert!(report.contains("tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"1\""), "{report}");
        assert!(report.contains("1 &lt; 2 &amp;  &quot;"), "{report}");
        assert_eq!(report.matches("<testsuite ").count(), 2);
    }
}

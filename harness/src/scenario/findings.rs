//! Failures of foreign stacks that somebody has verified as theirs: such a run is `known`, not failed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::error::{Error, Source};
use super::load;
use super::text::{At, Number, Value};
use crate::endpoint::Role;

/// Name of the file, beside the topics.
const FILE_NAME: &str = "findings.yaml";

/// One verified failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Short name of the stack that is at fault.
    pub stack: String,
    /// Its version, and all that only adds a number to it: `3.0` speaks of 3.0.19. Another version is not excused.
    pub version: String,
    /// The end it plays.
    pub role: Role,
    /// Name of the scenario, or `topic/*`.
    pub scenario: String,
    /// Only against this peer.
    pub peer: Option<String>,
    /// Kind of the expectation, or id of the rule, that fails; in at least one seed, or the finding is out of date.
    pub id: String,
    /// Others that may fail in its wake.
    pub with: Vec<String>,
    /// Clause it breaks, as `RFC 6347 §4.2.4`.
    pub clause: String,
    /// What was seen, and how it is known to be the stack's fault.
    pub reason: String,
    /// Replays a run that shows it.
    pub token: String,
    /// Line in the file.
    pub line: u32,
}

impl Finding {
    /// Whether it speaks of a failure `id` of this stack in this place.
    pub fn matches(&self, stack: &str, version: &str, role: Role, scenario: &str, peer: &str, id: &str) -> bool {
        let in_scenario = match self.scenario.strip_suffix("/*") {
            Some(topic) => scenario.split_once('/').is_some_and(|(found, _)| found == topic),
            None => scenario == self.scenario,
        };
        self.stack == stack
            && (version == self.version
                || version.strip_prefix(&self.version).is_some_and(|rest| rest.starts_with('.')))
            && self.role == role
            && in_scenario
            && self.peer.as_deref().is_none_or(|only| only == peer)
            && (self.id == id || self.with.iter().any(|other| other == id))
    }
}

/// The file as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct List {
    windtunnel: Value<Number>,
    findings: Vec<At<Entry>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    stack: At<String>,
    version: At<String>,
    role: Role,
    scenarios: Vec<At<String>>,
    #[serde(default)]
    peers: Vec<At<String>>,
    id: At<String>,
    #[serde(default)]
    with: Vec<At<String>>,
    clause: At<String>,
    reason: At<String>,
    token: At<String>,
}

/// Whether a path is by name a list of findings.
pub(super) fn is_list(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == FILE_NAME)
}

/// The findings that belong to these files and folders of scenarios: of each folder, and of the folder above the topic
/// of each file. None if there is no list.
pub fn beside(paths: &[PathBuf]) -> Result<Vec<Finding>, Error> {
    let mut lists = BTreeMap::new();
    for path in paths {
        let whole = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        // `scenarios`, `scenarios/topic` and `scenarios/topic/behaviour.yaml` all have the list of `scenarios`.
        for folder in whole.ancestors().take(3) {
            let list = folder.join(FILE_NAME);
            if list.is_file() {
                lists.insert(list, ());
                break;
            }
        }
    }
    let mut findings = Vec::new();
    for list in lists.keys() {
        findings.extend(read(list)?);
    }
    Ok(findings)
}

/// Reads a list of findings.
pub fn read(path: &Path) -> Result<Vec<Finding>, Error> {
    from_text(path, &load::read(path)?)
}

fn from_text(path: &Path, text: &str) -> Result<Vec<Finding>, Error> {
    let source = Source { path, text: Arc::from(text) };
    let list: List = source.parse()?;
    if source.read(&list.windtunnel)? != 1 {
        return Err(source.error(&list.windtunnel, "this format is not known", "this version reads `windtunnel: 1`"));
    }
    let mut findings = Vec::new();
    for entry in &list.findings {
        findings.extend(source.findings(entry)?);
    }
    Ok(findings)
}

impl Source<'_> {
    /// One finding for each scenario and each peer that the entry names.
    fn findings(&self, entry: &At<Entry>) -> Result<Vec<Finding>, Error> {
        let Entry { stack, version, role, scenarios, peers, id, with, clause, reason, token } = &entry.value;
        for at in [stack, version, id, reason, token].into_iter().chain(scenarios).chain(peers).chain(with) {
            if at.value.trim().is_empty() {
                return Err(self.error(
                    at,
                    "there is no value here",
                    "a finding says who fails where, why, and how to see it",
                ));
            }
        }
        self.clause(clause)?;
        if stack.value == "native" {
            let help = "mend dtls-impl; findings excuse foreign stacks only";
            return Err(self.error(stack, "the native stack has no known failures", help));
        }
        if scenarios.is_empty() {
            return Err(self.error(stack, "this finding names no scenario", "add one under `scenarios`"));
        }
        for scenario in scenarios {
            if scenario.value.split('/').count() != 2 || scenario.value.strip_suffix("/*").unwrap_or("").contains('*') {
                let help = "write `topic/behaviour`, or `topic/*` for all of a topic";
                return Err(self.error(scenario, format!("{:?} is not the name of a scenario", scenario.value), help));
            }
        }
        let text = |at: &At<String>| at.value.split_whitespace().collect::<Vec<_>>().join(" ");
        let peers: Vec<Option<String>> =
            if peers.is_empty() { vec![None] } else { peers.iter().map(|peer| Some(text(peer))).collect() };
        let finding = |scenario: &At<String>, peer: &Option<String>| Finding {
            stack: text(stack),
            version: text(version),
            role: *role,
            scenario: text(scenario),
            peer: peer.clone(),
            id: text(id),
            with: with.iter().map(text).collect(),
            clause: text(clause),
            reason: text(reason),
            token: text(token),
            line: entry.place.line,
        };
        Ok(scenarios.iter().flat_map(|scenario| peers.iter().map(move |peer| finding(scenario, peer))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "windtunnel: 1
findings:
  - stack: other
    version: \"0.9\"
    role: server
    scenarios: [retransmission/*]
    id: whole-flight
    clause: RFC 6347 §4.2.4
    reason: Sends the first datagram of the flight only.
    token: wt1-abc
";

    #[test]
    fn a_finding_excuses_what_it_names_and_nothing_else() {
        let findings = from_text(Path::new("findings.yaml"), GOOD).unwrap();
        let matches = |stack, version, role, scenario, id| findings[0].matches(stack, version, role, scenario, "x", id);
        assert!(matches("other", "0.9", Role::Server, "retransmission/flight4_lost_once", "whole-flight"));
        assert!(matches("other", "0.9.12", Role::Server, "retransmission/flight4_lost_once", "whole-flight"));
        for version in ["0.10", "0.91", "0"] {
            assert!(!matches("other", version, Role::Server, "retransmission/flight4_lost_once", "whole-flight"));
        }
        assert!(!matches("other", "0.9", Role::Client, "retransmission/flight4_lost_once", "whole-flight"));
        assert!(!matches("other", "0.9", Role::Server, "loss/flight4_lost_once", "whole-flight"));
        assert!(!matches("other", "0.9", Role::Server, "retransmission/flight4_lost_once", "echo"));
        assert_eq!(findings[0].line, 3);
    }

    #[test]
    fn an_entry_speaks_of_each_scenario_and_peer_it_names_and_of_what_fails_in_their_wake() {
        let text = GOOD
            .replace("[retransmission/*]", "[loss/a, loss/b]\n    peers: [x, y]")
            .replace("id: whole-flight", "id: whole-flight\n    with: [echo]");
        let findings = from_text(Path::new("findings.yaml"), &text).unwrap();
        let named: Vec<_> = findings.iter().map(|one| (one.scenario.as_str(), one.peer.as_deref())).collect();
        assert_eq!(named, [("loss/a", Some("x")), ("loss/a", Some("y")), ("loss/b", Some("x")), ("loss/b", Some("y"))]);
        let matches = |peer, id| findings[0].matches("other", "0.9", Role::Server, "loss/a", peer, id);
        assert!(matches("x", "whole-flight") && matches("x", "echo"));
        assert!(!matches("x", "flights"), "not named under `with`");
        assert!(!matches("y", "echo"), "another peer is another finding");
        let none = GOOD.replace("[retransmission/*]", "[]");
        assert!(from_text(Path::new("findings.yaml"), &none).unwrap_err().to_string().contains("names no scenario"));
    }

    #[test]
    fn bad_lists_are_refused_with_the_place() {
        let said = |from: &str, to: &str| {
            let error = from_text(Path::new("findings.yaml"), &GOOD.replace(from, to)).unwrap_err();
            format!("{:?} {error}: {}", error.position().unwrap(), error.mend())
        };
        assert_eq!(
            said("stack: other", "stack: native"),
            "(3, 12) the native stack has no known failures: mend dtls-impl; findings excuse foreign stacks only"
        );
        assert_eq!(said("role: server", "role: sever"), "(5, 11) unknown word `sever`: did you mean `server`?");
        assert_eq!(
            said("[retransmission/*]", "['*']"),
            "(6, 17) \"*\" is not the name of a scenario: write `topic/behaviour`, or `topic/*` for all of a topic"
        );
        assert_eq!(
            said("clause: RFC 6347 §4.2.4", "clause: RFC 6347"),
            "(8, 13) \"RFC 6347\" is not a clause: write RFC, number and section, as `RFC 6347 §4.2.4`"
        );
        assert_eq!(said("    token: wt1-abc\n", ""), "(9, 5) the key `token` is missing: add `token: ...`");
    }
}

use std::path::Path;

use super::*;
use crate::stack;

const SCENARIO: &str = "\
windtunnel: 1
goal: A handshake on a lossy link.
clauses: [RFC 6347 §4.2.4]
seeds: 1..3
network: {delay: 25 ms, loss: 5 %}
expect:
  - handshake: completes
  - transmissions: {flight: 1, count: 99}
  - struck: {impairment: loss, count: 1000.., per: seeds}
";

fn planned(client: &str, server: &str) -> Vec<Plan> {
    let scenario = crate::scenario::from_text(Path::new("test/lossy.yaml"), SCENARIO).unwrap();
    plans(&[Arc::new(scenario)], &[stack::get(client).unwrap()], &[stack::get(server).unwrap()], None)
}

fn finding(stack: &str, id: &str) -> Finding {
    Finding {
        stack: stack.to_owned(),
        version: stack::get(stack).unwrap().version().to_owned(),
        role: Role::Client,
        scenario: "test/lossy".to_owned(),
        peer: None,
        id: id.to_owned(),
        with: vec![],
        clause: "RFC 6347 §4.2.4".to_owned(),
        reason: "seen and verified".to_owned(),
        token: "wt1".to_owned(),
        line: 3,
    }
}

#[test]
fn the_same_plan_gives_the_same_trace_and_another_seed_another() {
    let plans = planned("native", "native");
    let hash = |plan| fly(plan, &[]).hash().unwrap();
    assert_eq!(hash(&plans[0]), hash(&plans[0]));
    assert_ne!(hash(&plans[0]), hash(&plans[1]));
}

#[test]
fn a_failure_is_known_only_if_findings_account_for_all_of_it() {
    let plan = planned("native", "native").remove(0);
    let ids = |findings: &[Finding]| fly(&plan, findings).verdict;
    assert_eq!(ids(&[]), Verdict::Fail);
    assert_eq!(ids(&[finding("native", "echo")]), Verdict::Fail);
    assert_eq!(ids(&[finding("native", "transmissions")]), Verdict::Known);
}

#[test]
fn a_demand_over_seeds_and_an_unconfirmed_finding_fail_the_first_row() {
    let plans = planned("native", "native");
    let findings = [finding("native", "transmissions"), finding("native", "spurious")];
    let rows = fly_all(&plans, &findings, Some(1), |_, _| Ok(())).unwrap();
    let ids: Vec<&str> = rows[0].failed.iter().map(|failed| failed.id.as_str()).collect();
    assert_eq!(ids, ["transmissions", "struck", "unexpected-pass"]);
    let verdicts: Vec<Verdict> = rows.iter().map(|row| row.verdict).collect();
    assert_eq!(verdicts, [Verdict::Fail, Verdict::Known, Verdict::Known]);
}

#[test]
fn some_seeds_are_not_judged_as_if_they_were_all() {
    let plans = planned("native", "native");
    let rows = fly_all(&plans[..2], &[finding("native", "spurious")], None, |_, _| Ok(())).unwrap();
    assert!(rows.iter().flat_map(|row| &row.failed).all(|failed| failed.id == "transmissions"));
}

//! The table of a set of runs, for people: scenarios by topic, a column for each pair of stacks, then what failed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::row::{Row, Verdict};

/// Failed runs of one scenario and pair that are shown in full.
const DETAILS_MAX: usize = 2;

/// Paints words, or not.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    /// Whether escape codes are welcome.
    pub colour: bool,
}

impl Paint {
    fn verdict(self, verdict: Verdict, text: &str) -> String {
        match verdict {
            Verdict::Pass => self.with("32", text),
            Verdict::Fail | Verdict::Error => self.with("1;31", text),
            Verdict::Known => self.with("33", text),
            Verdict::Unsupported => self.with("2", text),
        }
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Runs of one scenario by one pair: how many of each verdict.
#[derive(Clone, Copy, Default)]
struct Cell {
    worst: Option<Verdict>,
    worst_count: usize,
    runs: usize,
}

impl Cell {
    fn add(&mut self, verdict: Verdict) {
        self.runs += 1;
        match self.worst {
            Some(worst) if worst == verdict => self.worst_count += 1,
            Some(worst) if worst > verdict => {}
            _ => (self.worst, self.worst_count) = (Some(verdict), 1),
        }
    }

    fn text(&self) -> String {
        let word = self.worst.map_or("", word);
        if self.worst_count == self.runs {
            word.to_owned()
        } else {
            format!("{word} {}/{}", self.worst_count, self.runs)
        }
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "FAIL",
        Verdict::Known => "known",
        Verdict::Unsupported => "unsup",
        Verdict::Error => "ERROR",
    }
}

/// Scenarios by topic, a column for each pair. Rows, stacks and scenarios keep the order they come in.
pub fn grid(rows: &[Row], paint: Paint) -> String {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    let mut scenarios: Vec<&str> = Vec::new();
    let mut cells: BTreeMap<(&str, (&str, &str)), Cell> = BTreeMap::new();
    for row in rows {
        let pair = (row.client.as_str(), row.server.as_str());
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
        if !scenarios.contains(&row.scenario.as_str()) {
            scenarios.push(&row.scenario);
        }
        cells.entry((&row.scenario, pair)).or_default().add(row.verdict);
    }
    let name_width = scenarios.iter().map(|name| behaviour(name).len() + 2).max().unwrap_or(0).max(10) + 2;
    let widths: Vec<usize> = pairs
        .iter()
        .map(|pair| {
            let texts = cells.iter().filter(|((_, of), _)| of == pair).map(|(_, cell)| cell.text().len());
            texts.chain([pair.0.len(), pair.1.len()]).max().unwrap_or(0) + 2
        })
        .collect();

    let mut out = String::new();
    let mut heads = [format!("{:name_width$}", "client"), format!("{:name_width$}", "server")];
    for (index, (pair, width)) in pairs.iter().zip(&widths).enumerate() {
        let same_client = index > 0 && pairs[index - 1].0 == pair.0;
        write!(heads[0], "{:width$}", if same_client { "" } else { pair.0 }).expect("memory");
        write!(heads[1], "{:width$}", pair.1).expect("memory");
    }
    for head in heads {
        line(&mut out, &paint.bold(head.trim_end()));
    }
    let mut topic_before = "";
    for scenario in scenarios {
        let topic = topic(scenario);
        if topic != topic_before {
            line(&mut out, &format!("\n{}", paint.bold(topic)));
            topic_before = topic;
        }
        let mut text = format!("  {:width$}", behaviour(scenario), width = name_width - 2);
        for (pair, width) in pairs.iter().zip(&widths) {
            // Padding goes outside the colour, which has no width.
            let cell = cells.get(&(scenario, *pair)).copied().unwrap_or_default();
            let plain = cell.text();
            text += &cell.worst.map_or_else(String::new, |verdict| paint.verdict(verdict, &plain));
            text += &" ".repeat(width - plain.len());
        }
        line(&mut out, &text);
    }
    out
}

/// What failed, with the rule, its clause, and the command that shows it again.
///
/// `root` is the folder that captures are named from.
pub fn failures(rows: &[Row], root: &str, paint: Paint) -> String {
    let mut out = String::new();
    let mut shown: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.verdict.is_bad()) {
        let count = shown.entry((&row.scenario, &row.client, &row.server)).or_default();
        *count += 1;
        if *count <= DETAILS_MAX {
            line(&mut out, "");
            out += &verdict(row, root, paint);
        }
    }
    for ((scenario, client, server), count) in shown {
        if count > DETAILS_MAX {
            let more = count - DETAILS_MAX;
            line(&mut out, &format!("\n{scenario}  {client} -> {server}: {more} more seeds failed, see the results"));
        }
    }
    out
}

/// The verdict on one run, and all that led to it.
pub fn verdict(row: &Row, root: &str, paint: Paint) -> String {
    let mut out = String::new();
    let head = paint.verdict(row.verdict, word(row.verdict));
    line(&mut out, &format!("{head}  {}  {} -> {}  seed {}", row.scenario, row.client, row.server, row.seed));
    for failed in &row.failed {
        let clause = if failed.clause.is_empty() { String::new() } else { format!(" ({})", failed.clause) };
        line(&mut out, &format!("  {}{clause}: {}", failed.id, failed.detail));
    }
    if let Some(reason) = &row.reason {
        line(&mut out, &format!("  {reason}"));
    }
    line(&mut out, &format!("  replay:  windtunnel replay {}", row.token));
    if let Some(capture) = &row.capture {
        line(&mut out, &format!("  capture: {root}/{capture}"));
    }
    out
}

/// `36 runs of 4 scenarios: 30 pass, 2 FAIL, ...`.
pub fn summary(rows: &[Row], paint: Paint) -> String {
    let mut scenarios: Vec<&str> = rows.iter().map(|row| row.scenario.as_str()).collect();
    scenarios.dedup();
    let counts: Vec<String> = Verdict::ALL
        .into_iter()
        .filter_map(|verdict| {
            let count = rows.iter().filter(|row| row.verdict == verdict).count();
            (count > 0).then(|| paint.verdict(verdict, &format!("{count} {}", word(verdict))))
        })
        .collect();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    format!(
        "{} run{} of {} scenario{}: {}\n",
        rows.len(),
        plural(rows.len()),
        scenarios.len(),
        plural(scenarios.len()),
        counts.join(", ")
    )
}

fn topic(scenario: &str) -> &str {
    scenario.split_once('/').map_or("", |(topic, _)| topic)
}

fn behaviour(scenario: &str) -> &str {
    scenario.split_once('/').map_or(scenario, |(_, behaviour)| behaviour)
}

fn line(out: &mut String, line: &str) {
    writeln!(out, "{}", line.trim_end()).expect("writing to memory cannot fail");
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::row;
    use super::*;

    const PLAIN: Paint = Paint { colour: false };

    #[test]
    fn the_grid_has_topics_pairs_and_the_worst_verdict_of_all_seeds() {
        let rows = [
            row("handshake/plain", "native", "native", 1, Verdict::Pass),
            row("handshake/plain", "native", "dimpl", 1, Verdict::Unsupported),
            row("handshake/plain", "dimpl", "native", 1, Verdict::Known),
            row("loss/random", "native", "native", 1, Verdict::Pass),
            row("loss/random", "native", "native", 2, Verdict::Fail),
            row("loss/random", "native", "native", 3, Verdict::Fail),
            row("loss/random", "native", "dimpl", 1, Verdict::Error),
        ];
        let grid = grid(&rows, PLAIN);
        let expected = "\
client      native            dimpl
server      native    dimpl   native

handshake
  plain     pass      unsup   known

loss
  random    FAIL 2/3  ERROR
";
        assert_eq!(grid, expected, "\n{grid}");
        assert_eq!(summary(&rows, PLAIN), "7 runs of 2 scenarios: 2 pass, 1 known, 1 unsup, 2 FAIL, 1 ERROR\n");
    }

    #[test]
    fn many_failed_seeds_are_counted_after_the_first_two() {
        let rows: Vec<Row> = (1..=5).map(|seed| row("a/b", "native", "native", seed, Verdict::Fail)).collect();
        let text = failures(&rows, "out", PLAIN);
        assert_eq!(text.matches("windtunnel replay").count(), 2, "{text}");
        assert!(text.contains("3 more seeds failed"), "{text}");
    }

    #[test]
    fn colour_is_only_there_if_asked_for() {
        let rows = [row("a/b", "native", "native", 1, Verdict::Fail)];
        assert!(!grid(&rows, PLAIN).contains('\x1b'));
        assert!(grid(&rows, Paint { colour: true }).contains("\x1b[1;31mFAIL\x1b[0m"));
    }
}

//! All pairs at a glance: a row for each client, a column for each server, in each cell how many runs ended how.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::row::{Row, Verdict};

/// Counts of verdicts, in the order of [`Verdict::ALL`].
#[derive(Clone, Copy, Default)]
struct Cell([usize; Verdict::ALL.len()]);

impl Cell {
    fn add(&mut self, verdict: Verdict) {
        let index = Verdict::ALL.iter().position(|known| *known == verdict);
        self.0[index.expect("ALL has all of them")] += 1;
    }

    fn count(&self, verdict: Verdict) -> usize {
        Verdict::ALL.iter().zip(self.0).find(|(known, _)| **known == verdict).map_or(0, |(_, count)| count)
    }

    /// `57` passed; what is not a pass follows with its letter: `57 3k 1F`.
    fn text(&self) -> String {
        let of = |(verdict, letter)| match self.count(verdict) {
            0 => None,
            count => Some(format!("{count}{letter}")),
        };
        let letters = [
            (Verdict::Pass, ""),
            (Verdict::Known, "k"),
            (Verdict::Unsupported, "u"),
            (Verdict::Fail, "F"),
            (Verdict::Error, "E"),
        ];
        letters.into_iter().filter_map(of).collect::<Vec<_>>().join(" ")
    }
}

/// What the letters in the cells mean.
pub const LEGEND: &str = "number of runs that pass; k known failure, u unsupported, F FAIL, E ERROR";

/// The stacks of a role in the order of their first row, and the cells.
struct Matrix<'a> {
    clients: Vec<&'a str>,
    servers: Vec<&'a str>,
    cells: BTreeMap<(&'a str, &'a str), Cell>,
}

impl<'a> Matrix<'a> {
    fn of(rows: &'a [Row]) -> Self {
        let mut matrix = Self { clients: Vec::new(), servers: Vec::new(), cells: BTreeMap::new() };
        for row in rows {
            let (client, server) = (row.client.as_str(), row.server.as_str());
            if !matrix.clients.contains(&client) {
                matrix.clients.push(client);
            }
            if !matrix.servers.contains(&server) {
                matrix.servers.push(server);
            }
            matrix.cells.entry((client, server)).or_default().add(row.verdict);
        }
        matrix
    }

    /// All lines of cells, the heads first.
    fn lines(&self) -> Vec<Vec<String>> {
        let head = ["client \\ server"].iter().chain(&self.servers).map(|name| (*name).to_owned()).collect();
        let line = |client: &&str| {
            let cell = |server: &&str| self.cells.get(&(*client, *server)).map_or_else(|| "-".to_owned(), Cell::text);
            std::iter::once((*client).to_owned()).chain(self.servers.iter().map(cell)).collect()
        };
        std::iter::once(head).chain(self.clients.iter().map(line)).collect()
    }
}

/// The matrix for a terminal.
pub fn text(rows: &[Row]) -> String {
    let lines = Matrix::of(rows).lines();
    let columns = lines.first().map_or(0, Vec::len);
    let widths: Vec<usize> =
        (0..columns).map(|column| lines.iter().map(|line| line[column].len()).max().unwrap_or(0) + 2).collect();
    let mut out = String::new();
    for line in &lines {
        let mut text = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            write!(text, "{cell:width$}").expect("memory");
        }
        writeln!(out, "{}", text.trim_end()).expect("memory");
    }
    out
}

/// The matrix as a table of Markdown, and the tokens of all failures below it.
pub fn markdown(rows: &[Row]) -> String {
    let mut out = String::new();
    for (index, line) in Matrix::of(rows).lines().iter().enumerate() {
        let cells: Vec<String> = line.iter().map(|cell| cell.replace('\\', "\\\\").replace('|', "\\|")).collect();
        writeln!(out, "| {} |", cells.join(" | ")).expect("memory");
        if index == 0 {
            writeln!(out, "|{}", "---|".repeat(line.len())).expect("memory");
        }
    }
    writeln!(out, "\n{LEGEND}").expect("memory");
    for row in rows.iter().filter(|row| row.verdict.is_bad()) {
        let ids: Vec<&str> = row.failed.iter().map(|failed| failed.id.as_str()).collect();
        writeln!(
            out,
            "\n- {}, {} to {}, seed {}: {}\n  `windtunnel replay {}`",
            row.scenario,
            row.client,
            row.server,
            row.seed,
            if ids.is_empty() { row.reason.clone().unwrap_or_default() } else { ids.join(", ") },
            row.token
        )
        .expect("memory");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::row;
    use super::*;

    fn rows() -> [Row; 6] {
        [
            row("a/b", "native", "native", 1, Verdict::Pass),
            row("a/b", "native", "openssl@3.0", 1, Verdict::Known),
            row("a/b", "openssl@3.0", "native", 1, Verdict::Error),
            row("c/d", "native", "native", 1, Verdict::Pass),
            row("c/d", "native", "openssl@3.0", 1, Verdict::Fail),
            row("c/d", "openssl@3.0", "native", 1, Verdict::Unsupported),
        ]
    }

    #[test]
    fn each_pair_has_a_cell_with_all_that_became_of_its_runs() {
        let expected = "\
client \\ server  native  openssl@3.0
native           2       1k 1F
openssl@3.0      1u 1E   -
";
        assert_eq!(text(&rows()), expected);
    }

    #[test]
    fn markdown_ends_in_the_tokens_of_failures() {
        let text = markdown(&rows());
        assert!(
            text.starts_with("| client \\\\ server | native | openssl@3.0 |\n|---|---|---|\n| native | 2 | 1k 1F |\n"),
            "{text}"
        );
        assert_eq!(text.matches("windtunnel replay").count(), 2, "{text}");
    }
}

//! Reads what the benchmark prints: of each line of each group the median and the allocations.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What was measured of one stack with one kind of cryptography.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figure {
    /// Median time of a handshake or record, in nanoseconds.
    pub nanos: f64,
    /// Allocations at the median.
    pub allocations: f64,
}

/// Figures by group, stack and cryptography, as they are named in the benchmark.
pub type Figures = BTreeMap<(String, String, String), Figure>;

/// Reads the output of one run.
pub fn read(output: &str) -> Figures {
    let mut figures = Figures::new();
    let (mut group, mut stack, mut at, mut allocations_next) = (String::new(), String::new(), None, false);
    for line in output.lines() {
        let columns: Vec<&str> = line.split('│').map(str::trim).collect();
        let label = line.split_once("─ ").map(|(indent, rest)| (indent.chars().count(), rest));
        if let Some((indent, rest)) = label {
            let name = rest.split_whitespace().next().unwrap_or_default().to_owned();
            match (indent, name.get(1..2)) {
                (..=2, _) => group = name.clone(),
                (_, Some("_")) => stack = name.clone(),
                _ => {}
            }
            // fastest, slowest, median: the first shares its column with the name.
            let columns: Vec<&str> = rest.split('│').map(str::trim).collect();
            at = columns.get(2).and_then(|median| nanos(median)).map(|nanos| {
                let crypto = if name == stack { "ring".to_owned() } else { name };
                let key = (group.clone(), stack.clone(), crypto);
                figures.insert(key.clone(), Figure { nanos, allocations: 0.0 });
                key
            });
        } else if allocations_next {
            allocations_next = false;
            let columns: Vec<&str> = columns.into_iter().filter(|column| !column.is_empty()).collect();
            if let (Some(figure), Some(count)) = (at.as_ref().and_then(|at| figures.get_mut(at)), columns.get(2)) {
                figure.allocations = count.parse().unwrap_or_default();
            }
        } else {
            allocations_next = columns.iter().any(|column| *column == "alloc:");
        }
    }
    figures
}

fn nanos(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once(' ')?;
    let scale = match unit {
        "ns" => 1.0,
        "µs" => 1e3,
        "ms" => 1e6,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * scale)
}

/// The least median of each figure over all runs: what disturbs a run makes it slower, never faster. A single run's ratio
/// would flatter whichever side was left in peace.
fn least(runs: &[Figures]) -> Figures {
    let mut least = Figures::new();
    for (key, figure) in runs.iter().flatten() {
        let known = least.entry(key.clone()).or_insert(*figure);
        if figure.nanos < known.nanos {
            *known = *figure;
        }
    }
    least
}

/// A line per group and kind of cryptography: `native` beside its floor and the others.
pub fn print(runs: &[Figures]) -> String {
    let mut out = String::from(
        "| row | cryptography | floor | native | x floor | native per second | allocations | dimpl | rtc-dtls |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let figures = least(runs);
    for ((group, _, crypto), floor) in figures.iter().filter(|((_, stack, _), _)| stack == "a_floor") {
        let of = |stack: &str, crypto: &str| figures.get(&(group.clone(), stack.to_owned(), crypto.to_owned()));
        let Some(native) = of("b_native", crypto) else { continue };
        let rate = if group.starts_with("record") {
            format!("{:.0} MiB", 1e9 / native.nanos * crate::PAYLOAD as f64 / f64::from(1 << 20))
        } else {
            format!("{:.0}", 1e9 / native.nanos)
        };
        let other = |figure: Option<&Figure>| figure.map_or("-".to_owned(), |figure| micros(figure.nanos));
        let (dimpl, rtc) = (other(of("c_dimpl", crypto)), other(of("d_rtc_ring", "ring")));
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| {group} | {crypto} | {} | {} | {:.2} | {rate} | {} | {dimpl} | {rtc} |",
            micros(floor.nanos),
            micros(native.nanos),
            native.nanos / floor.nanos,
            native.allocations,
        );
    }
    out
}

fn micros(nanos: f64) -> String {
    format!("{:.2} µs", nanos / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
stacks              fastest       │ slowest       │ median        │ mean          │ samples │ iters
├─ record_12                      │               │               │               │         │
│  ├─ a_floor                     │               │               │               │         │
│  │  ├─ AwsLc      10 ns         │ 30 ns         │ 20 ns         │ 20 ns         │ 100     │ 100
│  │  │             max alloc:    │               │               │               │         │
│  │  │               9           │ 9             │ 9             │ 9             │         │
│  │  │             alloc:        │               │               │               │         │
│  │  │               1           │ 1             │ 2             │ 1             │         │
│  ├─ b_native                    │               │               │               │         │
│  │  ├─ AwsLc      1.5 µs        │ 2 µs          │ 1.75 µs       │ 1 µs          │ 100     │ 100
│  ╰─ d_rtc_ring    1 ms          │ 2 ms          │ 3 ms          │ 1 ms          │ 100     │ 100
╰─ record_13                      │               │               │               │         │
";

    #[test]
    fn medians_and_allocations_are_found_where_they_are_printed() {
        let figures = read(OUTPUT);
        let of = |stack: &str, crypto: &str| figures[&("record_12".to_owned(), stack.to_owned(), crypto.to_owned())];
        assert_eq!(of("a_floor", "AwsLc"), Figure { nanos: 20.0, allocations: 2.0 });
        assert_eq!(of("b_native", "AwsLc").nanos, 1750.0);
        assert_eq!(of("d_rtc_ring", "ring").nanos, 3e6);
        assert_eq!(figures.len(), 3);
        let slower = figures.iter().map(|(key, figure)| (key.clone(), Figure { nanos: 2.0 * figure.nanos, ..*figure }));
        let table = print(&[slower.collect(), figures]);
        assert!(
            table.contains("| record_12 | AwsLc | 0.02 µs | 1.75 µs | 87.50 | 558 MiB | 0 | - | 3000.00 µs |"),
            "{table}"
        );
    }
}

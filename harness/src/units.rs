//! Quantities as people write them, to whole numbers without rounding: `250 ms`, `60 kbit/s`, `512 B`, `1.5 %`, `1..3`.
//!
//! A unit is never optional and a value that does not come out whole is refused. Errors say what would be right.

use std::fmt;
use std::time::Duration;

/// Denominator of a ratio: a ratio is whole parts of 10^12.
pub const TRILLION: u64 = 1_000_000_000_000;

/// Why a text is not a quantity, and what would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
}

impl Error {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.help)
    }
}

impl std::error::Error for Error {}

/// Units of one dimension, each with its value in the smallest.
struct Dimension {
    name: &'static str,
    units: &'static [(&'static str, u64)],
    /// Name of the smallest unit, in which the result must be whole.
    whole: &'static str,
    example: &'static str,
}

const TIME: Dimension = Dimension {
    name: "duration",
    units: &[
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("min", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ],
    whole: "nanoseconds",
    example: "ms",
};

const RATE: Dimension = Dimension {
    name: "rate",
    units: &[("bit/s", 1), ("kbit/s", 1_000), ("Mbit/s", 1_000_000), ("Gbit/s", 1_000_000_000)],
    whole: "bits per second",
    example: "kbit/s",
};

const SIZE: Dimension = Dimension {
    name: "size",
    units: &[("B", 1), ("kB", 1_000), ("KiB", 1_024), ("MB", 1_000_000), ("MiB", 1_048_576)],
    whole: "bytes",
    example: "B",
};

const PERCENT: Dimension =
    Dimension { name: "ratio", units: &[("%", TRILLION / 100)], whole: "parts of 10^12", example: "%" };

/// `250 ms`, `1.5 s`, `90 us`, `2 min`.
pub fn duration(text: &str) -> Result<Duration, Error> {
    quantity(text, &TIME).map(Duration::from_nanos)
}

/// `60 kbit/s`: bits per second, not zero.
pub fn rate(text: &str) -> Result<u64, Error> {
    match quantity(text, &RATE)? {
        0 => Err(Error::new(format!("{text:?} lets nothing pass"), "use a black hole or a loss of 100 % for that")),
        bits => Ok(bits),
    }
}

/// `512 B`, `8 kB` (8000 bytes), `8 KiB` (8192 bytes).
pub fn size(text: &str) -> Result<u32, Error> {
    let bytes = quantity(text, &SIZE)?;
    u32::try_from(bytes).map_err(|_| Error::new(format!("{text:?} is too large"), "at most 4 GB"))
}

/// `1.5 %` or `1 in 1000`, from none to all, in parts of 10^12. `a in b` is rounded to the nearest part.
pub fn ratio(text: &str) -> Result<u64, Error> {
    let parts = match text.split_once(" in ") {
        Some((some, all)) => one_in(text, some.trim(), all.trim())?,
        None => quantity(text, &PERCENT)?,
    };
    if parts > TRILLION {
        return Err(Error::new(format!("{text:?} is more than everything"), "a ratio is from 0 % to 100 %"));
    }
    Ok(parts)
}

fn one_in(text: &str, some: &str, all: &str) -> Result<u64, Error> {
    let refused = || Error::new(format!("{text:?} is not a ratio"), "write for example \"1 in 1000\" or \"0.1 %\"");
    let (some, all): (u128, u128) =
        (some.parse::<u64>().map_err(|_| refused())?.into(), all.parse::<u64>().map_err(|_| refused())?.into());
    if all == 0 {
        return Err(refused());
    }
    u64::try_from((some * u128::from(TRILLION) + all / 2) / all).map_err(|_| refused())
}

/// `3`, `2..`, `..5`, `1..3`: bounds, both inclusive; `u64::MAX` where there is none.
pub fn count(text: &str) -> Result<(u64, u64), Error> {
    range(text, 0, "a count", "\"3\", \"2..\" for at least two, \"..5\" for at most five, or \"1..3\"")
}

/// `2`, `1..2`, `2..`: an ordinal from 1, or some in a row.
pub fn ordinals(text: &str) -> Result<(u64, u64), Error> {
    let (first, last) = range(text, 1, "a number or a range", "\"1\" for the first, \"1..2\", or \"2..\"")?;
    if first == 0 {
        return Err(Error::new(format!("{text:?} starts at 0"), "counting starts at 1"));
    }
    Ok((first, last))
}

/// `1..200`: first and last seed. A single number is that seed alone.
pub fn seeds(text: &str) -> Result<(u64, u64), Error> {
    let help = "\"1..200\", or \"7\" for one seed";
    match range(text, 0, "a range of seeds", help)? {
        (_, u64::MAX) => Err(Error::new(format!("{text:?} has no end"), format!("write for example {help}"))),
        seeds => Ok(seeds),
    }
}

fn range(text: &str, lowest: u64, what: &str, examples: &str) -> Result<(u64, u64), Error> {
    let refused = || Error::new(format!("{text:?} is not {what}"), format!("write for example {examples}"));
    let bound = |part: &str, absent: u64| match part {
        "" => Ok(absent),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().map_err(|_| refused()),
        _ => Err(refused()),
    };
    let (first, last) = match text.split_once("..") {
        Some((first, last)) if !(first.is_empty() && last.is_empty()) => {
            (bound(first.trim(), lowest)?, bound(last.trim(), u64::MAX)?)
        }
        None if !text.is_empty() => {
            let only = bound(text, 0)?;
            (only, only)
        }
        _ => return Err(refused()),
    };
    if first > last {
        return Err(Error::new(
            format!("{text:?} ends before it begins"),
            format!("write the smaller bound first: \"{last}..{first}\""),
        ));
    }
    Ok((first, last))
}

/// A whole number.
pub fn number(text: &str) -> Result<u64, Error> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or_else(|| {
        Error::new(format!("{text:?} is not a whole number"), "write digits alone, for example \"3\"".to_owned())
    })
}

/// `3` or `2.5`: twice the number.
pub fn halves(text: &str) -> Result<u32, Error> {
    let refused =
        || Error::new(format!("{text:?} is not a number of round trips"), "whole or half, as \"3\" or \"2.5\"");
    let tenths = decimal(text, 10).ok_or_else(refused)?;
    if tenths % 5 != 0 {
        return Err(refused());
    }
    u32::try_from(tenths / 5).map_err(|_| refused())
}

/// `0.6`: thousandths of a number without a unit.
pub fn thousandths(text: &str) -> Result<u32, Error> {
    decimal(text, 1000).and_then(|value| u32::try_from(value).ok()).ok_or_else(|| {
        Error::new(format!("{text:?} is not a number with at most three decimals"), "write for example \"0.6\"")
    })
}

fn quantity(text: &str, dimension: &Dimension) -> Result<u64, Error> {
    let &Dimension { name, units, whole, example } = dimension;
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..split], text[split..].trim());
    if !plausible(number) {
        return Err(Error::new(format!("{text:?} is not a {name}"), format!("write for example \"250 {example}\"")));
    }
    if unit.is_empty() {
        return Err(Error::new(format!("{text:?} has no unit"), format!("write for example \"{number} {example}\"")));
    }
    let Some((_, factor)) = units.iter().find(|(known, _)| *known == unit) else {
        let known: Vec<_> = units.iter().map(|(unit, _)| *unit).filter(|unit| unit.is_ascii()).collect();
        let help = match units.iter().find(|(known, _)| known.eq_ignore_ascii_case(unit)) {
            Some((near, _)) => format!("write \"{number} {near}\""),
            None => format!("units of a {name} are {}", known.join(", ")),
        };
        return Err(Error::new(format!("{unit:?} is not a unit of a {name}"), help));
    };
    decimal(number, *factor).ok_or_else(|| {
        Error::new(
            format!("{text:?} does not come out in whole {whole}"),
            format!("write fewer decimals, and a {name} below 2^64 {whole}"),
        )
    })
}

/// Digits with at most one point inside.
fn plausible(number: &str) -> bool {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `number * factor` if that is whole and fits.
fn decimal(number: &str, factor: u64) -> Option<u64> {
    if !plausible(number) {
        return None;
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let scaled = digits.checked_mul(factor.into())?;
    (scaled % scale == 0).then(|| u64::try_from(scaled / scale).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_exact() {
        let nanos = |text| duration(text).map(|duration| duration.as_nanos());
        assert_eq!(nanos("250 ms"), Ok(250_000_000));
        assert_eq!(nanos("250ms"), Ok(250_000_000));
        assert_eq!(nanos("1.5 s"), Ok(1_500_000_000));
        assert_eq!(nanos("90 us"), Ok(90_000));
        assert_eq!(nanos("90 µs"), Ok(90_000));
        assert_eq!(nanos("2 min"), Ok(120_000_000_000));
        assert_eq!(nanos("0.000000001 s"), Ok(1));
        assert_eq!(nanos("0 s"), Ok(0));
        assert_eq!(nanos("0.1 min"), Ok(6_000_000_000));
        assert_eq!(nanos("0.25 KiB").unwrap_err().message, "\"KiB\" is not a unit of a duration");
    }

    #[test]
    fn fractions_of_units_that_are_not_powers_of_ten_are_exact_or_refused() {
        assert_eq!(size("0.5 KiB"), Ok(512));
        assert_eq!(size("0.125 KiB"), Ok(128));
        assert_eq!(size("0.1 KiB").unwrap_err().message, "\"0.1 KiB\" does not come out in whole bytes");
        assert_eq!(size("1.5 B").unwrap_err().message, "\"1.5 B\" does not come out in whole bytes");
    }

    #[test]
    fn rates_and_sizes() {
        assert_eq!(rate("60 kbit/s"), Ok(60_000));
        assert_eq!(rate("13.4 kbit/s"), Ok(13_400));
        assert_eq!(rate("100 Mbit/s"), Ok(100_000_000));
        assert_eq!(size("512 B"), Ok(512));
        assert_eq!(size("8 kB"), Ok(8_000));
        assert_eq!(size("8 KiB"), Ok(8_192));
    }

    #[test]
    fn ratios_are_parts_of_a_trillion() {
        assert_eq!(ratio("1.5 %"), Ok(15_000_000_000));
        assert_eq!(ratio("0.0001 %"), Ok(1_000_000));
        assert_eq!(ratio("1 in 1000000"), Ok(1_000_000));
        assert_eq!(ratio("1 in 3"), Ok(333_333_333_333));
        assert_eq!(ratio("100 %"), Ok(TRILLION));
        assert!(ratio("101 %").is_err() && ratio("3 in 2").is_err() && ratio("1 in 0").is_err());
    }

    #[test]
    fn counts_seeds_and_ordinals() {
        assert_eq!(count("3"), Ok((3, 3)));
        assert_eq!(count("2.."), Ok((2, u64::MAX)));
        assert_eq!(count("..5"), Ok((0, 5)));
        assert_eq!(count("1..3"), Ok((1, 3)));
        assert_eq!(ordinals("..3"), Ok((1, 3)));
        assert_eq!(seeds("1..200"), Ok((1, 200)));
        assert_eq!(seeds("7"), Ok((7, 7)));
        assert!(count("").is_err() && count("..").is_err() && count("-1").is_err() && count("1...3").is_err());
        assert!(seeds("1..").is_err() && ordinals("0").is_err());
    }

    #[test]
    fn halves_and_thousandths() {
        assert_eq!(halves("3"), Ok(6));
        assert_eq!(halves("2.5"), Ok(5));
        assert!(halves("2.25").is_err() && halves("2.4").is_err() && halves("x").is_err());
        assert_eq!(thousandths("0.6"), Ok(600));
        assert!(thousandths("0.0001").is_err());
    }

    #[test]
    fn errors_say_what_would_be_right() {
        let said = |error: Error| error.to_string();
        assert_eq!(said(duration("250").unwrap_err()), "\"250\" has no unit: write for example \"250 ms\"");
        assert_eq!(said(duration("soon").unwrap_err()), "\"soon\" is not a duration: write for example \"250 ms\"");
        assert_eq!(said(duration("-1 s").unwrap_err()), "\"-1 s\" is not a duration: write for example \"250 ms\"");
        assert_eq!(
            said(duration("3 days").unwrap_err()),
            "\"days\" is not a unit of a duration: units of a duration are ns, us, ms, s, min, h"
        );
        assert_eq!(said(rate("60 Kbit/s").unwrap_err()), "\"Kbit/s\" is not a unit of a rate: write \"60 kbit/s\"");
        assert_eq!(
            said(duration("1.5 ns").unwrap_err()),
            "\"1.5 ns\" does not come out in whole nanoseconds: write fewer decimals, and a duration below 2^64 \
             nanoseconds"
        );
        assert_eq!(
            said(duration("1.2.3 s").unwrap_err()),
            "\"1.2.3 s\" is not a duration: write for example \"250 ms\""
        );
        assert_eq!(
            said(count("5..2").unwrap_err()),
            "\"5..2\" ends before it begins: write the smaller bound first: \"2..5\""
        );
        assert_eq!(said(ordinals("0").unwrap_err()), "\"0\" starts at 0: counting starts at 1");
    }
}

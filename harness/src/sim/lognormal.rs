//! Log-normal numbers from uniform draws, in integers only: the same on every machine, and monotone in the draw.
//!
//! A value is `median * exp(sigma * z)`, with `z` the normal quantile of the draw.

use super::normal_table::{HALVINGS, QUANTILES, STEPS};

/// Natural logarithm of two, in units of 2^-62.
const LN_2: i128 = 3_196_577_161_300_663_915;

/// The log-normal value at quantile `draw / 2^64`. It saturates instead of overflowing.
pub(super) fn log_normal(draw: u64, median: u64, sigma_milli: u32) -> u64 {
    // Units of 2^-24 become units of 2^-62.
    let exponent = ((i128::from(normal_quantile(draw)) * i128::from(sigma_milli)) << 38).div_euclid(1000);
    let doublings = exponent.div_euclid(LN_2);
    let mantissa = exp_fraction(exponent.rem_euclid(LN_2) as u128);
    // Below 2^64 times 2^63.
    let scaled = u128::from(median) * mantissa;
    let shift = 62 - doublings;
    match u32::try_from(shift) {
        Ok(shift) => u64::try_from(scaled.checked_shr(shift).unwrap_or(0)).unwrap_or(u64::MAX),
        // More than 62 doublings.
        Err(_) if median == 0 => 0,
        Err(_) => u64::MAX,
    }
}

/// Quantile of the standard normal distribution at `(draw + 1/2) / 2^64`, in units of 2^-24. Tails end at 2^-33,
/// 6.34 standard deviations out.
fn normal_quantile(draw: u64) -> i32 {
    let upper = draw >> 63 == 1;
    // The tail's probability is `tail / 2^65`, `tail` odd.
    let tail = 2 * if upper { !draw } else { draw } + 1;
    let halving = tail.leading_zeros() as usize;
    let quantile = if halving >= HALVINGS {
        QUANTILES[HALVINGS * STEPS]
    } else {
        // After the leading one: four bits choose the step, the rest is the place within it.
        let place = tail << halving << 1;
        let step = (place >> 60) as usize;
        let within = i64::try_from(place << 4 >> 32).unwrap_or_default();
        // A step goes up in probability, hence down in quantile, and backwards in the table.
        let end = STEPS * halving + (STEPS - 1 - step);
        let (from, to) = (i64::from(QUANTILES[end + 1]), i64::from(QUANTILES[end]));
        (from + (((to - from) * within) >> 32)) as i32
    };
    if upper { quantile } else { -quantile }
}

/// `exp(x)` for `x` in `0..ln 2`, both in units of 2^-62, by its series.
fn exp_fraction(x: u128) -> u128 {
    let mut term: u128 = 1 << 62;
    let mut sum = term;
    let mut n = 1;
    while term > 0 {
        term = ((term * x) >> 62) / n;
        sum += term;
        n += 1;
    }
    sum
}

#[cfg(test)]
#[expect(clippy::float_arithmetic, reason = "checks the integers against the formula")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `P(Z > z)` from `z` up, by Simpson's rule.
    fn upper_tail(z: f64) -> f64 {
        let density = |x: f64| (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
        let (steps, width) = (4000, 8.0 / 4000.0);
        let weight = |i: i32| match i {
            0 => 1.0,
            i if i == steps => 1.0,
            i if i % 2 == 1 => 4.0,
            _ => 2.0,
        };
        (0..=steps).map(|i| weight(i) * density(z + f64::from(i) * width)).sum::<f64>() * width / 3.0
    }

    #[test]
    fn the_table_inverts_the_normal_distribution() {
        for (index, quantile) in QUANTILES.iter().enumerate() {
            let (halving, step) = (index / STEPS, index % STEPS);
            let tail = (32.0 - step as f64) / 2f64.powi(halving as i32 + 6);
            let measured = upper_tail(f64::from(*quantile) / f64::from(1 << 24));
            assert!((measured / tail - 1.0).abs() < 1e-5, "entry {index}: {measured} instead of {tail}");
        }
    }

    #[test]
    fn the_median_is_exact_and_sigma_zero_is_constant() {
        assert_eq!(log_normal(1 << 63, 140_000_000, 700), 140_000_000);
        for draw in [0, 1, 77, u64::MAX / 3, u64::MAX] {
            assert_eq!(log_normal(draw, 140_000_000, 0), 140_000_000);
            assert_eq!(log_normal(draw, 0, 700), 0);
        }
    }

    /// Every profile of the built-in link profiles: median in ms and sigma; the factor at p is `exp(sigma * z_p)`.
    #[test]
    fn percentiles_of_a_million_draws_meet_the_formula_within_one_percent() {
        const DRAWS: usize = 1_000_000;
        let percentiles = [(500, 0.0), (900, 1.2816), (950, 1.6449), (990, 2.3263), (999, 3.0902)];
        for (median_ms, sigma) in [(25_u64, 500), (140, 700), (90, 600), (2500, 800), (8, 1000)] {
            let draws = crate::sim::random::Draws::new(7, "percentiles", crate::endpoint::Role::Client);
            let mut values: Vec<u64> = (0..DRAWS)
                .map(|index| draws.draw(crate::sim::random::Purpose::Delay, index as u32))
                .map(|draw| log_normal(draw, median_ms * 1_000_000, sigma))
                .collect();
            values.sort_unstable();
            for (permille, z) in percentiles {
                let measured = values[DRAWS / 1000 * permille] as f64 / 1e6;
                let expected = median_ms as f64 * (f64::from(sigma) / 1000.0 * z).exp();
                assert!((measured / expected - 1.0).abs() < 0.01, "{median_ms} ms, {sigma}: {measured} {expected}");
            }
        }
    }

    #[test]
    fn quantiles_at_exact_places_meet_the_formula_closely() {
        for (per_mille, z) in [(1_u64, -3.090_232), (100, -1.281_552), (900, 1.281_552), (999, 3.090_232)] {
            let draw = (u128::from(per_mille) << 64) / 1000;
            let measured = f64::from(normal_quantile(draw as u64)) / f64::from(1 << 24);
            assert!((measured - z).abs() < 1e-3, "{per_mille}: {measured}");
        }
    }

    #[test]
    fn extremes_saturate() {
        assert_eq!(log_normal(u64::MAX, u64::MAX, 10_000), u64::MAX);
        assert_eq!(log_normal(u64::MAX, 2, u32::MAX), u64::MAX);
        assert_eq!(log_normal(0, 1_000_000_000, u32::MAX), 0);
    }

    proptest! {
        #[test]
        fn larger_draws_never_give_smaller_values(a: u64, b: u64, sigma in 0_u32..3000) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(log_normal(low, 1_000_000_000, sigma) <= log_normal(high, 1_000_000_000, sigma));
        }

        #[test]
        fn neighbours_are_in_order(draw in 0..u64::MAX) {
            prop_assert!(normal_quantile(draw) <= normal_quantile(draw + 1));
        }
    }
}

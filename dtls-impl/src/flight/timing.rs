//! How long a flight waits for its answer when nothing is backed off: as configured, or by the round trip time.
//!
//! Owns the estimate and the rule of each version. Deadlines and doubling are [`retransmitter`](super::retransmitter)'s.

use core::time::Duration;

use crate::config::Timers;

/// What a round trip time says about the timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The smoothed time and four times its variation. DTLS 1.2 refers to it (RFC 6347 §4.2.4.1).
    Rfc6298,
    /// 1.5 times the last one (RFC 9147 §5.8.2).
    Rfc9147,
}

/// A round trip time measured at least once (RFC 6298 §2). The clock has no granularity to speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rtt {
    latest: Duration,
    smoothed: Duration,
    variation: Duration,
}

impl Rtt {
    fn first(sample: Duration) -> Self {
        Self { latest: sample, smoothed: sample, variation: sample / 2 }
    }

    /// With alpha 1/8 and beta 1/4.
    fn then(self, sample: Duration) -> Self {
        let off = self.smoothed.abs_diff(sample);
        let average = |old: Duration, new: Duration, weight: u32| (old.saturating_mul(weight - 1) + new) / weight;
        Self { latest: sample, smoothed: average(self.smoothed, sample, 8), variation: average(self.variation, off, 4) }
    }

    fn timeout(self, rule: Rule) -> Duration {
        match rule {
            Rule::Rfc6298 => self.smoothed.saturating_add(self.variation.saturating_mul(4)),
            Rule::Rfc9147 => self.latest.saturating_add(self.latest / 2),
        }
    }
}

/// What the timer starts from.
#[derive(Debug)]
pub(crate) struct Timing {
    timers: Timers,
    rule: Rule,
    measured: Option<Rtt>,
}

impl Timing {
    pub(crate) const fn new(timers: Timers, rule: Rule) -> Self {
        Self { timers, rule, measured: None }
    }

    /// A round trip has taken this long.
    pub(crate) fn on_sample(&mut self, sample: Duration) {
        self.measured = Some(self.measured.map_or(Rtt::first(sample), |rtt| rtt.then(sample)));
    }

    /// The round trip time as measured, smoothed.
    pub(crate) fn measured(&self) -> Option<Duration> {
        self.measured.map(|rtt| rtt.smoothed)
    }

    /// The round trip time for other timers than this to go by.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.timers.adaptive.and_then(|adaptive| self.measured().or(adaptive.rtt_hint))
    }

    /// How long a flight waits.
    pub(crate) fn timeout(&self) -> Duration {
        let Some(adaptive) = self.timers.adaptive else { return self.timers.initial };
        let rtt = self.measured.or(adaptive.rtt_hint.map(Rtt::first));
        let timeout = rtt.map_or(self.timers.initial, |rtt| rtt.timeout(self.rule).max(adaptive.min));
        timeout.min(self.timers.max)
    }

    /// The longest that a flight waits.
    pub(crate) const fn max(&self) -> Duration {
        self.timers.max
    }

    /// How long it is repeated.
    pub(crate) const fn give_up(&self) -> Duration {
        self.timers.give_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AdaptiveTimer;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn timing(rule: Rule, rtt_hint: Option<Duration>) -> Timing {
        let adaptive = AdaptiveTimer { rtt_hint, min: ms(100) };
        Timing::new(Timers { adaptive: Some(adaptive), ..Timers::default() }, rule)
    }

    #[test]
    fn the_configured_time_counts_unless_told_otherwise() {
        let mut fixed = Timing::new(Timers::constrained(), Rule::Rfc6298);
        fixed.on_sample(ms(40));
        assert_eq!((fixed.timeout(), fixed.measured(), fixed.rtt()), (ms(9000), Some(ms(40)), None));
        assert_eq!(timing(Rule::Rfc9147, None).timeout(), ms(1000), "nothing is known yet");
    }

    /// RFC 6298 §2: the first sample R gives R and R/2, and a second of the same three quarters of that variation.
    #[test]
    fn smoothing_is_that_of_rfc_6298() {
        let mut timing = timing(Rule::Rfc6298, None);
        timing.on_sample(ms(800));
        assert_eq!(timing.timeout(), ms(800 + 4 * 400));
        timing.on_sample(ms(800));
        assert_eq!(timing.timeout(), ms(800 + 4 * 300));
        timing.on_sample(ms(1600));
        // Off by 800: variation 300 * 3/4 + 800/4, and a mean of 800 * 7/8 + 1600/8.
        assert_eq!((timing.rtt(), timing.timeout()), (Some(ms(900)), ms(900 + 4 * 425)));
    }

    #[test]
    fn dtls_1_3_takes_one_and_a_half_times_the_last_round_trip() {
        let mut timing = timing(Rule::Rfc9147, Some(ms(1600)));
        assert_eq!((timing.timeout(), timing.rtt(), timing.measured()), (ms(2400), Some(ms(1600)), None));
        timing.on_sample(ms(400));
        assert_eq!(timing.timeout(), ms(600), "what is measured counts, not the hint");
        timing.on_sample(ms(800));
        assert_eq!((timing.timeout(), timing.rtt()), (ms(1200), Some(ms(450))));
    }

    #[test]
    fn there_is_a_least_and_a_most() {
        for rule in [Rule::Rfc6298, Rule::Rfc9147] {
            let mut timing = timing(rule, Some(ms(1)));
            assert_eq!(timing.timeout(), ms(100));
            for sample in [Duration::ZERO, Duration::from_secs(50), Duration::from_nanos(u64::MAX)] {
                timing.on_sample(sample);
            }
            assert_eq!(timing.timeout(), Duration::from_secs(60));
        }
    }
}

//! Stage: random loss, each datagram by itself or in bursts.

use crate::scenario::Loss;
use crate::sim::random::{Draws, Purpose, falls_within};
use crate::trace::Cause;

/// Random loss of one direction.
///
/// A Gilbert-Elliott process starts in its good state and takes one step for every datagram of the direction, also for
/// those that another stage drops: its state is a function of the number of the datagram alone.
#[derive(Clone, Debug)]
pub(super) struct LossStage {
    model: Loss,
    bad: bool,
}

impl LossStage {
    pub(super) fn new(model: Loss) -> Self {
        Self { model, bad: false }
    }

    /// Whether datagram `index` is lost. Takes every index once, in order.
    pub(super) fn step(&mut self, draws: &Draws, index: u32) -> Option<Cause> {
        let lost = |share| falls_within(draws.draw(Purpose::Loss, index), share);
        match self.model {
            Loss::None => None,
            Loss::Bernoulli(share) => lost(share).then_some(Cause::Loss),
            Loss::GilbertElliott { p_gb, p_bg, h_g, h_b } => {
                let leaves = if self.bad { p_bg } else { p_gb };
                self.bad ^= falls_within(draws.draw(Purpose::LossState, index), leaves);
                if self.bad { lost(h_b).then_some(Cause::LossBurst) } else { lost(h_g).then_some(Cause::Loss) }
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_arithmetic, reason = "checks statistics")]
mod tests {
    use super::*;
    use crate::endpoint::Role;
    use crate::scenario::Ratio;

    const DRAWS: u32 = 4_000_000;

    fn per_mille(n: u64) -> Ratio {
        Ratio { parts_per_trillion: n * 1_000_000_000 }
    }

    fn lost(model: Loss) -> Vec<bool> {
        let draws = Draws::new(11, "pair", Role::Client);
        let mut stage = LossStage::new(model);
        (0..DRAWS).map(|index| stage.step(&draws, index).is_some()).collect()
    }

    fn share(flags: &[bool]) -> f64 {
        flags.iter().filter(|flag| **flag).count() as f64 / flags.len() as f64
    }

    #[test]
    fn bernoulli_loses_its_share() {
        let measured = share(&lost(Loss::Bernoulli(per_mille(50))));
        assert!((measured / 0.05 - 1.0).abs() < 0.02, "{measured}");
        assert_eq!(share(&lost(Loss::Bernoulli(per_mille(0)))), 0.0);
        assert_eq!(share(&lost(Loss::Bernoulli(per_mille(1000)))), 1.0);
    }

    /// Presets of cellular links: mean loss `pi h_b + (1 - pi) h_g` with `pi = p_gb / (p_gb + p_bg)`.
    #[test]
    fn gilbert_elliott_loses_its_mean_share() {
        for (p_gb, p_bg, h_g, h_b) in [(10, 200, 5, 500), (40, 200, 20, 500), (20, 250, 2, 400), (50, 300, 30, 600)] {
            let measured = share(&lost(Loss::GilbertElliott {
                p_gb: per_mille(p_gb),
                p_bg: per_mille(p_bg),
                h_g: per_mille(h_g),
                h_b: per_mille(h_b),
            }));
            let bad = p_gb as f64 / (p_gb + p_bg) as f64;
            let expected = (bad * h_b as f64 + (1.0 - bad) * h_g as f64) / 1000.0;
            assert!((measured / expected - 1.0).abs() < 0.02, "{measured} instead of {expected}");
        }
    }

    /// With sure loss in the bad state and none in the good one, runs of losses are the bad runs.
    #[test]
    fn bursts_have_the_mean_length_of_bad_runs() {
        for p_bg in [100, 200, 300] {
            let (p_gb, h_g, h_b) = (per_mille(20), per_mille(0), per_mille(1000));
            let flags = lost(Loss::GilbertElliott { p_gb, p_bg: per_mille(p_bg), h_g, h_b });
            let runs = flags.windows(2).filter(|pair| !pair[0] && pair[1]).count();
            let measured = flags.iter().filter(|flag| **flag).count() as f64 / runs as f64;
            let expected = 1000.0 / p_bg as f64;
            assert!((measured / expected - 1.0).abs() < 0.02, "{measured} instead of {expected}");
        }
    }
}

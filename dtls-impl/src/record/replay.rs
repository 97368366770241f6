//! The anti-replay window of one epoch (RFC 6347 §4.1.2.6).

/// Numbers remembered below the highest one accepted. RFC 6347 §4.1.2.6 asks for at least 32 and prefers 64.
pub const REPLAY_WINDOW_LEN: u64 = 64;

const _: () = assert!(REPLAY_WINDOW_LEN == u64::BITS as u64, "the window is one word");

/// Which sequence numbers were accepted. A record is checked on arrival and committed only once it is authentic, so
/// that forged records cannot move the window.
#[derive(Clone, Debug, Default)]
pub struct ReplayWindow {
    /// The highest number accepted.
    highest: Option<u64>,
    /// Bit `n` says that `highest - n` was accepted.
    seen: u64,
}

impl ReplayWindow {
    /// A window that accepts everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a record of this number may still be accepted: neither seen before nor too old to tell.
    pub fn check(&self, seq: u64) -> bool {
        let Some(highest) = self.highest else { return true };
        match highest.checked_sub(seq) {
            None => true,
            Some(age) => age < REPLAY_WINDOW_LEN && self.seen & (1 << age) == 0,
        }
    }

    /// Remembers an authentic record's number.
    pub fn commit(&mut self, seq: u64) {
        let highest = *self.highest.get_or_insert(seq);
        match highest.checked_sub(seq) {
            None => {
                let advance = seq - highest;
                self.seen = if advance < REPLAY_WINDOW_LEN { self.seen << advance } else { 0 };
                self.seen |= 1;
                self.highest = Some(seq);
            }
            Some(age) if age < REPLAY_WINDOW_LEN => self.seen |= 1 << age,
            Some(_) => {}
        }
    }

    /// The highest number accepted so far.
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn after(committed: &[u64]) -> ReplayWindow {
        let mut window = ReplayWindow::new();
        committed.iter().for_each(|&seq| window.commit(seq));
        window
    }

    #[test]
    fn a_number_is_refused_after_commit_and_only_then() {
        let mut window = ReplayWindow::new();
        assert!(window.check(5) && window.check(5), "checking does not move the window");
        window.commit(5);
        assert!(!window.check(5));
        assert!(window.check(4) && window.check(6) && window.check(0));
        assert_eq!(window.highest(), Some(5));
    }

    #[test]
    fn the_window_is_exactly_64_wide() {
        let window = after(&[100]);
        assert!(window.check(37) && !window.check(36));
        let window = after(&[0, 63]);
        assert!(!window.check(0) && window.check(1), "zero was seen");
        let window = after(&[0, 64]);
        assert!(!window.check(0) && window.check(1), "zero is too old");
    }

    #[test]
    fn jumps_of_any_size_are_safe() {
        for jump in [1, 62, 63, 64, 65, 1 << 47, u64::MAX] {
            let window = after(&[0, jump]);
            assert!(!window.check(0) && !window.check(jump), "{jump}");
        }
        let window = after(&[u64::MAX, 0]);
        assert_eq!(window.highest(), Some(u64::MAX), "an old number does not move the window back");
    }

    /// Numbers near each other, with jumps now and then.
    fn arrivals() -> impl Strategy<Value = Vec<u64>> {
        proptest::collection::vec(prop_oneof![0u64..200, 100u64..130, (1u64 << 48) - 200..1 << 48], 0..300)
    }

    proptest! {
        /// Against a set that forgets nothing: no number twice, none below the window, every other one accepted.
        #[test]
        fn accepts_just_what_a_perfect_memory_of_the_last_64_would(arrivals in arrivals()) {
            let mut window = ReplayWindow::new();
            let mut accepted = BTreeSet::new();
            for seq in arrivals {
                let too_old = accepted.last().is_some_and(|&highest: &u64| seq + REPLAY_WINDOW_LEN <= highest);
                let expected = !too_old && !accepted.contains(&seq);
                prop_assert_eq!(window.check(seq), expected);
                if expected {
                    window.commit(seq);
                    accepted.insert(seq);
                }
                prop_assert!(!window.check(seq));
                prop_assert_eq!(window.highest(), accepted.last().copied());
            }
        }
    }
}

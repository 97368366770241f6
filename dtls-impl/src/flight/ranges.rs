//! Sets of byte ranges, for what of a message has been acknowledged.

use core::ops::Range;

/// Ranges that neither overlap nor touch, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RangeSet(Vec<Range<usize>>);

impl RangeSet {
    /// Adds a range.
    pub(crate) fn insert(&mut self, added: Range<usize>) {
        if added.is_empty() {
            return;
        }
        let touching = |range: &Range<usize>| range.start <= added.end && added.start <= range.end;
        let merged = self
            .0
            .iter()
            .filter(|range| touching(range))
            .fold(added.clone(), |all, range| all.start.min(range.start)..all.end.max(range.end));
        self.0.retain(|range| !touching(range));
        let at = self.0.partition_point(|range| range.start < merged.start);
        self.0.insert(at, merged);
    }

    /// What of `0..len` is not in the set.
    pub(crate) fn gaps(&self, len: usize) -> Vec<Range<usize>> {
        let mut gaps = Vec::new();
        let mut from = 0;
        for range in &self.0 {
            if from < range.start.min(len) {
                gaps.push(from..range.start.min(len));
            }
            from = range.end;
        }
        if from < len {
            gaps.push(from..len);
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_that_touch_become_one() {
        let mut set = RangeSet::default();
        [4..6, 0..2, 2..4, 9..9].into_iter().for_each(|range| set.insert(range));
        assert_eq!((set.0.len(), set.0[0].clone()), (1, 0..6));
        assert_eq!((set.gaps(8).len(), set.gaps(8)[0].clone()), (1, 6..8));
        assert!(set.gaps(5).is_empty());
    }

    proptest! {
        /// Against a list of flags.
        #[test]
        fn gaps_are_what_was_never_inserted(ranges in proptest::collection::vec((0usize..40, 0usize..40), 0..20)) {
            let mut set = RangeSet::default();
            let mut flags = [false; 40];
            for (a, b) in ranges {
                set.insert(a.min(b)..a.max(b));
                flags[a.min(b)..a.max(b)].fill(true);
            }
            let mut in_gap = [false; 40];
            set.gaps(40).into_iter().for_each(|gap| in_gap[gap].fill(true));
            prop_assert_eq!(flags.map(|flag| !flag), in_gap);
        }
    }
}

//! Sets of byte ranges: what of a message has been received, or acknowledged.

use core::ops::Range;

/// Ranges that neither overlap nor touch, in order. One range, the usual number, takes no allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RangeSet {
    first: Option<Range<usize>>,
    others: Vec<Range<usize>>,
}

impl RangeSet {
    /// Adds a range.
    pub(crate) fn insert(&mut self, added: Range<usize>) {
        if added.is_empty() {
            return;
        }
        let touching = |range: &Range<usize>| range.start <= added.end && added.start <= range.end;
        let mut merged = self
            .iter()
            .filter(|range| touching(range))
            .fold(added.clone(), |all, range| all.start.min(range.start)..all.end.max(range.end));
        self.others.retain(|range| !touching(range));
        match &mut self.first {
            Some(first) if touching(first) => *first = merged,
            Some(first) => {
                if merged.start < first.start {
                    core::mem::swap(first, &mut merged);
                }
                let at = self.others.partition_point(|range| range.start < merged.start);
                self.others.insert(at, merged);
            }
            None => self.first = Some(merged),
        }
    }

    /// The ranges, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Range<usize>> {
        self.first.iter().chain(&self.others)
    }

    /// What of `within` is not in the set, in order.
    pub(crate) fn gaps(&self, within: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let starts = core::iter::once(0).chain(self.iter().map(|range| range.end));
        let ends = self.iter().map(|range| range.start).chain(core::iter::once(usize::MAX));
        let clamped = move |(start, end): (usize, usize)| start.max(within.start)..end.min(within.end);
        starts.zip(ends).map(clamped).filter(|gap| !gap.is_empty())
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
        assert_eq!((set.iter().next(), set.iter().count()), (Some(&(0..6)), 1));
        assert_eq!((set.gaps(0..8).next(), set.gaps(0..8).count()), (Some(6..8), 1));
        assert!(set.gaps(0..5).next().is_none());
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
            set.gaps(0..40).for_each(|gap| in_gap[gap].fill(true));
            prop_assert_eq!(flags.map(|flag| !flag), in_gap);
            let ranges: Vec<_> = set.iter().collect();
            prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
        }
    }
}

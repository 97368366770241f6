//! How often each byte of something has been sent, for any cut into fragments.
//!
//! A flight may be cut anew when it is retransmitted (another MTU, another packing), so fragments cannot be compared
//! by their boundaries: what counts is which bytes went out how often.

use std::collections::BTreeMap;

/// Steps kept per message. A flight cut evenly needs two or three, one step per disjoint fragment is the worst case;
/// more than this is an attack or a broken stack, whose further fragments are answered but not remembered.
const STEPS_MAX: usize = 1024;

/// A step function from byte offsets to the number of transmissions that carried them; 0 before the first step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    steps: BTreeMap<u32, u32>,
}

impl Coverage {
    /// Notes that `start..end` is sent and returns in which transmission: one more than the least sent of its bytes.
    /// Bytes sent twice by overlap within one transmission count once. An empty range is taken for its first byte, so
    /// that messages without a body count too.
    pub fn send(&mut self, start: u32, end: u32) -> u32 {
        let end = end.max(start.saturating_add(1));
        let attempt = self.least(start, end).saturating_add(1);
        self.raise(start, end, attempt);
        attempt
    }

    /// How often the least sent byte of `start..end` was sent; an empty range is taken for its first byte.
    pub fn least(&self, start: u32, end: u32) -> u32 {
        let end = end.max(start.saturating_add(1));
        self.steps.range(start..end).map(|(_, &level)| level).fold(self.level(start), u32::min)
    }

    /// Whether every byte of a message of this length was sent.
    pub fn is_complete(&self, length: u32) -> bool {
        self.least(0, length) > 0
    }

    /// Whether every byte that `other` has was sent here too.
    pub fn includes(&self, other: &Self) -> bool {
        other.sent_within(0, u32::MAX).all(|(start, end)| self.least(start, end) > 0)
    }

    /// Number of bytes from offset 0 that were sent without a gap.
    pub fn contiguous(&self) -> u32 {
        if self.level(0) == 0 {
            return 0;
        }
        self.steps.iter().find(|&(_, &level)| level == 0).map_or(0, |(&offset, _)| offset)
    }

    /// Ranges within `start..end` that were sent before.
    pub fn sent_within(&self, start: u32, end: u32) -> impl Iterator<Item = (u32, u32)> {
        let first = (start, self.level(start));
        let inner = self.steps.range(start.saturating_add(1)..end.max(start.saturating_add(1)));
        let mut from = first;
        inner.map(|(&offset, &level)| (offset, level)).chain([(end, 0)]).filter_map(move |(offset, level)| {
            let (begin, sent) = from;
            from = (offset, level);
            (sent > 0 && begin < offset).then_some((begin, offset))
        })
    }

    fn level(&self, offset: u32) -> u32 {
        self.steps.range(..=offset).next_back().map_or(0, |(_, &level)| level)
    }

    /// Lifts everything in `start..end` that lies lower to `level`.
    fn raise(&mut self, start: u32, end: u32, level: u32) {
        if self.steps.len() + 2 > STEPS_MAX {
            return;
        }
        let (at_start, at_end) = (self.level(start), self.level(end));
        self.steps.insert(start, at_start);
        self.steps.insert(end, at_end);
        for (_, step) in self.steps.range_mut(start..end) {
            *step = level.max(*step);
        }
        // Steps that no longer change anything go, so that a flight sent whole costs two however it was cut.
        let mut before = start.checked_sub(1).map_or(0, |offset| self.level(offset));
        let touched: Vec<(u32, u32)> = self.steps.range(start..=end).map(|(&offset, &level)| (offset, level)).collect();
        for (offset, level) in touched {
            if level == before {
                self.steps.remove(&offset);
            }
            before = level;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_cut_counts_up() {
        let mut coverage = Coverage::default();
        for attempt in 1..4 {
            assert_eq!(coverage.send(0, 100), attempt);
            assert_eq!(coverage.send(100, 150), attempt);
        }
        assert_eq!(coverage.steps.len(), 2);
    }

    #[test]
    fn another_cut_counts_up_too() {
        let mut coverage = Coverage::default();
        assert_eq!([coverage.send(0, 100), coverage.send(100, 200)], [1, 1]);
        assert_eq!([coverage.send(0, 60), coverage.send(60, 120), coverage.send(120, 200)], [2, 2, 2]);
        assert_eq!(coverage.send(0, 200), 3);
    }

    #[test]
    fn overlap_within_a_transmission_is_no_retransmission() {
        let mut coverage = Coverage::default();
        assert_eq!([coverage.send(0, 100), coverage.send(50, 150)], [1, 1]);
        assert_eq!([coverage.send(0, 100), coverage.send(50, 150)], [2, 2]);
    }

    #[test]
    fn messages_without_a_body_count() {
        let mut coverage = Coverage::default();
        assert!(!coverage.is_complete(0));
        assert_eq!([coverage.send(0, 0), coverage.send(0, 0)], [1, 2]);
        assert!(coverage.is_complete(0));
    }

    #[test]
    fn gaps_show() {
        let mut coverage = Coverage::default();
        coverage.send(10, 20);
        coverage.send(30, 40);
        assert_eq!(coverage.contiguous(), 0);
        assert_eq!(coverage.sent_within(0, 50).collect::<Vec<_>>(), [(10, 20), (30, 40)]);
        assert_eq!(coverage.sent_within(15, 35).collect::<Vec<_>>(), [(15, 20), (30, 35)]);
        let before = coverage.clone();
        coverage.send(0, 10);
        assert!(coverage.includes(&before) && !before.includes(&coverage));
        assert_eq!(coverage.contiguous(), 20);
        assert!(!coverage.is_complete(40));
        coverage.send(20, 30);
        assert!(coverage.is_complete(40));
    }

    proptest! {
        /// The step function against an array with one counter per byte.
        #[test]
        fn agrees_with_counting_each_byte(ranges in prop::collection::vec((0u32..60, 0u32..20), 0..40)) {
            let mut coverage = Coverage::default();
            let mut bytes = [0u32; 100];
            for (start, len) in ranges {
                let span = &mut bytes[start as usize..(start + len.max(1)) as usize];
                let expected = span.iter().copied().min().unwrap_or(0) + 1;
                span.iter_mut().for_each(|count| *count = expected.max(*count));
                prop_assert_eq!(coverage.send(start, start + len), expected);
                for (offset, count) in bytes.iter().enumerate() {
                    prop_assert_eq!(coverage.level(offset as u32), *count);
                }
                let prefix = bytes.iter().take_while(|&&count| count > 0).count();
                prop_assert_eq!(coverage.contiguous() as usize, prefix);
            }
        }
    }
}

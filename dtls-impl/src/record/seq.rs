//! Record sequence numbers: 48 bits, each used once per epoch (RFC 6347 §4.1).

/// A record's number within its epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordSeq(u64);

impl RecordSeq {
    /// The first number of each epoch.
    pub const ZERO: Self = Self(0);
    /// The last number of each epoch, 2^48 - 1.
    pub const MAX: Self = Self((1 << 48) - 1);

    /// The number as given, `None` beyond [`Self::MAX`].
    pub const fn new(number: u64) -> Option<Self> {
        if number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }

    /// The number as an integer.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number after this one. An epoch ends with its last number: they never wrap (RFC 6347 §4.1).
    pub const fn next(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }
}

/// Hands out each number of an epoch once.
#[derive(Clone, Debug)]
pub struct SeqCounter {
    next: Option<RecordSeq>,
}

impl SeqCounter {
    /// Starts at zero.
    pub const fn new() -> Self {
        Self::starting_at(RecordSeq::ZERO)
    }

    /// Starts elsewhere. A server that answers statelessly copies the ClientHello's number (RFC 6347 §4.2.1).
    pub const fn starting_at(first: RecordSeq) -> Self {
        Self { next: Some(first) }
    }

    /// The number that the next record will get; `None` once all are used.
    pub const fn peek(&self) -> Option<RecordSeq> {
        self.next
    }

    /// Takes the next number; `None` once all are used.
    pub fn take(&mut self) -> Option<RecordSeq> {
        let taken = self.next?;
        self.next = taken.next();
        Some(taken)
    }
}

impl Default for SeqCounter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_handed_out_once_and_never_wrap() {
        let mut counter = SeqCounter::new();
        assert_eq!((counter.take(), counter.take()), (Some(RecordSeq(0)), Some(RecordSeq(1))));

        let mut counter = SeqCounter::starting_at(RecordSeq((1 << 48) - 2));
        assert_eq!(counter.peek().map(RecordSeq::get), Some((1 << 48) - 2));
        assert!(counter.take().is_some());
        assert_eq!(counter.take(), Some(RecordSeq::MAX));
        assert_eq!((counter.take(), counter.take(), counter.peek()), (None, None, None));
    }

    #[test]
    fn numbers_have_48_bits() {
        assert_eq!(RecordSeq::new((1 << 48) - 1), Some(RecordSeq::MAX));
        assert_eq!(RecordSeq::new(1 << 48), None);
        assert_eq!(RecordSeq::new(u64::MAX), None);
    }
}

//! Randomness: one ChaCha20 stream per connection, from a seed the caller gives. There is no other source.

use core::convert::Infallible;
use core::fmt;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Where all random bytes of one connection come from: randoms and ephemeral keys. For real use it must be fresh and
/// unpredictable for each connection; the same seed gives the same bytes.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Seed(pub [u8; 32]);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// The stream of a connection.
pub(crate) struct Entropy(ChaCha20Rng);

impl Entropy {
    pub(crate) fn new(seed: &Seed) -> Self {
        Self(ChaCha20Rng::from_seed(seed.0))
    }

    /// Another stream of the same seed, which tells nothing of the first.
    pub(crate) fn beside(seed: &Seed) -> Self {
        let mut stream = ChaCha20Rng::from_seed(seed.0);
        stream.set_stream(1);
        Self(stream)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(..)")
    }
}

impl TryRng for Entropy {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

impl TryCryptoRng for Entropy {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_bytes_and_are_not_printed() {
        let seed = Seed([0xab; 32]);
        assert_eq!(Entropy::new(&seed).array::<40>(), Entropy::new(&seed.clone()).array());
        assert_ne!(Entropy::new(&seed).array::<40>(), Entropy::new(&Seed([0xac; 32])).array());
        assert_eq!(format!("{seed:?}{:?}", Entropy::new(&seed)), "Seed(..)Entropy(..)");
    }
}

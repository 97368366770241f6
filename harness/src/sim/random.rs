//! Keyed draws: every random decision is a hash of the seed and of what it decides.
//!
//! There is no generator whose state could be shared. A draw depends on the root seed, its purpose, the *name* of the
//! link, the direction and the number of the datagram, so a further link, host, copy or kind of impairment moves no
//! other draw. The numbers are part of format version 1 of seeds and tokens: a test pins some of them.

use sha2::{Digest, Sha256};

use crate::endpoint::Role;
use crate::scenario::Ratio;
use crate::trace::Visit;

/// Version of the mapping from seeds to draws.
pub const DRAW_FORMAT: u64 = 1;

/// What a draw decides. The codes are part of the format: append, never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Purpose {
    /// Step of a Gilbert-Elliott process.
    LossState = 1,
    /// Loss of a datagram.
    Loss = 2,
    /// Whether a datagram is duplicated.
    Duplicate = 3,
    /// Random part of the delay of one copy.
    Delay = 4,
    /// Whether one copy is held back.
    Reorder = 5,
}

/// The draws of one direction of one link.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    key: [u64; 2],
}

impl Draws {
    /// Draws of what `from` sends over the link called `link`.
    pub fn new(seed: u64, link: &str, from: Role) -> Self {
        let half = |which: u8| {
            let mut name = Vec::with_capacity(link.len() + 2);
            name.extend_from_slice(&[which, from as u8]);
            name.extend_from_slice(link.as_bytes());
            siphash([seed, DRAW_FORMAT], &name)
        };
        Self { key: [half(0), half(1)] }
    }

    /// A uniform number for datagram `index`.
    pub fn draw(&self, purpose: Purpose, index: u32) -> u64 {
        self.draw_copy(purpose, index, 0)
    }

    /// A uniform number for one copy of datagram `index`; copy 0 is the original.
    pub fn draw_copy(&self, purpose: Purpose, index: u32, copy: u8) -> u64 {
        let [a, b, c, d] = index.to_le_bytes();
        siphash(self.key, &[a, b, c, d, copy, purpose as u8])
    }
}

/// One draw by all its coordinates; [`Draws`] keeps those that stay the same.
pub fn draw(seed: u64, purpose: Purpose, link: &str, from: Role, index: u32) -> u64 {
    Draws::new(seed, link, from).draw(purpose, index)
}

/// All the randomness that the client's endpoint of a visit gets, or the server with all its endpoints.
pub fn entropy(seed: u64, role: Role, visit: Visit) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"windtunnel endpoint entropy");
    hash.update(DRAW_FORMAT.to_be_bytes());
    hash.update(seed.to_be_bytes());
    hash.update([role as u8]);
    if visit != Visit::FIRST {
        hash.update(visit.0.to_be_bytes());
    }
    hash.finalize().into()
}

/// Whether a uniform draw falls into the share: `draw / 2^64 < parts / 10^12`, exactly.
pub fn falls_within(draw: u64, share: Ratio) -> bool {
    u128::from(draw) * 1_000_000_000_000 < u128::from(share.parts_per_trillion) << 64
}

/// A uniform draw scaled to `0..=max`.
pub fn scale(draw: u64, max: u64) -> u64 {
    // The product is below 2^128, so its upper half fits.
    ((u128::from(draw) * (u128::from(max) + 1)) >> 64) as u64
}

/// SipHash-2-4 (Aumasson and Bernstein, 2012): fast on short input, the same everywhere.
fn siphash([k0, k1]: [u64; 2], message: &[u8]) -> u64 {
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let mut absorb = |word: u64| {
        v[3] ^= word;
        rounds(&mut v, 2);
        v[0] ^= word;
    };
    let mut chunks = message.chunks_exact(8);
    for chunk in &mut chunks {
        absorb(little_endian(chunk));
    }
    // The last word ends with the length of the message modulo 256.
    absorb(little_endian(chunks.remainder()) | (message.len() as u64) << 56);
    v[2] ^= 0xff;
    rounds(&mut v, 4);
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

/// Up to eight bytes as a number.
fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

fn rounds(v: &mut [u64; 4], count: u32) {
    for _ in 0..count {
        v[0] = v[0].wrapping_add(v[1]);
        v[2] = v[2].wrapping_add(v[3]);
        v[1] = v[1].rotate_left(13) ^ v[0];
        v[3] = v[3].rotate_left(16) ^ v[2];
        v[0] = v[0].rotate_left(32);
        v[2] = v[2].wrapping_add(v[1]);
        v[0] = v[0].wrapping_add(v[3]);
        v[1] = v[1].rotate_left(17) ^ v[2];
        v[3] = v[3].rotate_left(21) ^ v[0];
        v[2] = v[2].rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of the authors' reference code: key 00..0f, message 00, 01, ... of growing length.
    #[test]
    fn siphash_agrees_with_the_reference() {
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let message: Vec<u8> = (0..15).collect();
        assert_eq!(siphash(key, &[]), 0x726f_db47_dd0e_0e31);
        assert_eq!(siphash(key, &message[..1]), 0x74f8_39c5_93dc_67fd);
        assert_eq!(siphash(key, &message[..8]), 0x93f5_f579_9a93_2462);
        assert_eq!(siphash(key, &message), 0xa129_ca61_49be_45e5);
    }

    /// Changing these numbers changes what every seed means: raise `DRAW_FORMAT` then.
    #[test]
    fn draws_of_format_1_stay_as_they_are() {
        assert_eq!(DRAW_FORMAT, 1);
        assert_eq!(draw(0, Purpose::Loss, "pair", Role::Client, 0), 0x95f5_f0b4_ca94_9518);
        assert_eq!(draw(1, Purpose::Delay, "pair", Role::Server, 7), 0x7262_b8a6_dfa5_811d);
        assert_eq!(draw(u64::MAX, Purpose::Reorder, "bystander/tv", Role::Client, u32::MAX), 0xd91c_6b4a_c1d5_6bb5);
        assert_eq!(Draws::new(1, "pair", Role::Server).draw_copy(Purpose::Delay, 7, 1), 0x11e4_e537_a3f2_080f);
        assert_eq!(entropy(1, Role::Client, Visit::FIRST)[..8], [0x47, 0xa3, 0xcc, 0x6a, 0x31, 0x84, 0xa0, 0xbd]);
        assert_eq!(entropy(1, Role::Server, Visit::FIRST)[..8], [0xa0, 0xaa, 0x71, 0x2b, 0x6a, 0x20, 0xba, 0x87]);
    }

    #[test]
    fn every_coordinate_matters() {
        let base = draw(1, Purpose::Loss, "pair", Role::Client, 5);
        let others = [
            draw(2, Purpose::Loss, "pair", Role::Client, 5),
            draw(1, Purpose::Duplicate, "pair", Role::Client, 5),
            draw(1, Purpose::Loss, "pairs", Role::Client, 5),
            draw(1, Purpose::Loss, "pair", Role::Server, 5),
            draw(1, Purpose::Loss, "pair", Role::Client, 6),
            Draws::new(1, "pair", Role::Client).draw_copy(Purpose::Loss, 5, 1),
        ];
        assert!(others.iter().all(|other| *other != base));
    }

    #[test]
    fn a_share_is_compared_exactly() {
        let share = |parts_per_trillion| Ratio { parts_per_trillion };
        assert!(!falls_within(0, share(0)));
        assert!(falls_within(u64::MAX, share(1_000_000_000_000)));
        let half = share(500_000_000_000);
        assert!(falls_within((1 << 63) - 1, half));
        assert!(!falls_within(1 << 63, half));
        // One part per trillion is 18,446,744.07 of 2^64.
        assert!(falls_within(18_446_744, share(1)));
        assert!(!falls_within(18_446_745, share(1)));
    }

    #[test]
    fn scaling_reaches_both_ends() {
        assert_eq!(scale(0, 9), 0);
        assert_eq!(scale(u64::MAX, 9), 9);
        assert_eq!(scale(u64::MAX, u64::MAX), u64::MAX);
        assert_eq!(scale(u64::MAX, 0), 0);
    }
}

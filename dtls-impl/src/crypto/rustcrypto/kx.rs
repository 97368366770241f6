//! Ephemeral Diffie-Hellman: X25519 and ECDH on P-256.

use p256::elliptic_curve::sec1::ToSec1Point;
use rand_core::Rng;
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use crate::crypto::{CryptoError, Group, KeyExchange, Secret};

/// Draws for a P-256 scalar before the generator is called broken; one draw is refused with probability 2^-32.
const SCALAR_DRAWS_MAX: usize = 4;

/// Uncompressed point: 0x04, x, y (RFC 8422 §5.4.1).
const P256_POINT_LEN: usize = 65;

pub(super) fn start(group: Group, random: &mut dyn Rng) -> Result<Box<dyn KeyExchange>, CryptoError> {
    match group {
        Group::X25519 => {
            let mut bytes = Zeroizing::new([0; 32]);
            random.fill_bytes(bytes.as_mut());
            Ok(Box::new(X25519::new(*bytes)))
        }
        Group::Secp256r1 => {
            let mut bytes = Zeroizing::new([0; 32]);
            for _ in 0..SCALAR_DRAWS_MAX {
                random.fill_bytes(bytes.as_mut());
                if let Ok(secret) = p256::SecretKey::from_slice(bytes.as_ref()) {
                    return Ok(Box::new(P256::new(secret)));
                }
            }
            Err(CryptoError::BadKey)
        }
    }
}

struct X25519 {
    secret: StaticSecret,
    public: x25519_dalek::PublicKey,
}

impl X25519 {
    fn new(bytes: [u8; 32]) -> Self {
        let secret = StaticSecret::from(bytes);
        let public = (&secret).into();
        Self { secret, public }
    }
}

impl KeyExchange for X25519 {
    fn group(&self) -> Group {
        Group::X25519
    }

    fn public_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn complete(self: Box<Self>, peer: &[u8]) -> Result<Secret, CryptoError> {
        let peer: [u8; 32] = peer.try_into().map_err(|_| CryptoError::BadPublicKey)?;
        let shared = self.secret.diffie_hellman(&peer.into());
        // RFC 8422 §5.11: abort on an all-zero result.
        if !shared.was_contributory() {
            return Err(CryptoError::BadPublicKey);
        }
        Ok(Secret::new(shared.as_bytes().to_vec()))
    }
}

struct P256 {
    secret: p256::SecretKey,
    public: [u8; P256_POINT_LEN],
}

impl P256 {
    fn new(secret: p256::SecretKey) -> Self {
        let mut public = [0; P256_POINT_LEN];
        public.copy_from_slice(secret.public_key().to_sec1_point(false).as_bytes());
        Self { secret, public }
    }
}

impl KeyExchange for P256 {
    fn group(&self) -> Group {
        Group::Secp256r1
    }

    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn complete(self: Box<Self>, peer: &[u8]) -> Result<Secret, CryptoError> {
        // Compressed points and the point at infinity are valid SEC1 but not valid here (RFC 8422 §5.4.1, §5.11).
        if peer.len() != P256_POINT_LEN || peer[0] != 4 {
            return Err(CryptoError::BadPublicKey);
        }
        let peer = p256::PublicKey::from_sec1_bytes(peer).map_err(|_| CryptoError::BadPublicKey)?;
        let shared = p256::ecdh::diffie_hellman(self.secret.to_nonzero_scalar(), peer.as_affine());
        Ok(Secret::new(shared.raw_secret_bytes().to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::crypto::test_vectors::hex;

    /// Hands out the same 32 bytes for ever.
    struct Fixed([u8; 32]);

    impl rand_core::TryRng for Fixed {
        type Error = core::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(0)
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(0)
        }

        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            out.copy_from_slice(&self.0);
            Ok(())
        }
    }

    fn from_private(group: Group, private: &str) -> Box<dyn KeyExchange> {
        start(group, &mut Fixed(hex(private).try_into().unwrap())).unwrap()
    }

    /// RFC 7748 §6.1.
    #[test]
    fn x25519_agrees_with_rfc_7748() {
        let alice = from_private(Group::X25519, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let bob = from_private(Group::X25519, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        let (alice_public, bob_public) = (alice.public_key().to_vec(), bob.public_key().to_vec());
        assert_eq!(alice_public, hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
        assert_eq!(bob_public, hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
        let shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        assert_eq!(alice.complete(&bob_public).unwrap().expose(), shared);
        assert_eq!(bob.complete(&alice_public).unwrap().expose(), shared);
    }

    /// RFC 5903 §8.1.
    #[test]
    fn p256_agrees_with_rfc_5903() {
        let initiator =
            from_private(Group::Secp256r1, "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433");
        let responder =
            from_private(Group::Secp256r1, "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53");
        let (initiator_public, responder_public) = (initiator.public_key().to_vec(), responder.public_key().to_vec());
        let expected = "04 dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180 \
             5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3";
        assert_eq!(initiator_public, hex(expected));
        let shared = hex("d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de");
        assert_eq!(initiator.complete(&responder_public).unwrap().expose(), shared);
        assert_eq!(responder.complete(&initiator_public).unwrap().expose(), shared);
    }

    #[test]
    fn x25519_refuses_points_of_small_order_and_wrong_lengths() {
        // 0, 1, a point of order 8, and p - 1, p, p + 1: all lead to an all-zero result.
        let mut points = vec![vec![0; 32], vec![0; 32], vec![0; 31], vec![9; 33], Vec::new()];
        points[1][0] = 1;
        points.push(hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"));
        for low in [0xec, 0xed, 0xee] {
            let mut point = vec![0xff; 32];
            (point[0], point[31]) = (low, 0x7f);
            points.push(point);
        }
        for point in points {
            let key = start(Group::X25519, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
            assert_eq!(key.complete(&point).unwrap_err(), CryptoError::BadPublicKey, "{point:02x?}");
        }
    }

    #[test]
    fn p256_refuses_everything_but_uncompressed_points_of_the_curve() {
        let valid = start(Group::Secp256r1, &mut ChaCha20Rng::seed_from_u64(1)).unwrap().public_key().to_vec();
        let mut off_curve = valid.clone();
        off_curve[64] ^= 1;
        let mut hybrid = valid.clone();
        hybrid[0] = 6 + (valid[64] & 1);
        let mut compressed = valid[..33].to_vec();
        compressed[0] = 2 + (valid[64] & 1);
        let mut too_large = vec![0xff; 65];
        too_large[0] = 4;
        let mut zero = vec![0; 65];
        zero[0] = 4;
        for point in [off_curve, hybrid, compressed, too_large, zero, vec![0], vec![], valid[..64].to_vec()] {
            let key = start(Group::Secp256r1, &mut ChaCha20Rng::seed_from_u64(2)).unwrap();
            assert_eq!(key.complete(&point).unwrap_err(), CryptoError::BadPublicKey, "{point:02x?}");
        }
    }

    #[test]
    fn equal_seeds_give_equal_keys_and_a_broken_generator_ends_the_search() {
        for group in [Group::X25519, Group::Secp256r1] {
            let public = |seed| start(group, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap().public_key().to_vec();
            assert_eq!(public(7), public(7));
            assert_ne!(public(7), public(8));
        }
        assert_eq!(start(Group::Secp256r1, &mut Fixed([0; 32])).err(), Some(CryptoError::BadKey));
        assert_eq!(start(Group::Secp256r1, &mut Fixed([0xff; 32])).err(), Some(CryptoError::BadKey));
    }
}

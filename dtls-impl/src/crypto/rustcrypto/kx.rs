//! Ephemeral Diffie-Hellman: X25519 and ECDH on P-256 and P-384.

use p256::elliptic_curve::sec1::ToSec1Point;
use rand_core::Rng;
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use super::hybrid::{self, Hybrid};
use crate::crypto::{CryptoError, Group, KeyExchange, Response, Secret};

/// Draws for a scalar before the generator is called broken; one draw is refused with probability 2^-32 on P-256, and
/// 2^-190 on P-384.
const SCALAR_DRAWS_MAX: usize = 4;

pub(super) fn start(group: Group, random: &mut dyn Rng) -> Result<Box<dyn KeyExchange>, CryptoError> {
    match group {
        Group::X25519 => Ok(Box::new(X25519::draw(random))),
        Group::Secp256r1 => P256::draw(random),
        Group::Secp384r1 => P384::draw(random),
        Group::X25519MlKem768 => Ok(Box::new(Hybrid::draw(random))),
    }
}

pub(super) fn respond(group: Group, peer: &[u8], random: &mut dyn Rng) -> Result<Response, CryptoError> {
    if group == Group::X25519MlKem768 {
        return hybrid::respond(peer, random);
    }
    let own = start(group, random)?;
    let share = own.public_key().to_vec();
    Ok(Response { share, secret: own.complete(peer)? })
}

pub(super) struct X25519 {
    secret: StaticSecret,
    public: x25519_dalek::PublicKey,
}

impl X25519 {
    pub(super) fn draw(random: &mut dyn Rng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill_bytes(bytes.as_mut());
        Self::new(*bytes)
    }

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

/// ECDH on a curve of the `elliptic-curve` crates. Their types differ in parameters alone, which would take longer to
/// spell out than what is done with them.
macro_rules! ecdh {
    ($name:ident, $curve:ident, $group:expr, $scalar_len:literal) => {
        struct $name {
            secret: $curve::SecretKey,
            /// Uncompressed point: 0x04, x, y (RFC 8422 §5.4.1).
            public: [u8; 1 + 2 * $scalar_len],
        }

        impl $name {
            fn draw(random: &mut dyn Rng) -> Result<Box<dyn KeyExchange>, CryptoError> {
                let mut bytes = Zeroizing::new([0; $scalar_len]);
                for _ in 0..SCALAR_DRAWS_MAX {
                    random.fill_bytes(bytes.as_mut());
                    if let Ok(secret) = $curve::SecretKey::from_slice(bytes.as_ref()) {
                        let mut public = [0; 1 + 2 * $scalar_len];
                        public.copy_from_slice(secret.public_key().to_sec1_point(false).as_bytes());
                        return Ok(Box::new(Self { secret, public }));
                    }
                }
                Err(CryptoError::BadKey)
            }
        }

        impl KeyExchange for $name {
            fn group(&self) -> Group {
                $group
            }

            fn public_key(&self) -> &[u8] {
                &self.public
            }

            fn complete(self: Box<Self>, peer: &[u8]) -> Result<Secret, CryptoError> {
                // Compressed points and the point at infinity are valid SEC1 but not valid here (RFC 8422 §5.4.1, §5.11).
                if peer.len() != self.public.len() || peer[0] != 4 {
                    return Err(CryptoError::BadPublicKey);
                }
                let peer = $curve::PublicKey::from_sec1_bytes(peer).map_err(|_| CryptoError::BadPublicKey)?;
                let shared = $curve::ecdh::diffie_hellman(self.secret.to_nonzero_scalar(), peer.as_affine());
                Ok(Secret::new(shared.raw_secret_bytes().to_vec()))
            }
        }
    };
}

ecdh!(P256, p256, Group::Secp256r1, 32);
ecdh!(P384, p384, Group::Secp384r1, 48);

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::crypto::test_vectors::hex;

    /// Hands out the same bytes for ever.
    struct Fixed(Vec<u8>);

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
        start(group, &mut Fixed(hex(private))).unwrap()
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

    /// RFC 5903 §8.2.
    #[test]
    fn p384_agrees_with_rfc_5903() {
        let initiator = from_private(
            Group::Secp384r1,
            "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194",
        );
        let responder = from_private(
            Group::Secp384r1,
            "41cb0779b4bdb85d47846725fbec3c9430fab46cc8dc5060855cc9bda0aa2942e0308312916b8ed2960e4bd55a7448fc",
        );
        let (initiator_public, responder_public) = (initiator.public_key().to_vec(), responder.public_key().to_vec());
        let expected = "04 667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4c88732aee95f41aa \
             9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcff3c2c947dae69b4c634573a81c";
        assert_eq!(initiator_public, hex(expected));
        let shared =
            hex("11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746");
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
        for group in [Group::X25519, Group::Secp256r1, Group::Secp384r1, Group::X25519MlKem768] {
            let public = |seed| start(group, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap().public_key().to_vec();
            assert_eq!(public(7), public(7));
            assert_ne!(public(7), public(8));
        }
        for (group, len) in [(Group::Secp256r1, 32), (Group::Secp384r1, 48)] {
            for byte in [0, 0xff] {
                assert_eq!(start(group, &mut Fixed(vec![byte; len])).err(), Some(CryptoError::BadKey));
            }
        }
    }
}

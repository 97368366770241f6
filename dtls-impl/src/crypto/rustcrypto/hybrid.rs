//! X25519MLKEM768: ML-KEM-768 (FIPS 203) and X25519 side by side (draft-ietf-tls-ecdhe-mlkem §4). In shares and in the
//! secret ML-KEM comes first, other than in the group's name.

use ml_kem::kem::{Decapsulate, KeyExport};
use ml_kem::ml_kem_768::{Ciphertext, DecapsulationKey, EncapsulationKey};
use ml_kem::{B32, Seed};
use rand_core::Rng;
use zeroize::{Zeroize, Zeroizing};

use super::kx::X25519;
use crate::crypto::{CryptoError, Group, KeyExchange, Response, Secret};

/// Length of an encapsulation key (FIPS 203 §8).
const ENCAPSULATION_KEY_LEN: usize = 1184;

/// Length of a ciphertext (FIPS 203 §8).
const CIPHERTEXT_LEN: usize = 1088;

/// The key of the first to speak.
pub(super) struct Hybrid {
    decapsulation_key: DecapsulationKey,
    x25519: Box<X25519>,
    /// The encapsulation key, and the point.
    public: Vec<u8>,
}

impl Hybrid {
    pub(super) fn draw(random: &mut dyn Rng) -> Self {
        let mut seed = Zeroizing::new(Seed::default());
        random.fill_bytes(&mut seed);
        let decapsulation_key = DecapsulationKey::from_seed(*seed);
        let x25519 = Box::new(X25519::draw(random));
        let mut public = decapsulation_key.encapsulation_key().to_bytes().to_vec();
        public.extend_from_slice(x25519.public_key());
        Self { decapsulation_key, x25519, public }
    }
}

impl KeyExchange for Hybrid {
    fn group(&self) -> Group {
        Group::X25519MlKem768
    }

    fn public_key(&self) -> &[u8] {
        &self.public
    }

    /// A ciphertext that was tampered with gives another secret, not an error (FIPS 203 §6.3): Finished will not verify.
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<Secret, CryptoError> {
        let (ciphertext, point) = peer.split_at_checked(CIPHERTEXT_LEN).ok_or(CryptoError::BadPublicKey)?;
        let ciphertext = Ciphertext::try_from(ciphertext).map_err(|_| CryptoError::BadPublicKey)?;
        let x25519 = self.x25519.complete(point)?;
        let mut ml_kem = self.decapsulation_key.decapsulate(&ciphertext);
        let secret = [&ml_kem[..], x25519.expose()].concat();
        ml_kem.zeroize();
        Ok(Secret::new(secret))
    }
}

/// The share and the secret of the second to speak.
pub(super) fn respond(peer: &[u8], random: &mut dyn Rng) -> Result<Response, CryptoError> {
    let (key, point) = peer.split_at_checked(ENCAPSULATION_KEY_LEN).ok_or(CryptoError::BadPublicKey)?;
    let key = key.try_into().map_err(|_| CryptoError::BadPublicKey)?;
    let key = EncapsulationKey::new(&key).map_err(|_| CryptoError::BadPublicKey)?;
    let mut message = Zeroizing::new(B32::default());
    random.fill_bytes(&mut message);
    let (ciphertext, mut ml_kem) = key.encapsulate_deterministic(&message);
    let own = Box::new(X25519::draw(random));
    let share = [&ciphertext[..], own.public_key()].concat();
    let x25519 = own.complete(point)?;
    let secret = [&ml_kem[..], x25519.expose()].concat();
    ml_kem.zeroize();
    Ok(Response { share, secret: Secret::new(secret) })
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::crypto::test_vectors::hex;
    use crate::crypto::{HashAlgorithm, rustcrypto};

    fn random(seed: u64) -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(seed)
    }

    #[test]
    fn shares_and_secrets_have_the_lengths_of_the_draft() {
        let client = Box::new(Hybrid::draw(&mut random(1)));
        assert_eq!(client.public_key().len(), 1216);
        let server = respond(client.public_key(), &mut random(2)).unwrap();
        assert_eq!((server.share.len(), server.secret.expose().len()), (1120, 64));
        assert_eq!(client.complete(&server.share).unwrap(), server.secret);
    }

    #[test]
    fn bad_shares_are_refused() {
        let good = Hybrid::draw(&mut random(1)).public_key().to_vec();
        // The first coefficient, 12 bits, becomes q = 3329 = 0xd01, and then the largest there is.
        let coefficient = |value: u16| {
            let mut share = good.clone();
            share[0] = value as u8;
            share[1] = (share[1] & 0xf0) | (value >> 8) as u8;
            share
        };
        assert!(respond(&coefficient(3328), &mut random(2)).is_ok());
        let zero_point = [&good[..1184], &[0; 32]].concat();
        let longer = [&good[..], &[0]].concat();
        for share in [coefficient(3329), coefficient(4095), zero_point, longer, good[..1215].to_vec(), vec![]] {
            assert_eq!(respond(&share, &mut random(2)).err(), Some(CryptoError::BadPublicKey));
        }

        let answer = respond(&good, &mut random(2)).unwrap().share;
        let zero_point = [&answer[..1088], &[0; 32]].concat();
        let longer = [&answer[..], &[0]].concat();
        for share in [zero_point, longer, answer[..1119].to_vec(), answer[..1088].to_vec(), vec![]] {
            let key = Box::new(Hybrid::draw(&mut random(1)));
            assert_eq!(key.complete(&share), Err(CryptoError::BadPublicKey));
        }
    }

    #[test]
    fn a_changed_ciphertext_gives_another_secret() {
        let client = || Box::new(Hybrid::draw(&mut random(1)));
        let Response { mut share, secret } = respond(client().public_key(), &mut random(2)).unwrap();
        share[7] ^= 1;
        let other = client().complete(&share).unwrap();
        assert_ne!(other, secret);
        assert_eq!(other, client().complete(&share).unwrap(), "rejection is implicit, and the same each time");
        assert_eq!(other.expose()[32..], secret.expose()[32..], "the other half stands");
    }
    /// Computed with another implementation of FIPS 203: from the seed 0, 1, .. 63 and the message 64, 65, .. 95.
    #[test]
    fn ml_kem_is_that_of_fips_203() {
        let counting = |from: u8| (from..from + 32).collect::<Vec<u8>>();
        let seed = Seed::try_from(&[counting(0), counting(32)].concat()[..]).unwrap();
        let message = B32::try_from(&counting(64)[..]).unwrap();
        let hash = |bytes: &[u8]| rustcrypto::provider().hash_of(HashAlgorithm::Sha256, bytes).as_ref().to_vec();
        let own = DecapsulationKey::from_seed(seed);
        let public = own.encapsulation_key().to_bytes();
        assert_eq!(hash(&public), hex("0b7934c83125c788995e2ba6bd761e33046b3e40571be53e023309a29f398cc9"));
        let (mut ciphertext, secret) = EncapsulationKey::new(&public).unwrap().encapsulate_deterministic(&message);
        assert_eq!(hash(&ciphertext), hex("dbf4e9aa48b078ad46ec1c9c47bda8c2d2fec9d0e7a21bd48d2238a2abedb856"));
        assert_eq!(secret[..], hex("9cddd089ffe70e3996e76f7c8d06746df34d07e8657bc0fcf2bb0e1c3084aea1"));
        assert_eq!(own.decapsulate(&ciphertext), secret);
        ciphertext[0] ^= 1;
        let rejected = hex("dcfc80c6db46ff7028e3a4398651c063ae7a42c107a6dc8cb07141861698ab92");
        assert_eq!(own.decapsulate(&ciphertext)[..], rejected, "implicit rejection");
    }
}

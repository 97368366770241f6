//! X25519MLKEM768 over AWS-LC's ML-KEM: the counterpart of the default provider's, with the same order of the parts.

use aws_lc_rs::agreement;
use aws_lc_rs::kem::{AlgorithmId, Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_768};

use super::Ephemeral;
use crate::crypto::{CryptoError, Group, KeyExchange, Response, Secret};

/// Length of an encapsulation key (FIPS 203 §8).
const ENCAPSULATION_KEY_LEN: usize = 1184;

/// Length of a ciphertext (FIPS 203 §8).
const CIPHERTEXT_LEN: usize = 1088;

/// The key of the first to speak.
pub(super) struct Hybrid {
    decapsulation_key: DecapsulationKey<AlgorithmId>,
    x25519: Box<Ephemeral>,
    /// The encapsulation key, and the point.
    public: Vec<u8>,
}

impl Hybrid {
    pub(super) fn draw() -> Result<Self, CryptoError> {
        let decapsulation_key = DecapsulationKey::generate(&ML_KEM_768).map_err(|_| CryptoError::BadKey)?;
        let encapsulation_key = decapsulation_key.encapsulation_key().map_err(|_| CryptoError::BadKey)?;
        let key_bytes = encapsulation_key.key_bytes().map_err(|_| CryptoError::BadKey)?;
        let x25519 = Box::new(Ephemeral::draw(Group::X25519, &agreement::X25519)?);
        let public = [key_bytes.as_ref(), x25519.public_key()].concat();
        Ok(Self { decapsulation_key, x25519, public })
    }
}

impl KeyExchange for Hybrid {
    fn group(&self) -> Group {
        Group::X25519MlKem768
    }

    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn complete(self: Box<Self>, peer: &[u8]) -> Result<Secret, CryptoError> {
        let (ciphertext, point) = peer.split_at_checked(CIPHERTEXT_LEN).ok_or(CryptoError::BadPublicKey)?;
        let x25519 = self.x25519.complete(point)?;
        let ml_kem = self.decapsulation_key.decapsulate(Ciphertext::from(ciphertext));
        let ml_kem = ml_kem.map_err(|_| CryptoError::BadPublicKey)?;
        Ok(Secret::new([ml_kem.as_ref(), x25519.expose()].concat()))
    }
}

/// The share and the secret of the second to speak.
pub(super) fn respond(peer: &[u8]) -> Result<Response, CryptoError> {
    let (key, point) = peer.split_at_checked(ENCAPSULATION_KEY_LEN).ok_or(CryptoError::BadPublicKey)?;
    // Coefficients out of range are noticed either when the key is read or when it is used.
    let key = EncapsulationKey::new(&ML_KEM_768, key).map_err(|_| CryptoError::BadPublicKey)?;
    let (ciphertext, ml_kem) = key.encapsulate().map_err(|_| CryptoError::BadPublicKey)?;
    let own = Box::new(Ephemeral::draw(Group::X25519, &agreement::X25519)?);
    let share = [ciphertext.as_ref(), own.public_key()].concat();
    let x25519 = own.complete(point)?;
    Ok(Response { share, secret: Secret::new([ml_kem.as_ref(), x25519.expose()].concat()) })
}

//! AEAD protection of DTLS 1.2 records (RFC 6347 §4.1.2, RFC 5246 §6.2.3.3).
//!
//! A [`Sealer`] turns plaintext into a whole record, an [`Opener`] a record's fragment into plaintext. Both hold one
//! key of one epoch. They keep no counters: sequence numbers and the replay window have their own types.

use core::fmt;
use core::ops::Range;

use zeroize::Zeroizing;

use crate::crypto::{Aead, AeadAlgorithm, CryptoError, CryptoProvider};

/// Type, version, epoch, sequence number, length (RFC 6347 §4.1).
pub const HEADER_LEN: usize = 13;

/// The longest plaintext of a record (RFC 5246 §6.2.1).
pub const PLAINTEXT_LEN_MAX: usize = 1 << 14;

/// DTLS 1.2 on the wire.
const VERSION: u16 = 0xfefd;

/// Epoch in the upper 16 bits, sequence number in the lower 48: the eight bytes that take the place of TLS's sequence
/// number (RFC 6347 §4.1.2.1).
fn numbering(epoch: u16, seq: u64) -> Result<[u8; 8], CryptoError> {
    if seq >> 48 != 0 {
        return Err(CryptoError::BadLength);
    }
    Ok((u64::from(epoch) << 48 | seq).to_be_bytes())
}

/// Writes records under one key.
pub struct Sealer {
    keyed: Keyed,
}

impl Sealer {
    /// Takes one direction's part of the key block: `iv` is [`AeadAlgorithm::fixed_iv_len`] bytes.
    pub fn new(
        provider: &dyn CryptoProvider,
        algorithm: AeadAlgorithm,
        key: &[u8],
        iv: &[u8],
    ) -> Result<Self, CryptoError> {
        Ok(Self { keyed: Keyed::new(provider, algorithm, key, iv)? })
    }

    /// Bytes that a record has beyond its header and plaintext.
    pub const fn overhead(&self) -> usize {
        overhead(self.keyed.algorithm)
    }

    /// Appends the whole record, header included. On error `out` is as before. No number may be used twice.
    pub fn seal(
        &self,
        content_type: u8,
        epoch: u16,
        seq: u64,
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        if plaintext.len() > PLAINTEXT_LEN_MAX {
            return Err(CryptoError::BadLength);
        }
        let numbering = numbering(epoch, seq)?;
        let start = out.len();
        let fragment_len = plaintext.len() + self.overhead();
        out.reserve(HEADER_LEN + fragment_len);

        out.push(content_type);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&numbering);
        out.extend_from_slice(&(fragment_len as u16).to_be_bytes());
        // Epoch and number never repeat under a key, so they serve as the explicit nonce (RFC 5288 §3, RFC 6655 §3).
        let explicit = &numbering[..self.keyed.algorithm.explicit_nonce_len()];
        out.extend_from_slice(explicit);
        let body = out.len();
        out.extend_from_slice(plaintext);

        let nonce = self.keyed.nonce(&numbering, explicit);
        let aad = additional_data(numbering, content_type, VERSION, plaintext.len());
        self.keyed.aead.seal(&nonce, &aad, out, body).inspect_err(|_| out.truncate(start))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({:?})", self.keyed.algorithm)
    }
}

/// Reads records under one key.
pub struct Opener {
    keyed: Keyed,
}

impl Opener {
    /// Takes one direction's part of the key block: `iv` is [`AeadAlgorithm::fixed_iv_len`] bytes.
    pub fn new(
        provider: &dyn CryptoProvider,
        algorithm: AeadAlgorithm,
        key: &[u8],
        iv: &[u8],
    ) -> Result<Self, CryptoError> {
        Ok(Self { keyed: Keyed::new(provider, algorithm, key, iv)? })
    }

    /// Bytes that a record has beyond its header and plaintext.
    pub const fn overhead(&self) -> usize {
        overhead(self.keyed.algorithm)
    }

    /// Decrypts a record's fragment in place, given the fields of its header, and says where the plaintext is.
    ///
    /// Every refusal is of the kind that RFC 6347 §4.1.2.7 lets an endpoint discard silently. A fragment whose
    /// plaintext would be longer than 2^14 bytes is refused before any work is spent on it.
    pub fn open(
        &self,
        content_type: u8,
        version: u16,
        epoch: u16,
        seq: u64,
        fragment: &mut [u8],
    ) -> Result<Range<usize>, CryptoError> {
        let plaintext_len = fragment.len().checked_sub(self.overhead()).ok_or(CryptoError::BadLength)?;
        if plaintext_len > PLAINTEXT_LEN_MAX {
            return Err(CryptoError::BadLength);
        }
        let numbering = numbering(epoch, seq)?;
        let aad = additional_data(numbering, content_type, version, plaintext_len);
        let (explicit, body) = fragment.split_at_mut(self.keyed.algorithm.explicit_nonce_len());
        // The sender chooses the explicit part; that it equals epoch and number is only our own custom.
        let nonce = self.keyed.nonce(&numbering, explicit);
        let len = self.keyed.aead.open(&nonce, &aad, body)?;
        Ok(explicit.len()..explicit.len() + len)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener({:?})", self.keyed.algorithm)
    }
}

/// Bytes that a record has beyond its header and plaintext.
pub const fn overhead(algorithm: AeadAlgorithm) -> usize {
    algorithm.explicit_nonce_len() + algorithm.tag_len()
}

struct Keyed {
    algorithm: AeadAlgorithm,
    aead: Box<dyn Aead>,
    /// The fixed part of the nonce, zeros after it.
    iv: Zeroizing<[u8; 12]>,
}

impl Keyed {
    fn new(
        provider: &dyn CryptoProvider,
        algorithm: AeadAlgorithm,
        key: &[u8],
        iv: &[u8],
    ) -> Result<Self, CryptoError> {
        if iv.len() != algorithm.fixed_iv_len() {
            return Err(CryptoError::BadLength);
        }
        let mut padded = Zeroizing::new([0; 12]);
        padded[..iv.len()].copy_from_slice(iv);
        Ok(Self { algorithm, aead: provider.aead(algorithm, key)?, iv: padded })
    }

    /// Four fixed bytes and eight that the record carries (RFC 5288 §3, RFC 6655 §3); or twelve fixed bytes with the
    /// record's number added without carry (RFC 7905 §2).
    fn nonce(&self, numbering: &[u8; 8], explicit: &[u8]) -> [u8; 12] {
        let mut nonce = *self.iv;
        if explicit.is_empty() {
            nonce[4..].iter_mut().zip(numbering).for_each(|(byte, number)| *byte ^= number);
        } else {
            nonce[4..].copy_from_slice(explicit);
        }
        nonce
    }
}

/// What the tag covers beside the plaintext (RFC 5246 §6.2.3.3).
fn additional_data(numbering: [u8; 8], content_type: u8, version: u16, plaintext_len: usize) -> [u8; 13] {
    let mut aad = [0; 13];
    aad[..8].copy_from_slice(&numbering);
    aad[8] = content_type;
    aad[9..11].copy_from_slice(&version.to_be_bytes());
    aad[11..].copy_from_slice(&(plaintext_len as u16).to_be_bytes());
    aad
}

#[cfg(test)]
mod tests;

//! HKDF over the provider's HMAC (RFC 5869) and HKDF-Expand-Label (RFC 8446 §7.1). Knows labels' form, not labels.

use core::fmt;
use std::sync::Arc;

use zeroize::Zeroize;

use super::{CryptoError, CryptoProvider, Digest, HashAlgorithm, Hmac, Secret};

/// What HKDF-Expand-Label puts in front of every label: six bytes in both protocols, so that a derivation is one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelPrefix {
    /// `"dtls13"`, without a space at its end (RFC 9147 §5.9).
    Dtls13,
    /// `"tls13 "` (RFC 8446 §7.1), with which published vectors can be checked.
    Tls13,
}

impl LabelPrefix {
    const fn bytes(self) -> &'static [u8; 6] {
        match self {
            Self::Dtls13 => b"dtls13",
            Self::Tls13 => b"tls13 ",
        }
    }
}

/// HKDF with one hash and one label prefix.
#[derive(Clone)]
pub struct Hkdf {
    provider: Arc<dyn CryptoProvider>,
    hash: HashAlgorithm,
    prefix: LabelPrefix,
}

impl Hkdf {
    /// HKDF as DTLS 1.3 uses it.
    pub fn dtls13(provider: Arc<dyn CryptoProvider>, hash: HashAlgorithm) -> Self {
        Self::with_prefix(provider, hash, LabelPrefix::Dtls13)
    }

    /// HKDF with a prefix of choice.
    pub fn with_prefix(provider: Arc<dyn CryptoProvider>, hash: HashAlgorithm, prefix: LabelPrefix) -> Self {
        Self { provider, hash, prefix }
    }

    /// The hash of all derivations and of the transcript.
    pub const fn hash_algorithm(&self) -> HashAlgorithm {
        self.hash
    }

    /// The hash of `bytes`.
    pub fn hash(&self, bytes: &[u8]) -> Digest {
        self.provider.hash_of(self.hash, bytes)
    }

    /// HMAC over `bytes`.
    pub fn mac(&self, key: &[u8], bytes: &[u8]) -> Digest {
        self.provider.hmac(self.hash, key, &[bytes])
    }

    /// HKDF-Extract (RFC 5869 §2.2).
    pub fn extract(&self, salt: &[u8], ikm: &[u8]) -> Secret {
        let mut prk = self.mac(salt, ikm);
        let secret = Secret::new(prk.as_ref().to_vec());
        prk.zeroize();
        secret
    }

    /// HKDF-Expand-Label (RFC 8446 §7.1), filling `out`. Fails if label, context or `out` are too long for it.
    pub fn expand_label(
        &self,
        secret: &Secret,
        label: &[u8],
        context: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        if out.len() > 255 * self.hash.output_len() {
            return Err(CryptoError::BadLength);
        }
        let info = LabelInfo::new(self.prefix, label, context, out.len())?;
        self.provider.hmacs(self.hash, secret.expose(), &mut |hmac| expand(hmac, &info.parts(), out));
        Ok(())
    }

    /// An expanded secret of `len` bytes; lengths are ours, so that it cannot fail.
    pub(super) fn expand_secret(&self, secret: &Secret, label: &[u8], context: &[u8], len: usize) -> Secret {
        let mut out = vec![0; len];
        self.expand_into(secret.expose(), label, context, &mut out);
        Secret::new(out)
    }

    /// HKDF-Expand-Label to at most a hash's length, with labels and contexts of ours, so that it cannot fail.
    pub(super) fn expand_into(&self, secret: &[u8], label: &[u8], context: &[u8], out: &mut [u8]) {
        let info = LabelInfo::new(self.prefix, label, context, out.len()).expect("labels and hashes are short");
        debug_assert!(out.len() <= self.hash.output_len(), "one block is enough");
        let parts = info.parts();
        let mut block = self.provider.hmac(self.hash, secret, &with_counter(&[], &parts, &[1]));
        out.copy_from_slice(&block.as_ref()[..out.len()]);
        block.zeroize();
    }

    /// Several outputs of one secret, without context.
    pub(super) fn expand_each<const N: usize>(&self, secret: &[u8], mut outputs: [(&[u8], &mut [u8]); N]) {
        self.provider.hmacs(self.hash, secret, &mut |hmac| {
            for (label, out) in &mut outputs {
                let info = LabelInfo::new(self.prefix, label, b"", out.len()).expect("labels and keys are short");
                expand(hmac, &info.parts(), out);
            }
        });
    }
}

/// The info that HKDF-Expand-Label passes on (RFC 8446 §7.1).
struct LabelInfo<'a> {
    out_len: [u8; 2],
    label_len: [u8; 1],
    prefix: &'static [u8; 6],
    label: &'a [u8],
    context_len: [u8; 1],
    context: &'a [u8],
}

impl<'a> LabelInfo<'a> {
    fn new(prefix: LabelPrefix, label: &'a [u8], context: &'a [u8], out_len: usize) -> Result<Self, CryptoError> {
        let prefix = prefix.bytes();
        let too_long = |_| CryptoError::BadLength;
        Ok(Self {
            out_len: u16::try_from(out_len).map_err(too_long)?.to_be_bytes(),
            label_len: [u8::try_from(prefix.len() + label.len()).map_err(too_long)?],
            prefix,
            label,
            context_len: [u8::try_from(context.len()).map_err(too_long)?],
            context,
        })
    }

    fn parts(&self) -> [&[u8]; 6] {
        [&self.out_len, &self.label_len, self.prefix, self.label, &self.context_len, self.context]
    }
}

/// What the HMAC of a block of HKDF-Expand is over.
fn with_counter<'a>(previous: &'a [u8], info: &[&'a [u8]; 6], counter: &'a [u8; 1]) -> [&'a [u8]; 8] {
    let [a, b, c, d, e, f] = *info;
    [previous, a, b, c, d, e, f, counter]
}

/// HKDF-Expand (RFC 5869 §2.3): block `i` is the HMAC over the block before it, the info, and `i`. At most 255 blocks.
fn expand(hmac: &Hmac<'_>, info: &[&[u8]; 6], mut out: &mut [u8]) {
    let mut previous = Digest::new(&[]);
    for count in 1u8..=255 {
        let block = hmac(&with_counter(previous.as_ref(), info, &[count]));
        let (chunk, rest) = out.split_at_mut(out.len().min(block.as_ref().len()));
        chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
        previous.zeroize();
        previous = block;
        out = rest;
        if out.is_empty() {
            break;
        }
    }
    previous.zeroize();
}

impl fmt::Debug for Hkdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hkdf({:?}, {:?})", self.hash, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::rustcrypto::provider;
    use crate::crypto::test_vectors::hex;

    fn hkdf() -> Hkdf {
        Hkdf::with_prefix(provider(), HashAlgorithm::Sha256, LabelPrefix::Tls13)
    }

    /// RFC 5869 §A.1, whose info is passed in one piece.
    #[test]
    fn extract_and_expand_are_those_of_rfc_5869() {
        let prk = hkdf().extract(&hex("000102030405060708090a0b0c"), &[0x0b; 22]);
        assert_eq!(prk.expose(), hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"));
        let mut okm = [0; 42];
        let info: [&[u8]; 6] = [&hex("f0f1f2f3f4f5f6f7f8f9"), b"", b"", b"", b"", b""];
        provider().hmacs(HashAlgorithm::Sha256, prk.expose(), &mut |hmac| expand(hmac, &info, &mut okm));
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
        assert_eq!(okm[..], hex(expected));
    }

    #[test]
    fn the_two_prefixes_give_different_keys_and_only_too_long_outputs_fail() {
        let secret = Secret::new(vec![7; 32]);
        let dtls = Hkdf::dtls13(provider(), HashAlgorithm::Sha256);
        assert_ne!(dtls.expand_secret(&secret, b"key", b"", 16), hkdf().expand_secret(&secret, b"key", b"", 16));
        assert_eq!(dtls.expand_label(&secret, b"key", b"", &mut [0; 255 * 32]), Ok(()));
        assert_eq!(dtls.expand_label(&secret, b"key", b"", &mut [0; 255 * 32 + 1]), Err(CryptoError::BadLength));
        assert_eq!(dtls.expand_label(&secret, &[b'l'; 250], b"", &mut [0; 1]), Err(CryptoError::BadLength));
        assert_eq!(dtls.expand_label(&secret, b"", &[0; 256], &mut [0; 1]), Err(CryptoError::BadLength));
    }
}

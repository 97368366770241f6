//! The importer of external PSKs (RFC 9258): makes of each one key per protocol and hash, so that no key is used for two
//! purposes.

use super::hkdf::Hkdf;
use super::{CryptoError, HashAlgorithm, Secret};
use crate::wire::{ParseError, Reader, Writer};

/// DTLS 1.3 as a target (RFC 9258 §5.1).
const TARGET_DTLS13: u16 = 0xfefc;

/// What is sent in place of an external identity (RFC 9258 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedIdentity<'a> {
    /// Identity of the external PSK.
    pub external_identity: &'a [u8],
    /// What else both ends know of it.
    pub context: &'a [u8],
    /// Hash of the suites that the imported key is for.
    pub target: HashAlgorithm,
}

impl<'a> ImportedIdentity<'a> {
    /// Reads an identity; those for other protocols or hashes are refused.
    pub fn parse(identity: &'a [u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(identity);
        let (external_identity, context) = (r.vec16()?, r.vec16()?);
        let (protocol, kdf) = (r.u16()?, r.u16()?);
        r.finish()?;
        let target = match kdf {
            1 => HashAlgorithm::Sha256,
            2 => HashAlgorithm::Sha384,
            _ => return Err(ParseError::BadValue),
        };
        if protocol != TARGET_DTLS13 || external_identity.is_empty() {
            return Err(ParseError::BadValue);
        }
        Ok(Self { external_identity, context, target })
    }

    /// The identity on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.vec16(|w| w.bytes(self.external_identity));
        w.vec16(|w| w.bytes(self.context));
        w.u16(TARGET_DTLS13);
        w.u16(match self.target {
            HashAlgorithm::Sha256 => 1,
            HashAlgorithm::Sha384 => 2,
        });
        w.into_bytes()
    }

    /// The imported key. `hkdf` has the hash of the external PSK, which is SHA-256 unless agreed on otherwise.
    pub fn import(&self, hkdf: &Hkdf, external: &Secret) -> Result<Secret, CryptoError> {
        let extracted = hkdf.extract(&[], external.expose());
        let mut out = vec![0; self.target.output_len()];
        hkdf.expand_label(&extracted, b"derived psk", hkdf.hash(&self.to_bytes()).as_ref(), &mut out)?;
        Ok(Secret::new(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::rustcrypto::provider;

    fn identity(target: HashAlgorithm) -> ImportedIdentity<'static> {
        ImportedIdentity { external_identity: b"device", context: b"ward 7", target }
    }

    #[test]
    fn identities_are_read_back_and_those_for_something_else_refused() {
        for target in [HashAlgorithm::Sha256, HashAlgorithm::Sha384] {
            let bytes = identity(target).to_bytes();
            assert_eq!(ImportedIdentity::parse(&bytes), Ok(identity(target)));
            for cut in 0..bytes.len() {
                assert!(ImportedIdentity::parse(&bytes[..cut]).is_err());
            }
            // Another protocol; another hash.
            for at in [bytes.len() - 3, bytes.len() - 2] {
                let mut other = bytes.clone();
                other[at] ^= 0x08;
                assert_eq!(ImportedIdentity::parse(&other), Err(ParseError::BadValue));
            }
        }
        assert_eq!(identity(HashAlgorithm::Sha256).to_bytes(), b"\0\x06device\0\x06ward 7\xfe\xfc\0\x01");
    }

    /// RFC 9258 §5.1, put together from the parts by hand.
    #[test]
    fn a_key_is_imported_for_one_hash_and_one_context() {
        let hkdf = Hkdf::dtls13(provider(), HashAlgorithm::Sha256);
        let external = Secret::new(b"a key".to_vec());
        let imported = identity(HashAlgorithm::Sha256).import(&hkdf, &external).unwrap();
        let extracted = hkdf.mac(&[0; 32], b"a key");
        let hash = hkdf.hash(&identity(HashAlgorithm::Sha256).to_bytes());
        let info = [&[0, 32, 17][..], b"dtls13derived psk", &[32], hash.as_ref(), &[1]].concat();
        assert_eq!(imported.expose(), hkdf.mac(extracted.as_ref(), &info).as_ref());
        let other = identity(HashAlgorithm::Sha384).import(&hkdf, &external).unwrap();
        assert_eq!(other.expose().len(), 48);
        assert_ne!(imported.expose(), &other.expose()[..32]);
    }
}

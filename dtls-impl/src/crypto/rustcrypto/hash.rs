//! SHA-2 hashes and HMAC (RFC 2104) over them. Nothing here allocates except the box around a running hash.

use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256, Sha384};

use crate::crypto::{self, Digest, Hash, HashAlgorithm};

pub(super) fn start(algorithm: HashAlgorithm) -> Box<dyn Hash> {
    match algorithm {
        HashAlgorithm::Sha256 => Box::new(Running(Sha256::new())),
        HashAlgorithm::Sha384 => Box::new(Running(Sha384::new())),
    }
}

pub(super) fn of(algorithm: HashAlgorithm, bytes: &[u8]) -> Digest {
    match algorithm {
        HashAlgorithm::Sha256 => Digest::new(&Sha256::digest(bytes)),
        HashAlgorithm::Sha384 => Digest::new(&Sha384::digest(bytes)),
    }
}

pub(super) fn hmac(algorithm: HashAlgorithm, key: &[u8], parts: &[&[u8]]) -> Digest {
    match algorithm {
        HashAlgorithm::Sha256 => finish(keyed::<Hmac<Sha256>>(key), parts),
        HashAlgorithm::Sha384 => finish(keyed::<Hmac<Sha384>>(key), parts),
    }
}

pub(super) fn hmacs(algorithm: HashAlgorithm, key: &[u8], each: &mut dyn FnMut(&crypto::Hmac<'_>)) {
    match algorithm {
        HashAlgorithm::Sha256 => {
            let keyed = keyed::<Hmac<Sha256>>(key);
            each(&|parts| finish(keyed.clone(), parts));
        }
        HashAlgorithm::Sha384 => {
            let keyed = keyed::<Hmac<Sha384>>(key);
            each(&|parts| finish(keyed.clone(), parts));
        }
    }
}

fn keyed<M: KeyInit>(key: &[u8]) -> M {
    <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length")
}

fn finish<M: Mac>(mut mac: M, parts: &[&[u8]]) -> Digest {
    for part in parts {
        mac.update(part);
    }
    Digest::new(&mac.finalize().into_bytes())
}

#[derive(Clone)]
struct Running<D>(D);

impl<D: sha2::Digest + Clone + Send + Sync + 'static> Hash for Running<D> {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn current(&self) -> Digest {
        Digest::new(&self.0.clone().finalize())
    }

    fn fork(&self) -> Box<dyn Hash> {
        Box::new(Self(self.0.clone()))
    }
}

impl<D> fmt::Debug for Running<D> {
    /// The running state is as good as the bytes hashed so far: not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::test_vectors::hex;

    fn hash(algorithm: HashAlgorithm, message: &[u8]) -> Digest {
        let mut hash = start(algorithm);
        hash.update(message);
        assert_eq!(hash.current(), of(algorithm, message));
        hash.current()
    }

    #[test]
    fn hashes_of_abc_are_those_of_fips_180() {
        assert_eq!(
            hash(HashAlgorithm::Sha256, b"abc").as_ref(),
            hex("ba7816bf 8f01cfea 414140de 5dae2223 b00361a3 96177a9c b410ff61 f20015ad")
        );
        assert_eq!(
            hash(HashAlgorithm::Sha384, b"abc").as_ref(),
            hex("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163 1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7")
        );
    }

    #[test]
    fn current_can_be_read_twice_and_more_can_be_added_after() {
        let mut running = start(HashAlgorithm::Sha256);
        running.update(b"a");
        let a = running.current();
        assert_eq!(a, running.current());
        let mut fork = running.fork();
        running.update(b"bc");
        assert_eq!(running.current(), hash(HashAlgorithm::Sha256, b"abc"));
        assert_eq!(fork.current(), a);
        fork.update(b"x");
        assert_eq!(fork.current(), hash(HashAlgorithm::Sha256, b"ax"));
    }

    /// RFC 4231 §4.2, §4.3, §4.4, §4.7, §4.8: key, data, HMAC-SHA-256, HMAC-SHA-384.
    #[test]
    fn hmac_matches_rfc_4231() {
        let block_and_more = [0xaa; 131];
        let long =
            b"This is a test using a larger than block-size key and a larger than block-size data. The key needs \
            to be hashed before being used by the HMAC algorithm.";
        let cases: [(&[u8], &[u8], &str, &str); 5] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
                "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
                "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27",
            ),
            (
                &block_and_more,
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
                "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
            ),
            (
                &block_and_more,
                long,
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
                "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e",
            ),
        ];
        for (key, data, sha256, sha384) in cases {
            assert_eq!(hmac(HashAlgorithm::Sha256, key, &[data]).as_ref(), hex(sha256));
            assert_eq!(hmac(HashAlgorithm::Sha384, key, &[data]).as_ref(), hex(sha384));
            let (head, tail) = data.split_at(data.len() / 2);
            assert_eq!(hmac(HashAlgorithm::Sha256, key, &[head, &[], tail]).as_ref(), hex(sha256));
        }
    }
}

//! HelloRetryRequests without state (RFC 9147 §5.1, RFC 8446 §4.2.2): the cookie holds what the server would have to
//! remember of the first ClientHello, and proves that it said so to this address.

use crate::crypto::{CryptoProvider, Digest, HashAlgorithm, Secret, equal};
use crate::wire::{
    COMPRESSION_NULL, CipherSuite, Extension, Extensions, HELLO_RETRY_RANDOM, NamedGroup, ParseError, ProtocolVersion,
    Reader, ServerHello, Writer, body_of,
};

/// Length of the proof.
const MAC_LEN: usize = 32;

/// What a HelloRetryRequest said, and of which ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    pub(crate) suite: CipherSuite,
    /// The group the client was told to use, if it had no share that would do.
    pub(crate) group: Option<NamedGroup>,
    /// Hash of the first ClientHello.
    pub(crate) hello: Digest,
}

impl Retry {
    /// The cookie for a client at `peer_address`.
    pub(crate) fn cookie(&self, provider: &dyn CryptoProvider, secret: &Secret, peer_address: &[u8]) -> Vec<u8> {
        let mut cookie = body_of(|w: &mut Writer| {
            w.u16(self.suite.0);
            // Zero is no group's number.
            w.u16(self.group.map_or(0, |group| group.0));
            w.vec8(|w| w.bytes(self.hello.as_ref()));
        });
        let mac = mac(provider, secret, peer_address, &cookie);
        cookie.extend_from_slice(mac.as_ref());
        cookie
    }

    /// What a cookie says, if it is ours and came from where it was sent to.
    pub(crate) fn open(
        provider: &dyn CryptoProvider,
        secret: &Secret,
        peer_address: &[u8],
        cookie: &[u8],
    ) -> Option<Self> {
        let (said, proof) = cookie.split_at_checked(cookie.len().checked_sub(MAC_LEN)?)?;
        if !equal(mac(provider, secret, peer_address, said).as_ref(), proof) {
            return None;
        }
        let parse = |mut r: Reader<'_>| -> Result<Self, ParseError> {
            let suite = CipherSuite(r.u16()?);
            let group = Some(NamedGroup(r.u16()?)).filter(|group| group.0 != 0);
            let hello = Digest::new(r.vec8()?);
            r.finish()?;
            Ok(Self { suite, group, hello })
        };
        parse(Reader::new(said)).ok()
    }

    /// The body of the HelloRetryRequest: the same whenever it is made, as the transcript needs it again.
    pub(crate) fn request(&self, cookie: &[u8]) -> Vec<u8> {
        let mut extensions = vec![Extension::selected_version(ProtocolVersion::DTLS1_3)];
        extensions.extend(self.group.map(Extension::selected_group));
        extensions.push(Extension::cookie(cookie));
        let request = ServerHello {
            version: ProtocolVersion::DTLS1_2,
            random: HELLO_RETRY_RANDOM,
            session_id: &[],
            cipher_suite: self.suite,
            compression_method: COMPRESSION_NULL,
            extensions: Extensions(extensions),
        };
        body_of(|w| request.emit(w))
    }
}

/// Each part has a fixed length or carries its length, so that no two inputs look alike; the name keeps these cookies
/// apart from those of DTLS 1.2 under the same secret.
fn mac(provider: &dyn CryptoProvider, secret: &Secret, peer_address: &[u8], said: &[u8]) -> Digest {
    let address = body_of(|w: &mut Writer| w.vec16(|w| w.bytes(peer_address)));
    provider.hmac(HashAlgorithm::Sha256, secret.expose(), &[b"dtls 1.3 cookie", &address, said])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::rustcrypto::provider;

    #[test]
    fn a_cookie_tells_what_was_said_to_one_address_alone() {
        let provider = provider();
        let secret = Secret::new(vec![1; 32]);
        let said = Retry {
            suite: CipherSuite::TLS_AES_128_GCM_SHA256,
            group: Some(NamedGroup::SECP256R1),
            hello: Digest::new(&[7; 32]),
        };
        for said in [said, Retry { group: None, ..said }] {
            let cookie = said.cookie(&*provider, &secret, b"here");
            assert_eq!(Retry::open(&*provider, &secret, b"here", &cookie), Some(said));
            assert_eq!(Retry::open(&*provider, &secret, b"there", &cookie), None);
            assert_eq!(Retry::open(&*provider, &Secret::new(vec![2; 32]), b"here", &cookie), None);
            for position in 0..cookie.len() {
                let mut bad = cookie.clone();
                bad[position] ^= 1;
                assert_eq!(Retry::open(&*provider, &secret, b"here", &bad), None);
                assert_eq!(Retry::open(&*provider, &secret, b"here", &cookie[..position]), None);
            }
        }
    }
}

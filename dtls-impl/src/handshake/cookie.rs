//! Cookies without state (RFC 6347 §4.2.1): an HMAC over where the client is and what it asked for.

use crate::crypto::{CryptoProvider, Digest, HashAlgorithm, Secret, equal};
use crate::wire::{ClientHelloStart, Writer};

/// The cookie for a client at `peer_address` that sends these parameters. Each part has a fixed length or carries its
/// length, so that no two inputs look alike.
fn make(provider: &dyn CryptoProvider, secret: &Secret, peer_address: &[u8], hello: &ClientHelloStart<'_>) -> Digest {
    let mut w = Writer::with_capacity(256);
    w.vec16(|w| w.bytes(peer_address));
    w.u16(hello.version.0);
    w.bytes(&hello.random);
    w.vec8(|w| w.bytes(hello.session_id));
    w.vec16(|w| hello.cipher_suites.iter().for_each(|suite| w.u16(suite.0)));
    w.vec8(|w| w.bytes(hello.compression_methods));
    provider.hmac(HashAlgorithm::Sha256, secret.expose(), &[b"dtls cookie", &w.into_bytes()])
}

/// The cookie that belongs to the ClientHello, unless it carries that.
pub(crate) fn missing(
    provider: &dyn CryptoProvider,
    secret: &Secret,
    peer_address: &[u8],
    hello: &ClientHelloStart<'_>,
) -> Option<Digest> {
    let cookie = make(provider, secret, peer_address, hello);
    if equal(cookie.as_ref(), hello.cookie) { None } else { Some(cookie) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::rustcrypto::provider;
    use crate::wire::{CipherSuite, ProtocolVersion};

    #[test]
    fn a_cookie_is_good_for_one_address_and_one_set_of_parameters() {
        let provider = provider();
        let secret = Secret::new(vec![1; 32]);
        let hello = ClientHelloStart {
            version: ProtocolVersion::DTLS1_2,
            random: [7; 32],
            session_id: &[],
            cookie: &[],
            cipher_suites: vec![CipherSuite::TLS_PSK_WITH_AES_128_CCM_8],
            compression_methods: &[0],
        };
        let check = |secret: &Secret, address: &[u8], hello: &ClientHelloStart<'_>| {
            missing(&*provider, secret, address, hello).is_none()
        };
        let cookie = missing(&*provider, &secret, b"here", &hello).unwrap();
        let with_cookie = ClientHelloStart { cookie: cookie.as_ref(), ..hello.clone() };
        assert!(check(&secret, b"here", &with_cookie));
        assert!(!check(&secret, b"there", &with_cookie));
        assert!(!check(&Secret::new(vec![2; 32]), b"here", &with_cookie));
        assert!(!check(&secret, b"here", &hello));
        assert!(!check(&secret, b"here", &ClientHelloStart { random: [8; 32], ..with_cookie.clone() }));
        assert!(!check(&secret, b"here", &ClientHelloStart { session_id: &[1; 32], ..with_cookie.clone() }));
        let more = vec![CipherSuite::TLS_PSK_WITH_AES_128_CCM_8, CipherSuite::TLS_PSK_WITH_AES_128_CCM];
        assert!(!check(&secret, b"here", &ClientHelloStart { cipher_suites: more, ..with_cookie }));
    }
}

//! What each supported cipher suite is made of.

use crate::crypto::{AeadAlgorithm, HashAlgorithm};
use crate::wire::CipherSuite;

/// How keys are agreed on and the server proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyExchangeKind {
    /// Ephemeral ECDH, signed with an ECDSA or EdDSA key (RFC 8422).
    EcdheEcdsa,
    /// Ephemeral ECDH, signed with an RSA key (RFC 8422).
    EcdheRsa,
    /// A pre-shared key alone (RFC 4279 §2).
    Psk,
    /// A pre-shared key and ephemeral ECDH (RFC 8442).
    EcdhePsk,
}

impl KeyExchangeKind {
    pub(crate) const fn has_psk(self) -> bool {
        matches!(self, Self::Psk | Self::EcdhePsk)
    }

    pub(crate) const fn has_ecdhe(self) -> bool {
        !matches!(self, Self::Psk)
    }
}

/// The parts of a cipher suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suite {
    pub(crate) code: CipherSuite,
    pub(crate) key_exchange: KeyExchangeKind,
    pub(crate) aead: AeadAlgorithm,
    /// Hash of the PRF and the transcript.
    pub(crate) hash: HashAlgorithm,
}

const fn suite(code: CipherSuite, key_exchange: KeyExchangeKind, aead: AeadAlgorithm) -> Suite {
    let hash = match aead {
        AeadAlgorithm::Aes256Gcm => HashAlgorithm::Sha384,
        _ => HashAlgorithm::Sha256,
    };
    Suite { code, key_exchange, aead, hash }
}

/// Every supported suite, in the order of preference of the default configuration: forward secrecy before none, full
/// tags before short ones.
pub(crate) const SUITES: &[Suite] = {
    use AeadAlgorithm::{Aes128Ccm, Aes128Ccm8, Aes128Gcm, Aes256Gcm, ChaCha20Poly1305};
    use CipherSuite as C;
    use KeyExchangeKind::{EcdheEcdsa, EcdhePsk, EcdheRsa, Psk};
    &[
        suite(C::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, EcdheEcdsa, Aes128Gcm),
        suite(C::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, EcdheEcdsa, Aes256Gcm),
        suite(C::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, EcdheEcdsa, ChaCha20Poly1305),
        suite(C::TLS_ECDHE_ECDSA_WITH_AES_128_CCM, EcdheEcdsa, Aes128Ccm),
        suite(C::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, EcdheEcdsa, Aes128Ccm8),
        suite(C::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, EcdheRsa, Aes128Gcm),
        suite(C::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, EcdheRsa, Aes256Gcm),
        suite(C::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, EcdheRsa, ChaCha20Poly1305),
        suite(C::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256, EcdhePsk, Aes128Gcm),
        suite(C::TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384, EcdhePsk, Aes256Gcm),
        suite(C::TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, EcdhePsk, ChaCha20Poly1305),
        suite(C::TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256, EcdhePsk, Aes128Ccm),
        suite(C::TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256, EcdhePsk, Aes128Ccm8),
        suite(C::TLS_PSK_WITH_AES_128_GCM_SHA256, Psk, Aes128Gcm),
        suite(C::TLS_PSK_WITH_AES_256_GCM_SHA384, Psk, Aes256Gcm),
        suite(C::TLS_PSK_WITH_CHACHA20_POLY1305_SHA256, Psk, ChaCha20Poly1305),
        suite(C::TLS_PSK_WITH_AES_128_CCM, Psk, Aes128Ccm),
        suite(C::TLS_PSK_WITH_AES_128_CCM_8, Psk, Aes128Ccm8),
    ]
};

/// The parts of a cipher suite of DTLS 1.3, which leaves the rest to extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suite13 {
    pub(crate) code: CipherSuite,
    pub(crate) aead: AeadAlgorithm,
    /// Hash of the key schedule and the transcript.
    pub(crate) hash: HashAlgorithm,
}

/// Every suite of DTLS 1.3 that is on offer by default.
pub(crate) const SUITES13: &[Suite13] = {
    use AeadAlgorithm::{Aes128Ccm, Aes128Gcm, Aes256Gcm, ChaCha20Poly1305};
    use CipherSuite as C;
    use HashAlgorithm::{Sha256, Sha384};
    &[
        Suite13 { code: C::TLS_AES_128_GCM_SHA256, aead: Aes128Gcm, hash: Sha256 },
        Suite13 { code: C::TLS_AES_256_GCM_SHA384, aead: Aes256Gcm, hash: Sha384 },
        Suite13 { code: C::TLS_CHACHA20_POLY1305_SHA256, aead: ChaCha20Poly1305, hash: Sha256 },
        Suite13 { code: C::TLS_AES_128_CCM_SHA256, aead: Aes128Ccm, hash: Sha256 },
    ]
};

/// On request alone: RFC 9147 §4.5.3 forbids it without further means against forgery. Ours is to end an association
/// whose 2^7 forgeries have made one that passes likelier than the RFC allows.
const CCM_8: Suite13 = Suite13 {
    code: CipherSuite::TLS_AES_128_CCM_8_SHA256,
    aead: AeadAlgorithm::Aes128Ccm8,
    hash: HashAlgorithm::Sha256,
};

/// The parts of a suite of DTLS 1.3, if it is supported.
pub(crate) fn find13(code: CipherSuite) -> Option<Suite13> {
    SUITES13.iter().chain([&CCM_8]).copied().find(|suite| suite.code == code)
}

/// The parts of a suite, if it is supported.
pub(crate) fn find(code: CipherSuite) -> Option<Suite> {
    SUITES.iter().copied().find(|suite| suite.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The registered names say what the table must say.
    #[test]
    fn suites_are_what_their_names_say() {
        for suite in SUITES {
            let name = suite.code.name().unwrap();
            let (key_exchange, rest) = name.strip_prefix("TLS_").unwrap().split_once("_WITH_").unwrap();
            let aead = match suite.aead {
                AeadAlgorithm::Aes128Gcm => "AES_128_GCM",
                AeadAlgorithm::Aes256Gcm => "AES_256_GCM",
                AeadAlgorithm::ChaCha20Poly1305 => "CHACHA20_POLY1305",
                AeadAlgorithm::Aes128Ccm => "AES_128_CCM",
                AeadAlgorithm::Aes128Ccm8 => "AES_128_CCM_8",
            };
            let hash = rest.strip_prefix(aead).unwrap();
            assert!(["", "_SHA256", "_SHA384"].contains(&hash), "{name}");
            assert_eq!(suite.hash == HashAlgorithm::Sha384, hash == "_SHA384", "{name}");
            let expected = match suite.key_exchange {
                KeyExchangeKind::EcdheEcdsa => "ECDHE_ECDSA",
                KeyExchangeKind::EcdheRsa => "ECDHE_RSA",
                KeyExchangeKind::Psk => "PSK",
                KeyExchangeKind::EcdhePsk => "ECDHE_PSK",
            };
            assert_eq!(key_exchange, expected);
        }
    }
}

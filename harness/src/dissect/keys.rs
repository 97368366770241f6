//! The key log and what opens protected records.

use std::collections::BTreeMap;

use dtls_impl::crypto::schedule12::{KeyBlock, WriteKey};
use dtls_impl::crypto::{AeadAlgorithm, HashAlgorithm, Secret, rustcrypto};
use dtls_impl::record::protection12::Opener;
use dtls_impl::wire::{CipherSuite, RecordHeader};

use crate::endpoint::Role;

/// Associations whose keys are remembered. A run has one or two.
const KEYS_MAX: usize = 256;

/// Master secrets by client random.
#[derive(Debug, Default)]
pub(super) struct KeyLog(BTreeMap<[u8; 32], Secret>);

impl KeyLog {
    /// Takes `CLIENT_RANDOM <client random> <master secret>` in hexadecimal; says whether it was that.
    pub(super) fn learn(&mut self, line: &str) -> bool {
        let mut words = line.split_ascii_whitespace();
        let (Some("CLIENT_RANDOM"), Some(random), Some(master), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return false;
        };
        let (Some(random), Some(master)) = (hexadecimal::<32>(random), hexadecimal::<48>(master)) else {
            return false;
        };
        if self.0.len() >= KEYS_MAX && !self.0.contains_key(&random) {
            return false;
        }
        self.0.insert(random, Secret::new(master.to_vec()));
        true
    }

    /// What opens the records of an association, if its master secret is known and its suite supported.
    pub(super) fn openers(&self, client_random: &[u8; 32], server_random: &[u8; 32], suite: u16) -> Option<Openers> {
        let master = self.0.get(client_random)?;
        Openers::derive(master, client_random, server_random, suite)
    }
}

fn hexadecimal<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |place: usize| char::from(pair[place]).to_digit(16);
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(bytes)
}

/// The keys of both directions.
#[derive(Debug)]
pub(super) struct Openers([Opener; 2]);

impl Openers {
    fn derive(master: &Secret, client_random: &[u8; 32], server_random: &[u8; 32], suite: u16) -> Option<Self> {
        let provider = rustcrypto::provider();
        let (aead, hash) = algorithms(CipherSuite(suite))?;
        let block = KeyBlock::derive(&*provider, hash, aead, master.expose(), client_random, server_random);
        let opener = |part: &WriteKey| Opener::new(&*provider, aead, part.key.expose(), part.iv.expose()).ok();
        Some(Self([opener(&block.client)?, opener(&block.server)?]))
    }

    /// The plaintext of a record; `None` if its tag is wrong.
    pub(super) fn open(&self, from: Role, header: &RecordHeader, body: &[u8]) -> Option<Vec<u8>> {
        let mut fragment = body.to_vec();
        let opener = &self.0[from as usize];
        let RecordHeader { content_type, version, epoch, seq } = *header;
        let plaintext = opener.open(content_type.0, version.0, epoch, seq, &mut fragment).ok()?;
        fragment.truncate(plaintext.end);
        Some(fragment.split_off(plaintext.start))
    }
}

/// What a suite protects records with and derives keys by; `None` for what cannot be opened here, as CBC suites.
fn algorithms(suite: CipherSuite) -> Option<(AeadAlgorithm, HashAlgorithm)> {
    use AeadAlgorithm::{Aes128Ccm, Aes128Ccm8, Aes128Gcm, Aes256Gcm, ChaCha20Poly1305};
    use CipherSuite as Suite;
    Some(match suite {
        Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        | Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        | Suite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256
        | Suite::TLS_PSK_WITH_AES_128_GCM_SHA256 => (Aes128Gcm, HashAlgorithm::Sha256),
        Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        | Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
        | Suite::TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384
        | Suite::TLS_PSK_WITH_AES_256_GCM_SHA384 => (Aes256Gcm, HashAlgorithm::Sha384),
        Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        | Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        | Suite::TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256
        | Suite::TLS_PSK_WITH_CHACHA20_POLY1305_SHA256 => (ChaCha20Poly1305, HashAlgorithm::Sha256),
        Suite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM
        | Suite::TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256
        | Suite::TLS_PSK_WITH_AES_128_CCM => (Aes128Ccm, HashAlgorithm::Sha256),
        Suite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8
        | Suite::TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256
        | Suite::TLS_PSK_WITH_AES_128_CCM_8 => (Aes128Ccm8, HashAlgorithm::Sha256),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_its_kind_are_learned() {
        let (random, master) = ("0a".repeat(32), "F0".repeat(48));
        let mut keys = KeyLog::default();
        for line in [
            "",
            "# comment",
            "CLIENT_RANDOM",
            &format!("CLIENT_RANDOM {random}"),
            &format!("CLIENT_RANDOM {random} {random}"),
            &format!("CLIENT_RANDOM {master} {random}"),
            &format!("CLIENT_RANDOM {random} {master} x"),
            &format!("CLIENT_RANDOM {} {master}", random.replace('a', "é")),
            &format!("CLIENT_HANDSHAKE_TRAFFIC_SECRET {random} {master}"),
        ] {
            assert!(!keys.learn(line), "{line}");
        }
        assert!(keys.learn(&format!("CLIENT_RANDOM {random} {master}\n")));
        assert_eq!(keys.0.get(&[0x0a; 32]).map(Secret::expose), Some(&[0xf0; 48][..]));
        assert_eq!(format!("{keys:?}").matches("240").count(), 0, "no secrets in debug output");
    }
}

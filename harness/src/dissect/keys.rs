//! The key log and what opens protected records.

use std::collections::BTreeMap;

use dtls_impl::crypto::schedule12::{KeyBlock, Side, WriteKey};
use dtls_impl::crypto::schedule13::TrafficSecret;
use dtls_impl::crypto::{AeadAlgorithm, HashAlgorithm, Secret, rustcrypto};
use dtls_impl::record::protection12::Opener;
use dtls_impl::wire::{CipherSuite, ContentType, RecordHeader};

use super::cid12::CidOpener;
use crate::endpoint::Role;

/// Associations whose keys are remembered. A run has one or two.
const KEYS_MAX: usize = 256;

/// Labels of the traffic secrets of DTLS 1.3, with whose they are and of which epoch (RFC 9147 §6.1).
const TRAFFIC_SECRETS: [(&str, Role, u64); 5] = [
    ("CLIENT_EARLY_TRAFFIC_SECRET", Role::Client, 1),
    ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", Role::Client, 2),
    ("SERVER_HANDSHAKE_TRAFFIC_SECRET", Role::Server, 2),
    ("CLIENT_TRAFFIC_SECRET_0", Role::Client, 3),
    ("SERVER_TRAFFIC_SECRET_0", Role::Server, 3),
];

/// Secrets by client random: the master secret of DTLS 1.2, or traffic secrets of DTLS 1.3.
#[derive(Debug, Default)]
pub(super) struct KeyLog {
    masters: BTreeMap<[u8; 32], Secret>,
    traffic: BTreeMap<([u8; 32], Role, u64), Secret>,
}

impl KeyLog {
    /// Takes `<label> <client random> <secret>` in hexadecimal; says whether it was that, with a label known here.
    pub(super) fn learn(&mut self, line: &str) -> bool {
        let mut words = line.split_ascii_whitespace();
        let (Some(label), Some(random), Some(secret), None) = (words.next(), words.next(), words.next(), words.next())
        else {
            return false;
        };
        let Some(random) = hexadecimal::<32>(random) else { return false };
        if label == "CLIENT_RANDOM" {
            let Some(master) = hexadecimal::<48>(secret) else { return false };
            return insert(&mut self.masters, random, Secret::new(master.to_vec()));
        }
        let Some((_, role, epoch)) = TRAFFIC_SECRETS.iter().find(|(known, ..)| *known == label) else {
            return false;
        };
        // As long as the suite's hash, SHA-256 or SHA-384.
        let secret = hexadecimal::<32>(secret)
            .map(|secret| secret.to_vec())
            .or_else(|| hexadecimal::<48>(secret).map(|secret| secret.to_vec()));
        let Some(secret) = secret else { return false };
        insert(&mut self.traffic, (random, *role, *epoch), Secret::new(secret))
    }

    /// The secret of epoch 1, 2 or 3; those of later epochs follow from that of the epoch before.
    pub(super) fn traffic_secret(&self, random: &[u8; 32], from: Role, epoch: u64) -> Option<TrafficSecret> {
        self.traffic.get(&(*random, from, epoch)).cloned().map(TrafficSecret::logged)
    }

    /// What opens the records of an association, if its master secret is known and its suite supported.
    pub(super) fn openers(&self, client_random: &[u8; 32], server_random: &[u8; 32], suite: u16) -> Option<Openers> {
        let master = self.masters.get(client_random)?;
        Openers::derive(master, client_random, server_random, suite)
    }
}

/// Remembers a secret if there is room.
fn insert<K: Ord>(map: &mut BTreeMap<K, Secret>, key: K, secret: Secret) -> bool {
    let room = map.len() < KEYS_MAX || map.contains_key(&key);
    if room {
        map.insert(key, secret);
    }
    room
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
pub(super) struct Openers {
    plain: [Opener; 2],
    with_cid: [CidOpener; 2],
}

impl Openers {
    fn derive(master: &Secret, client_random: &[u8; 32], server_random: &[u8; 32], suite: u16) -> Option<Self> {
        let provider = rustcrypto::provider();
        let (aead, hash) = algorithms(CipherSuite(suite))?;
        let block = KeyBlock::derive(&*provider, hash, aead, master.expose(), client_random, server_random);
        let opener = |part: WriteKey<'_>| Opener::new(&*provider, aead, part.key, part.iv).ok();
        let cid_opener = |part: WriteKey<'_>| CidOpener::new(aead, part.key, part.iv);
        Some(Self {
            plain: [opener(block.of(Side::Client))?, opener(block.of(Side::Server))?],
            with_cid: [cid_opener(block.of(Side::Client))?, cid_opener(block.of(Side::Server))?],
        })
    }

    /// Content type and plaintext of a record; `None` if its tag is wrong.
    pub(super) fn open(
        &self,
        from: Role,
        header: &RecordHeader,
        cid: Option<&[u8]>,
        body: &[u8],
    ) -> Option<(ContentType, Vec<u8>)> {
        if let Some(cid) = cid {
            return self.with_cid[from as usize].open(header, cid, body);
        }
        let mut fragment = body.to_vec();
        let opener = &self.plain[from as usize];
        let RecordHeader { content_type, version, epoch, seq } = *header;
        let plaintext = opener.open(content_type.0, version.0, epoch, seq, &mut fragment).ok()?;
        fragment.truncate(plaintext.end);
        Some((content_type, fragment.split_off(plaintext.start)))
    }
}

/// What a suite protects records with and derives keys by; `None` for what cannot be opened here, as CBC suites.
pub(super) fn algorithms(suite: CipherSuite) -> Option<(AeadAlgorithm, HashAlgorithm)> {
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
        Suite::TLS_AES_128_GCM_SHA256 => (Aes128Gcm, HashAlgorithm::Sha256),
        Suite::TLS_AES_256_GCM_SHA384 => (Aes256Gcm, HashAlgorithm::Sha384),
        Suite::TLS_CHACHA20_POLY1305_SHA256 => (ChaCha20Poly1305, HashAlgorithm::Sha256),
        Suite::TLS_AES_128_CCM_SHA256 => (Aes128Ccm, HashAlgorithm::Sha256),
        Suite::TLS_AES_128_CCM_8_SHA256 => (Aes128Ccm8, HashAlgorithm::Sha256),
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
            &format!("EXPORTER_SECRET {random} {master}"),
            &format!("CLIENT_HANDSHAKE_TRAFFIC_SECRET {random} {master}00"),
        ] {
            assert!(!keys.learn(line), "{line}");
        }
        assert!(keys.learn(&format!("CLIENT_RANDOM {random} {master}\n")));
        for secret in [&master, &random] {
            assert!(keys.learn(&format!("SERVER_TRAFFIC_SECRET_0 {random} {secret}")));
        }
        let found = |from, epoch| keys.traffic_secret(&[0x0a; 32], from, epoch).is_some();
        assert!(found(Role::Server, 3) && !found(Role::Server, 2) && !found(Role::Client, 3));
        assert_eq!(keys.masters.get(&[0x0a; 32]).map(Secret::expose), Some(&[0xf0; 48][..]));
        assert_eq!(format!("{keys:?}").matches("240").count(), 0, "no secrets in debug output");
    }
}

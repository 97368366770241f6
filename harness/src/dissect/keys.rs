//! The key log and what opens protected records.

use std::collections::BTreeMap;

use dtls_impl::crypto::Secret;

use super::Header;
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
pub(super) enum Openers {}

impl Openers {
    fn derive(_master: &Secret, _client_random: &[u8; 32], _server_random: &[u8; 32], _suite: u16) -> Option<Self> {
        None
    }

    /// The plaintext of a record of epoch 1; `None` if its tag is wrong.
    pub(super) fn open(&self, _from: Role, _header: &Header, _body: &[u8]) -> Option<Vec<u8>> {
        match *self {}
    }
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

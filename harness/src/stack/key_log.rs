//! The NSS key log of a stack that has none, read off its own key derivation.
//!
//! A stack with a replaceable HMAC lets its provider see the inputs of the DTLS 1.2 PRF. One call says it all: the key
//! block is `PRF(master_secret, "key expansion", server_random + client_random)` (RFC 5246 §6.3), and `A(1)` of that
//! PRF is the HMAC of label and seed under the master secret (RFC 5246 §5).

use std::fmt::Write;

const LABEL: &[u8] = b"key expansion";
const MASTER_SECRET: usize = 48;
const RANDOM: usize = 32;

/// The key log line, if this HMAC is the `A(1)` of a key expansion.
pub(super) fn line(key: &[u8], data: &[u8]) -> Option<String> {
    let randoms = data.strip_prefix(LABEL)?;
    if key.len() != MASTER_SECRET || randoms.len() != 2 * RANDOM {
        return None;
    }
    let mut line = "CLIENT_RANDOM ".to_owned();
    push_hex(&mut line, &randoms[RANDOM..]);
    line.push(' ');
    push_hex(&mut line, key);
    Some(line)
}

fn push_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(out, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_expansion_is_logged() {
        let master = [0xAB; 48];
        let mut seed = b"key expansion".to_vec();
        seed.extend([1; 32]);
        seed.extend([2; 32]);
        let expected = format!("CLIENT_RANDOM {} {}", "02".repeat(32), "ab".repeat(48));
        assert_eq!(line(&master, &seed), Some(expected));
        assert_eq!(line(&master[..47], &seed), None);
        assert_eq!(line(&master, &seed[..seed.len() - 1]), None);
        assert_eq!(line(&master, b"client finished"), None);
    }
}

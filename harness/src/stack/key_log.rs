//! The NSS key log of a stack that has none, read off its own key derivation.
//!
//! A stack with a replaceable HMAC lets its provider see the inputs of each derivation. In DTLS 1.2 one call says it all:
//! the key block is `PRF(master_secret, "key expansion", server_random + client_random)` (RFC 5246 §6.3), and `A(1)` of that
//! PRF is the HMAC of label and seed under the master secret (RFC 5246 §5). In DTLS 1.3 each traffic secret is the result
//! of one HMAC over its HkdfLabel (RFC 8446 §7.1), in which the client's random is not: that is read off the ClientHello.

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

/// Labels of the traffic secrets with their prefix (RFC 9147 §5.9), and their names in the key log.
#[cfg(feature = "dimpl")]
const TRAFFIC_SECRETS: [(&[u8], &str); 4] = [
    (b"dtls13c hs traffic", "CLIENT_HANDSHAKE_TRAFFIC_SECRET"),
    (b"dtls13s hs traffic", "SERVER_HANDSHAKE_TRAFFIC_SECRET"),
    (b"dtls13c ap traffic", "CLIENT_TRAFFIC_SECRET_0"),
    (b"dtls13s ap traffic", "SERVER_TRAFFIC_SECRET_0"),
];

/// The key log line, if an HMAC over `data` made a traffic secret of DTLS 1.3.
#[cfg(feature = "dimpl")]
pub(super) fn traffic_line(client_random: &[u8], data: &[u8], secret: &[u8]) -> Option<String> {
    // Behind the length of the secret stands the label, behind its own length.
    let label = data.get(3..3 + usize::from(*data.get(2)?))?;
    let (_, name) = TRAFFIC_SECRETS.iter().find(|(known, _)| *known == label)?;
    let mut line = format!("{name} ");
    push_hex(&mut line, client_random);
    line.push(' ');
    push_hex(&mut line, secret);
    Some(line)
}

/// The random of the ClientHello that begins in this datagram.
#[cfg(feature = "dimpl")]
pub(super) fn client_random(datagram: &[u8]) -> Option<[u8; RANDOM]> {
    use dtls_impl::wire::{ContentType, Fragments, Reader, Record};

    const CLIENT_HELLO: u8 = 1;
    const VERSION: usize = 2;
    let record = Record::parse(&mut Reader::new(datagram)).ok()?;
    if record.header.content_type != ContentType::HANDSHAKE || record.header.epoch != 0 {
        return None;
    }
    let fragment = Fragments::new(record.body).next()?.ok()?;
    if fragment.header.message_type.0 != CLIENT_HELLO || fragment.header.fragment_offset != 0 {
        return None;
    }
    fragment.body.get(VERSION..)?.first_chunk().copied()
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

    #[cfg(feature = "dimpl")]
    #[test]
    fn only_traffic_secrets_are_logged() {
        let data = [&[0, 32, 18][..], b"dtls13s ap traffic", &[32], &[7; 32], &[1]].concat();
        let expected = format!("SERVER_TRAFFIC_SECRET_0 {} {}", "02".repeat(32), "ab".repeat(32));
        assert_eq!(traffic_line(&[2; 32], &data, &[0xAB; 32]), Some(expected));
        for data in
            [&data[..20], &[0, 32, 9, b'd'], &[0, 12, 8, b'd', b't', b'l', b's', b'1', b'3', b'i', b'v', 0, 1], &[]]
        {
            assert_eq!(traffic_line(&[2; 32], data, &[0xAB; 32]), None);
        }
        assert_eq!(client_random(&[]), None);
        assert_eq!(client_random(&[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]), None);
    }
}

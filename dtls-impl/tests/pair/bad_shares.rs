//! Shares and signatures that someone on the path has changed: the handshake ends with the alert that says so.

use crate::common::{DELAY, Key, Pair, Side, certificates, clean, psk, secs};
use crate::dtls13::v13;
use dtls_impl::crypto::Group;
use dtls_impl::error::PeerMisbehaved;
use dtls_impl::wire::{AlertDescription, CipherSuite};
use dtls_impl::{ClientConfig, Error, ServerConfig};

/// Changes what follows the only place with these bytes; says whether there is one.
fn change(datagram: &mut [u8], before: &[u8], edit: impl FnOnce(&mut [u8])) -> bool {
    let Some(at) = datagram.windows(before.len()).position(|window| window == before) else { return false };
    edit(&mut datagram[at + before.len()..]);
    true
}

/// Runs until `from` sends a datagram with these bytes, delivers another in its place, and gives the alert that comes.
pub(crate) fn with_change(
    (client, server): (ClientConfig, ServerConfig),
    from: Side,
    before: &[u8],
    edit: impl Fn(&mut [u8]),
) -> (Pair, AlertDescription) {
    let mut pair = Pair::new(client, server, clean());
    let to = if from == Side::Client { Side::Server } else { Side::Client };
    for _ in 0..20 {
        let seen = pair.sent.iter().rposition(|sent| sent.from == from && sent.at == pair.now);
        if let Some(seen) = seen {
            let mut bytes = pair.sent[seen].bytes.clone();
            if change(&mut bytes, before, &edit) {
                pair.forget_what_is_on_its_way();
                pair.inject(to, &bytes);
                pair.run(secs(1));
                let error = pair.failure(to).unwrap_or_else(|| panic!("{}", pair.story())).clone();
                let alert = error.alert().expect("the peer is told");
                return (pair, alert);
            }
        }
        let next = pair.now.saturating_since(dtls_impl::Instant::ZERO) + DELAY;
        pair.run(next);
    }
    panic!("nobody sends this\n{}", pair.story());
}

fn one_group(ends: (ClientConfig, ServerConfig), group: Group) -> (ClientConfig, ServerConfig) {
    let (mut client, mut server) = ends;
    for common in [&mut client.common, &mut server.common] {
        common.groups = vec![group];
        common.mtu = 4000;
    }
    (client, server)
}

const BAD: Error = Error::PeerMisbehaved(PeerMisbehaved::BadPublicKey);

/// The group's code and the length of a server's share, and how to spoil it.
const SHARES: [(Group, &[u8], usize); 4] = [
    (Group::X25519, &[0, 0x1d, 0, 32], 32),
    (Group::Secp256r1, &[0, 0x17, 0, 65], 65),
    (Group::Secp384r1, &[0, 0x18, 0, 97], 97),
    (Group::X25519MlKem768, &[0x11, 0xec, 0x04, 0x60], 1120),
];

#[test]
fn a_client_of_13_refuses_bad_shares_of_the_server() {
    for (group, before, len) in SHARES {
        let ends = one_group(v13(certificates(Key::P256, 0)), group);
        // Zero is of small order on one curve, and no point of the others; in the hybrid share it is the second part.
        let (pair, alert) = with_change(ends, Side::Server, before, |share| share[len - 32..len].fill(0));
        assert_eq!((pair.failure(Side::Client), alert), (Some(&BAD), AlertDescription::ILLEGAL_PARAMETER), "{group:?}");
    }
}

#[test]
fn a_server_of_13_refuses_bad_shares_of_the_client() {
    for (group, before, len) in SHARES {
        let (before, len) =
            if group == Group::X25519MlKem768 { (&[0x11, 0xec, 0x04, 0xc0][..], 1216) } else { (before, len) };
        let (client, mut server) = one_group(v13(certificates(Key::P256, 0)), group);
        server.cookies = dtls_impl::config::Cookies::Off;
        let ends = (client, server);
        let (pair, alert) = with_change(ends, Side::Client, before, |share| share[len - 32..len].fill(0));
        assert_eq!((pair.failure(Side::Server), alert), (Some(&BAD), AlertDescription::ILLEGAL_PARAMETER), "{group:?}");
    }
    // An encapsulation key with a coefficient that is too large.
    let (client, mut server) = one_group(v13(certificates(Key::P256, 0)), Group::X25519MlKem768);
    server.cookies = dtls_impl::config::Cookies::Off;
    let spoil = |share: &mut [u8]| share[..3].fill(0xff);
    let (pair, alert) = with_change((client, server), Side::Client, &[0x11, 0xec, 0x04, 0xc0], spoil);
    assert_eq!((pair.failure(Side::Server), alert), (Some(&BAD), AlertDescription::ILLEGAL_PARAMETER));
}

#[test]
fn a_ciphertext_that_was_changed_leads_to_keys_that_do_not_fit() {
    let ends = one_group(v13(certificates(Key::P256, 0)), Group::X25519MlKem768);
    let (client, server) = ends;
    let mut pair = Pair::new(client, server, clean());
    pair.run(3 * DELAY);
    let mut hello = pair.sent_by(Side::Server).last().unwrap().bytes.clone();
    assert!(change(&mut hello, &[0x11, 0xec, 0x04, 0x60], |share| share[100] ^= 1));
    pair.forget_what_is_on_its_way();
    pair.inject(Side::Client, &hello);
    pair.run(secs(300));
    // Nothing that the server protects can be read: there is no alert to blame it, as anyone can send such records.
    assert_eq!(pair.failure(Side::Client), Some(&Error::TimedOut), "{}", pair.story());
}

fn psk_with_ecdhe(group: Group) -> (ClientConfig, ServerConfig) {
    let (mut client, mut server) = one_group(psk(), group);
    for common in [&mut client.common, &mut server.common] {
        common.cipher_suites = vec![CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256];
    }
    (client, server)
}

#[test]
fn both_ends_of_12_refuse_bad_shares() {
    // In ServerKeyExchange the group comes before the share; ClientKeyExchange has a length and the share alone, after
    // the header of a message that is whole.
    for (group, code, len) in [(Group::X25519, 0x1d, 32), (Group::Secp256r1, 0x17, 65), (Group::Secp384r1, 0x18, 97)] {
        let of_server = [3, 0, code, len as u8];
        let ends = psk_with_ecdhe(group);
        let (pair, alert) = with_change(ends, Side::Server, &of_server, |share| share[..len].fill(0));
        assert_eq!((pair.failure(Side::Client), alert), (Some(&BAD), AlertDescription::ILLEGAL_PARAMETER), "{group:?}");
        let ends = one_group(certificates(Key::P256, 0), group);
        let of_client = [0, 0, 0, 0, 0, len as u8 + 1, len as u8];
        let (pair, alert) = with_change(ends, Side::Client, &of_client, |share| share[..len].fill(0));
        assert_eq!((pair.failure(Side::Server), alert), (Some(&BAD), AlertDescription::ILLEGAL_PARAMETER), "{group:?}");
    }
}

#[test]
fn a_share_of_12_that_is_not_the_signed_one_is_not_believed() {
    for key in [Key::P256, Key::Ed25519] {
        let ends = one_group(certificates(key, 0), Group::X25519);
        let (pair, alert) = with_change(ends, Side::Server, &[3, 0, 0x1d, 32], |share| share[7] ^= 1);
        let bad = Error::PeerMisbehaved(PeerMisbehaved::BadSignature);
        assert_eq!((pair.failure(Side::Client), alert), (Some(&bad), AlertDescription::DECRYPT_ERROR), "{key:?}");
    }
}

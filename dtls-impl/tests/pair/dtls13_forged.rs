//! What a forger or a faulty peer can send to an association of DTLS 1.3, and what it must not achieve.

use std::time::Duration;

use crate::common::{DELAY, Key, Pair, Side, certificates, clean, secs};
use crate::dtls13::v13;
use dtls_impl::config::Versions;
use dtls_impl::error::PeerMisbehaved;
use dtls_impl::wire::{
    Ack, AlertDescription, ClientHello, ContentType, Extension, ExtensionType, Fragment, Fragments, HandshakeHeader,
    HandshakeType, ProtocolVersion, Record, RecordHeader, RecordNumber, Records, Writer,
};
use dtls_impl::{Error, Event, Instant, Output};

fn plain(content_type: ContentType, seq: u64, body: &[u8]) -> Vec<u8> {
    let mut w = Writer::new();
    let header = RecordHeader { content_type, version: ProtocolVersion::DTLS1_2, epoch: 0, seq };
    Record { header, connection_id: &[], body }.emit(&mut w);
    w.into_bytes()
}

pub(crate) fn message(seq: u64, message_type: HandshakeType, message_seq: u16, body: &[u8]) -> Vec<u8> {
    let mut w = Writer::new();
    let header = HandshakeHeader::whole(message_type, message_seq, body.len() as u32);
    Fragment { header, body }.emit(&mut w);
    plain(ContentType::HANDSHAKE, seq, &w.into_bytes())
}

/// Everything with a first byte of a protected record, and plaintext of every kind.
fn junk() -> Vec<Vec<u8>> {
    let mut junk = vec![vec![], vec![0xff; 100]];
    for first in 0b0010_0000..0b0100_0000u8 {
        junk.extend([1, 2, 5, 6, 21, 22, 60].map(|len| [&[first][..], &vec![0; len]].concat()));
        junk.push([&[first, 1, 2, 0, 16][..], &[0xa5; 16]].concat());
    }
    for content_type in [20, 21, 22, 23, 24, 25, 26, 255].map(ContentType) {
        junk.extend([&b""[..], &[0, 0], &[0; 7], &[0xa5; 60]].map(|body| plain(content_type, 77, body)));
    }
    junk
}

#[test]
fn junk_never_kills_a_handshake_or_an_association() {
    let (client, server) = v13(certificates(Key::P256, 3000));
    let mut pair = Pair::new(client, server, clean());
    for step in 0..8u32 {
        for bytes in junk() {
            pair.inject(Side::Client, &bytes);
            pair.inject(Side::Server, &bytes);
        }
        pair.run(DELAY * step);
    }
    pair.run(secs(20));
    assert!(pair.both_established(), "{}", pair.story());
    for bytes in junk() {
        pair.inject(Side::Client, &bytes);
        pair.inject(Side::Server, &bytes);
    }
    pair.exchange_data();
}

#[test]
fn every_flipped_bit_of_a_protected_record_drops_it() {
    let (client, server) = v13(certificates(Key::P256, 0));
    let mut pair = Pair::new(client, server, clean());
    pair.run(secs(1));
    let now = pair.now;
    pair.client.send(now, b"untouched").unwrap();
    let Output::Datagram(record) = pair.client.poll_output() else { panic!("a record to send") };
    for bit in 0..record.len() * 8 {
        let mut bad = record.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        pair.inject(Side::Server, &bad);
    }
    assert!(pair.data(Side::Server).is_empty(), "{}", pair.story());
    pair.inject(Side::Server, &record);
    pair.inject(Side::Server, &record);
    assert_eq!(pair.data(Side::Server), [b"untouched"], "once");
}

#[test]
fn a_damaged_copy_of_any_datagram_changes_nothing() {
    for position in [0, 1, 3, 5, 12, 14, 20, 40] {
        let (client, server) = v13(certificates(Key::P256, 0));
        let mut pair = Pair::new(client, server, clean());
        for step in 0..20u32 {
            pair.run(DELAY * step / 2);
            let Some(sent) = pair.sent.last().cloned() else { continue };
            let to = if sent.from == Side::Client { Side::Server } else { Side::Client };
            // Hellos are not authenticated: damage that leaves them readable is for Finished to find.
            if sent.bytes[0] >> 5 == 1 || position < 3 {
                let mut bad = sent.bytes.clone();
                let at = position % bad.len();
                bad[at] ^= 0x40;
                pair.inject(to, &bad);
            }
        }
        pair.run(secs(20));
        assert!(pair.both_established(), "{position}\n{}", pair.story());
    }
}

/// Anyone can send one, and it may name any record: hellos, too, are repeated until they are answered.
#[test]
fn a_plaintext_ack_does_not_stop_a_repetition() {
    for (side, nth) in [(Side::Client, 0), (Side::Client, 1), (Side::Server, 1)] {
        let (client, server) = v13(certificates(Key::P256, 0));
        let path = Box::new(
            move |sent: &crate::common::Sent| {
                if (sent.from, sent.nth) == (side, nth) { vec![] } else { vec![DELAY] }
            },
        );
        let mut pair = Pair::new(client, server, path);
        let records = (0..20).flat_map(|seq| [0, 2].map(|epoch| RecordNumber { epoch, seq })).collect();
        let mut w = Writer::new();
        Ack { records }.emit(&mut w);
        let ack = w.into_bytes();
        for step in 0..8 {
            pair.inject(Side::Client, &plain(ContentType::ACK, 40 + u64::from(step), &ack));
            pair.inject(Side::Server, &plain(ContentType::ACK, 40 + u64::from(step), &ack));
            pair.run(DELAY * step);
        }
        pair.run(secs(10));
        assert!(pair.both_established(), "{side:?} {nth}\n{}", pair.story());
    }
}

fn first_hello(pair: &Pair) -> Vec<u8> {
    let record = Records::new(&pair.sent[0].bytes).next().unwrap().unwrap();
    Fragments::new(record.body).next().unwrap().unwrap().body.to_vec()
}

fn edited(hello: &[u8], edit: impl FnOnce(&mut ClientHello<'_>)) -> Vec<u8> {
    let mut parsed = ClientHello::parse(hello).unwrap();
    edit(&mut parsed);
    let mut w = Writer::new();
    parsed.emit(&mut w);
    w.into_bytes()
}

/// RFC 9147 §5.1, §5.3; RFC 8446 §4.1.2, §9.2.
#[test]
fn hellos_that_break_a_rule_are_refused_and_forgotten() {
    let drop_extension = |hello: &mut ClientHello<'_>, gone| {
        hello.extensions.0.retain(|extension| extension.extension_type != gone);
    };
    type Edit = Box<dyn Fn(&mut ClientHello<'_>)>;
    let cases: Vec<(Edit, AlertDescription)> = vec![
        (
            Box::new(|hello| {
                hello.extensions.0.push(Extension::cookie(b"not one of ours at all, but long enough to be"))
            }),
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (Box::new(|hello| hello.start.cookie = b"legacy"), AlertDescription::ILLEGAL_PARAMETER),
        (Box::new(|hello| hello.start.compression_methods = &[1, 0]), AlertDescription::ILLEGAL_PARAMETER),
        (Box::new(move |hello| drop_extension(hello, ExtensionType::KEY_SHARE)), AlertDescription::MISSING_EXTENSION),
        (
            Box::new(move |hello| drop_extension(hello, ExtensionType::SUPPORTED_GROUPS)),
            AlertDescription::MISSING_EXTENSION,
        ),
        (
            Box::new(move |hello| drop_extension(hello, ExtensionType::SIGNATURE_ALGORITHMS)),
            AlertDescription::MISSING_EXTENSION,
        ),
        (
            Box::new(move |hello| drop_extension(hello, ExtensionType::SUPPORTED_VERSIONS)),
            AlertDescription::PROTOCOL_VERSION,
        ),
    ];
    for (edit, expected) in cases {
        let (client, server) = v13(certificates(Key::P256, 0));
        let mut pair = Pair::new(client, server, clean());
        let bad = edited(&first_hello(&pair), |hello| edit(hello));
        pair.inject(Side::Server, &message(50, HandshakeType::CLIENT_HELLO, 0, &bad));
        let alerts: Vec<_> = pair
            .events
            .iter()
            .filter_map(|(.., event)| match event {
                Event::AlertSent(alert) => Some(alert.description),
                _ => None,
            })
            .collect();
        assert_eq!(alerts, [expected], "{}", pair.story());
        pair.run(secs(10));
        assert!(pair.both_established(), "the real hello is served\n{}", pair.story());
    }
}

#[test]
fn a_server_that_asked_for_a_cookie_has_nothing_to_wait_for() {
    let (client, server) = v13(certificates(Key::P256, 0));
    let mut pair = Pair::new(client, server, clean());
    let hello = pair.sent[0].bytes.clone();
    for _ in 0..100 {
        pair.server.handle_datagram(Instant::ZERO, &hello);
        assert!(matches!(pair.server.poll_output(), Output::Datagram(request) if request.len() < 200));
        assert_eq!(pair.server.poll_output(), Output::Idle);
    }
    pair.run(secs(10));
    assert!(pair.both_established(), "{}", pair.story());
}

/// RFC 8446 §4.1.4.
#[test]
fn a_second_retry_request_ends_the_handshake() {
    let (client, server) = v13(certificates(Key::P256, 0));
    let mut pair = Pair::new(client, server, clean());
    pair.run(2 * DELAY - Duration::from_millis(1));
    pair.run(2 * DELAY);
    let request = pair.sent_by(Side::Server).next().unwrap().bytes.clone();
    let record = Records::new(&request).next().unwrap().unwrap();
    let body = Fragments::new(record.body).next().unwrap().unwrap().body;
    pair.inject(Side::Client, &message(60, HandshakeType::SERVER_HELLO, 1, body));
    let expected = PeerMisbehaved::UnexpectedMessage(HandshakeType::SERVER_HELLO);
    assert_eq!(pair.failure(Side::Client), Some(&Error::PeerMisbehaved(expected)), "{}", pair.story());
}

/// A server of DTLS 1.2 would not know what an ACK is.
#[test]
fn a_client_of_both_versions_acknowledges_nothing_before_it_knows_the_version() {
    let (mut client, server) = certificates(Key::P256, 0);
    client.common.versions = Versions::Both;
    let mut pair = Pair::new(client, server, clean());
    pair.inject(Side::Client, &[&[0b0010_1110, 1, 2, 0, 40][..], &[0xa5; 40]].concat());
    assert_eq!(pair.sent_by(Side::Client).count(), 1, "{}", pair.story());
    pair.run(secs(10));
    assert!(pair.both_established(), "{}", pair.story());
}

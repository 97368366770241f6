//! What a forger can send, and what it must not achieve.

use std::time::Duration;

use dtls_impl::config::Cookies;
use dtls_impl::wire::{
    Alert, AlertDescription, AlertLevel, ClientHello, ContentType, Fragment, Fragments, HandshakeHeader, HandshakeType,
    HelloVerifyRequest, ProtocolVersion, Reader, Record, RecordHeader, Records, Writer,
};
use dtls_impl::{Error, Event, Instant};

use crate::common::{DELAY, Key, Pair, Side, certificates, clean, psk, secs};

fn record(content_type: ContentType, epoch: u16, seq: u64, body: &[u8]) -> Vec<u8> {
    let mut w = Writer::new();
    let header = RecordHeader { content_type, version: ProtocolVersion::DTLS1_2, epoch, seq };
    Record { header, connection_id: &[], body }.emit(&mut w);
    w.into_bytes()
}

fn alert(level: AlertLevel, description: AlertDescription) -> [u8; 2] {
    Alert { level, description }.to_bytes()
}

/// Records and no records that no one with the keys has sent.
fn junk() -> Vec<Vec<u8>> {
    let mut junk = vec![vec![], vec![22], vec![0; 13], vec![0xff; 200], b"GET / HTTP/1.1\r\n\r\n".to_vec()];
    for content_type in [0, 19, 20, 21, 22, 23, 24, 25, 26, 255].map(ContentType) {
        for epoch in [0, 1, 2, 0xffff] {
            for seq in [0, 1, 5, 100, (1 << 48) - 1] {
                junk.push(record(content_type, epoch, seq, b""));
                junk.push(record(content_type, epoch, seq, &[0; 7]));
                junk.push(record(content_type, epoch, seq, &[0xa5; 60]));
            }
        }
    }
    let mut cut = record(ContentType::HANDSHAKE, 0, 9, &[1; 40]);
    cut.truncate(30);
    junk.push(cut);
    let mut old = record(ContentType::HANDSHAKE, 0, 9, &[1; 40]);
    old[1] = 3;
    junk.push(old);
    junk
}

#[test]
fn junk_never_kills_a_handshake_or_an_association() {
    let (client, server) = certificates(Key::P256, 0);
    let mut pair = Pair::new(client, server, clean());
    for step in 0..8u32 {
        for bytes in junk() {
            pair.inject(Side::Client, &bytes);
            pair.inject(Side::Server, &bytes);
        }
        pair.run(DELAY * step);
    }
    pair.run(secs(10));
    assert!(pair.both_established(), "{}", pair.story());
    for bytes in junk() {
        pair.inject(Side::Client, &bytes);
        pair.inject(Side::Server, &bytes);
    }
    pair.exchange_data();
    assert!(pair.failure(Side::Client).is_none() && pair.failure(Side::Server).is_none());
}

#[test]
fn junk_is_never_answered() {
    let (client, server) = psk();
    let mut pair = Pair::new(client, server, clean());
    pair.run(secs(1));
    let before = pair.sent.len();
    for bytes in junk() {
        pair.inject(Side::Client, &bytes);
        pair.inject(Side::Server, &bytes);
    }
    assert_eq!(pair.sent.len(), before);
}

#[test]
fn a_server_that_listens_answers_nothing_but_hellos() {
    let (client, server) = psk();
    let mut pair = Pair::new(client, server, Box::new(|_| vec![]));
    for bytes in junk() {
        pair.inject(Side::Server, &bytes);
    }
    assert_eq!(pair.sent_by(Side::Server).count(), 0);
}

#[test]
fn every_flipped_bit_of_a_protected_record_drops_it() {
    let (client, server) = psk();
    let mut pair = Pair::new(client, server, clean());
    pair.run(secs(1));
    pair.send(Side::Client, b"data");
    let good = pair.sent.last().unwrap().bytes.clone();
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        pair.inject(Side::Server, &bytes);
    }
    assert!(pair.data(Side::Server).is_empty() && pair.failure(Side::Server).is_none());
    pair.run(secs(2));
    assert_eq!(pair.data(Side::Server), [b"data"]);
}

#[test]
fn every_datagram_of_a_handshake_survives_damage_to_its_copy() {
    // Ahead of each datagram a damaged copy arrives: cut, or with the record's length made longer or shorter.
    for damage in 0..3 {
        let (client, server) = certificates(Key::P256, 0);
        let mut pair = Pair::new(client, server, clean());
        let mut done = 0;
        while done < pair.sent.len() {
            let sent = pair.sent[done].clone();
            let to = if sent.from == Side::Client { Side::Server } else { Side::Client };
            let mut bytes = sent.bytes.clone();
            match damage {
                0 => bytes.truncate(bytes.len() / 2),
                1 => bytes[12] = bytes[12].wrapping_add(1),
                _ => bytes[12] = bytes[12].wrapping_sub(1),
            }
            pair.inject(to, &bytes);
            done += 1;
            let until = pair.now.saturating_since(Instant::ZERO) + DELAY;
            pair.run(until);
        }
        pair.run(secs(20));
        assert!(pair.both_established(), "damage {damage}\n{}", pair.story());
    }
}

#[test]
fn a_forged_fatal_alert_does_not_end_a_handshake_that_goes_on() {
    for side in [Side::Client, Side::Server] {
        let (client, server) = psk();
        let mut pair = Pair::new(client, server, clean());
        for step in 0..6u32 {
            let body = alert(AlertLevel::FATAL, AlertDescription::HANDSHAKE_FAILURE);
            pair.inject(side, &record(ContentType::ALERT, 0, 7, &body));
            pair.run(DELAY * step + Duration::from_millis(1));
        }
        pair.run(secs(5));
        assert!(pair.both_established(), "{}", pair.story());
    }
}

#[test]
fn a_fatal_alert_is_believed_when_the_peer_stays_silent() {
    let (client, server) = psk();
    let mut pair = Pair::new(client, server, Box::new(|_| vec![]));
    let body = alert(AlertLevel::FATAL, AlertDescription::HANDSHAKE_FAILURE);
    pair.inject(Side::Client, &record(ContentType::ALERT, 0, 0, &body));
    pair.run(secs(300));
    assert_eq!(pair.failure(Side::Client), Some(&Error::AlertReceived(AlertDescription::HANDSHAKE_FAILURE)));
    assert_eq!(pair.events.last().map(|(at, ..)| *at), Some(Instant::ZERO + secs(1)));
}

#[test]
fn a_warning_changes_nothing() {
    let (client, server) = psk();
    let mut pair = Pair::new(client, server, clean());
    let body = alert(AlertLevel::WARNING, AlertDescription::UNRECOGNIZED_NAME);
    pair.inject(Side::Client, &record(ContentType::ALERT, 0, 0, &body));
    pair.run(secs(5));
    assert!(pair.both_established());
}

/// The client's first hello, for a test to change.
fn hello(pair: &Pair) -> (RecordHeader, HandshakeHeader, Vec<u8>) {
    let record = Record::parse(&mut Reader::new(&pair.sent[0].bytes)).unwrap();
    let fragment = Fragments::new(record.body).next().unwrap().unwrap();
    (record.header, fragment.header, fragment.body.to_vec())
}

fn hello_datagram(header: RecordHeader, handshake: HandshakeHeader, body: &[u8]) -> Vec<u8> {
    let length = body.len() as u32;
    let header_of_fragment = HandshakeHeader { length, fragment_length: length, ..handshake };
    let mut w = Writer::new();
    Fragment { header: header_of_fragment, body }.emit(&mut w);
    record(ContentType::HANDSHAKE, 0, header.seq, &w.into_bytes())
}

#[test]
fn a_wrong_cookie_counts_for_none_and_the_answer_copies_the_numbers() {
    let (client, server) = psk();
    let mut pair = Pair::new(client, server, Box::new(|_| vec![]));
    let (header, handshake, body) = hello(&pair);
    let mut message = ClientHello::parse(&body).unwrap();
    message.start.cookie = b"not the cookie";
    let mut w = Writer::new();
    message.emit(&mut w);
    let header = RecordHeader { seq: 41, ..header };
    let handshake = HandshakeHeader { message_seq: 3, ..handshake };
    pair.inject(Side::Server, &hello_datagram(header, handshake, &w.into_bytes()));
    let answer = pair.sent_by(Side::Server).next().unwrap().clone();
    assert_eq!(answer.contents(), ["hello_verify_request"]);
    let record = Records::new(&answer.bytes).next().unwrap().unwrap();
    let fragment = Fragments::new(record.body).next().unwrap().unwrap();
    assert_eq!((record.header.seq, fragment.header.message_seq), (41, 3));
    assert_eq!(fragment.body[..2], [0xfe, 0xff]);
    assert!(answer.bytes.len() < pair.sent[0].bytes.len(), "no amplification");
}

/// A server whose cookies change asks once for each hello that came without: the client answers the first.
#[test]
fn a_verify_request_for_an_older_hello_is_not_answered() {
    let (client, server) = psk();
    let mut pair = Pair::new(client, server, Box::new(|_| vec![]));
    let request = |record_seq, cookie| {
        let mut w = Writer::new();
        HelloVerifyRequest { server_version: ProtocolVersion::DTLS1_2, cookie }.emit(&mut w);
        let body = w.into_bytes();
        let (message_type, length) = (HandshakeType::HELLO_VERIFY_REQUEST, body.len() as u32);
        let header =
            HandshakeHeader { message_type, length, message_seq: 0, fragment_offset: 0, fragment_length: length };
        let mut w = Writer::new();
        Fragment { header, body: &body }.emit(&mut w);
        record(ContentType::HANDSHAKE, 0, record_seq, &w.into_bytes())
    };
    // The third is for the hello with the first's cookie: the server did not take it.
    for (record_seq, cookie, hellos) in [(0, b"first", 2), (0, b"other", 2), (1, b"third", 3)] {
        pair.inject(Side::Client, &request(record_seq, cookie));
        assert_eq!(pair.sent_by(Side::Client).count(), hellos, "{}", pair.story());
    }
}

#[test]
fn a_hello_for_dtls_1_0_alone_is_refused_after_its_cookie() {
    let (client, mut server) = psk();
    server.cookies = Cookies::Off;
    let mut pair = Pair::new(client, server, Box::new(|_| vec![]));
    let (header, handshake, body) = hello(&pair);
    let mut message = ClientHello::parse(&body).unwrap();
    message.start.version = ProtocolVersion::DTLS1_0;
    let mut w = Writer::new();
    message.emit(&mut w);
    pair.inject(Side::Server, &hello_datagram(header, handshake, &w.into_bytes()));
    let alert = Alert { level: AlertLevel::FATAL, description: AlertDescription::PROTOCOL_VERSION };
    assert!(pair.events.iter().any(|(.., event)| *event == Event::AlertSent(alert)));
}

#[test]
fn a_hello_in_small_pieces_passes_the_cookie_exchange() {
    // What the cookie covers is in the first piece; the extensions follow in the others.
    let (client, server) = psk();
    let mut pair = Pair::new(client, server, clean());
    pair.run(DELAY * 2 + Duration::from_micros(1));
    let with_cookie = pair.sent_by(Side::Client).nth(1).unwrap().bytes.clone();
    let original = Record::parse(&mut Reader::new(&with_cookie)).unwrap();
    let fragment = Fragments::new(original.body).next().unwrap().unwrap();
    let cut = fragment.body.len() - 20;
    let piece = |range: std::ops::Range<usize>, seq| {
        let mut w = Writer::new();
        let header = HandshakeHeader {
            fragment_offset: range.start as u32,
            fragment_length: range.len() as u32,
            ..fragment.header
        };
        Fragment { header, body: &fragment.body[range] }.emit(&mut w);
        record(ContentType::HANDSHAKE, 0, seq, &w.into_bytes())
    };
    pair.inject(Side::Server, &piece(0..cut, 1));
    pair.inject(Side::Server, &piece(cut..fragment.body.len(), 2));
    assert!(pair.sent_by(Side::Server).any(|sent| sent.holds(HandshakeType::SERVER_HELLO)), "{}", pair.story());
}

#[test]
fn a_forged_piece_of_a_hello_does_not_block_the_real_one() {
    let (client, mut server) = psk();
    server.cookies = Cookies::Off;
    let mut pair = Pair::new(client, server, clean());
    let (_, handshake, body) = hello(&pair);
    let mut w = Writer::new();
    let header = HandshakeHeader { length: 5000, fragment_length: body.len() as u32, ..handshake };
    Fragment { header, body: &body }.emit(&mut w);
    pair.inject(Side::Server, &record(ContentType::HANDSHAKE, 0, 0, &w.into_bytes()));
    pair.run(secs(5));
    assert!(pair.both_established(), "{}", pair.story());
}

#[test]
fn plain_messages_do_not_count_once_keys_are_known() {
    // A forged Finished in the clear, ahead of the real one.
    let (client, server) = psk();
    let mut pair = Pair::new(client, server, clean());
    for step in 0..8u32 {
        for message_seq in 0..8 {
            let mut w = Writer::new();
            let header = HandshakeHeader::whole(HandshakeType::FINISHED, message_seq, 12);
            Fragment { header, body: &[0; 12] }.emit(&mut w);
            let forged = record(ContentType::HANDSHAKE, 0, 1000 + u64::from(message_seq), &w.into_bytes());
            if pair.now >= Instant::ZERO + DELAY * 4 {
                pair.inject(Side::Client, &forged);
            }
            if pair.now >= Instant::ZERO + DELAY * 5 {
                pair.inject(Side::Server, &forged);
            }
        }
        pair.run(DELAY * step + Duration::from_millis(1));
    }
    pair.run(secs(5));
    assert!(pair.both_established(), "{}", pair.story());
}

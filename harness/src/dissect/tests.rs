mod v13;

use proptest::prelude::*;

use super::testing::*;
use super::*;

fn fragments(dissected: &Dissected) -> Vec<(&'static str, u32, u32, u32)> {
    let name = |message: Option<Message>| {
        Message::NAMES.iter().find(|(named, _)| Some(*named) == message).map_or("?", |(_, name)| name)
    };
    let handshakes = dissected.records.iter().filter_map(|record| match &record.body {
        Body::Handshake(fragments) => Some(fragments),
        _ => None,
    });
    handshakes.flatten().map(|f| (name(f.message), f.offset, f.nth, f.attempt)).collect()
}

fn place(dissected: &Dissected) -> (Option<u8>, u32, u32) {
    (dissected.flight, dissected.attempt, dissected.nth_in_attempt)
}

/// The datagrams of a full handshake with cookie, PSK alone, each with its flight.
fn full_handshake() -> Vec<(Role, u8, Vec<u8>)> {
    let finished = vec![0; 40];
    vec![
        (Role::Client, 1, handshake(0, &client_hello(0, b"").whole())),
        (Role::Server, 2, handshake(0, &Msg::new(3, 0, b"\xfe\xff\x04abcd").whole())),
        (Role::Client, 3, handshake(1, &client_hello(1, b"abcd").whole())),
        (Role::Server, 4, handshake(1, &server_hello(1).whole())),
        (Role::Server, 4, handshake(2, &Msg::new(14, 2, b"").whole())),
        (
            Role::Client,
            5,
            [handshake(2, &Msg::new(16, 2, b"\0\x02id").whole()), change_cipher_spec(3), record(22, 1, 0, &finished)]
                .concat(),
        ),
        (
            Role::Server,
            6,
            [handshake(3, &Msg::new(4, 3, &[0; 20]).whole()), change_cipher_spec(4), record(22, 1, 0, &finished)]
                .concat(),
        ),
        (Role::Client, 0, record(23, 1, 1, &finished)),
    ]
}

#[test]
fn a_full_handshake_has_six_flights() {
    let mut dissector = Dissector::new();
    for (from, flight, bytes) in full_handshake() {
        let dissected = dissector.datagram(from, &bytes);
        assert_eq!(dissected.malformed, None);
        assert_eq!(dissected.flight, (flight > 0).then_some(flight));
        assert_eq!(dissected.attempt, u32::from(flight > 0));
        assert_eq!(dissected.association, 1);
    }
}

#[test]
fn every_flight_counts_its_transmissions() {
    let mut dissector = Dissector::new();
    for attempt in 1..4 {
        let mut nth = [0; 7];
        for (from, flight, bytes) in full_handshake() {
            let dissected = dissector.datagram(from, &bytes);
            nth[usize::from(flight)] += 1;
            if flight > 0 {
                assert_eq!(place(&dissected), (Some(flight), attempt, nth[usize::from(flight)]));
            }
        }
    }
    assert_eq!(dissector.datagram(Role::Server, &[]).nth_in_direction, 13);
}

#[test]
fn an_abbreviated_handshake_has_flights_1_4_5() {
    let mut dissector = Dissector::new();
    let mut flight = |from, bytes: &[u8]| dissector.datagram(from, bytes).flight;
    assert_eq!(flight(Role::Client, &handshake(0, &client_hello(0, b"").whole())), Some(1));
    assert_eq!(flight(Role::Server, &handshake(0, &server_hello(0).whole())), Some(4));
    assert_eq!(flight(Role::Server, &change_cipher_spec(1)), Some(4));
    assert_eq!(flight(Role::Server, &record(22, 1, 0, &[0; 40])), Some(4));
    assert_eq!(flight(Role::Client, &change_cipher_spec(1)), Some(5));
    assert_eq!(flight(Role::Client, &record(22, 1, 0, &[0; 40])), Some(5));
}

#[test]
fn fragments_are_numbered_and_count_by_bytes() {
    let mut dissector = Dissector::new();
    let certificate = Msg::new(11, 2, &[7; 300]);
    let mut cut = |seq, from, to| {
        let dissected = dissector.datagram(Role::Server, &handshake(seq, &certificate.cut(from, to)));
        (fragments(&dissected)[0], place(&dissected))
    };
    assert_eq!(cut(0, 0, 200), (("certificate", 0, 1, 1), (Some(4), 1, 1)));
    assert_eq!(cut(1, 200, 300), (("certificate", 200, 2, 1), (Some(4), 1, 2)));
    // Resent in smaller pieces.
    assert_eq!(cut(2, 0, 100), (("certificate", 0, 1, 2), (Some(4), 2, 1)));
    assert_eq!(cut(3, 100, 220), (("certificate", 100, 2, 2), (Some(4), 2, 2)));
    assert_eq!(cut(4, 220, 300), (("certificate", 220, 3, 2), (Some(4), 2, 3)));
}

#[test]
fn a_cookie_is_found_across_fragments() {
    let mut dissector = Dissector::new();
    let hello = client_hello(1, &[3; 100]);
    let head = dissector.datagram(Role::Client, &handshake(0, &hello.cut(0, 20)));
    assert_eq!(head.flight, Some(3), "told by its message_seq");
    let tail = dissector.datagram(Role::Client, &handshake(1, &hello.cut(20, hello.body.len())));
    assert_eq!((tail.flight, fragments(&tail)[0].2), (Some(3), 2));
}

#[test]
fn a_client_hello_with_cookie_that_kept_its_message_seq_is_flight_3() {
    let mut dissector = Dissector::new();
    dissector.datagram(Role::Client, &handshake(0, &client_hello(0, b"").whole()));
    let second = dissector.datagram(Role::Client, &handshake(1, &client_hello(0, b"cookie").whole()));
    assert_eq!(place(&second), (Some(3), 1, 1));
}

#[test]
fn a_new_random_begins_a_new_association() {
    let mut dissector = Dissector::new();
    for (from, _, bytes) in full_handshake() {
        dissector.datagram(from, &bytes);
    }
    let again = dissector.datagram(Role::Client, &handshake(9, &client_hello(0, b"").whole()));
    assert_eq!((again.association, again.attempt), (1, 2));
    let new = client_hello_with([1; 32], 0, b"");
    let first = dissector.datagram(Role::Client, &handshake(0, &new.whole()));
    assert_eq!((first.association, first.attempt), (2, 1));
    let again = dissector.datagram(Role::Client, &handshake(1, &new.whole()));
    assert_eq!((again.association, again.attempt), (2, 2));
    let protected = dissector.datagram(Role::Client, &record(22, 1, 0, &[0; 30]));
    assert_eq!(protected.attempt, 1, "the counts of the old association are gone");
}

#[test]
fn changed_bytes_of_a_retransmission_show() {
    let mut dissector = Dissector::new();
    let changed = |dissected: Dissected| match &dissected.records[0].body {
        Body::Handshake(fragments) => fragments[0].changed,
        other => panic!("{other:?}"),
    };
    let mut message = Msg::new(11, 2, &[7; 300]);
    assert!(!changed(dissector.datagram(Role::Server, &handshake(0, &message.cut(0, 200)))));
    message.body[250] = 8;
    assert!(!changed(dissector.datagram(Role::Server, &handshake(1, &message.cut(100, 300)))));
    message.body[299] = 9;
    assert!(!changed(dissector.datagram(Role::Server, &handshake(2, &message.cut(0, 299)))));
    assert!(changed(dissector.datagram(Role::Server, &handshake(3, &message.cut(290, 300)))));
}

#[test]
fn what_cannot_be_read_is_named() {
    let mut dissector = Dissector::new();
    let mut body = |bytes: &[u8]| match dissector.datagram(Role::Client, bytes) {
        Dissected { malformed: Some(what), .. } => what,
        dissected => match &dissected.records[0].body {
            Body::Malformed(what) => what.clone(),
            other => format!("read as {other:?}"),
        },
    };
    assert_eq!(body(&[]), "empty datagram");
    assert_eq!(body(&[22; 12]), "no whole record in the last 12 bytes");
    assert_eq!(body(&record(22, 0, 0, &[0; 40])[..50]), "no whole record in the last 50 bytes");
    assert_eq!(body(&record(22, 0, 0, &[])), "empty handshake record");
    assert_eq!(body(&record(23, 0, 0, b"hi")), "application data without protection");
    assert_eq!(body(&record(20, 0, 0, b"\x02")), "ChangeCipherSpec: impossible value");
    assert_eq!(body(&record(21, 0, 0, b"\x02")), "alert: bytes end too early");
    assert_eq!(body(&record(99, 0, 0, b"\x02")), "content type 99");
    let mut fragment = Msg::new(11, 0, &[0; 30]).cut(0, 20);
    assert_eq!(body(&record(22, 0, 0, &fragment[..30])), "handshake fragment: bytes end too early");
    fragment[3] = 19;
    assert_eq!(body(&record(22, 0, 0, &fragment)), "handshake fragment: impossible length");
}

/// Client's and server's last flights, protected for real.
fn protected_end() -> [(Role, Vec<u8>); 4] {
    let finished = |seq| Msg::new(20, seq, &[0xf1; 12]).whole();
    [
        (Role::Client, [change_cipher_spec(3), protected(Role::Client, 22, 0, &finished(3))].concat()),
        (Role::Server, [change_cipher_spec(4), protected(Role::Server, 22, 0, &finished(4))].concat()),
        (Role::Client, protected(Role::Client, 23, 1, b"hello")),
        (Role::Server, protected(Role::Server, 21, 1, &[1, 0])),
    ]
}

#[test]
fn protected_records_open_with_the_key_log() {
    let mut dissector = Dissector::new();
    for (from, _, bytes) in full_handshake().into_iter().take(5) {
        dissector.datagram(from, &bytes);
    }
    dissector.learn_key_log(&key_log());
    let [client, server, data, alert] = protected_end().map(|(from, bytes)| dissector.datagram(from, &bytes));
    assert_eq!(fragments(&client), [("finished", 0, 1, 1)]);
    assert_eq!(place(&client), (Some(5), 1, 1));
    assert_eq!(fragments(&server), [("finished", 0, 1, 1)]);
    assert_eq!(data.records[0].body, Body::ApplicationData(b"hello".to_vec()));
    assert_eq!(alert.records[0].body, Body::Alert { level: 1, description: 0 });

    let mut forged = protected(Role::Client, 23, 2, b"hello");
    forged[30] ^= 1;
    let forged = dissector.datagram(Role::Client, &forged);
    assert_eq!(forged.records[0].body, Body::Malformed("does not open with the logged keys".into()));
}

#[test]
fn transmissions_count_on_when_keys_come_late() {
    let mut dissector = Dissector::new();
    for (from, _, bytes) in full_handshake().into_iter().take(5) {
        dissector.datagram(from, &bytes);
    }
    for attempt in 1..3 {
        let [sealed, ..] = protected_end().map(|(from, bytes)| dissector.datagram(from, &bytes));
        assert_eq!(sealed.records[1].body, Body::Sealed { attempt });
    }
    dissector.learn_key_log(&key_log());
    let [opened, ..] = protected_end().map(|(from, bytes)| dissector.datagram(from, &bytes));
    assert_eq!(fragments(&opened), [("finished", 0, 1, 3)]);
}

#[test]
fn a_suite_that_cannot_be_opened_stays_sealed() {
    let mut dissector = Dissector::new();
    dissector.learn_key_log(&key_log());
    dissector.datagram(Role::Client, &handshake(0, &client_hello(0, b"").whole()));
    let mut hello = server_hello(0);
    hello.body[35..37].copy_from_slice(&0xc023u16.to_be_bytes());
    dissector.datagram(Role::Server, &handshake(0, &hello.whole()));
    let [(from, bytes), ..] = protected_end();
    let sealed = dissector.datagram(from, &bytes);
    assert_eq!(sealed.records[1].body, Body::Sealed { attempt: 1 });
}

/// Counters stay consistent whatever was read before.
fn feed(dissector: &mut Dissector, from: Role, bytes: &[u8]) {
    let dissected = dissector.datagram(from, bytes);
    assert_eq!(dissected.flight.is_some(), dissected.attempt > 0);
    assert_eq!(dissected.flight.is_some(), dissected.nth_in_attempt > 0);
    let read: usize = dissected.records.iter().map(|record| 13 + usize::from(record.length)).sum();
    assert!(read == bytes.len() || dissected.malformed.is_some());
}

proptest! {
    #[test]
    fn any_bytes_are_read(datagrams in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..200)), 0..20)) {
        let mut dissector = Dissector::new();
        for (client, bytes) in datagrams {
            feed(&mut dissector, if client { Role::Client } else { Role::Server }, &bytes);
        }
    }

    /// Real datagrams with some bytes overwritten, cut, in any order, with the key known from some point on.
    #[test]
    fn damaged_datagrams_are_read(
        key_at in 0usize..60,
        damage in prop::collection::vec((0usize..12, prop::collection::vec((0usize..150, any::<u8>()), 0..4), 0usize..200), 0..60)
    ) {
        let plain = full_handshake().into_iter().map(|(from, _, bytes)| (from, bytes));
        let datagrams: Vec<_> = plain.chain(protected_end()).collect();
        let mut dissector = Dissector::new();
        for (turn, (which, bytes, cut)) in damage.into_iter().enumerate() {
            if turn == key_at {
                dissector.learn_key_log(&key_log());
            }
            let (from, mut datagram) = datagrams[which].clone();
            for (place, byte) in bytes {
                if let Some(old) = datagram.get_mut(place) {
                    *old = byte;
                }
            }
            datagram.truncate(cut);
            feed(&mut dissector, from, &datagram);
        }
    }
}

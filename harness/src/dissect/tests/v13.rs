//! DTLS 1.3: flights by their place, records opened, what cannot be opened said to be so.

use dtls_impl::wire::HELLO_RETRY_RANDOM;

use super::super::testing13::{sealed13 as sealed, *};
use super::*;

/// A ServerHello or HelloRetryRequest.
fn hello(seq: u16, random: [u8; 32]) -> Msg {
    hello13(seq, random, &[])
}

fn with_keys() -> Dissector {
    let mut dissector = Dissector::new();
    key_log13().iter().for_each(|line| dissector.learn_key_log(line));
    dissector
}

/// A handshake with HelloRetryRequest, an ACK, data and a key update: sender, flight and datagram.
fn story() -> Vec<(Role, Option<u8>, Vec<u8>)> {
    let finished = |seq| Msg::new(20, seq, &[0; 32]).whole();
    let flight4 = [
        handshake(1, &hello(1, SERVER_RANDOM).whole()),
        sealed(2, 0, 22, &Msg::new(8, 2, &[0, 0]).whole()),
        sealed(2, 1, 22, &finished(3)),
    ];
    let ack = [&[0, 16][..], &2u64.to_be_bytes(), &0u64.to_be_bytes()].concat();
    vec![
        (Role::Client, Some(1), handshake(0, &client_hello(0, b"").whole())),
        (Role::Server, Some(2), handshake(0, &hello(0, HELLO_RETRY_RANDOM).whole())),
        (Role::Client, Some(3), handshake(1, &client_hello(1, b"").whole())),
        (Role::Server, Some(4), flight4.concat()),
        (Role::Client, Some(5), sealed(2, 0, 22, &finished(2))),
        (Role::Server, None, sealed(3, 0, 26, &ack)),
        (Role::Client, None, sealed(3, 0, 22, &Msg::new(24, 3, &[0]).whole())),
        (Role::Client, None, sealed(4, 0, 23, b"ping")),
        (Role::Client, None, sealed(3, 300, 23, b"late")),
    ]
}

#[test]
fn a_handshake_with_retry_has_five_flights_and_an_ack_outside() {
    let mut dissector = with_keys();
    let read: Vec<Dissected> = story()
        .iter()
        .map(|(from, flight, bytes)| {
            let read = dissector.datagram(*from, bytes);
            assert_eq!((read.malformed.as_deref(), read.flight, read.association), (None, *flight, 1));
            read
        })
        .collect();
    let names: Vec<_> = read.iter().flat_map(fragments).map(|(name, ..)| name).collect();
    let expected = [
        "client_hello",
        "hello_retry_request",
        "client_hello",
        "server_hello",
        "encrypted_extensions",
        "finished",
        "finished",
        "key_update",
    ];
    assert_eq!(names, expected);
    let numbers: Vec<_> = read.iter().flat_map(|read| &read.records).map(|r| (r.epoch, r.seq)).collect();
    let expected = [(0, 0), (0, 0), (0, 1), (0, 1), (2, 0), (2, 1), (2, 0), (3, 0), (3, 0), (4, 0), (3, 300)];
    assert_eq!(numbers, expected);
    assert_eq!(read[5].records[0].body, Body::Ack(vec![RecordNumber { epoch: 2, seq: 0 }]));
    assert_eq!(read[7].records[0].body, Body::ApplicationData(b"ping".to_vec()));
    assert!(read[7].records[0].is_unified() && read[7].records[0].is_numbered() && !read[0].records[0].is_unified());
}

#[test]
fn what_is_sent_again_counts_up_under_another_number() {
    let mut dissector = with_keys();
    story().iter().for_each(|(from, _, bytes)| _ = dissector.datagram(*from, bytes));
    let again = dissector.datagram(Role::Client, &sealed(2, 1, 22, &Msg::new(20, 2, &[0; 32]).whole()));
    assert_eq!(place(&again), (Some(5), 2, 1));
}

#[test]
fn without_keys_records_stay_sealed_and_unnumbered() {
    let mut dissector = Dissector::new();
    for (from, _, bytes) in story() {
        let read = dissector.datagram(from, &bytes);
        assert_eq!(read.malformed, None);
        for record in read.records.iter().filter(|record| record.is_unified()) {
            assert_eq!((&record.body, record.is_numbered()), (&Body::Sealed { attempt: 0 }, false));
        }
    }
}

#[test]
fn a_forged_record_is_malformed() {
    let mut dissector = with_keys();
    let mut story = story();
    story.last_mut().unwrap().2[10] ^= 1;
    let read: Vec<_> = story.iter().map(|(from, _, bytes)| dissector.datagram(*from, bytes)).collect();
    let record = &read.last().unwrap().records[0];
    assert!(matches!(&record.body, Body::Malformed(why) if why.contains("does not open")), "{record:?}");
    assert!(!record.is_numbered());
}

#[test]
fn the_unified_header_is_none_before_a_server_chose_it() {
    let mut dissector = with_keys();
    let read = dissector.datagram(Role::Client, &sealed(2, 0, 22, &[0; 40]));
    assert!(read.records.iter().all(|record| !record.is_unified()));
}

#[test]
fn a_finished_sent_again_is_spurious_unless_an_ack_was_lost() {
    use crate::observe::observe;
    use crate::observe::testing::Story;

    for lost in [false, true] {
        let mut tale = Story::default();
        for line in key_log13() {
            tale.report(Role::Client, crate::endpoint::EndpointEvent::KeyLog(line));
        }
        for (nth, (from, _, bytes)) in (0u64..).zip(story().into_iter().take(6)) {
            tale.at(25 * nth);
            if lost && nth == 5 {
                tale.lose(from, &bytes);
            } else {
                tale.send(from, &bytes);
            }
        }
        tale.at(1100).send(Role::Client, &sealed(2, 1, 22, &Msg::new(20, 2, &[0; 32]).whole()));
        let seen = observe(&tale.trace());
        let again: Vec<bool> = seen.transmissions(5).skip(1).map(|transmission| transmission.spurious).collect();
        assert_eq!(again, [!lost]);
        // The ACK is sent at 125 ms and takes 25 ms.
        assert_eq!(seen.confirmed13(), (!lost).then_some(crate::observe::testing::ms(150)));
    }
}

/// Extension early_data, and connection_id with an ID of this length.
fn early_data() -> Vec<u8> {
    vec![0, 42, 0, 0]
}

fn connection_id(len: u8) -> Vec<u8> {
    [&[0, 54, 0, len + 1, len][..], &vec![7; usize::from(len)]].concat()
}

#[test]
fn early_data_is_opened_before_the_server_has_chosen_anything() {
    let mut dissector = with_keys();
    let hello = handshake(0, &client_hello13(0, &early_data()).whole());
    let read = dissector.datagram(Role::Client, &[hello, sealed(1, 0, 23, b"early")].concat());
    assert_eq!((read.malformed, read.flight, read.records.len()), (None, Some(1), 2));
    assert_eq!((read.records[1].epoch, read.records[1].seq), (1, 0));
    assert_eq!(read.records[1].body, Body::ApplicationData(b"early".to_vec()));
    dissector.datagram(Role::Server, &flight4_of_13(0, 0, 0).concat());
    let late = dissector.datagram(Role::Client, &sealed(1, 1, 23, b"late"));
    assert_eq!(late.records[0].body, Body::ApplicationData(b"late".to_vec()));
}

#[test]
fn early_data_without_keys_or_offer_is_not_taken_for_something_else() {
    let mut dissector = Dissector::new();
    dissector.datagram(Role::Client, &handshake(0, &client_hello13(0, &early_data()).whole()));
    let read = dissector.datagram(Role::Client, &sealed(1, 0, 23, b"early"));
    assert_eq!((read.records[0].epoch, &read.records[0].body), (1, &Body::Sealed { attempt: 0 }));
    let mut dissector = with_keys();
    dissector.datagram(Role::Client, &handshake(0, &client_hello13(0, &[]).whole()));
    let read = dissector.datagram(Role::Client, &sealed(1, 0, 23, b"early"));
    assert!(read.records.iter().all(|record| !record.is_unified()));
}

#[test]
fn connection_ids_are_as_long_as_their_receiver_said_and_numbered_as_they_appear() {
    let with_id = |epoch, seq, id: &[u8]| {
        // Sealed without, then given a header that has it: enough to see where the body begins.
        let plain = sealed(epoch, seq, 23, &[0; 40]);
        [&[plain[0] | 0b0001_0000][..], id, &plain[1..]].concat()
    };
    let mut dissector = with_keys();
    dissector.datagram(Role::Client, &handshake(0, &client_hello13(0, &connection_id(0)).whole()));
    let hello = hello13(0, SERVER_RANDOM, &connection_id(3));
    dissector.datagram(Role::Server, &handshake(0, &hello.whole()));
    let ids = |dissector: &mut Dissector, from, bytes: &[u8]| {
        let read = dissector.datagram(from, bytes);
        assert_eq!(read.malformed, None);
        read.records.iter().map(|record| record.connection_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&mut dissector, Role::Client, &with_id(2, 0, b"abc")), [Some(1)]);
    assert_eq!(ids(&mut dissector, Role::Client, &with_id(2, 1, b"abd")), [Some(2)]);
    assert_eq!(ids(&mut dissector, Role::Client, &with_id(2, 2, b"abc")), [Some(1)]);
    assert_eq!(ids(&mut dissector, Role::Client, &sealed(2, 3, 23, b"none")), [None]);
    assert_eq!(ids(&mut dissector, Role::Server, &sealed(2, 0, 23, b"wants none")), [None]);
}

#[test]
fn connection_ids_given_later_may_have_other_lengths() {
    let mut dissector = with_keys();
    dissector.datagram(Role::Client, &handshake(0, &client_hello13(0, &connection_id(0)).whole()));
    let hello = hello13(0, SERVER_RANDOM, &connection_id(3));
    dissector.datagram(Role::Server, &handshake(0, &hello.whole()));
    // NewConnectionId with two spares, of five bytes and of one.
    let body = [&[0, 8, 5][..], b"abcde", &[1, b'z', 1]].concat();
    let read = dissector.datagram(Role::Server, &sealed(3, 0, 22, &Msg::new(10, 6, &body).whole()));
    assert_eq!(read.malformed, None);
    for (number, id) in [(1, &b"abc"[..]), (2, b"abcde"), (3, b"z"), (2, b"abcde"), (1, b"abc")] {
        let plain = sealed(3, 7, 23, &[0; 40]);
        let record = [&[plain[0] | 0b0001_0000][..], id, &plain[1..]].concat();
        let read = dissector.datagram(Role::Client, &record);
        assert_eq!((read.malformed, read.records.len(), read.records[0].connection_id), (None, 1, Some(number)));
    }
}

#[test]
fn path_checks_and_new_connection_ids_are_outside_flights() {
    let mut dissector = with_keys();
    story().iter().take(5).for_each(|(from, _, bytes)| _ = dissector.datagram(*from, bytes));
    let read = dissector.datagram(Role::Server, &sealed(3, 0, 27, &[0; 9]));
    assert_eq!((read.flight, &read.records[0].body), (None, &Body::PathCheck(0)));
    let read = dissector.datagram(Role::Server, &sealed(3, 1, 27, &[0; 8]));
    assert!(matches!(read.records[0].body, Body::Malformed(_)));
    let read = dissector.datagram(Role::Client, &sealed(3, 0, 22, &Msg::new(9, 3, &[2]).whole()));
    assert_eq!((read.flight, fragments(&read)[0].0), (None, "request_connection_id"));
}

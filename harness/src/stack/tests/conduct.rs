//! What each stack makes of things that happen on real networks: who keeps to RFC 6347 and who does not.
//!
//! Each experiment lists the stacks that fail it. A stack that gets better shows up here as much as one that gets worse.

use super::*;

/// The stacks, each paired with itself, for which `experiment` is true.
fn those(credentials: &Credentials, experiment: impl Fn(&mut Pair) -> bool) -> Vec<&'static str> {
    let fails = |name: &&'static str| {
        let mut pair = Pair::new(name, name, credentials, |_| {});
        pair.closes = false;
        let fails = experiment(&mut pair);
        println!("{name}: {fails}\n{}", pair.story());
        fails
    };
    names().into_iter().filter(fails).collect()
}

fn faithful(_: Role, _: usize, bytes: &[u8]) -> Vec<Vec<u8>> {
    vec![bytes.to_vec()]
}

fn record(content_type: u8, epoch: u8, number: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a short record").to_be_bytes();
    [&[content_type, 0xFE, 0xFD, 0, epoch, 0, 0, 0, 0, 0, number], &length[..], body].concat()
}

/// Bytes `range` of the body of the message in the only record of `datagram`, as a fragment in a record of its own.
fn fragment(datagram: &[u8], range: std::ops::Range<usize>, number: u8) -> Vec<u8> {
    let three = |value: usize| [0, u8::try_from(value >> 8).expect("short"), (value & 0xFF) as u8];
    let (header, body) = datagram[13..].split_at(12);
    record(22, 0, number, &[&header[..6], &three(range.start), &three(range.len()), &body[range]].concat())
}

/// Sends "again" from the client, and says whether it comes back.
fn still_talks(pair: &mut Pair) -> bool {
    pair.with(Role::Client, |end, now| end.send(now, b"again"), &mut faithful);
    pair.carry_on(&mut faithful);
    pair.saw(Role::Client, &EndpointEvent::Data(b"again".to_vec()))
}

fn sent_by(pair: &Pair, from: Role) -> Vec<&Sent> {
    pair.sent.iter().filter(|sent| sent.from == from).collect()
}

/// Milliseconds at which a client sends into the void, and when it gives up.
fn into_the_void(name: &str) -> Vec<u64> {
    let mut pair = Pair::new(name, name, &psk(), |_| {});
    pair.run(|_, _, _| true);
    let failures = pair.events.iter().filter(|(_, _, event)| matches!(event, EndpointEvent::Failed(_)));
    let times = pair.sent.iter().map(|sent| sent.at).chain(failures.map(|(at, ..)| *at));
    times.map(|at| at.as_nanos() / 1_000_000).collect()
}

#[test]
fn rtc_dtls_repeats_every_second_and_gives_up_at_eight() {
    // RFC 6347 §4.2.4.1: the timer doubles at each retransmission.
    assert_eq!(into_the_void("rtc-dtls"), [0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000]);
}

#[test]
fn dimpl_doubles_with_a_quarter_of_jitter_and_gives_up_after_five() {
    let times = into_the_void("dimpl");
    let intervals: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(intervals.len(), 5, "{times:?}");
    for (interval, nominal) in intervals.into_iter().zip([1000, 2000, 4000, 8000, 16_000]) {
        assert!((nominal * 3 / 4..=nominal * 5 / 4).contains(&interval), "{times:?}");
    }
}

#[test]
fn rtc_dtls_sends_datagrams_above_its_mtu() {
    // RFC 6347 §4.1.1, §4.2.3: it cuts message bodies to the MTU and then adds headers of 25 bytes.
    let above = |name: &&'static str| {
        let mut pair = Pair::new(name, name, &certificate(), |config| config.mtu = 256);
        pair.run(|_, _, _| false);
        pair.sent.iter().any(|sent| sent.bytes.len() > 256)
    };
    assert_eq!(names().into_iter().filter(above).collect::<Vec<_>>(), ["rtc-dtls"]);
}

#[test]
fn neither_foreign_stack_takes_overlapping_fragments() {
    // RFC 6347 §4.2.3: an implementation MUST be able to handle overlapping fragment ranges. The unusable fragments also
    // stay in the way of the whole ClientHello when it is repeated.
    let failing = those(&psk(), |pair| {
        pair.run_over(|from, index, bytes| {
            if (from, index) != (Role::Client, 0) {
                return vec![bytes.to_vec()];
            }
            vec![fragment(bytes, 0..40, 0), fragment(bytes, 20..bytes.len() - 25, 1)]
        });
        !pair.echoed()
    });
    assert_eq!(failing, ["dimpl", "rtc-dtls"]);
}

#[test]
fn neither_foreign_server_mirrors_record_numbers() {
    // RFC 6347 §4.2.1: HelloVerifyRequest and ServerHello MUST carry the record number of their ClientHello.
    let failing = those(&psk(), |pair| {
        pair.run_over(|from, _, bytes| {
            let mut bytes = bytes.to_vec();
            if from == Role::Client && bytes[4] == 0 {
                bytes[10] += 7;
            }
            vec![bytes]
        });
        let numbers: Vec<u8> = sent_by(pair, Role::Server).iter().take(2).map(|sent| sent.bytes[10]).collect();
        numbers != [7, 8]
    });
    assert_eq!(failing, ["dimpl", "rtc-dtls"]);
}

/// A ClientHello with a cookie other than the one it carries: its last byte is changed.
fn with_another_cookie(hello: &[u8]) -> Vec<u8> {
    let mut hello = hello.to_vec();
    let session_id = 13 + 12 + 2 + 32;
    let cookie = session_id + 1 + usize::from(hello[session_id]);
    let last = cookie + usize::from(hello[cookie]);
    hello[last] ^= 1;
    hello
}

#[test]
fn a_forged_cookie_ends_the_handshake_of_either_foreign_server() {
    // RFC 6347 §4.2.1: a ClientHello with a bad cookie is to be treated as one without, and leaves no state. dimpl
    // counts it as the second message of the handshake, rtc-dtls answers with a fatal alert.
    let failing = those(&psk(), |pair| {
        pair.run_over(|from, index, bytes| match (from, index) {
            (Role::Client, 1) => vec![with_another_cookie(bytes), bytes.to_vec()],
            _ => vec![bytes.to_vec()],
        });
        // Whether the client then gets over two answers with one record number is another matter.
        !sent_by(pair, Role::Server).iter().any(|sent| sent.bytes[0] == 22 && sent.bytes[13] == 2)
    });
    assert_eq!(failing, ["dimpl", "rtc-dtls"]);
}

#[test]
fn neither_foreign_pair_recovers_from_a_cookie_that_was_damaged() {
    // RFC 6347 §4.2.1: the server asks again, and the client answers every HelloVerifyRequest.
    let failing = those(&psk(), |pair| {
        pair.run_over(|from, index, bytes| match (from, index) {
            (Role::Client, 1) => vec![with_another_cookie(bytes)],
            _ => vec![bytes.to_vec()],
        });
        !pair.echoed()
    });
    assert_eq!(failing, ["dimpl", "rtc-dtls"]);
}

#[test]
fn a_damaged_finished_ends_the_handshake_of_the_foreign_stacks() {
    // RFC 6347 §4.1.2.7: invalid records are to be dropped. rtc-dtls fails with a pre-shared key only.
    let damaged = |role: Role, nth: usize| {
        move |pair: &mut Pair| {
            pair.run_over(|from, index, bytes| {
                let mut bytes = bytes.to_vec();
                if (from, index) == (role, nth)
                    && let Some(last) = bytes.last_mut()
                {
                    *last ^= 1;
                }
                vec![bytes]
            });
            !pair.echoed()
        }
    };
    for role in Role::BOTH {
        assert_eq!(those(&psk(), damaged(role, 2)), ["dimpl", "rtc-dtls"], "damaged on its way from the {role}");
        assert_eq!(those(&certificate(), damaged(role, 2)), ["dimpl"], "damaged on its way from the {role}");
    }
}

#[test]
fn one_forged_record_ends_an_association_of_rtc_dtls_with_a_pre_shared_key() {
    // RFC 6347 §4.1.2.7: drop it, or say bad_record_mac. It sends unknown_psk_identity, and both ends are gone.
    for victim in Role::BOTH {
        let failing = those(&psk(), |pair| {
            pair.run_over(faithful);
            pair.with(
                victim,
                |end, now| end.handle_datagram(now, address(victim.peer()), &record(23, 1, 99, &[0x55; 40])),
                &mut faithful,
            );
            pair.carry_on(&mut faithful);
            !still_talks(pair)
        });
        assert_eq!(failing, ["rtc-dtls"], "to the {victim}");
    }
}

#[test]
fn a_forged_record_of_an_unknown_type_ends_a_handshake_of_rtc_dtls() {
    // RFC 6347 §4.1.2.7 again, without any key.
    let failing = those(&certificate(), |pair| {
        pair.run_over(|from, index, bytes| match (from, index) {
            (Role::Client, 1) => vec![record(99, 0, 99, &[1, 2, 3]), bytes.to_vec()],
            _ => vec![bytes.to_vec()],
        });
        !pair.echoed()
    });
    assert_eq!(failing, ["rtc-dtls"]);
}

#[test]
fn a_forged_handshake_record_makes_two_ends_of_rtc_dtls_repeat_their_last_flights() {
    // RFC 6347 §4.2.4: the last flight answers a repetition of the peer's last flight. It answers any handshake record,
    // also at the client, whose flight is not the last: each answer provokes the next until both have spent seven.
    let failing = those(&certificate(), |pair| {
        pair.run_over(faithful);
        let before = pair.sent.len();
        pair.with(
            Role::Client,
            |end, now| end.handle_datagram(now, address(Role::Server), &record(22, 0, 99, &[0; 12])),
            &mut faithful,
        );
        pair.carry_on(&mut faithful);
        pair.sent.len() > before
    });
    assert_eq!(failing, ["rtc-dtls"]);
}

#[test]
fn rtc_dtls_returns_alerts_and_sends_them_in_the_clear_after_change_cipher_spec() {
    // RFC 5246 §7.2.2: a fatal alert ends the connection, it is not answered. RFC 6347 §4.1: epoch 1 is protected.
    let failing = those(&certificate(), |pair| {
        pair.run_over(|from, index, bytes| match (from, index) {
            (Role::Server, 2) => vec![record(21, 0, 99, &[2, 40])],
            _ => vec![bytes.to_vec()],
        });
        sent_by(pair, Role::Client).iter().any(|sent| sent.bytes[..] == record(21, 1, 1, &[2, 40])[..])
    });
    assert_eq!(failing, ["rtc-dtls"]);
}

#[test]
fn neither_foreign_stack_limits_application_data() {
    // RFC 5246 §6.2.1: a record holds at most 2^14 bytes. Both send more, and take more.
    let failing = those(&psk(), |pair| {
        pair.run_over(faithful);
        pair.with(Role::Client, |end, now| end.send(now, &[7; 20_000]), &mut faithful);
        pair.carry_on(&mut faithful);
        pair.saw(Role::Server, &EndpointEvent::Data(vec![7; 20_000]))
    });
    assert_eq!(failing, ["dimpl", "rtc-dtls"]);
}

#[test]
fn dimpl_does_not_answer_every_repetition_of_the_last_flight() {
    // RFC 6347 §4.2.4: the server MUST respond to a repetition of the client's last flight with its own. It keeps quiet
    // for a time that doubles with each answer and, moved by jitter, may be longer than the client waits.
    let failing = those(&psk(), |pair| {
        pair.run(|from, index, _| from == Role::Server && index >= 2);
        sent_by(pair, Role::Server).len() < sent_by(pair, Role::Client).len()
    });
    assert_eq!(failing, ["dimpl"]);
}

#[test]
fn dimpl_repeats_a_second_hello_verify_request_by_timer() {
    // RFC 6347 §4.2.1, §3.2.1: timeout and retransmission do not apply to the HelloVerifyRequest.
    let failing = those(&psk(), |pair| {
        pair.run_over(|from, index, bytes| match (from, index) {
            (Role::Client, 1) => vec![with_another_cookie(bytes)],
            (Role::Client, 2..) => vec![],
            _ => vec![bytes.to_vec()],
        });
        sent_by(pair, Role::Server).iter().filter(|sent| sent.bytes[0] == 22 && sent.bytes[13] == 3).count() > 2
    });
    assert_eq!(failing, ["dimpl"]);
}

#[test]
fn dimpl_tells_the_peer_nothing_when_it_fails() {
    // RFC 5246 §7.2.2: the appropriate alert MUST be sent. Here the ClientHello loses its extended_master_secret.
    let failing = those(&psk(), |pair| {
        pair.run_over(|from, index, bytes| {
            let mut bytes = bytes.to_vec();
            if from == Role::Client
                && index < 2
                && let Some(at) = bytes.windows(4).position(|extension| extension == [0, 23, 0, 0])
            {
                bytes[at] = 0xFA;
            }
            vec![bytes]
        });
        let failed =
            pair.events.iter().any(|(_, by, event)| *by == Role::Server && matches!(event, EndpointEvent::Failed(_)));
        failed && !sent_by(pair, Role::Server).iter().any(|sent| sent.bytes[0] == 21)
    });
    assert_eq!(failing, ["dimpl"]);
}

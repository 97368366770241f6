use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::dissect::{Fragment, Message};
use crate::trace::Visit;
use crate::trace::{Cause, Copy, Fate, FaultAction};

fn at(millis: u64) -> SimTime {
    SimTime::ZERO + Duration::from_millis(millis)
}

fn event(millis: u64, what: What) -> Event {
    Event { at: at(millis), visit: Visit::FIRST, what }
}

fn sent(id: u32, from: Role, len: usize, fate: Fate) -> What {
    What::Sent(Sent { id: DatagramId(id), from, path: None, index: id, bytes: Arc::from(vec![0; len]), fate })
}

fn arrives(millis: u64) -> Fate {
    Fate { causes: vec![], copies: vec![Copy { due: Some(at(millis)), forged: None }] }
}

fn read(flight: u8, attempt: u32, parts: &[(Message, u32, u32, u32)]) -> Dissected {
    let record = |&(message, offset, len, length)| Record {
        content_type: 22,
        version: 0xfefd,
        epoch: u16::from(message == Message::Finished),
        seq: 0,
        length: 0,
        connection_id: None,
        body: Body::Handshake(vec![Fragment {
            message: Some(message),
            code: 0,
            message_seq: 0,
            length,
            flight: None,
            changed: false,
            offset,
            len,
            nth: 1,
            attempt,
        }]),
    };
    Dissected {
        records: parts.iter().map(record).collect(),
        malformed: None,
        flight: Some(flight),
        attempt,
        nth_in_attempt: 1,
        nth_in_direction: 1,
        association: 1,
    }
}

fn example() -> (Trace, Vec<Dissected>) {
    let dropped = Fate { causes: vec![Cause::Fault { fault: 0, action: FaultAction::Drop }], copies: vec![] };
    let twice = Fate {
        causes: vec![Cause::Duplicate],
        copies: vec![Copy { due: Some(at(1225)), forged: None }, Copy { due: None, forged: None }],
    };
    let trace = Trace {
        events: vec![
            event(0, sent(0, Role::Client, 166, dropped)),
            event(1000, What::Timer(Role::Client)),
            event(1000, sent(1, Role::Client, 166, arrives(1075))),
            event(1075, What::Delivered { id: DatagramId(1), copy: 0 }),
            event(1075, sent(2, Role::Server, 1180, twice)),
            event(1225, What::Delivered { id: DatagramId(2), copy: 0 }),
            event(1225, What::Endpoint(Role::Client, EndpointEvent::KeyLog("CLIENT_RANDOM 00 secret".to_owned()))),
            event(1225, What::Endpoint(Role::Client, EndpointEvent::Established { suite: "AES".to_owned() })),
            event(1225, What::Endpoint(Role::Server, EndpointEvent::Data(vec![0; 7]))),
            event(60000, What::End(End::Duration)),
        ],
    };
    let hello = |attempt| read(1, attempt, &[(Message::ClientHello, 0, 100, 100)]);
    let flight4 = [
        (Message::ServerHello, 0, 80, 80),
        (Message::Certificate, 0, 512, 2048),
        (Message::ServerKeyExchange, 0, 9, 9),
        (Message::Finished, 0, 12, 12),
    ];
    (trace, vec![hello(1), hello(2), read(4, 1, &flight4)])
}

#[test]
fn a_ladder_has_fixed_columns_and_says_what_became_of_each_datagram() {
    let (trace, dissected) = example();
    let expected = "       seconds     #  flight client                                                    server  bytes  fate
      0.000000     0  F1     |----- ClientHello -----------------------------------------X  |    166  X  dropped by fault #1
      1.000000               | timer                                                        |
      1.000000     1  F1.2   |----- ClientHello ------------------------------------------->|    166  => 1.075000
      1.075000     2  F4     |<---- ServerHello, Certificate[0..512/2048], -----------------|   1180  => 1.225000, held to the end  duplicated at random
                             |      ServerKeyExchange, {Finished}                           |
      1.225000               | established AES                                              |
      1.225000               |                                                     data 7 B |
     60.000000               |                        end of the run                        |
                              sent 3, delivered 2, dropped 1; client 332 B, server 1180 B
";
    let text = text(&trace, &dissected);
    assert_eq!(text, expected, "\n{text}");
}

#[test]
fn a_tail_begins_with_the_last_transmissions() {
    let (trace, dissected) = example();
    let tail = tail(&trace, &dissected, 2);
    assert!(tail.contains("F1.2") && tail.contains("... 1 earlier events"), "{tail}");
}

#[test]
fn instants_between_microseconds_show_all_nine_decimals() {
    let mut trace = example().0;
    trace.events[0].at = SimTime::from_nanos(1);
    assert!(text(&trace, &[]).contains("0.000000001"));
}

#[test]
fn long_words_and_long_texts_wrap_into_the_lane() {
    assert_eq!(wrap("ab cd efghijk l", 5), ["ab cd", "efghi", "jk l"]);
    assert_eq!(wrap("", 5), [""]);
}

//! Traces made by hand for tests: a link with 25 ms each way, and the flights of a full handshake with real bytes.

use std::time::Duration;

use crate::dissect::testing::*;
use crate::dissect::testing13::*;
use crate::endpoint::{EndpointEvent, Role};
use crate::time::SimTime;
use crate::trace::{Cause, Copy, DatagramId, End, Event, Fate, Sent, Trace, Visit, What};

/// One way.
pub(crate) const DELAY: Duration = Duration::from_millis(25);

pub(crate) const fn ms(millis: u64) -> SimTime {
    SimTime::from_nanos(millis * 1_000_000)
}

/// A trace in the making.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    events: Vec<Event>,
    now: SimTime,
    sent: u32,
    indices: [u32; 2],
}

impl Story {
    /// Goes to an instant.
    pub(crate) fn at(&mut self, millis: u64) -> &mut Self {
        self.now = ms(millis);
        self
    }

    pub(crate) fn note(&mut self, what: What) -> &mut Self {
        self.events.push(Event { at: self.now, visit: Visit::FIRST, what });
        self
    }

    pub(crate) fn report(&mut self, role: Role, event: EndpointEvent) -> &mut Self {
        self.note(What::Endpoint(role, event))
    }

    pub(crate) fn established(&mut self, role: Role) -> &mut Self {
        self.report(role, EndpointEvent::Established { suite: String::new() })
    }

    /// A datagram with a fate of its own.
    pub(crate) fn send_with(&mut self, from: Role, bytes: &[u8], causes: &[Cause], after: &[Duration]) -> &mut Self {
        let (id, index) = (DatagramId(self.sent), self.indices[from as usize]);
        self.sent += 1;
        self.indices[from as usize] += 1;
        let due = |after: &Duration| Copy { due: Some(self.now + *after), forged: None };
        let fate = Fate { causes: causes.to_vec(), copies: after.iter().map(due).collect() };
        for (copy, after) in (0..).zip(after) {
            let what = What::Delivered { id, copy };
            self.events.push(Event { at: self.now + *after, visit: Visit::FIRST, what });
        }
        self.note(What::Sent(Sent { id, from, path: None, index, bytes: bytes.into(), fate }))
    }

    /// A datagram that arrives.
    pub(crate) fn send(&mut self, from: Role, bytes: &[u8]) -> &mut Self {
        self.send_with(from, bytes, &[], &[DELAY])
    }

    /// A datagram lost at random.
    pub(crate) fn lose(&mut self, from: Role, bytes: &[u8]) -> &mut Self {
        self.send_with(from, bytes, &[Cause::Loss], &[])
    }

    /// The trace, in order, with its end.
    pub(crate) fn trace(&self) -> Trace {
        let mut events = self.events.clone();
        events.sort_by_key(|event| event.at);
        let at = events.last().map_or(SimTime::ZERO, |event| event.at);
        events.push(Event { at, visit: Visit::FIRST, what: What::End(End::Quiescent) });
        Trace { events }
    }
}

pub(crate) fn flight1(record: u64) -> Vec<u8> {
    handshake(record, &client_hello(0, b"").whole())
}

pub(crate) fn flight2(record: u64) -> Vec<u8> {
    handshake(record, &Msg::new(3, 0, b"\xfe\xff\x04abcd").whole())
}

pub(crate) fn flight3(record: u64) -> Vec<u8> {
    handshake(record, &client_hello(1, b"abcd").whole())
}

pub(crate) fn certificate() -> Msg {
    Msg::new(11, 2, &[0xce; 300])
}

/// ServerHello and half the Certificate; the other half and ServerHelloDone. Takes four record numbers.
pub(crate) fn flight4(record: u64) -> [Vec<u8>; 2] {
    let (certificate, done) = (certificate(), Msg::new(14, 3, b""));
    [
        [handshake(record, &server_hello(1).whole()), handshake(record + 1, &certificate.cut(0, 150))].concat(),
        [handshake(record + 2, &certificate.cut(150, 300)), handshake(record + 3, &done.whole())].concat(),
    ]
}

/// Takes two record numbers of epoch 0 and one of epoch 1.
pub(crate) fn flight5(record: u64, protected_record: u64) -> Vec<u8> {
    let finished = Msg::new(20, 3, &[0xf1; 12]).whole();
    [
        handshake(record, &Msg::new(16, 2, b"\0\x02id").whole()),
        change_cipher_spec(record + 1),
        protected(Role::Client, 22, protected_record, &finished),
    ]
    .concat()
}

/// Takes one record number of each epoch.
pub(crate) fn flight6(record: u64, protected_record: u64) -> Vec<u8> {
    let finished = Msg::new(20, 4, &[0xf2; 12]).whole();
    [change_cipher_spec(record), protected(Role::Server, 22, protected_record, &finished)].concat()
}

pub(crate) fn data(from: Role, protected_record: u64, text: &[u8]) -> Vec<u8> {
    protected(from, 23, protected_record, text)
}

/// Application data goes and comes back, beginning now.
pub(crate) fn echo(story: &mut Story, protected_record: u64, text: &[u8]) {
    let start = story.now;
    story.note(What::AppSend(Role::Client, text.to_vec()));
    story.send(Role::Client, &data(Role::Client, protected_record, text));
    story.now = start + DELAY;
    story.report(Role::Server, EndpointEvent::Data(text.to_vec()));
    story.note(What::AppSend(Role::Server, text.to_vec()));
    story.send(Role::Server, &data(Role::Server, protected_record, text));
    story.now = start + DELAY * 2;
    story.report(Role::Client, EndpointEvent::Data(text.to_vec()));
}

/// Flights 1 to 3, to 50 ms.
pub(crate) fn cookie_exchange() -> Story {
    let mut story = Story::default();
    story.at(0).send(Role::Client, &flight1(0));
    story.at(25).send(Role::Server, &flight2(0));
    story.at(50).send(Role::Client, &flight3(1));
    story
}

/// Flights 1 to 4, to 75 ms.
pub(crate) fn hellos() -> Story {
    let mut story = cookie_exchange();
    flight4(1).iter().for_each(|datagram| _ = story.at(75).send(Role::Server, datagram));
    story.report(Role::Server, EndpointEvent::KeyLog(key_log()));
    story
}

/// A full handshake with cookie and one echo, nothing lost, to 200 ms.
pub(crate) fn full() -> Story {
    let mut story = hellos();
    story.at(100).send(Role::Client, &flight5(2, 0));
    story.at(125).established(Role::Server).send(Role::Server, &flight6(5, 0));
    story.at(150).established(Role::Client);
    echo(&mut story, 1, b"windtunnel 0000");
    story
}

/// A full handshake without cookie, to 100 ms. Messages and records count from the beginning.
pub(crate) fn without_cookie() -> Story {
    let mut story = Story::default();
    story.report(Role::Server, EndpointEvent::KeyLog(key_log()));
    story.at(0).send(Role::Client, &flight1(0));
    let hello = handshake(0, &server_hello(0).whole());
    let done = handshake(1, &Msg::new(14, 1, b"").whole());
    story.at(25).send(Role::Server, &[hello, done].concat());
    let finished = |seq| Msg::new(20, seq, &[0xf1; 12]).whole();
    let exchange = handshake(1, &Msg::new(16, 1, b"\0\x02id").whole());
    let client_finished = protected(Role::Client, 22, 0, &finished(2));
    story.at(50).send(Role::Client, &[exchange, change_cipher_spec(2), client_finished].concat());
    let server_finished = protected(Role::Server, 22, 0, &finished(2));
    story.at(75).established(Role::Server).send(Role::Server, &[change_cipher_spec(2), server_finished].concat());
    story.at(100).established(Role::Client);
    story
}

/// An abbreviated handshake without cookie, to 75 ms.
pub(crate) fn abbreviated() -> Story {
    let mut story = Story::default();
    story.report(Role::Server, EndpointEvent::KeyLog(key_log()));
    story.at(0).send(Role::Client, &flight1(0));
    let finished = |seq| Msg::new(20, seq, &[0xf1; 12]).whole();
    let hello = handshake(0, &server_hello(0).whole());
    let server_finished = protected(Role::Server, 22, 0, &finished(1));
    story.at(25).send(Role::Server, &[hello, change_cipher_spec(1), server_finished].concat());
    let client_finished = protected(Role::Client, 22, 0, &finished(1));
    story.at(50).established(Role::Client).send(Role::Client, &[change_cipher_spec(1), client_finished].concat());
    story.at(75).established(Role::Server);
    story
}

/// Full handshake of DTLS 1.3 with HelloRetryRequest, its ACK and one echo, nothing lost, to 200 ms. The key log, flight
/// by flight: datagrams 0 to 3 are flights 1 to 4, 4 is flight 5, 5 the ACK, 6 and 7 the echo.
pub(crate) fn full13() -> Story {
    let mut story = hellos13();
    flight4_of_13(1, 1, 0).iter().for_each(|record| _ = story.send(Role::Server, record));
    finish13(&mut story, 100);
    story
}

/// Flights 1 to 3 of DTLS 1.3, to 75 ms.
pub(crate) fn hellos13() -> Story {
    let mut story = Story::default();
    key_log13().into_iter().for_each(|line| _ = story.report(Role::Server, EndpointEvent::KeyLog(line)));
    story.at(0).send(Role::Client, &handshake(0, &client_hello13(0, &[]).whole()));
    story.at(25).send(Role::Server, &retry13());
    story.at(50).send(Role::Client, &handshake(1, &client_hello13(1, &[]).whole()));
    story.at(75);
    story
}

/// The client's Finished at this time, its ACK and an echo.
pub(crate) fn finish13(story: &mut Story, millis: u64) {
    let finished = Msg::new(20, 2, &[0; 32]).whole();
    story.at(millis).established(Role::Client).send(Role::Client, &sealed13(2, 0, 22, &finished));
    story.at(millis + 25).established(Role::Server).send(Role::Server, &ack13(3, 0, &[(2, 0)]));
    story.at(millis + 50);
    let text = b"windtunnel 0000";
    story.note(What::AppSend(Role::Client, text.to_vec()));
    story.send(Role::Client, &sealed13(3, 0, 23, text));
    story.at(millis + 75).report(Role::Server, EndpointEvent::Data(text.to_vec()));
    story.note(What::AppSend(Role::Server, text.to_vec()));
    story.send(Role::Server, &sealed13(3, 1, 23, text));
    story.at(millis + 100).report(Role::Client, EndpointEvent::Data(text.to_vec()));
}

/// Flight 4 of DTLS 1.3, of which the last two records are lost; the client acknowledges what it has at 110 ms, and at
/// 135 ms the server sends `again`.
pub(crate) fn acknowledged13(again: &[Vec<u8>]) -> Story {
    let mut story = hellos13();
    let [hello, extensions, first, second, finished] = flight4_of_13(1, 1, 0);
    story.send(Role::Server, &hello).send(Role::Server, &extensions).send(Role::Server, &first);
    story.lose(Role::Server, &second).lose(Role::Server, &finished);
    story.at(110).send(Role::Client, &ack13(2, 0, &[(0, 1), (2, 0), (2, 1)]));
    story.at(135);
    again.iter().for_each(|record| _ = story.send(Role::Server, record));
    story
}

//! Endpoints that panic, spin and flood end their run as broken, with the trace intact.

use super::*;

/// What an endpoint does wrong, at its second call of a kind so that the run has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vice {
    PanicOnDatagram,
    PanicOnPoll,
    PanicOnDrop,
    DeadlineInThePast,
    DeadlineEveryNanosecond,
    EndlessEvents,
    EndlessDatagrams,
    ManyDatagrams,
    ManyBytes,
    Reflect,
}

struct Bad {
    vice: Vice,
    datagrams: u32,
    outbox: u32,
}

impl Bad {
    fn new(vice: Vice) -> Self {
        Self { vice, datagrams: 0, outbox: 0 }
    }
}

impl Endpoint for Bad {
    fn start(&mut self, _now: SimTime) {}

    fn handle_datagram(&mut self, _now: SimTime, _from: SocketAddr, _datagram: &[u8]) {
        self.datagrams += 1;
        self.outbox += u32::from(self.vice == Vice::Reflect);
        assert!(self.vice != Vice::PanicOnDatagram || self.datagrams < 2, "index {} out of bounds", self.datagrams);
    }

    fn poll_transmit(&mut self, _now: SimTime) -> Option<Transmit> {
        assert!(self.vice != Vice::PanicOnPoll || self.datagrams < 2, "poll");
        if self.datagrams == 0 {
            return None;
        }
        match self.vice {
            Vice::EndlessDatagrams => Some(vec![1].into()),
            Vice::ManyDatagrams | Vice::ManyBytes | Vice::Reflect if self.outbox > 0 => {
                self.outbox -= 1;
                Some(vec![1; if self.vice == Vice::ManyBytes { 60_000 } else { 1 }].into())
            }
            _ => None,
        }
    }

    fn poll_timeout(&mut self, now: SimTime) -> Option<SimTime> {
        match self.vice {
            _ if self.datagrams < 2 => None,
            Vice::DeadlineInThePast => Some(SimTime::ZERO),
            Vice::DeadlineEveryNanosecond | Vice::ManyDatagrams | Vice::ManyBytes => {
                Some(now + Duration::from_nanos(1))
            }
            _ => None,
        }
    }

    fn handle_timeout(&mut self, _now: SimTime) {
        self.outbox += 1;
    }

    fn poll_event(&mut self) -> Option<EndpointEvent> {
        (self.vice == Vice::EndlessEvents && self.datagrams > 1).then_some(EndpointEvent::PeerClosed)
    }

    fn send(&mut self, _now: SimTime, _data: &[u8]) {}

    fn close(&mut self, _now: SimTime) {}
}

impl Drop for Bad {
    fn drop(&mut self) {
        assert!(self.vice != Vice::PanicOnDrop, "drop");
    }
}

/// How a run ends in which the server has the vice and the client sends two datagrams.
fn end(vice: Vice) -> End {
    let network = network(PipeSpec { ip_mtu: 65_535, ..pipe() });
    let trace = Given::new(&network).fly(Fake::sender(2, MS, 100), Bad::new(vice)).trace;
    assert_eq!(arrivals(&trace)[0], (0, ms(10)), "what came before stays in the trace");
    let end = trace.end().cloned().expect("the last event");
    assert!(trace.events[..trace.events.len() - 1].iter().all(|event| !matches!(event.what, What::End(_))));
    end
}

fn server(what: &str) -> End {
    End::Broken { role: Role::Server, what: what.to_owned() }
}

#[test]
fn a_panic_is_the_end_and_keeps_its_message() {
    assert_eq!(end(Vice::PanicOnDatagram), server("panicked: index 2 out of bounds"));
    assert_eq!(end(Vice::PanicOnPoll), server("panicked: poll"));
}

#[test]
fn a_panic_while_being_dropped_harms_nobody() {
    assert_eq!(end(Vice::PanicOnDrop), End::Quiescent);
}

#[test]
fn spinning_at_one_instant_is_the_end() {
    let spun = server("spun: more than 20480 calls at one instant");
    assert_eq!(end(Vice::DeadlineInThePast), spun);
    assert_eq!(end(Vice::EndlessEvents), spun);
}

#[test]
fn spinning_in_small_steps_is_the_end() {
    assert_eq!(end(Vice::DeadlineEveryNanosecond), server("spun: more than 500000 calls in the run"));
}

#[test]
fn flooding_is_the_end() {
    assert_eq!(end(Vice::EndlessDatagrams), server("flooded: more than 4096 datagrams at one instant"));
    assert_eq!(end(Vice::ManyDatagrams), server("flooded: more than 100000 datagrams in the run"));
    assert_eq!(end(Vice::ManyBytes), server("flooded: more than 209715200 bytes in the run"));
}

#[test]
fn two_ends_that_answer_each_other_without_delay_do_not_stop_time() {
    let delay = Delay { base: Duration::ZERO, spread: Spread::None };
    let network = network(PipeSpec { delay, ..pipe() });
    let mut ping = Fake::sender(1, MS, 10);
    ping.echo = true;
    let trace = Given::new(&network).fly(ping, Bad::new(Vice::Reflect)).trace;
    assert_eq!(trace.events.last().map(|event| event.at), Some(SimTime::ZERO));
    let End::Broken { what, .. } = trace.end().expect("the last event") else { panic!("{:?}", trace.end()) };
    assert_eq!(what, "flooded: more than 4096 datagrams at one instant");
}

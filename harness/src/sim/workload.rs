//! The applications on both ends: the client's sends, the server's echoes, and what else a scenario has them do.

use std::collections::VecDeque;
use std::time::Duration;

use crate::endpoint::{Ask, EndpointEvent, Role};
use crate::scenario::Workload;
use crate::time::SimTime;

/// How long after its last message the application that closes waits for echoes that are missing.
pub const ECHO_WAIT: Duration = Duration::from_secs(1);

/// What an application has its endpoint do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Send this.
    Send(Vec<u8>),
    /// Do this.
    Ask(Ask),
    /// Close.
    Close,
}

/// Both applications of an association.
#[derive(Clone, Debug)]
pub(super) struct Applications {
    workload: Workload,
    /// When each end was established; client, server.
    established: [Option<SimTime>; 2],
    /// Ends at which nothing more can be done.
    ended: [bool; 2],
    /// Messages that each has sent of its own accord.
    sent: [u32; 2],
    last_sent: SimTime,
    /// The client's messages whose echo is missing, the server's that the client is missing.
    missing: Vec<Vec<u8>>,
    /// Early data that is to be sent again because the server refused it.
    again: VecDeque<Vec<u8>>,
    /// Early data whose fate is open.
    early: Vec<Vec<u8>>,
    /// When the last echo came.
    complete: Option<SimTime>,
    /// Messages of the client that the server has received.
    received: u32,
    /// What the server has received and not yet sent back, with its instant.
    echoes: VecDeque<(SimTime, Vec<u8>)>,
}

impl Applications {
    pub(super) fn new(workload: &Workload) -> Self {
        Self {
            workload: workload.clone(),
            established: [None; 2],
            ended: [false; 2],
            sent: [0; 2],
            last_sent: SimTime::ZERO,
            missing: Vec::new(),
            again: VecDeque::new(),
            early: Vec::new(),
            complete: None,
            received: 0,
            echoes: VecDeque::new(),
        }
    }

    /// The client has sent this as early data; it is to come back like any other.
    pub(super) fn sent_early(&mut self, now: SimTime, data: Vec<u8>) {
        self.last_sent = now;
        self.missing.push(data.clone());
        self.early.push(data);
    }

    /// An endpoint has reported something.
    pub(super) fn on_event(&mut self, now: SimTime, role: Role, event: &EndpointEvent) {
        match event {
            EndpointEvent::Established { .. } => {
                self.established[role as usize].get_or_insert(now);
                self.complete_if_done(now);
            }
            EndpointEvent::Failed(_) | EndpointEvent::PeerClosed => self.ended[role as usize] = true,
            EndpointEvent::Data(data) | EndpointEvent::EarlyData(data) if role == Role::Server => {
                self.received += 1;
                self.echoes.push_back((now, data.clone()));
            }
            EndpointEvent::Data(data) => {
                if let Some(place) = self.missing.iter().position(|message| message == data) {
                    self.missing.swap_remove(place);
                }
                self.complete_if_done(now);
            }
            EndpointEvent::EarlyDataAnswer { accepted: true } => self.early.clear(),
            EndpointEvent::EarlyDataAnswer { accepted: false } => self.again.extend(self.early.drain(..)),
            EndpointEvent::EarlyData(_)
            | EndpointEvent::Discarded(_)
            | EndpointEvent::KeyLog(_)
            | EndpointEvent::SendRefused(_)
            | EndpointEvent::Session(_)
            | EndpointEvent::PeerMoved(_)
            | EndpointEvent::Negotiated(_) => {}
        }
    }

    /// When the application of `role` acts next; an instant that has passed means now.
    pub(super) fn next(&self, role: Role) -> Option<SimTime> {
        let established = self.established[role as usize].filter(|_| !self.ended[role as usize])?;
        if self.step(role).is_some() {
            return Some(established);
        }
        let next = self.next_send(role).into_iter().chain(self.close_at(role)).min()?;
        Some(next.max(established))
    }

    /// What the application of `role` does at `now`, which [`next`](Self::next) named.
    pub(super) fn act(&mut self, now: SimTime, role: Role) -> Act {
        if let Some(place) = self.step(role) {
            return Act::Ask(self.workload.steps.remove(place).ask);
        }
        if self.next_send(role).is_none_or(|at| at > now) {
            self.ended[role as usize] = true;
            return Act::Close;
        }
        if role == Role::Client
            && let Some(data) = self.again.pop_front()
        {
            self.last_sent = now;
            return Act::Send(data);
        }
        if role == Role::Server
            && let Some((_, echo)) = self.echoes.pop_front_if(|(at, _)| *at <= now)
        {
            return Act::Send(echo);
        }
        let number = self.sent[role as usize];
        let message = match role {
            Role::Client => message(number, self.workload.size),
            Role::Server => server_message(number, self.workload.size),
        };
        self.sent[role as usize] += 1;
        self.last_sent = now;
        self.missing.push(message.clone());
        Act::Send(message)
    }

    /// Place of the step that `role` takes now.
    fn step(&self, role: Role) -> Option<usize> {
        let done = match role {
            Role::Client => self.sent[role as usize],
            Role::Server => self.received,
        };
        self.workload.steps.iter().position(|step| step.by == role && step.after <= done)
    }

    fn all_sent(&self) -> bool {
        self.sent == [self.workload.messages, self.workload.server_messages] && self.again.is_empty()
    }

    fn complete_if_done(&mut self, now: SimTime) {
        if self.established[Role::Client as usize].is_some() && self.all_sent() && self.missing.is_empty() {
            self.complete.get_or_insert(now);
        }
    }

    fn next_send(&self, role: Role) -> Option<SimTime> {
        let start = self.established[role as usize]?;
        let due = |messages: u32| {
            let sent = self.sent[role as usize];
            (sent < messages).then(|| start + self.workload.interval.saturating_mul(sent))
        };
        match role {
            Role::Client if !self.again.is_empty() => Some(start),
            Role::Client => due(self.workload.messages),
            Role::Server => {
                let echo = self.echoes.front().map(|(at, _)| *at);
                echo.into_iter().chain(due(self.workload.server_messages)).min()
            }
        }
    }

    fn close_at(&self, role: Role) -> Option<SimTime> {
        if self.workload.close != Some(role) || !self.all_sent() {
            return None;
        }
        let awaited = self.workload.messages > 0 || self.workload.server_messages > 0 || !self.missing.is_empty();
        self.complete.or_else(|| awaited.then(|| self.last_sent + ECHO_WAIT))
    }
}

/// Message number `index` of the client's application: text with the number in front, `size` bytes long.
pub fn message(index: u32, size: u16) -> Vec<u8> {
    filled(format!("windtunnel {index:04} "), size)
}

/// Message number `index` that the server's application sends of its own accord.
pub fn server_message(index: u32, size: u16) -> Vec<u8> {
    filled(format!("server {index:04} "), size)
}

/// What the client's application sends as early data.
pub fn early_message(size: u16) -> Vec<u8> {
    filled("windtunnel early ".to_owned(), size)
}

fn filled(head: String, size: u16) -> Vec<u8> {
    let filler = (b'a'..=b'z').cycle();
    head.into_bytes().into_iter().chain(filler).take(usize::from(size)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Step;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + SECOND * u32::try_from(seconds).unwrap()
    }

    fn applications(messages: u32, close: Option<Role>) -> Applications {
        Applications::new(&Workload { messages, size: 32, interval: SECOND, close, ..Workload::default() })
    }

    fn establish(applications: &mut Applications, now: SimTime, role: Role) {
        applications.on_event(now, role, &EndpointEvent::Established { suite: String::new() });
    }

    #[test]
    fn messages_are_text_of_the_size_asked_for() {
        assert_eq!(message(7, 22), b"windtunnel 0007 abcdef");
        assert_eq!(message(7, 4), b"wind");
        assert_eq!(message(7, 0), b"");
        assert_eq!(message(12_345, 2000).len(), 2000);
    }

    #[test]
    fn the_client_sends_once_established_at_its_interval() {
        let mut apps = applications(2, None);
        assert_eq!(apps.next(Role::Client), None);
        establish(&mut apps, at(3), Role::Client);
        for (index, seconds) in [(0, 3), (1, 4)] {
            assert_eq!(apps.next(Role::Client), Some(at(seconds)));
            assert_eq!(apps.act(at(seconds), Role::Client), Act::Send(message(index, 32)));
        }
        assert_eq!(apps.next(Role::Client), None);
    }

    #[test]
    fn the_server_echoes_only_once_established() {
        let mut apps = applications(1, None);
        apps.on_event(at(1), Role::Server, &EndpointEvent::Data(b"early".to_vec()));
        assert_eq!(apps.next(Role::Server), None);
        establish(&mut apps, at(2), Role::Server);
        assert_eq!(apps.next(Role::Server), Some(at(2)));
        assert_eq!(apps.act(at(2), Role::Server), Act::Send(b"early".to_vec()));
        assert_eq!(apps.next(Role::Server), None);
    }

    #[test]
    fn closing_follows_the_last_echo() {
        let mut apps = applications(1, Some(Role::Client));
        establish(&mut apps, at(0), Role::Client);
        assert_eq!(apps.act(at(0), Role::Client), Act::Send(message(0, 32)));
        assert_eq!(apps.next(Role::Client), Some(at(1)));
        apps.on_event(SimTime::from_nanos(5), Role::Client, &EndpointEvent::Data(message(0, 32)));
        assert_eq!(apps.next(Role::Client), Some(SimTime::from_nanos(5)));
        assert_eq!(apps.act(SimTime::from_nanos(5), Role::Client), Act::Close);
        assert_eq!(apps.next(Role::Client), None);
    }

    #[test]
    fn closing_waits_a_second_for_missing_echoes() {
        let mut apps = applications(2, Some(Role::Server));
        establish(&mut apps, at(0), Role::Server);
        establish(&mut apps, at(1), Role::Client);
        assert_eq!(apps.next(Role::Server), None);
        apps.act(at(1), Role::Client);
        apps.act(at(2), Role::Client);
        assert_eq!(apps.next(Role::Server), Some(at(3)));
        assert_eq!(apps.act(at(3), Role::Server), Act::Close);
    }

    #[test]
    fn without_messages_closing_follows_the_handshake() {
        let mut apps = applications(0, Some(Role::Server));
        establish(&mut apps, at(1), Role::Server);
        assert_eq!(apps.next(Role::Server), None);
        establish(&mut apps, at(2), Role::Client);
        assert_eq!(apps.next(Role::Server), Some(at(2)));
    }

    #[test]
    fn an_ended_association_is_left_alone() {
        let mut apps = applications(5, Some(Role::Client));
        establish(&mut apps, at(0), Role::Client);
        apps.on_event(at(0), Role::Client, &EndpointEvent::Failed("broken".to_owned()));
        assert_eq!(apps.next(Role::Client), None);
    }

    #[test]
    fn early_data_that_was_refused_is_sent_again_once_established() {
        let mut apps = applications(1, Some(Role::Client));
        apps.sent_early(at(0), early_message(20));
        apps.on_event(at(1), Role::Client, &EndpointEvent::EarlyDataAnswer { accepted: false });
        establish(&mut apps, at(2), Role::Client);
        assert_eq!(apps.act(at(2), Role::Client), Act::Send(early_message(20)));
        assert_eq!(apps.act(at(2), Role::Client), Act::Send(message(0, 32)));
        apps.on_event(at(2), Role::Client, &EndpointEvent::Data(message(0, 32)));
        assert_eq!(apps.next(Role::Client), Some(at(3)), "its echo is missing");
        apps.on_event(at(2), Role::Client, &EndpointEvent::Data(early_message(20)));
        assert_eq!(apps.next(Role::Client), Some(at(2)));
    }

    #[test]
    fn early_data_that_was_taken_is_echoed_once_the_server_is_established() {
        let mut apps = applications(0, Some(Role::Client));
        apps.sent_early(at(0), early_message(20));
        apps.on_event(at(1), Role::Server, &EndpointEvent::EarlyData(early_message(20)));
        assert_eq!(apps.next(Role::Server), None);
        establish(&mut apps, at(2), Role::Client);
        apps.on_event(at(2), Role::Client, &EndpointEvent::EarlyDataAnswer { accepted: true });
        assert_eq!(apps.next(Role::Client), Some(at(2)), "to close without its echo, a second after it was sent");
        establish(&mut apps, at(3), Role::Server);
        assert_eq!(apps.act(at(3), Role::Server), Act::Send(early_message(20)));
    }

    #[test]
    fn a_server_sends_of_its_own_accord_and_the_close_waits_for_it() {
        let workload = Workload { size: 20, interval: SECOND, close: Some(Role::Client), ..Workload::default() };
        let mut apps = Applications::new(&Workload { server_messages: 2, ..workload });
        establish(&mut apps, at(0), Role::Server);
        establish(&mut apps, at(1), Role::Client);
        for (index, seconds) in [(0, 0), (1, 1)] {
            assert_eq!(apps.next(Role::Server), Some(at(seconds)));
            assert_eq!(apps.act(at(seconds), Role::Server), Act::Send(server_message(index, 20)));
            assert_eq!(apps.next(Role::Server).is_none(), index == 1);
        }
        apps.on_event(at(1), Role::Client, &EndpointEvent::Data(server_message(0, 20)));
        assert_eq!(apps.next(Role::Client), Some(at(2)), "a message is missing");
        apps.on_event(at(1), Role::Client, &EndpointEvent::Data(server_message(1, 20)));
        assert_eq!(apps.next(Role::Client), Some(at(1)));
        assert_eq!(apps.act(at(1), Role::Client), Act::Close);
    }

    #[test]
    fn steps_come_after_so_many_messages_of_the_client_at_either_end() {
        let step = |by, after| Step { by, after, ask: Ask::UpdateKeys { request_peer: false } };
        let steps = vec![step(Role::Client, 0), step(Role::Client, 1), step(Role::Server, 1)];
        let workload = Workload { messages: 2, size: 20, interval: SECOND, steps, ..Workload::default() };
        let mut apps = Applications::new(&workload);
        establish(&mut apps, at(0), Role::Client);
        establish(&mut apps, at(0), Role::Server);
        let ask = Act::Ask(Ask::UpdateKeys { request_peer: false });
        assert_eq!(apps.act(at(0), Role::Client), ask);
        assert_eq!(apps.act(at(0), Role::Client), Act::Send(message(0, 20)));
        assert_eq!(apps.next(Role::Client), Some(at(0)));
        assert_eq!(apps.act(at(0), Role::Client), ask);
        assert_eq!(apps.next(Role::Client), Some(at(1)));
        assert_eq!(apps.next(Role::Server), None);
        apps.on_event(at(1), Role::Server, &EndpointEvent::Data(message(0, 20)));
        assert_eq!(apps.act(at(1), Role::Server), ask);
        assert_eq!(apps.act(at(1), Role::Server), Act::Send(message(0, 20)));
    }
}

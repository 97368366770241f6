//! The applications on both ends: the client's sends, the server's echoes.

use std::collections::VecDeque;
use std::time::Duration;

use crate::endpoint::{EndpointEvent, Role};
use crate::scenario::Workload;
use crate::time::SimTime;

/// How long after its last message the application that closes waits for echoes that are missing.
pub const ECHO_WAIT: Duration = Duration::from_secs(1);

/// What an application has its endpoint do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Send this.
    Send(Vec<u8>),
    /// Close.
    Close,
}

/// Both applications.
#[derive(Clone, Debug)]
pub(super) struct Applications {
    workload: Workload,
    /// When each end was established; client, server.
    established: [Option<SimTime>; 2],
    /// Ends at which nothing more can be done.
    ended: [bool; 2],
    sent: u32,
    last_sent: SimTime,
    /// Messages whose echo is missing.
    missing: Vec<Vec<u8>>,
    /// When the last echo came.
    complete: Option<SimTime>,
    /// What the server has received and not yet sent back, with its instant.
    echoes: VecDeque<(SimTime, Vec<u8>)>,
}

impl Applications {
    pub(super) fn new(workload: &Workload) -> Self {
        Self {
            workload: workload.clone(),
            established: [None; 2],
            ended: [false; 2],
            sent: 0,
            last_sent: SimTime::ZERO,
            missing: Vec::new(),
            complete: None,
            echoes: VecDeque::new(),
        }
    }

    /// An endpoint has reported something.
    pub(super) fn on_event(&mut self, now: SimTime, role: Role, event: &EndpointEvent) {
        match event {
            EndpointEvent::Established { .. } => {
                self.established[role as usize].get_or_insert(now);
                if role == Role::Client && self.workload.messages == 0 {
                    self.complete.get_or_insert(now);
                }
            }
            EndpointEvent::Failed(_) | EndpointEvent::PeerClosed => self.ended[role as usize] = true,
            EndpointEvent::Data(data) if role == Role::Server => self.echoes.push_back((now, data.clone())),
            EndpointEvent::Data(data) => {
                if let Some(place) = self.missing.iter().position(|message| message == data) {
                    self.missing.swap_remove(place);
                }
                if self.all_sent() && self.missing.is_empty() {
                    self.complete.get_or_insert(now);
                }
            }
            EndpointEvent::Discarded(_)
            | EndpointEvent::KeyLog(_)
            | EndpointEvent::SendRefused(_)
            | EndpointEvent::Session(_)
            | EndpointEvent::EarlyData(_)
            | EndpointEvent::EarlyDataAnswer { .. }
            | EndpointEvent::PeerMoved(_)
            | EndpointEvent::Negotiated(_) => {}
        }
    }

    /// When the application of `role` acts next; an instant that has passed means now.
    pub(super) fn next(&self, role: Role) -> Option<SimTime> {
        let established = self.established[role as usize].filter(|_| !self.ended[role as usize])?;
        let next = self.next_send(role).into_iter().chain(self.close_at(role)).min()?;
        Some(next.max(established))
    }

    /// What the application of `role` does at `now`, which [`next`](Self::next) named.
    pub(super) fn act(&mut self, now: SimTime, role: Role) -> Act {
        if self.next_send(role).is_none_or(|at| at > now) {
            self.ended[role as usize] = true;
            return Act::Close;
        }
        if let (Role::Server, Some((_, echo))) = (role, self.echoes.pop_front()) {
            return Act::Send(echo);
        }
        let message = message(self.sent, self.workload.size);
        self.sent += 1;
        self.last_sent = now;
        self.missing.push(message.clone());
        Act::Send(message)
    }

    fn all_sent(&self) -> bool {
        self.sent == self.workload.messages
    }

    fn next_send(&self, role: Role) -> Option<SimTime> {
        match role {
            Role::Client if self.all_sent() => None,
            Role::Client => {
                let start = self.established[Role::Client as usize]?;
                Some(start + self.workload.interval.saturating_mul(self.sent))
            }
            Role::Server => self.echoes.front().map(|(at, _)| *at),
        }
    }

    fn close_at(&self, role: Role) -> Option<SimTime> {
        if self.workload.close != Some(role) || !self.all_sent() {
            return None;
        }
        self.complete.or_else(|| (self.workload.messages > 0).then(|| self.last_sent + ECHO_WAIT))
    }
}

/// Message number `index` of the client's application: text with the number in front, `size` bytes long.
pub fn message(index: u32, size: u16) -> Vec<u8> {
    let head = format!("windtunnel {index:04} ");
    let filler = (b'a'..=b'z').cycle();
    head.into_bytes().into_iter().chain(filler).take(usize::from(size)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
}

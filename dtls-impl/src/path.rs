//! Which address the peer has, and what comes before a new one is believed (RFC 9146 §6, RFC 9147 §11, RFC 9853 §5).
//!
//! An address changes only for an authentic record that is newer than all before. Then the configured rule decides: the
//! application checks, or nobody does, or a return routability check does. This module keeps addresses, cookies and the
//! timer of the check, and says what to send; records are the link's.
//!
//! A client of DTLS 1.2 whose address changes before its last flight has arrived is not heard any more. What comes before
//! its Finished is in the clear and has no connection ID (RFC 9146 §3), so that from another address it is nobody's; and
//! without it the Finished cannot be opened, which would be the first record that may move a peer (RFC 9146 §6). The
//! handshake times out and the client begins anew. In 1.3 the last flight is protected, and is found by connection ID.
//!
//! If the server has had that flight and the client repeats it from another address, for want of the answer, then the
//! Finished in it is authentic, but the client cannot pass a check before it has the answer. So the answer goes to both
//! addresses, within what a check may send to the new one.

use core::time::Duration;

use crate::config::{Common, PathCheck, PeerMove, ReturnRoutability};
use crate::entropy::Entropy;
use crate::event::Event;
use crate::time::Instant;
use crate::wire::{PATH_COOKIE_LEN, PathMessage, PathMessageKind};

/// Challenges on one path: the first, and two in case it gets lost, a third of the timeout apart (RFC 9853 §5.3).
pub(crate) const CHALLENGES_MAX: usize = 3;

/// How much more than it sent an address may be sent before it is checked (RFC 9853 §2).
const AMPLIFICATION_MAX: usize = 3;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send this to the peer's address, or to another.
    Send { to: Option<Vec<u8>>, message: PathMessage },
    /// The peer's address is another: tell the application.
    Moved(Event),
    /// A check is over and the address stays.
    Stays(Event),
    /// Tell the application.
    Tell(Event),
}

/// What makes a new address the peer's.
#[derive(Clone, Copy, Debug)]
enum Rule {
    Policy(PeerMove),
    Check(ReturnRoutability),
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Whether the old path still works.
    Old,
    /// Whether the new one does.
    New,
}

/// A check in progress.
#[derive(Debug)]
struct Check {
    /// Where the peer seems to be.
    address: Vec<u8>,
    stage: Stage,
    /// Those sent in this stage.
    cookies: Vec<[u8; PATH_COOKIE_LEN]>,
    next_challenge: Instant,
    /// Of a stage.
    timeout: Duration,
    give_up: Instant,
    /// The next challenge would be more than the new address may be sent.
    waits_for_credit: bool,
    /// Bytes of records from, and to, the new address.
    received: usize,
    sent: usize,
}

/// What a challenge takes.
pub(crate) struct Means<'a> {
    pub(crate) now: Instant,
    pub(crate) entropy: &'a mut Entropy,
    /// Length of the datagram with a challenge to a new address.
    pub(crate) challenge_len: usize,
    /// The round trip time of the path in use, where it is known.
    pub(crate) rtt: Option<Duration>,
}

/// The peer's address, and what may become of it.
#[derive(Debug)]
pub(crate) struct Paths {
    /// None if the application did not name it: then every address is the peer's.
    peer: Option<Vec<u8>>,
    /// Where the datagram in hand came from, if that is not the peer's address.
    elsewhere: Option<Vec<u8>>,
    /// The address that the own side went away from.
    left: Option<Vec<u8>>,
    /// The last address that the application was told of.
    told: Option<Vec<u8>>,
    rule: Rule,
    check: Option<Check>,
}

impl Paths {
    pub(crate) fn new(common: &Common, peer: Option<Vec<u8>>) -> Self {
        let rule = Rule::Policy(common.peer_move);
        Self { peer, elsewhere: None, left: None, told: None, rule, check: None }
    }

    /// Both hellos had rrc.
    pub(crate) fn agree_on_checks(&mut self, checks: ReturnRoutability) {
        self.rule = Rule::Check(checks);
    }

    /// Whether both hellos had rrc.
    pub(crate) const fn checks_agreed(&self) -> bool {
        matches!(self.rule, Rule::Check(_))
    }

    pub(crate) fn peer(&self) -> Option<&[u8]> {
        self.peer.as_deref()
    }

    /// The application sends to another address from now on. Whether that is another than before.
    pub(crate) fn set_peer(&mut self, address: &[u8]) -> bool {
        if self.peer.as_deref() == Some(address) {
            return false;
        }
        self.left = self.peer.replace(address.to_vec());
        (self.check, self.told, self.elsewhere) = (None, None, None);
        self.left.is_some()
    }

    /// A datagram has come from there, or from where they always come.
    pub(crate) fn on_datagram(&mut self, from: Option<&[u8]>) {
        let elsewhere = from.filter(|from| self.peer.as_deref().is_some_and(|peer| peer != *from));
        self.elsewhere = elsewhere.map(<[u8]>::to_vec);
    }

    /// Whether the datagram in hand came from another address than the peer's.
    pub(crate) const fn is_elsewhere(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// An authentic record of `len` bytes with our connection ID has come in the datagram in hand. `newest` says that no
    /// record before had a higher number.
    pub(crate) fn on_record(&mut self, newest: bool, len: usize, means: &mut Means<'_>) -> Vec<Action> {
        let Some(elsewhere) = &self.elsewhere else { return Vec::new() };
        if let Some(check) = &mut self.check {
            // One check at a time: yet another address has to wait for its end (RFC 9853 §5).
            if check.address == *elsewhere {
                check.received = check.received.saturating_add(len);
                check.waits_for_credit = false;
            }
            return self.pursue(means);
        }
        if !newest {
            return Vec::new();
        }
        match self.rule {
            Rule::Policy(PeerMove::Newest) => self.move_to(elsewhere.clone()),
            Rule::Policy(PeerMove::Never) if self.told.as_ref() == Some(elsewhere) => Vec::new(),
            Rule::Policy(PeerMove::Never) => {
                self.told = Some(elsewhere.clone());
                vec![Action::Tell(Event::PeerSeen { address: elsewhere.clone() })]
            }
            Rule::Check(checks) => {
                let stage = match checks.check {
                    PathCheck::Basic => Stage::New,
                    PathCheck::Enhanced => Stage::Old,
                };
                let timeout = checks.timeout(means.rtt);
                self.check = Some(Check {
                    address: elsewhere.clone(),
                    stage,
                    cookies: Vec::new(),
                    next_challenge: means.now,
                    timeout,
                    give_up: means.now + timeout,
                    waits_for_credit: false,
                    received: len,
                    sent: 0,
                });
                self.pursue(means)
            }
        }
    }

    /// Where an answer of `len` bytes to the datagram in hand is to go, too: to an address that is being checked, unless
    /// that would amplify. `more` bytes came from there besides the record that [`on_record`](Self::on_record) was told of.
    pub(crate) fn answers_elsewhere(&mut self, more: usize, len: usize) -> Option<Vec<u8>> {
        let (elsewhere, check) = (self.elsewhere.as_ref()?, self.check.as_mut()?);
        if check.address != *elsewhere {
            return None;
        }
        check.received = check.received.saturating_add(more);
        let sent = check.sent.saturating_add(len);
        if sent > check.received.saturating_mul(AMPLIFICATION_MAX) {
            return None;
        }
        check.sent = sent;
        Some(elsewhere.clone())
    }

    /// The peer says something about a path, in an authentic record of the datagram in hand. What does not fit is ignored
    /// (RFC 9853 §5.4).
    pub(crate) fn on_message(&mut self, message: PathMessage, means: &mut Means<'_>) -> Vec<Action> {
        let PathMessage { kind, cookie } = message;
        if kind == PathMessageKind::Challenge {
            let no_longer_used = self.elsewhere.is_some() && self.elsewhere == self.left;
            let kind = if no_longer_used { PathMessageKind::Drop } else { PathMessageKind::Response };
            return vec![Action::Send { to: self.elsewhere.clone(), message: PathMessage { kind, cookie } }];
        }
        let Some(check) = self.check.as_ref().filter(|check| check.cookies.contains(&cookie)) else {
            return Vec::new();
        };
        let on_new = self.elsewhere.as_ref() == Some(&check.address);
        let on_old = self.elsewhere.is_none();
        match (check.stage, kind) {
            (Stage::New, PathMessageKind::Response) if on_new => self.move_to(check.address.clone()),
            (Stage::Old, PathMessageKind::Response) if on_old => self.stay(),
            (Stage::Old, PathMessageKind::Drop) if on_old => self.ask_new(means),
            _ => Vec::new(),
        }
    }

    /// When [`on_timeout`](Self::on_timeout) will have something to say.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let check = self.check.as_ref()?;
        let due = check.cookies.len() < CHALLENGES_MAX && !check.waits_for_credit;
        let challenge = due.then_some(check.next_challenge);
        Some(challenge.map_or(check.give_up, |next| next.min(check.give_up)))
    }

    /// Time has passed.
    pub(crate) fn on_timeout(&mut self, means: &mut Means<'_>) -> Vec<Action> {
        match &self.check {
            None => Vec::new(),
            Some(check) if means.now < check.give_up => self.pursue(means),
            Some(Check { stage: Stage::Old, .. }) => self.ask_new(means),
            Some(Check { stage: Stage::New, .. }) => self.stay(),
        }
    }

    /// The association has ended.
    pub(crate) fn stop(&mut self) {
        self.check = None;
    }

    /// The old path is dead, or not to be used any more.
    fn ask_new(&mut self, means: &mut Means<'_>) -> Vec<Action> {
        let Some(check) = &mut self.check else { return Vec::new() };
        check.stage = Stage::New;
        check.cookies.clear();
        check.next_challenge = means.now;
        check.give_up = means.now + check.timeout;
        check.waits_for_credit = false;
        self.pursue(means)
    }

    /// Sends the challenge that is due, if any. One to the new address has to wait if it would amplify; no more is sent
    /// there than challenges.
    fn pursue(&mut self, means: &mut Means<'_>) -> Vec<Action> {
        let Some(check) = &mut self.check else { return Vec::new() };
        if means.now < check.next_challenge || check.cookies.len() == CHALLENGES_MAX {
            return Vec::new();
        }
        let to = match check.stage {
            Stage::Old => None,
            Stage::New => {
                let allowed = check.received.saturating_mul(AMPLIFICATION_MAX);
                if check.sent.saturating_add(means.challenge_len) > allowed {
                    check.waits_for_credit = true;
                    return Vec::new();
                }
                check.sent += means.challenge_len;
                Some(check.address.clone())
            }
        };
        check.next_challenge = means.now + check.timeout / CHALLENGES_MAX as u32;
        let cookie = means.entropy.array();
        check.cookies.push(cookie);
        vec![Action::Send { to, message: PathMessage { kind: PathMessageKind::Challenge, cookie } }]
    }

    fn move_to(&mut self, address: Vec<u8>) -> Vec<Action> {
        (self.check, self.told, self.elsewhere, self.left) = (None, None, None, None);
        self.peer = Some(address.clone());
        vec![Action::Moved(Event::PeerMoved { address })]
    }

    fn stay(&mut self) -> Vec<Action> {
        let Some(check) = self.check.take() else { return Vec::new() };
        vec![Action::Stays(Event::PathRefused { address: check.address })]
    }
}

#[cfg(test)]
mod tests;

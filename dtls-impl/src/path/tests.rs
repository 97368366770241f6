use core::time::Duration;

use super::*;
use crate::config::{ClientConfig, ClientCredentials, Psk};
use crate::crypto::{Secret, rustcrypto};
use crate::entropy::Seed;

const OLD: &[u8] = b"old";
const NEW: &[u8] = b"new";
/// Of records, challenges included.
const LEN: usize = 60;

/// Paths, a clock, and randomness.
struct Tester {
    paths: Paths,
    now: Instant,
    entropy: Entropy,
    challenge_len: usize,
    rtt: Option<Duration>,
}

impl Tester {
    fn new(check: Option<PathCheck>, peer_move: PeerMove) -> Self {
        let psk = Psk { identity: b"me".to_vec(), key: Secret::new(vec![1]) };
        let mut common = ClientConfig::new(rustcrypto::provider(), ClientCredentials::Psk(psk)).common;
        common.peer_move = peer_move;
        let mut paths = Paths::new(&common, Some(OLD.to_vec()));
        if let Some(check) = check {
            paths.agree_on_checks(ReturnRoutability { check, timeout: Some(Duration::from_millis(900)) });
        }
        Self { paths, now: Instant::ZERO, entropy: Entropy::new(&Seed([5; 32])), challenge_len: LEN, rtt: None }
    }

    fn on<T>(&mut self, call: impl FnOnce(&mut Paths, &mut Means<'_>) -> T) -> T {
        let (challenge_len, rtt) = (self.challenge_len, self.rtt);
        let mut means = Means { now: self.now, entropy: &mut self.entropy, challenge_len, rtt };
        call(&mut self.paths, &mut means)
    }

    fn record(&mut self, from: &[u8], newest: bool) -> Vec<Action> {
        self.paths.on_datagram(Some(from));
        self.on(|paths, means| paths.on_record(newest, LEN, means))
    }

    fn message(&mut self, from: &[u8], kind: PathMessageKind, cookie: [u8; 8]) -> Vec<Action> {
        self.paths.on_datagram(Some(from));
        self.on(|paths, means| paths.on_message(PathMessage { kind, cookie }, means))
    }

    /// Goes to the deadline.
    fn wait(&mut self) -> Vec<Action> {
        self.now = self.paths.deadline().unwrap();
        self.on(Paths::on_timeout)
    }
}

/// The one challenge, where it goes, and its cookie.
fn challenge(actions: &[Action]) -> (Option<&[u8]>, [u8; 8]) {
    match actions {
        [Action::Send { to, message: PathMessage { kind: PathMessageKind::Challenge, cookie } }] => {
            (to.as_deref(), *cookie)
        }
        other => panic!("{other:?}"),
    }
}

fn moved() -> Vec<Action> {
    vec![Action::Moved(Event::PeerMoved { address: NEW.to_vec() })]
}

fn stays() -> Vec<Action> {
    vec![Action::Stays(Event::PathRefused { address: NEW.to_vec() })]
}

#[test]
fn without_checks_the_address_stays_and_the_application_is_told_once() {
    let mut tester = Tester::new(None, PeerMove::Never);
    assert_eq!(tester.record(NEW, false), []);
    assert_eq!(tester.record(NEW, true), [Action::Tell(Event::PeerSeen { address: NEW.to_vec() })]);
    assert_eq!(tester.record(NEW, true), []);
    assert_eq!(tester.paths.peer(), Some(OLD));
    tester.paths.set_peer(NEW);
    assert_eq!(tester.record(OLD, true), [Action::Tell(Event::PeerSeen { address: OLD.to_vec() })]);
}

#[test]
fn only_the_newest_record_moves_an_unchecked_peer() {
    let mut tester = Tester::new(None, PeerMove::Newest);
    assert_eq!(tester.record(NEW, false), []);
    assert_eq!(tester.record(OLD, true), []);
    assert_eq!(tester.record(NEW, true), moved());
    assert_eq!(tester.paths.peer(), Some(NEW));
}

#[test]
fn an_address_that_was_never_named_cannot_change() {
    let mut tester = Tester::new(None, PeerMove::Newest);
    tester.paths.peer = None;
    assert_eq!(tester.record(NEW, true), []);
    assert!(!tester.paths.set_peer(OLD), "no path was left");
    assert_eq!(tester.record(NEW, true), moved());
}

#[test]
fn a_new_address_is_the_peers_once_it_has_answered() {
    let mut tester = Tester::new(Some(PathCheck::Basic), PeerMove::Newest);
    assert_eq!(tester.record(NEW, false), [], "an old record asks for nothing");
    let actions = tester.record(NEW, true);
    let (to, cookie) = challenge(&actions);
    assert_eq!(to, Some(NEW));
    for (from, kind, cookie) in [
        (OLD, PathMessageKind::Response, cookie),
        (b"third", PathMessageKind::Response, cookie),
        (NEW, PathMessageKind::Response, [0; 8]),
        (NEW, PathMessageKind::Drop, cookie),
    ] {
        assert_eq!(tester.message(from, kind, cookie), [], "{from:?} {kind:?}");
        assert_eq!(tester.paths.peer(), Some(OLD));
    }
    assert_eq!(tester.message(NEW, PathMessageKind::Response, cookie), moved());
    assert_eq!((tester.paths.peer(), tester.paths.deadline()), (Some(NEW), None));
    assert_eq!(tester.message(NEW, PathMessageKind::Response, cookie), [], "a second answer is to nothing");
}

/// RFC 9853 §5.5.
#[test]
fn a_check_takes_three_round_trips_where_that_time_is_known_and_not_configured() {
    let millis = Duration::from_millis;
    for (timeout, rtt, expected) in [
        (None, None, 1000),
        (None, Some(millis(1600)), 4800),
        (None, Some(Duration::ZERO), 1),
        (Some(millis(900)), Some(millis(1600)), 900),
    ] {
        let mut tester = Tester::new(None, PeerMove::Never);
        tester.paths.agree_on_checks(ReturnRoutability { check: PathCheck::Basic, timeout });
        tester.rtt = rtt;
        tester.record(NEW, true);
        // What is measured meanwhile is for the next check.
        tester.rtt = Some(millis(5));
        (1..CHALLENGES_MAX).for_each(|_| drop(tester.wait()));
        assert_eq!(tester.wait(), stays());
        assert_eq!(tester.now, Instant::ZERO + millis(expected));
    }
}

#[test]
fn challenges_are_repeated_with_fresh_cookies_and_then_the_address_stays() {
    let mut tester = Tester::new(Some(PathCheck::Basic), PeerMove::Never);
    let mut cookies = vec![challenge(&tester.record(NEW, true)).1];
    tester.record(NEW, true);
    for n in 1..CHALLENGES_MAX as u64 {
        cookies.push(challenge(&tester.wait()).1);
        assert_eq!(tester.now, Instant::from_nanos(n * 300_000_000));
    }
    let first = cookies[0];
    cookies.sort_unstable();
    cookies.dedup();
    assert_eq!(cookies.len(), CHALLENGES_MAX);
    assert_eq!(tester.wait(), stays());
    assert_eq!((tester.now, tester.paths.deadline()), (Instant::from_nanos(900_000_000), None));
    assert_eq!(tester.message(NEW, PathMessageKind::Response, first), [], "too late");
    challenge(&tester.record(NEW, true));
}

#[test]
fn any_of_the_challenges_may_be_the_one_that_is_answered() {
    let mut tester = Tester::new(Some(PathCheck::Basic), PeerMove::Never);
    let first = challenge(&tester.record(NEW, true)).1;
    challenge(&tester.wait());
    assert_eq!(tester.message(NEW, PathMessageKind::Response, first), moved());
}

#[test]
fn a_new_address_is_sent_no_more_than_three_times_what_it_sent() {
    let mut tester = Tester::new(Some(PathCheck::Basic), PeerMove::Never);
    tester.challenge_len = 2 * LEN;
    challenge(&tester.record(NEW, true));
    assert_eq!(tester.wait(), [], "the second has to wait");
    assert_eq!(tester.paths.deadline(), Some(Instant::from_nanos(900_000_000)));
    challenge(&tester.record(NEW, false));
    challenge(&tester.wait());
    assert_eq!(tester.wait(), stays());

    let mut tester = Tester::new(Some(PathCheck::Basic), PeerMove::Never);
    tester.challenge_len = 5 * LEN;
    assert_eq!(tester.record(NEW, true), []);
    challenge(&tester.record(NEW, true));
}

#[test]
fn an_old_path_that_works_keeps_the_peer() {
    let mut tester = Tester::new(Some(PathCheck::Enhanced), PeerMove::Never);
    let actions = tester.record(NEW, true);
    let (to, cookie) = challenge(&actions);
    assert_eq!(to, None, "the old path is asked");
    assert_eq!(tester.message(NEW, PathMessageKind::Response, cookie), [], "but not from there");
    assert_eq!(tester.message(NEW, PathMessageKind::Drop, cookie), []);
    assert_eq!(tester.message(OLD, PathMessageKind::Response, cookie), stays());
    assert_eq!(tester.paths.peer(), Some(OLD));
}

#[test]
fn an_old_path_that_is_dead_or_left_gives_way_to_the_new_one() {
    for left in [false, true] {
        let mut tester = Tester::new(Some(PathCheck::Enhanced), PeerMove::Never);
        let old = challenge(&tester.record(NEW, true)).1;
        let actions = if left {
            tester.message(OLD, PathMessageKind::Drop, old)
        } else {
            challenge(&tester.wait());
            challenge(&tester.wait());
            tester.wait()
        };
        let (to, cookie) = challenge(&actions);
        assert_eq!(to, Some(NEW));
        assert_eq!(tester.message(NEW, PathMessageKind::Response, old), [], "a cookie of the other path");
        assert_eq!(tester.message(NEW, PathMessageKind::Response, cookie), moved());
    }
}

#[test]
fn another_address_has_to_wait_for_the_end_of_a_check() {
    let mut tester = Tester::new(Some(PathCheck::Basic), PeerMove::Never);
    let cookie = challenge(&tester.record(NEW, true)).1;
    assert_eq!(tester.record(b"third", true), []);
    assert_eq!(tester.message(b"third", PathMessageKind::Response, cookie), []);
    while tester.wait() != stays() {}
    assert_eq!(challenge(&tester.record(b"third", true)).0, Some(&b"third"[..]));
}

#[test]
fn challenges_are_answered_where_they_came_from_and_refused_on_a_path_that_was_left() {
    let mut tester = Tester::new(Some(PathCheck::Basic), PeerMove::Never);
    let cookie = *b"a cookie";
    let answer = |kind, to: Option<&[u8]>| {
        let (to, message) = (to.map(<[u8]>::to_vec), PathMessage { kind, cookie });
        vec![Action::Send { to, message }]
    };
    let ask = |tester: &mut Tester, from| tester.message(from, PathMessageKind::Challenge, cookie);
    assert_eq!(ask(&mut tester, OLD), answer(PathMessageKind::Response, None));
    assert_eq!(ask(&mut tester, NEW), answer(PathMessageKind::Response, Some(NEW)));
    assert!(tester.paths.set_peer(NEW));
    assert_eq!(ask(&mut tester, OLD), answer(PathMessageKind::Drop, Some(OLD)));
    assert_eq!(ask(&mut tester, NEW), answer(PathMessageKind::Response, None));
}

#[test]
fn a_check_ends_when_the_application_decides_or_the_association_ends() {
    let mut tester = Tester::new(Some(PathCheck::Basic), PeerMove::Never);
    challenge(&tester.record(NEW, true));
    assert!(tester.paths.set_peer(NEW));
    assert_eq!(tester.paths.deadline(), None);
    challenge(&tester.record(OLD, true));
    tester.paths.stop();
    assert_eq!(tester.paths.deadline(), None);
}

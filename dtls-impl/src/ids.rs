//! The connection IDs of one association: those that records to us may carry, and those that ours carry (RFC 9146 §3,
//! RFC 9147 §9). Knows neither records nor messages.

use std::collections::VecDeque;

use crate::config::ConnectionId;
use crate::entropy::Entropy;
use crate::flight::retransmitter::LAST_FLIGHT_KEPT;
use crate::time::Instant;
use crate::wire::ConnectionIdUsage;

/// Own connection IDs that the peer can have at once: one in use, and spares for a few changes of path.
pub(crate) const OWN_MAX: usize = 8;

/// Own connection IDs kept: those, and as many that the peer is done with but that may still be on their way.
const KEPT_MAX: usize = 2 * OWN_MAX;

/// Spare connection IDs of the peer that are kept: as many as a peer of our own kind would give, so that none asks in
/// vain. More are discarded (RFC 9147 §9).
pub(crate) const SPARES_MAX: usize = OWN_MAX - 1;

/// Requests in a row that get no connection ID before the peer is taken for one that will not stop (RFC 9147 §9).
pub(crate) const UNGRANTED_MAX: u8 = 8;

/// Draws for one connection ID before giving up: with one byte and fifteen others taken, sixteen equal draws in a row do
/// not happen.
const DRAWS_MAX: usize = 16;

/// Both sides' connection IDs.
#[derive(Debug, Default)]
pub(crate) struct ConnectionIds {
    /// Length of the own ones, if the extension is in use; a client's from its offer on.
    len: Option<usize>,
    /// Whether both hellos had the extension.
    agreed: bool,
    /// What the peer may send, oldest first; none if it is to send none.
    own: VecDeque<Vec<u8>>,
    /// Position of the own one that the peer's newest record carries.
    in_use: usize,
    /// How many of the first own ones the peer was told to use no more.
    outdated: usize,
    /// When those go: the peer knows, and what it sent before has arrived by then.
    outdated_until: Option<Instant>,
    /// The peer's requests in a row that got nothing.
    ungranted: u8,
    /// What we send; empty for none.
    peer: Vec<u8>,
    /// Whether the peer said in its hello that it has connection IDs.
    peer_has_ids: bool,
    /// The peer was asked for more, and has not given any since.
    requested: bool,
    /// What we may send later, in the order given.
    spares: VecDeque<Vec<u8>>,
    /// What we send on a path that is being checked.
    probe: Option<Vec<u8>>,
}

impl ConnectionIds {
    /// Chooses the first own one. A server does so when it takes up an offer.
    pub(crate) fn choose(&mut self, config: &ConnectionId, entropy: &mut Entropy) {
        self.len = config.len();
        self.own = match config {
            ConnectionId::None => VecDeque::new(),
            ConnectionId::Use(own) => VecDeque::from_iter(Some(own.clone()).filter(|own| !own.is_empty())),
            ConnectionId::Random { len } => VecDeque::from([random(usize::from(*len), entropy)]),
        };
    }

    /// What to say in the own hello.
    pub(crate) fn offer(&self) -> Option<&[u8]> {
        self.len.map(|_| self.own.front().map_or(&[][..], Vec::as_slice))
    }

    /// Both hellos had the extension; the peer's said this.
    pub(crate) fn agree(&mut self, peer: &[u8]) {
        self.agreed = true;
        self.peer = peer.to_vec();
        self.peer_has_ids = !peer.is_empty();
    }

    /// The server did not take up the offer.
    pub(crate) fn refuse(&mut self) {
        *self = Self::default();
    }

    /// Length of the connection IDs in records to us, for the parser: a client cannot tell before the ServerHello whether
    /// they will have any.
    pub(crate) fn own_len(&self) -> Option<usize> {
        self.len.filter(|_| !self.own.is_empty())
    }

    /// Whether protected records to us must carry one.
    pub(crate) fn expected(&self) -> bool {
        self.agreed && !self.own.is_empty()
    }

    /// Whether this is one of ours.
    pub(crate) fn is_own(&self, cid: &[u8]) -> bool {
        self.own.iter().any(|own| own == cid)
    }

    /// The own ones, oldest first.
    pub(crate) fn own(&self) -> impl Iterator<Item = &[u8]> {
        self.own.iter().map(Vec::as_slice)
    }

    /// What records to the peer carry; empty for none.
    pub(crate) fn peer(&self) -> &[u8] {
        &self.peer
    }
}

fn random(len: usize, entropy: &mut Entropy) -> Vec<u8> {
    let mut bytes = vec![0; len];
    entropy.fill(&mut bytes);
    bytes
}

/// What DTLS 1.3 does with them after the handshake.
impl ConnectionIds {
    /// The newest record so far carries this one. The peer uses them in the order given, so that those before are done
    /// with, but for what may still be on its way; unless it goes back to one, as it may (RFC 9147 §9).
    pub(crate) fn on_used(&mut self, cid: &[u8], now: Instant) {
        let Some(position) = self.own.iter().position(|own| own == cid) else { return };
        self.in_use = position;
        if position >= self.outdated {
            self.on_outdated_known(now);
        }
    }

    /// The peer knows which own ones to use no more.
    pub(crate) fn on_outdated_known(&mut self, now: Instant) {
        if self.outdated != 0 {
            self.outdated_until.get_or_insert(now + LAST_FLIGHT_KEPT);
        }
    }

    /// Time has passed. Whether there are fewer own ones now.
    pub(crate) fn forget_outdated(&mut self, now: Instant) -> bool {
        if self.outdated_until.is_none_or(|until| now < until) {
            return false;
        }
        (0..self.outdated).for_each(|_| self.forget_oldest());
        self.outdated_until = None;
        true
    }

    fn forget_oldest(&mut self) {
        self.own.pop_front();
        self.in_use = self.in_use.saturating_sub(1);
        self.outdated = self.outdated.saturating_sub(1);
    }

    /// What records to a path that is being checked carry: one that was not seen elsewhere, if there is one (RFC 9147 §9).
    pub(crate) fn for_probe(&self) -> &[u8] {
        self.probe.as_ref().or(self.spares.front()).unwrap_or(&self.peer)
    }

    /// As [`for_probe`](Self::for_probe), and it is used.
    pub(crate) fn take_probe(&mut self) -> &[u8] {
        if self.probe.is_none() {
            self.probe = self.spares.pop_front();
        }
        self.for_probe()
    }

    /// The path that was checked is the one to use, or is not. Unchecked, a new path has a spare, too.
    pub(crate) fn on_probed(&mut self, moved: bool) {
        let probe = self.probe.take();
        if moved && let Some(fresh) = probe.or_else(|| self.spares.pop_front()) {
            self.peer = fresh;
        }
    }

    /// The own side goes over to another path.
    pub(crate) fn on_left_path(&mut self) {
        self.probe = None;
        if let Some(spare) = self.spares.pop_front() {
            self.peer = spare;
        }
    }
}

/// Giving more of them (RFC 9147 §9).
impl ConnectionIds {
    /// Whether the peer may be given more, and may ask for them: it was told of one.
    pub(crate) fn may_issue(&self) -> bool {
        self.expected()
    }

    /// How many more the peer can be given at once: those before the one in use make room, and one that is to be used
    /// immediately takes the place of all.
    pub(crate) fn room(&self, usage: ConnectionIdUsage) -> usize {
        match usage {
            ConnectionIdUsage::Immediate => OWN_MAX,
            ConnectionIdUsage::Spare => OWN_MAX.saturating_sub(self.own.len() - self.in_use.max(self.outdated)),
        }
    }

    /// Makes new own ones, as many as there is room for.
    pub(crate) fn issue(&mut self, count: usize, usage: ConnectionIdUsage, entropy: &mut Entropy) -> Vec<Vec<u8>> {
        let len = self.len.unwrap_or_default();
        let count = count.min(self.room(usage));
        if usage == ConnectionIdUsage::Immediate && count != 0 {
            (self.outdated, self.outdated_until) = (self.own.len(), None);
        }
        let mut issued = Vec::with_capacity(count);
        for _ in 0..count {
            let mut draws = (0..DRAWS_MAX).map(|_| random(len, entropy));
            let Some(cid) = draws.find(|cid| !self.is_own(cid)) else { break };
            if self.own.len() == KEPT_MAX {
                self.forget_oldest();
            }
            self.own.push_back(cid.clone());
            issued.push(cid);
        }
        issued
    }

    /// The peer asks for more. Whether it has a right to: not if it goes on asking though it gets none.
    pub(crate) const fn on_request(&self) -> bool {
        self.ungranted < UNGRANTED_MAX
    }

    /// A request has been answered with so many.
    pub(crate) const fn on_answered(&mut self, count: usize) {
        self.ungranted = if count == 0 { self.ungranted.saturating_add(1) } else { 0 };
    }
}

/// Getting more of them (RFC 9147 §9).
impl ConnectionIds {
    /// Whether the peer may give us more: it has negotiated to receive one.
    pub(crate) const fn may_receive(&self) -> bool {
        self.agreed && self.peer_has_ids
    }

    /// Whether the peer may be asked for more: not while our records carry an empty one.
    pub(crate) fn may_request(&self) -> bool {
        self.may_receive() && !self.peer.is_empty()
    }

    /// Whether the peer still has a request to answer.
    pub(crate) const fn is_requested(&self) -> bool {
        self.requested
    }

    /// The peer is asked for more, or will not answer any more.
    pub(crate) const fn set_requested(&mut self, requested: bool) {
        self.requested = requested;
    }

    /// Those of the peer that are kept for later.
    pub(crate) fn spares(&self) -> usize {
        self.spares.len()
    }

    /// The peer gave spares. What it gave before, or what there is no room for, is dropped.
    pub(crate) fn add_spares(&mut self, cids: &[&[u8]]) {
        for cid in cids {
            if self.spares.len() == SPARES_MAX {
                return;
            }
            let known = [Some(&self.peer), self.probe.as_ref()].into_iter().flatten().chain(&self.spares);
            if known.into_iter().all(|known| known != cid) {
                self.spares.push_back(cid.to_vec());
            }
        }
    }

    /// The peer wants these used from now on, and none of before. Whether there is one.
    pub(crate) fn replace(&mut self, cids: &[&[u8]]) -> bool {
        let Some((first, rest)) = cids.split_first() else { return false };
        self.peer = first.to_vec();
        self.spares.clear();
        self.probe = None;
        self.add_spares(rest);
        true
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::collections::BTreeSet;

    use super::ConnectionIdUsage::{Immediate, Spare};
    use super::*;
    use crate::entropy::Seed;

    fn later(secs: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    fn agreed(own_len: u8) -> (ConnectionIds, Entropy) {
        let mut entropy = Entropy::new(&Seed([1; 32]));
        let mut ids = ConnectionIds::default();
        ids.choose(&ConnectionId::Random { len: own_len }, &mut entropy);
        ids.agree(b"peer");
        (ids, entropy)
    }

    #[test]
    fn an_empty_one_is_offered_but_not_expected() {
        let mut entropy = Entropy::new(&Seed([1; 32]));
        let mut ids = ConnectionIds::default();
        assert_eq!((ids.offer(), ids.own_len()), (None, None));
        ids.choose(&ConnectionId::Use(Vec::new()), &mut entropy);
        ids.agree(b"");
        assert_eq!((ids.offer(), ids.own_len(), ids.expected()), (Some(&[][..]), None, false));
        assert!(!ids.is_own(b"") && !ids.may_issue() && !ids.may_receive());
    }

    #[test]
    fn own_ones_are_all_different_and_bounded_and_used_ones_make_room() {
        for len in [1, 8] {
            let (mut ids, mut entropy) = agreed(len);
            assert_eq!(ids.room(Spare), OWN_MAX - 1);
            let issued = ids.issue(255, Spare, &mut entropy);
            assert_eq!((issued.len(), ids.room(Spare)), (OWN_MAX - 1, 0));
            assert!(ids.issue(1, Spare, &mut entropy).is_empty());
            let all: BTreeSet<_> = ids.own().collect();
            assert_eq!(all.len(), OWN_MAX);

            ids.on_used(&issued[2], Instant::ZERO);
            assert_eq!(ids.room(Spare), 3);
            let more = ids.issue(1, Spare, &mut entropy);
            assert!(ids.is_own(&more[0]) && ids.is_own(&issued[0]), "a late record may carry it");
            ids.on_used(&issued[0], Instant::ZERO);
            assert_eq!(ids.room(Spare), 0, "the peer has gone back to it");
            assert!(!ids.forget_outdated(later(1_000_000)), "the peer may use any of them");
        }
    }

    #[test]
    fn those_that_are_done_with_are_kept_up_to_a_limit() {
        let (mut ids, mut entropy) = agreed(8);
        let first = ids.own().next().unwrap().to_vec();
        for _ in 0..KEPT_MAX {
            let issued = ids.issue(1, Spare, &mut entropy);
            ids.on_used(&issued[0], Instant::ZERO);
            assert_eq!(ids.room(Spare), OWN_MAX - 1);
        }
        assert_eq!(ids.own().count(), KEPT_MAX);
        assert!(!ids.is_own(&first));
    }

    #[test]
    fn immediate_ones_take_the_place_of_all_once_the_peer_knows() {
        let (mut ids, mut entropy) = agreed(8);
        let spares = ids.issue(255, Spare, &mut entropy);
        let issued = ids.issue(2, Immediate, &mut entropy);
        assert_eq!((issued.len(), ids.own().count(), ids.room(Spare)), (2, OWN_MAX + 2, OWN_MAX - 2));
        ids.on_used(&spares[0], Instant::ZERO);
        assert!(!ids.forget_outdated(later(1_000_000)), "nothing says that the peer knows");
        ids.on_used(&issued[0], later(5));
        ids.on_outdated_known(later(50));
        assert!(!ids.forget_outdated(later(244)));
        assert!(ids.is_own(&spares[6]));
        assert!(ids.forget_outdated(later(245)));
        assert!(ids.own().eq(issued.iter().map(Vec::as_slice)));
        assert!(!ids.forget_outdated(later(1_000_000)));
        assert_eq!(ids.room(Spare), OWN_MAX - 2);
    }

    #[test]
    fn immediate_ones_again_and_again_stay_within_the_limit() {
        let (mut ids, mut entropy) = agreed(1);
        for _ in 0..20 {
            let issued = ids.issue(OWN_MAX, Immediate, &mut entropy);
            assert_eq!(issued.len(), OWN_MAX);
            assert!(ids.own().count() <= KEPT_MAX);
            let all: BTreeSet<_> = ids.own().collect();
            assert_eq!(all.len(), ids.own().count());
            assert_eq!(ids.room(Spare), 0);
        }
    }

    #[test]
    fn a_peer_that_asks_on_though_it_gets_nothing_is_no_longer_heard() {
        let (mut ids, _) = agreed(8);
        for _ in 0..UNGRANTED_MAX {
            assert!(ids.on_request());
            ids.on_answered(0);
        }
        assert!(!ids.on_request());
        ids.on_answered(1);
        assert!(ids.on_request());
    }

    #[test]
    fn known_ones_are_not_kept_twice_and_an_empty_one_is_one() {
        let (mut ids, _) = agreed(8);
        ids.add_spares(&[b"peer", b"a", b"a", b"b"]);
        assert_eq!(ids.spares(), 2);
        assert_eq!(ids.take_probe(), b"a");
        ids.add_spares(&[b"a"]);
        assert_eq!(ids.spares(), 1);
        assert!(ids.replace(&[b""]));
        assert!(ids.may_receive() && !ids.may_request() && ids.peer().is_empty());
        assert!(!ids.replace(&[]));
    }

    #[test]
    fn a_path_that_nobody_checked_has_a_fresh_one_too() {
        let (mut ids, _) = agreed(8);
        ids.add_spares(&[b"a"]);
        ids.on_probed(true);
        assert_eq!(ids.peer(), b"a");
        ids.on_probed(true);
        assert_eq!(ids.peer(), b"a", "the only one");
    }

    #[test]
    fn spares_are_used_in_the_order_given_and_bounded() {
        let (mut ids, _) = agreed(8);
        let many = [[1u8; 4], [2; 4], [3; 4], [4; 4], [5; 4], [6; 4], [7; 4], [8; 4], [9; 4]];
        let many: Vec<_> = many.iter().map(|cid| &cid[..]).collect();
        ids.add_spares(&many);
        assert_eq!(ids.spares(), SPARES_MAX);
        ids.on_left_path();
        assert_eq!(ids.peer(), [1; 4]);
        assert_eq!(ids.take_probe(), [2; 4]);
        assert_eq!(ids.take_probe(), [2; 4]);
        ids.on_probed(false);
        assert_eq!(ids.peer(), [1; 4]);
        assert_eq!(ids.take_probe(), [3; 4]);
        ids.on_probed(true);
        assert_eq!(ids.peer(), [3; 4]);
        assert!(ids.replace(&[b"now", b"then"]));
        assert_eq!((ids.peer(), ids.spares.len()), (&b"now"[..], 1));
    }

    #[test]
    fn without_spares_the_same_one_goes_on() {
        let (mut ids, _) = agreed(8);
        ids.on_left_path();
        assert_eq!(ids.take_probe(), b"peer");
        ids.on_probed(true);
        assert_eq!(ids.peer(), b"peer");
    }
}

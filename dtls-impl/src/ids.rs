//! The connection IDs of one association: those that records to us may carry, and those that ours carry (RFC 9146 §3,
//! RFC 9147 §9). Knows neither records nor messages.

use std::collections::VecDeque;

use crate::config::ConnectionId;
use crate::entropy::Entropy;

/// Own connection IDs kept at once, and thus given out: one in use, and spares for a few changes of path.
pub(crate) const OWN_MAX: usize = 8;

/// Spare connection IDs of the peer that are kept. More are discarded (RFC 9147 §9).
pub(crate) const SPARES_MAX: usize = 8;

/// Draws for one connection ID before giving up: with one byte and seven others taken, sixteen equal draws in a row do
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
    /// Position of the newest own one that the peer has used.
    in_use: usize,
    /// What we send; empty for none.
    peer: Vec<u8>,
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

/// What DTLS 1.3 can do with them after the handshake.
impl ConnectionIds {
    /// The newest record so far carries this one. The peer uses them in the order given, so that those before are done
    /// with, but for what may still be on its way.
    pub(crate) fn on_used(&mut self, cid: &[u8]) {
        if let Some(position) = self.own.iter().position(|own| own == cid) {
            self.in_use = self.in_use.max(position);
        }
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

    /// The path that was checked is the one to use, or is not.
    pub(crate) fn on_probed(&mut self, moved: bool) {
        if let Some(probe) = self.probe.take()
            && moved
        {
            self.peer = probe;
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

/// More of them (RFC 9147 §9).
#[cfg_attr(not(test), expect(dead_code, reason = "for NewConnectionId and RequestConnectionId"))]
impl ConnectionIds {
    /// Whether the peer may be given more.
    pub(crate) fn may_issue(&self) -> bool {
        self.expected()
    }

    /// How many more the peer can be given at once: those before the one in use make room.
    pub(crate) fn room(&self) -> usize {
        OWN_MAX - (self.own.len() - self.in_use).min(OWN_MAX)
    }

    /// Makes new own ones, as many as there is room for.
    pub(crate) fn issue(&mut self, count: usize, entropy: &mut Entropy) -> Vec<Vec<u8>> {
        let len = self.len.unwrap_or_default();
        let mut issued = Vec::new();
        for _ in 0..count.min(self.room()) {
            let mut draws = (0..DRAWS_MAX).map(|_| random(len, entropy));
            let Some(cid) = draws.find(|cid| !self.is_own(cid)) else { break };
            if self.own.len() == OWN_MAX {
                self.own.pop_front();
                self.in_use -= 1;
            }
            self.own.push_back(cid.clone());
            issued.push(cid);
        }
        issued
    }

    /// Whether the peer may give us more: it has negotiated to receive one.
    pub(crate) fn may_receive(&self) -> bool {
        self.agreed && !self.peer.is_empty()
    }

    /// The peer gave spares.
    pub(crate) fn add_spares(&mut self, cids: &[&[u8]]) {
        let room = SPARES_MAX - self.spares.len();
        self.spares.extend(cids.iter().take(room).map(|cid| cid.to_vec()));
    }

    /// The peer wants these used from now on, and none of before.
    pub(crate) fn replace(&mut self, cids: &[&[u8]]) {
        let Some((first, rest)) = cids.split_first() else { return };
        self.peer = first.to_vec();
        self.spares.clear();
        self.probe = None;
        self.add_spares(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Seed;

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
            assert_eq!(ids.room(), OWN_MAX - 1);
            let issued = ids.issue(255, &mut entropy);
            assert_eq!((issued.len(), ids.room()), (OWN_MAX - 1, 0));
            assert!(ids.issue(1, &mut entropy).is_empty());
            let all: std::collections::BTreeSet<_> = ids.own().collect();
            assert_eq!(all.len(), OWN_MAX);

            ids.on_used(&issued[2]);
            assert_eq!(ids.room(), 3);
            let first = ids.own().next().unwrap().to_vec();
            let more = ids.issue(1, &mut entropy);
            assert!(ids.is_own(&more[0]) && ids.is_own(&issued[2]) && !ids.is_own(&first));
            assert_eq!(ids.own().count(), OWN_MAX);
            ids.on_used(&issued[0]);
            assert_eq!(ids.room(), 2, "an older record does not bring it back");
        }
    }

    #[test]
    fn spares_are_used_in_the_order_given_and_bounded() {
        let (mut ids, _) = agreed(8);
        let many = [[1u8; 4], [2; 4], [3; 4], [4; 4], [5; 4], [6; 4], [7; 4], [8; 4], [9; 4]];
        let many: Vec<_> = many.iter().map(|cid| &cid[..]).collect();
        ids.add_spares(&many);
        assert_eq!(ids.spares.len(), SPARES_MAX);
        ids.on_left_path();
        assert_eq!(ids.peer(), [1; 4]);
        assert_eq!(ids.take_probe(), [2; 4]);
        assert_eq!(ids.take_probe(), [2; 4]);
        ids.on_probed(false);
        assert_eq!(ids.peer(), [1; 4]);
        assert_eq!(ids.take_probe(), [3; 4]);
        ids.on_probed(true);
        assert_eq!(ids.peer(), [3; 4]);
        ids.replace(&[b"now", b"then"]);
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

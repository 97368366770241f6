//! The NAT in front of the client: own addresses to addresses outside and back.
//!
//! It stands at the client: what the client sends is translated when it is sent, what the server sends when it arrives.
//! Mapping and filtering depend on nothing but the client's address (RFC 4787 §4.1, §5), which for one server comes to the
//! same as any other way. Traffic from inside alone keeps a mapping alive, as RFC 4787 §4.3 demands.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::addresses::OUTSIDE;
use crate::scenario::Nat as Spec;
use crate::time::SimTime;

/// The state of the NAT.
#[derive(Clone, Debug)]
pub(super) struct Nat {
    spec: Spec,
    mappings: BTreeMap<SocketAddr, Mapping>,
    /// Mappings made so far, each with a port of its own.
    made: u16,
}

#[derive(Clone, Copy, Debug)]
struct Mapping {
    outside: SocketAddr,
    used: SimTime,
}

impl Nat {
    pub(super) fn new(spec: &Spec) -> Self {
        Self { spec: spec.clone(), mappings: BTreeMap::new(), made: 0 }
    }

    /// Source of a datagram from inside, and whether it is one that another takes the place of.
    pub(super) fn outward(&mut self, now: SimTime, inside: SocketAddr) -> (SocketAddr, bool) {
        let known = self.mappings.get(&inside).copied();
        if let Some(mapping) = known.filter(|mapping| self.is_alive(mapping, now)) {
            self.mappings.insert(inside, Mapping { used: now, ..mapping });
            return (mapping.outside, false);
        }
        (self.map(now, inside), known.is_some())
    }

    /// Whom a datagram to this address is for.
    pub(super) fn inward(&self, now: SimTime, outside: SocketAddr) -> Option<SocketAddr> {
        let mut mappings = self.mappings.iter();
        let (inside, _) = mappings.find(|(_, mapping)| mapping.outside == outside && self.is_alive(mapping, now))?;
        Some(*inside)
    }

    /// Gives every address inside a new one outside, as a NAT that has restarted: what changed.
    pub(super) fn rebind(&mut self, now: SimTime) -> Vec<(SocketAddr, SocketAddr)> {
        let inside: Vec<SocketAddr> = self.mappings.keys().copied().collect();
        inside.into_iter().map(|inside| (inside, self.map(now, inside))).collect()
    }

    fn map(&mut self, now: SimTime, inside: SocketAddr) -> SocketAddr {
        let outside = SocketAddr::new(OUTSIDE.ip(), OUTSIDE.port().wrapping_add(self.made).max(1));
        self.made = self.made.wrapping_add(1);
        self.mappings.insert(inside, Mapping { outside, used: now });
        outside
    }

    fn is_alive(&self, mapping: &Mapping, now: SimTime) -> bool {
        self.spec.lifetime.is_none_or(|lifetime| now <= mapping.used + lifetime)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> SimTime {
        SimTime::from_nanos(seconds * 1_000_000_000)
    }

    fn port(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn each_address_inside_has_one_outside_and_back() {
        let mut nat = Nat::new(&Spec::default());
        let (first, _) = nat.outward(at(0), port(1));
        let (second, _) = nat.outward(at(0), port(2));
        assert_eq!(first, OUTSIDE);
        assert_ne!(first, second);
        assert_eq!(nat.outward(at(9), port(1)), (first, false));
        assert_eq!([nat.inward(at(9), first), nat.inward(at(9), second)], [Some(port(1)), Some(port(2))]);
        assert_eq!(nat.inward(at(9), port(1)), None);
    }

    #[test]
    fn a_mapping_that_is_idle_too_long_is_gone_and_only_sending_keeps_it() {
        let mut nat = Nat::new(&Spec { lifetime: Some(Duration::from_secs(30)), rebind_at: Vec::new() });
        let (first, _) = nat.outward(at(0), port(1));
        assert_eq!(nat.outward(at(30), port(1)), (first, false));
        assert_eq!(nat.inward(at(60), first), Some(port(1)));
        assert_eq!(nat.inward(at(61), first), None);
        let (second, changed) = nat.outward(at(61), port(1));
        assert!(changed && second != first);
        assert_eq!([nat.inward(at(61), first), nat.inward(at(61), second)], [None, Some(port(1))]);
    }

    #[test]
    fn rebinding_moves_all_mappings_and_forgets_the_old() {
        let mut nat = Nat::new(&Spec::default());
        let (first, _) = nat.outward(at(0), port(1));
        let changed = nat.rebind(at(1));
        let [(inside, second)] = changed[..] else { panic!("{changed:?}") };
        assert_eq!((inside, nat.inward(at(1), first)), (port(1), None));
        assert_eq!(nat.outward(at(2), port(1)), (second, false));
    }
}

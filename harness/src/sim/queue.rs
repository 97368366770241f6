//! What is to happen, in a total order.
//!
//! The key is (instant, class, source, number within the source). Classes fix the order within one instant. Numbers count
//! per source and not globally, so an extra event elsewhere changes no tie. Two equal keys would leave the order open
//! and are a bug.
//!
//! An ordered map instead of a binary heap: deadlines move with nearly every datagram, and a map can take an event back.
//! A heap would pile up stale ones, and a run could not tell that nothing is left to happen.

use std::collections::BTreeMap;

use crate::endpoint::Role;
use crate::time::SimTime;
use crate::trace::Visit;

/// Kinds of events, in their order within one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// The network changes: it lets a held datagram go.
    Change,
    /// A datagram arrives.
    Delivery,
    /// A deadline of an endpoint is due.
    Timer,
    /// An application acts.
    Output,
}

/// What an event comes from. Associations come in their order, before bystanders, at equal instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// One end of the first association, or the direction in which it sends.
    Pair(Role),
    /// An end of a later association.
    Later(Visit, Role),
    /// A bystander, by its place in the scenario.
    Bystander(u16),
}

impl Source {
    /// An end of an association.
    pub(super) const fn end(visit: Visit, role: Role) -> Self {
        if visit.0 == Visit::FIRST.0 { Self::Pair(role) } else { Self::Later(visit, role) }
    }
}

/// Place of an event in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) at: SimTime,
    pub(super) class: Class,
    pub(super) source: Source,
    number: u64,
}

/// The events to come.
#[derive(Debug)]
pub(super) struct Queue<T> {
    events: BTreeMap<Key, T>,
    numbers: BTreeMap<Source, u64>,
    /// Events of the pair: bystanders alone do not keep a run alive.
    of_pair: usize,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self { events: BTreeMap::new(), numbers: BTreeMap::new(), of_pair: 0 }
    }

    /// Adds an event; the key takes it back.
    pub(super) fn schedule(&mut self, at: SimTime, class: Class, source: Source, event: T) -> Key {
        let next = self.numbers.entry(source).or_default();
        let key = Key { at, class, source, number: *next };
        *next += 1;
        let twin = self.events.insert(key, event);
        debug_assert!(twin.is_none(), "two events with the key {key:?}");
        self.of_pair += usize::from(!matches!(source, Source::Bystander(_)));
        key
    }

    /// Takes an event back, if it has not happened.
    pub(super) fn cancel(&mut self, key: Key) {
        if self.events.remove(&key).is_some() {
            self.forget(key);
        }
    }

    /// The next event's key, unless nothing is left that concerns the pair.
    pub(super) fn peek(&self) -> Option<Key> {
        if self.of_pair == 0 {
            return None;
        }
        self.events.first_key_value().map(|(key, _)| *key)
    }

    /// Takes out the next event.
    pub(super) fn pop(&mut self) -> Option<(Key, T)> {
        let (key, event) = self.events.pop_first()?;
        self.forget(key);
        Some((key, event))
    }

    fn forget(&mut self, key: Key) {
        self.of_pair -= usize::from(!matches!(key.source, Source::Bystander(_)));
    }
}

/// One event that moves: a deadline.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Alarm(Option<Key>);

impl Alarm {
    /// Moves the event to `at`, or takes it back.
    pub(super) fn set<T>(
        &mut self,
        queue: &mut Queue<T>,
        at: Option<SimTime>,
        class: Class,
        source: Source,
        event: impl FnOnce() -> T,
    ) {
        if self.0.map(|key| key.at) == at {
            return;
        }
        self.stop(queue);
        self.0 = at.map(|at| queue.schedule(at, class, source, event()));
    }

    /// Takes the event back.
    pub(super) fn stop<T>(&mut self, queue: &mut Queue<T>) {
        if let Some(key) = self.0.take() {
            queue.cancel(key);
        }
    }

    /// The event has come out of the queue.
    pub(super) fn rang(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Source = Source::Pair(Role::Client);
    const SERVER: Source = Source::Pair(Role::Server);

    fn drained(mut queue: Queue<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop()).map(|(_, event)| event).collect()
    }

    #[test]
    fn instants_then_classes_then_sources_then_numbers() {
        let mut queue = Queue::new();
        let at = SimTime::from_nanos(5);
        queue.schedule(SimTime::from_nanos(6), Class::Change, CLIENT, "later");
        queue.schedule(at, Class::Output, CLIENT, "output");
        queue.schedule(at, Class::Timer, SERVER, "server timer");
        queue.schedule(at, Class::Timer, CLIENT, "client timer");
        queue.schedule(at, Class::Delivery, Source::Bystander(0), "bystander");
        queue.schedule(at, Class::Delivery, SERVER, "first");
        queue.schedule(at, Class::Delivery, SERVER, "second");
        queue.schedule(at, Class::Change, SERVER, "change");
        let order = ["change", "first", "second", "bystander", "client timer", "server timer", "output", "later"];
        assert_eq!(drained(queue), order);
    }

    #[test]
    fn an_event_elsewhere_changes_no_tie() {
        let tie = |extra: bool| {
            let mut queue = Queue::new();
            queue.schedule(SimTime::ZERO, Class::Delivery, SERVER, "server");
            if extra {
                queue.schedule(SimTime::ZERO, Class::Change, Source::Bystander(3), "extra");
            }
            queue.schedule(SimTime::ZERO, Class::Delivery, CLIENT, "client");
            let mut order = drained(queue);
            order.retain(|event| *event != "extra");
            order
        };
        assert_eq!(tie(false), tie(true));
    }

    #[test]
    fn bystanders_alone_leave_nothing_to_happen() {
        let mut queue = Queue::new();
        queue.schedule(SimTime::ZERO, Class::Output, Source::Bystander(0), ());
        assert_eq!(queue.peek(), None);
        let key = queue.schedule(SimTime::from_nanos(9), Class::Timer, CLIENT, ());
        assert_eq!(queue.peek().map(|key| key.at), Some(SimTime::ZERO));
        queue.cancel(key);
        queue.cancel(key);
        assert_eq!(queue.peek(), None);
    }

    #[test]
    fn an_alarm_moves_its_one_event() {
        let mut queue = Queue::new();
        let mut alarm = Alarm::default();
        for nanos in [30, 10, 20, 20] {
            alarm.set(&mut queue, Some(SimTime::from_nanos(nanos)), Class::Timer, CLIENT, || ());
        }
        assert_eq!(queue.pop().map(|(key, ())| key.at), Some(SimTime::from_nanos(20)));
        alarm.rang();
        assert!(queue.pop().is_none());
    }
}

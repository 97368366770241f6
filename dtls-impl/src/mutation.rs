//! Misbehaviour on demand: each mutation breaks exactly one rule, so that the harness can show that its checks notice.
//!
//! Without the cargo feature `mutation` no configuration can name one, and [`Mutated::by`] is constantly false.

/// Declares the mutations with their kebab-case names.
macro_rules! mutations {
    ($( $(#[$meta:meta])* $variant:ident => $name:literal, )*) => {
        /// One way to misbehave.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutation { $( $(#[$meta])* $variant, )* }

        impl Mutation {
            /// Every mutation.
            pub const ALL: &'static [Self] = &[$( Self::$variant ),*];

            /// Whether it breaks a rule of DTLS 1.3. The others break rules of 1.2.
            pub const fn is_of_13(self) -> bool {
                matches!(self, Self::TakeEarlyDataAgain)
            }

            /// Name in kebab case, as scenarios spell it.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )* }
            }

            /// The mutation of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|mutation| mutation.name() == name)
            }
        }
    };
}

mutations! {
    /// A retransmission holds the first message of the flight only (against RFC 6347 §4.2.4).
    ResendFirstMessageOnly => "resend-first-message-only",
    /// Every fragment is taken to start where the bytes received so far end (against RFC 6347 §4.2.3).
    IgnoreFragmentOffsets => "ignore-fragment-offsets",
    /// The timer never doubles (against RFC 6347 §4.2.4.1).
    NoBackoff => "no-backoff",
    /// Records are accepted as often as they arrive (against RFC 6347 §4.1.2.6).
    AcceptReplay => "accept-replay",
    /// The last flight is sent once (against RFC 6347 §4.2.4).
    NeverRepeatLastFlight => "never-repeat-last-flight",
    /// The timer never fires (against RFC 6347 §4.2.4).
    NoRetransmission => "no-retransmission",
    /// A retransmission takes new `message_seq` values (against RFC 6347 §4.2.2).
    RenumberMessages => "renumber-messages",
    /// A retransmission repeats its records, numbers included (against RFC 6347 §4.2.2).
    ReuseRecordNumbers => "reuse-record-numbers",
    /// Datagrams are as large as the flight (against RFC 6347 §4.1.1).
    IgnoreMtu => "ignore-mtu",
    /// The first timeout is a tenth of the configured one (against RFC 6347 §4.2.4.1).
    ImpatientTimer => "impatient-timer",
    /// Finished proves nothing (against RFC 5246 §7.4.9).
    CorruptFinished => "corrupt-finished",
    /// Application data is taken from the application and never sent.
    SilentAfterHandshake => "silent-after-handshake",
    /// Panics at the first hello of the peer.
    PanicOnHello => "panic-on-hello",
    /// Always wants to be called again at once.
    SpinForever => "spin-forever",
    /// Sends without end as soon as it has something to send.
    Flood => "flood",
    /// A server goes on without the cookie it is configured to demand (against RFC 6347 §4.2.1).
    SkipCookie => "skip-cookie",
    /// A warning alert after the handshake that nothing asked for.
    UnsolicitedAlert => "unsolicited-alert",
    /// Every fragment of a repeated flight is answered with the own flight (against RFC 6347 §4.2.4).
    AnswerEveryFragment => "answer-every-fragment",
    /// A server gives up its association for any ClientHello (against RFC 6347 §4.2.8).
    AbandonOnHello => "abandon-on-hello",
    /// A server takes early data as often as its ClientHello arrives (against RFC 8446 §8).
    TakeEarlyDataAgain => "take-early-data-again",
}

/// The mutation of an endpoint, if any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mutated(#[cfg(feature = "mutation")] Option<Mutation>);

impl Mutated {
    #[cfg(feature = "mutation")]
    pub(crate) const fn new(mutation: Option<Mutation>) -> Self {
        Self(mutation)
    }

    #[cfg(not(feature = "mutation"))]
    pub(crate) const fn none() -> Self {
        Self()
    }

    /// Whether the endpoint misbehaves in this way.
    #[cfg(feature = "mutation")]
    pub(crate) fn by(self, mutation: Mutation) -> bool {
        self.0 == Some(mutation)
    }

    /// Whether the endpoint misbehaves in this way: never.
    #[cfg(not(feature = "mutation"))]
    pub(crate) const fn by(self, _: Mutation) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutation_is_found_by_its_name() {
        for mutation in Mutation::ALL {
            assert_eq!(Mutation::from_name(mutation.name()), Some(*mutation));
        }
        assert_eq!(Mutation::from_name("good-behaviour"), None);
        let of_13: Vec<_> = Mutation::ALL.iter().filter(|mutation| mutation.is_of_13()).collect();
        assert_eq!(of_13, [&Mutation::TakeEarlyDataAgain]);
    }
}

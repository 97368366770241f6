//! Keys that pick datagrams, for faults and demands.

use crate::dissect::{Content, Message};
use crate::endpoint::Role;
use crate::scenario::text::{At, Number, Ordinals, Time, Value};

/// The keys that pick datagrams, in a struct of the given name with the given further keys.
macro_rules! selector_struct {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        $(#[$meta])*
        pub(in crate::scenario) struct $name {
            /// Of this visit of the client, from 1. Default: the last.
            pub(in crate::scenario) visit: Option<Value<Number>>,
            /// Sent by this end.
            pub(in crate::scenario) from: Option<At<Role>>,
            /// Part of this flight: 1 to 6, by its place in the full handshake with cookie.
            pub(in crate::scenario) flight: Option<Value<Number>>,
            /// Carries (a fragment of) this message.
            pub(in crate::scenario) message: Option<At<Message>>,
            /// Carries the nth fragment of `message`, from 1.
            pub(in crate::scenario) fragment: Option<Value<Number>>,
            /// The nth transmission of what it carries, from 1: `1`, `1..2` or `2..`.
            pub(in crate::scenario) attempt: Option<Value<Ordinals>>,
            /// The nth datagram, from 1: of the flight's transmission if `flight` is given, else of the direction.
            pub(in crate::scenario) datagram: Option<Value<Number>>,
            /// Has a record of this epoch: 0 or 1; in DTLS 1.3 0, 2 or 3.
            pub(in crate::scenario) epoch: Option<Value<Number>>,
            /// Has a record of this content, as far as it can be read.
            pub(in crate::scenario) content: Option<At<Content>>,
            /// Sent at this instant of the run or later.
            pub(in crate::scenario) after_time: Option<Value<Time>>,
            /// Sent before this instant of the run.
            pub(in crate::scenario) before_time: Option<Value<Time>>,
            $($(#[$field_meta])* pub(in crate::scenario) $field: $type,)*
        }

        impl $name {
            /// The keys that pick datagrams alone.
            pub(in crate::scenario) fn picks(&self) -> Picks<'_> {
                Picks {
                    visit: self.visit.as_ref(),
                    from: self.from.as_ref(),
                    flight: self.flight.as_ref(),
                    message: self.message.as_ref(),
                    fragment: self.fragment.as_ref(),
                    attempt: self.attempt.as_ref(),
                    datagram: self.datagram.as_ref(),
                    epoch: self.epoch.as_ref(),
                    content: self.content.as_ref(),
                    after: self.after_time.as_ref(),
                    before: self.before_time.as_ref(),
                }
            }
        }
    };
}
pub(super) use selector_struct;

/// The keys that pick datagrams, wherever they stand.
#[derive(Clone, Copy)]
pub(in crate::scenario) struct Picks<'a> {
    pub(in crate::scenario) visit: Option<&'a Value<Number>>,
    pub(in crate::scenario) from: Option<&'a At<Role>>,
    pub(in crate::scenario) flight: Option<&'a Value<Number>>,
    pub(in crate::scenario) message: Option<&'a At<Message>>,
    pub(in crate::scenario) fragment: Option<&'a Value<Number>>,
    pub(in crate::scenario) attempt: Option<&'a Value<Ordinals>>,
    pub(in crate::scenario) datagram: Option<&'a Value<Number>>,
    pub(in crate::scenario) epoch: Option<&'a Value<Number>>,
    pub(in crate::scenario) content: Option<&'a At<Content>>,
    pub(in crate::scenario) after: Option<&'a Value<Time>>,
    pub(in crate::scenario) before: Option<&'a Value<Time>>,
}

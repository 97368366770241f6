//! Keys of scripted faults.

use schemars::JsonSchema;
use serde::Deserialize;

use super::selector::{Picks, selector_struct};
use crate::dissect::{Content, Message};
use crate::endpoint::Role;
use crate::scenario::text::{At, Number, Ordinals, Time, Value};

/// A scripted fault.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "fault")]
pub(in crate::scenario) enum FaultStep {
    /// Lose these datagrams.
    Drop(At<DropKeys>),
    /// Deliver these datagrams more than once.
    Duplicate(At<DuplicateKeys>),
    /// Deliver these datagrams later.
    Delay(At<LaterKeys>),
    /// Keep these datagrams until later ones have passed.
    Hold(At<HoldKeys>),
    /// Have a third party send copies of these datagrams, from an address of its own.
    Replay(At<ReplayKeys>),
    /// Drop everything sent in a span of time.
    Blackhole(At<BlackholeKeys>),
}

selector_struct! {
    /// Datagrams to lose.
    #[schemars(rename = "drop")]
    DropKeys {
        /// At most this many datagrams.
        times: Option<Value<Number>>,
        /// Whether a run in which this never strikes may pass. Default false.
        optional: Option<bool>,
    }
}

selector_struct! {
    /// Datagrams to deliver more than once.
    #[schemars(rename = "duplicate")]
    DuplicateKeys {
        /// Copies besides the original, up to 16. Default 1.
        copies: Option<Value<Number>>,
        /// Time from each copy to the next. Default 0.
        after: Option<Value<Time>>,
        /// At most this many datagrams.
        times: Option<Value<Number>>,
        /// Whether a run in which this never strikes may pass. Default false.
        optional: Option<bool>,
    }
}

selector_struct! {
    /// Datagrams to deliver later.
    #[schemars(rename = "delay-step")]
    LaterKeys {
        /// How much later.
        by: Value<Time>,
        /// At most this many datagrams.
        times: Option<Value<Number>>,
        /// Whether a run in which this never strikes may pass. Default false.
        optional: Option<bool>,
    }
}

selector_struct! {
    /// Datagrams to keep until later ones have passed.
    #[schemars(rename = "hold")]
    HoldKeys {
        /// Later datagrams of the direction that go ahead. Default 1.
        behind: Option<Value<Number>>,
        /// Longest time to wait for them.
        at_most: Value<Time>,
        /// At most this many datagrams.
        times: Option<Value<Number>>,
        /// Whether a run in which this never strikes may pass. Default false.
        optional: Option<bool>,
    }
}

selector_struct! {
    /// Datagrams of which a third party sends copies. One of `after` and `ahead`.
    #[schemars(rename = "replay")]
    ReplayKeys {
        /// How many, up to 16. Default 1.
        copies: Option<Value<Number>>,
        /// How long after the original the copy arrives, and each further one after that before it.
        after: Option<Value<Time>>,
        /// How long before the original the copies arrive, though not before it was sent.
        ahead: Option<Value<Time>>,
        /// Source address of the copies. Default `stranger`.
        source: Option<ReplaySource>,
        /// At most this many datagrams.
        times: Option<Value<Number>>,
        /// Whether a run in which this never strikes may pass. Default false.
        optional: Option<bool>,
    }
}

/// Source address of copies by a third party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "replay-source")]
pub(in crate::scenario) enum ReplaySource {
    /// An address of its own, which is the server's only clue. For what the client sends.
    Stranger,
    /// That of the original.
    Same,
}

/// A span of time in which nothing passes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "blackhole")]
pub(in crate::scenario) struct BlackholeKeys {
    /// Only what this end sends. Default: both.
    pub(in crate::scenario) from: Option<Role>,
    /// Begin, inclusive.
    pub(in crate::scenario) start: Value<Time>,
    /// End, exclusive.
    pub(in crate::scenario) end: Value<Time>,
    /// Whether a run in which this never strikes may pass. Default false.
    pub(in crate::scenario) optional: Option<bool>,
}

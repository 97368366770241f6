//! The language of scenario files: which keys there are and what stands behind them. The doc comments are the
//! descriptions of the JSON Schema.
//!
//! The file as a whole is here, its parts are in modules of their own. Only the shape is settled here; what the values
//! mean together is settled by `lower`.

pub(super) mod demands;
pub(super) mod endpoints;
pub(super) mod faults;
pub(super) mod network;
pub(super) mod selector;
pub(super) mod workload;

use schemars::JsonSchema;
use serde::Deserialize;

use self::demands::ExpectStep;
use self::endpoints::{CredentialsKeys, Endpoints};
use self::faults::FaultStep;
use self::network::NetworkKeys;
use self::workload::{VisitKeys, WorkloadKeys};
use super::text::{At, Either, Method, Number, Seeds, Several, Text, Time, Value};
use crate::endpoint::Dtls;

/// A scenario: one behaviour, its network, its faults, and what must come of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "scenario")]
pub(super) struct File {
    /// Version of the format: 1.
    pub(super) windtunnel: Value<Number>,
    /// What the scenario shows, in one sentence.
    pub(super) goal: At<String>,
    /// Clauses it tests, as `RFC 6347 §4.2.4`.
    #[serde(default)]
    pub(super) clauses: Vec<At<String>>,
    /// Seeds to run: `1..200`, or one seed. Default 1.
    pub(super) seeds: Option<Value<Seeds>>,
    /// Whether the ladder of the native pair at the first seed is a reviewed golden. Default false.
    #[serde(default)]
    pub(super) golden: bool,
    /// Version that both ends speak. Default `1.2`.
    #[serde(default)]
    pub(super) dtls: Dtls,
    /// How the ends authenticate. Default `certificate`: one small ECDSA certificate.
    pub(super) credentials: Option<At<Either<Text<Method>, CredentialsKeys>>>,
    /// Options of the two ends.
    #[serde(default)]
    pub(super) endpoints: Endpoints,
    /// The link. Default: the profile `ideal`.
    #[serde(default)]
    pub(super) network: NetworkKeys,
    /// Scripted faults; the first that matches a datagram acts. Each must strike in every run unless `optional: true`.
    #[serde(default)]
    pub(super) faults: Vec<At<FaultStep>>,
    /// What the applications do once established. Default: one message of 64 B, then the client closes.
    #[serde(default)]
    pub(super) workload: WorkloadKeys,
    /// How often the client comes, each time with an association of its own: a number, or a list with what is special about
    /// each. Demands and faults concern the last visit unless they name another. Default 1.
    pub(super) visits: Option<At<Several<At<VisitKeys>>>>,
    /// Virtual time after which the run ends. Default 300 s.
    pub(super) duration: Option<Value<Time>>,
    /// What must come of it; at least one demand.
    pub(super) expect: At<Vec<At<ExpectStep>>>,
}

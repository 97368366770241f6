//! Keys of visits, and of what the applications do in them.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::endpoint::Role;
use crate::scenario::text::{At, Bytes, Number, Time, Value};

/// One visit of the client.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "visit")]
pub(in crate::scenario) struct VisitKeys {
    /// Begins at this instant of the run, whatever has become of the visits before.
    pub(in crate::scenario) at: Option<Value<Time>>,
    /// Begins so long after the visit before has ended at the client. Default 1 s.
    pub(in crate::scenario) after: Option<Value<Time>>,
    /// Whether the client comes from the address of the visit before, which it has forgotten. Default false.
    pub(in crate::scenario) same_address: Option<bool>,
    /// Whether the client offers the session that it got last. Default false.
    pub(in crate::scenario) resume: Option<At<bool>>,
    /// Bytes to send as early data, before the handshake: 1 B to 16384 B. Default: none.
    pub(in crate::scenario) early_data: Option<Value<Bytes>>,
    /// What the applications do in this visit; keys that are not here are those of the whole scenario.
    pub(in crate::scenario) workload: Option<WorkloadKeys>,
}

/// What the applications do once established.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "workload")]
pub(in crate::scenario) struct WorkloadKeys {
    /// Messages the client sends; the server echoes each. Default 1.
    pub(in crate::scenario) messages: Option<Value<Number>>,
    /// Bytes of each: 1 B to 16384 B. Default 64 B.
    pub(in crate::scenario) size: Option<Value<Bytes>>,
    /// Time between them. Default 100 ms.
    pub(in crate::scenario) interval: Option<Value<Time>>,
    /// Who closes after the last echo. Default `client`.
    pub(in crate::scenario) close: Option<Closer>,
    /// Messages the server sends besides, of its own accord; the client does not echo them. Default 0.
    pub(in crate::scenario) server_messages: Option<Value<Number>>,
    /// New keys for sending, once (DTLS 1.3).
    pub(in crate::scenario) update_keys: Option<At<UpdateKeysKeys>>,
    /// Have an end ask its peer for connection IDs (DTLS 1.3).
    pub(in crate::scenario) request_connection_ids: Option<At<ConnectionIdKeys>>,
    /// Have an end give its peer connection IDs unasked (DTLS 1.3).
    pub(in crate::scenario) new_connection_ids: Option<At<NewConnectionIdKeys>>,
}

/// An update of keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "update-keys")]
pub(in crate::scenario) struct UpdateKeysKeys {
    /// Whose keys. Default `client`.
    pub(in crate::scenario) by: Option<Who>,
    /// After this many messages of the client. Default 1.
    pub(in crate::scenario) after: Option<Value<Number>>,
    /// Ask the peer to do the same. Default false.
    pub(in crate::scenario) request_peer: Option<bool>,
}

/// Connection IDs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "connection-ids")]
pub(in crate::scenario) struct ConnectionIdKeys {
    /// Which end. Default `client`.
    pub(in crate::scenario) by: Option<Who>,
    /// After this many messages of the client. Default 1.
    pub(in crate::scenario) after: Option<Value<Number>>,
    /// How many, 1 to 255. Default 1.
    pub(in crate::scenario) count: Option<Value<Number>>,
}

/// Connection IDs for the peer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "new-connection-ids")]
pub(in crate::scenario) struct NewConnectionIdKeys {
    /// Which end gives them. Default `client`.
    pub(in crate::scenario) by: Option<Who>,
    /// After this many messages of the client. Default 1.
    pub(in crate::scenario) after: Option<Value<Number>>,
    /// How many, 1 to 255. Default 1.
    pub(in crate::scenario) count: Option<Value<Number>>,
    /// The peer is to use them from now on, and none of before. Default false: spares.
    pub(in crate::scenario) immediate: Option<bool>,
}

/// One end, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "who")]
pub(in crate::scenario) enum Who {
    /// The client.
    #[default]
    Client,
    /// The server.
    Server,
    /// Each of them.
    Both,
}

impl Who {
    /// The ends, client first.
    pub(in crate::scenario) fn roles(self) -> &'static [Role] {
        match self {
            Self::Client => &[Role::Client],
            Self::Server => &[Role::Server],
            Self::Both => &Role::BOTH,
        }
    }
}

/// Who closes.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "closer")]
pub(in crate::scenario) enum Closer {
    /// The client.
    Client,
    /// The server.
    Server,
    /// Nobody.
    None,
}

//! Keys of credentials and endpoints: what the two ends are, and how they are set.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::endpoint::{ClientAuth, Group, PathMtu, PskMode, ResumeBy, ReturnRoutability};
use crate::pki::{IssuerKind, KeyKind};
use crate::scenario::text::{At, Bytes, Either, Number, ResumptionWord, Text, Time, Value};

/// Credentials with options.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "credentials")]
pub(in crate::scenario) struct CredentialsKeys {
    /// A server certificate of a given shape.
    pub(in crate::scenario) certificate: At<ChainKeys>,
}

/// Shape of a chain.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "chain")]
pub(in crate::scenario) struct ChainKeys {
    /// Key of the leaf. Default `ecdsa-p256`.
    pub(in crate::scenario) key: Option<KeyKind>,
    /// Key of root and intermediates. Default `ecdsa-p256`.
    pub(in crate::scenario) issuer: Option<IssuerKind>,
    /// Certificates sent, leaf included, root not: 1 to 6. Default 1.
    pub(in crate::scenario) certificates: Option<Value<Number>>,
    /// Exact bytes of the certificates together, reached by padding. Default: as small as they come.
    pub(in crate::scenario) size: Option<Value<Bytes>>,
    /// Names in the leaf. Default: the server's, or the client's. A client asks for the first of the server's.
    pub(in crate::scenario) names: Option<Vec<At<String>>>,
}

/// Options of the two ends.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "endpoints")]
pub(in crate::scenario) struct Endpoints {
    /// For both; the keys below take precedence.
    #[serde(default)]
    pub(in crate::scenario) both: EndpointKeys,
    /// For the client.
    #[serde(default)]
    pub(in crate::scenario) client: EndpointKeys,
    /// For the server.
    #[serde(default)]
    pub(in crate::scenario) server: EndpointKeys,
}

/// Options of one end; what is not given is left to the stack.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "endpoint")]
pub(in crate::scenario) struct EndpointKeys {
    /// Largest datagram to send, in bytes of UDP payload: 256 B to 65507 B. Default 1200 B.
    pub(in crate::scenario) mtu: Option<Value<Bytes>>,
    /// Server: answer the first ClientHello with a HelloVerifyRequest, or HelloRetryRequest. Default true.
    pub(in crate::scenario) cookie: Option<At<bool>>,
    /// Server: ask for a cookie if the stack can, and do without if it cannot. For scenarios of whatever stacks agree on.
    pub(in crate::scenario) any_cookie: Option<At<bool>>,
    /// Cipher suites in order of preference, IANA names without `TLS_`.
    pub(in crate::scenario) suites: Option<Vec<At<String>>>,
    /// Key exchange groups in order of preference.
    pub(in crate::scenario) groups: Option<Vec<At<Group>>>,
    /// The retransmission timer.
    pub(in crate::scenario) timer: Option<TimerKeys>,
    /// Time after which an unanswered flight ends the handshake.
    pub(in crate::scenario) give_up: Option<Value<Time>>,
    /// Server: give clients what they can resume by, `tickets` or `session-ids`. Default: nothing.
    pub(in crate::scenario) resumption: Option<At<Either<Text<ResumptionWord>, ResumptionKeys>>>,
    /// What goes with pre-shared keys and tickets in DTLS 1.3, in order of preference.
    pub(in crate::scenario) psk_modes: Option<At<Vec<PskMode>>>,
    /// Import the pre-shared key into DTLS 1.3 for this context (RFC 9258); both ends must, or neither.
    pub(in crate::scenario) psk_import: Option<At<String>>,
    /// Server: take early data of DTLS 1.3, so many bytes of it. Default: refuse it.
    pub(in crate::scenario) early_data: Option<At<Either<Text<Bytes>, EarlyDataKeys>>>,
    /// Server: ask clients for certificates. Default `none`.
    pub(in crate::scenario) client_auth: Option<At<ClientAuth>>,
    /// Client: show a certificate of this shape to a server that asks; `{}` is a small one.
    pub(in crate::scenario) certificate: Option<At<ChainKeys>>,
    /// Show keys without certificates (RFC 7250); both ends must, or neither. Default false.
    pub(in crate::scenario) raw_public_keys: Option<At<bool>>,
    /// Bytes of the connection ID to receive, 0 B to 255 B; `0 B` sends the peer's without an own one. Default: none.
    pub(in crate::scenario) connection_id: Option<Value<Bytes>>,
    /// Application protocols in order of preference (RFC 7301). Default: none, and no negotiation.
    pub(in crate::scenario) alpn: Option<Vec<At<String>>>,
    /// Longest plaintext to take in a protected record (RFC 8449), 64 B to 16384 B, with `dtls: 1.3` to 16385 B.
    pub(in crate::scenario) record_size_limit: Option<Value<Bytes>>,
    /// Client: ask for records of at most so much plaintext (RFC 6066 §4): 512 B, 1024 B, 2048 B or 4096 B.
    pub(in crate::scenario) max_fragment_length: Option<Value<Bytes>>,
    /// What to do about flights that get lost as if their datagrams were too large for the path. Default: as the stack does.
    pub(in crate::scenario) path_mtu: Option<At<PathMtu>>,
    /// How a new address of the peer is checked, with connection IDs. Default: as the stack does.
    pub(in crate::scenario) return_routability: Option<At<ReturnRoutability>>,
    /// Whether to follow the peer's newest record to its source address where that is not checked. Default false.
    pub(in crate::scenario) follow_unchecked: Option<At<bool>>,
}

/// Resumption with options.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "resumption")]
pub(in crate::scenario) struct ResumptionKeys {
    /// What clients resume by. Default `tickets`.
    pub(in crate::scenario) by: Option<ResumeBy>,
    /// Tickets that a client of DTLS 1.3 gets after each handshake.
    pub(in crate::scenario) count: Option<Value<Number>>,
    /// How long a session can be resumed.
    pub(in crate::scenario) lifetime: Option<Value<Time>>,
}

/// Early data with options.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "early-data")]
pub(in crate::scenario) struct EarlyDataKeys {
    /// Most bytes that the server takes. Default 16384 B.
    pub(in crate::scenario) max: Option<Value<Bytes>>,
    /// How far the age of a ticket may be off (RFC 8446 §8.3).
    pub(in crate::scenario) window: Option<Value<Time>>,
    /// Whether a hello with good early data needs no cookie where others do. Default false.
    pub(in crate::scenario) without_cookie: Option<bool>,
}

/// The retransmission timer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "timer")]
pub(in crate::scenario) struct TimerKeys {
    /// First timeout.
    pub(in crate::scenario) initial: Option<Value<Time>>,
    /// Cap of the doubling.
    pub(in crate::scenario) max: Option<Value<Time>>,
    /// Whether the round trip time, once it is known, takes the place of `initial`. Default: with `rtt-hint`.
    pub(in crate::scenario) adaptive: Option<At<bool>>,
    /// Round trip time to expect until one is measured.
    pub(in crate::scenario) rtt_hint: Option<Value<Time>>,
    /// Adaptive: least timeout. Default: as the stack does.
    pub(in crate::scenario) min: Option<Value<Time>>,
}

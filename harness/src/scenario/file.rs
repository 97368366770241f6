//! The language of scenario files: which keys there are and what stands behind them. The doc comments are the
//! descriptions of the JSON Schema.
//!
//! Only the shape is settled here; what the values mean together is settled by `lower`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{
    At, Bits, Bytes, Count, Either, Halves, Method, Number, Ordinals, Outcome, ResumptionWord, Seeds, Several, Share,
    Text, Thousandths, Time, Value,
};
use super::{Clock, Impairment, Order, Per};
use crate::dissect::{Content, Message};
use crate::endpoint::{ClientAuth, Dtls, Group, PskMode, ResumeBy, ReturnRoutability, Role};
use crate::pki::{IssuerKind, KeyKind};

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

/// Credentials with options.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "credentials")]
pub(super) struct CredentialsKeys {
    /// A server certificate of a given shape.
    pub(super) certificate: At<ChainKeys>,
}

/// Shape of a chain.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "chain")]
pub(super) struct ChainKeys {
    /// Key of the leaf. Default `ecdsa-p256`.
    pub(super) key: Option<KeyKind>,
    /// Key of root and intermediates. Default `ecdsa-p256`.
    pub(super) issuer: Option<IssuerKind>,
    /// Certificates sent, leaf included, root not: 1 to 6. Default 1.
    pub(super) certificates: Option<Value<Number>>,
    /// Exact bytes of the certificates together, reached by padding. Default: as small as they come.
    pub(super) size: Option<Value<Bytes>>,
    /// Names in the leaf. Default: the server's, or the client's. A client asks for the first of the server's.
    pub(super) names: Option<Vec<At<String>>>,
}

/// Options of the two ends.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "endpoints")]
pub(super) struct Endpoints {
    /// For both; the keys below take precedence.
    #[serde(default)]
    pub(super) both: EndpointKeys,
    /// For the client.
    #[serde(default)]
    pub(super) client: EndpointKeys,
    /// For the server.
    #[serde(default)]
    pub(super) server: EndpointKeys,
}

/// Options of one end; what is not given is left to the stack.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "endpoint")]
pub(super) struct EndpointKeys {
    /// Largest datagram to send, in bytes of UDP payload: 256 B to 65507 B. Default 1200 B.
    pub(super) mtu: Option<Value<Bytes>>,
    /// Server: answer the first ClientHello with a HelloVerifyRequest, or HelloRetryRequest. Default true.
    pub(super) cookie: Option<At<bool>>,
    /// Server: ask for a cookie if the stack can, and do without if it cannot. For scenarios of whatever stacks agree on.
    pub(super) any_cookie: Option<At<bool>>,
    /// Cipher suites in order of preference, IANA names without `TLS_`.
    pub(super) suites: Option<Vec<At<String>>>,
    /// Key exchange groups in order of preference.
    pub(super) groups: Option<Vec<At<Group>>>,
    /// The retransmission timer.
    pub(super) timer: Option<TimerKeys>,
    /// Time after which an unanswered flight ends the handshake.
    pub(super) give_up: Option<Value<Time>>,
    /// Server: give clients what they can resume by, `tickets` or `session-ids`. Default: nothing.
    pub(super) resumption: Option<At<Either<Text<ResumptionWord>, ResumptionKeys>>>,
    /// What goes with pre-shared keys and tickets in DTLS 1.3, in order of preference.
    pub(super) psk_modes: Option<At<Vec<PskMode>>>,
    /// Import the pre-shared key into DTLS 1.3 for this context (RFC 9258); both ends must, or neither.
    pub(super) psk_import: Option<At<String>>,
    /// Server: take early data of DTLS 1.3, so many bytes of it. Default: refuse it.
    pub(super) early_data: Option<At<Either<Text<Bytes>, EarlyDataKeys>>>,
    /// Server: ask clients for certificates. Default `none`.
    pub(super) client_auth: Option<At<ClientAuth>>,
    /// Client: show a certificate of this shape to a server that asks; `{}` is a small one.
    pub(super) certificate: Option<At<ChainKeys>>,
    /// Show keys without certificates (RFC 7250); both ends must, or neither. Default false.
    pub(super) raw_public_keys: Option<At<bool>>,
    /// Bytes of the connection ID to receive, 0 B to 255 B; `0 B` sends the peer's without an own one. Default: none.
    pub(super) connection_id: Option<Value<Bytes>>,
    /// Application protocols in order of preference (RFC 7301). Default: none, and no negotiation.
    pub(super) alpn: Option<Vec<At<String>>>,
    /// Longest plaintext to take in a protected record (RFC 8449), 64 B to 16384 B, with `dtls: 1.3` to 16385 B.
    pub(super) record_size_limit: Option<Value<Bytes>>,
    /// How a new address of the peer is checked, with connection IDs. Default: as the stack does.
    pub(super) return_routability: Option<At<ReturnRoutability>>,
    /// Whether to follow the peer's newest record to its source address where that is not checked. Default false.
    pub(super) follow_unchecked: Option<At<bool>>,
}

/// Resumption with options.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "resumption")]
pub(super) struct ResumptionKeys {
    /// What clients resume by. Default `tickets`.
    pub(super) by: Option<ResumeBy>,
    /// Tickets that a client of DTLS 1.3 gets after each handshake.
    pub(super) count: Option<Value<Number>>,
    /// How long a session can be resumed.
    pub(super) lifetime: Option<Value<Time>>,
}

/// Early data with options.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "early-data")]
pub(super) struct EarlyDataKeys {
    /// Most bytes that the server takes. Default 16384 B.
    pub(super) max: Option<Value<Bytes>>,
    /// How far the age of a ticket may be off (RFC 8446 §8.3).
    pub(super) window: Option<Value<Time>>,
    /// Whether a hello with good early data needs no cookie where others do. Default false.
    pub(super) without_cookie: Option<bool>,
}

/// The retransmission timer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "timer")]
pub(super) struct TimerKeys {
    /// First timeout.
    pub(super) initial: Option<Value<Time>>,
    /// Cap of the doubling.
    pub(super) max: Option<Value<Time>>,
}

/// The keys that describe a direction, in a struct of the given name with the given further keys.
macro_rules! link_struct {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        #[derive(Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        $(#[$meta])*
        pub(super) struct $name {
            $($(#[$field_meta])* pub(super) $field: $type,)*
            /// One-way delay after serialisation: `25 ms`, or with a random part.
            pub(super) delay: Option<At<Either<Text<Time>, DelayKeys>>>,
            /// Random loss: a share of all datagrams, or bursts.
            pub(super) loss: Option<At<Either<Text<Share>, BurstKeys>>>,
            /// Share of datagrams that arrive twice.
            pub(super) duplicate: Option<Value<Share>>,
            /// Random reordering.
            pub(super) reorder: Option<At<ReorderKeys>>,
            /// Rate of the bottleneck: `60 kbit/s`, or with the size of its queue.
            pub(super) rate: Option<At<Either<Text<Bits>, RateKeys>>>,
            /// Largest IP packet, IP and UDP headers (28 B) included; larger ones are dropped.
            pub(super) ip_mtu: Option<Value<Bytes>>,
            /// Whether delays that cross reorder (`free`) or not (`fifo`).
            pub(super) order: Option<Order>,
        }

        impl $name {
            /// The keys of a direction alone.
            pub(super) fn link(&self) -> Link<'_> {
                Link {
                    delay: self.delay.as_ref(),
                    loss: self.loss.as_ref(),
                    duplicate: self.duplicate.as_ref(),
                    reorder: self.reorder.as_ref(),
                    rate: self.rate.as_ref(),
                    ip_mtu: self.ip_mtu.as_ref(),
                    order: self.order,
                }
            }
        }
    };
}

/// The keys of a direction, wherever they stand.
#[derive(Clone, Copy)]
pub(super) struct Link<'a> {
    pub(super) delay: Option<&'a At<Either<Text<Time>, DelayKeys>>>,
    pub(super) loss: Option<&'a At<Either<Text<Share>, BurstKeys>>>,
    pub(super) duplicate: Option<&'a Value<Share>>,
    pub(super) reorder: Option<&'a At<ReorderKeys>>,
    pub(super) rate: Option<&'a At<Either<Text<Bits>, RateKeys>>>,
    pub(super) ip_mtu: Option<&'a Value<Bytes>>,
    pub(super) order: Option<Order>,
}

link_struct! {
    /// The link between the ends. Keys here hold for both directions, those under `up` and `down` for one.
    #[schemars(rename = "network")]
    NetworkKeys {
        /// Profile to start from; `windtunnel profiles` lists them. Default `ideal`.
        profile: Option<At<String>>,
        /// One transmitter at a time: both directions share the time on the air.
        half_duplex: Option<bool>,
        /// Client to server.
        up: Option<PipeKeys>,
        /// Server to client.
        down: Option<PipeKeys>,
        /// A NAT in front of the client: the server sees another address. `{}` is one that keeps its mappings.
        nat: Option<At<NatKeys>>,
        /// Hosts with links of their own, which must not disturb this one.
        bystanders: Option<Vec<At<BystanderKeys>>>,
    }
}

link_struct! {
    /// One direction of the link.
    #[schemars(rename = "direction")]
    PipeKeys {}
}

/// A NAT in front of the client. Replies to an address that it no longer maps are lost.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "nat")]
pub(super) struct NatKeys {
    /// Time without datagrams from the client after which it forgets a mapping. Default: never.
    pub(super) lifetime: Option<Value<Time>>,
    /// Instants of the run at which it forgets everything, so that the client comes from another port.
    pub(super) rebind_at: Option<Vec<Value<Time>>>,
}

/// A delay with a random part: `uniform`, or `median` and `sigma` of a log-normal.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "delay")]
pub(super) struct DelayKeys {
    /// Fixed part.
    pub(super) base: Option<Value<Time>>,
    /// Adds a uniform time from zero to this.
    pub(super) uniform: Option<Value<Time>>,
    /// Adds a log-normal time with this median.
    pub(super) median: Option<Value<Time>>,
    /// Standard deviation of its logarithm, as `0.6`.
    pub(super) sigma: Option<Value<Thousandths>>,
}

/// Loss in bursts (Gilbert-Elliott): two states, one step per datagram.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "bursts")]
pub(super) struct BurstKeys {
    /// Share of steps from the good state to the bad.
    pub(super) good_to_bad: Value<Share>,
    /// Share of steps from the bad state to the good.
    pub(super) bad_to_good: Value<Share>,
    /// Loss in the good state.
    pub(super) loss_good: Value<Share>,
    /// Loss in the bad state.
    pub(super) loss_bad: Value<Share>,
}

/// Random reordering.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "reorder")]
pub(super) struct ReorderKeys {
    /// Share of datagrams held back.
    pub(super) share: Value<Share>,
    /// Each leaves right after the next one of its direction, or after this time.
    pub(super) hold: Value<Time>,
}

/// A rate and its queue.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "bottleneck")]
pub(super) struct RateKeys {
    /// Bits per second of IP packets.
    pub(super) bits: Value<Bits>,
    /// Bytes that may wait; a datagram that does not fit is dropped. Default 16 kB.
    pub(super) queue: Option<Value<Bytes>>,
}

/// A host beside the pair.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "bystander")]
pub(super) struct BystanderKeys {
    /// Its name.
    pub(super) name: At<String>,
    /// Profile of its link, of which the uplink is used. Default `ideal`.
    pub(super) profile: Option<At<String>>,
    /// What it sends. Default: nothing.
    pub(super) traffic: Option<TrafficKeys>,
}

/// Traffic of a bystander.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "traffic")]
pub(super) struct TrafficKeys {
    /// Time between datagrams.
    pub(super) every: Value<Time>,
    /// Bytes of each.
    pub(super) size: Value<Bytes>,
}

/// The keys that pick datagrams, in a struct of the given name with the given further keys.
macro_rules! selector_struct {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        $(#[$meta])*
        pub(super) struct $name {
            /// Of this visit of the client, from 1. Default: the last.
            pub(super) visit: Option<Value<Number>>,
            /// Sent by this end.
            pub(super) from: Option<At<Role>>,
            /// Part of this flight: 1 to 6, by its place in the full handshake with cookie.
            pub(super) flight: Option<Value<Number>>,
            /// Carries (a fragment of) this message.
            pub(super) message: Option<At<Message>>,
            /// Carries the nth fragment of `message`, from 1.
            pub(super) fragment: Option<Value<Number>>,
            /// The nth transmission of what it carries, from 1: `1`, `1..2` or `2..`.
            pub(super) attempt: Option<Value<Ordinals>>,
            /// The nth datagram, from 1: of the flight's transmission if `flight` is given, else of the direction.
            pub(super) datagram: Option<Value<Number>>,
            /// Has a record of this epoch: 0 or 1; in DTLS 1.3 0, 2 or 3.
            pub(super) epoch: Option<Value<Number>>,
            /// Has a record of this content, as far as it can be read.
            pub(super) content: Option<At<Content>>,
            /// Sent at this instant of the run or later.
            pub(super) after_time: Option<Value<Time>>,
            /// Sent before this instant of the run.
            pub(super) before_time: Option<Value<Time>>,
            $($(#[$field_meta])* pub(super) $field: $type,)*
        }

        impl $name {
            /// The keys that pick datagrams alone.
            pub(super) fn picks(&self) -> Picks<'_> {
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

/// The keys that pick datagrams, wherever they stand.
#[derive(Clone, Copy)]
pub(super) struct Picks<'a> {
    pub(super) visit: Option<&'a Value<Number>>,
    pub(super) from: Option<&'a At<Role>>,
    pub(super) flight: Option<&'a Value<Number>>,
    pub(super) message: Option<&'a At<Message>>,
    pub(super) fragment: Option<&'a Value<Number>>,
    pub(super) attempt: Option<&'a Value<Ordinals>>,
    pub(super) datagram: Option<&'a Value<Number>>,
    pub(super) epoch: Option<&'a Value<Number>>,
    pub(super) content: Option<&'a At<Content>>,
    pub(super) after: Option<&'a Value<Time>>,
    pub(super) before: Option<&'a Value<Time>>,
}

/// A scripted fault.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "fault")]
pub(super) enum FaultStep {
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
pub(super) enum ReplaySource {
    /// An address of its own, which is the server's only clue. For what the client sends.
    Stranger,
    /// That of the original.
    Same,
}

/// A span of time in which nothing passes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "blackhole")]
pub(super) struct BlackholeKeys {
    /// Only what this end sends. Default: both.
    pub(super) from: Option<Role>,
    /// Begin, inclusive.
    pub(super) start: Value<Time>,
    /// End, exclusive.
    pub(super) end: Value<Time>,
    /// Whether a run in which this never strikes may pass. Default false.
    pub(super) optional: Option<bool>,
}

/// One visit of the client.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "visit")]
pub(super) struct VisitKeys {
    /// Begins at this instant of the run, whatever has become of the visits before.
    pub(super) at: Option<Value<Time>>,
    /// Begins so long after the visit before has ended at the client. Default 1 s.
    pub(super) after: Option<Value<Time>>,
    /// Whether the client comes from the address of the visit before, which it has forgotten. Default false.
    pub(super) same_address: Option<bool>,
    /// Whether the client offers the session that it got last. Default false.
    pub(super) resume: Option<At<bool>>,
    /// Bytes to send as early data, before the handshake: 1 B to 16384 B. Default: none.
    pub(super) early_data: Option<Value<Bytes>>,
    /// What the applications do in this visit; keys that are not here are those of the whole scenario.
    pub(super) workload: Option<WorkloadKeys>,
}

/// What the applications do once established.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "workload")]
pub(super) struct WorkloadKeys {
    /// Messages the client sends; the server echoes each. Default 1.
    pub(super) messages: Option<Value<Number>>,
    /// Bytes of each: 1 B to 16384 B. Default 64 B.
    pub(super) size: Option<Value<Bytes>>,
    /// Time between them. Default 100 ms.
    pub(super) interval: Option<Value<Time>>,
    /// Who closes after the last echo. Default `client`.
    pub(super) close: Option<Closer>,
    /// Messages the server sends besides, of its own accord; the client does not echo them. Default 0.
    pub(super) server_messages: Option<Value<Number>>,
    /// New keys for sending, once (DTLS 1.3).
    pub(super) update_keys: Option<At<UpdateKeysKeys>>,
    /// Have an end ask its peer for connection IDs (DTLS 1.3).
    pub(super) request_connection_ids: Option<At<ConnectionIdKeys>>,
    /// Have an end give its peer connection IDs unasked (DTLS 1.3).
    pub(super) new_connection_ids: Option<At<NewConnectionIdKeys>>,
}

/// An update of keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "update-keys")]
pub(super) struct UpdateKeysKeys {
    /// Whose keys. Default `client`.
    pub(super) by: Option<Who>,
    /// After this many messages of the client. Default 1.
    pub(super) after: Option<Value<Number>>,
    /// Ask the peer to do the same. Default false.
    pub(super) request_peer: Option<bool>,
}

/// Connection IDs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "connection-ids")]
pub(super) struct ConnectionIdKeys {
    /// Which end. Default `client`.
    pub(super) by: Option<Who>,
    /// After this many messages of the client. Default 1.
    pub(super) after: Option<Value<Number>>,
    /// How many, 1 to 255. Default 1.
    pub(super) count: Option<Value<Number>>,
}

/// Connection IDs for the peer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "new-connection-ids")]
pub(super) struct NewConnectionIdKeys {
    /// Which end gives them. Default `client`.
    pub(super) by: Option<Who>,
    /// After this many messages of the client. Default 1.
    pub(super) after: Option<Value<Number>>,
    /// How many, 1 to 255. Default 1.
    pub(super) count: Option<Value<Number>>,
    /// The peer is to use them from now on, and none of before. Default false: spares.
    pub(super) immediate: Option<bool>,
}

/// One end, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "who")]
pub(super) enum Who {
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
    pub(super) fn roles(self) -> &'static [Role] {
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
pub(super) enum Closer {
    /// The client.
    Client,
    /// The server.
    Server,
    /// Nobody.
    None,
}

/// A demand on the outcome.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "demand")]
pub(super) enum ExpectStep {
    /// How the handshake ends, and when.
    Handshake(At<Either<Text<Outcome>, HandshakeKeys>>),
    /// Clocks of the handshake in round trips, exactly. Needs a link with one fixed delay and no rate.
    RoundTrips(At<RoundTripKeys>),
    /// The flights on the wire in the order of their first appearance.
    Flights(At<Vec<Value<Number>>>),
    /// The messages of both ends in the order of their first appearance.
    Messages(At<Vec<Message>>),
    /// How often a flight is sent, and when.
    Transmissions(At<TransmissionKeys>),
    /// Each retransmission carries the whole flight, with the same `message_seq` and new record numbers.
    WholeFlight(At<WholeFlightKeys>),
    /// Retransmissions for which nothing had been lost.
    Spurious(At<Either<Text<Count>, SpuriousKeys>>),
    /// Sizes of the datagrams sent, in bytes of UDP payload.
    DatagramSize(At<SizeKeys>),
    /// Fragments of a message in one transmission.
    Fragments(At<FragmentKeys>),
    /// Workload messages that come back to the client unchanged, once each.
    Echo(At<Either<Text<Count>, CountKeys>>),
    /// How many datagrams of a kind are sent; `count: 0` demands their absence.
    Sent(Box<At<SentKeys>>),
    /// Alerts that can be read.
    Alert(At<AlertKeys>),
    /// Records an end reports as dropped quietly.
    Discards(At<Either<Text<Count>, DiscardKeys>>),
    /// An impairment happens.
    Struck(At<StruckKeys>),
    /// Each retransmission of a flight of DTLS 1.3 carries all that no ACK has acknowledged, and nothing else.
    Selective(At<WholeFlightKeys>),
    /// Messages of application data that the applications get, early data aside; `data: 0` demands that there are none.
    Data(At<Either<Text<Count>, DataKeys>>),
    /// What becomes of early data.
    EarlyData(At<EarlyDataDemandKeys>),
    /// What the ends agreed on. Only what is given is checked.
    Negotiated(At<NegotiatedKeys>),
    /// How often an end becomes sure that its peer has another address.
    Moved(At<Either<Text<Count>, MovedKeys>>),
    /// Demands on another visit than the last.
    Visit(At<VisitExpectKeys>),
}

/// Demands on a visit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "visit-demands")]
pub(super) struct VisitExpectKeys {
    /// Which visit, from 1.
    pub(super) number: Value<Number>,
    /// What must come of it.
    pub(super) expect: At<Vec<At<ExpectStep>>>,
}

/// Application data.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "delivered-data")]
pub(super) struct DataKeys {
    /// Only what this end gets.
    pub(super) to: Option<Role>,
    /// How many messages.
    pub(super) count: Value<Count>,
}

/// Early data.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "early-data-demand")]
pub(super) struct EarlyDataDemandKeys {
    /// How often the server's application gets some, in the whole run and whoever sent it.
    pub(super) delivered: Option<Value<Count>>,
    /// What the client is told of it.
    pub(super) answer: Option<EarlyDataAnswer>,
}

/// What a server does with early data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "early-data-answer")]
pub(super) enum EarlyDataAnswer {
    /// It takes it.
    Accepted,
    /// It drops it.
    Refused,
}

/// What the ends agreed on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "negotiated")]
pub(super) struct NegotiatedKeys {
    /// Only this end. Default: both.
    pub(super) who: Option<Role>,
    /// Whether the association continues an earlier session.
    pub(super) resumed: Option<bool>,
    /// Whether it says whom it has authenticated.
    pub(super) peer: Option<bool>,
    /// Application protocol; empty for none.
    pub(super) alpn: Option<At<String>>,
}

/// Changes of address.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "moved")]
pub(super) struct MovedKeys {
    /// Only by this end.
    pub(super) by: Option<Role>,
    /// How many.
    pub(super) count: Value<Count>,
}

/// A result with bounds on its instant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "handshake")]
pub(super) struct HandshakeKeys {
    /// How it ends.
    pub(super) result: Value<Outcome>,
    /// Only this end. Default: both.
    pub(super) who: Option<Role>,
    /// Exactly at this instant of the run.
    pub(super) at: Option<Value<Time>>,
    /// Not before this instant.
    pub(super) after: Option<Value<Time>>,
    /// Not after this instant.
    pub(super) within: Option<Value<Time>>,
}

/// Clocks of the handshake, from the first ClientHello datagram.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "round-trip-clocks")]
pub(super) struct RoundTripKeys {
    /// Until the client may send application data.
    pub(super) app_send: Option<Value<Halves>>,
    /// Until the client has the first application reply.
    pub(super) app_reply: Option<Value<Halves>>,
    /// Until the server has verified the client's Finished.
    pub(super) server_done: Option<Value<Halves>>,
    /// Until the client knows that its last flight arrived.
    pub(super) confirmed: Option<Value<Halves>>,
}

impl RoundTripKeys {
    /// Those given.
    pub(super) fn clocks(&self) -> impl Iterator<Item = (Clock, &Value<Halves>)> {
        [
            (Clock::AppSend, &self.app_send),
            (Clock::AppReply, &self.app_reply),
            (Clock::ServerDone, &self.server_done),
            (Clock::Confirmed, &self.confirmed),
        ]
        .into_iter()
        .filter_map(|(clock, value)| Some((clock, value.as_ref()?)))
    }
}

/// Transmissions of a flight.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "transmissions")]
pub(super) struct TransmissionKeys {
    /// Which flight.
    pub(super) flight: Value<Number>,
    /// How often. Default: as many as `at` or `gaps` say.
    pub(super) count: Option<Value<Count>>,
    /// Exactly at these instants of the run.
    pub(super) at: Option<At<Vec<Value<Time>>>>,
    /// Exactly these times between consecutive transmissions.
    pub(super) gaps: Option<At<Vec<Value<Time>>>>,
}

/// A flight that is repeated as a whole.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "whole-flight")]
pub(super) struct WholeFlightKeys {
    /// Which flight.
    pub(super) flight: Value<Number>,
    /// Retransmissions there must be for this to mean something. Default 1.
    pub(super) at_least: Option<Value<Number>>,
}

/// Spurious retransmissions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "spurious")]
pub(super) struct SpuriousKeys {
    /// Only those of this end.
    pub(super) from: Option<Role>,
    /// How many.
    pub(super) count: Value<Count>,
}

/// Datagram sizes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "datagram-size")]
pub(super) struct SizeKeys {
    /// Only those of this end.
    pub(super) from: Option<Role>,
    /// None is larger.
    pub(super) at_most: Option<Value<Bytes>>,
    /// One is at least this large.
    pub(super) reaches: Option<Value<Bytes>>,
}

/// Fragments of a message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "fragments")]
pub(super) struct FragmentKeys {
    /// Which message.
    pub(super) message: At<Message>,
    /// How many.
    pub(super) count: Value<Count>,
}

/// A count.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "counted")]
pub(super) struct CountKeys {
    /// How many.
    pub(super) count: Value<Count>,
}

selector_struct! {
    /// Datagrams and their number.
    #[schemars(rename = "sent")]
    SentKeys {
        /// Has a record with the nth connection ID of the other end's to be seen, from 1.
        connection_id: Option<Value<Number>>,
        /// How many.
        count: Value<Count>,
    }
}

/// Alerts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "alert")]
pub(super) struct AlertKeys {
    /// Only those of this end.
    pub(super) from: Option<Role>,
    /// Name in RFC 5246 §7.2, as `bad_certificate`.
    pub(super) description: At<String>,
    /// How many. Default: at least one.
    pub(super) count: Option<Value<Count>>,
}

/// Records dropped quietly.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "discards")]
pub(super) struct DiscardKeys {
    /// Only by this end.
    pub(super) by: Option<Role>,
    /// How many.
    pub(super) count: Value<Count>,
}

/// An impairment and its number.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "struck")]
pub(super) struct StruckKeys {
    /// Which kind.
    pub(super) impairment: At<Impairment>,
    /// How many. Default: at least one.
    pub(super) count: Option<Value<Count>>,
    /// In each run, or in all seeds together. Default `run`.
    pub(super) per: Option<At<Per>>,
}

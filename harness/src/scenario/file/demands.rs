//! Keys of demands on the outcome.

use schemars::JsonSchema;
use serde::Deserialize;

use super::selector::{Picks, selector_struct};
use crate::dissect::{Content, Message};
use crate::endpoint::Role;
use crate::scenario::text::{At, Bytes, Count, Either, Halves, Number, Ordinals, Outcome, Text, Time, Value};
use crate::scenario::{Clock, Impairment, Per};

/// A demand on the outcome.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "demand")]
pub(in crate::scenario) enum ExpectStep {
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
pub(in crate::scenario) struct VisitExpectKeys {
    /// Which visit, from 1.
    pub(in crate::scenario) number: Value<Number>,
    /// What must come of it.
    pub(in crate::scenario) expect: At<Vec<At<ExpectStep>>>,
}

/// Application data.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "delivered-data")]
pub(in crate::scenario) struct DataKeys {
    /// Only what this end gets.
    pub(in crate::scenario) to: Option<Role>,
    /// How many messages.
    pub(in crate::scenario) count: Value<Count>,
}

/// Early data.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "early-data-demand")]
pub(in crate::scenario) struct EarlyDataDemandKeys {
    /// How often the server's application gets some, in the whole run and whoever sent it.
    pub(in crate::scenario) delivered: Option<Value<Count>>,
    /// What the client is told of it.
    pub(in crate::scenario) answer: Option<EarlyDataAnswer>,
}

/// What a server does with early data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "early-data-answer")]
pub(in crate::scenario) enum EarlyDataAnswer {
    /// It takes it.
    Accepted,
    /// It drops it.
    Refused,
}

/// What the ends agreed on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "negotiated")]
pub(in crate::scenario) struct NegotiatedKeys {
    /// Only this end. Default: both.
    pub(in crate::scenario) who: Option<Role>,
    /// Whether the association continues an earlier session.
    pub(in crate::scenario) resumed: Option<bool>,
    /// Whether it says whom it has authenticated.
    pub(in crate::scenario) peer: Option<bool>,
    /// Application protocol; empty for none.
    pub(in crate::scenario) alpn: Option<At<String>>,
}

/// Changes of address.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "moved")]
pub(in crate::scenario) struct MovedKeys {
    /// Only by this end.
    pub(in crate::scenario) by: Option<Role>,
    /// How many.
    pub(in crate::scenario) count: Value<Count>,
}

/// A result with bounds on its instant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "handshake")]
pub(in crate::scenario) struct HandshakeKeys {
    /// How it ends.
    pub(in crate::scenario) result: Value<Outcome>,
    /// Only this end. Default: both.
    pub(in crate::scenario) who: Option<Role>,
    /// Exactly at this instant of the run.
    pub(in crate::scenario) at: Option<Value<Time>>,
    /// Not before this instant.
    pub(in crate::scenario) after: Option<Value<Time>>,
    /// Not after this instant.
    pub(in crate::scenario) within: Option<Value<Time>>,
}

/// Clocks of the handshake, from the first ClientHello datagram.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "round-trip-clocks")]
pub(in crate::scenario) struct RoundTripKeys {
    /// Until the client may send application data.
    pub(in crate::scenario) app_send: Option<Value<Halves>>,
    /// Until the client has the first application reply.
    pub(in crate::scenario) app_reply: Option<Value<Halves>>,
    /// Until the server has verified the client's Finished.
    pub(in crate::scenario) server_done: Option<Value<Halves>>,
    /// Until the client knows that its last flight arrived.
    pub(in crate::scenario) confirmed: Option<Value<Halves>>,
}

impl RoundTripKeys {
    /// Those given.
    pub(in crate::scenario) fn clocks(&self) -> impl Iterator<Item = (Clock, &Value<Halves>)> {
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
pub(in crate::scenario) struct TransmissionKeys {
    /// Which flight.
    pub(in crate::scenario) flight: Value<Number>,
    /// How often. Default: as many as `at` or `gaps` say.
    pub(in crate::scenario) count: Option<Value<Count>>,
    /// Exactly at these instants of the run.
    pub(in crate::scenario) at: Option<At<Vec<Value<Time>>>>,
    /// Exactly these times between consecutive transmissions.
    pub(in crate::scenario) gaps: Option<At<Vec<Value<Time>>>>,
}

/// A flight that is repeated as a whole.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "whole-flight")]
pub(in crate::scenario) struct WholeFlightKeys {
    /// Which flight.
    pub(in crate::scenario) flight: Value<Number>,
    /// Retransmissions there must be for this to mean something. Default 1.
    pub(in crate::scenario) at_least: Option<Value<Number>>,
}

/// Spurious retransmissions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "spurious")]
pub(in crate::scenario) struct SpuriousKeys {
    /// Only those of this end.
    pub(in crate::scenario) from: Option<Role>,
    /// How many.
    pub(in crate::scenario) count: Value<Count>,
}

/// Datagram sizes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "datagram-size")]
pub(in crate::scenario) struct SizeKeys {
    /// Only those of this end.
    pub(in crate::scenario) from: Option<Role>,
    /// None is larger.
    pub(in crate::scenario) at_most: Option<Value<Bytes>>,
    /// One is at least this large.
    pub(in crate::scenario) reaches: Option<Value<Bytes>>,
}

/// Fragments of a message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "fragments")]
pub(in crate::scenario) struct FragmentKeys {
    /// Which message.
    pub(in crate::scenario) message: At<Message>,
    /// How many.
    pub(in crate::scenario) count: Value<Count>,
}

/// A count.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "counted")]
pub(in crate::scenario) struct CountKeys {
    /// How many.
    pub(in crate::scenario) count: Value<Count>,
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
pub(in crate::scenario) struct AlertKeys {
    /// Only those of this end.
    pub(in crate::scenario) from: Option<Role>,
    /// Name in RFC 5246 §7.2, as `bad_certificate`.
    pub(in crate::scenario) description: At<String>,
    /// How many. Default: at least one.
    pub(in crate::scenario) count: Option<Value<Count>>,
}

/// Records dropped quietly.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "discards")]
pub(in crate::scenario) struct DiscardKeys {
    /// Only by this end.
    pub(in crate::scenario) by: Option<Role>,
    /// How many.
    pub(in crate::scenario) count: Value<Count>,
}

/// An impairment and its number.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "struck")]
pub(in crate::scenario) struct StruckKeys {
    /// Which kind.
    pub(in crate::scenario) impairment: At<Impairment>,
    /// How many. Default: at least one.
    pub(in crate::scenario) count: Option<Value<Count>>,
    /// In each run, or in all seeds together. Default `run`.
    pub(in crate::scenario) per: Option<At<Per>>,
}

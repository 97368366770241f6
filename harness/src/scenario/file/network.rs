//! Keys of the network: the link, its two directions, a NAT, and hosts beside the pair.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scenario::Order;
use crate::scenario::text::{At, Bits, Bytes, Either, Share, Text, Thousandths, Time, Value};

/// The keys that describe a direction, in a struct of the given name with the given further keys.
macro_rules! link_struct {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        #[derive(Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        $(#[$meta])*
        pub(in crate::scenario) struct $name {
            $($(#[$field_meta])* pub(in crate::scenario) $field: $type,)*
            /// One-way delay after serialisation: `25 ms`, or with a random part.
            pub(in crate::scenario) delay: Option<At<Either<Text<Time>, DelayKeys>>>,
            /// Random loss: a share of all datagrams, or bursts.
            pub(in crate::scenario) loss: Option<At<Either<Text<Share>, BurstKeys>>>,
            /// Share of datagrams that arrive twice.
            pub(in crate::scenario) duplicate: Option<Value<Share>>,
            /// Random reordering.
            pub(in crate::scenario) reorder: Option<At<ReorderKeys>>,
            /// Rate of the bottleneck: `60 kbit/s`, or with the size of its queue.
            pub(in crate::scenario) rate: Option<At<Either<Text<Bits>, RateKeys>>>,
            /// Largest IP packet, IP and UDP headers (28 B) included; larger ones are dropped.
            pub(in crate::scenario) ip_mtu: Option<Value<Bytes>>,
            /// Whether their sender is told, by ICMP, after the fixed part of the delay. Default false.
            pub(in crate::scenario) tells_too_big: Option<bool>,
            /// Whether delays that cross reorder (`free`) or not (`fifo`).
            pub(in crate::scenario) order: Option<Order>,
        }

        impl $name {
            /// The keys of a direction alone.
            pub(in crate::scenario) fn link(&self) -> Link<'_> {
                Link {
                    delay: self.delay.as_ref(),
                    loss: self.loss.as_ref(),
                    duplicate: self.duplicate.as_ref(),
                    reorder: self.reorder.as_ref(),
                    rate: self.rate.as_ref(),
                    ip_mtu: self.ip_mtu.as_ref(),
                    tells_too_big: self.tells_too_big,
                    order: self.order,
                }
            }
        }
    };
}

/// The keys of a direction, wherever they stand.
#[derive(Clone, Copy)]
pub(in crate::scenario) struct Link<'a> {
    pub(in crate::scenario) delay: Option<&'a At<Either<Text<Time>, DelayKeys>>>,
    pub(in crate::scenario) loss: Option<&'a At<Either<Text<Share>, BurstKeys>>>,
    pub(in crate::scenario) duplicate: Option<&'a Value<Share>>,
    pub(in crate::scenario) reorder: Option<&'a At<ReorderKeys>>,
    pub(in crate::scenario) rate: Option<&'a At<Either<Text<Bits>, RateKeys>>>,
    pub(in crate::scenario) tells_too_big: Option<bool>,
    pub(in crate::scenario) ip_mtu: Option<&'a Value<Bytes>>,
    pub(in crate::scenario) order: Option<Order>,
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
pub(in crate::scenario) struct NatKeys {
    /// Time without datagrams from the client after which it forgets a mapping. Default: never.
    pub(in crate::scenario) lifetime: Option<Value<Time>>,
    /// Instants of the run at which it forgets everything, so that the client comes from another port.
    pub(in crate::scenario) rebind_at: Option<Vec<Value<Time>>>,
}

/// A delay with a random part: `uniform`, or `median` and `sigma` of a log-normal.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "delay")]
pub(in crate::scenario) struct DelayKeys {
    /// Fixed part.
    pub(in crate::scenario) base: Option<Value<Time>>,
    /// Adds a uniform time from zero to this.
    pub(in crate::scenario) uniform: Option<Value<Time>>,
    /// Adds a log-normal time with this median.
    pub(in crate::scenario) median: Option<Value<Time>>,
    /// Standard deviation of its logarithm, as `0.6`.
    pub(in crate::scenario) sigma: Option<Value<Thousandths>>,
}

/// Loss in bursts (Gilbert-Elliott): two states, one step per datagram.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "bursts")]
pub(in crate::scenario) struct BurstKeys {
    /// Share of steps from the good state to the bad.
    pub(in crate::scenario) good_to_bad: Value<Share>,
    /// Share of steps from the bad state to the good.
    pub(in crate::scenario) bad_to_good: Value<Share>,
    /// Loss in the good state.
    pub(in crate::scenario) loss_good: Value<Share>,
    /// Loss in the bad state.
    pub(in crate::scenario) loss_bad: Value<Share>,
}

/// Random reordering.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "reorder")]
pub(in crate::scenario) struct ReorderKeys {
    /// Share of datagrams held back.
    pub(in crate::scenario) share: Value<Share>,
    /// Each leaves right after the next one of its direction, or after this time.
    pub(in crate::scenario) hold: Value<Time>,
}

/// A rate and its queue.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "bottleneck")]
pub(in crate::scenario) struct RateKeys {
    /// Bits per second of IP packets.
    pub(in crate::scenario) bits: Value<Bits>,
    /// Bytes that may wait; a datagram that does not fit is dropped. Default 16 kB.
    pub(in crate::scenario) queue: Option<Value<Bytes>>,
}

/// A host beside the pair.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "bystander")]
pub(in crate::scenario) struct BystanderKeys {
    /// Its name.
    pub(in crate::scenario) name: At<String>,
    /// Profile of its link, of which the uplink is used. Default `ideal`.
    pub(in crate::scenario) profile: Option<At<String>>,
    /// What it sends. Default: nothing.
    pub(in crate::scenario) traffic: Option<TrafficKeys>,
}

/// Traffic of a bystander.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "traffic")]
pub(in crate::scenario) struct TrafficKeys {
    /// Time between datagrams.
    pub(in crate::scenario) every: Value<Time>,
    /// Bytes of each.
    pub(in crate::scenario) size: Value<Bytes>,
}

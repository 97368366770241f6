//! Flights: messages sent together, repeated together, and answered together (RFC 6347 §4.2.4).
//!
//! A flight is kept as messages, not as records, so that each transmission can be cut for the MTU of the moment and
//! takes new record numbers. [`packing`] cuts, as small as [`datagram_limit`] says; [`retransmitter`] decides when, by
//! [`timing`]; [`reassembly`] puts the peer's fragments together again. Records, keys and what messages mean are elsewhere.

pub(crate) mod ack;
pub(crate) mod datagram_limit;
pub(crate) mod few;
pub(crate) mod packing;
mod ranges;
pub(crate) mod reassembly;
pub(crate) mod retransmitter;
pub(crate) mod timing;
pub(crate) mod tracked;
pub(crate) mod transmissions;

use crate::wire::HandshakeType;

/// One part of a flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FlightItem {
    /// A handshake message.
    Message {
        /// Epoch it is sent in, also when repeated (RFC 6347 §4.1).
        epoch: u64,
        message_type: HandshakeType,
        message_seq: u16,
        body: Vec<u8>,
    },
    /// ChangeCipherSpec: belongs to the flight of the Finished that follows it (RFC 6347 §4.2.5).
    ChangeCipherSpec {
        /// The epoch it ends.
        epoch: u64,
    },
}

/// A flight to send, and to send again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutgoingFlight {
    pub(crate) items: Vec<FlightItem>,
}

impl OutgoingFlight {
    /// Number of handshake messages.
    pub(crate) fn messages(&self) -> u16 {
        self.items.iter().filter(|item| matches!(item, FlightItem::Message { .. })).count() as u16
    }

    /// The same messages under later numbers.
    pub(crate) fn renumbered(&self, by: u16) -> Self {
        let mut flight = self.clone();
        for item in &mut flight.items {
            if let FlightItem::Message { message_seq, .. } = item {
                *message_seq = message_seq.wrapping_add(by);
            }
        }
        flight
    }
}

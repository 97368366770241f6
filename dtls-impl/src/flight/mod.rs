//! Flights: messages sent together, repeated together, and answered together (RFC 6347 §4.2.4).
//!
//! A flight is kept as messages, not as records, so that each transmission can be cut for the MTU of the moment and
//! takes new record numbers. [`packing`] cuts, [`retransmitter`] decides when, [`reassembly`] puts the peer's fragments
//! together again. Records, keys and what messages mean are elsewhere.

pub(crate) mod packing;
pub(crate) mod reassembly;
pub(crate) mod retransmitter;

use crate::handshake::transcript::Transcript;
use crate::wire::{HandshakeHeader, HandshakeType, Writer};

/// One part of a flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FlightItem {
    /// A handshake message.
    Message {
        /// Epoch it is sent in, also when repeated (RFC 6347 §4.1).
        epoch: u16,
        message_type: HandshakeType,
        message_seq: u16,
        body: Vec<u8>,
    },
    /// ChangeCipherSpec: belongs to the flight of the Finished that follows it (RFC 6347 §4.2.5).
    ChangeCipherSpec {
        /// The epoch it ends.
        epoch: u16,
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

    /// The first message alone.
    pub(crate) fn first_only(&self) -> Self {
        Self { items: self.items.iter().take(1).cloned().collect() }
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

/// Builds a flight: numbers its messages and feeds them to the transcript.
#[derive(Debug)]
pub(crate) struct FlightBuilder<'t> {
    transcript: &'t mut Transcript,
    epoch: u16,
    next_message_seq: u16,
    items: Vec<FlightItem>,
}

impl<'t> FlightBuilder<'t> {
    /// A flight in epoch 0 whose first message gets this number.
    pub(crate) const fn new(transcript: &'t mut Transcript, next_message_seq: u16) -> Self {
        Self { transcript, epoch: 0, next_message_seq, items: Vec::new() }
    }

    /// Adds a message.
    pub(crate) fn message(&mut self, message_type: HandshakeType, body: Vec<u8>) {
        let message_seq = self.next_message_seq;
        self.next_message_seq = message_seq.wrapping_add(1);
        self.transcript.add(message_type, message_seq, &body);
        self.items.push(FlightItem::Message { epoch: self.epoch, message_type, message_seq, body });
    }

    /// Adds a ChangeCipherSpec; what follows is sent in the next epoch.
    pub(crate) fn change_cipher_spec(&mut self) {
        self.items.push(FlightItem::ChangeCipherSpec { epoch: self.epoch });
        self.epoch += 1;
    }

    /// The transcript up to here.
    pub(crate) const fn transcript(&self) -> &Transcript {
        self.transcript
    }

    /// The flight, and the number of the message after it.
    pub(crate) fn finish(self) -> (OutgoingFlight, u16) {
        (OutgoingFlight { items: self.items }, self.next_message_seq)
    }
}

/// Header of a message in one piece followed by its body: what transcripts hash (RFC 6347 §4.2.6).
pub(crate) fn whole_header(message_type: HandshakeType, message_seq: u16, body: &[u8]) -> Vec<u8> {
    let mut w = Writer::new();
    HandshakeHeader::whole(message_type, message_seq, body.len() as u32).emit(&mut w);
    w.into_bytes()
}

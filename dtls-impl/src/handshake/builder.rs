//! Building a flight: its messages get their numbers and enter the transcript in one step, so that neither can be
//! forgotten.

use super::transcript::Transcript;
use crate::flight::{FlightItem, OutgoingFlight};
use crate::wire::HandshakeType;

/// Room to make for the messages of a flight; few have more.
const ITEMS_USUAL: usize = 5;

/// A flight in the making.
#[derive(Debug)]
pub(crate) struct FlightBuilder<'t> {
    transcript: &'t mut Transcript,
    epoch: u64,
    next_message_seq: u16,
    items: Vec<FlightItem>,
}

impl<'t> FlightBuilder<'t> {
    /// A flight in epoch 0 whose first message gets this number.
    pub(crate) fn new(transcript: &'t mut Transcript, next_message_seq: u16) -> Self {
        Self { transcript, epoch: 0, next_message_seq, items: Vec::with_capacity(ITEMS_USUAL) }
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

    /// What follows is sent in this epoch.
    pub(crate) const fn epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
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

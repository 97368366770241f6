//! What handshakes act on: outgoing flights, alerts and data become records here, and output waits to be polled.
//!
//! Owns the sending side (numbers, keys, timer), and the queue of outputs. What is received is [`inbound`]'s.

pub(crate) mod inbound;
mod path;

use std::collections::VecDeque;

use self::inbound::Inbound;
use crate::config::{Common, MTU_MAX};
use crate::error::Error;
use crate::event::{DiscardReason, Event, Output};
use crate::flight::datagram_limit::DatagramLimit;
use crate::flight::packing::{self, DATAGRAM_LEN_USUAL, PlannedRecord};
use crate::flight::reassembly::Reassembly;
use crate::flight::retransmitter::Retransmitter;
use crate::flight::timing::Rule;
use crate::flight::transmissions::Transmissions;
use crate::flight::{FlightItem, OutgoingFlight};
use crate::ids::ConnectionIds;
use crate::mutation::{Mutated, Mutation};
use crate::path::Paths;
use crate::record::protection12::{Opener, Sealer, overhead_with_cid};
use crate::record::seq::{RecordSeq, SeqCounter};
use crate::terms::Terms;
use crate::time::Instant;
use crate::wire::{
    Alert, AlertDescription, AlertLevel, ContentType, HandshakeType, ProtocolVersion, RECORD_HEADER_LEN, RecordHeader,
};

/// What follows a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlightKind {
    /// The peer must answer it: it is repeated by timer.
    Awaited,
    /// Nothing: it is repeated when the peer repeats its own.
    Last,
}

/// Room that a datagram has beside the peer's connection ID, whatever the MTU: for headers, protection, and a piece of a
/// message. Only connection IDs of more than half the smallest MTU make datagrams longer than the MTU.
pub(crate) const ROOM_BESIDE_CID_MIN: usize = 128;

/// The sending side: an epoch without protection, and one with.
#[derive(Debug)]
struct Outbound {
    /// Epoch of alerts and data; flights know their own.
    epoch: u64,
    numbers: [SeqCounter; 2],
    sealer: Option<Sealer>,
    /// The peer's connection ID; empty for none.
    connection_id: Vec<u8>,
}

impl Outbound {
    /// Bytes of a record beyond its plaintext.
    fn overhead(&self, epoch: u64) -> usize {
        let sealer = self.sealer.as_ref().filter(|_| epoch != 0);
        let protection = sealer.map_or(0, |sealer| overhead_with_cid(sealer.algorithm(), &self.connection_id));
        RECORD_HEADER_LEN + protection
    }

    /// Appends a record under the epoch's next number. Its plaintext comes in two parts.
    fn record(
        &mut self,
        content_type: ContentType,
        epoch: u64,
        plaintext: [&[u8]; 2],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let counter = &mut self.numbers[usize::from(epoch != 0)];
        // DTLS 1.2 without renegotiation has two epochs.
        let epoch = u16::from(epoch != 0);
        let seq = counter.take().ok_or(Error::SequenceExhausted)?.get();
        match &self.sealer {
            Some(sealer) if epoch != 0 && !self.connection_id.is_empty() => {
                let inner = (content_type.0, 0);
                sealer
                    .seal_parts_with_cid(&self.connection_id, inner, epoch, seq, plaintext, out)
                    .map_err(Error::Crypto)
            }
            Some(sealer) if epoch != 0 => {
                sealer.seal_parts(content_type.0, epoch, seq, plaintext, out).map_err(Error::Crypto)
            }
            _ => {
                let header = RecordHeader { content_type, version: ProtocolVersion::DTLS1_2, epoch, seq };
                out.extend_from_slice(&header.to_bytes((plaintext[0].len() + plaintext[1].len()) as u16));
                plaintext.iter().for_each(|part| out.extend_from_slice(part));
                Ok(())
            }
        }
    }
}

/// One end's view of the association below the handshake.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) now: Instant,
    pub(crate) mutated: Mutated,
    pub(crate) inbound: Inbound,
    pub(crate) retransmitter: Retransmitter,
    pub(crate) ids: ConnectionIds,
    pub(crate) paths: Paths,
    /// Bytes of the datagram in hand that `paths` has not been told of.
    pub(crate) uncounted: usize,
    limit: DatagramLimit,
    transmissions: Transmissions,
    pub(crate) terms: Terms,
    outbound: Outbound,
    outputs: VecDeque<Output>,
    next_message_seq: u16,
    /// Mutation: the datagrams of the flight as first sent.
    datagrams_sent: Vec<Vec<u8>>,
}

impl Link {
    /// `peer` is the peer's address, if it is known.
    pub(crate) fn new(common: &Common, peer: Option<Vec<u8>>, now: Instant) -> Self {
        let mutated = common.mutated();
        let mtu = if mutated.by(Mutation::IgnoreMtu) { MTU_MAX } else { common.mtu };
        Self {
            now,
            mutated,
            inbound: Inbound::new(Reassembly::new(0, mutated.by(Mutation::IgnoreFragmentOffsets))),
            retransmitter: Retransmitter::new(common.timers, Rule::Rfc6298, mutated),
            ids: ConnectionIds::default(),
            paths: Paths::new(common, peer),
            uncounted: 0,
            limit: DatagramLimit::new(mtu, common.path_mtu),
            transmissions: Transmissions::default(),
            terms: Terms::default(),
            outbound: Outbound {
                epoch: 0,
                numbers: [SeqCounter::new(), SeqCounter::new()],
                sealer: None,
                connection_id: Vec::new(),
            },
            outputs: VecDeque::new(),
            next_message_seq: 0,
            datagrams_sent: Vec::new(),
        }
    }

    /// A server that kept no state goes on where the ClientHello is: its record number and `message_seq` are those of
    /// the answer (RFC 6347 §4.2.1).
    pub(crate) fn start_at(&mut self, record_seq: u64, message_seq: u16) {
        if let Some(first) = RecordSeq::new(record_seq) {
            self.outbound.numbers[0] = SeqCounter::starting_at(first);
        }
        self.next_message_seq = message_seq;
        let ignore_offsets = self.mutated.by(Mutation::IgnoreFragmentOffsets);
        self.inbound.reassembly = Reassembly::new(message_seq, ignore_offsets);
    }

    /// Takes over a flight that has been sent.
    pub(crate) fn adopt_flight(&mut self, (flight, next_message_seq): (OutgoingFlight, u16)) {
        self.next_message_seq = next_message_seq;
        self.retransmitter.adopt(self.now, flight);
    }

    /// Takes over records that wait to be polled.
    pub(crate) fn adopt_outputs(&mut self, outputs: VecDeque<Output>) {
        self.outputs.extend(outputs);
    }

    pub(crate) const fn next_message_seq(&self) -> u16 {
        self.next_message_seq
    }

    /// Number of the next record without protection; that of none once all are used.
    pub(crate) fn next_plain_record(&self) -> u64 {
        self.outbound.numbers[0].peek().map_or(u64::MAX, RecordSeq::get)
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(crate) fn discard(&mut self, reason: DiscardReason) {
        self.event(Event::Discarded(reason));
    }

    pub(crate) fn datagram(&mut self, datagram: Vec<u8>) {
        self.outputs.push_back(Output::Datagram(datagram));
    }

    /// The keys of epoch 1 are known. They are used for reading once the peer's ChangeCipherSpec is there, for writing
    /// by a flight that has one.
    pub(crate) fn install_keys(&mut self, (sealer, opener): (Sealer, Opener)) {
        self.outbound.sealer = Some(sealer);
        self.install_opener(opener);
    }

    /// As [`install_keys`](Self::install_keys), for writing only: there is still a message of epoch 0 to come.
    pub(crate) fn install_sealer(&mut self, sealer: Sealer) {
        self.outbound.sealer = Some(sealer);
    }

    /// No more message of epoch 0 is to come.
    pub(crate) fn install_opener(&mut self, opener: Opener) {
        self.inbound.next_keys = Some(opener);
    }

    /// Sends a flight for the first time: the one before it has been answered.
    pub(crate) fn send_flight(
        &mut self,
        (flight, next_message_seq): (OutgoingFlight, u16),
        kind: FlightKind,
    ) -> Result<(), Error> {
        self.next_message_seq = next_message_seq;
        self.inbound.on_flight_answered();
        let changes_epoch = flight.items.iter().any(|item| matches!(item, FlightItem::ChangeCipherSpec { .. }));
        match kind {
            FlightKind::Awaited => self.retransmitter.start(self.now, flight),
            FlightKind::Last => self.retransmitter.start_last(self.now, flight),
        }
        if changes_epoch {
            self.outbound.epoch = 1;
        }
        self.limit.on_flight();
        self.transmissions = Transmissions::default();
        self.datagrams_sent.clear();
        self.transmit()
    }

    /// The peer begins to answer the flight, in a plain record of this number. A HelloVerifyRequest copies that of the
    /// hello (RFC 6347 §4.2.1), and so measures the round trip also where hellos were repeated (RFC 6298 §3).
    pub(crate) fn on_reply(&mut self, record_seq: u64, message_type: HandshakeType) {
        let copies = message_type == HandshakeType::HELLO_VERIFY_REQUEST;
        let sent = self.transmissions.of(record_seq).filter(|_| copies);
        self.retransmitter.on_reply(self.now, sent);
    }

    /// Sends the flight again: the same messages in new records.
    pub(crate) fn resend_flight(&mut self) -> Result<(), Error> {
        if self.mutated.by(Mutation::ReuseRecordNumbers) {
            self.outputs.extend(self.datagrams_sent.iter().cloned().map(Output::Datagram));
            return Ok(());
        }
        if self.mutated.by(Mutation::RenumberMessages) {
            self.retransmitter.renumber();
        }
        if self.mutated.by(Mutation::ResendFirstMessageOnly)
            && let Some(flight) = self.retransmitter.flight_mut()
        {
            flight.items.truncate(1);
        }
        self.limit.on_repeat();
        self.transmit()
    }

    /// The peer repeated the flight that ours answers: ours, or a part of it, got lost (RFC 6347 §4.2.4).
    pub(crate) fn on_peer_repeats(&mut self) -> Result<(), Error> {
        if self.retransmitter.on_peer_repeats(self.now) { self.resend_flight() } else { Ok(()) }
    }

    fn transmit(&mut self) -> Result<(), Error> {
        let Some(flight) = self.retransmitter.flight() else { return Ok(()) };
        if let Some(first) = self.outbound.numbers[0].peek() {
            self.transmissions.push(first.get(), self.now);
        }
        let mtu = self.at_least(self.limit.flights());
        let plan = packing::plan(flight, mtu, self.terms.limits, |epoch| self.outbound.overhead(epoch));
        for records in plan.datagrams() {
            let mut datagram = Vec::with_capacity(mtu.min(DATAGRAM_LEN_USUAL));
            for PlannedRecord { epoch, content, .. } in records {
                let content_type = content.content_type();
                content.with_parts(|parts| self.outbound.record(content_type, *epoch, parts, &mut datagram))?;
            }
            if self.mutated.by(Mutation::ReuseRecordNumbers) {
                self.datagrams_sent.push(datagram.clone());
            }
            self.limit.on_sent(datagram.len());
            self.outputs.push_back(Output::Datagram(datagram));
        }
        Ok(())
    }

    /// Sends an alert under the keys of the moment. Alerts are not repeated (RFC 6347 §4.2.7).
    pub(crate) fn send_alert(&mut self, level: AlertLevel, description: AlertDescription) {
        let alert = Alert { level, description };
        let mut datagram = Vec::new();
        let epoch = self.outbound.epoch;
        // With all numbers used up the peer cannot be told.
        if self.outbound.record(ContentType::ALERT, epoch, [&alert.to_bytes(), &[]], &mut datagram).is_ok() {
            self.datagram(datagram);
            self.event(Event::AlertSent(alert));
        }
    }

    /// Sends application data as one record.
    pub(crate) fn send_data(&mut self, data: &[u8]) -> Result<(), Error> {
        if self.mutated.by(Mutation::SilentAfterHandshake) {
            return Ok(());
        }
        let mut datagram = Vec::with_capacity(self.outbound.overhead(1) + data.len());
        self.outbound.record(ContentType::APPLICATION_DATA, 1, [data, &[]], &mut datagram)?;
        self.datagram(datagram);
        Ok(())
    }

    /// Bytes that a record of epoch 1 has beyond its application data.
    fn data_overhead(&self) -> usize {
        self.outbound.overhead(1)
    }

    /// Largest datagram: the MTU, or what a long connection ID makes of a small one.
    pub(crate) fn mtu(&self) -> usize {
        self.at_least(self.limit.mtu())
    }

    fn at_least(&self, mtu: usize) -> usize {
        mtu.max(self.outbound.connection_id.len() + ROOM_BESIDE_CID_MIN)
    }

    /// The application knows what the path takes.
    pub(crate) fn set_mtu(&mut self, mtu: usize) {
        self.limit.set(mtu);
    }

    /// The network says what the path takes: a flight that did not fit is cut anew at once (RFC 6347 §4.1.1.1).
    pub(crate) fn on_too_big(&mut self, mtu: usize) -> Result<(), Error> {
        if self.limit.on_too_big(mtu) { self.on_peer_repeats() } else { Ok(()) }
    }

    /// The hellos have settled more than keys.
    pub(crate) fn agree_on(&mut self, terms: Terms) {
        self.inbound.plaintext_max = terms.limits.received;
        self.terms = terms;
    }

    /// Most application data of one record.
    pub(crate) fn data_len_max(&self) -> usize {
        let inner_type = usize::from(!self.outbound.connection_id.is_empty());
        self.mtu().saturating_sub(self.data_overhead()).min(self.terms.limits.of(1).saturating_sub(inner_type))
    }

    pub(crate) fn poll(&mut self) -> Output {
        if self.mutated.by(Mutation::Flood) && matches!(self.outputs.front(), Some(Output::Datagram(_))) {
            return self.outputs[0].clone();
        }
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        if self.mutated.by(Mutation::SpinForever) {
            return Output::WakeAt(self.now);
        }
        let deadlines = [self.retransmitter.deadline(), self.paths.deadline()];
        deadlines.into_iter().flatten().min().map_or(Output::Idle, Output::WakeAt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_is_used_once_and_then_the_epoch_is_over() {
        let numbers = [SeqCounter::starting_at(RecordSeq::MAX), SeqCounter::new()];
        let mut outbound = Outbound { epoch: 0, numbers, sealer: None, connection_id: Vec::new() };
        let mut out = Vec::new();
        assert_eq!(outbound.record(ContentType::ALERT, 0, [&[1, 0], &[]], &mut out), Ok(()));
        assert_eq!(outbound.record(ContentType::ALERT, 0, [&[1, 0], &[]], &mut out), Err(Error::SequenceExhausted));
        assert_eq!(out.len(), RECORD_HEADER_LEN + 2, "nothing was written for the refused record");
    }
}

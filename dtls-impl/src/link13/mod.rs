//! What the handshakes of DTLS 1.3 act on: flights, ACKs, alerts and data become records here, and output waits to be
//! polled. The counterpart of [`crate::link`], which differs in all that epochs and ACKs touch.
//!
//! Owns the sending side (epochs, timer, what is acknowledged), and the queue of outputs. What is received is
//! [`inbound`]'s.

pub(crate) mod inbound;
mod path;

use core::time::Duration;
use std::collections::VecDeque;

use self::inbound::Inbound;
use crate::config::Common;
use crate::error::{Error, Misuse};
use crate::event::{DiscardReason, Event, Output};
use crate::flight::OutgoingFlight;
use crate::flight::ack::AckTracker;
use crate::flight::datagram_limit::DatagramLimit;
use crate::flight::few::Few;
use crate::flight::packing::{self, Content, DATAGRAM_LEN_USUAL, PlannedRecord, RECORDS_USUAL};
use crate::flight::retransmitter::{Expiry, Retransmitter};
use crate::flight::timing::Rule;
use crate::flight::tracked::TrackedFlight;
use crate::ids::ConnectionIds;
use crate::link::ROOM_BESIDE_CID_MIN;
use crate::mutation::{Mutated, Mutation};
use crate::path::Paths;
use crate::record::epochs13::{EPOCH_APPLICATION, EPOCH_EARLY, EPOCH_PLAIN, WriteEpochs, WriteError};
use crate::record::protection13::Sealer;
use crate::record::seq::RecordSeq;
use crate::terms::Terms;
use crate::time::Instant;
use crate::wire::{Ack, Alert, AlertDescription, AlertLevel, ContentType, PLAINTEXT_LEN_MAX, RecordNumber, body_of};

/// Transmissions of a flight that the peer may cause between two expiries of the timer, so that nobody can make us
/// repeat a flight without end.
const PROMPTED_MAX: u8 = 3;

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Exhausted => Self::SequenceExhausted,
            WriteError::Crypto(error) => Self::Crypto(error),
        }
    }
}

/// What ends the wait for a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlightEnd {
    /// The peer's next flight.
    Answer,
    /// An ACK: the client's last flight, and those after the handshake.
    Ack,
    /// An ACK, or the end of our patience: a flight whose loss the association survives.
    AckOrNever,
}

/// What an ACK did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AckEffect {
    /// The flight, which has no other answer, has arrived.
    FlightDone,
    /// There is still something to wait for.
    Pending,
}

/// One end's view of the association below the handshake.
#[derive(Debug)]
pub(crate) struct Link13 {
    pub(crate) now: Instant,
    pub(crate) mutated: Mutated,
    pub(crate) inbound: Inbound,
    pub(crate) retransmitter: Retransmitter<TrackedFlight>,
    pub(crate) acks: AckTracker,
    pub(crate) write: WriteEpochs,
    pub(crate) ids: ConnectionIds,
    pub(crate) paths: Paths,
    flight_end: FlightEnd,
    /// Of the flight.
    last_transmission: Instant,
    prompted: u8,
    /// Bytes of early data that may still be sent, or received; none if there is to be no early data.
    pub(crate) early_data_left: Option<u32>,
    /// Most content of a record of early data to be sent.
    pub(crate) early_record_max: usize,
    limit: DatagramLimit,
    pub(crate) terms: Terms,
    outputs: VecDeque<Output>,
    next_message_seq: u16,
}

impl Link13 {
    /// `peer` is the peer's address, if it is known.
    pub(crate) fn new(common: &Common, peer: Option<Vec<u8>>, now: Instant) -> Self {
        let mutated = common.mutated();
        Self {
            now,
            mutated,
            inbound: Inbound::new(0),
            retransmitter: Retransmitter::new(common.timers, Rule::Rfc9147, mutated),
            acks: AckTracker::default(),
            write: WriteEpochs::starting_at(RecordSeq::ZERO),
            ids: ConnectionIds::default(),
            paths: Paths::new(common, peer),
            flight_end: FlightEnd::Answer,
            last_transmission: now,
            prompted: 0,
            early_data_left: None,
            early_record_max: PLAINTEXT_LEN_MAX,
            limit: DatagramLimit::new(common.mtu, common.path_mtu),
            terms: Terms::default(),
            outputs: VecDeque::new(),
            next_message_seq: 0,
        }
    }

    /// A server that kept no state goes on where the ClientHello is: its record number and `message_seq` are those of
    /// the answer, so that no number is used twice.
    pub(crate) fn start_at(&mut self, record_seq: u64, message_seq: u16) {
        self.write.start_at(RecordSeq::new(record_seq).unwrap_or(RecordSeq::MAX));
        self.next_message_seq = message_seq;
        self.inbound.restart(message_seq);
    }

    /// The peer's messages before this one have been taken.
    pub(crate) fn expect_message(&mut self, message_seq: u16) {
        self.inbound.restart(message_seq);
    }

    pub(crate) const fn next_message_seq(&self) -> u16 {
        self.next_message_seq
    }

    /// Largest datagram: the MTU, or what a long connection ID makes of a small one.
    pub(crate) fn mtu(&self) -> usize {
        self.at_least(self.limit.mtu())
    }

    fn at_least(&self, mtu: usize) -> usize {
        mtu.max(self.ids.peer().len() + ROOM_BESIDE_CID_MIN)
    }

    /// The application knows what the path takes.
    pub(crate) fn set_mtu(&mut self, mtu: usize) {
        self.limit.set(mtu);
    }

    /// The network says what the path takes: a flight that did not fit is cut anew at once (RFC 9147 §4.4).
    pub(crate) fn on_too_big(&mut self, mtu: usize) -> Result<(), Error> {
        if self.limit.on_too_big(mtu) { self.on_prompt() } else { Ok(()) }
    }

    /// The hellos have settled more than keys. The server's limit is for all that it reads after them.
    pub(crate) fn agree_on(&mut self, terms: Terms) {
        self.inbound.read.limit(terms.limits.received);
        self.terms = terms;
    }

    /// Most content of one record of an epoch.
    fn content_len_max(&self, epoch: u64) -> usize {
        self.mtu().saturating_sub(self.write.overhead(epoch)).min(self.terms.limits.of(epoch))
    }

    /// Most application data of one record.
    pub(crate) fn data_len_max(&self) -> usize {
        self.content_len_max(self.write.current())
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

    /// Outputs that wait, for whoever takes over.
    pub(crate) fn take_outputs(&mut self) -> VecDeque<Output> {
        core::mem::take(&mut self.outputs)
    }

    /// The keys of the next epoch to write with.
    pub(crate) fn install_write(&mut self, epoch: u64, sealer: Sealer) {
        self.write.install(epoch, sealer);
    }

    /// Sends a flight for the first time. The one before it has been answered, and so has the peer's: it needs no ACK
    /// (RFC 9147 §7.1).
    pub(crate) fn send_flight(
        &mut self,
        (flight, next_message_seq): (OutgoingFlight, u16),
        end: FlightEnd,
    ) -> Result<(), Error> {
        self.next_message_seq = next_message_seq;
        self.flight_end = end;
        self.prompted = 0;
        self.limit.on_flight();
        self.retransmitter.start(self.now, TrackedFlight::new(flight));
        self.transmit(None)
    }

    /// As [`send_flight`](Self::send_flight), for a flight that answers the peer's.
    pub(crate) fn answer(&mut self, flight: (OutgoingFlight, u16), end: FlightEnd) -> Result<(), Error> {
        self.acks.clear();
        self.inbound.on_flight_answered();
        self.send_flight(flight, end)
    }

    /// Sends what is not acknowledged of the flight, without what was sent after the record that `arrived`.
    fn transmit(&mut self, arrived: Option<RecordNumber>) -> Result<(), Error> {
        let Some(flight) = self.retransmitter.flight() else { return Ok(()) };
        let missing = flight.missing_but(arrived);
        let mtu = self.at_least(self.limit.flights());
        let plan = packing::plan_missing(&missing, mtu, self.terms.limits, |epoch| self.write.overhead(epoch));
        self.last_transmission = self.now;
        let mut sent = Few::<_, RECORDS_USUAL>::new();
        for records in plan.datagrams() {
            let mut datagram = Vec::with_capacity(mtu.min(DATAGRAM_LEN_USUAL));
            for PlannedRecord { epoch, content, .. } in records {
                let number = content.with_parts(|parts| {
                    self.write.record_parts(*epoch, content.content_type(), parts, &mut datagram)
                })?;
                if let Content::Fragment(fragment) = content {
                    sent.push((number, fragment.header));
                }
            }
            self.limit.on_sent(datagram.len());
            self.outputs.push_back(Output::Datagram(datagram));
        }
        if let Some(flight) = self.retransmitter.flight_mut() {
            sent.iter().for_each(|(number, header)| flight.on_sent(*number, header));
        }
        Ok(())
    }

    fn record(
        &mut self,
        epoch: u64,
        content_type: ContentType,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<RecordNumber, Error> {
        Ok(self.write.record(epoch, content_type, content, out)?)
    }

    /// The peer lacks a part of the flight and says so, by ACK or by repeating its own: sends it again, without doubling
    /// the timer (RFC 9147 §5.8.1).
    pub(crate) fn on_prompt(&mut self) -> Result<(), Error> {
        self.on_prompt_for(None)
    }

    fn on_prompt_for(&mut self, arrived: Option<RecordNumber>) -> Result<(), Error> {
        if self.prompted == PROMPTED_MAX || !self.retransmitter.on_peer_repeats(self.now) {
            return Ok(());
        }
        self.prompted += 1;
        self.limit.on_repeat();
        self.transmit(arrived)
    }

    /// The peer has begun to answer the flight: it has all of it (RFC 9147 §7.1).
    pub(crate) fn on_implicit_ack(&mut self) {
        if self.flight_end == FlightEnd::Answer
            && let Some(flight) = self.retransmitter.flight_mut()
        {
            flight.acknowledge_all();
            self.retransmitter.on_reply(self.now, None);
        }
    }

    /// An ACK came in a record of `epoch`. During the handshake that is at least the epoch of the records in it; after it,
    /// each direction has epochs of its own (RFC 9147 §7).
    pub(crate) fn on_ack(&mut self, epoch: u64, ack: &Ack) -> Result<AckEffect, Error> {
        let Some(flight) = self.retransmitter.flight_mut() else { return Ok(AckEffect::Pending) };
        let counts = |number: &RecordNumber| number.epoch <= epoch || epoch >= EPOCH_APPLICATION;
        let news = flight.on_ack(ack.records.iter().copied().filter(counts));
        if flight.is_acknowledged() {
            if self.flight_end != FlightEnd::Answer {
                self.retransmitter.on_reply(self.now, None);
                self.retransmitter.on_answer();
                return Ok(AckEffect::FlightDone);
            }
            return Ok(AckEffect::Pending);
        }
        // Soon after a transmission its end is still on the way: only what came before a record that arrived is lost. An
        // ACK that comes later is one that waited for the rest in vain.
        let newest = ack.records.iter().copied().filter(counts).max();
        // No ACK is back before a round trip is over, where that is known.
        let round_trip = self.retransmitter.timing().rtt().unwrap_or_default();
        let soon = self.now.saturating_since(self.last_transmission) < round_trip + self.patience();
        let arrived = newest.filter(|_| soon);
        let flight = self.retransmitter.flight();
        if flight.is_none_or(|flight| flight.missing_but(arrived).is_empty()) {
            return Ok(AckEffect::Pending);
        }
        if news {
            self.prompted = 0;
            self.limit.on_progress();
        }
        self.on_prompt_for(arrived)?;
        Ok(AckEffect::Pending)
    }

    /// The peer has shown otherwise that it has the flight.
    pub(crate) fn on_flight_done(&mut self) {
        self.retransmitter.on_answer();
    }

    /// How long the rest of a flight may take: a quarter of the timer (RFC 9147 §7.1).
    pub(crate) fn patience(&self) -> Duration {
        self.retransmitter.timeout() / 4
    }

    /// Time has passed. With nothing of the own flight missing there is nothing to repeat, but the peer may not know what
    /// it should: it is told what arrived.
    pub(crate) fn on_timeout(&mut self) -> Result<(), Error> {
        match self.retransmitter.on_timeout(self.now) {
            Expiry::NotDue => Ok(()),
            Expiry::GiveUp if self.flight_end == FlightEnd::AckOrNever => {
                self.retransmitter.stop();
                Ok(())
            }
            Expiry::GiveUp => Err(self.inbound.suspected_alert.map_or(Error::TimedOut, Error::AlertReceived)),
            Expiry::Resend => {
                if let Some(description) = self.inbound.suspected_alert {
                    return Err(Error::AlertReceived(description));
                }
                self.prompted = 0;
                if self.retransmitter.flight().is_some_and(TrackedFlight::is_acknowledged) {
                    self.acks.on_unanswered();
                    return Ok(());
                }
                self.limit.on_repeat();
                self.transmit(None)
            }
        }
    }

    /// Sends the ACK that is due, if any, in the newest epoch (RFC 9147 §7). In epoch 0 there is nothing to acknowledge
    /// but hellos in pieces.
    pub(crate) fn flush_acks(&mut self, keep: bool) {
        let epoch = self.write.current();
        let room = self.content_len_max(epoch);
        let Some(ack) = self.acks.take(self.now, room) else { return };
        if !keep {
            self.acks.clear();
        }
        let mut datagram = Vec::new();
        if self.record(epoch, ContentType::ACK, &body_of(|w| ack.emit(w)), &mut datagram).is_ok() {
            self.datagram(datagram);
        }
    }

    /// Sends an alert under the keys of the moment. Alerts are not repeated (RFC 9147 §5.10).
    pub(crate) fn send_alert(&mut self, level: AlertLevel, description: AlertDescription) {
        let alert = Alert { level, description };
        let mut datagram = Vec::new();
        let epoch = self.write.current();
        // With all numbers used up the peer cannot be told.
        if self.record(epoch, ContentType::ALERT, &alert.to_bytes(), &mut datagram).is_ok() {
            self.datagram(datagram);
            self.event(Event::AlertSent(alert));
        }
    }

    /// The server has decided about early data, or the time for it is over.
    pub(crate) fn end_early_data(&mut self) -> bool {
        self.write.forget_early();
        self.inbound.read.forget_early();
        self.early_data_left.take().is_some()
    }

    /// Sends early data as one record.
    pub(crate) fn send_early_data(&mut self, data: &[u8]) -> Result<(), Error> {
        let left = self.early_data_left.ok_or(Misuse::NoEarlyData)?;
        if data.len() + self.write.overhead(EPOCH_EARLY) > self.mtu() || data.len() > self.early_record_max {
            return Err(Misuse::DataTooLarge.into());
        }
        let left = u32::try_from(data.len()).ok().and_then(|len| left.checked_sub(len));
        self.early_data_left = Some(left.ok_or(Misuse::TooMuchEarlyData)?);
        let mut datagram = Vec::with_capacity(self.write.overhead(EPOCH_EARLY) + data.len());
        self.record(EPOCH_EARLY, ContentType::APPLICATION_DATA, data, &mut datagram)?;
        self.datagram(datagram);
        Ok(())
    }

    /// Sends application data as one record.
    pub(crate) fn send_data(&mut self, data: &[u8]) -> Result<(), Error> {
        if self.mutated.by(Mutation::SilentAfterHandshake) {
            return Ok(());
        }
        let epoch = self.write.current();
        debug_assert_ne!(epoch, EPOCH_PLAIN);
        let mut datagram = Vec::with_capacity(self.write.overhead(epoch) + data.len());
        self.record(epoch, ContentType::APPLICATION_DATA, data, &mut datagram)?;
        self.datagram(datagram);
        Ok(())
    }

    pub(crate) fn poll(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        let deadlines = [self.retransmitter.deadline(), self.acks.deadline(), self.paths.deadline()];
        deadlines.into_iter().flatten().min().map_or(Output::Idle, Output::WakeAt)
    }
}

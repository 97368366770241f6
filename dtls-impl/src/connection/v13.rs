//! One DTLS 1.3 association: sorts what arrives, feeds messages to the state machine of the role, acknowledges, changes
//! keys, and carries out what ends the association.
//!
//! As in [`super::v12`], nothing in epoch 0 can end it but a handshake that fails, and a fatal alert after which the
//! peer stays silent.

mod late;

use core::time::Duration;
use std::sync::Arc;

use rustls_pki_types::ServerName;

use self::late::LateFlights;
use super::v12::Connection12;
use super::{ends_association, plain_message};
use crate::config::{ClientConfig, Cookies, ServerConfig};
use crate::crypto::Secret;
use crate::entropy::{Entropy, Seed};
use crate::error::{Error, Misuse, PeerMisbehaved};
use crate::event::{DiscardReason, Event, Output};
use crate::flight::reassembly::Message;
use crate::flight::retransmitter::LAST_FLIGHT_KEPT;
use crate::handshake::server13::{self, Examined};
use crate::handshake::session13::Session13;
use crate::handshake::{Context, Step, client13};
use crate::ids::ConnectionIds;
use crate::link13::inbound::FragmentFate;
use crate::link13::{AckEffect, Link13};
use crate::mutation::Mutation;
use crate::negotiated::Negotiated;
use crate::record::epochs13::{EPOCH_APPLICATION, EPOCH_EARLY, EPOCH_PLAIN, ReadError};
use crate::record::protection13::PlainRecord;
use crate::session::ClientSession;
use crate::time::Instant;
use crate::wire::{
    Ack, Alert, AlertDescription, AlertLevel, AnyRecord, AnyRecords, ContentType, Fragments, HandshakeType,
    PLAINTEXT_LEN_MAX, ProtectedRecord, Record, RecordNumber,
};

/// One end of one DTLS 1.3 association.
#[derive(Debug)]
pub(crate) struct Connection13 {
    role: Role,
    state: State,
    link: Link13,
    entropy: Entropy,
    late: LateFlights,
    /// Until when a server takes early data that comes after what followed it.
    early_data_until: Option<Instant>,
    /// Until when a server can read a last flight that comes again, to acknowledge it again (RFC 9147 §5.8.1).
    handshake_keys_until: Option<Instant>,
}

#[derive(Debug)]
enum Role {
    Client(Arc<ClientConfig>),
    Server {
        config: Arc<ServerConfig>,
        peer_address: Vec<u8>,
        /// Key of cookies: the configured one, or one of this connection's own for the sake of HelloRetryRequests that
        /// ask for another group.
        secret: Secret,
    },
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one to a connection, which is boxed: its place is not worth an allocation"
)]
enum State {
    /// A server that knows nothing of its peer.
    Listening,
    Client(client13::State),
    Server(server13::State),
    Established(Box<Session13>),
    Ended,
}

impl Connection13 {
    pub(crate) fn client(
        config: Arc<ClientConfig>,
        server_name: Option<ServerName<'static>>,
        session: Option<ClientSession>,
        seed: &Seed,
        now: Instant,
    ) -> Result<Self, Error> {
        let mut link = Link13::new(&config.common, None, now);
        let mut entropy = Entropy::new(seed);
        let mut cx = Context { config: &*config, link: &mut link, entropy: &mut entropy };
        let state = State::Client(client13::start(server_name, session, &mut cx)?);
        Ok(Self::new(Role::Client(config), state, link, entropy))
    }

    pub(crate) fn server(config: Arc<ServerConfig>, peer_address: &[u8], seed: &Seed, now: Instant) -> Self {
        let link = Link13::new(&config.common, Some(peer_address.to_vec()), now);
        let mut entropy = Entropy::new(seed);
        let secret = match &config.cookies {
            Cookies::Required { secret } => secret.clone(),
            Cookies::Off => Secret::new(entropy.array::<32>().to_vec()),
        };
        let role = Role::Server { config, peer_address: peer_address.to_vec(), secret };
        Self::new(role, State::Listening, link, entropy)
    }

    fn new(role: Role, state: State, link: Link13, entropy: Entropy) -> Self {
        Self {
            role,
            state,
            link,
            entropy,
            late: LateFlights::default(),
            early_data_until: None,
            handshake_keys_until: None,
        }
    }

    /// The same client as one of DTLS 1.2, if it offered that and the server may be of that version. Its randomness goes
    /// on from this one's.
    pub(crate) fn become_12(&mut self, now: Instant) -> Option<Connection12> {
        let (Role::Client(config), State::Client(state)) = (&self.role, &self.state) else { return None };
        let sent = state.hello_for_12(config, &self.link.ids)?;
        let outputs = self.link.take_outputs();
        let record_seq = self.link.write.next_plain_seq().get();
        let entropy = Entropy::new(&Seed(self.entropy.array()));
        let peer = self.link.paths.peer().map(<[u8]>::to_vec);
        let known = (core::mem::take(&mut self.link.ids), peer);
        Some(Connection12::resume_client(Arc::clone(config), sent, outputs, record_seq, known, entropy, now))
    }

    /// Whether this is a server that knows nothing of its peer.
    pub(crate) const fn is_listening(&self) -> bool {
        matches!(self.state, State::Listening)
    }

    /// Whether data can be sent.
    pub(crate) const fn is_established(&self) -> bool {
        matches!(self.state, State::Established(_))
    }

    /// Whether a datagram begins with a protected record of this association, new or not. Nothing changes.
    pub(crate) fn can_open(&self, datagram: &[u8]) -> bool {
        let Some(Ok(AnyRecord::Protected(record))) = AnyRecords::new(datagram, self.link.ids.own_len()).next() else {
            return false;
        };
        let ids = &self.link.ids;
        let ours = record.connection_id().map_or(!ids.expected(), |cid| ids.is_own(cid));
        ours && self.link.inbound.read.can_open(record)
    }

    pub(crate) fn handle_datagram(&mut self, now: Instant, from: Option<&[u8]>, datagram: &[u8]) {
        self.link.now = now;
        self.link.paths.on_datagram(from);
        if self.handshake_keys_until.is_some_and(|until| until <= now) {
            self.handshake_keys_until = None;
            self.link.inbound.forget_handshake_keys();
        }
        if self.early_data_until.is_some_and(|until| until <= now) {
            self.early_data_until = None;
            self.link.end_early_data();
        }
        if self.link.ids.forget_outdated(now) {
            self.link.event(Event::ConnectionIds);
        }
        let waited = matches!(self.state, State::Server(_));
        self.on_records(datagram);
        self.flush_acks();
        if waited {
            let result = self.send_tickets();
            self.fail_on_error(result);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.link.now = now;
        let result = self.link.on_timeout().and_then(|()| self.end_abandoned_flight());
        self.fail_on_error(result);
        self.flush_acks();
        self.link.check_paths(&mut self.entropy);
    }

    pub(crate) fn poll_output(&mut self) -> Output {
        self.link.poll()
    }

    pub(crate) fn send(&mut self, now: Instant, data: &[u8]) -> Result<(), Error> {
        self.link.now = now;
        self.established()?;
        if data.len() > self.data_len_max() {
            return Err(Misuse::DataTooLarge.into());
        }
        let mut result = self.link.send_data(data);
        if result.is_ok() && self.link.write.wants_rekey() && !self.late.updates_keys() {
            result = self.update_keys_with(false);
        }
        if let Err(error) = &result {
            self.fail(error.clone());
        }
        result
    }

    /// Sends early data, if there may be any.
    pub(crate) fn send_early(&mut self, now: Instant, data: &[u8]) -> Result<(), Error> {
        self.link.now = now;
        match self.state {
            State::Client(_) => self.link.send_early_data(data),
            State::Ended => Err(Misuse::Closed.into()),
            _ => Err(Misuse::NoEarlyData.into()),
        }
    }

    pub(crate) fn ids(&self) -> &ConnectionIds {
        &self.link.ids
    }

    pub(crate) fn peer_address(&self) -> Option<&[u8]> {
        self.link.paths.peer()
    }

    pub(crate) fn set_peer_address(&mut self, address: &[u8]) {
        if self.link.paths.set_peer(address) {
            self.link.ids.on_left_path();
            self.link.use_connection_id();
        }
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.link.retransmitter.timing().measured()
    }

    pub(crate) fn set_mtu(&mut self, mtu: usize) {
        self.link.set_mtu(mtu);
    }

    pub(crate) fn datagram_too_big(&mut self, now: Instant, mtu: usize) {
        self.link.now = now;
        let result = self.link.on_too_big(mtu);
        self.fail_on_error(result);
    }

    pub(crate) fn negotiated(&self) -> Option<Negotiated> {
        let alpn = self.link.terms.alpn.clone();
        self.established().ok().map(|session| Negotiated { alpn, ..session.negotiated() })
    }

    pub(crate) fn data_len_max(&self) -> usize {
        self.link.data_len_max()
    }

    pub(crate) fn close(&mut self, now: Instant) {
        self.link.now = now;
        if !matches!(self.state, State::Ended | State::Listening) {
            self.link.send_alert(AlertLevel::WARNING, AlertDescription::CLOSE_NOTIFY);
        }
        self.end();
    }

    pub(crate) fn export(&self, label: &[u8], context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        self.established()?.export(label, context, out)
    }

    /// Updates the own keys, and asks the peer to update its (RFC 9147 §8).
    pub(crate) fn update_keys(&mut self, now: Instant, request_peer: bool) -> Result<(), Error> {
        self.link.now = now;
        self.established()?;
        self.update_keys_with(request_peer)
    }

    fn established(&self) -> Result<&Session13, Error> {
        match &self.state {
            State::Established(session) => Ok(session),
            State::Ended => Err(Misuse::Closed.into()),
            _ => Err(Misuse::NotEstablished.into()),
        }
    }

    fn flush_acks(&mut self) {
        // After the handshake each record is acknowledged once, or as often as it comes (RFC 9147 §7).
        let keep = !matches!(self.state, State::Established(_));
        self.link.flush_acks(keep);
    }

    fn on_records(&mut self, datagram: &[u8]) {
        // Whether a connection ID has shown that the datagram is for us.
        let mut ours = false;
        for record in AnyRecords::new(datagram, self.link.ids.own_len()) {
            if matches!(self.state, State::Ended) {
                return self.link.discard(DiscardReason::AfterEnd);
            }
            match record {
                Ok(AnyRecord::Plain(record)) => self.on_plain_record(&record),
                Ok(AnyRecord::Protected(record)) => match self.check_connection_id(&record, ours) {
                    Ok(has_own) => {
                        ours |= has_own;
                        self.on_protected_record(record);
                    }
                    Err(reason) => {
                        self.link.discard(reason);
                        // RFC 9147 §4: what follows a record of another association is dropped, too.
                        if record.connection_id().is_some() {
                            return;
                        }
                    }
                },
                Err(_) => self.link.discard(DiscardReason::Malformed),
            }
        }
    }

    /// Whether a protected record has our connection ID. In each datagram the first one must, if it was agreed on (RFC
    /// 9147 §4); only early data comes before that. From another address than the peer's nothing else tells whose it is.
    fn check_connection_id(&self, record: &ProtectedRecord<'_>, ours: bool) -> Result<bool, DiscardReason> {
        let ids = &self.link.ids;
        let early = self.link.early_data_left.is_some() && record.epoch().fit(EPOCH_EARLY);
        match record.connection_id() {
            Some(cid) if !ids.is_own(cid) => Err(DiscardReason::WrongConnectionId),
            Some(_) => Ok(true),
            None if ours => Ok(false),
            None if ids.expected() && !early => Err(DiscardReason::WrongConnectionId),
            None if self.link.paths.is_elsewhere() => Err(DiscardReason::OtherAddress),
            None => Ok(false),
        }
    }

    fn on_plain_record(&mut self, record: &Record<'_>) {
        let header = &record.header;
        if record.body.len() > PLAINTEXT_LEN_MAX {
            return self.link.discard(DiscardReason::Malformed);
        }
        // Without a connection ID the address says whose a record is (RFC 9146 §3).
        if self.link.paths.is_elsewhere() {
            return self.link.discard(DiscardReason::OtherAddress);
        }
        // The version must be ignored (RFC 9147 §4).
        if header.epoch != 0 || matches!(self.state, State::Established(_)) {
            return self.link.discard(DiscardReason::WrongEpoch);
        }
        if matches!(self.state, State::Listening) {
            return self.on_first_record(record);
        }
        if self.link.inbound.recent.contains(header.seq) && !self.link.mutated.by(Mutation::AcceptReplay) {
            return self.link.discard(DiscardReason::Replayed);
        }
        // Once keys are known all that a server still has to say is protected.
        if matches!(self.role, Role::Client(_)) && self.link.inbound.due() != EPOCH_PLAIN {
            return self.link.discard(DiscardReason::Unexpected);
        }
        let number = RecordNumber { epoch: EPOCH_PLAIN, seq: header.seq };
        match header.content_type {
            ContentType::HANDSHAKE => self.on_handshake_record(number, record.body),
            ContentType::ALERT => self.on_plain_alert(record.body),
            ContentType::ACK => self.on_plain_ack(header.seq, record.body),
            ContentType::CHANGE_CIPHER_SPEC | ContentType::APPLICATION_DATA => {
                self.link.discard(DiscardReason::Unexpected);
            }
            _ => self.link.discard(DiscardReason::UnknownContentType),
        }
    }

    fn on_protected_record(&mut self, record: ProtectedRecord<'_>) {
        let accept_replay = self.link.mutated.by(Mutation::AcceptReplay);
        let highest = self.link.inbound.read.highest();
        match self.link.inbound.read.open(record, accept_replay) {
            Ok(plain) => {
                self.on_path_record(&record, &plain, highest < Some(plain.number));
                self.on_authentic_record(plain);
            }
            Err(ReadError::NoKeys) => self.on_early_record(record),
            Err(ReadError::BadRecord) => self.link.discard(DiscardReason::BadRecord),
            Err(ReadError::TooLong) => self.link.discard(DiscardReason::BeyondLimit),
            Err(ReadError::Replayed) => self.link.discard(DiscardReason::Replayed),
            Err(ReadError::TooManyForgeries) => self.fail(PeerMisbehaved::TooManyForgeries.into()),
        }
    }

    /// Where an authentic record came from counts once the handshake is complete.
    fn on_path_record(&mut self, record: &ProtectedRecord<'_>, plain: &PlainRecord, newest: bool) {
        if !matches!(self.state, State::Established(_)) {
            return;
        }
        // The check of a path may come to nothing, and then its connection ID is not used further.
        let is_check = plain.content_type == ContentType::RETURN_ROUTABILITY_CHECK;
        if let Some(cid) = record.connection_id().filter(|_| newest && !is_check) {
            self.link.ids.on_used(cid, self.link.now);
        }
        self.link.on_path_record(newest, record.len(), &mut self.entropy);
    }

    fn on_path_message(&mut self, content: &[u8]) {
        if !matches!(self.state, State::Established(_)) {
            return self.link.discard(DiscardReason::Unexpected);
        }
        if let Err(reason) = self.link.on_path_message(content, &mut self.entropy) {
            self.link.discard(reason);
        }
    }

    /// The record may be one of a flight whose beginning is missing: it is kept, but cannot be acknowledged, as it may be
    /// anything (RFC 9147 §7.1).
    fn on_early_record(&mut self, record: ProtectedRecord<'_>) {
        // Early data that is refused, or comes too early or too late, is skipped (RFC 8446 §4.2.10).
        let early_data = matches!(self.role, Role::Server { .. }) && record.epoch().fit(EPOCH_EARLY);
        if early_data || self.link.paths.is_elsewhere() || !matches!(self.state, State::Client(_) | State::Server(_)) {
            return self.link.discard(DiscardReason::WrongEpoch);
        }
        if let Err(reason) = self.link.inbound.keep_early(record.to_bytes()) {
            self.link.discard(reason);
        }
        // A server of DTLS 1.2 would not know what an ACK is, and anyone can send what looks like a protected record.
        if matches!((&self.state, &self.role), (State::Client(state), Role::Client(config)) if state.may_become_12(config))
        {
            return;
        }
        let (now, patience) = (self.link.now, self.link.patience());
        self.link.acks.on_disruption(now, patience);
    }

    fn on_authentic_record(&mut self, plain: PlainRecord) {
        match plain.number.epoch {
            EPOCH_EARLY => return self.on_early_data(plain),
            // RFC 9147 §5.6: what is later than this is too late.
            EPOCH_APPLICATION if matches!(self.role, Role::Server { .. }) => {
                self.link.end_early_data();
            }
            _ => {}
        }
        match plain.content_type {
            ContentType::HANDSHAKE => {
                self.on_handshake_record(plain.number, &plain.content);
                self.link.inbound.read.reuse(plain.content);
            }
            ContentType::APPLICATION_DATA if plain.number.epoch >= EPOCH_APPLICATION => {
                self.link.event(Event::Data(plain.content));
            }
            ContentType::APPLICATION_DATA => self.link.discard(DiscardReason::Unexpected),
            ContentType::ALERT => self.on_alert(&plain.content),
            ContentType::ACK => {
                self.on_ack(plain.number.epoch, &plain.content);
                self.link.inbound.read.reuse(plain.content);
            }
            ContentType::RETURN_ROUTABILITY_CHECK if self.link.paths.checks_agreed() => {
                self.on_path_message(&plain.content);
            }
            _ => self.link.discard(DiscardReason::UnknownContentType),
        }
    }

    fn on_early_data(&mut self, plain: PlainRecord) {
        let Some(left) = self.link.early_data_left.filter(|_| plain.content_type == ContentType::APPLICATION_DATA)
        else {
            return self.link.discard(DiscardReason::Unexpected);
        };
        let left = u32::try_from(plain.content.len()).ok().and_then(|len| left.checked_sub(len));
        if left.is_none() {
            return self.fail(PeerMisbehaved::TooMuchEarlyData.into());
        }
        self.link.early_data_left = left;
        self.link.event(Event::EarlyData(plain.content));
    }

    /// A server without state looks at ClientHellos alone, and remembers one only if it wants nothing more of it.
    fn on_first_record(&mut self, record: &Record<'_>) {
        if record.header.content_type != ContentType::HANDSHAKE {
            return self.link.discard(DiscardReason::Unexpected);
        }
        let Some(Ok(fragment)) = Fragments::new(record.body).next() else {
            return self.link.discard(DiscardReason::Malformed);
        };
        let message_seq = fragment.header.message_seq;
        if fragment.header.message_type != HandshakeType::CLIENT_HELLO || message_seq == u16::MAX {
            return self.link.discard(DiscardReason::Unexpected);
        }
        // A hello in pieces is put together, in bounded room; one of another number takes its place.
        let whole = fragment.header.is_whole();
        if whole || self.link.inbound.reassembly.next_seq() != message_seq {
            self.link.start_at(record.header.seq, message_seq);
        }
        let mut fate = self.link.inbound.fragment(EPOCH_PLAIN, &fragment);
        if fate == FragmentFate::Discard(DiscardReason::InconsistentFragment) {
            // One of the two is forged, and we cannot tell which: the later counts, as a real client repeats itself.
            self.link.start_at(record.header.seq, message_seq);
            fate = self.link.inbound.fragment(EPOCH_PLAIN, &fragment);
        }
        if let FragmentFate::Discard(reason) = fate {
            return self.link.discard(reason);
        }
        let Some(message) = self.link.inbound.reassembly.pop() else { return };
        self.on_first_hello(record.header.seq, &message);
        self.link.inbound.reassembly.reuse(message.body);
    }

    fn on_first_hello(&mut self, record_seq: u64, message: &Message) {
        let Role::Server { config, peer_address, secret } = &self.role else { return };
        let config = Arc::clone(config);
        self.link.start_at(record_seq, message.message_seq);
        match server13::examine(message, &config, secret, peer_address, self.link.now) {
            Ok(Examined::Retry(body)) => {
                let request = plain_message(record_seq, HandshakeType::SERVER_HELLO, message.message_seq, &body);
                self.link.datagram(request);
            }
            Ok(Examined::Accept(offer)) => {
                self.link.expect_message(message.message_seq + 1);
                self.link.inbound.recent.insert(record_seq);
                let mut cx = Context { config: &*config, link: &mut self.link, entropy: &mut self.entropy };
                match server13::accept(*offer, &mut cx) {
                    Ok(state) => self.state = State::Server(state),
                    Err(error) => self.fail(error),
                }
            }
            Err(error) => self.refuse_hello(error),
        }
    }

    /// Tells the client why, and forgets it: the address may be forged, and the next client may do better. Without a
    /// cookie exchange the connection is this client's alone, and ends.
    fn refuse_hello(&mut self, error: Error) {
        let Role::Server { config, .. } = &self.role else { return };
        if matches!(config.cookies, Cookies::Off) {
            return self.fail(error);
        }
        if let Some(description) = error.alert() {
            self.link.send_alert(AlertLevel::FATAL, description);
        }
        self.link.discard(DiscardReason::Unexpected);
    }

    fn on_handshake_record(&mut self, number: RecordNumber, content: &[u8]) {
        let (mut kept, mut news, mut disrupted, mut repeated) = (!content.is_empty(), false, false, false);
        for fragment in Fragments::new(content) {
            let Ok(fragment) = fragment else {
                self.link.discard(DiscardReason::Malformed);
                kept = false;
                break;
            };
            let fate = self.link.inbound.fragment(number.epoch, &fragment);
            news |= matches!(fate, FragmentFate::Stored | FragmentFate::StoredAhead);
            disrupted |= matches!(fate, FragmentFate::StoredAhead | FragmentFate::Known);
            repeated |= fate == FragmentFate::FlightRepeated;
            match fate {
                FragmentFate::Stored | FragmentFate::StoredAhead => {}
                FragmentFate::Known => self.link.discard(DiscardReason::RepeatedMessage),
                FragmentFate::FlightRepeated | FragmentFate::Old => {
                    kept = false;
                    self.link.discard(DiscardReason::RepeatedMessage);
                }
                FragmentFate::Discard(reason) => {
                    kept = false;
                    self.link.discard(reason);
                }
            }
            self.link.inbound.reassembly.advance();
        }
        if news {
            self.link.on_implicit_ack();
        }
        if number.epoch == EPOCH_PLAIN && (news || repeated) {
            self.link.inbound.recent.insert(number.seq);
        }
        self.note_for_ack(number, kept, disrupted);
        self.handle_messages();
        // To a client, hellos that come again are copies of stateless answers.
        if repeated && !(matches!(self.role, Role::Client(_)) && number.epoch == EPOCH_PLAIN) {
            self.on_peer_repeats();
        }
    }

    /// Only what was kept may be acknowledged (RFC 9147 §7).
    fn note_for_ack(&mut self, number: RecordNumber, kept: bool, disrupted: bool) {
        let (now, patience) = (self.link.now, self.link.patience());
        if kept {
            self.link.acks.on_record(number, now, patience);
        }
        if disrupted {
            self.link.acks.on_disruption(now, patience);
        }
        if kept && matches!(self.state, State::Established(_)) {
            self.link.acks.on_unanswered();
        }
    }

    /// The peer repeats the flight that ours answers. If it had any of ours it would have said so (RFC 9147 §5.8.1).
    fn on_peer_repeats(&mut self) {
        // What a server sends once established answers nothing.
        if matches!((&self.state, &self.role), (State::Established(_), Role::Server { .. })) {
            return;
        }
        if self.link.retransmitter.flight().is_some_and(|flight| !flight.is_partly_acknowledged()) {
            let result = self.link.on_prompt();
            self.fail_on_error(result);
        }
    }

    fn handle_messages(&mut self) {
        let due = self.link.inbound.due();
        while let Some(message) = self.link.inbound.reassembly.take() {
            if self.link.inbound.due() != due {
                return self.fail(PeerMisbehaved::MessageAcrossKeyChange.into());
            }
            self.link.inbound.suspected_alert = None;
            self.handle_message(&message);
            self.link.inbound.reassembly.reuse(message.body);
            if matches!(self.state, State::Ended) {
                return;
            }
        }
        if self.link.inbound.due() != due {
            for early in self.link.inbound.take_early() {
                self.on_records(&early);
            }
        }
    }

    fn handle_message(&mut self, message: &Message) {
        let (link, entropy) = (&mut self.link, &mut self.entropy);
        let result = match (core::mem::replace(&mut self.state, State::Ended), &self.role) {
            (State::Client(state), Role::Client(config)) => {
                let mut cx = Context { config: &**config, link, entropy };
                state.handle(message, &mut cx).map(|step| step.map(State::Client))
            }
            (State::Server(state), Role::Server { config, .. }) => {
                let mut cx = Context { config: &**config, link, entropy };
                state.handle(message, &mut cx).map(|step| step.map(State::Server))
            }
            (State::Established(session), _) => {
                self.state = State::Established(session);
                let result = self.handle_late_message(message);
                return self.fail_on_error(result);
            }
            (state, _) => Ok(Step::Next(state)),
        };
        match result {
            Ok(Step::Next(state)) => self.state = state,
            Ok(Step::Established(session)) => self.on_established(session),
            Err(error) => self.fail(error),
        }
    }

    fn on_established(&mut self, session: Box<Session13>) {
        if matches!(self.role, Role::Server { .. }) {
            self.handshake_keys_until = Some(self.link.now + LAST_FLIGHT_KEPT);
            // RFC 9147 §5.6: reordering does not last longer than the longest round trip.
            self.early_data_until = Some(self.link.now + self.link.retransmitter.timing().timeout());
        }
        if self.link.ids.expected() {
            self.link.event(Event::ConnectionIds);
        }
        let suite = session.suite().code;
        self.state = State::Established(session);
        // The key schedule binds every secret to the whole handshake, as extended_master_secret does in 1.2.
        self.link.event(Event::Established { suite, extended_master_secret: true });
        if self.link.mutated.by(Mutation::UnsolicitedAlert) {
            self.link.send_alert(AlertLevel::WARNING, AlertDescription::USER_CANCELED);
        }
    }

    fn on_ack(&mut self, epoch: u64, content: &[u8]) {
        let Ok(ack) = Ack::parse(content) else {
            return self.link.discard(DiscardReason::Malformed);
        };
        let result = match self.link.on_ack(epoch, &ack) {
            Ok(AckEffect::FlightDone) => self.on_flight_done(),
            Ok(AckEffect::Pending) => Ok(()),
            Err(error) => Err(error),
        };
        self.fail_on_error(result);
    }

    /// An ACK that anyone may have sent. Taken at its word it could keep us from repeating what the peer lacks, so it counts
    /// as what an empty one says: a client has not got the ServerHello. One that has got it acknowledges it in epoch 2.
    fn on_plain_ack(&mut self, record_seq: u64, content: &[u8]) {
        if Ack::parse(content).is_err() {
            return self.link.discard(DiscardReason::Malformed);
        }
        if matches!(self.role, Role::Client(_)) {
            return self.link.discard(DiscardReason::Unexpected);
        }
        self.link.inbound.recent.insert(record_seq);
        let result = self.link.on_ack(EPOCH_PLAIN, &Ack::default()).map(|_| ());
        self.fail_on_error(result);
    }

    /// An alert that anyone may have sent. A client that cannot read a ServerHello has no other way to say so.
    fn on_plain_alert(&mut self, content: &[u8]) {
        let Ok(alert) = Alert::parse(content) else {
            return self.link.discard(DiscardReason::Malformed);
        };
        self.link.event(Event::AlertReceived(alert));
        if ends_association(alert) {
            self.link.inbound.suspected_alert = Some(alert.description);
        }
    }

    /// RFC 8446 §6: but for two, all alerts are fatal, whatever their level.
    fn on_alert(&mut self, content: &[u8]) {
        let Ok(alert) = Alert::parse(content) else {
            return self.link.discard(DiscardReason::Malformed);
        };
        self.link.event(Event::AlertReceived(alert));
        match alert.description {
            AlertDescription::USER_CANCELED => {}
            AlertDescription::CLOSE_NOTIFY => {
                self.link.send_alert(AlertLevel::WARNING, AlertDescription::CLOSE_NOTIFY);
                self.link.event(Event::PeerClosed);
                self.end();
            }
            description => {
                self.link.event(Event::Failed(Error::AlertReceived(description)));
                self.end();
            }
        }
    }

    fn fail_on_error(&mut self, result: Result<(), Error>) {
        if let Err(error) = result {
            self.fail(error);
        }
    }

    fn fail(&mut self, error: Error) {
        if let Some(description) = error.alert() {
            self.link.send_alert(AlertLevel::FATAL, description);
        }
        self.link.event(Event::Failed(error));
        self.end();
    }

    fn end(&mut self) {
        self.link.retransmitter.stop();
        self.link.acks.clear();
        self.link.paths.stop();
        self.state = State::Ended;
    }
}

#[cfg(test)]
mod tests;

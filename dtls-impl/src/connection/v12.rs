//! One DTLS 1.2 association, client or server.
//!
//! Sorts what arrives, feeds messages to the state machine of the role, and carries out what ends a connection. Epoch 0
//! is not authentic, so nothing in it can end a connection but a well-formed handshake that fails, and a fatal alert
//! after which the peer stays silent: such an alert is only suspected, and believed when the retransmission timer
//! expires without progress. A forger thus wins nothing as long as the peer is there.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use rustls_pki_types::ServerName;

use super::{ends_association, plain_message};
use crate::config::{ClientConfig, Cookies, ServerConfig};
use crate::crypto::Digest;
use crate::entropy::{Entropy, Seed};
use crate::error::{Error, Misuse};
use crate::event::{DiscardReason, Event, Output};
use crate::flight::reassembly::Message;
use crate::flight::retransmitter::Expiry;
use crate::handshake::session::Session;
use crate::handshake::{Context, Step, client12, cookie, server12};
use crate::ids::ConnectionIds;
use crate::link::Link;
use crate::link::inbound::{FragmentFate, Opened};
use crate::mutation::Mutation;
use crate::negotiated::Negotiated;
use crate::session::ClientSession;
use crate::time::Instant;
use crate::wire::{
    Alert, AlertDescription, AlertLevel, ChangeCipherSpec, ClientHello, ClientHelloStart, ContentType, Fragment,
    Fragments, HandshakeType, HelloVerifyRequest, PLAINTEXT_LEN_MAX, ProtocolVersion, Reader, Record, RecordHeader,
    Records, body_of,
};

/// Application data kept until Finished is verified: what can overtake it in one round trip of a small peer.
const HELD_DATA_MAX: usize = 8;

/// One end of one DTLS 1.2 association.
///
/// After each call that takes `now`, call [`poll_output`](Self::poll_output) until it gives [`Output::WakeAt`] or
/// [`Output::Idle`]. `now` never goes backwards.
#[derive(Debug)]
pub(crate) struct Connection12 {
    role: Role,
    state: State,
    link: Link,
    entropy: Entropy,
    /// Application data that came before Finished (RFC 6347 §4.2.4).
    held_data: Vec<Vec<u8>>,
}

#[derive(Debug)]
enum Role {
    Client(Arc<ClientConfig>),
    Server { config: Arc<ServerConfig>, peer_address: Vec<u8> },
}

#[derive(Debug)]
enum State {
    /// A server that knows nothing of its peer.
    Listening,
    Client(client12::State),
    Server(server12::State),
    Established(Box<Session>),
    Ended,
}

impl Connection12 {
    /// A client, which has its first flight ready.
    pub(crate) fn client(
        config: Arc<ClientConfig>,
        server_name: Option<ServerName<'static>>,
        session: Option<ClientSession>,
        seed: &Seed,
        now: Instant,
    ) -> Result<Self, Error> {
        let mut link = Link::new(&config.common, None, now);
        let mut entropy = Entropy::new(seed);
        let mut cx = Context { config: &*config, link: &mut link, entropy: &mut entropy };
        let state = State::Client(client12::start(server_name, session, &mut cx)?);
        Ok(Self { role: Role::Client(config), state, link, entropy, held_data: Vec::new() })
    }

    /// A client whose ClientHello was sent as one of DTLS 1.3, in records before `record_seq`, with what waits to be
    /// polled.
    pub(crate) fn resume_client(
        config: Arc<ClientConfig>,
        sent: client12::SentHello,
        outputs: VecDeque<Output>,
        record_seq: u64,
        (ids, peer): (ConnectionIds, Option<Vec<u8>>),
        mut entropy: Entropy,
        now: Instant,
    ) -> Self {
        let mut link = Link::new(&config.common, peer, now);
        link.ids = ids;
        link.start_at(record_seq, 0);
        link.adopt_outputs(outputs);
        let mut cx = Context { config: &*config, link: &mut link, entropy: &mut entropy };
        let state = State::Client(client12::resume(sent, &mut cx));
        Self { role: Role::Client(config), state, link, entropy, held_data: Vec::new() }
    }

    /// A server without state for the peer at `peer_address`.
    pub(crate) fn server(config: Arc<ServerConfig>, peer_address: &[u8], seed: &Seed, now: Instant) -> Self {
        let link = Link::new(&config.common, Some(peer_address.to_vec()), now);
        let role = Role::Server { config, peer_address: peer_address.to_vec() };
        Self { role, state: State::Listening, link, entropy: Entropy::new(seed), held_data: Vec::new() }
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
        let record = Records::with_cid(datagram, self.link.ids.own_len().unwrap_or_default()).next();
        let Some(Ok(record)) = record else { return false };
        let with_cid = record.header.content_type == ContentType::TLS12_CID;
        let ours = if with_cid { self.link.ids.is_own(record.connection_id) } else { !self.link.ids.expected() };
        ours && record.header.version == ProtocolVersion::DTLS1_2 && self.link.inbound.can_open(&record)
    }

    /// Takes a datagram from an address, or from the peer's. Nothing in it can be wrong enough for an error: bad bytes
    /// are dropped with [`Event::Discarded`], a bad handshake ends in [`Event::Failed`].
    pub(crate) fn handle_datagram(&mut self, now: Instant, from: Option<&[u8]>, datagram: &[u8]) {
        self.link.now = now;
        self.link.paths.on_datagram(from);
        self.link.uncounted = datagram.len();
        for record in Records::with_cid(datagram, self.link.ids.own_len().unwrap_or_default()) {
            match record {
                Ok(record) => self.on_record(&record),
                Err(_) => self.link.discard(DiscardReason::Malformed),
            }
        }
    }

    /// Time has come to the last [`Output::WakeAt`]; earlier calls do nothing.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.link.now = now;
        let expiry = self.link.retransmitter.on_timeout(now);
        let result = match (expiry, self.link.inbound.suspected_alert) {
            (Expiry::NotDue, _) => Ok(()),
            (_, Some(description)) => Err(Error::AlertReceived(description)),
            (Expiry::GiveUp, None) => Err(Error::TimedOut),
            (Expiry::Resend, None) => self.link.resend_flight(),
        };
        self.fail_on_error(result);
        self.link.check_paths(&mut self.entropy);
    }

    /// The next piece of output.
    pub(crate) fn poll_output(&mut self) -> Output {
        self.link.poll()
    }

    /// Sends application data as one record in one datagram. Fails if it is longer than
    /// [`data_len_max`](Self::data_len_max), or if the association is not established.
    pub(crate) fn send(&mut self, now: Instant, data: &[u8]) -> Result<(), Error> {
        self.link.now = now;
        match self.state {
            State::Established(_) => {}
            State::Ended => return Err(Misuse::Closed.into()),
            _ => return Err(Misuse::NotEstablished.into()),
        }
        if data.len() > self.data_len_max() {
            return Err(Misuse::DataTooLarge.into());
        }
        let result = self.link.send_data(data);
        if let Err(error) = &result {
            self.fail(error.clone());
        }
        result
    }

    /// Most application data that [`send`](Self::send) takes at once: the MTU less what protection adds (RFC 6347
    /// §4.1.1.1).
    pub(crate) fn data_len_max(&self) -> usize {
        self.link.data_len_max()
    }

    /// Ends the association with close_notify (RFC 5246 §7.2.1). What arrives after it is dropped.
    pub(crate) fn close(&mut self, now: Instant) {
        self.link.now = now;
        if !matches!(self.state, State::Ended | State::Listening) {
            self.link.send_alert(AlertLevel::WARNING, AlertDescription::CLOSE_NOTIFY);
        }
        self.end();
    }

    pub(crate) fn ids(&self) -> &ConnectionIds {
        &self.link.ids
    }

    pub(crate) fn peer_address(&self) -> Option<&[u8]> {
        self.link.paths.peer()
    }

    pub(crate) fn set_peer_address(&mut self, address: &[u8]) {
        self.link.paths.set_peer(address);
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
        let State::Established(session) = &self.state else { return None };
        Some(Negotiated {
            version: ProtocolVersion::DTLS1_2,
            suite: session.suite().code,
            resumed: session.resumed,
            early_data: false,
            peer: session.identity.clone(),
            alpn: self.link.terms.alpn.clone(),
        })
    }

    /// Fills `out` with keying material for the application (RFC 5705). An empty context differs from none. The
    /// association must be established.
    pub(crate) fn export(&self, label: &[u8], context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        match &self.state {
            State::Established(session) => session.export(label, context, out),
            State::Ended => Err(Misuse::Closed.into()),
            _ => Err(Misuse::NotEstablished.into()),
        }
    }

    fn on_record(&mut self, record: &Record<'_>) {
        let header = &record.header;
        if matches!(self.state, State::Ended) {
            return self.link.discard(DiscardReason::AfterEnd);
        }
        // Before a version is chosen the record version means no more than "some DTLS" (RFC 5246 appendix E.1).
        let version_fits = header.version == ProtocolVersion::DTLS1_2;
        if !version_fits && (header.epoch != 0 || header.version.0 >> 8 != 0xfe) {
            return self.link.discard(DiscardReason::WrongVersion);
        }
        match header.epoch {
            0 => self.on_plain_record(record),
            1 if self.link.inbound.epoch() == 1 => self.on_protected_record(record),
            1 if self.link.paths.is_elsewhere() => self.link.discard(DiscardReason::OtherAddress),
            1 if matches!(self.state, State::Client(_) | State::Server(_)) => {
                if let Err(reason) = self.link.inbound.keep_early(record) {
                    self.link.discard(reason);
                }
            }
            _ => self.link.discard(DiscardReason::WrongEpoch),
        }
    }

    fn on_plain_record(&mut self, record: &Record<'_>) {
        if record.body.len() > PLAINTEXT_LEN_MAX {
            return self.link.discard(DiscardReason::Malformed);
        }
        // Without a connection ID the address says whose a record is (RFC 9146 §3).
        if self.link.paths.is_elsewhere() {
            return self.link.discard(DiscardReason::OtherAddress);
        }
        match self.state {
            State::Listening => return self.on_first_record(record),
            State::Server(server12::State::WaitClientHello) if self.starts_another_hello(record) => {
                return self.on_first_record(record);
            }
            State::Established(_) => return self.link.discard(DiscardReason::WrongEpoch),
            _ => {}
        }
        if self.link.inbound.is_copy(record.header.seq) && !self.link.mutated.by(Mutation::AcceptReplay) {
            return self.link.discard(DiscardReason::Replayed);
        }
        match record.header.content_type {
            ContentType::HANDSHAKE => self.on_handshake_record(&record.header, record.body),
            ContentType::CHANGE_CIPHER_SPEC => self.on_change_cipher_spec(record.body),
            ContentType::ALERT => self.on_plain_alert(record.body),
            ContentType::APPLICATION_DATA => self.link.discard(DiscardReason::Unexpected),
            _ => self.link.discard(DiscardReason::UnknownContentType),
        }
    }

    fn on_protected_record(&mut self, record: &Record<'_>) {
        let with_cid = record.header.content_type == ContentType::TLS12_CID;
        if self.link.ids.expected() != with_cid || (with_cid && !self.link.ids.is_own(record.connection_id)) {
            return self.link.discard(DiscardReason::WrongConnectionId);
        }
        if !with_cid && self.link.paths.is_elsewhere() {
            return self.link.discard(DiscardReason::OtherAddress);
        }
        let accept_replay = self.link.mutated.by(Mutation::AcceptReplay);
        let Opened { content_type, content, newest } = match self.link.inbound.open(record, accept_replay) {
            Ok(opened) => opened,
            Err(reason) => return self.link.discard(reason),
        };
        if matches!(self.state, State::Established(_)) {
            self.link.on_path_record(newest, record.len(), &mut self.entropy);
        }
        match content_type {
            ContentType::HANDSHAKE => {
                self.on_handshake_record(&record.header, &content);
                self.link.inbound.reuse(content);
            }
            ContentType::APPLICATION_DATA => self.on_data(content),
            ContentType::ALERT => self.on_alert(&content),
            ContentType::RETURN_ROUTABILITY_CHECK if self.link.paths.checks_agreed() => self.on_path_message(&content),
            ContentType::CHANGE_CIPHER_SPEC => self.link.discard(DiscardReason::Unexpected),
            _ => self.link.discard(DiscardReason::UnknownContentType),
        }
    }

    fn on_path_message(&mut self, content: &[u8]) {
        if !matches!(self.state, State::Established(_)) {
            return self.link.discard(DiscardReason::Unexpected);
        }
        if let Err(reason) = self.link.on_path_message(content, &mut self.entropy) {
            self.link.discard(reason);
        }
    }

    /// A server without state looks at ClientHellos alone, and remembers one only if it carries a valid cookie.
    fn on_first_record(&mut self, record: &Record<'_>) {
        if record.header.content_type != ContentType::HANDSHAKE {
            return self.link.discard(DiscardReason::Unexpected);
        }
        let Some(Ok(fragment)) = Fragments::new(record.body).next() else {
            return self.link.discard(DiscardReason::Malformed);
        };
        if fragment.header.message_type != HandshakeType::CLIENT_HELLO || fragment.header.fragment_offset != 0 {
            return self.link.discard(DiscardReason::Unexpected);
        }
        // What a cookie covers comes before the extensions, so the first fragment is enough to decide.
        let whole = fragment.header.is_whole();
        let hello = if whole {
            ClientHello::parse(fragment.body).map(|hello| hello.start)
        } else {
            ClientHelloStart::parse(&mut Reader::new(fragment.body))
        };
        let Ok(hello) = hello else {
            return self.link.discard(DiscardReason::Malformed);
        };
        if let Some(cookie) = self.missing_cookie(&hello) {
            let request = hello_verify_request(&record.header, &fragment, cookie.as_ref());
            return self.link.datagram(request);
        }
        self.link.start_at(record.header.seq, fragment.header.message_seq);
        self.state = State::Server(server12::State::WaitClientHello);
        self.on_plain_record(record);
    }

    /// Whether a record starts another ClientHello than the one that has come in part: the client began anew, or one of
    /// the two is forged. The later one has to pass the same checks and then takes over.
    fn starts_another_hello(&self, record: &Record<'_>) -> bool {
        let Some(Ok(fragment)) = Fragments::new(record.body).next() else { return false };
        record.header.content_type == ContentType::HANDSHAKE
            && fragment.header.message_type == HandshakeType::CLIENT_HELLO
            && fragment.header.fragment_offset == 0
            && self.link.inbound.reassembly.contradicts(&fragment)
    }

    /// The cookie that the client must show, if it must and does not. An invalid one counts for nothing.
    fn missing_cookie(&self, hello: &ClientHelloStart<'_>) -> Option<Digest> {
        let Role::Server { config, peer_address } = &self.role else { return None };
        let Cookies::Required { secret } = &config.cookies else { return None };
        if self.link.mutated.by(Mutation::SkipCookie) {
            return None;
        }
        cookie::missing(&*config.common.provider, secret, peer_address, hello)
    }

    fn on_handshake_record(&mut self, header: &RecordHeader, plaintext: &[u8]) {
        for fragment in Fragments::new(plaintext) {
            let Ok(fragment) = fragment else {
                return self.link.discard(DiscardReason::Malformed);
            };
            match self.state {
                State::Client(_) | State::Server(_) => self.on_fragment(header, &fragment),
                State::Established(_) => self.on_late_fragment(header, &fragment),
                State::Listening | State::Ended => return self.link.discard(DiscardReason::AfterEnd),
            }
        }
    }

    /// A fragment while shaking hands.
    fn on_fragment(&mut self, header: &RecordHeader, fragment: &Fragment<'_>) {
        let mut fate = self.link.inbound.fragment(header.epoch, fragment);
        if fate == FragmentFate::Old && self.link.mutated.by(Mutation::AnswerEveryFragment) {
            fate = FragmentFate::FlightRepeated;
        }
        let late = matches!(fate, FragmentFate::FlightRepeated | FragmentFate::Old);
        if late && fragment.header.message_type == HandshakeType::HELLO_VERIFY_REQUEST {
            return self.on_late_verify_request(header, fragment);
        }
        if header.epoch == 0 && matches!(fate, FragmentFate::FlightRepeated | FragmentFate::Stored) {
            self.link.inbound.remember(header.seq);
        }
        match fate {
            FragmentFate::Stored => {
                self.link.on_reply(header.seq, fragment.header.message_type);
                self.handle_messages();
            }
            FragmentFate::FlightRepeated => {
                self.link.discard(DiscardReason::RepeatedMessage);
                let result = self.link.on_peer_repeats();
                self.fail_on_error(result);
            }
            FragmentFate::Old => self.link.discard(DiscardReason::RepeatedMessage),
            FragmentFate::Discard(reason) => self.link.discard(reason),
        }
    }

    /// HelloVerifyRequests answer hellos and are not part of a flight that could be repeated.
    fn on_late_verify_request(&mut self, header: &RecordHeader, fragment: &Fragment<'_>) {
        let mut result = Ok(false);
        if let (State::Client(state), Role::Client(config), true) =
            (&mut self.state, &self.role, fragment.header.is_whole())
        {
            let mut cx = Context { config: &**config, link: &mut self.link, entropy: &mut self.entropy };
            result = state.handle_late_verify_request(header.seq, fragment.body, &mut cx);
        }
        if result == Ok(false) {
            self.link.discard(DiscardReason::RepeatedMessage);
        }
        self.fail_on_error(result.map(|_| ()));
    }

    /// A fragment after the handshake: the peer repeats its last flight, or wants to renegotiate, which is refused.
    fn on_late_fragment(&mut self, header: &RecordHeader, fragment: &Fragment<'_>) {
        let wants_renegotiation = match self.role {
            Role::Client(_) => fragment.header.message_type == HandshakeType::HELLO_REQUEST,
            Role::Server { .. } => fragment.header.message_type == HandshakeType::CLIENT_HELLO,
        };
        if wants_renegotiation {
            if fragment.header.fragment_offset == 0 {
                self.link.send_alert(AlertLevel::WARNING, AlertDescription::NO_RENEGOTIATION);
            }
            return self.link.discard(DiscardReason::Unexpected);
        }
        let mut repeated = self.link.inbound.repeats_flight(header.epoch, fragment);
        repeated |= self.link.mutated.by(Mutation::AnswerEveryFragment);
        self.link.discard(DiscardReason::RepeatedMessage);
        if repeated {
            let result = match header.epoch {
                0 => self.link.on_peer_repeats(),
                _ => self.link.on_peer_repeats_protected(),
            };
            self.fail_on_error(result);
        }
    }

    fn handle_messages(&mut self) {
        while matches!(self.state, State::Client(_) | State::Server(_)) {
            let Some(message) = self.link.inbound.pop() else { return };
            self.link.inbound.suspected_alert = None;
            self.handle_message(&message);
            self.link.inbound.reassembly.reuse(message.body);
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
            (state, _) => Ok(Step::Next(state)),
        };
        match result {
            Ok(Step::Next(state)) => {
                self.state = state;
                self.change_epoch();
            }
            Ok(Step::Established(session)) => self.on_established(session),
            Err(error) => self.fail(error),
        }
    }

    fn on_established(&mut self, mut session: Box<Session>) {
        self.link.retransmitter.on_handshake_done();
        if self.link.ids.expected() {
            self.link.event(Event::ConnectionIds);
        }
        let kept = session.kept.take();
        let (suite, extended_master_secret) = (session.suite().code, session.extended_master_secret());
        self.state = State::Established(session);
        self.link.event(Event::Established { suite, extended_master_secret });
        if let Some(kept) = kept {
            self.link.event(Event::Session(*kept));
        }
        for data in core::mem::take(&mut self.held_data) {
            self.link.event(Event::Data(data));
        }
        if self.link.mutated.by(Mutation::UnsolicitedAlert) {
            self.link.send_alert(AlertLevel::WARNING, AlertDescription::USER_CANCELED);
        }
    }

    fn on_change_cipher_spec(&mut self, plaintext: &[u8]) {
        if ChangeCipherSpec::parse(plaintext).is_err() {
            return self.link.discard(DiscardReason::Malformed);
        }
        if self.link.inbound.epoch() != 0 {
            return self.link.discard(DiscardReason::RepeatedMessage);
        }
        self.link.inbound.change_cipher_spec_seen = true;
        self.change_epoch();
    }

    /// Starts to read under the new keys if that is due, with the records that came too early.
    fn change_epoch(&mut self) {
        for early in self.link.inbound.change_epoch().unwrap_or_default() {
            for record in Records::with_cid(&early, self.link.ids.own_len().unwrap_or_default()).flatten() {
                self.on_record(&record);
            }
        }
    }

    fn on_data(&mut self, data: Vec<u8>) {
        match self.state {
            State::Established(_) => self.link.event(Event::Data(data)),
            _ if self.held_data.len() < HELD_DATA_MAX => self.held_data.push(data),
            _ => self.link.discard(DiscardReason::BeyondLimit),
        }
    }

    /// An alert that anyone may have sent.
    fn on_plain_alert(&mut self, plaintext: &[u8]) {
        let Ok(alert) = Alert::parse(plaintext) else {
            return self.link.discard(DiscardReason::Malformed);
        };
        // The peer answers in epoch 1 once we read there.
        if self.link.inbound.epoch() != 0 {
            return self.link.discard(DiscardReason::UntrustedAlert);
        }
        self.link.event(Event::AlertReceived(alert));
        if ends_association(alert) {
            self.link.inbound.suspected_alert = Some(alert.description);
        }
    }

    fn on_alert(&mut self, plaintext: &[u8]) {
        let Ok(alert) = Alert::parse(plaintext) else {
            return self.link.discard(DiscardReason::Malformed);
        };
        self.link.event(Event::AlertReceived(alert));
        if alert.description == AlertDescription::CLOSE_NOTIFY {
            self.link.send_alert(AlertLevel::WARNING, AlertDescription::CLOSE_NOTIFY);
            self.link.event(Event::PeerClosed);
            self.end();
        } else if ends_association(alert) {
            self.forget_session();
            self.link.event(Event::Failed(Error::AlertReceived(alert.description)));
            self.end();
        }
    }

    /// What a fatal alert has ended is not to be resumed (RFC 5246 §7.2.2).
    fn forget_session(&self) {
        if let (State::Established(session), Role::Server { config, .. }) = (&self.state, &self.role)
            && let Some(sessions) = &config.sessions
        {
            sessions.remove(&session.id);
        }
    }

    fn fail_on_error(&mut self, result: Result<(), Error>) {
        if let Err(error) = result {
            self.fail(error);
        }
    }

    fn fail(&mut self, error: Error) {
        if let Some(description) = error.alert() {
            self.forget_session();
            self.link.send_alert(AlertLevel::FATAL, description);
        }
        self.link.event(Event::Failed(error));
        self.end();
    }

    fn end(&mut self) {
        self.link.retransmitter.stop();
        self.link.paths.stop();
        self.state = State::Ended;
    }
}

/// HelloVerifyRequest as one datagram. Its version is 1.0 whatever comes later (RFC 6347 §4.2.1).
fn hello_verify_request(hello: &RecordHeader, fragment: &Fragment<'_>, cookie: &[u8]) -> Vec<u8> {
    let body = body_of(|w| HelloVerifyRequest { server_version: ProtocolVersion::DTLS1_0, cookie }.emit(w));
    plain_message(hello.seq, HandshakeType::HELLO_VERIFY_REQUEST, fragment.header.message_seq, &body)
}

#[cfg(test)]
mod tests;

//! The client's side of a full handshake (RFC 6347 §4.2.4):
//!
//! 1. ClientHello                                                            -> `WaitServerHello`
//! 2. HelloVerifyRequest; 3. ClientHello with its cookie                     -> `WaitServerHello`
//! 4. ServerHello                                                            -> `WaitCertificate` or, with PSK, next
//!    Certificate                                                            -> `WaitKeyExchange`
//!    ServerKeyExchange, absent in plain PSK without a hint                  -> `WaitHelloDone`
//!    (CertificateRequest,) ServerHelloDone
//! 5. (Certificate,) ClientKeyExchange, (CertificateVerify,)
//!    ChangeCipherSpec, Finished                                             -> `WaitFinished`
//! 6. (NewSessionTicket,)                                                       `WaitTicket` if it was announced
//!    ChangeCipherSpec, Finished                                             -> established
//!
//! The abbreviated handshake is in [`resumption`].

mod resumption;

use rustls_pki_types::ServerName;

pub(crate) use self::resumption::Offer;
use self::resumption::{Keeping, WaitTicket};
use super::authentication::{
    Answer, Believed, certificate_12, certificate_verify, chosen_types, offered_scheme, offered_types, scheme_codes,
    shown_12,
};
use super::builder::FlightBuilder;
use super::connection_id;
use super::session::{Randoms, Session};
use super::transcript::Transcript;
use super::{Context, Step, agree, expect, named, read, speaks_dtls12, unexpected};
use crate::config::{ClientConfig, ClientCredentials, ExtendedMasterSecret};
use crate::crypto::schedule12::{Side, psk_premaster};
use crate::crypto::{Group, Secret};
use crate::error::{Error, Misuse, PeerIncompatible, PeerMisbehaved};
use crate::event::Event;
use crate::flight::reassembly::Message;
use crate::flight::{FlightItem, OutgoingFlight};
use crate::ids::ConnectionIds;
use crate::link::FlightKind;
use crate::mutation::Mutation;
use crate::negotiated::PeerIdentity;
use crate::session::ClientSession;
use crate::suite::{KeyExchangeKind, Suite};
use crate::terms;
use crate::wire::{
    COMPRESSION_NULL, CertificateType, CipherSuite, ClientHelloStart, ClientKeyExchange, DOWNGRADE_TO_1_0,
    DOWNGRADE_TO_1_2, EXTENSIONS_USUAL, EcdhParams, Empty, Extension, Extensions, Finished, HandshakeType,
    HelloVerifyRequest, POINT_FORMAT_UNCOMPRESSED, ProtocolVersion, ServerHello, ServerKeyExchangeEcdhePsk,
    ServerKeyExchangePsk, ServerKeyExchangeSigned, Writer, body_of,
};

/// HelloVerifyRequests answered in one handshake. One is normal, a second follows a change of the server's secret;
/// without a bound a forger could keep us at it.
const HELLO_VERIFY_REQUESTS_MAX: u8 = 4;

type Cx<'a> = Context<'a, ClientConfig>;
type Next = Result<Step<State>, Error>;

/// Where the handshake stands.
#[derive(Debug)]
#[expect(clippy::enum_variant_names, reason = "every state waits for a message, and is named after it")]
pub(crate) enum State {
    WaitServerHello(WaitServerHello),
    WaitCertificate(WaitCertificate),
    WaitKeyExchange(WaitKeyExchange),
    WaitHelloDone(WaitHelloDone),
    WaitTicket(WaitTicket),
    WaitFinished(WaitFinished),
}

impl State {
    /// Takes the next message of the server.
    pub(crate) fn handle(self, message: &Message, cx: &mut Cx<'_>) -> Next {
        // A client that is shaking hands already ignores it, and no transcript contains it (RFC 5246 §7.4.1.1).
        if message.message_type == HandshakeType::HELLO_REQUEST {
            return Ok(Step::Next(self));
        }
        match self {
            Self::WaitServerHello(state) => state.handle(message, cx),
            Self::WaitCertificate(state) => state.handle(message, cx),
            Self::WaitKeyExchange(state) => state.handle(message, cx),
            Self::WaitHelloDone(state) => state.handle(message, cx),
            Self::WaitTicket(state) => state.handle(message, cx),
            Self::WaitFinished(state) => state.handle(message, cx),
        }
    }

    /// A HelloVerifyRequest under a number that has been used: a server without state numbers all of them 0. It counts
    /// if its cookie is new and it answers the last hello, whose record number it then copies (RFC 6347 §4.2.1): one that
    /// answers a hello before that came late, and the server may have taken the cookie since. Whether it counted.
    pub(crate) fn handle_late_verify_request(
        &mut self,
        record_seq: u64,
        body: &[u8],
        cx: &mut Cx<'_>,
    ) -> Result<bool, Error> {
        let Self::WaitServerHello(state) = self else { return Ok(false) };
        let Ok(request) = HelloVerifyRequest::parse(body) else { return Ok(false) };
        if record_seq < state.first_record
            || request.cookie == state.cookie
            || state.verify_requests == HELLO_VERIFY_REQUESTS_MAX
        {
            return Ok(false);
        }
        state.answer_verify_request(request, cx).map(|()| true)
    }
}

/// 1. Sends the first ClientHello.
pub(crate) fn start(
    server_name: Option<ServerName<'static>>,
    session: Option<ClientSession>,
    cx: &mut Cx<'_>,
) -> Result<State, Error> {
    let random = cx.entropy.array();
    let offer = Offer::new(cx.config, server_name.as_ref(), session, cx.entropy, cx.link.now)?;
    cx.link.ids.choose(&cx.config.common.connection_id, cx.entropy);
    let content = Content {
        cipher_suites: suites(cx.config).map(|suite| suite.code).collect(),
        extensions: extensions(server_name.as_ref(), offer.ticket.as_deref(), cx.config, &cx.link.ids),
    };
    let mut state = WaitServerHello {
        server_name,
        offer,
        random,
        cookie: Vec::new(),
        verify_requests: 0,
        first_record: 0,
        transcript: Transcript::new(),
        content,
        offers_13: false,
    };
    state.send_hello(cx)?;
    Ok(State::WaitServerHello(state))
}

/// The suites on offer.
fn suites(config: &ClientConfig) -> impl Iterator<Item = Suite> {
    config.common.suites(|key_exchange| config.credentials.usable(key_exchange))
}

/// A ClientHello is sent.
#[derive(Debug)]
pub(crate) struct WaitServerHello {
    server_name: Option<ServerName<'static>>,
    offer: Offer,
    random: [u8; 32],
    cookie: Vec<u8>,
    verify_requests: u8,
    /// Number of the record in which the last hello was first sent.
    first_record: u64,
    transcript: Transcript,
    /// What the hello says: repeated unchanged with a cookie.
    content: Content,
    /// Whether it offers DTLS 1.3, too.
    offers_13: bool,
}

/// What a ClientHello offers.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) cipher_suites: Vec<CipherSuite>,
    pub(crate) extensions: Extensions<'static>,
}

/// A ClientHello that offered DTLS 1.3 and 1.2, and was answered by a server of 1.2.
#[derive(Debug)]
pub(crate) struct SentHello {
    pub(crate) server_name: Option<ServerName<'static>>,
    pub(crate) offer: Offer,
    pub(crate) random: [u8; 32],
    pub(crate) body: Vec<u8>,
    pub(crate) content: Content,
}

/// Goes on after a ClientHello that was sent as one of DTLS 1.3.
pub(crate) fn resume(sent: SentHello, cx: &mut Cx<'_>) -> State {
    let SentHello { server_name, offer, random, body, content } = sent;
    let mut transcript = Transcript::new();
    transcript.add(HandshakeType::CLIENT_HELLO, 0, &body);
    let message_type = HandshakeType::CLIENT_HELLO;
    let hello = FlightItem::Message { epoch: 0, message_type, message_seq: 0, body };
    cx.link.adopt_flight((OutgoingFlight { items: vec![hello] }, 1));
    let cookie = Vec::new();
    State::WaitServerHello(WaitServerHello {
        server_name,
        offer,
        random,
        cookie,
        verify_requests: 0,
        first_record: 0,
        transcript,
        content,
        offers_13: true,
    })
}

impl WaitServerHello {
    fn handle(mut self, message: &Message, cx: &mut Cx<'_>) -> Next {
        assert!(!cx.link.mutated.by(Mutation::PanicOnHello), "mutation: panic at the first hello");
        match message.message_type {
            HandshakeType::HELLO_VERIFY_REQUEST => {
                let request = read(message, HelloVerifyRequest::parse)?;
                if self.verify_requests == HELLO_VERIFY_REQUESTS_MAX {
                    return Err(unexpected(message));
                }
                self.answer_verify_request(request, cx)?;
                Ok(Step::Next(State::WaitServerHello(self)))
            }
            HandshakeType::SERVER_HELLO => self.handle_server_hello(message, cx),
            _ => Err(unexpected(message)),
        }
    }

    /// 3. The same hello with the cookie. Its version field says nothing about the version to come.
    fn answer_verify_request(&mut self, request: HelloVerifyRequest<'_>, cx: &mut Cx<'_>) -> Result<(), Error> {
        self.cookie = request.cookie.to_vec();
        self.verify_requests += 1;
        self.transcript = Transcript::new();
        self.send_hello(cx)
    }

    fn send_hello(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        let start = ClientHelloStart {
            version: ProtocolVersion::DTLS1_2,
            random: self.random,
            session_id: &self.offer.session_id,
            cookie: &self.cookie,
            cipher_suites: core::mem::take(&mut self.content.cipher_suites),
            compression_methods: &[COMPRESSION_NULL],
        };
        let body = body_of(|w| {
            start.emit(w);
            self.content.extensions.emit(w);
        });
        self.content.cipher_suites = start.cipher_suites;
        self.first_record = cx.link.next_plain_record();
        let mut flight = FlightBuilder::new(&mut self.transcript, cx.link.next_message_seq());
        flight.message(HandshakeType::CLIENT_HELLO, body);
        cx.link.send_flight(flight.finish(), FlightKind::Awaited)
    }

    fn extensions(&self, cx: &Cx<'_>) -> Extensions<'static> {
        extensions(self.server_name.as_ref(), self.offer.ticket.as_deref(), cx.config, &cx.link.ids)
    }

    fn handle_server_hello(mut self, message: &Message, cx: &mut Cx<'_>) -> Next {
        let hello = read(message, ServerHello::parse)?;
        if !speaks_dtls12(hello.version) || hello.version != ProtocolVersion::DTLS1_2 {
            return Err(PeerIncompatible::NoCommonVersion.into());
        }
        let chosen = suites(cx.config).find(|suite| suite.code == hello.cipher_suite);
        let suite = chosen.ok_or(PeerMisbehaved::SuiteNotOffered)?;
        let downgraded = [DOWNGRADE_TO_1_2, DOWNGRADE_TO_1_0].iter().any(|end| hello.random.ends_with(end));
        if self.offers_13 && downgraded {
            return Err(PeerMisbehaved::Downgrade.into());
        }
        if hello.compression_method != COMPRESSION_NULL {
            return Err(PeerMisbehaved::BadCompression.into());
        }
        let extended = self.check_extensions(&hello.extensions, message, cx)?;
        let version = ProtocolVersion::DTLS1_2;
        cx.link.agree_on(terms::accept(&hello.extensions, message.message_type, cx.config, version)?);
        let by_certificate = !suite.key_exchange.has_psk();
        if by_certificate && cx.config.identity.is_some() {
            self.transcript.keep_messages();
        }
        self.transcript.start(&*cx.config.common.provider, suite.hash);
        self.transcript.add_received(message);
        let randoms = Randoms { client: self.random, server: hello.random };
        let keeping = Keeping::new(self.server_name.clone(), &hello);
        let (transcript, asked_for) = (self.transcript, CertificateType::X509);
        let mut negotiated = Negotiated { suite, randoms, extended, asked_for, transcript, keeping };
        if let Some(earlier) = self.offer.resumed(&hello) {
            return resumption::resume(earlier, negotiated, cx);
        }
        Ok(Step::Next(if by_certificate {
            negotiated.asked_for = chosen_types(&hello.extensions, message, cx.config)?;
            State::WaitCertificate(WaitCertificate { server_name: self.server_name, negotiated })
        } else {
            State::WaitKeyExchange(WaitKeyExchange { server: None, negotiated })
        }))
    }

    /// Whether the server took up extended_master_secret. renegotiation_info may be missing: we never renegotiate, and
    /// many small servers do not send it (RFC 5746 §4.1 leaves it to the client).
    fn check_extensions(&self, extensions: &Extensions<'_>, message: &Message, cx: &mut Cx<'_>) -> Result<bool, Error> {
        // Extensions of DTLS 1.3 alone have no place in an answer of 1.2.
        let of_12 = self.offers_13.then(|| self.extensions(cx));
        let offered = of_12.as_ref().unwrap_or(&self.content.extensions);
        if extensions.has_duplicates() {
            return Err(PeerMisbehaved::DuplicateExtension.into());
        }
        if extensions.0.iter().any(|extension| !offered.contains(extension.extension_type)) {
            return Err(PeerMisbehaved::UnsolicitedExtension.into());
        }
        let bad = |reason| Error::BadMessage(message.message_type, reason);
        if extensions.renegotiation_info().map_err(bad)?.is_some_and(|info| !info.is_empty()) {
            return Err(PeerMisbehaved::BadRenegotiationInfo.into());
        }
        let formats = extensions.ec_point_formats().map_err(bad)?;
        if formats.is_some_and(|formats| !formats.contains(&POINT_FORMAT_UNCOMPRESSED)) {
            return Err(PeerMisbehaved::NoUncompressedPoints.into());
        }
        let extended = extensions.extended_master_secret().map_err(bad)?;
        if !extended && cx.config.common.extended_master_secret == ExtendedMasterSecret::Required {
            return Err(PeerIncompatible::NoExtendedMasterSecret.into());
        }
        let (ids, paths) = (&mut cx.link.ids, &mut cx.link.paths);
        connection_id::take_answer(extensions, &cx.config.common, (ids, paths)).map_err(bad)?;
        cx.link.use_connection_id();
        Ok(extended)
    }
}

/// The extensions of a hello.
pub(crate) fn extensions(
    server_name: Option<&ServerName<'static>>,
    ticket: Option<&[u8]>,
    config: &ClientConfig,
    ids: &ConnectionIds,
) -> Extensions<'static> {
    let mut list = Vec::with_capacity(EXTENSIONS_USUAL);
    if let Some(ServerName::DnsName(name)) = server_name {
        list.push(Extension::server_name(name.as_ref()));
    }
    list.push(Extension::renegotiation_info());
    list.push(Extension::extended_master_secret());
    if suites(config).any(|suite| suite.key_exchange.has_ecdhe()) {
        let groups: Vec<_> = config.common.groups_12().map(named).collect();
        list.push(Extension::supported_groups(&groups));
        list.push(Extension::ec_point_formats());
    }
    if suites(config).any(|suite| !suite.key_exchange.has_psk()) {
        list.push(Extension::signature_algorithms(&scheme_codes(&config.common)));
        list.extend(offered_types(config));
    }
    list.extend(terms::offer(config));
    list.extend(ticket.map(Extension::session_ticket));
    list.extend(connection_id::offer(ids, &config.common));
    Extensions(list)
}

/// What the hellos settled.
#[derive(Debug)]
struct Negotiated {
    suite: Suite,
    randoms: Randoms,
    extended: bool,
    /// What the client is to show, if it is asked.
    asked_for: CertificateType,
    transcript: Transcript,
    keeping: Keeping,
}

/// The server will show who it is.
#[derive(Debug)]
pub(crate) struct WaitCertificate {
    server_name: Option<ServerName<'static>>,
    negotiated: Negotiated,
}

impl WaitCertificate {
    fn handle(mut self, message: &Message, cx: &mut Cx<'_>) -> Next {
        expect(message, HandshakeType::CERTIFICATE)?;
        let shown = shown_12(message, cx.config.credentials.server_type())?;
        let server = Believed::server(&shown, self.server_name.as_ref(), cx.config, cx.link.now)?;
        self.negotiated.transcript.add_received(message);
        let state = WaitKeyExchange { server: Some(server), negotiated: self.negotiated };
        Ok(Step::Next(State::WaitKeyExchange(state)))
    }
}

/// The server's share or hint comes next.
#[derive(Debug)]
pub(crate) struct WaitKeyExchange {
    server: Option<Believed>,
    negotiated: Negotiated,
}

impl WaitKeyExchange {
    fn handle(mut self, message: &Message, cx: &mut Cx<'_>) -> Next {
        let plain_psk = self.negotiated.suite.key_exchange == KeyExchangeKind::Psk;
        if plain_psk && message.message_type == HandshakeType::SERVER_HELLO_DONE {
            return self.done(None).handle(message, cx);
        }
        expect(message, HandshakeType::SERVER_KEY_EXCHANGE)?;
        let share = match self.negotiated.suite.key_exchange {
            KeyExchangeKind::Psk => {
                read(message, ServerKeyExchangePsk::parse)?;
                None
            }
            KeyExchangeKind::EcdhePsk => {
                Some(Share::new(&read(message, ServerKeyExchangeEcdhePsk::parse)?.params, cx.config)?)
            }
            KeyExchangeKind::EcdheEcdsa | KeyExchangeKind::EcdheRsa => {
                let exchange = read(message, ServerKeyExchangeSigned::parse)?;
                let share = Share::new(&exchange.params, cx.config)?;
                self.check_signature(&exchange, cx.config)?;
                Some(share)
            }
        };
        self.negotiated.transcript.add_received(message);
        Ok(Step::Next(State::WaitHelloDone(self.done(share))))
    }

    fn done(self, share: Option<Share>) -> WaitHelloDone {
        let server = self.server.map_or(PeerIdentity::Anonymous, Believed::into_identity);
        WaitHelloDone { share, server, answer: None, negotiated: self.negotiated }
    }

    /// The signature binds the share to both randoms (RFC 8422 §5.4).
    fn check_signature(&self, exchange: &ServerKeyExchangeSigned<'_>, config: &ClientConfig) -> Result<(), Error> {
        let scheme = offered_scheme(exchange.scheme, &config.common, ProtocolVersion::DTLS1_2)?;
        if scheme.is_rsa() != (self.negotiated.suite.key_exchange == KeyExchangeKind::EcdheRsa) {
            return Err(PeerMisbehaved::SchemeNotOffered.into());
        }
        let Some(server) = &self.server else {
            return Err(PeerMisbehaved::UnexpectedMessage(HandshakeType::SERVER_KEY_EXCHANGE).into());
        };
        let signed = body_of(|w: &mut Writer| {
            w.bytes(&self.negotiated.randoms.client);
            w.bytes(&self.negotiated.randoms.server);
            exchange.params.emit(w);
        });
        server.check_signature(&config.common, scheme, &signed, exchange.signature)
    }
}

/// The server's share, of a group that was offered.
#[derive(Debug)]
struct Share {
    group: Group,
    public_key: Vec<u8>,
}

impl Share {
    fn new(params: &EcdhParams<'_>, config: &ClientConfig) -> Result<Self, Error> {
        let group = config.common.groups_12().find(|group| named(*group) == params.group);
        let group = group.ok_or(PeerMisbehaved::GroupNotOffered)?;
        Ok(Self { group, public_key: params.public_key.to_vec() })
    }
}

/// All is said but ServerHelloDone, and maybe CertificateRequest.
#[derive(Debug)]
pub(crate) struct WaitHelloDone {
    share: Option<Share>,
    /// Who the server has shown to be, if by certificate. Anonymous servers must not ask for certificates (RFC 5246
    /// §7.4.4), nor those with PSK (RFC 4279 §2).
    server: PeerIdentity,
    /// Set once the server has asked for a certificate.
    answer: Option<Answer>,
    negotiated: Negotiated,
}

impl WaitHelloDone {
    fn handle(mut self, message: &Message, cx: &mut Cx<'_>) -> Next {
        match message.message_type {
            HandshakeType::CERTIFICATE_REQUEST if !self.server.is_anonymous() && self.answer.is_none() => {
                self.answer = Some(Answer::to_request_12(message, self.negotiated.asked_for, cx.config)?);
                self.negotiated.transcript.add_received(message);
                Ok(Step::Next(State::WaitHelloDone(self)))
            }
            HandshakeType::SERVER_HELLO_DONE => {
                read(message, Empty::parse)?;
                self.negotiated.transcript.add_received(message);
                self.send_finished(cx)
            }
            _ => Err(unexpected(message)),
        }
    }

    /// 5. Agrees on keys and proves it.
    fn send_finished(self, cx: &mut Cx<'_>) -> Next {
        let Negotiated { suite, randoms, extended, mut transcript, keeping, .. } = self.negotiated;
        let mut public_key = None;
        let mut ecdhe = None;
        if let Some(share) = self.share {
            let own = cx.config.common.provider.key_exchange(share.group, cx.entropy).map_err(Error::Crypto)?;
            public_key = Some(own.public_key().to_vec());
            ecdhe = Some(agree(own, &share.public_key)?);
        }
        let (psk_identity, premaster) = premaster(&cx.config.credentials, suite, ecdhe)?;

        let mut flight = FlightBuilder::new(&mut transcript, cx.link.next_message_seq());
        let shown = self.answer.and_then(|answer| answer.identity(cx.config));
        if self.answer.is_some() {
            flight.message(HandshakeType::CERTIFICATE, certificate_12(shown.map(|(own, _)| own)));
        }
        let exchange = ClientKeyExchange { psk_identity, public_key: public_key.as_deref() };
        flight.message(HandshakeType::CLIENT_KEY_EXCHANGE, body_of(|w| exchange.emit(w)));
        let session_hash = extended.then(|| flight.transcript().hash());
        let mut session = Session::new(&cx.config.common.provider, suite, &premaster, &randoms, session_hash);
        session.identity = psk_identity.map_or(self.server, |identity| PeerIdentity::Psk(identity.to_vec()));
        if cx.config.common.key_log {
            cx.link.event(Event::KeyLog(session.key_log_line()));
        }
        if let Some((own, scheme)) = shown {
            let verify = certificate_verify(own, scheme, flight.transcript().messages(), cx.entropy)?;
            flight.message(HandshakeType::CERTIFICATE_VERIFY, verify);
        }
        let (sealer, opener) = session.keys(Side::Client).map_err(Error::Crypto)?;
        cx.link.install_sealer(sealer);
        flight.change_cipher_spec();
        finish(flight, &session, FlightKind::Awaited, cx)?;
        transcript.forget_messages();
        let state = WaitFinished { session: Box::new(session), transcript, keeping };
        Ok(Step::Next(resumption::expect_ticket_or_finished(opener, state, cx)))
    }
}

/// Adds Finished and sends the flight.
fn finish(mut flight: FlightBuilder<'_>, session: &Session, kind: FlightKind, cx: &mut Cx<'_>) -> Result<(), Error> {
    let mut verify_data = session.verify_data(Side::Client, &flight.transcript().hash());
    if cx.link.mutated.by(Mutation::CorruptFinished) {
        verify_data[0] ^= 1;
    }
    flight.message(HandshakeType::FINISHED, body_of(|w| Finished { verify_data }.emit(w)));
    cx.link.send_flight(flight.finish(), kind)
}

/// The identity to send and the premaster secret of the suite's key exchange.
fn premaster(
    credentials: &ClientCredentials,
    suite: Suite,
    ecdhe: Option<Secret>,
) -> Result<(Option<&[u8]>, Secret), Error> {
    match (credentials, ecdhe) {
        (ClientCredentials::Psk(psk), ecdhe) if suite.key_exchange.has_psk() => {
            let secret = psk_premaster(psk.key.expose(), ecdhe.as_ref().map(Secret::expose)).map_err(Error::Crypto)?;
            Ok((Some(&psk.identity), secret))
        }
        (ClientCredentials::Certificate { .. }, Some(ecdhe)) => Ok((None, ecdhe)),
        // The suites on offer are those that the credentials can use.
        _ => Err(Misuse::NoUsableSuite.into()),
    }
}

/// Only the server's proof is missing.
#[derive(Debug)]
pub(crate) struct WaitFinished {
    session: Box<Session>,
    transcript: Transcript,
    keeping: Keeping,
}

impl WaitFinished {
    fn handle(mut self, message: &Message, cx: &mut Cx<'_>) -> Next {
        expect(message, HandshakeType::FINISHED)?;
        let finished = read(message, Finished::parse)?;
        self.session.check_finished(Side::Server, &self.transcript.hash(), &finished.verify_data)?;
        if self.session.resumed {
            // 3. of the abbreviated handshake, in which the client has the last word.
            self.transcript.add_received(message);
            let mut flight = FlightBuilder::new(&mut self.transcript, cx.link.next_message_seq());
            flight.change_cipher_spec();
            finish(flight, &self.session, FlightKind::Last, cx)?;
        }
        Ok(Step::Established(self.keep(cx)))
    }
}

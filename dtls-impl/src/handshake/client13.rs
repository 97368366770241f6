//! The client's side of a full DTLS 1.3 handshake (RFC 9147 §5.7, RFC 8446 §2):
//!
//! 1. ClientHello                                                            -> `WaitServerHello`
//! 2. HelloRetryRequest; 3. ClientHello that does what was asked             -> `WaitServerHello`
//! 4. ServerHello                                                            -> `WaitEncryptedExtensions`
//!    {EncryptedExtensions}                                                  -> `WaitCertificate` or, with PSK, last
//!    {CertificateRequest,} {Certificate}                                    -> `WaitCertificateVerify`
//!    {CertificateVerify}                                                    -> `WaitFinished`
//!    {Finished}
//! 5. {(Certificate, (CertificateVerify,)) Finished}                         -> established
//! 6. [ACK]

use rustls_pki_types::ServerName;

use super::authentication::{
    Answer, Believed, SignatureContent, certificate_13, certificate_verify, chosen_types, offered_types,
    read_certificate_verify, scheme_codes, shown_13,
};
use super::builder::FlightBuilder;
use super::client12::{self, Content, Offer, SentHello};
use super::connection_id;
use super::psk13::{self, OwnPsk, own_psks};
use super::session13::{Keying, Session13};
use super::transcript::Transcript;
use super::{Context, EphemeralKey, Step, agree, expect, mode_code, named, read, unexpected};
use crate::config::{ClientConfig, ClientCredentials, PskMode};
use crate::crypto::schedule12::Side;
use crate::crypto::schedule13::{self, KeySchedule, PskOrigin, TrafficSecrets};
use crate::error::{Error, Misuse, PeerIncompatible, PeerMisbehaved};
use crate::event::Event;
use crate::flight::reassembly::Message;
use crate::ids::ConnectionIds;
use crate::link13::{FlightEnd, Link13};
use crate::mutation::Mutation;
use crate::negotiated::PeerIdentity;
use crate::record::epochs13::{EPOCH_APPLICATION, EPOCH_EARLY, EPOCH_HANDSHAKE};
use crate::session::{ClientSession, Kind, Ticket};
use crate::suite::{Suite, Suite13};
use crate::terms;
use crate::wire::{
    COMPRESSION_NULL, CertificateType, CipherSuite, ClientHello, ClientHelloStart, EXTENSIONS_USUAL,
    EncryptedExtensions, Extension, ExtensionType, Extensions, Finished13, HandshakeType, KeyShare, ParseError,
    ProtocolVersion, ServerHello, body_of,
};

type Cx<'a> = Context<'a, ClientConfig, Link13>;
type Next = Result<Step<State, Session13>, Error>;

/// Where the handshake stands.
#[derive(Debug)]
#[expect(clippy::enum_variant_names, reason = "every state waits for a message, and is named after it")]
pub(crate) enum State {
    WaitServerHello(WaitServerHello),
    WaitEncryptedExtensions(WaitEncryptedExtensions),
    WaitCertificate(WaitCertificate),
    WaitCertificateVerify(WaitCertificateVerify),
    WaitFinished(WaitFinished),
}

impl State {
    /// Takes the next message of the server.
    pub(crate) fn handle(self, message: &Message, cx: &mut Cx<'_>) -> Next {
        match self {
            Self::WaitServerHello(state) => state.handle(message, cx),
            Self::WaitEncryptedExtensions(state) => state.handle(message, cx),
            Self::WaitCertificate(state) => state.handle(message, cx),
            Self::WaitCertificateVerify(state) => state.handle(message, cx),
            Self::WaitFinished(state) => state.handle(message, cx),
        }
    }

    /// Whether the server may still be one of DTLS 1.2: it was offered, and nothing has come that only 1.3 has.
    pub(crate) fn may_become_12(&self, config: &ClientConfig) -> bool {
        let undecided = matches!(self, Self::WaitServerHello(state) if state.retried.is_none() && !state.early_data);
        undecided && config.common.versions.has_12()
    }

    /// The hello, for a server of DTLS 1.2.
    pub(crate) fn hello_for_12(&self, config: &ClientConfig, ids: &ConnectionIds) -> Option<SentHello> {
        match self {
            Self::WaitServerHello(state) if self.may_become_12(config) => {
                let content =
                    Content { cipher_suites: state.cipher_suites(config), extensions: state.extensions(config, ids) };
                let (server_name, body) = (state.server_name.clone(), state.sent.clone());
                let offer = state.offer_12.clone();
                Some(SentHello { server_name, offer, random: state.random, body, content })
            }
            _ => None,
        }
    }
}

/// 1. Sends the first ClientHello.
pub(crate) fn start(
    server_name: Option<ServerName<'static>>,
    session: Option<ClientSession>,
    cx: &mut Cx<'_>,
) -> Result<State, Error> {
    let by_psk = matches!(cx.config.credentials, ClientCredentials::Psk(_));
    // A session of 1.2 is offered beside the handshake of 1.3 (RFC 9147 §5.3).
    let is_of_12 = |session: &ClientSession| matches!(session.kind, Kind::V12(_));
    let (session_12, session) = if cx.config.common.versions.has_12() && session.as_ref().is_some_and(is_of_12) {
        (session, None)
    } else {
        (None, session)
    };
    let suites: Vec<_> = cx.config.common.suites13(by_psk).collect();
    let psks = own_psks(cx.config, server_name.as_ref(), session, &suites, cx.link.now)?;
    let group = *cx.config.common.groups.first().ok_or(Misuse::NoGroups)?;
    let random = cx.entropy.array();
    let share = cx.config.common.provider.key_exchange(group, cx.entropy).map_err(Error::Crypto)?;
    let offer_12 = Offer::new(cx.config, server_name.as_ref(), session_12, cx.entropy, cx.link.now)?;
    cx.link.ids.choose(&cx.config.common.connection_id, cx.entropy);
    let mut state = WaitServerHello {
        server_name,
        offer_12,
        suites,
        early_data: false,
        psks,
        random,
        share: EphemeralKey(share),
        cookie: None,
        retried: None,
        transcript: Transcript::dtls13(),
        sent: Vec::new(),
    };
    // Early data comes in the suite of its ticket, and is for the same protocol.
    let early = state.psks.first().and_then(OwnPsk::early_data);
    let fits = |ticket: &Ticket| {
        let protocol = ticket.alpn.as_ref();
        state.suites.contains(&ticket.suite) && protocol.is_none_or(|name| cx.config.common.alpn.contains(name))
    };
    state.early_data = cx.config.early_data && early.is_some_and(fits);
    state.send_hello(cx)?;
    Ok(State::WaitServerHello(state))
}

/// The suites of DTLS 1.2 that are offered, too.
fn suites_12(config: &ClientConfig) -> impl Iterator<Item = Suite> {
    let suites = config.common.suites(|key_exchange| config.credentials.usable(key_exchange));
    suites.filter(|_| config.common.versions.has_12())
}

/// A ClientHello is sent.
#[derive(Debug)]
pub(crate) struct WaitServerHello {
    server_name: Option<ServerName<'static>>,
    /// What a server of DTLS 1.2 may resume.
    offer_12: Offer,
    suites: Vec<Suite13>,
    psks: Vec<OwnPsk>,
    /// Whether the hello says that early data follows.
    early_data: bool,
    random: [u8; 32],
    share: EphemeralKey,
    cookie: Option<Vec<u8>>,
    /// The suite of a HelloRetryRequest.
    retried: Option<Suite13>,
    transcript: Transcript,
    /// The last ClientHello, if a server of DTLS 1.2 may answer it.
    sent: Vec<u8>,
}

impl WaitServerHello {
    fn handle(self, message: &Message, cx: &mut Cx<'_>) -> Next {
        assert!(!cx.link.mutated.by(Mutation::PanicOnHello), "mutation: panic at the first hello");
        expect(message, HandshakeType::SERVER_HELLO)?;
        let hello = read(message, ServerHello::parse)?;
        if hello.extensions.has_duplicates() {
            return Err(PeerMisbehaved::DuplicateExtension.into());
        }
        let bad = |reason| Error::BadMessage(message.message_type, reason);
        if hello.extensions.selected_version().map_err(bad)? != Some(ProtocolVersion::DTLS1_3) {
            return Err(PeerIncompatible::NoCommonVersion.into());
        }
        // RFC 9147 §5.4, and §5: the session id is not echoed.
        if hello.version != ProtocolVersion::DTLS1_2 || !hello.session_id.is_empty() {
            return Err(PeerMisbehaved::BadLegacyField.into());
        }
        if hello.compression_method != COMPRESSION_NULL {
            return Err(PeerMisbehaved::BadCompression.into());
        }
        let chosen = self.suites.iter().find(|suite| suite.code == hello.cipher_suite);
        let suite = *chosen.ok_or(PeerMisbehaved::SuiteNotOffered)?;
        if hello.is_retry_request() {
            self.handle_retry_request(&hello, suite, message, cx)
        } else {
            self.handle_server_hello(&hello, suite, message, cx)
        }
    }

    /// 3. The same hello, with the share and the cookie that were asked for (RFC 8446 §4.1.4).
    fn handle_retry_request(
        mut self,
        hello: &ServerHello<'_>,
        suite: Suite13,
        message: &Message,
        cx: &mut Cx<'_>,
    ) -> Next {
        if self.retried.is_some() {
            return Err(unexpected(message));
        }
        let bad = |reason| Error::BadMessage(message.message_type, reason);
        let known = [ExtensionType::SUPPORTED_VERSIONS, ExtensionType::KEY_SHARE, ExtensionType::COOKIE];
        check_known(&hello.extensions, &known)?;
        let group = hello.extensions.selected_group().map_err(bad)?;
        let cookie = hello.extensions.cookie().map_err(bad)?;
        if group.is_none() && cookie.is_none() {
            return Err(PeerMisbehaved::BadRetry.into());
        }
        if let Some(group) = group {
            let own = cx.config.common.groups.iter().find(|own| named(**own) == group);
            let own = *own.ok_or(PeerMisbehaved::GroupNotOffered)?;
            if own == self.share.0.group() {
                return Err(PeerMisbehaved::BadRetry.into());
            }
            let share = cx.config.common.provider.key_exchange(own, cx.entropy).map_err(Error::Crypto)?;
            self.share = EphemeralKey(share);
        }
        if core::mem::take(&mut self.early_data) {
            // RFC 8446 §4.2.10.
            cx.link.end_early_data();
            cx.link.event(Event::EarlyDataRejected);
        }
        self.cookie = cookie.map(<[u8]>::to_vec);
        self.retried = Some(suite);
        // RFC 8446 §4.1.4: keys for other hashes are of no more use.
        self.psks.retain(|psk| psk.hash == suite.hash);
        let provider = &*cx.config.common.provider;
        self.transcript.start(provider, suite.hash);
        self.transcript = Transcript::after_retry(provider, suite.hash, &self.transcript.hash());
        self.transcript.add_received(message);
        self.send_hello(cx)?;
        Ok(Step::Next(State::WaitServerHello(self)))
    }

    fn send_hello(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        let mut extensions = self.extensions(cx.config, &cx.link.ids);
        if !self.psks.is_empty() {
            // Must be the last (RFC 8446 §4.2.11). The binders are made when all before them is there.
            extensions.0.push(psk13::offer(&self.psks, cx.config.common.date_millis(cx.link.now)));
        }
        let hello = ClientHello {
            start: ClientHelloStart {
                version: ProtocolVersion::DTLS1_2,
                random: self.random,
                session_id: &self.offer_12.session_id,
                cookie: &[],
                cipher_suites: self.cipher_suites(cx.config),
                compression_methods: &[COMPRESSION_NULL],
            },
            extensions,
        };
        let mut body = body_of(|w| hello.emit(w));
        psk13::bind(&self.psks, &self.transcript, &cx.config.common.provider, &mut body);
        if self.early_data {
            self.prepare_early_data(&body, cx)?;
        }
        if cx.config.common.versions.has_12() {
            self.sent.clone_from(&body);
        }
        let mut flight = FlightBuilder::new(&mut self.transcript, cx.link.next_message_seq());
        flight.message(HandshakeType::CLIENT_HELLO, body);
        cx.link.answer(flight.finish(), FlightEnd::Answer)
    }

    /// Makes the keys of early data, over the whole hello (RFC 8446 §7.1).
    fn prepare_early_data(&self, body: &[u8], cx: &mut Cx<'_>) -> Result<(), Error> {
        let Some((psk, ticket)) = self.psks.first().and_then(|psk| Some((psk, psk.early_data()?))) else {
            return Ok(());
        };
        let suite = ticket.suite;
        let common = &cx.config.common;
        let keying = Keying::new(&common.provider, suite, self.random, common.key_log);
        let (message_type, len) = (HandshakeType::CLIENT_HELLO, body.len());
        let hash = self.transcript.hash_with(&*common.provider, suite.hash, message_type, body, len);
        let early = KeySchedule::new(keying.hkdf.clone(), Some(psk.key.expose()));
        let secret = early.early_traffic_secret(&hash);
        keying.log(cx.link, "CLIENT_EARLY_TRAFFIC_SECRET", secret.expose());
        cx.link.install_write(EPOCH_EARLY, keying.sealer(&secret)?);
        cx.link.early_data_left = Some(ticket.early_data_max);
        cx.link.early_record_max = ticket.record_max;
        Ok(())
    }

    /// The suites of DTLS 1.3, and then those of 1.2, if that is offered, too.
    fn cipher_suites(&self, config: &ClientConfig) -> Vec<CipherSuite> {
        let suites = self.suites.iter().map(|suite| suite.code);
        suites.chain(suites_12(config).map(|suite| suite.code)).collect()
    }

    fn extensions(&self, config: &ClientConfig, ids: &ConnectionIds) -> Extensions<'static> {
        let mut list = Vec::with_capacity(EXTENSIONS_USUAL);
        if let Some(ServerName::DnsName(name)) = &self.server_name {
            list.push(Extension::server_name(name.as_ref()));
        }
        let versions = [ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];
        let offered = if config.common.versions.has_12() { &versions[..] } else { &versions[..1] };
        list.push(Extension::supported_versions(offered));
        if self.needs_share(config) {
            let groups: Vec<_> = config.common.groups.iter().map(|group| named(*group)).collect();
            list.push(Extension::supported_groups(&groups));
            let share = KeyShare { group: named(self.share.0.group()), public_key: self.share.0.public_key() };
            list.push(Extension::key_shares(&[share]));
        }
        if let Some(cookie) = &self.cookie {
            list.push(Extension::cookie(cookie));
        }
        // Alone, it says for which key exchange tickets would be of use (RFC 8446 §4.2.9).
        if !self.psks.is_empty() || config.sessions {
            let modes: Vec<_> = config.common.psk_modes.iter().map(|mode| mode_code(*mode)).collect();
            list.push(Extension::psk_key_exchange_modes(&modes));
        }
        if self.early_data {
            list.push(Extension::early_data());
        }
        if matches!(config.credentials, ClientCredentials::Certificate { .. }) {
            list.push(Extension::signature_algorithms(&scheme_codes(&config.common)));
            list.extend(offered_types(config));
        }
        list.extend(terms::offer(config));
        list.extend(connection_id::offer(ids, &config.common));
        if suites_12(config).next().is_some() {
            let ticket = self.offer_12.ticket.as_deref();
            let of_12 = client12::extensions(self.server_name.as_ref(), ticket, config, ids).0;
            let new = |of_12: &Extension<'_>| list.iter().all(|of_13| of_13.extension_type != of_12.extension_type);
            let new: Vec<_> = of_12.into_iter().filter(new).collect();
            list.extend(new);
        }
        Extensions(list)
    }

    /// Not if all that is on offer is key exchange by PSK alone.
    fn needs_share(&self, config: &ClientConfig) -> bool {
        let by_psk = matches!(config.credentials, ClientCredentials::Psk(_));
        !by_psk || config.common.psk_modes != [PskMode::Ke]
    }

    fn handle_server_hello(
        mut self,
        hello: &ServerHello<'_>,
        suite: Suite13,
        message: &Message,
        cx: &mut Cx<'_>,
    ) -> Next {
        let bad = |reason| Error::BadMessage(message.message_type, reason);
        let mut known =
            vec![ExtensionType::SUPPORTED_VERSIONS, ExtensionType::KEY_SHARE, ExtensionType::PRE_SHARED_KEY];
        let offer = connection_id::offer(&cx.link.ids, &cx.config.common);
        known.extend(offer.iter().map(|extension| extension.extension_type));
        check_known(&hello.extensions, &known)?;
        if self.retried.is_some_and(|retried| retried != suite) {
            return Err(PeerMisbehaved::SuiteNotOffered.into());
        }
        let by_psk = matches!(cx.config.credentials, ClientCredentials::Psk(_));
        let psk = match hello.extensions.selected_psk().map_err(bad)? {
            // Without certificates nothing but a key can authenticate the server.
            None if by_psk => return Err(PeerMisbehaved::BadPskChoice.into()),
            None => None,
            Some(_) if self.psks.is_empty() => return Err(PeerMisbehaved::UnsolicitedExtension.into()),
            Some(index) => {
                let psk = self.psks.get(usize::from(index)).filter(|psk| psk.hash == suite.hash);
                Some(psk.ok_or(PeerMisbehaved::BadPskChoice)?)
            }
        };
        let share = hello.extensions.key_share().map_err(bad)?;
        let modes = &cx.config.common.psk_modes;
        let shared = match share {
            Some(_) if !self.needs_share(cx.config) => return Err(PeerMisbehaved::UnsolicitedExtension.into()),
            Some(share) if share.group != named(self.share.0.group()) => {
                return Err(PeerMisbehaved::GroupNotOffered.into());
            }
            Some(_) if psk.is_some() && !modes.contains(&PskMode::DheKe) => {
                return Err(PeerMisbehaved::BadPskChoice.into());
            }
            Some(share) => Some(agree(self.share.0, share.public_key)?),
            None if psk.is_some() && modes.contains(&PskMode::Ke) => None,
            None => return Err(PeerMisbehaved::MissingExtension.into()),
        };
        let common = &cx.config.common;
        let agreed = (&mut cx.link.ids, &mut cx.link.paths);
        connection_id::take_answer(&hello.extensions, common, agreed).map_err(bad)?;
        cx.link.use_connection_id();
        let keying = Keying::new(&common.provider, suite, self.random, common.key_log);
        self.transcript.start(&*common.provider, suite.hash);
        self.transcript.add_received(message);
        let early = KeySchedule::new(keying.hkdf.clone(), psk.map(|psk| psk.key.expose()));
        let schedule = early.into_handshake(shared.as_ref());
        let secrets = schedule.traffic_secrets(&self.transcript.hash());
        keying.log(cx.link, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", secrets.client.expose());
        keying.log(cx.link, "SERVER_HANDSHAKE_TRAFFIC_SECRET", secrets.server.expose());
        cx.link.install_write(EPOCH_HANDSHAKE, keying.sealer(&secrets.client)?);
        cx.link.inbound.read.install(EPOCH_HANDSHAKE, keying.opener(&secrets.server)?);
        cx.link.inbound.enter(EPOCH_HANDSHAKE);
        let resumed = psk.is_some_and(|psk| psk.origin == PskOrigin::Resumption);
        let by_certificate = psk.is_none();
        let identity = psk.map_or(PeerIdentity::Anonymous, |psk| psk.peer.clone());
        // Early data belongs to the first key and its suite, and to nothing else (RFC 8446 §4.2.10).
        let first = self.psks.first().filter(|_| hello.extensions.selected_psk() == Ok(Some(0)));
        let ticket = first.and_then(OwnPsk::early_data).filter(|ticket| ticket.suite == suite);
        let early_data = match (self.early_data, ticket) {
            (false, _) => EarlyOffer::None,
            (true, None) => EarlyOffer::Lost,
            (true, Some(ticket)) => EarlyOffer::For(ticket.alpn.clone()),
        };
        let (transcript, server_name) = (self.transcript, self.server_name);
        let negotiated =
            Negotiated { keying, schedule, secrets, transcript, server_name, resumed, early_data: false, identity };
        Ok(Step::Next(State::WaitEncryptedExtensions(WaitEncryptedExtensions {
            by_certificate,
            early_data,
            negotiated,
        })))
    }
}

/// Refuses extensions that have no place in a message (RFC 8446 §4.2).
fn check_known(extensions: &Extensions<'_>, known: &[ExtensionType]) -> Result<(), PeerMisbehaved> {
    let unknown = extensions.0.iter().any(|extension| !known.contains(&extension.extension_type));
    if unknown { Err(PeerMisbehaved::UnsolicitedExtension) } else { Ok(()) }
}

/// What the hellos settled.
#[derive(Debug)]
struct Negotiated {
    keying: Keying,
    schedule: KeySchedule<schedule13::Handshake>,
    secrets: TrafficSecrets,
    transcript: Transcript,
    server_name: Option<ServerName<'static>>,
    resumed: bool,
    /// Whether the server has accepted early data.
    early_data: bool,
    /// Who the server has shown to be.
    identity: PeerIdentity,
}

/// What there is of early data when the server is to say whether it takes it.
#[derive(Debug, PartialEq, Eq)]
enum EarlyOffer {
    /// None was offered.
    None,
    /// The server chose another key or suite, so it cannot take it.
    Lost,
    /// It may take it if it chooses this protocol, or none.
    For(Option<Vec<u8>>),
}

/// Keys of the handshake are in use.
#[derive(Debug)]
pub(crate) struct WaitEncryptedExtensions {
    /// Whether the server is to show a certificate: not if a pre-shared key authenticates it.
    by_certificate: bool,
    early_data: EarlyOffer,
    negotiated: Negotiated,
}

impl WaitEncryptedExtensions {
    fn handle(mut self, message: &Message, cx: &mut Cx<'_>) -> Next {
        expect(message, HandshakeType::ENCRYPTED_EXTENSIONS)?;
        let extensions = read(message, EncryptedExtensions::parse)?.extensions;
        if extensions.has_duplicates() {
            return Err(PeerMisbehaved::DuplicateExtension.into());
        }
        // Of what was offered only these may be answered here (RFC 8446 §4.2). Groups are hints for next time.
        let mut known = Vec::with_capacity(EXTENSIONS_USUAL);
        known.extend([ExtensionType::SERVER_NAME, ExtensionType::SUPPORTED_GROUPS, ExtensionType::EARLY_DATA]);
        known.extend(terms::EXTENSIONS);
        if self.by_certificate {
            known.extend(offered_types(cx.config).iter().map(|offered| offered.extension_type));
        }
        check_known(&extensions, &known)?;
        let version = ProtocolVersion::DTLS1_3;
        cx.link.agree_on(terms::accept(&extensions, message.message_type, cx.config, version)?);
        let bad = |reason| Error::BadMessage(message.message_type, reason);
        match (extensions.early_data().map_err(bad)?, &self.early_data) {
            (false, EarlyOffer::None) => {}
            (true, EarlyOffer::None) => return Err(PeerMisbehaved::UnsolicitedExtension.into()),
            (true, EarlyOffer::Lost) => return Err(PeerMisbehaved::BadPskChoice.into()),
            (true, EarlyOffer::For(protocol)) if *protocol != cx.link.terms.alpn => {
                return Err(PeerMisbehaved::BadEarlyProtocol.into());
            }
            (true, EarlyOffer::For(_)) => {
                self.negotiated.early_data = true;
                cx.link.event(Event::EarlyDataAccepted);
            }
            (false, _) => {
                cx.link.end_early_data();
                cx.link.event(Event::EarlyDataRejected);
            }
        }
        self.negotiated.transcript.add_received(message);
        let negotiated = self.negotiated;
        Ok(Step::Next(if self.by_certificate {
            let asked_for = chosen_types(&extensions, message, cx.config)?;
            State::WaitCertificate(WaitCertificate { asked_for, answer: None, negotiated })
        } else {
            State::WaitFinished(WaitFinished { answer: None, negotiated })
        }))
    }
}

/// The server will show who it is.
#[derive(Debug)]
pub(crate) struct WaitCertificate {
    /// What the client is to show, if it is asked.
    asked_for: CertificateType,
    /// Set once the server has asked for a certificate.
    answer: Option<Answer>,
    negotiated: Negotiated,
}

impl WaitCertificate {
    fn handle(mut self, message: &Message, cx: &mut Cx<'_>) -> Next {
        if message.message_type == HandshakeType::CERTIFICATE_REQUEST && self.answer.is_none() {
            self.answer = Some(Answer::to_request_13(message, self.asked_for, cx.config)?);
            self.negotiated.transcript.add_received(message);
            return Ok(Step::Next(State::WaitCertificate(self)));
        }
        expect(message, HandshakeType::CERTIFICATE)?;
        let shown = shown_13(message, cx.config.credentials.server_type())?;
        // RFC 8446 §4.4.2.4.
        if shown.is_empty() {
            return Err(Error::BadMessage(message.message_type, ParseError::BadLength));
        }
        let server = Believed::server(&shown, self.negotiated.server_name.as_ref(), cx.config, cx.link.now)?;
        self.negotiated.transcript.add_received(message);
        let Self { answer, negotiated, .. } = self;
        Ok(Step::Next(State::WaitCertificateVerify(WaitCertificateVerify { server, answer, negotiated })))
    }
}

/// The server has yet to show that the certificate is its own.
#[derive(Debug)]
pub(crate) struct WaitCertificateVerify {
    server: Believed,
    answer: Option<Answer>,
    negotiated: Negotiated,
}

impl WaitCertificateVerify {
    fn handle(mut self, message: &Message, cx: &mut Cx<'_>) -> Next {
        let common = &cx.config.common;
        let (scheme, signature) = read_certificate_verify(message, common, ProtocolVersion::DTLS1_3)?;
        let content = SignatureContent::new(Side::Server, &self.negotiated.transcript.hash());
        self.server.check_signature(common, scheme, content.as_bytes(), signature)?;
        self.negotiated.transcript.add_received(message);
        self.negotiated.identity = self.server.into_identity();
        Ok(Step::Next(State::WaitFinished(WaitFinished { answer: self.answer, negotiated: self.negotiated })))
    }
}

/// Only the proof that all was received as it was sent is missing.
#[derive(Debug)]
pub(crate) struct WaitFinished {
    /// To a CertificateRequest, if there was one.
    answer: Option<Answer>,
    negotiated: Negotiated,
}

impl WaitFinished {
    /// 5. Checks the server's proof and gives the client's.
    fn handle(self, message: &Message, cx: &mut Cx<'_>) -> Next {
        expect(message, HandshakeType::FINISHED)?;
        let Negotiated { keying, schedule, secrets, mut transcript, server_name, resumed, early_data, identity } =
            self.negotiated;
        let hash_len = keying.suite.hash.output_len();
        let finished = read(message, |body| Finished13::parse(body, hash_len))?;
        keying.check_finished(&secrets.server, &transcript.hash(), finished.verify_data)?;
        transcript.add_received(message);

        let schedule = schedule.into_traffic();
        let application = schedule.traffic_secrets(&transcript.hash());
        let exporter = schedule.exporter(&transcript.hash());
        keying.log(cx.link, "CLIENT_TRAFFIC_SECRET_0", application.client.expose());
        keying.log(cx.link, "SERVER_TRAFFIC_SECRET_0", application.server.expose());
        keying.log(cx.link, "EXPORTER_SECRET", exporter.expose());

        let mut flight = FlightBuilder::new(&mut transcript, cx.link.next_message_seq());
        flight.epoch(EPOCH_HANDSHAKE);
        if let Some(answer) = self.answer {
            let shown = answer.identity(cx.config);
            flight.message(HandshakeType::CERTIFICATE, certificate_13(shown.map(|(own, _)| own)));
            if let Some((own, scheme)) = shown {
                let content = SignatureContent::new(Side::Client, &flight.transcript().hash());
                let verify = certificate_verify(own, scheme, content.as_bytes(), cx.entropy)?;
                flight.message(HandshakeType::CERTIFICATE_VERIFY, verify);
            }
        }
        let mut verify_data = secrets.client.verify_data(&keying.hkdf, &flight.transcript().hash());
        if cx.link.mutated.by(Mutation::CorruptFinished) {
            verify_data.as_mut()[0] ^= 1;
        }
        flight.message(HandshakeType::FINISHED, body_of(|w| Finished13 { verify_data: verify_data.as_ref() }.emit(w)));
        cx.link.end_early_data();
        cx.link.answer(flight.finish(), FlightEnd::Ack)?;
        cx.link.install_write(EPOCH_APPLICATION, keying.sealer(&application.client)?);
        cx.link.inbound.read.install(EPOCH_APPLICATION, keying.opener(&application.server)?);
        cx.link.inbound.enter(EPOCH_APPLICATION);
        let resumption = schedule.into_resumption(&transcript.hash());
        let (own, peer) = (application.client, application.server);
        let session = Session13 {
            keying,
            exporter,
            own,
            peer,
            resumption,
            server_name,
            resumed,
            early_data,
            // Its server knows.
            began: 0,
            identity,
            peer_resumes: false,
        };
        Ok(Step::Established(Box::new(session)))
    }
}

//! The server's side of a full handshake (RFC 6347 §4.2.4), from a ClientHello that has passed the cookie exchange:
//!
//! 3. ClientHello                                                               `WaitClientHello`
//! 4. ServerHello, (Certificate,) (ServerKeyExchange,)
//!    (CertificateRequest,) ServerHelloDone                                  -> `WaitCertificate` if asked for, or next
//! 5. Certificate                                                            -> `WaitKeyExchange`
//!    ClientKeyExchange                                                      -> `WaitCertificateVerify` if any, or next
//!    CertificateVerify                                                      -> `WaitFinished`
//!    ChangeCipherSpec, Finished
//! 6. (NewSessionTicket,) ChangeCipherSpec, Finished                         -> established
//!
//! The abbreviated handshake is in [`resumption`].

mod resumption;

use std::sync::Arc;

use self::resumption::Keeping;
use super::authentication::{
    Believed, Settled, certificate_12, certificate_request_12, read_certificate_verify, shown_12,
};
use super::builder::FlightBuilder;
use super::connection_id;
use super::session::{Randoms, Session};
use super::transcript::Transcript;
use super::{Context, Step, agree, code, expect, named, read, speaks_dtls12};
use crate::config::{ExtendedMasterSecret, ServerConfig, ServerCredentials, UnknownIdentity};
use crate::crypto::schedule12::{Side, psk_premaster};
use crate::crypto::{Group, KeyExchange, Secret, SignatureScheme, SigningKey};
use crate::entropy::Entropy;
use crate::error::{Error, Misuse, PeerIncompatible, PeerMisbehaved};
use crate::event::Event;
use crate::flight::reassembly::Message;
use crate::link::FlightKind;
use crate::mutation::Mutation;
use crate::negotiated::PeerIdentity;
use crate::suite::{KeyExchangeKind, Suite};
use crate::terms::{self, Terms};
use crate::wire::{
    COMPRESSION_NULL, CertificateType, CipherSuite, ClientHello, ClientKeyExchange, DOWNGRADE_TO_1_2, EcdhParams,
    Extension, ExtensionType, Extensions, Finished, HandshakeType, POINT_FORMAT_UNCOMPRESSED, ProtocolVersion,
    RANDOM_LEN, ServerHello, ServerKeyExchangeEcdhePsk, ServerKeyExchangePsk, ServerKeyExchangeSigned, Writer, body_of,
};

type Cx<'a> = Context<'a, ServerConfig>;
type Next = Result<Step<State>, Error>;

/// Where the handshake stands.
#[derive(Debug)]
#[expect(clippy::enum_variant_names, reason = "every state waits for a message, and is named after it")]
pub(crate) enum State {
    WaitClientHello,
    WaitCertificate(WaitCertificate),
    WaitKeyExchange(WaitKeyExchange),
    WaitCertificateVerify(WaitCertificateVerify),
    WaitFinished(WaitFinished),
}

impl State {
    /// Takes the next message of the client.
    pub(crate) fn handle(self, message: &Message, cx: &mut Cx<'_>) -> Next {
        match self {
            Self::WaitClientHello => handle_client_hello(message, cx),
            Self::WaitCertificate(state) => state.handle(message, cx),
            Self::WaitKeyExchange(state) => state.handle(message, cx),
            Self::WaitCertificateVerify(state) => state.handle(message, cx),
            Self::WaitFinished(state) => state.handle(message, cx),
        }
    }
}

/// What the server chose from the client's offer.
struct Choice {
    suite: Suite,
    /// Set for suites with ECDHE.
    group: Option<Group>,
    /// Set for suites with certificates.
    settled: Option<Settled>,
    extensions: Vec<Extension<'static>>,
}

/// What does not depend on whether the handshake is a full one.
struct Basics {
    extended: bool,
    /// Whether the client knows renegotiation_info.
    renegotiation_info: bool,
    server_name: Option<Vec<u8>>,
    terms: Terms,
    connection_id: connection_id::Offered,
    /// What is answered of these.
    agreed: Vec<Extension<'static>>,
}

impl Basics {
    /// The first extensions of a ServerHello.
    fn answer(&self) -> Vec<Extension<'static>> {
        let mut answer = Vec::new();
        if self.renegotiation_info {
            answer.push(Extension::renegotiation_info());
        }
        if self.extended {
            answer.push(Extension::extended_master_secret());
        }
        answer.extend(self.agreed.iter().cloned());
        answer
    }
}

fn server_random(cx: &mut Cx<'_>) -> [u8; RANDOM_LEN] {
    let mut random: [u8; RANDOM_LEN] = cx.entropy.array();
    if cx.config.common.versions.has_13() {
        // Tells a client that offered 1.3 that somebody took the offer away (RFC 8446 §4.1.3).
        random[RANDOM_LEN - DOWNGRADE_TO_1_2.len()..].copy_from_slice(&DOWNGRADE_TO_1_2);
    }
    random
}

/// 4. Chooses, and sends all that the client needs to agree on keys.
fn handle_client_hello(message: &Message, cx: &mut Cx<'_>) -> Next {
    assert!(!cx.link.mutated.by(Mutation::PanicOnHello), "mutation: panic at the first hello");
    expect(message, HandshakeType::CLIENT_HELLO)?;
    let hello = read(message, ClientHello::parse)?;
    let mut basics = check(&hello, cx.config)?;
    cx.link.agree_on(basics.terms.clone());
    let (ids, paths) = (&mut cx.link.ids, &mut cx.link.paths);
    basics.agreed.extend(basics.connection_id.answer(&cx.config.common, (ids, paths), cx.entropy));
    cx.link.use_connection_id();
    if let Some(found) = resumption::find(&hello, &basics, cx.config, cx.link.now)? {
        return resumption::answer(message, &hello, &basics, found, cx);
    }
    let mut choice = choose(&hello, &basics, cx.config)?;
    let randoms = Randoms { client: hello.start.random, server: server_random(cx) };
    let began = cx.config.common.date_millis(cx.link.now);
    let keeping = Keeping::new(&hello, &basics, cx.config, cx.entropy, began);
    if keeping.ticket {
        choice.extensions.push(Extension::session_ticket(&[]));
    }
    let provider = &*cx.config.common.provider;
    let mut transcript = Transcript::new();
    let asked_for = choice.settled.as_ref().and_then(|settled| settled.client);
    if asked_for.is_some() {
        transcript.keep_messages();
    }
    transcript.start(provider, choice.suite.hash);
    transcript.add_received(message);
    let share = choice.group.map(|group| provider.key_exchange(group, cx.entropy)).transpose();
    let share = share.map_err(Error::Crypto)?;

    let mut flight = FlightBuilder::new(&mut transcript, cx.link.next_message_seq());
    let server_hello = ServerHello {
        version: ProtocolVersion::DTLS1_2,
        random: randoms.server,
        session_id: &keeping.id,
        cipher_suite: choice.suite.code,
        compression_method: COMPRESSION_NULL,
        extensions: Extensions(choice.extensions),
    };
    flight.message(HandshakeType::SERVER_HELLO, body_of(|w| server_hello.emit(w)));
    if let ServerCredentials::Certificate(certified) = &cx.config.credentials {
        flight.message(HandshakeType::CERTIFICATE, certificate_12(Some(certified)));
    }
    let scheme = choice.settled.as_ref().map(|settled| settled.scheme);
    let exchange = server_key_exchange(&cx.config.credentials, share.as_deref(), scheme, &randoms, cx.entropy)?;
    if let Some(body) = exchange {
        flight.message(HandshakeType::SERVER_KEY_EXCHANGE, body);
    }
    if asked_for.is_some() {
        let request = certificate_request_12(&cx.config.client_auth, &cx.config.common);
        flight.message(HandshakeType::CERTIFICATE_REQUEST, request);
    }
    flight.message(HandshakeType::SERVER_HELLO_DONE, Vec::new());
    cx.link.send_flight(flight.finish(), FlightKind::Awaited)?;
    let (suite, extended) = (choice.suite, basics.extended);
    let (share, client) = (Share(share), None);
    let next = WaitKeyExchange { suite, extended, randoms, share, client, transcript, keeping };
    Ok(Step::Next(match asked_for {
        Some(kind) => State::WaitCertificate(WaitCertificate { kind, next }),
        None => State::WaitKeyExchange(next),
    }))
}

/// Checks what every hello must have.
fn check(hello: &ClientHello<'_>, config: &ServerConfig) -> Result<Basics, Error> {
    let (start, extensions) = (&hello.start, &hello.extensions);
    if !speaks_dtls12(start.version) {
        return Err(PeerIncompatible::NoCommonVersion.into());
    }
    if !start.compression_methods.contains(&COMPRESSION_NULL) {
        return Err(PeerMisbehaved::BadCompression.into());
    }
    if extensions.has_duplicates() {
        return Err(PeerMisbehaved::DuplicateExtension.into());
    }
    let bad = |reason| Error::BadMessage(HandshakeType::CLIENT_HELLO, reason);
    let server_name = extensions.server_name().map_err(bad)?.map(<[u8]>::to_vec);
    let formats = extensions.ec_point_formats().map_err(bad)?;
    if formats.is_some_and(|formats| !formats.contains(&POINT_FORMAT_UNCOMPRESSED)) {
        return Err(PeerMisbehaved::NoUncompressedPoints.into());
    }
    let renegotiation_info = extensions.renegotiation_info().map_err(bad)?;
    if renegotiation_info.is_some_and(|info| !info.is_empty()) {
        return Err(PeerMisbehaved::BadRenegotiationInfo.into());
    }
    let extended = extensions.extended_master_secret().map_err(bad)?;
    if !extended && config.common.extended_master_secret == ExtendedMasterSecret::Required {
        return Err(PeerIncompatible::NoExtendedMasterSecret.into());
    }
    let renegotiation_info =
        renegotiation_info.is_some() || start.cipher_suites.contains(&CipherSuite::TLS_EMPTY_RENEGOTIATION_INFO_SCSV);
    let connection_id = connection_id::Offered::read(extensions).map_err(bad)?;
    let (terms, agreed) = terms::answer(extensions, &config.common, ProtocolVersion::DTLS1_2)?;
    Ok(Basics { extended, renegotiation_info, server_name, terms, connection_id, agreed })
}

/// Chooses by the server's order of preference.
fn choose(hello: &ClientHello<'_>, basics: &Basics, config: &ServerConfig) -> Result<Choice, Error> {
    let extensions = &hello.extensions;
    let bad = |reason| Error::BadMessage(HandshakeType::CLIENT_HELLO, reason);
    // Without the extension the client takes any group (RFC 8422 §4).
    let groups = extensions.supported_groups().map_err(bad)?;
    let common = |group: &Group| groups.as_ref().is_none_or(|groups| groups.contains(&named(*group)));
    let group = config.common.groups_12().find(common);
    let (suite, settled) = choose_suite(hello, group, config)?;

    let mut answer = basics.answer();
    let ecdhe = suite.key_exchange.has_ecdhe();
    if ecdhe && extensions.contains(ExtensionType::EC_POINT_FORMATS) {
        answer.push(Extension::ec_point_formats());
    }
    answer.extend(settled.iter().flat_map(|settled| settled.answers.clone()));
    Ok(Choice { suite, group: group.filter(|_| ecdhe), settled, extensions: answer })
}

/// The first suite that both have and for which everything else is there.
fn choose_suite(
    hello: &ClientHello<'_>,
    group: Option<Group>,
    config: &ServerConfig,
) -> Result<(Suite, Option<Settled>), Error> {
    let own = config.common.suites(|key_exchange| config.credentials.usable(key_exchange));
    let mut common = own.filter(|suite| hello.start.cipher_suites.contains(&suite.code)).peekable();
    if common.peek().is_none() {
        return Err(PeerIncompatible::NoCommonSuite.into());
    }
    let settled = match &config.credentials {
        ServerCredentials::Psk { .. } => None,
        ServerCredentials::Certificate(own) => {
            Some(Settled::new(own, &hello.extensions, config, ProtocolVersion::DTLS1_2)?)
        }
    };
    let usable = |suite: &Suite| group.is_some() || !suite.key_exchange.has_ecdhe();
    let suite = common.find(usable).ok_or(PeerIncompatible::NoCommonGroup)?;
    Ok((suite, settled))
}

/// ServerKeyExchange for the credentials; none for plain PSK without a hint (RFC 4279 §2).
fn server_key_exchange(
    credentials: &ServerCredentials,
    share: Option<&dyn KeyExchange>,
    scheme: Option<SignatureScheme>,
    randoms: &Randoms,
    entropy: &mut Entropy,
) -> Result<Option<Vec<u8>>, Error> {
    let params = share.map(|share| EcdhParams { group: named(share.group()), public_key: share.public_key() });
    Ok(match (credentials, params) {
        (ServerCredentials::Psk { hint, .. }, None) => {
            let hint = hint.as_deref().filter(|hint| !hint.is_empty());
            hint.map(|identity_hint| body_of(|w| ServerKeyExchangePsk { identity_hint }.emit(w)))
        }
        (ServerCredentials::Psk { hint, .. }, Some(params)) => {
            let identity_hint = hint.as_deref().unwrap_or_default();
            Some(body_of(|w| ServerKeyExchangeEcdhePsk { identity_hint, params }.emit(w)))
        }
        (ServerCredentials::Certificate(certified), Some(params)) => {
            let scheme = scheme.ok_or(Misuse::NoUsableSuite)?;
            Some(sign(&*certified.key, scheme, params, randoms, entropy)?)
        }
        (ServerCredentials::Certificate(_), None) => return Err(Misuse::NoUsableSuite.into()),
    })
}

/// Signs the share together with both randoms (RFC 8422 §5.4).
fn sign(
    key: &dyn SigningKey,
    scheme: SignatureScheme,
    params: EcdhParams<'_>,
    randoms: &Randoms,
    entropy: &mut Entropy,
) -> Result<Vec<u8>, Error> {
    let signed = body_of(|w: &mut Writer| {
        w.bytes(&randoms.client);
        w.bytes(&randoms.server);
        params.emit(w);
    });
    let signature = key.sign(scheme, &signed, entropy).map_err(Error::Crypto)?;
    let exchange = ServerKeyExchangeSigned { params, scheme: code(scheme), signature: &signature };
    Ok(body_of(|w| exchange.emit(w)))
}

/// The server's ephemeral key, if the suite has one.
struct Share(Option<Box<dyn KeyExchange>>);

impl core::fmt::Debug for Share {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Share").field(&self.0.as_ref().map(|share| share.group())).finish()
    }
}

/// The client was asked for a certificate.
#[derive(Debug)]
pub(crate) struct WaitCertificate {
    kind: CertificateType,
    next: WaitKeyExchange,
}

impl WaitCertificate {
    fn handle(mut self, message: &Message, cx: &mut Cx<'_>) -> Next {
        expect(message, HandshakeType::CERTIFICATE)?;
        let shown = shown_12(message, self.kind)?;
        self.next.client = Believed::client(&shown, cx.config, cx.link.now, ProtocolVersion::DTLS1_2)?;
        self.next.transcript.add_received(message);
        if self.next.client.is_none() {
            self.next.transcript.forget_messages();
        }
        Ok(Step::Next(State::WaitKeyExchange(self.next)))
    }
}

/// The client has all it needs.
#[derive(Debug)]
pub(crate) struct WaitKeyExchange {
    suite: Suite,
    extended: bool,
    randoms: Randoms,
    share: Share,
    /// What the client has shown, if it has shown anything.
    client: Option<Believed>,
    transcript: Transcript,
    keeping: Keeping,
}

impl WaitKeyExchange {
    /// 5. Agrees on keys; what the client proves with them is in the next epoch.
    fn handle(mut self, message: &Message, cx: &mut Cx<'_>) -> Next {
        expect(message, HandshakeType::CLIENT_KEY_EXCHANGE)?;
        let KeyParts { psk, ecdhe } = KeyParts::of(self.suite.key_exchange);
        let exchange = read(message, |body| ClientKeyExchange::parse(body, psk, ecdhe))?;
        let ecdhe = match (self.share.0, exchange.public_key) {
            (Some(own), Some(peer)) => Some(agree(own, peer)?),
            _ => None,
        };
        let premaster = match exchange.psk_identity {
            Some(identity) => {
                let psk = find_psk(&cx.config.credentials, identity, cx.entropy)?;
                psk_premaster(psk.expose(), ecdhe.as_ref().map(Secret::expose)).map_err(Error::Crypto)?
            }
            None => ecdhe.ok_or(Misuse::NoUsableSuite)?,
        };
        self.transcript.add_received(message);
        let session_hash = self.extended.then(|| self.transcript.hash());
        let provider = Arc::clone(&cx.config.common.provider);
        let mut session = Session::new(&provider, self.suite, &premaster, &self.randoms, session_hash);
        session.identity = exchange.psk_identity.map_or(PeerIdentity::Anonymous, |of| PeerIdentity::Psk(of.to_vec()));
        if cx.config.common.key_log {
            cx.link.event(Event::KeyLog(session.key_log_line()));
        }
        let next = WaitFinished { session: Box::new(session), transcript: self.transcript, keeping: self.keeping };
        Ok(Step::Next(match self.client {
            Some(client) => State::WaitCertificateVerify(WaitCertificateVerify { client, next }),
            None => State::WaitFinished(next.under_new_keys(cx)?),
        }))
    }
}

/// The client has yet to show that the certificate is its own. What comes under the new keys waits until then.
#[derive(Debug)]
pub(crate) struct WaitCertificateVerify {
    client: Believed,
    next: WaitFinished,
}

impl WaitCertificateVerify {
    fn handle(mut self, message: &Message, cx: &mut Cx<'_>) -> Next {
        let common = &cx.config.common;
        let (scheme, signature) = read_certificate_verify(message, common, ProtocolVersion::DTLS1_2)?;
        self.client.check_signature(common, scheme, self.next.transcript.messages(), signature)?;
        self.next.transcript.forget_messages();
        self.next.transcript.add_received(message);
        self.next.session.identity = self.client.into_identity();
        Ok(Step::Next(State::WaitFinished(self.next.under_new_keys(cx)?)))
    }
}

/// What ClientKeyExchange holds.
struct KeyParts {
    psk: bool,
    ecdhe: bool,
}

impl KeyParts {
    const fn of(key_exchange: KeyExchangeKind) -> Self {
        Self { psk: key_exchange.has_psk(), ecdhe: key_exchange.has_ecdhe() }
    }
}

fn find_psk(credentials: &ServerCredentials, identity: &[u8], entropy: &mut Entropy) -> Result<Secret, Error> {
    let ServerCredentials::Psk { keys, unknown, .. } = credentials else {
        return Err(Misuse::NoUsableSuite.into());
    };
    match (keys.get(identity), unknown) {
        (Some(key), _) => Ok(key.clone()),
        (None, UnknownIdentity::Alert) => Err(PeerIncompatible::UnknownPskIdentity.into()),
        (None, UnknownIdentity::Conceal) => Ok(Secret::new(entropy.array::<32>().to_vec())),
    }
}

/// Keys are agreed on; the client has yet to prove that it knows them.
#[derive(Debug)]
pub(crate) struct WaitFinished {
    session: Box<Session>,
    transcript: Transcript,
    keeping: Keeping,
}

impl WaitFinished {
    /// All that is still to come is protected.
    fn under_new_keys(self, cx: &mut Cx<'_>) -> Result<Self, Error> {
        cx.link.install_keys(self.session.keys(Side::Server).map_err(Error::Crypto)?);
        Ok(self)
    }

    /// 6. Checks the client's proof and gives the server's, if that did not come first.
    fn handle(mut self, message: &Message, cx: &mut Cx<'_>) -> Next {
        expect(message, HandshakeType::FINISHED)?;
        let finished = read(message, Finished::parse)?;
        let good = self.session.check_finished(Side::Client, &self.transcript.hash(), &finished.verify_data);
        if let (Err(_), Some(sessions)) = (&good, &cx.config.sessions) {
            // RFC 5246 §7.2.2.
            sessions.remove(&self.session.id);
        }
        good?;
        if self.session.resumed {
            return Ok(Step::Established(self.session));
        }
        self.transcript.add_received(message);
        self.keeping.remember(&self.session, cx.config, cx.link.now);
        let new_ticket = self.keeping.new_ticket(&self.session, cx)?;
        self.session.id = self.keeping.id;
        let mut flight = FlightBuilder::new(&mut self.transcript, cx.link.next_message_seq());
        if let Some(body) = new_ticket {
            flight.message(HandshakeType::NEW_SESSION_TICKET, body);
        }
        flight.change_cipher_spec();
        let mut verify_data = self.session.verify_data(Side::Server, &flight.transcript().hash());
        if cx.link.mutated.by(Mutation::CorruptFinished) {
            verify_data[0] ^= 1;
        }
        flight.message(HandshakeType::FINISHED, body_of(|w| Finished { verify_data }.emit(w)));
        cx.link.send_flight(flight.finish(), FlightKind::Last)?;
        Ok(Step::Established(self.session))
    }
}

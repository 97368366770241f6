//! The server's side of a full handshake (RFC 6347 §4.2.4), from a ClientHello that has passed the cookie exchange:
//!
//! 3. ClientHello                                                               `WaitClientHello`
//! 4. ServerHello, (Certificate,) (ServerKeyExchange,) ServerHelloDone       -> `WaitKeyExchange`
//! 5. ClientKeyExchange                                                      -> `WaitFinished`
//!    ChangeCipherSpec, Finished
//! 6. (NewSessionTicket,) ChangeCipherSpec, Finished                         -> established
//!
//! The abbreviated handshake is in [`resumption`].

mod resumption;

use std::sync::Arc;

use self::resumption::Keeping;
use super::builder::FlightBuilder;
use super::session::{Randoms, Session};
use super::transcript::Transcript;
use super::{Context, Step, agree, code, expect, named, read, speaks_dtls12};
use crate::config::{ExtendedMasterSecret, ServerConfig, ServerCredentials, UnknownIdentity};
use crate::crypto::schedule12::{Side, psk_premaster};
use crate::crypto::{Group, KeyExchange, Secret, SigningKey};
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
    COMPRESSION_NULL, Certificate, CipherSuite, ClientHello, ClientKeyExchange, DOWNGRADE_TO_1_2, EcdhParams,
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
    WaitKeyExchange(WaitKeyExchange),
    WaitFinished(WaitFinished),
}

impl State {
    /// Takes the next message of the client.
    pub(crate) fn handle(self, message: &Message, cx: &mut Cx<'_>) -> Next {
        match self {
            Self::WaitClientHello => handle_client_hello(message, cx),
            Self::WaitKeyExchange(state) => state.handle(message, cx),
            Self::WaitFinished(state) => state.handle(message, cx),
        }
    }
}

/// What the server chose from the client's offer.
struct Choice {
    suite: Suite,
    /// Set for suites with ECDHE.
    group: Option<Group>,
    terms: Terms,
    extensions: Vec<Extension<'static>>,
}

/// What does not depend on whether the handshake is a full one.
struct Basics {
    extended: bool,
    /// Whether the client knows renegotiation_info.
    renegotiation_info: bool,
    server_name: Option<Vec<u8>>,
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
    let basics = check(&hello, cx.config)?;
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
    transcript.add_received(message);
    transcript.start(provider, choice.suite.hash);
    let share = choice.group.map(|group| provider.key_exchange(group, cx.entropy)).transpose();
    let share = share.map_err(Error::Crypto)?;

    cx.link.agree_on(choice.terms);
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
        let chain = certified.chain.iter().map(|certificate| &**certificate).collect();
        flight.message(HandshakeType::CERTIFICATE, body_of(|w| Certificate { chain }.emit(w)));
    }
    if let Some(body) = server_key_exchange(&cx.config.credentials, share.as_deref(), &randoms)? {
        flight.message(HandshakeType::SERVER_KEY_EXCHANGE, body);
    }
    flight.message(HandshakeType::SERVER_HELLO_DONE, Vec::new());
    cx.link.send_flight(flight.finish(), FlightKind::Awaited)?;
    let (suite, extended) = (choice.suite, basics.extended);
    Ok(Step::Next(State::WaitKeyExchange(WaitKeyExchange {
        suite,
        extended,
        randoms,
        share: Share(share),
        transcript,
        keeping,
    })))
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
    Ok(Basics { extended, renegotiation_info, server_name })
}

/// Chooses by the server's order of preference.
fn choose(hello: &ClientHello<'_>, basics: &Basics, config: &ServerConfig) -> Result<Choice, Error> {
    let (start, extensions) = (&hello.start, &hello.extensions);
    let bad = |reason| Error::BadMessage(HandshakeType::CLIENT_HELLO, reason);
    // Without the extension the client takes any group (RFC 8422 §4).
    let groups = extensions.supported_groups().map_err(bad)?;
    let common = |group: &Group| groups.as_ref().is_none_or(|groups| groups.contains(&named(*group)));
    let group = config.common.groups_12().find(common);
    let schemes = extensions.signature_algorithms().map_err(bad)?;
    let scheme_fits = match &config.credentials {
        ServerCredentials::Psk { .. } => true,
        ServerCredentials::Certificate(own) => schemes.is_some_and(|schemes| schemes.contains(&code(own.key.scheme()))),
    };
    let suite = choose_suite(&start.cipher_suites, group, scheme_fits, config)?;

    let mut answer = basics.answer();
    let ecdhe = suite.key_exchange.has_ecdhe();
    if ecdhe && extensions.contains(ExtensionType::EC_POINT_FORMATS) {
        answer.push(Extension::ec_point_formats());
    }
    let (terms, agreed) = terms::answer(extensions, &config.common, ProtocolVersion::DTLS1_2)?;
    answer.extend(agreed);
    Ok(Choice { suite, group: group.filter(|_| ecdhe), terms, extensions: answer })
}

/// The first suite that both have and for which everything else is there.
fn choose_suite(
    offered: &[CipherSuite],
    group: Option<Group>,
    scheme_fits: bool,
    config: &ServerConfig,
) -> Result<Suite, PeerIncompatible> {
    let own = config.common.suites(|key_exchange| config.credentials.usable(key_exchange));
    let common: Vec<_> = own.into_iter().filter(|suite| offered.contains(&suite.code)).collect();
    if common.is_empty() {
        return Err(PeerIncompatible::NoCommonSuite);
    }
    if !scheme_fits {
        return Err(PeerIncompatible::NoCommonScheme);
    }
    let usable = |suite: &Suite| group.is_some() || !suite.key_exchange.has_ecdhe();
    common.into_iter().find(usable).ok_or(PeerIncompatible::NoCommonGroup)
}

/// ServerKeyExchange for the credentials; none for plain PSK without a hint (RFC 4279 §2).
fn server_key_exchange(
    credentials: &ServerCredentials,
    share: Option<&dyn KeyExchange>,
    randoms: &Randoms,
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
        (ServerCredentials::Certificate(certified), Some(params)) => Some(sign(&*certified.key, params, randoms)?),
        (ServerCredentials::Certificate(_), None) => return Err(Misuse::NoUsableSuite.into()),
    })
}

/// Signs the share together with both randoms (RFC 8422 §5.4).
fn sign(key: &dyn SigningKey, params: EcdhParams<'_>, randoms: &Randoms) -> Result<Vec<u8>, Error> {
    let signed = body_of(|w: &mut Writer| {
        w.bytes(&randoms.client);
        w.bytes(&randoms.server);
        params.emit(w);
    });
    let signature = key.sign(&signed).map_err(Error::Crypto)?;
    let exchange = ServerKeyExchangeSigned { params, scheme: code(key.scheme()), signature: &signature };
    Ok(body_of(|w| exchange.emit(w)))
}

/// The server's ephemeral key, if the suite has one.
struct Share(Option<Box<dyn KeyExchange>>);

impl core::fmt::Debug for Share {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Share").field(&self.0.as_ref().map(|share| share.group())).finish()
    }
}

/// The client has all it needs.
#[derive(Debug)]
pub(crate) struct WaitKeyExchange {
    suite: Suite,
    extended: bool,
    randoms: Randoms,
    share: Share,
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
        cx.link.install_keys(session.keys(Side::Server).map_err(Error::Crypto)?);
        let state = WaitFinished { session: Box::new(session), transcript: self.transcript, keeping: self.keeping };
        Ok(Step::Next(State::WaitFinished(state)))
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

//! The server's side of a full DTLS 1.3 handshake (RFC 9147 §5.7, RFC 8446 §2):
//!
//! 1. ClientHello                                                               [`examine`], without state
//! 2. HelloRetryRequest                                                         for a cookie, or for another share
//! 3. ClientHello                                                               [`accept`]
//! 4. ServerHello, {EncryptedExtensions,} {CertificateRequest,}
//!    {Certificate, CertificateVerify,} {Finished}                           -> `WaitCertificate` if asked for, or last
//! 5. {Certificate}                                                          -> `WaitCertificateVerify` if any, or next
//!    {CertificateVerify}                                                    -> `WaitFinished`
//!    {Finished}                                                             -> established
//! 6. [ACK]

use super::authentication::{
    Believed, Settled, SignatureContent, certificate_13, certificate_request_13, certificate_verify,
    read_certificate_verify, shown_13,
};
use super::builder::FlightBuilder;
use super::connection_id;
use super::cookie13::Retry;
use super::psk13::{KnownPsk, known_psks};
use super::session13::{Keying, Session13};
use super::transcript::{HashedHeader, Transcript};
use super::{Context, Step, bad_share, expect, mode_code, named, read};
use crate::config::{Cookies, PskMode, ServerConfig, ServerCredentials};
use crate::crypto::schedule12::Side;
use crate::crypto::schedule13::{Exporter, KeySchedule, PskOrigin, Traffic, TrafficSecret, TrafficSecrets};
use crate::crypto::{Digest, Group, Secret};
use crate::error::{Error, PeerIncompatible, PeerMisbehaved};
use crate::flight::reassembly::Message;
use crate::link13::{FlightEnd, Link13};
use crate::mutation::Mutation;
use crate::negotiated::PeerIdentity;
use crate::record::epochs13::{EPOCH_APPLICATION, EPOCH_EARLY, EPOCH_HANDSHAKE};
use crate::record::protection13::Opener;
use crate::suite::Suite13;
use crate::terms::{self, Terms};
use crate::time::Instant;
use crate::wire::{
    COMPRESSION_NULL, CertificateType, CipherSuite, ClientHello, EXTENSIONS_USUAL, EncryptedExtensions, Extension,
    ExtensionType, Extensions, Finished13, HandshakeType, KeyShare, ProtocolVersion, ServerHello, body_of,
};

type Cx<'a> = Context<'a, ServerConfig, Link13>;

/// What a server without state does about a ClientHello.
#[derive(Debug)]
pub(crate) enum Examined {
    /// Answers with this HelloRetryRequest, and remembers nothing.
    Retry(Vec<u8>),
    /// Goes on.
    Accept(Box<Offer>),
}

/// What the server takes from a client's offer.
#[derive(Debug)]
pub(crate) struct Offer {
    suite: Suite13,
    /// The client's share; none for key exchange by PSK alone.
    share: Option<(Group, Vec<u8>)>,
    psk: Option<KnownPsk>,
    /// Set if there is no key that authenticates both.
    settled: Option<Settled>,
    /// Bytes of early data to take.
    early_data: Option<u32>,
    /// Whether the client could use a ticket of ours.
    peer_resumes: bool,
    connection_id: connection_id::Offered,
    client_random: [u8; 32],
    terms: Terms,
    /// What EncryptedExtensions says of these terms.
    agreed: Vec<Extension<'static>>,
    /// Includes the ClientHello.
    transcript: Transcript,
}

/// 1. and 3. Looks at a ClientHello, and at the cookie in it for what an earlier one said.
pub(crate) fn examine(
    message: &Message,
    config: &ServerConfig,
    secret: &Secret,
    peer_address: &[u8],
    now: Instant,
) -> Result<Examined, Error> {
    expect(message, HandshakeType::CLIENT_HELLO)?;
    let hello = read(message, ClientHello::parse)?;
    let extensions = &hello.extensions;
    let bad = |reason| Error::BadMessage(HandshakeType::CLIENT_HELLO, reason);
    if extensions.has_duplicates() {
        return Err(PeerMisbehaved::DuplicateExtension.into());
    }
    let versions = extensions.supported_versions().map_err(bad)?;
    if !versions.is_some_and(|versions| versions.contains(&ProtocolVersion::DTLS1_3)) {
        return Err(PeerIncompatible::NoCommonVersion.into());
    }
    // RFC 9147 §5.3.
    if !hello.start.cookie.is_empty() {
        return Err(PeerMisbehaved::BadLegacyField.into());
    }
    if hello.start.compression_methods != [COMPRESSION_NULL] {
        return Err(PeerMisbehaved::BadCompression.into());
    }
    let _ = extensions.server_name().map_err(bad)?;
    let provider = &*config.common.provider;
    let retried = match extensions.cookie().map_err(bad)? {
        None => None,
        Some(cookie) => {
            let retry = Retry::open(provider, secret, peer_address, cookie).ok_or(PeerMisbehaved::BadCookie)?;
            Some((retry, cookie))
        }
    };
    // Clients of old are looked at again once they are known to be where they say. Before, they will be sent back anyway.
    let cookies_off = matches!(config.cookies, Cookies::Off);
    let without_cookie = config.early_data.as_ref().is_some_and(|policy| policy.without_cookie);
    let early = without_cookie && extensions.contains(ExtensionType::EARLY_DATA);
    let verify = cookies_off || retried.is_some() || early;
    let (suite, psk) = choose(&hello, config, retried.as_ref().map(|(retry, _)| retry.suite), now, verify)?;
    let settled = match (&config.credentials, &psk) {
        (ServerCredentials::Certificate(own), None) => {
            Some(Settled::new(own, extensions, config, ProtocolVersion::DTLS1_3)?)
        }
        _ => None,
    };

    let (terms, agreed) = terms::answer(extensions, &config.common, ProtocolVersion::DTLS1_3)?;
    let cookie_missing = matches!(config.cookies, Cookies::Required { .. }) && retried.is_none();
    let shared = match &psk {
        Some((_, PskMode::Ke)) => Shared::NotNeeded,
        _ => find_share(extensions, config)?,
    };
    let group_missing = match &shared {
        Shared::Missing(group) => Some(named(*group)),
        Shared::NotNeeded | Shared::There { .. } => None,
    };
    // A client that was asked for a share brings it (RFC 8446 §4.1.2).
    if retried.is_some() && group_missing.is_some() {
        return Err(PeerMisbehaved::BadRetry.into());
    }
    let mut transcript = match &retried {
        None => Transcript::dtls13(),
        Some((retry, cookie)) => {
            let mut transcript = Transcript::after_retry(provider, suite.hash, &retry.hello);
            transcript.add(HandshakeType::SERVER_HELLO, 0, &retry.request(cookie));
            transcript
        }
    };
    let psk = psk.map(|(psk, _)| psk);
    let check_binder = |psk: &KnownPsk| {
        let covered = message.body.len() - extensions.binders_len().map_err(bad)?.unwrap_or_default();
        psk.check_binder(&transcript, &config.common.provider, &message.body, covered)
    };
    let mut early_data = None;
    if extensions.early_data().map_err(bad)? {
        // RFC 8446 §4.2.10: not with what answers a HelloRetryRequest.
        if retried.is_some() {
            return Err(PeerMisbehaved::BadRetry.into());
        }
        // A HelloRetryRequest ends early data, whatever it is for.
        let policy = config.early_data.as_ref().filter(|policy| !cookie_missing || policy.without_cookie);
        if let (Some(psk), Some(policy), None) = (&psk, policy, group_missing)
            && let Some(max) = psk.early_data_max(suite, &terms, policy)
        {
            check_binder(psk)?;
            let first = psk.claim(policy, config.common.date_millis(now));
            early_data = (first || config.common.mutated().by(Mutation::TakeEarlyDataAgain)).then_some(max);
        }
    }
    if (cookie_missing && early_data.is_none()) || group_missing.is_some() {
        let hello = whole_hash(provider, suite, message);
        let retry = Retry { suite: suite.code, group: group_missing, hello };
        let cookie = retry.cookie(provider, secret, peer_address);
        return Ok(Examined::Retry(retry.request(&cookie)));
    }
    if let (Some(asked_for), Shared::There { group, alone, .. }) =
        (retried.as_ref().and_then(|(retry, _)| retry.group), &shared)
        && (!alone || named(*group) != asked_for)
    {
        return Err(PeerMisbehaved::BadRetry.into());
    }

    psk.as_ref().filter(|_| early_data.is_none()).map_or(Ok(()), check_binder)?;
    transcript.start(provider, suite.hash);
    transcript.add_received(message);
    let share = match shared {
        Shared::There { group, public_key, .. } => Some((group, public_key)),
        Shared::NotNeeded | Shared::Missing(_) => None,
    };
    let peer_resumes = common_mode(extensions, config)?.is_some();
    let client_random = hello.start.random;
    let connection_id = connection_id::Offered::read(extensions).map_err(bad)?;
    Ok(Examined::Accept(Box::new(Offer {
        suite,
        share,
        psk,
        settled,
        early_data,
        peer_resumes,
        connection_id,
        client_random,
        terms,
        agreed,
        transcript,
    })))
}

/// What a hello has of the key exchange.
enum Shared {
    /// The key exchange is by PSK alone.
    NotNeeded,
    /// There is a group in common, but no share of it.
    Missing(Group),
    /// A share of the first group in common that has one; whether it is the only share.
    There { group: Group, public_key: Vec<u8>, alone: bool },
}

fn find_share(extensions: &Extensions<'_>, config: &ServerConfig) -> Result<Shared, Error> {
    let bad = |reason| Error::BadMessage(HandshakeType::CLIENT_HELLO, reason);
    let shares = extensions.key_shares().map_err(bad)?.ok_or(PeerMisbehaved::MissingExtension)?;
    let groups = extensions.supported_groups().map_err(bad)?.ok_or(PeerMisbehaved::MissingExtension)?;
    let mut common = config.common.groups.iter().copied().filter(|group| groups.contains(&named(*group))).peekable();
    let preferred = *common.peek().ok_or(PeerIncompatible::NoCommonGroup)?;
    let share_of = |group: Group| shares.iter().find(|share| share.group == named(group));
    let found = common.find_map(|group| Some((group, share_of(group)?)));
    Ok(found.map_or(Shared::Missing(preferred), |(group, share)| Shared::There {
        group,
        public_key: share.public_key.to_vec(),
        alone: shares.len() == 1,
    }))
}

/// The suite, and the pre-shared key that goes with its hash. A server that has a certificate can do without a key. A
/// client that was sent back has to do with the suite of then.
fn choose(
    hello: &ClientHello<'_>,
    config: &ServerConfig,
    retried: Option<CipherSuite>,
    now: Instant,
    verify: bool,
) -> Result<(Suite13, Option<(KnownPsk, PskMode)>), Error> {
    let by_psk = matches!(config.credentials, ServerCredentials::Psk { .. });
    let common = config.common.suites13(by_psk).filter(|suite| hello.start.cipher_suites.contains(&suite.code));
    let mut suites: Vec<_> = common.collect();
    let first = *suites.first().ok_or(PeerIncompatible::NoCommonSuite)?;
    if let Some(retried) = retried {
        suites.retain(|suite| suite.code == retried);
        if suites.is_empty() {
            return Err(PeerMisbehaved::BadRetry.into());
        }
    }
    let (known, mode) = offered_psks(hello, config, now, verify)?;
    let fits = |suite: &&Suite13| known.iter().any(|psk| psk.hash == suite.hash);
    let with_psk = suites.iter().find(fits).filter(|_| mode.is_some());
    if let (Some(suite), Some(mode)) = (with_psk, mode) {
        let psk = known.into_iter().find(|psk| psk.hash == suite.hash);
        return Ok((*suite, psk.map(|psk| (psk, mode))));
    }
    if by_psk {
        let known_at_all = !known.is_empty();
        let none = if known_at_all { PeerIncompatible::NoCommonSuite } else { PeerIncompatible::UnknownPskIdentity };
        return Err(none.into());
    }
    Ok((suites.first().copied().unwrap_or(first), None))
}

/// The keys on offer that are known, and the key exchange to go with them, if there is one in common.
fn offered_psks(
    hello: &ClientHello<'_>,
    config: &ServerConfig,
    now: Instant,
    verify: bool,
) -> Result<(Vec<KnownPsk>, Option<PskMode>), Error> {
    let bad = |reason| Error::BadMessage(HandshakeType::CLIENT_HELLO, reason);
    let extensions = &hello.extensions;
    let Some(offered) = extensions.offered_psks().map_err(bad)? else { return Ok((Vec::new(), None)) };
    if !extensions.contains(ExtensionType::PSK_KEY_EXCHANGE_MODES) {
        return Err(PeerMisbehaved::MissingExtension.into());
    }
    if extensions.0.last().is_none_or(|last| last.extension_type != ExtensionType::PRE_SHARED_KEY) {
        return Err(PeerMisbehaved::BadPskChoice.into());
    }
    Ok((known_psks(&offered, config, now, verify), common_mode(extensions, config)?))
}

/// The key exchange to go with a pre-shared key, now or later.
fn common_mode(extensions: &Extensions<'_>, config: &ServerConfig) -> Result<Option<PskMode>, Error> {
    let modes = extensions.psk_key_exchange_modes();
    let modes = modes.map_err(|reason| Error::BadMessage(HandshakeType::CLIENT_HELLO, reason))?.unwrap_or_default();
    Ok(config.common.psk_modes.iter().copied().find(|mode| modes.contains(&mode_code(*mode))))
}

fn whole_hash(provider: &dyn crate::crypto::CryptoProvider, suite: Suite13, message: &Message) -> Digest {
    let mut hash = provider.hash(suite.hash);
    let (message_type, message_seq) = (message.message_type, message.message_seq);
    HashedHeader::Dtls13.with(message_type, message_seq, message.body.len(), |header| hash.update(header));
    hash.update(&message.body);
    hash.current()
}

/// 4. Sends all that the client needs, and then waits for its proof.
pub(crate) fn accept(offer: Offer, cx: &mut Cx<'_>) -> Result<State, Error> {
    assert!(!cx.link.mutated.by(Mutation::PanicOnHello), "mutation: panic at the first hello");
    let Offer {
        suite,
        share,
        psk,
        settled,
        early_data,
        peer_resumes,
        connection_id,
        client_random,
        terms,
        agreed,
        mut transcript,
    } = offer;
    cx.link.agree_on(terms);
    let common = &cx.config.common;
    let keying = Keying::new(&common.provider, suite, client_random, common.key_log);
    let random = cx.entropy.array();
    let mut extensions = Vec::with_capacity(EXTENSIONS_USUAL);
    extensions.push(Extension::selected_version(ProtocolVersion::DTLS1_3));
    let mut shared = None;
    if let Some((group, public_key)) = share {
        let response = common.provider.respond(group, &public_key, cx.entropy).map_err(bad_share)?;
        extensions.push(Extension::key_share(KeyShare { group: named(group), public_key: &response.share }));
        shared = Some(response.secret);
    }
    extensions.extend(psk.as_ref().map(|psk| Extension::selected_psk(psk.index)));
    extensions.extend(connection_id.answer(common, (&mut cx.link.ids, &mut cx.link.paths), cx.entropy));
    cx.link.use_connection_id();
    let server_hello = ServerHello {
        version: ProtocolVersion::DTLS1_2,
        random,
        session_id: &[],
        cipher_suite: suite.code,
        compression_method: COMPRESSION_NULL,
        extensions: Extensions(extensions),
    };
    let body = body_of(|w| server_hello.emit(w));

    let early = KeySchedule::new(keying.hkdf.clone(), psk.as_ref().map(|psk| psk.key.expose()));
    cx.link.early_data_left = early_data;
    if early_data.is_some() {
        let secret = early.early_traffic_secret(&transcript.hash());
        keying.log(cx.link, "CLIENT_EARLY_TRAFFIC_SECRET", secret.expose());
        cx.link.inbound.read.install(EPOCH_EARLY, keying.opener(&secret)?);
    }
    let mut flight = FlightBuilder::new(&mut transcript, cx.link.next_message_seq());
    flight.message(HandshakeType::SERVER_HELLO, body);
    let schedule = early.into_handshake(shared.as_ref());
    let secrets = schedule.traffic_secrets(&flight.transcript().hash());
    log_handshake(&keying, cx.link, &secrets);
    cx.link.install_write(EPOCH_HANDSHAKE, keying.sealer(&secrets.server)?);
    cx.link.inbound.read.install(EPOCH_HANDSHAKE, keying.opener(&secrets.client)?);

    flight.epoch(EPOCH_HANDSHAKE);
    let accepts_early = early_data.is_some();
    let mut answers: Vec<_> = accepts_early.then(Extension::early_data).into_iter().collect();
    answers.extend(settled.iter().flat_map(|settled| settled.answers.clone()));
    answers.extend(agreed);
    let encrypted = EncryptedExtensions { extensions: Extensions(answers) };
    flight.message(HandshakeType::ENCRYPTED_EXTENSIONS, body_of(|w| encrypted.emit(w)));
    if let (ServerCredentials::Certificate(own), Some(settled)) = (&cx.config.credentials, &settled) {
        if settled.client.is_some() {
            flight.message(HandshakeType::CERTIFICATE_REQUEST, certificate_request_13(common));
        }
        flight.message(HandshakeType::CERTIFICATE, certificate_13(Some(own)));
        let content = SignatureContent::new(Side::Server, &flight.transcript().hash());
        let verify = certificate_verify(own, settled.scheme, content.as_bytes(), cx.entropy)?;
        flight.message(HandshakeType::CERTIFICATE_VERIFY, verify);
    }
    let mut verify_data = secrets.server.verify_data(&keying.hkdf, &flight.transcript().hash());
    if cx.link.mutated.by(Mutation::CorruptFinished) {
        verify_data.as_mut()[0] ^= 1;
    }
    flight.message(HandshakeType::FINISHED, body_of(|w| Finished13 { verify_data: verify_data.as_ref() }.emit(w)));
    let to_finished = flight.transcript().hash();
    cx.link.answer(flight.finish(), FlightEnd::Answer)?;
    cx.link.inbound.enter(EPOCH_HANDSHAKE);

    let schedule = schedule.into_traffic();
    let application = schedule.traffic_secrets(&to_finished);
    let exporter = schedule.exporter(&to_finished);
    keying.log(cx.link, "CLIENT_TRAFFIC_SECRET_0", application.client.expose());
    keying.log(cx.link, "SERVER_TRAFFIC_SECRET_0", application.server.expose());
    keying.log(cx.link, "EXPORTER_SECRET", exporter.expose());
    cx.link.install_write(EPOCH_APPLICATION, keying.sealer(&application.server)?);
    let opener = keying.opener(&application.client)?;
    let resumed = psk.as_ref().is_some_and(|psk| psk.origin == PskOrigin::Resumption);
    let began = psk.as_ref().and_then(|psk| psk.began).unwrap_or(common.date_millis(cx.link.now));
    let identity = psk.map_or(PeerIdentity::Anonymous, |psk| psk.peer);
    let later = Later { schedule, transcript, resumed, early_data: accepts_early, began, identity, peer_resumes };
    let next = WaitFinished { keying, client: secrets.client, opener, application, exporter, later };
    Ok(match settled.and_then(|settled| settled.client) {
        Some(kind) => State::WaitCertificate(WaitCertificate { kind, next: Box::new(next) }),
        None => State::WaitFinished(Box::new(next)),
    })
}

fn log_handshake(keying: &Keying, link: &mut Link13, secrets: &TrafficSecrets) {
    keying.log(link, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", secrets.client.expose());
    keying.log(link, "SERVER_HANDSHAKE_TRAFFIC_SECRET", secrets.server.expose());
}

/// Where the handshake stands.
#[derive(Debug)]
#[expect(clippy::enum_variant_names, reason = "every state waits for a message, and is named after it")]
pub(crate) enum State {
    WaitCertificate(WaitCertificate),
    WaitCertificateVerify(WaitCertificateVerify),
    WaitFinished(Box<WaitFinished>),
}

type Next = Result<Step<State, Session13>, Error>;

impl State {
    /// Takes the next message of the client.
    pub(crate) fn handle(self, message: &Message, cx: &mut Cx<'_>) -> Next {
        match self {
            Self::WaitCertificate(state) => state.handle(message, cx),
            Self::WaitCertificateVerify(state) => state.handle(message, cx),
            Self::WaitFinished(state) => state.handle(message, cx),
        }
    }
}

/// The client was asked for a certificate.
#[derive(Debug)]
pub(crate) struct WaitCertificate {
    kind: CertificateType,
    next: Box<WaitFinished>,
}

impl WaitCertificate {
    fn handle(mut self, message: &Message, cx: &mut Cx<'_>) -> Next {
        expect(message, HandshakeType::CERTIFICATE)?;
        let shown = shown_13(message, self.kind)?;
        let client = Believed::client(&shown, cx.config, cx.link.now, ProtocolVersion::DTLS1_3)?;
        self.next.later.transcript.add_received(message);
        let next = self.next;
        Ok(Step::Next(match client {
            Some(client) => State::WaitCertificateVerify(WaitCertificateVerify { client, next }),
            None => State::WaitFinished(next),
        }))
    }
}

/// The client has yet to show that the certificate is its own.
#[derive(Debug)]
pub(crate) struct WaitCertificateVerify {
    client: Believed,
    next: Box<WaitFinished>,
}

impl WaitCertificateVerify {
    fn handle(mut self, message: &Message, cx: &mut Cx<'_>) -> Next {
        let common = &cx.config.common;
        let (scheme, signature) = read_certificate_verify(message, common, ProtocolVersion::DTLS1_3)?;
        let content = SignatureContent::new(Side::Client, &self.next.later.transcript.hash());
        self.client.check_signature(common, scheme, content.as_bytes(), signature)?;
        self.next.later.transcript.add_received(message);
        self.next.later.identity = self.client.into_identity();
        Ok(Step::Next(State::WaitFinished(self.next)))
    }
}

/// All is said; the client has yet to prove that it received it.
#[derive(Debug)]
pub(crate) struct WaitFinished {
    keying: Keying,
    client: TrafficSecret,
    /// Reads application data, once the client has proved itself.
    opener: Opener,
    application: TrafficSecrets,
    exporter: Exporter,
    later: Later,
}

/// What tickets are made from.
#[derive(Debug)]
struct Later {
    schedule: KeySchedule<Traffic>,
    transcript: Transcript,
    resumed: bool,
    early_data: bool,
    /// When the session began with a full handshake, in milliseconds since 1970.
    began: u64,
    /// Who the client has shown to be.
    identity: PeerIdentity,
    /// Whether the client could use a ticket of ours.
    peer_resumes: bool,
}

impl WaitFinished {
    /// 6. Checks the client's proof. Nothing is left to answer but an ACK.
    fn handle(self, message: &Message, cx: &mut Cx<'_>) -> Next {
        expect(message, HandshakeType::FINISHED)?;
        let Self { keying, client, opener, application, exporter, mut later } = self;
        let hash_len = keying.suite.hash.output_len();
        let finished = read(message, |body| Finished13::parse(body, hash_len))?;
        keying.check_finished(&client, &later.transcript.hash(), finished.verify_data)?;
        cx.link.on_flight_done();
        cx.link.acks.on_unanswered();
        cx.link.inbound.read.install(EPOCH_APPLICATION, opener);
        cx.link.inbound.enter(EPOCH_APPLICATION);
        later.transcript.add_received(message);
        let Later { schedule, transcript, resumed, early_data, began, identity, peer_resumes } = later;
        let resumption = schedule.into_resumption(&transcript.hash());
        let (own, peer, server_name) = (application.server, application.client, None);
        let session = Session13 {
            keying,
            exporter,
            own,
            peer,
            resumption,
            server_name,
            resumed,
            early_data,
            began,
            identity,
            peer_resumes,
        };
        Ok(Step::Established(Box::new(session)))
    }
}

//! The server's side of a full DTLS 1.3 handshake (RFC 9147 §5.7, RFC 8446 §2):
//!
//! 1. ClientHello                                                               [`examine`], without state
//! 2. HelloRetryRequest                                                         for a cookie, or for another share
//! 3. ClientHello                                                               [`accept`]
//! 4. ServerHello, {EncryptedExtensions,}
//!    {Certificate, CertificateVerify,} {Finished}                           -> `WaitFinished`
//! 5. {Finished}                                                             -> established
//! 6. [ACK]

use super::builder::FlightBuilder;
use super::cookie13::Retry;
use super::session13::{Keying, Session13};
use super::transcript::{HashedHeader, Transcript};
use super::{Context, Step, agree, code, expect, named, read, server_signature_content};
use crate::config::{Cookies, ServerConfig, ServerCredentials};
use crate::crypto::hkdf::Hkdf;
use crate::crypto::schedule13::{Exporter, KeySchedule, PskOrigin, TrafficSecret, TrafficSecrets};
use crate::crypto::{Digest, Group, Secret};
use crate::error::{Error, PeerIncompatible, PeerMisbehaved};
use crate::flight::reassembly::Message;
use crate::link13::{FlightEnd, Link13};
use crate::mutation::Mutation;
use crate::record::epochs13::{EPOCH_APPLICATION, EPOCH_HANDSHAKE};
use crate::record::protection13::Opener;
use crate::suite::Suite13;
use crate::wire::{
    COMPRESSION_NULL, Certificate13, CertificateEntry, CertificateVerify, ClientHello, EncryptedExtensions, Extension,
    ExtensionType, Extensions, Finished13, HandshakeType, KeyShare, PSK_MODE_DHE, ProtocolVersion, ServerHello,
    body_of,
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
    group: Group,
    public_key: Vec<u8>,
    psk: Option<ChosenPsk>,
    client_random: [u8; 32],
    /// Includes the ClientHello.
    transcript: Transcript,
}

#[derive(Debug)]
struct ChosenPsk {
    index: u16,
    key: Secret,
}

/// 1. and 3. Looks at a ClientHello, and at the cookie in it for what an earlier one said.
pub(crate) fn examine(
    message: &Message,
    config: &ServerConfig,
    secret: &Secret,
    peer_address: &[u8],
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
    let by_psk = matches!(config.credentials, ServerCredentials::Psk { .. });
    let own_suites = config.common.suites13(by_psk);
    let suite = own_suites.into_iter().find(|suite| hello.start.cipher_suites.contains(&suite.code));
    let suite = suite.ok_or(PeerIncompatible::NoCommonSuite)?;
    check_scheme(extensions, config)?;

    let provider = &*config.common.provider;
    let retried = match extensions.cookie().map_err(bad)? {
        None => None,
        Some(cookie) => {
            let retry = Retry::open(provider, secret, peer_address, cookie).ok_or(PeerMisbehaved::BadCookie)?;
            if retry.suite != suite.code {
                return Err(PeerMisbehaved::BadRetry.into());
            }
            Some((retry, cookie))
        }
    };
    let shares = extensions.key_shares().map_err(bad)?.ok_or(PeerMisbehaved::MissingExtension)?;
    let groups = extensions.supported_groups().map_err(bad)?.ok_or(PeerMisbehaved::MissingExtension)?;
    let mut common = config.common.groups.iter().copied().filter(|group| groups.contains(&named(*group))).peekable();
    let preferred = *common.peek().ok_or(PeerIncompatible::NoCommonGroup)?;
    let share_of = |group: Group| shares.iter().find(|share| share.group == named(group));
    let shared = common.find_map(|group| Some((group, share_of(group)?)));

    let cookie_missing = matches!(config.cookies, Cookies::Required { .. }) && retried.is_none();
    let (group, share) = match shared {
        Some(shared) if !cookie_missing => shared,
        // A client that was asked for a share brings it (RFC 8446 §4.1.2).
        None if retried.is_some() => return Err(PeerMisbehaved::BadRetry.into()),
        _ => {
            let group = shared.is_none().then(|| named(preferred));
            let hello = whole_hash(provider, suite, message);
            let retry = Retry { suite: suite.code, group, hello };
            let cookie = retry.cookie(provider, secret, peer_address);
            return Ok(Examined::Retry(retry.request(&cookie)));
        }
    };
    let asked_for = retried.as_ref().and_then(|(retry, _)| retry.group);
    if asked_for.is_some_and(|asked_for| shares.len() != 1 || share.group != asked_for) {
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
    let psk = choose_psk(&hello, message, &transcript, suite, config)?;
    transcript.add_received(message);
    transcript.start(provider, suite.hash);
    let (public_key, client_random) = (share.public_key.to_vec(), hello.start.random);
    Ok(Examined::Accept(Box::new(Offer { suite, group, public_key, psk, client_random, transcript })))
}

fn whole_hash(provider: &dyn crate::crypto::CryptoProvider, suite: Suite13, message: &Message) -> Digest {
    let mut hash = provider.hash(suite.hash);
    let (message_type, message_seq) = (message.message_type, message.message_seq);
    HashedHeader::Dtls13.with(message_type, message_seq, message.body.len(), |header| hash.update(header));
    hash.update(&message.body);
    hash.current()
}

/// Whether the client verifies signatures of the server's key.
fn check_scheme(extensions: &Extensions<'_>, config: &ServerConfig) -> Result<(), Error> {
    let ServerCredentials::Certificate(own) = &config.credentials else { return Ok(()) };
    let schemes = extensions.signature_algorithms();
    let schemes = schemes.map_err(|reason| Error::BadMessage(HandshakeType::CLIENT_HELLO, reason))?;
    let schemes = schemes.ok_or(PeerMisbehaved::MissingExtension)?;
    if schemes.contains(&code(own.key.scheme())) { Ok(()) } else { Err(PeerIncompatible::NoCommonScheme.into()) }
}

/// The first of the client's keys that is known; its binder must be right (RFC 8446 §4.2.11).
fn choose_psk(
    hello: &ClientHello<'_>,
    message: &Message,
    transcript: &Transcript,
    suite: Suite13,
    config: &ServerConfig,
) -> Result<Option<ChosenPsk>, Error> {
    let ServerCredentials::Psk { keys, .. } = &config.credentials else { return Ok(None) };
    let bad = |reason| Error::BadMessage(HandshakeType::CLIENT_HELLO, reason);
    let extensions = &hello.extensions;
    let offered = extensions.offered_psks().map_err(bad)?.ok_or(PeerIncompatible::UnknownPskIdentity)?;
    let modes = extensions.psk_key_exchange_modes().map_err(bad)?.ok_or(PeerMisbehaved::MissingExtension)?;
    if extensions.0.last().is_none_or(|last| last.extension_type != ExtensionType::PRE_SHARED_KEY) {
        return Err(PeerMisbehaved::BadPskChoice.into());
    }
    if !modes.contains(&PSK_MODE_DHE) {
        return Err(PeerIncompatible::NoCommonSuite.into());
    }
    let known = offered.iter().enumerate().find_map(|(index, psk)| Some((index, psk, keys.get(psk.identity)?)));
    let (index, psk, key) = known.ok_or(PeerIncompatible::UnknownPskIdentity)?;
    let binders_len = extensions.binders_len().map_err(bad)?.unwrap_or_default();
    let provider = &config.common.provider;
    let covered = message.body.len() - binders_len;
    let hash = transcript.hash_with(&**provider, suite.hash, HandshakeType::CLIENT_HELLO, &message.body, covered);
    let schedule = KeySchedule::new(Hkdf::dtls13(provider.clone(), suite.hash), Some(key.expose()));
    if schedule.binder(PskOrigin::External, &hash) != Digest::new(psk.binder) {
        return Err(PeerMisbehaved::BadBinder.into());
    }
    Ok(Some(ChosenPsk { index: index as u16, key: key.clone() }))
}

/// 4. Sends all that the client needs, and then waits for its proof.
pub(crate) fn accept(offer: Offer, cx: &mut Cx<'_>) -> Result<WaitFinished, Error> {
    assert!(!cx.link.mutated.by(Mutation::PanicOnHello), "mutation: panic at the first hello");
    let Offer { suite, group, public_key, psk, client_random, mut transcript } = offer;
    let common = &cx.config.common;
    let keying = Keying::new(&common.provider, suite, client_random, common.key_log);
    let random = cx.entropy.array();
    let share = common.provider.key_exchange(group, cx.entropy).map_err(Error::Crypto)?;
    let own_share = KeyShare { group: named(group), public_key: share.public_key() };
    let mut extensions = vec![Extension::selected_version(ProtocolVersion::DTLS1_3), Extension::key_share(own_share)];
    extensions.extend(psk.as_ref().map(|psk| Extension::selected_psk(psk.index)));
    let server_hello = ServerHello {
        version: ProtocolVersion::DTLS1_2,
        random,
        session_id: &[],
        cipher_suite: suite.code,
        compression_method: COMPRESSION_NULL,
        extensions: Extensions(extensions),
    };
    let body = body_of(|w| server_hello.emit(w));
    let shared = agree(share, &public_key)?;

    let mut flight = FlightBuilder::new(&mut transcript, cx.link.next_message_seq());
    flight.message(HandshakeType::SERVER_HELLO, body);
    let early = KeySchedule::new(keying.hkdf.clone(), psk.as_ref().map(|psk| psk.key.expose()));
    let schedule = early.into_handshake(Some(&shared));
    let secrets = schedule.traffic_secrets(&flight.transcript().hash());
    log_handshake(&keying, cx.link, &secrets);
    cx.link.install_write(EPOCH_HANDSHAKE, keying.sealer(&secrets.server)?);
    cx.link.inbound.read.install(EPOCH_HANDSHAKE, keying.opener(&secrets.client)?);

    flight.epoch(EPOCH_HANDSHAKE);
    let encrypted = EncryptedExtensions { extensions: Extensions::default() };
    flight.message(HandshakeType::ENCRYPTED_EXTENSIONS, body_of(|w| encrypted.emit(w)));
    if let ServerCredentials::Certificate(certified) = &cx.config.credentials {
        let entry = |der| CertificateEntry { certificate: der, extensions: Extensions::default() };
        let entries = certified.chain.iter().map(|certificate| entry(&**certificate)).collect();
        let certificate = Certificate13 { context: &[], entries };
        flight.message(HandshakeType::CERTIFICATE, body_of(|w| certificate.emit(w)));
        let content = server_signature_content(&flight.transcript().hash());
        let signature = certified.key.sign(&content).map_err(Error::Crypto)?;
        let verify = CertificateVerify { scheme: code(certified.key.scheme()), signature: &signature };
        flight.message(HandshakeType::CERTIFICATE_VERIFY, body_of(|w| verify.emit(w)));
    }
    let mut verify_data = secrets.server.verify_data(&keying.hkdf, &flight.transcript().hash()).as_ref().to_vec();
    if cx.link.mutated.by(Mutation::CorruptFinished) {
        verify_data[0] ^= 1;
    }
    flight.message(HandshakeType::FINISHED, body_of(|w| Finished13 { verify_data: &verify_data }.emit(w)));
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
    Ok(WaitFinished { keying, client: secrets.client, to_finished, opener, application, exporter })
}

fn log_handshake(keying: &Keying, link: &mut Link13, secrets: &TrafficSecrets) {
    keying.log(link, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", secrets.client.expose());
    keying.log(link, "SERVER_HANDSHAKE_TRAFFIC_SECRET", secrets.server.expose());
}

/// All is said; the client has yet to prove that it received it.
#[derive(Debug)]
pub(crate) struct WaitFinished {
    keying: Keying,
    client: TrafficSecret,
    to_finished: Digest,
    /// Reads application data, once the client has proved itself.
    opener: Opener,
    application: TrafficSecrets,
    exporter: Exporter,
}

impl WaitFinished {
    /// 6. Checks the client's proof. Nothing is left to answer but an ACK.
    pub(crate) fn handle(self, message: &Message, cx: &mut Cx<'_>) -> Result<Step<Self, Session13>, Error> {
        expect(message, HandshakeType::FINISHED)?;
        let Self { keying, client, to_finished, opener, application, exporter } = self;
        let hash_len = keying.suite.hash.output_len();
        let finished = read(message, |body| Finished13::parse(body, hash_len))?;
        keying.check_finished(&client, &to_finished, finished.verify_data)?;
        cx.link.on_flight_done();
        cx.link.acks.on_unanswered();
        cx.link.inbound.read.install(EPOCH_APPLICATION, opener);
        cx.link.inbound.enter(EPOCH_APPLICATION);
        let (own, peer) = (application.server, application.client);
        Ok(Step::Established(Box::new(Session13 { keying, exporter, own, peer })))
    }
}

//! Adapter for the crate `rtc-dtls`: DTLS 1.2 of the webrtc-rs project, without I/O.
//!
//! Its flights carry the system's wall clock in `gmt_unix_time`, which nothing in its API replaces; its keys come from
//! ring. So runs are the same in timing, not in bytes.

mod provider;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use rtc_dtls::cipher_suite::CipherSuiteId;
use rtc_dtls::config::{ConfigBuilder, HandshakeConfig, VerifyPeerCertificateFn};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::providers::RingCrypto;
use rtc_dtls::crypto_provider::{KeyExchangeAlgorithm, RTCCrypto, SignatureScheme, SigningKey};
use rtc_dtls::endpoint::{Endpoint as Inner, EndpointEvent as InnerEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;
use rtc_shared::error::Error;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::clock::Base;
use super::last::Last;
use super::listener::Separate;
use super::options::{Family, features_refused, groups_missing, suites_missing, timer_max_refused};
use super::{Determinism, Stack};
use crate::endpoint::{
    Credentials, Dtls, Endpoint, EndpointConfig, EndpointEvent, Group, Listener, Role, Session, Transmit,
};
use crate::pki::{Identity, KeyKind};
use crate::time::SimTime;
use provider::{KeyLog, Provider};

/// Version of the crate, as locked.
pub(super) const VERSION: &str = "0.21.1";

/// What it offers for certificates if it may choose: its own default list. The others can be asked for.
const CERTIFICATE_SUITES: [&str; 5] = [
    "ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "ECDHE_ECDSA_WITH_AES_128_CCM",
    "ECDHE_ECDSA_WITH_AES_128_CCM_8",
];
/// What it offers for pre-shared keys; it has no default list for these.
const PSK_SUITES: [&str; 3] = ["PSK_WITH_AES_128_GCM_SHA256", "PSK_WITH_AES_128_CCM", "PSK_WITH_AES_128_CCM_8"];
/// The order in which it lists groups, whatever it is told.
const GROUP_ORDER: [Group; 2] = [Group::P256, Group::X25519];
/// Its timer if none is set.
const TIMER_DEFAULT: Duration = Duration::from_secs(1);
/// It repeats a flight seven times at a constant interval and fails one interval later; neither can be set.
const GIVE_UP_INTERVALS: u32 = 8;

/// The crate `rtc-dtls`.
pub(super) struct RtcDtls;

impl Stack for RtcDtls {
    fn name(&self) -> &'static str {
        "rtc-dtls"
    }

    fn version(&self) -> &'static str {
        VERSION
    }

    fn about(&self) -> &'static str {
        "webrtc-rs, DTLS 1.2 without I/O, on ring"
    }

    fn determinism(&self) -> Determinism {
        Determinism::Timing
    }

    fn unsupported(&self, config: &EndpointConfig) -> Option<String> {
        if let Some(reason) = features_refused(config, &[]).or_else(|| groups_missing(config, &GROUP_ORDER)) {
            return Some(reason);
        }
        if config.dtls != Dtls::V12 {
            return Some(format!("does not speak {}", config.dtls));
        }
        if config.role == Role::Server && !config.cookie {
            return Some("its server always sends a HelloVerifyRequest".to_owned());
        }
        if let (Role::Server, Credentials::Certificate(identity)) = (config.role, &config.credentials)
            && identity.shape.key == KeyKind::Ed25519
        {
            return Some("its server finds no cipher suite for an Ed25519 key, though it loads one".to_owned());
        }
        let suites: &[&str] = match Family::of(&config.credentials) {
            Family::Certificate => &CERTIFICATE_SUITES,
            Family::Psk => &PSK_SUITES,
            Family::EcdhePsk => return Some("has no ECDHE_PSK cipher suite".to_owned()),
        };
        // A client offers in the order it is given, a server follows the client's order.
        if let Some(reason) = suites_missing(&config.suites, suites) {
            return Some(reason);
        }
        let positions = config.groups.iter().map(|group| GROUP_ORDER.iter().position(|offer| offer == group));
        if config.role == Role::Client && !positions.is_sorted() {
            return Some("offers key exchange groups in its own order: secp256r1, x25519".to_owned());
        }
        let interval = config.timer_initial.unwrap_or(TIMER_DEFAULT);
        if interval.is_zero() {
            return Some("takes a zero timer for its default".to_owned());
        }
        if config.give_up.is_some_and(|give_up| give_up != interval * GIVE_UP_INTERVALS) {
            return Some(format!("gives up after {GIVE_UP_INTERVALS} equal intervals, which cannot be set"));
        }
        timer_max_refused(config, interval)
    }

    fn client(
        &self,
        config: &EndpointConfig,
        session: Option<&Session>,
        now: SimTime,
        entropy: [u8; 32],
    ) -> Result<Box<dyn Endpoint>, String> {
        match session {
            None => build(config, now, entropy),
            Some(_) => Err("resumes no sessions".to_owned()),
        }
    }

    fn listen(&self, config: &EndpointConfig, entropy: [u8; 32]) -> Result<Box<dyn Listener>, String> {
        Ok(Box::new(Separate::new(config, entropy, build)))
    }
}

fn build(config: &EndpointConfig, _now: SimTime, entropy: [u8; 32]) -> Result<Box<dyn Endpoint>, String> {
    let key_log = KeyLog::default();
    let groups = config.groups.iter().filter_map(|group| match group {
        Group::X25519 => Some(KeyExchangeAlgorithm::X25519),
        Group::P256 => Some(KeyExchangeAlgorithm::P256),
        // Refused before.
        Group::P384 | Group::X25519MlKem768 => None,
    });
    let provider = Provider::new(entropy, groups.collect(), Arc::clone(&key_log));
    let handshake = Arc::new(handshake_config(config, provider)?);
    let (client, server) = match config.role {
        Role::Client => (Some(handshake), None),
        Role::Server => (None, Some(handshake)),
    };
    Ok(Box::new(RtcEndpoint {
        inner: Inner::new(config.local, TransportProtocol::UDP, server),
        client,
        peer: config.peer,
        base: Base::shared(),
        key_log,
        events: VecDeque::new(),
        ended: false,
    }))
}

fn handshake_config(config: &EndpointConfig, provider: Provider) -> Result<HandshakeConfig, String> {
    let is_client = config.role == Role::Client;
    let mut builder = ConfigBuilder::default()
        .with_crypto_provider(Arc::new(provider))
        .with_mtu(usize::from(config.mtu))
        .with_server_name(config.server_name.clone())
        .with_flight_interval(config.timer_initial.unwrap_or(TIMER_DEFAULT))
        // Its own chain check asks the system for the date. The same verifier runs in `verifier` at the date of the run.
        .with_insecure_skip_verify(true);
    let mut suites = config.suites.clone();
    match &config.credentials {
        Credentials::Psk { identity, key, .. } => {
            let (known, key) = (identity.clone(), key.clone());
            // A client is asked with the server's hint, a server with the client's identity.
            let resolve = move |asked: &[u8]| {
                if is_client || asked == known { Ok(key.clone()) } else { Err(Error::Other("unknown identity".into())) }
            };
            builder = builder.with_psk(Some(Arc::new(resolve)));
            if is_client {
                builder = builder.with_psk_identity_hint(Some(identity.clone()));
            }
            if suites.is_empty() {
                suites = PSK_SUITES.map(str::to_owned).to_vec();
            }
        }
        Credentials::Certificate(identity) if is_client => {
            builder = builder.with_verify_peer_certificate(Some(verifier(config, identity)?));
        }
        Credentials::Certificate(identity) => {
            let certificate = Certificate::from_signing_key(identity.chain.clone(), signing_key(identity)?);
            builder = builder.with_certificates(vec![certificate]);
        }
    }
    if !is_client {
        // A server without SRTP profiles fails every handshake whose client offers any, as `dimpl` always does, where
        // RFC 5764 §4.1.1 has it leave the extension out. Given a profile, it serves clients with and without.
        builder = builder.with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80]);
    }
    let suites = suites.iter().map(|name| CipherSuiteId::from(format!("TLS_{name}").as_str()));
    builder = builder.with_cipher_suites(suites.collect());
    builder.build(is_client, Some(config.peer)).map_err(|error| error.to_string())
}

/// rustls's chain and name check, as the crate itself would run it, at the date of the run.
fn verifier(config: &EndpointConfig, identity: &Identity) -> Result<VerifyPeerCertificateFn, String> {
    let mut roots = RootCertStore::empty();
    roots.add(identity.root.clone()).map_err(|error| error.to_string())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| error.to_string())?;
    let name = ServerName::try_from(config.server_name.clone()).map_err(|error| error.to_string())?;
    let date = UnixTime::since_unix_epoch(Duration::from_secs(config.unix_time));
    Ok(Arc::new(move |chain, _| {
        let chain: Vec<CertificateDer<'_>> = chain.iter().map(|der| der.as_slice().into()).collect();
        let Some((leaf, intermediates)) = chain.split_first() else {
            return Err(Error::Other("no certificate".to_owned()));
        };
        use rustls::client::danger::ServerCertVerifier;
        match verifier.verify_server_cert(leaf, intermediates, &name, &[], date) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::Other(error.to_string())),
        }
    }))
}

/// The server's key in ring's form.
fn signing_key(identity: &Arc<Identity>) -> Result<Arc<dyn SigningKey>, String> {
    static LAST: Last<Arc<dyn SigningKey>> = Last::new();
    let scheme = match identity.shape.key {
        KeyKind::EcdsaP256 => SignatureScheme::EcdsaP256Sha256,
        KeyKind::Ed25519 => SignatureScheme::Ed25519,
    };
    let make = || RingCrypto.import_signing_key(scheme, identity.key.secret_der());
    LAST.get(identity, make).map_err(|error| error.to_string())
}

/// One association. The crate's endpoint holds many; this one has one peer and is done when the association is.
struct RtcEndpoint {
    inner: Inner,
    /// What a client connects with, until it does.
    client: Option<Arc<HandshakeConfig>>,
    peer: SocketAddr,
    base: Base,
    key_log: KeyLog,
    events: VecDeque<EndpointEvent>,
    ended: bool,
}

impl RtcEndpoint {
    fn take_key_log(&mut self) {
        let lines = std::mem::take(&mut *self.key_log.lock().unwrap_or_else(PoisonError::into_inner));
        self.events.extend(lines.into_iter().map(EndpointEvent::KeyLog));
    }

    fn report(&mut self, event: InnerEvent) {
        let event = match event {
            InnerEvent::HandshakeComplete => EndpointEvent::Established { suite: self.suite() },
            InnerEvent::ApplicationData(data) => EndpointEvent::Data(data.to_vec()),
            InnerEvent::PeerClosed => {
                self.ended = true;
                EndpointEvent::PeerClosed
            }
            _ => return,
        };
        self.events.push_back(event);
    }

    fn suite(&self) -> String {
        let state = self.inner.get_connection_state(self.peer);
        let suite = state.and_then(|state| state.cipher_suite()).map(|suite| suite.id().to_string());
        suite.map(|name| name.trim_start_matches("TLS_").to_owned()).unwrap_or_default()
    }

    /// Every error a call returns ends the association, as the application would end it, except for those after which
    /// the crate itself goes on: a datagram it could not cut into records, and an alert below fatal.
    fn report_error(&mut self, error: &Error) {
        let text = error.to_string();
        if *error == Error::ErrInvalidPacketLength || text.starts_with("Error of Alert") {
            self.events.push_back(EndpointEvent::Discarded(text));
        } else {
            self.ended = true;
            self.events.push_back(EndpointEvent::Failed(text));
        }
    }
}

impl Endpoint for RtcEndpoint {
    fn start(&mut self, now: SimTime) {
        let Some(config) = self.client.take() else { return };
        if let Err(error) = self.inner.connect(self.base.instant(now), self.peer, config, None) {
            self.report_error(&error);
        }
    }

    fn handle_datagram(&mut self, now: SimTime, _from: SocketAddr, datagram: &[u8]) {
        // A client that has not started has no association to read for; the crate would refuse it as well.
        if self.ended || self.client.is_some() {
            return;
        }
        let result = self.inner.read(self.base.instant(now), self.peer, None, BytesMut::from(datagram));
        self.take_key_log();
        match result {
            Ok(events) => events.into_iter().for_each(|event| self.report(event)),
            Err(error) => self.report_error(&error),
        }
    }

    fn poll_transmit(&mut self, _now: SimTime) -> Option<Transmit> {
        self.inner.poll_transmit().map(|transmit| transmit.message.to_vec().into())
    }

    fn poll_timeout(&mut self, _now: SimTime) -> Option<SimTime> {
        if self.ended {
            return None;
        }
        self.inner.poll_timeout(&self.peer).map(|at| self.base.sim_time(at))
    }

    fn handle_timeout(&mut self, now: SimTime) {
        if self.ended || self.inner.poll_timeout(&self.peer).is_none() {
            return;
        }
        if let Err(error) = self.inner.handle_timeout(self.peer, self.base.instant(now)) {
            self.report_error(&error);
        }
    }

    fn poll_event(&mut self) -> Option<EndpointEvent> {
        self.events.pop_front()
    }

    fn send(&mut self, now: SimTime, data: &[u8]) {
        if self.ended {
            self.events.push_back(EndpointEvent::SendRefused("the association has ended".to_owned()));
            return;
        }
        if let Err(error) = self.inner.write(self.base.instant(now), self.peer, data) {
            self.events.push_back(EndpointEvent::SendRefused(error.to_string()));
        }
    }

    fn close(&mut self, now: SimTime) {
        // Closing forgets the association, so nothing that comes later is read.
        self.ended = true;
        if let Err(error) = self.inner.close(self.base.instant(now)) {
            self.events.push_back(EndpointEvent::Failed(error.to_string()));
        }
    }
}

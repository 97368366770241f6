//! Adapter for the crate `dimpl`, in one of its modes for DTLS 1.2 or 1.3, on its RustCrypto provider.
//!
//! The crate takes a seed for its generator; ephemeral keys come through [`provider`], the date in its hellos through
//! [`date`]; its ECDSA signatures are those of RFC 6979. So runs are the same to the byte.

mod date;
mod provider;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::dimpl::crypto::{Dtls12CipherSuite, Dtls13CipherSuite, NamedGroup};
use ::dimpl::{Config, ConfigBuilder, Dtls, DtlsCertificate, Output, PskResolver};
use p256::pkcs8::EncodePrivateKey;

use super::clock::Base;
use super::listener::Separate;
use super::options::{Family, features_refused, groups_missing, suites_missing, timer_max_refused};
use super::{Determinism, Stack};
use crate::endpoint::{
    Credentials, Dtls as Version, Endpoint, EndpointConfig, EndpointEvent, Group, Listener, Role, Session, Transmit,
};
use crate::pki::{Identity, KeyKind};
use crate::time::SimTime;
use provider::Host;

/// Version of the crate, as locked.
pub(super) const VERSION: &str = "0.9.0";

/// Suites with the crate's names, in the order it offers.
const SUITES: [(&str, Dtls12CipherSuite); 4] = [
    ("ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256),
    ("ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", Dtls12CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384),
    ("ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", Dtls12CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256),
    ("PSK_WITH_AES_128_CCM_8", Dtls12CipherSuite::PSK_AES128_CCM_8),
];
/// Those of DTLS 1.3.
const SUITES13: [(&str, Dtls13CipherSuite); 3] = [
    ("AES_128_GCM_SHA256", Dtls13CipherSuite::AES_128_GCM_SHA256),
    ("AES_256_GCM_SHA384", Dtls13CipherSuite::AES_256_GCM_SHA384),
    ("CHACHA20_POLY1305_SHA256", Dtls13CipherSuite::CHACHA20_POLY1305_SHA256),
];
/// Smallest MTU the crate takes.
const MTU_MIN: u16 = 64;
/// Its timer if none is set.
const TIMER_DEFAULT: Duration = Duration::from_secs(1);
/// It repeats a flight four times unless told otherwise, so the last interval is 16 times the first.
const DOUBLINGS: u32 = 16;
/// A deadline further off than this means "none": the crate says ten years.
const IDLE: Duration = Duration::from_secs(365 * 24 * 3600);
/// More outputs than this in one go and it will never come to rest: a flight has tens of datagrams.
const OUTPUTS_MAX: usize = 10_000;
/// Larger than any datagram.
const BUFFER: usize = 1 << 16;

/// The crate `dimpl`.
pub(super) struct Dimpl;

impl Stack for Dimpl {
    fn name(&self) -> &'static str {
        "dimpl"
    }

    fn version(&self) -> &'static str {
        VERSION
    }

    fn about(&self) -> &'static str {
        "dimpl of the str0m project, DTLS 1.2 and 1.3, on RustCrypto"
    }

    fn determinism(&self) -> Determinism {
        Determinism::Bytes
    }

    fn unsupported(&self, config: &EndpointConfig) -> Option<String> {
        if let Some(reason) =
            features_refused(config, &[]).or_else(|| groups_missing(config, &[Group::X25519, Group::P256]))
        {
            return Some(reason);
        }
        let family = Family::of(&config.credentials);
        if config.dtls == Version::V13 && family != Family::Certificate {
            return Some("has no pre-shared keys in DTLS 1.3".to_owned());
        }
        if family == Family::EcdhePsk {
            return Some("has no ECDHE_PSK cipher suite".to_owned());
        }
        if let Credentials::Certificate(identity) = &config.credentials {
            if config.role == Role::Server && identity.chain.len() != 1 {
                return Some("its server sends one certificate, not a chain".to_owned());
            }
            if identity.shape.key != KeyKind::EcdsaP256 {
                return Some("knows ECDSA signatures only".to_owned());
            }
        }
        let suites: Vec<&str> = match config.dtls {
            Version::V12 => SUITES.map(|(name, _)| name).into_iter().filter(|name| family.has(name)).collect(),
            Version::V13 => SUITES13.map(|(name, _)| name).to_vec(),
        };
        if let Some(reason) = suites_missing(&config.suites, &suites) {
            return Some(reason);
        }
        if !config.suites.iter().map(|name| suites.iter().position(|suite| suite == name)).is_sorted() {
            return Some(format!("offers cipher suites in its own order: {}", suites.join(", ")));
        }
        if config.mtu < MTU_MIN {
            return Some(format!("takes no MTU below {MTU_MIN}"));
        }
        if config.give_up.is_some() {
            return Some("gives up by number of retries and age of the handshake, not by age of a flight".to_owned());
        }
        let initial = config.timer_initial.unwrap_or(TIMER_DEFAULT);
        if initial.is_zero() {
            return Some("takes no zero timer".to_owned());
        }
        // Every interval is moved by up to a quarter.
        timer_max_refused(config, initial * DOUBLINGS * 5 / 4)
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

fn build(config: &EndpointConfig, now: SimTime, entropy: [u8; 32]) -> Result<Box<dyn Endpoint>, String> {
    let mut host = Host::new(entropy);
    let seed = host.seed();
    let base = date::base(config.unix_time)?;
    let start = base.instant(now);
    let built = Arc::new(provider::build(&mut host, config_builder(config).dangerously_set_rng_seed(seed))?);
    let (certificate, expected) = match (&config.credentials, config.role) {
        (Credentials::Psk { .. }, _) => (None, None),
        (Credentials::Certificate(identity), Role::Server) => (Some(server_certificate(identity)), None),
        (Credentials::Certificate(identity), Role::Client) => {
            let known = identity.shape.names.contains(&config.server_name);
            let expected = Expected { leaf: identity.chain[0].to_vec(), known };
            (Some(unused_certificate()?), Some(expected))
        }
    };
    let mut dtls = host.run(|| match certificate {
        Some(certificate) if config.dtls == Version::V13 => Dtls::new_13(built, certificate, start),
        Some(certificate) => Dtls::new_12(built, certificate, start),
        None => Dtls::new_12_psk(built, start),
    });
    let waiting = config.role == Role::Client;
    if waiting {
        dtls.set_active(true);
    } else {
        // A server takes its Random from the first instant it hears of: the start of the run, whenever a client comes.
        host.run(|| dtls.handle_timeout(start)).map_err(|error| error.to_string())?;
    }
    Ok(Box::new(DimplEndpoint {
        dtls,
        host,
        base,
        is_client: waiting,
        waiting,
        expected,
        buffer: vec![0; BUFFER],
        transmits: VecDeque::new(),
        events: VecDeque::new(),
        deadline: None,
        ended: false,
    }))
}

impl Family {
    fn has(self, suite: &str) -> bool {
        suite.starts_with("PSK") == (self == Self::Psk)
    }
}

/// Datagrams that wait in the crate: its default of a few refuses a flight of 8 kB in datagrams of 256 bytes (41 of
/// them), which its users raise as we do; twice that, so that a repetition fits behind.
const QUEUE_MAX: usize = 96;

fn config_builder(config: &EndpointConfig) -> ConfigBuilder {
    let family = Family::of(&config.credentials);
    let chosen = |name: &str| config.suites.is_empty() || config.suites.iter().any(|suite| suite == name);
    let (mut suites, mut suites13) = (vec![], vec![]);
    match config.dtls {
        Version::V12 => {
            let usable = SUITES.into_iter().filter(|(name, _)| family.has(name) && chosen(name));
            suites.extend(usable.map(|(_, suite)| suite));
        }
        Version::V13 => suites13.extend(SUITES13.into_iter().filter(|(name, _)| chosen(name)).map(|(_, suite)| suite)),
    }
    let mut builder = Config::builder()
        .mtu(usize::from(config.mtu))
        .max_queue_rx(QUEUE_MAX)
        .max_queue_tx(QUEUE_MAX)
        .use_server_cookie(config.cookie)
        .require_client_certificate(false)
        .flight_start_rto(config.timer_initial.unwrap_or(TIMER_DEFAULT))
        .dtls12_cipher_suites(&suites)
        .dtls13_cipher_suites(&suites13);
    if !config.groups.is_empty() {
        let groups = config.groups.iter().filter_map(|group| match group {
            Group::X25519 => Some(NamedGroup::X25519),
            Group::P256 => Some(NamedGroup::Secp256r1),
            // Refused before.
            Group::P384 | Group::X25519MlKem768 => None,
        });
        builder = builder.kx_groups(&groups.collect::<Vec<_>>());
    }
    if let Credentials::Psk { identity, key, .. } = &config.credentials {
        let resolver = Arc::new(FixedPsk { identity: identity.clone(), key: key.clone() });
        builder = match config.role {
            Role::Client => builder.with_psk_client(identity.clone(), resolver),
            Role::Server => builder.with_psk_server(None, resolver),
        };
    }
    builder
}

struct FixedPsk {
    identity: Vec<u8>,
    key: Vec<u8>,
}

impl PskResolver for FixedPsk {
    fn resolve(&self, identity: &[u8]) -> Option<Vec<u8>> {
        (identity == self.identity).then(|| self.key.clone())
    }
}

fn server_certificate(identity: &Identity) -> DtlsCertificate {
    DtlsCertificate { certificate: identity.chain[0].to_vec(), private_key: identity.key.secret_der().to_vec() }
}

/// The crate wants a certificate of every endpoint. A client's is shown only if the server asks for one, and no server
/// here does.
fn unused_certificate() -> Result<DtlsCertificate, String> {
    let key = p256::SecretKey::from_slice(&[1; 32]).map_err(|error| error.to_string())?;
    let key = key.to_pkcs8_der().map_err(|error| error.to_string())?;
    Ok(DtlsCertificate { certificate: vec![0x30, 0x00], private_key: key.as_bytes().to_vec() })
}

/// What the application checks. The crate proves that the peer has the key of the certificate it shows and hands over
/// the leaf alone; whether it is the right one is for the application to say. WebRTC, for which it was made, compares a
/// fingerprint that came by another way; this does the same with the whole certificate.
struct Expected {
    leaf: Vec<u8>,
    /// Whether the certificate is one for the name asked for.
    known: bool,
}

impl Expected {
    fn refuses(&self, leaf: &[u8]) -> Option<String> {
        if leaf != self.leaf {
            return Some("the peer's certificate is not the expected one".to_owned());
        }
        (!self.known).then(|| "the peer's certificate is for another name".to_owned())
    }
}

struct DimplEndpoint {
    dtls: Dtls,
    host: Host,
    base: Base,
    is_client: bool,
    /// A client that has not started: its first timeout call would start it.
    waiting: bool,
    expected: Option<Expected>,
    buffer: Vec<u8>,
    transmits: VecDeque<Vec<u8>>,
    events: VecDeque<EndpointEvent>,
    deadline: Option<SimTime>,
    ended: bool,
}

impl DimplEndpoint {
    /// One call into the stack and, as it demands after each, polling until it names its deadline.
    fn call(&mut self, now: SimTime, call: impl FnOnce(&mut Dtls) -> Result<(), ::dimpl::Error>) {
        let dtls = &mut self.dtls;
        let result = self.host.run(|| call(dtls));
        self.events.extend(self.host.take_key_log().into_iter().map(EndpointEvent::KeyLog));
        self.drain(now);
        if let Err(error) = result {
            self.fail(error.to_string());
        }
    }

    fn drain(&mut self, now: SimTime) {
        let (mut refusal, mut rested) = (None, false);
        for _ in 0..OUTPUTS_MAX {
            let (dtls, buffer) = (&mut self.dtls, &mut self.buffer);
            let needed = match self.host.run(|| dtls.poll_output(buffer)) {
                Output::Packet(packet) => {
                    let packet = packet.to_vec();
                    if self.is_client {
                        self.host.note_client_datagram(&packet);
                    }
                    self.transmits.push_back(packet);
                    continue;
                }
                Output::BufferTooSmall { needed } => needed,
                Output::Timeout(at) => {
                    let at = self.base.sim_time(at);
                    self.deadline = (at.saturating_since(now) < IDLE).then_some(at);
                    rested = true;
                    break;
                }
                Output::Connected => {
                    // It does not say which cipher suite it runs.
                    self.events.push_back(EndpointEvent::Established { suite: String::new() });
                    continue;
                }
                Output::PeerCert(leaf) => {
                    refusal = self.expected.as_ref().and_then(|expected| expected.refuses(leaf));
                    if refusal.is_none() {
                        continue;
                    }
                    // This comes before the flight that accepts the server, which is thus never sent.
                    rested = true;
                    break;
                }
                Output::ApplicationData(data) => {
                    self.events.push_back(EndpointEvent::Data(data.to_vec()));
                    continue;
                }
                Output::CloseNotify => {
                    self.events.push_back(EndpointEvent::PeerClosed);
                    continue;
                }
                _ => continue,
            };
            self.buffer.resize(needed, 0);
        }
        if !rested {
            self.fail(format!("did not come to rest within {OUTPUTS_MAX} outputs"));
        }
        if let Some(refusal) = refusal {
            self.fail(refusal);
            // The application's only way to end a handshake; the peer is not told.
            self.call(now, Dtls::close);
        }
    }

    fn fail(&mut self, reason: String) {
        if !std::mem::replace(&mut self.ended, true) {
            self.deadline = None;
            self.events.push_back(EndpointEvent::Failed(reason));
        }
    }
}

impl Endpoint for DimplEndpoint {
    fn start(&mut self, now: SimTime) {
        if std::mem::take(&mut self.waiting) {
            let at = self.base.instant(now);
            self.call(now, |dtls| dtls.handle_timeout(at));
        }
    }

    fn handle_datagram(&mut self, now: SimTime, _from: SocketAddr, datagram: &[u8]) {
        if self.ended || self.waiting {
            return;
        }
        if !self.is_client {
            self.host.note_client_datagram(datagram);
        }
        // The crate learns the time by this call only, and asks for it before each datagram.
        let at = self.base.instant(now);
        self.call(now, |dtls| dtls.handle_timeout(at));
        if !self.ended {
            self.call(now, |dtls| dtls.handle_packet(datagram));
        }
    }

    fn poll_transmit(&mut self, _now: SimTime) -> Option<Transmit> {
        self.transmits.pop_front().map(Transmit::from)
    }

    fn poll_timeout(&mut self, _now: SimTime) -> Option<SimTime> {
        if self.ended || self.waiting { None } else { self.deadline }
    }

    fn handle_timeout(&mut self, now: SimTime) {
        if !self.ended && !self.waiting {
            let at = self.base.instant(now);
            self.call(now, |dtls| dtls.handle_timeout(at));
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
        let mut refused = None;
        self.call(now, |dtls| {
            refused = dtls.send_application_data(data).err();
            Ok(())
        });
        if let Some(error) = refused {
            self.events.push_back(EndpointEvent::SendRefused(error.to_string()));
        }
    }

    fn close(&mut self, now: SimTime) {
        if !self.ended {
            self.call(now, Dtls::close);
        }
    }
}

//! Adapter for our own `dtls-impl`, and for its mutants: the same stack with one rule broken on purpose.
//!
//! Outputs are pulled one at a time, as the simulation asks, so that its budgets see a stack that never comes to rest.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use dtls_impl::config::{
    CertifiedKey, ClientCredentials, Common, Cookies, EarlyData, Psk, ReplayGuard, ServerCredentials, TicketKeys,
    Tickets, UnknownIdentity, Versions,
};
use dtls_impl::config::{MTU_MAX, MTU_MIN};
use dtls_impl::crypto::{self, CryptoProvider, Secret};
use dtls_impl::pki::ServerVerifier;
use dtls_impl::wire::CipherSuite;
use dtls_impl::{ClientConfig, ClientSession, Connection, Event, Instant, Mutation, Output, Seed, ServerConfig};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rustls_pki_types::DnsName;

use super::last::Last;
use super::options::{features_refused, suites_missing};
use super::{Determinism, Stack};
use crate::endpoint::{
    Ask, Credentials, Dtls, Endpoint, EndpointConfig, EndpointEvent, Group, Listener, Negotiated, PskMode, Role,
    Session, Transmit,
};
use crate::pki::Identity;
use crate::time::SimTime;

/// `dtls-impl`, honest or with one mutation.
#[derive(Clone, Copy)]
pub(super) struct Native(Option<Mutation>);

impl Native {
    /// The stack that keeps to the rules.
    pub(super) const HONEST: Self = Self(None);

    /// The mutants, by name.
    pub(super) fn mutants() -> &'static BTreeMap<String, Self> {
        static MUTANTS: OnceLock<BTreeMap<String, Native>> = OnceLock::new();
        MUTANTS.get_or_init(|| {
            let mutant = |mutation: &Mutation| (format!("native+{}", mutation.name()), Self(Some(*mutation)));
            Mutation::ALL.iter().map(mutant).collect()
        })
    }
}

impl Stack for Native {
    fn name(&self) -> &'static str {
        let mutant = Self::mutants().iter().find(|(_, mutant)| mutant.0 == self.0);
        mutant.map_or("native", |(name, _)| name)
    }

    fn version(&self) -> &'static str {
        // Both crates have the version of the workspace.
        env!("CARGO_PKG_VERSION")
    }

    fn about(&self) -> &'static str {
        if self.0.is_some() {
            "dtls-impl with one rule broken on purpose"
        } else {
            "our own dtls-impl, DTLS 1.2 and 1.3"
        }
    }

    fn determinism(&self) -> Determinism {
        Determinism::Bytes
    }

    fn unsupported(&self, config: &EndpointConfig) -> Option<String> {
        if !(MTU_MIN..=MTU_MAX).contains(&usize::from(config.mtu)) {
            return Some(format!("takes an MTU from {MTU_MIN} to {MTU_MAX}"));
        }
        if let Some(mutation) = self.0
            && mutation.is_of_13() != (config.dtls == Dtls::V13)
        {
            let version = if mutation.is_of_13() { "1.3" } else { "1.2" };
            return Some(format!("breaks a rule of DTLS {version}"));
        }
        if let Some(reason) = features_refused(config, &FEATURES) {
            return Some(reason);
        }
        if config.features.resumption.is_some() && config.dtls == Dtls::V12 {
            return Some("has no session resumption in DTLS 1.2".to_owned());
        }
        if config.role == Role::Client && server_name(config).is_err() {
            return Some(format!("takes a DNS name as server name, which {:?} is not", config.server_name));
        }
        let mut defaults = match Config::defaults(config) {
            Ok(defaults) => defaults,
            Err(reason) => return Some(reason),
        };
        let defaults = defaults.common_mut();
        let suites = match config.dtls {
            Dtls::V12 => &defaults.cipher_suites,
            Dtls::V13 => &defaults.cipher_suites13,
        };
        let offered: Vec<String> = suites.iter().map(|suite| suite_name(*suite)).collect();
        if let Some(reason) = suites_missing(&config.suites, &offered) {
            return Some(reason);
        }
        let initial = config.timer_initial.unwrap_or(defaults.timers.initial);
        let max = config.timer_max.unwrap_or(defaults.timers.max.max(initial));
        if initial.is_zero() || max < initial || config.give_up.is_some_and(|give_up| give_up.is_zero()) {
            return Some("takes no zero timers, and no cap below the first timeout".to_owned());
        }
        None
    }

    fn client(
        &self,
        config: &EndpointConfig,
        session: Option<&Session>,
        _now: SimTime,
        entropy: [u8; 32],
    ) -> Result<Box<dyn Endpoint>, String> {
        let Config::Client(mut inner) = Config::defaults(config)? else {
            return Err("was told to be a server".to_owned());
        };
        apply(config, self.0, &mut inner.common);
        inner.sessions = config.features.resumption.is_some();
        inner.early_data = config.features.early_data.is_some();
        let session = match session {
            None => None,
            Some(Session(session)) => {
                let session = session.downcast_ref::<ClientSession>().ok_or("the session is of another stack")?;
                Some(session.clone())
            }
        };
        let (inner, name, seed) = (Arc::new(inner), server_name(config)?, Seed(Draws::new(entropy).next()));
        Ok(Box::new(NativeEndpoint::new(State::Waiting(Box::new(move |now| {
            let date = inner.common.unix_time.saturating_add(now.as_nanos() / 1_000_000_000);
            match session.filter(|session| session.is_fresh(date)) {
                None => Connection::client(inner, name.as_deref(), seed, now),
                Some(session) => Connection::resume(inner, name.as_deref(), session, seed, now),
            }
        })))))
    }

    fn listen(&self, config: &EndpointConfig, entropy: [u8; 32]) -> Result<Box<dyn Listener>, String> {
        let Config::Server(mut inner) = Config::defaults(config)? else {
            return Err("was told to be a client".to_owned());
        };
        apply(config, self.0, &mut inner.common);
        let mut draws = Draws::new(entropy);
        // The first connection draws before all that the server keeps: it has the same bytes whatever that is.
        let first = Some(draws.next());
        if config.cookie {
            inner.cookies = Cookies::Required { secret: Secret::new(draws.next().to_vec()) };
        }
        if let Some(resumption) = config.features.resumption {
            let mut tickets = Tickets::new(TicketKeys::new(draws.next()));
            tickets.count = resumption.count.unwrap_or(tickets.count);
            tickets.lifetime = resumption.lifetime.unwrap_or(tickets.lifetime);
            inner.tickets = Some(tickets);
        }
        if let Some(asked) = config.features.early_data {
            let mut early_data = EarlyData::new(Arc::new(ReplayGuard::new(REPLAYS_MAX)));
            early_data.max_size = asked.max;
            early_data.window = asked.window.unwrap_or(early_data.window);
            inner.early_data = Some(early_data);
        }
        Ok(Box::new(NativeListener { config: Arc::new(inner), first, draws }))
    }
}

/// What it has of [`Features`](crate::endpoint::Features).
const FEATURES: [&str; 5] =
    ["session resumption", "choice of PSK modes", "import of external PSKs", "early data", "key update on request"];

/// Tickets with early data that a server remembers: more than any scenario uses.
const REPLAYS_MAX: usize = 4096;

/// Everything random that is not a connection's own.
struct Draws(ChaCha20Rng);

impl Draws {
    fn new(entropy: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(entropy))
    }

    fn next(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

/// A server: its connections share what is in the configuration.
struct NativeListener {
    config: Arc<ServerConfig>,
    /// Seed of the first connection.
    first: Option<[u8; 32]>,
    draws: Draws,
}

impl Listener for NativeListener {
    fn accept(&mut self, now: SimTime, peer: SocketAddr) -> Result<Box<dyn Endpoint>, String> {
        let seed = Seed(self.first.take().unwrap_or_else(|| self.draws.next()));
        let peer = peer.to_string();
        let connection = Connection::server(Arc::clone(&self.config), peer.as_bytes(), seed, instant(now));
        let connection = connection.map_err(|error| error.to_string())?;
        Ok(Box::new(NativeEndpoint::new(State::Running(Box::new(connection)))))
    }
}

/// What `dtls-impl` is told, in either role.
enum Config {
    Client(ClientConfig),
    Server(ServerConfig),
}

impl Config {
    /// The stack's own defaults for these credentials, without a cookie exchange.
    fn defaults(config: &EndpointConfig) -> Result<Self, String> {
        let provider = crypto::rustcrypto::provider();
        let mut defaults = match (config.role, &config.credentials) {
            (Role::Client, Credentials::Psk { identity, key, .. }) => {
                let psk = Psk { identity: identity.clone(), key: Secret::new(key.clone()) };
                Self::Client(ClientConfig::new(provider, ClientCredentials::Psk(psk)))
            }
            (Role::Client, Credentials::Certificate(identity)) => {
                let verifier = verifier(identity)?;
                let credentials = ClientCredentials::Certificate { verifier };
                Self::Client(ClientConfig::new(provider, credentials))
            }
            (Role::Server, Credentials::Psk { identity, key, .. }) => {
                let keys = BTreeMap::from([(identity.clone(), Secret::new(key.clone()))]);
                let credentials = ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert };
                Self::Server(ServerConfig::new(provider, credentials, Cookies::Off))
            }
            (Role::Server, Credentials::Certificate(identity)) => {
                let key = certified_key(provider.as_ref(), identity)?;
                Self::Server(ServerConfig::new(provider, ServerCredentials::Certificate(key), Cookies::Off))
            }
        };
        if let Credentials::Psk { ecdhe, .. } = config.credentials {
            // Whether ECDHE is added to a pre-shared key is a matter of the cipher suite.
            let suites = &mut defaults.common_mut().cipher_suites;
            suites.retain(|suite| suite_name(*suite).starts_with("ECDHE_PSK") == ecdhe);
        }
        Ok(defaults)
    }

    fn common_mut(&mut self) -> &mut Common {
        match self {
            Self::Client(config) => &mut config.common,
            Self::Server(config) => &mut config.common,
        }
    }
}

fn apply(config: &EndpointConfig, mutation: Option<Mutation>, common: &mut Common) {
    common.mtu = usize::from(config.mtu);
    common.unix_time = config.unix_time;
    common.key_log = true;
    common.mutation = mutation;
    let suites = match config.dtls {
        Dtls::V12 => &mut common.cipher_suites,
        Dtls::V13 => {
            common.versions = Versions::Dtls13;
            &mut common.cipher_suites13
        }
    };
    if !config.suites.is_empty() {
        let named = config.suites.iter().filter_map(|name| CipherSuite::from_name(&format!("TLS_{name}")));
        *suites = named.collect();
    }
    if !config.groups.is_empty() {
        let groups = config.groups.iter().map(|group| match group {
            Group::X25519 => crypto::Group::X25519,
            Group::P256 => crypto::Group::Secp256r1,
        });
        common.groups = groups.collect();
    }
    if let (Dtls::V13, Credentials::Psk { ecdhe: false, .. }) = (config.dtls, &config.credentials) {
        common.psk_modes = vec![dtls_impl::config::PskMode::Ke];
    }
    if !config.features.psk_modes.is_empty() {
        let modes = config.features.psk_modes.iter().map(|mode| match mode {
            PskMode::PskDheKe => dtls_impl::config::PskMode::DheKe,
            PskMode::PskKe => dtls_impl::config::PskMode::Ke,
        });
        common.psk_modes = modes.collect();
    }
    common.psk_import = config.features.psk_import.as_ref().map(|context| context.clone().into_bytes());
    let timers = &mut common.timers;
    timers.initial = config.timer_initial.unwrap_or(timers.initial);
    timers.max = config.timer_max.unwrap_or(timers.max.max(timers.initial));
    timers.give_up = config.give_up.unwrap_or(timers.give_up);
}

fn suite_name(suite: CipherSuite) -> String {
    suite.to_string().trim_start_matches("TLS_").to_owned()
}

fn certified_key(provider: &dyn CryptoProvider, identity: &Arc<Identity>) -> Result<CertifiedKey, String> {
    static LAST: Last<CertifiedKey> = Last::new();
    let make = || CertifiedKey::new(provider, identity.chain.clone(), &identity.key);
    LAST.get(identity, make).map_err(|error| error.to_string())
}

fn verifier(identity: &Arc<Identity>) -> Result<Arc<ServerVerifier>, String> {
    static LAST: Last<Arc<ServerVerifier>> = Last::new();
    let make = || ServerVerifier::new(vec![identity.root.clone()]).map(Arc::new);
    LAST.get(identity, make).map_err(|error| error.to_string())
}

/// The name to ask for; none only where no certificate is checked for it.
fn server_name(config: &EndpointConfig) -> Result<Option<String>, String> {
    if config.server_name.is_empty() && matches!(config.credentials, Credentials::Psk { .. }) {
        return Ok(None);
    }
    let name = DnsName::try_from(config.server_name.as_str()).map_err(|error| error.to_string())?;
    Ok(Some(name.as_ref().to_owned()))
}

/// Makes the connection of a client once it starts.
type Connect = Box<dyn FnOnce(Instant) -> Result<Connection, dtls_impl::Error>>;

enum State {
    /// A client that has not started.
    Waiting(Connect),
    Running(Box<Connection>),
    /// A client that could not start.
    Dead,
}

struct NativeEndpoint {
    state: State,
    events: VecDeque<EndpointEvent>,
    datagrams: VecDeque<Vec<u8>>,
    deadline: Option<SimTime>,
}

impl NativeEndpoint {
    fn new(state: State) -> Self {
        Self { state, events: VecDeque::new(), datagrams: VecDeque::new(), deadline: None }
    }

    fn connection(&mut self) -> Option<&mut Connection> {
        match &mut self.state {
            State::Running(connection) => Some(connection),
            State::Waiting(_) | State::Dead => None,
        }
    }

    /// Takes one output into its queue; false if there is none, which settles the deadline.
    fn pull(&mut self) -> bool {
        match self.connection().map_or(Output::Idle, Connection::poll_output) {
            Output::Datagram(datagram) => self.datagrams.push_back(datagram),
            Output::Event(event) => {
                let established = matches!(event, Event::Established { .. });
                self.events.extend(translate(event));
                if established {
                    let negotiated = self.connection().and_then(|connection| connection.negotiated());
                    self.events.extend(negotiated.iter().flat_map(more).map(EndpointEvent::Negotiated));
                }
            }
            Output::WakeAt(at) => {
                self.deadline = Some(SimTime::from_nanos(at.as_nanos()));
                return false;
            }
            Output::Idle => {
                self.deadline = None;
                return false;
            }
        }
        true
    }
}

fn translate(event: Event) -> Option<EndpointEvent> {
    Some(match event {
        Event::Established { suite, .. } => EndpointEvent::Established { suite: suite_name(suite) },
        Event::Data(data) => EndpointEvent::Data(data),
        Event::PeerClosed => EndpointEvent::PeerClosed,
        Event::Failed(error) => EndpointEvent::Failed(error.to_string()),
        Event::Discarded(reason) => EndpointEvent::Discarded(reason.to_string()),
        Event::KeyLog(line) => EndpointEvent::KeyLog(line),
        Event::Session(session) => EndpointEvent::Session(Session(Arc::new(session))),
        Event::EarlyData(data) => EndpointEvent::EarlyData(data),
        Event::EarlyDataAccepted => EndpointEvent::EarlyDataAnswer { accepted: true },
        Event::EarlyDataRejected => EndpointEvent::EarlyDataAnswer { accepted: false },
        // Alerts are on the wire for all to see.
        _ => return None,
    })
}

/// What was agreed beyond the suite.
fn more(negotiated: &dtls_impl::Negotiated) -> Vec<Negotiated> {
    negotiated.resumed.then_some(Negotiated::Resumed).into_iter().collect()
}

fn instant(at: SimTime) -> Instant {
    Instant::from_nanos(at.as_nanos())
}

impl Endpoint for NativeEndpoint {
    fn start(&mut self, now: SimTime) {
        match std::mem::replace(&mut self.state, State::Dead) {
            State::Waiting(connect) => match connect(instant(now)) {
                Ok(connection) => self.state = State::Running(Box::new(connection)),
                Err(error) => self.events.push_back(EndpointEvent::Failed(error.to_string())),
            },
            started => self.state = started,
        }
    }

    fn handle_datagram(&mut self, now: SimTime, _from: SocketAddr, datagram: &[u8]) {
        if let Some(connection) = self.connection() {
            connection.handle_datagram(instant(now), datagram);
        }
    }

    fn poll_transmit(&mut self, _now: SimTime) -> Option<Transmit> {
        while self.datagrams.is_empty() && self.pull() {}
        self.datagrams.pop_front().map(Transmit::from)
    }

    fn poll_timeout(&mut self, _now: SimTime) -> Option<SimTime> {
        while self.datagrams.is_empty() && self.events.is_empty() && self.pull() {}
        self.deadline
    }

    fn handle_timeout(&mut self, now: SimTime) {
        if let Some(connection) = self.connection() {
            connection.handle_timeout(instant(now));
        }
    }

    fn poll_event(&mut self) -> Option<EndpointEvent> {
        while self.datagrams.is_empty() && self.events.is_empty() && self.pull() {}
        self.events.pop_front()
    }

    fn send(&mut self, now: SimTime, data: &[u8]) {
        let sent = self.connection().map(|connection| connection.send(instant(now), data));
        let refusal = match sent {
            Some(Ok(())) => return,
            Some(Err(error)) => error.to_string(),
            None => "not started".to_owned(),
        };
        self.events.push_back(EndpointEvent::SendRefused(refusal));
    }

    fn close(&mut self, now: SimTime) {
        if let Some(connection) = self.connection() {
            connection.close(instant(now));
        }
    }

    fn send_early(&mut self, now: SimTime, data: &[u8]) -> Result<(), String> {
        let connection = self.connection().ok_or("not started")?;
        connection.send_early(instant(now), data).map_err(|error| error.to_string())
    }

    fn ask(&mut self, now: SimTime, ask: Ask) -> Result<(), String> {
        let connection = self.connection().ok_or("not started")?;
        let done = match ask {
            Ask::UpdateKeys { request_peer } => connection.update_keys(instant(now), request_peer),
            Ask::RequestConnectionIds(_) | Ask::NewConnectionIds(_) => return Err(format!("cannot {ask}")),
        };
        done.map_err(|error| error.to_string())
    }
}

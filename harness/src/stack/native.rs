//! Adapter for our own `dtls-impl`, and for its mutants: the same stack with one rule broken on purpose.
//!
//! All connections of a server are made from one configuration: they share what is in it.

mod endpoint;
mod settings;
#[cfg(feature = "async")]
mod tokio;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use dtls_impl::config::{MTU_MAX, MTU_MIN};
use dtls_impl::{ClientSession, Connection, Instant, Mutation, Seed, ServerConfig};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

#[cfg(feature = "async")]
pub(super) use self::tokio::NativeTokio;
use super::options::{features_refused, suites_missing};
use super::{Determinism, Stack};
use crate::endpoint::{Dtls, Endpoint, EndpointConfig, Listener, Role, Session};
use crate::time::SimTime;
use endpoint::NativeEndpoint;
use settings::{Config, FEATURES, server_name, suite_name};

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
        let least = config.features.adaptive_timer.and_then(|adaptive| adaptive.min);
        if least.is_some_and(|least| max < least) {
            return Some("takes no cap below the least timeout".to_owned());
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
        settings::apply(config, self.0, &mut inner.common);
        settings::apply_client(config, &mut inner)?;
        let session = match session {
            None => None,
            Some(Session(session)) => {
                let session = session.downcast_ref::<ClientSession>().ok_or("the session is of another stack")?;
                Some(session.clone())
            }
        };
        let (inner, name, seed) = (Arc::new(inner), server_name(config)?, Seed(Draws::new(entropy).next()));
        let connect = move |now: Instant| {
            let date = inner.common.unix_time.saturating_add(now.as_nanos() / 1_000_000_000);
            match session.filter(|session| session.is_fresh(date)) {
                None => Connection::client(inner, name.as_deref(), seed, now),
                Some(session) => Connection::resume(inner, name.as_deref(), session, seed, now),
            }
        };
        Ok(Box::new(NativeEndpoint::client(Box::new(connect))))
    }

    fn listen(&self, config: &EndpointConfig, entropy: [u8; 32]) -> Result<Box<dyn Listener>, String> {
        let Config::Server(mut inner) = Config::defaults(config)? else {
            return Err("was told to be a client".to_owned());
        };
        settings::apply(config, self.0, &mut inner.common);
        let mut draws = Draws::new(entropy);
        // The first connection draws before all that the server keeps: it has the same bytes whatever that is.
        let first = Some(draws.next());
        settings::apply_server(config, &mut inner, || draws.next())?;
        Ok(Box::new(NativeListener { config: Arc::new(inner), first, draws }))
    }
}

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
        Ok(Box::new(NativeEndpoint::server(connection)))
    }
}

fn instant(at: SimTime) -> Instant {
    Instant::from_nanos(at.as_nanos())
}

//! From what a scenario asks of an endpoint to the configuration of `dtls-impl`.

use std::collections::BTreeMap;
use std::sync::Arc;

use dtls_impl::config::{
    AdaptiveTimer as OwnAdaptive, CertifiedKey, ClientAuth as OwnClientAuth, ClientCredentials, Common, ConnectionId,
    Cookies, EarlyData, MaxFragmentLength, PathCheck, PathMtu as OwnPathMtu, PeerMove, Psk, PskMode as OwnPskMode,
    ReplayGuard, ReturnRoutability as OwnRoutability, ServerCredentials, SessionCache, TicketKeys, Tickets,
    UnknownIdentity, Versions,
};
use dtls_impl::crypto::{self, CryptoProvider, Secret};
use dtls_impl::pki::{ClientVerifier, ServerVerifier};
use dtls_impl::wire::CipherSuite;
use dtls_impl::{ClientConfig, Mutation, ServerConfig};
use rustls_pki_types::DnsName;

use super::super::last::Last;
use crate::endpoint::{
    AdaptiveTimer, ClientAuth, Credentials, Dtls, EndpointConfig, Group, PathMtu, PskMode, ResumeBy, ReturnRoutability,
    Role,
};
use crate::pki::{self, Identity};

/// What it has of [`Features`](crate::endpoint::Features).
pub(super) const FEATURES: [&str; 16] = [
    "session resumption",
    "choice of PSK modes",
    "import of external PSKs",
    "early data",
    "key update on request",
    "key update of one end alone",
    "early data without a cookie",
    "client authentication",
    "raw public keys",
    "choice of application protocols",
    "limit on the size of records",
    "maximum fragment length",
    "adaptive timer",
    "choice of what loss says about the path MTU",
    "connection IDs",
    "requests for connection IDs",
];

/// Tickets with early data that a server remembers: more than any scenario uses.
const REPLAYS_MAX: usize = 4096;

/// Sessions that a server remembers: more than any scenario makes.
const SESSIONS_MAX: usize = 4096;

/// What `dtls-impl` is told, in either role.
pub(super) enum Config {
    Client(ClientConfig),
    Server(ServerConfig),
}

impl Config {
    /// The stack's own defaults for these credentials, without a cookie exchange.
    pub(super) fn defaults(config: &EndpointConfig) -> Result<Self, String> {
        let provider = crypto::rustcrypto::provider();
        let mut defaults = match (config.role, &config.credentials) {
            (Role::Client, Credentials::Psk { identity, key, .. }) => {
                let psk = Psk { identity: identity.clone(), key: Secret::new(key.clone()) };
                Self::Client(ClientConfig::new(provider, ClientCredentials::Psk(psk)))
            }
            (Role::Client, Credentials::Certificate(identity)) => {
                let verifier = match config.features.raw_public_keys {
                    false => server_verifier(identity)?,
                    true => Arc::new(ServerVerifier::raw_public_keys([public_key(provider.as_ref(), identity)?])),
                };
                let credentials = ClientCredentials::Certificate { verifier };
                Self::Client(ClientConfig::new(provider, credentials))
            }
            (Role::Server, Credentials::Psk { identity, key, .. }) => {
                let keys = BTreeMap::from([(identity.clone(), Secret::new(key.clone()))]);
                let credentials = ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert };
                Self::Server(ServerConfig::new(provider, credentials, Cookies::Off))
            }
            (Role::Server, Credentials::Certificate(identity)) => {
                let key = shown(config, provider.as_ref(), identity)?;
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

    pub(super) fn common_mut(&mut self) -> &mut Common {
        match self {
            Self::Client(config) => &mut config.common,
            Self::Server(config) => &mut config.common,
        }
    }
}

/// What holds for both roles.
pub(super) fn apply(config: &EndpointConfig, mutation: Option<Mutation>, common: &mut Common) {
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
            Group::P384 => crypto::Group::Secp384r1,
            Group::X25519MlKem768 => crypto::Group::X25519MlKem768,
        });
        common.groups = groups.collect();
    }
    if let (Dtls::V13, Credentials::Psk { ecdhe: false, .. }) = (config.dtls, &config.credentials) {
        common.psk_modes = vec![OwnPskMode::Ke];
    }
    if !config.features.psk_modes.is_empty() {
        let modes = config.features.psk_modes.iter().map(|mode| match mode {
            PskMode::PskDheKe => OwnPskMode::DheKe,
            PskMode::PskKe => OwnPskMode::Ke,
        });
        common.psk_modes = modes.collect();
    }
    common.psk_import = config.features.psk_import.as_ref().map(|context| context.clone().into_bytes());
    common.alpn = config.features.alpn.iter().map(|name| name.clone().into_bytes()).collect();
    common.record_size_limit = config.features.record_size_limit;
    common.connection_id = match config.features.connection_id {
        None => ConnectionId::None,
        Some(0) => ConnectionId::Use(Vec::new()),
        Some(len) => ConnectionId::Random { len },
    };
    let own = common.return_routability;
    common.return_routability = match config.features.return_routability {
        None => own,
        Some(ReturnRoutability::None) => None,
        Some(ReturnRoutability::Basic) => own.map(|own| OwnRoutability { check: PathCheck::Basic, ..own }),
        Some(ReturnRoutability::Enhanced) => own.map(|own| OwnRoutability { check: PathCheck::Enhanced, ..own }),
    };
    if config.features.follow_unchecked {
        common.peer_move = PeerMove::Newest;
    }
    let timers = &mut common.timers;
    timers.initial = config.timer_initial.unwrap_or(timers.initial);
    timers.max = config.timer_max.unwrap_or(timers.max.max(timers.initial));
    timers.give_up = config.give_up.unwrap_or(timers.give_up);
    timers.adaptive = config.features.adaptive_timer.map(|AdaptiveTimer { rtt_hint, min }| {
        let least = OwnAdaptive::default().min.min(timers.max);
        OwnAdaptive { rtt_hint, min: min.unwrap_or(least) }
    });
    common.path_mtu = match config.features.path_mtu {
        None => common.path_mtu,
        Some(PathMtu::Fixed) => OwnPathMtu::Fixed,
        Some(PathMtu::BackOff) => OwnPathMtu::BACK_OFF,
    };
}

/// What clients alone have.
pub(super) fn apply_client(config: &EndpointConfig, inner: &mut ClientConfig) -> Result<(), String> {
    inner.sessions = config.features.resumption.is_some();
    inner.early_data = config.features.early_data.is_some();
    inner.max_fragment_length = config.features.max_fragment_length.and_then(|length| {
        let all = [
            MaxFragmentLength::Bytes512,
            MaxFragmentLength::Bytes1024,
            MaxFragmentLength::Bytes2048,
            MaxFragmentLength::Bytes4096,
        ];
        all.into_iter().find(|known| known.bytes() == usize::from(length))
    });
    if let Some(shape) = &config.features.client_certificate {
        let identity = pki::identity(shape);
        inner.identity = Some(shown(config, inner.common.provider.as_ref(), &identity)?);
    }
    Ok(())
}

/// What servers alone have. What they keep secret is drawn.
pub(super) fn apply_server(
    config: &EndpointConfig,
    inner: &mut ServerConfig,
    mut draw: impl FnMut() -> [u8; 32],
) -> Result<(), String> {
    if config.cookie {
        inner.cookies = Cookies::Required { secret: Secret::new(draw().to_vec()) };
    }
    if let Some(resumption) = config.features.resumption {
        let mut tickets = Tickets::new(TicketKeys::new(draw()));
        tickets.count = resumption.count.unwrap_or(tickets.count);
        tickets.lifetime = resumption.lifetime.unwrap_or(tickets.lifetime);
        match resumption.by {
            ResumeBy::Tickets => inner.tickets = Some(tickets),
            ResumeBy::SessionIds => inner.sessions = Some(Arc::new(SessionCache::new(SESSIONS_MAX, tickets.lifetime))),
        }
    }
    if let Some(asked) = config.features.early_data {
        let mut early_data = EarlyData::new(Arc::new(ReplayGuard::new(REPLAYS_MAX)));
        early_data.max_size = asked.max;
        early_data.window = asked.window.unwrap_or(early_data.window);
        early_data.without_cookie = asked.without_cookie;
        inner.early_data = Some(early_data);
    }
    inner.client_auth = match config.features.client_auth {
        ClientAuth::None => OwnClientAuth::None,
        ClientAuth::Optional => OwnClientAuth::Optional(client_verifier(config, inner.common.provider.as_ref())?),
        ClientAuth::Required => OwnClientAuth::Required(client_verifier(config, inner.common.provider.as_ref())?),
    };
    Ok(())
}

/// As scenarios name it.
pub(super) fn suite_name(suite: CipherSuite) -> String {
    suite.to_string().trim_start_matches("TLS_").to_owned()
}

fn certified_key(provider: &dyn CryptoProvider, identity: &Arc<Identity>) -> Result<CertifiedKey, String> {
    static LAST: Last<CertifiedKey> = Last::new();
    let make = || CertifiedKey::new(provider, identity.chain.clone(), &identity.key);
    LAST.get(identity, make).map_err(|error| error.to_string())
}

/// What an end shows of its identity.
fn shown(
    config: &EndpointConfig,
    provider: &dyn CryptoProvider,
    identity: &Arc<Identity>,
) -> Result<CertifiedKey, String> {
    if config.features.raw_public_keys {
        return CertifiedKey::raw_public_key(provider, &identity.key).map_err(|error| error.to_string());
    }
    certified_key(provider, identity)
}

fn public_key(provider: &dyn CryptoProvider, identity: &Identity) -> Result<Vec<u8>, String> {
    let key = CertifiedKey::raw_public_key(provider, &identity.key).map_err(|error| error.to_string())?;
    Ok(key.public_key().to_vec())
}

/// Who believes clients: the issuer of their certificates, or the key of the one there is.
fn client_verifier(config: &EndpointConfig, provider: &dyn CryptoProvider) -> Result<Arc<ClientVerifier>, String> {
    let identity = pki::identity(&config.features.client_shape());
    if config.features.raw_public_keys {
        return Ok(Arc::new(ClientVerifier::raw_public_keys([public_key(provider, &identity)?])));
    }
    ClientVerifier::new(vec![identity.root.clone()]).map(Arc::new).map_err(|error| error.to_string())
}

fn server_verifier(identity: &Arc<Identity>) -> Result<Arc<ServerVerifier>, String> {
    static LAST: Last<Arc<ServerVerifier>> = Last::new();
    let make = || ServerVerifier::new(vec![identity.root.clone()]).map(Arc::new);
    LAST.get(identity, make).map_err(|error| error.to_string())
}

/// The name to ask for; none only where no certificate is checked for it.
pub(super) fn server_name(config: &EndpointConfig) -> Result<Option<String>, String> {
    if config.server_name.is_empty() && matches!(config.credentials, Credentials::Psk { .. }) {
        return Ok(None);
    }
    let name = DnsName::try_from(config.server_name.as_str()).map_err(|error| error.to_string())?;
    Ok(Some(name.as_ref().to_owned()))
}

//! What an endpoint is told to be. Plain values with defaults; checked when a connection is made.

mod certified_key;
mod client_auth;
mod connection_id;
mod early_data;
mod path_mtu;
mod sessions;
mod sizes;
mod tickets;
mod timers;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::crypto::{CryptoProvider, Group, HashAlgorithm, Secret, SignatureScheme};
use crate::error::{Error, Misuse};
use crate::mutation::Mutated;
#[cfg(feature = "mutation")]
use crate::mutation::Mutation;
use crate::pki::ServerVerifier;
use crate::suite::{self, KeyExchangeKind, SUITES, SUITES13, Suite, Suite13};
use crate::time::Instant;
use crate::wire::{CertificateType, CipherSuite};

pub use self::certified_key::CertifiedKey;
pub use self::client_auth::ClientAuth;
pub use self::connection_id::{ConnectionId, PathCheck, PeerMove, ReturnRoutability};
pub use self::early_data::{EarlyData, ReplayGuard};
pub use self::path_mtu::PathMtu;
pub use self::sessions::SessionCache;
pub use self::sizes::{MaxFragmentLength, RECORD_SIZE_LIMIT_MAX, RECORD_SIZE_LIMIT_MIN};
pub use self::tickets::{PskMode, TICKET_KEY_LEN, TICKET_LIFETIME_MAX, TicketKeys, Tickets};
pub use self::timers::{AdaptiveTimer, Timers};

/// Smallest MTU: room for the headers, the longest AEAD expansion and a useful piece of a message.
pub const MTU_MIN: usize = 256;

/// Largest MTU: what UDP over IPv4 carries.
pub const MTU_MAX: usize = 65_507;

/// What to do with a peer without extended_master_secret (RFC 7627).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtendedMasterSecret {
    /// Refuse it.
    #[default]
    Required,
    /// Fall back to the master secret of RFC 5246.
    Preferred,
}

/// Versions to negotiate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// DTLS 1.2 (RFC 6347) alone.
    #[default]
    Dtls12,
    /// DTLS 1.3 (RFC 9147) alone.
    Dtls13,
    /// DTLS 1.3 with a peer that has it, else 1.2.
    Both,
}

impl Versions {
    pub(crate) const fn has_12(self) -> bool {
        !matches!(self, Self::Dtls13)
    }

    pub(crate) const fn has_13(self) -> bool {
        !matches!(self, Self::Dtls12)
    }
}

/// What clients and servers have in common.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Common {
    /// The primitives.
    pub provider: Arc<dyn CryptoProvider>,
    /// Versions to negotiate. Default: DTLS 1.2.
    pub versions: Versions,
    /// Cipher suites of DTLS 1.3 in order of preference. Default: all but TLS_AES_128_CCM_8_SHA256, which anyone can end
    /// an association of with 2^7 forged records (RFC 9147 §4.5.3).
    pub cipher_suites13: Vec<CipherSuite>,
    /// Cipher suites of DTLS 1.2 in order of preference. Default: all that the credentials allow.
    pub cipher_suites: Vec<CipherSuite>,
    /// Key exchange groups in order of preference. Default: X25519, P-256. Those that DTLS 1.3 alone has count there only.
    pub groups: Vec<Group>,
    /// Signatures to accept of certificates and their owners, in order of preference: what is offered to the peer. Default:
    /// ECDSA on P-256, Ed25519, and RSA with SHA-256 in both forms. Signatures of the own key are its own affair.
    pub signature_schemes: Vec<SignatureScheme>,
    /// Key exchange that goes with pre-shared keys in DTLS 1.3, in order of preference. Default: with an ephemeral key
    /// exchange only.
    pub psk_modes: Vec<PskMode>,
    /// Imports external PSKs into DTLS 1.3 with this context (RFC 9258), so that each serves one protocol and one hash
    /// only. Both ends must, or neither. A context that names client and server keeps an end that is both from talking to
    /// itself (RFC 9258 §A). Default: PSKs are used as they are.
    pub psk_import: Option<Vec<u8>>,
    /// The application's protocols in order of preference (RFC 7301): a client offers them, a server takes its first that
    /// is on offer and refuses clients that offer others alone. Names have 1 to 255 bytes. What was agreed on is in
    /// [`Negotiated::alpn`](crate::Negotiated::alpn). Default: none, no negotiation.
    pub alpn: Vec<Vec<u8>>,
    /// Longest plaintext to take in a protected record (RFC 8449), 64 to 2^14, or to 2^14 + 1 with DTLS 1.3, where it
    /// counts content type and padding. A client says so, a server answers with its own; both then keep to the other's.
    /// Longer records are dropped. Default: nothing is said, and 2^14 bytes are taken.
    pub record_size_limit: Option<u16>,
    /// Largest datagram to send, in bytes of UDP payload, 256 to 65507. Default 1200.
    pub mtu: usize,
    /// Whether smaller ones are tried when such large ones seem to get lost. Default: no.
    pub path_mtu: PathMtu,
    /// Retransmission timers.
    pub timers: Timers,
    /// The date at [`Instant::ZERO`](crate::Instant::ZERO), in seconds since 1970: what certificates are checked for.
    /// Default 0, at which no certificate is valid.
    pub unix_time: u64,
    /// Whether the peer must support extended_master_secret. Default: it must.
    pub extended_master_secret: ExtendedMasterSecret,
    /// Connection IDs. Default: none.
    pub connection_id: ConnectionId,
    /// Return routability checks, used if connection IDs are. Default: the peer is asked at its old address first.
    pub return_routability: Option<ReturnRoutability>,
    /// What a new address of the peer means without return routability checks. Default: the old one stays.
    pub peer_move: PeerMove,
    /// Whether secrets leave as [`Event::KeyLog`](crate::Event::KeyLog). Default: no.
    pub key_log: bool,
    /// The rule to break, if any.
    #[cfg(feature = "mutation")]
    pub mutation: Option<Mutation>,
}

impl Common {
    fn new(provider: Arc<dyn CryptoProvider>, usable: impl Fn(KeyExchangeKind) -> bool) -> Self {
        let suites = SUITES.iter().filter(|suite| usable(suite.key_exchange));
        Self {
            provider,
            versions: Versions::default(),
            cipher_suites13: SUITES13.iter().map(|suite| suite.code).collect(),
            cipher_suites: suites.map(|suite| suite.code).collect(),
            groups: vec![Group::X25519, Group::Secp256r1],
            signature_schemes: vec![
                SignatureScheme::EcdsaSecp256r1Sha256,
                SignatureScheme::Ed25519,
                SignatureScheme::RsaPssRsaeSha256,
                SignatureScheme::RsaPkcs1Sha256,
            ],
            psk_modes: vec![PskMode::DheKe],
            psk_import: None,
            alpn: Vec::new(),
            record_size_limit: None,
            mtu: 1200,
            path_mtu: PathMtu::default(),
            timers: Timers::default(),
            unix_time: 0,
            extended_master_secret: ExtendedMasterSecret::default(),
            connection_id: ConnectionId::default(),
            return_routability: Some(ReturnRoutability::default()),
            peer_move: PeerMove::default(),
            key_log: false,
            #[cfg(feature = "mutation")]
            mutation: None,
        }
    }

    /// The date at `now`, in seconds since 1970.
    pub(crate) const fn date(&self, now: Instant) -> u64 {
        self.unix_time.saturating_add(now.as_nanos() / 1_000_000_000)
    }

    /// The date at `now`, in milliseconds since 1970.
    pub(crate) const fn date_millis(&self, now: Instant) -> u64 {
        self.unix_time.saturating_mul(1000).saturating_add(now.as_nanos() / 1_000_000)
    }

    pub(crate) fn mutated(&self) -> Mutated {
        #[cfg(feature = "mutation")]
        return Mutated::new(self.mutation);
        #[cfg(not(feature = "mutation"))]
        Mutated::none()
    }

    /// The configured suites that can be used with such credentials.
    pub(crate) fn suites(&self, usable: impl Fn(KeyExchangeKind) -> bool) -> impl Iterator<Item = Suite> {
        let known = self.cipher_suites.iter().filter_map(|code| suite::find(*code));
        known.filter(move |suite| usable(suite.key_exchange))
    }

    /// The configured groups that DTLS 1.2 can use.
    pub(crate) fn groups_12(&self) -> impl Iterator<Item = Group> {
        self.groups.iter().copied().filter(|group| group.in_12())
    }

    /// The configured suites of DTLS 1.3. An external PSK goes with the hash it was made for, which is SHA-256 unless
    /// said otherwise (RFC 8446 §4.2.11); one that is imported goes with all.
    pub(crate) fn suites13(&self, psk: bool) -> impl Iterator<Item = Suite13> {
        let known = self.cipher_suites13.iter().filter_map(|code| suite::find13(*code));
        known.filter(move |suite| !psk || self.psk_import.is_some() || suite.hash == HashAlgorithm::Sha256)
    }

    fn check(&self, psk: bool, usable: impl Fn(KeyExchangeKind) -> bool) -> Result<(), Misuse> {
        if !(MTU_MIN..=MTU_MAX).contains(&self.mtu) {
            return Err(Misuse::BadMtu);
        }
        self.path_mtu.check()?;
        self.timers.check()?;
        sizes::check(self)?;
        self.connection_id.check()?;
        self.return_routability.as_ref().map_or(Ok(()), ReturnRoutability::check)?;
        let missing_12 = self.versions.has_12() && self.suites(&usable).next().is_none();
        let missing_13 = self.versions.has_13() && self.suites13(psk).next().is_none();
        if missing_12 || missing_13 {
            return Err(Misuse::NoUsableSuite);
        }
        let ecdhe = self.suites(&usable).any(|suite| suite.key_exchange.has_ecdhe()) || self.versions.has_13();
        let none_for_12 = self.versions.has_12() && self.groups_12().next().is_none();
        if (self.groups.is_empty() || none_for_12) && ecdhe {
            return Err(Misuse::NoGroups);
        }
        if self.signature_schemes.is_empty() {
            return Err(Misuse::NoSchemes);
        }
        if self.psk_modes.is_empty()
            || self.psk_import.as_ref().is_some_and(|context| context.len() > IMPORT_CONTEXT_MAX)
        {
            return Err(Misuse::BadPsk);
        }
        Ok(())
    }
}

/// Longest context of imported PSKs: with it, an identity still fits its extension.
const IMPORT_CONTEXT_MAX: usize = 1 << 14;

/// A pre-shared key and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Psk {
    /// Sent in the clear, 1 to 65535 bytes (RFC 4279 §5.1 recommends UTF-8).
    pub identity: Vec<u8>,
    /// The key, 1 to 65535 bytes. At least 16, from a good generator, and known to one client and one server only: anything
    /// less can be guessed, or turned against its owners (RFC 9257 §4, §6).
    pub key: Secret,
}

impl Psk {
    fn check(identity: &[u8], key: &Secret) -> Result<(), Misuse> {
        let fits = |len: usize| (1..=usize::from(u16::MAX)).contains(&len);
        if fits(identity.len()) && fits(key.expose().len()) { Ok(()) } else { Err(Misuse::BadPsk) }
    }
}

/// How a client authenticates the server, and itself if by PSK.
#[derive(Clone, Debug)]
pub enum ClientCredentials {
    /// Both know a key.
    Psk(Psk),
    /// The server shows a certificate chain that ends in a trusted root, or a key that is known.
    Certificate {
        /// Knows the roots, or the keys.
        verifier: Arc<ServerVerifier>,
    },
}

impl ClientCredentials {
    pub(crate) const fn usable(&self, key_exchange: KeyExchangeKind) -> bool {
        matches!(self, Self::Psk(_)) == key_exchange.has_psk()
    }

    /// What a server that shows something is to show.
    pub(crate) fn server_type(&self) -> CertificateType {
        match self {
            Self::Psk(_) => CertificateType::X509,
            Self::Certificate { verifier } => verifier.certificate_type(),
        }
    }
}

/// Everything a client is told, shared by all its connections.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Settings that servers have too.
    pub common: Common,
    /// Who authenticates how.
    pub credentials: ClientCredentials,
    /// What the client shows to a server that asks for a certificate. Not with a PSK. Default: nothing.
    pub identity: Option<CertifiedKey>,
    /// Whether to ask for what it takes to resume sessions later: see [`Event::Session`](crate::Event::Session). Default:
    /// no.
    pub sessions: bool,
    /// Whether a connection that resumes a DTLS 1.3 session may send early data: see
    /// [`Connection::send_early`](crate::Connection::send_early). Such a connection does not fall back to DTLS 1.2
    /// (RFC 8446 §D.3). Default: no.
    pub early_data: bool,
    /// Asks the server to send no longer fragments, and sends none (RFC 6066 §4). For servers that do not know
    /// [`Common::record_size_limit`], which counts where both are known. Default: not asked.
    pub max_fragment_length: Option<MaxFragmentLength>,
}

impl ClientConfig {
    /// Defaults for these credentials.
    pub fn new(provider: Arc<dyn CryptoProvider>, credentials: ClientCredentials) -> Self {
        let common = Common::new(provider, |key_exchange| credentials.usable(key_exchange));
        Self { common, credentials, identity: None, sessions: false, early_data: false, max_fragment_length: None }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let psk = matches!(self.credentials, ClientCredentials::Psk(_));
        self.common.check(psk, |key_exchange| self.credentials.usable(key_exchange))?;
        if let ClientCredentials::Psk(psk) = &self.credentials {
            Psk::check(&psk.identity, &psk.key)?;
            if self.identity.is_some() {
                return Err(Misuse::BadClientAuth.into());
            }
        }
        Ok(())
    }
}

/// What a server does when a client names a PSK identity it does not know (RFC 4279 §2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownIdentity {
    /// Says so with unknown_psk_identity.
    #[default]
    Alert,
    /// Goes on with a random key, so that the client cannot tell an unknown identity from a wrong key. The handshake
    /// then ends when one side gives up, as records that do not authenticate are dropped quietly.
    Conceal,
}

/// How a server authenticates itself, and the client if by PSK.
#[derive(Clone, Debug)]
pub enum ServerCredentials {
    /// Both know a key.
    Psk {
        /// Keys by identity.
        keys: BTreeMap<Vec<u8>, Secret>,
        /// Sent to help clients choose an identity; `None` or empty sends none.
        hint: Option<Vec<u8>>,
        /// What to do with other identities.
        unknown: UnknownIdentity,
    },
    /// A certificate chain, or a raw public key.
    Certificate(CertifiedKey),
}

impl ServerCredentials {
    /// The key says which suites of DTLS 1.2 it signs for.
    pub(crate) fn usable(&self, key_exchange: KeyExchangeKind) -> bool {
        match self {
            Self::Psk { .. } => key_exchange.has_psk(),
            Self::Certificate(own) if own.is_rsa() => key_exchange == KeyExchangeKind::EcdheRsa,
            Self::Certificate(_) => key_exchange == KeyExchangeKind::EcdheEcdsa,
        }
    }
}

/// Whether clients must show that they receive at their address (RFC 6347 §4.2.1).
#[derive(Clone, Debug)]
pub enum Cookies {
    /// A ClientHello without a valid cookie gets a HelloVerifyRequest, and nothing is remembered of it.
    Required {
        /// Key of the cookies' HMAC, shared by all connections of the server.
        secret: Secret,
    },
    /// Every ClientHello starts a handshake. Opens the server to exhaustion and makes it an amplifier.
    Off,
}

/// Everything a server is told, shared by all its connections.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Settings that clients have too.
    pub common: Common,
    /// Who authenticates how.
    pub credentials: ServerCredentials,
    /// Certificates of clients. Not with PSKs. Default: not asked for.
    pub client_auth: ClientAuth,
    /// The cookie exchange.
    pub cookies: Cookies,
    /// Tickets for resumption, to clients of DTLS 1.2 that ask and to all of 1.3. Default: none.
    pub tickets: Option<Tickets>,
    /// Memory of DTLS 1.2 sessions that clients may resume by id: of those without a ticket. Default: none.
    pub sessions: Option<Arc<SessionCache>>,
    /// Early data of DTLS 1.3. Needs tickets. Default: refused.
    pub early_data: Option<EarlyData>,
}

impl ServerConfig {
    /// Defaults for these credentials.
    pub fn new(provider: Arc<dyn CryptoProvider>, credentials: ServerCredentials, cookies: Cookies) -> Self {
        let common = Common::new(provider, |key_exchange| credentials.usable(key_exchange));
        let (tickets, sessions) = (None, None);
        Self { common, credentials, client_auth: ClientAuth::None, cookies, tickets, sessions, early_data: None }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let psk = matches!(self.credentials, ServerCredentials::Psk { .. });
        self.common.check(psk, |key_exchange| self.credentials.usable(key_exchange))?;
        self.tickets.as_ref().map_or(Ok(()), Tickets::check)?;
        self.early_data.as_ref().map_or(Ok(()), EarlyData::check)?;
        if self.early_data.is_some() && self.tickets.is_none() {
            return Err(Misuse::BadEarlyData.into());
        }
        if let ServerCredentials::Psk { keys, .. } = &self.credentials {
            keys.iter().try_for_each(|(identity, key)| Psk::check(identity, key))?;
            if self.client_auth.verifier().is_some() {
                return Err(Misuse::BadClientAuth.into());
            }
        }
        Ok(())
    }
}

//! What the simulation asks of an endpoint, and what it tells a stack to be.
//!
//! Knows no stack and no network. Adapters in [`crate::stack`] implement [`Endpoint`] for each stack.

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::pki::{ChainShape, Identity};
use crate::time::SimTime;

/// The two ends of an association.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Sends the ClientHello.
    Client,
    /// Answers it.
    Server,
}

impl Role {
    /// The other end.
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// Both, client first.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// One stack instance on one simulated host.
///
/// The simulation calls in a fixed order at one instant: [`start`](Endpoint::start) or
/// [`handle_datagram`](Endpoint::handle_datagram), then [`handle_timeout`](Endpoint::handle_timeout) if the deadline is
/// due, and after each of these drains [`poll_event`](Endpoint::poll_event) and then
/// [`poll_transmit`](Endpoint::poll_transmit) until both are empty. It then asks for
/// [`poll_timeout`](Endpoint::poll_timeout). All methods may be called at any time, also after a failure.
pub trait Endpoint {
    /// A client sends its first flight; a server does nothing.
    fn start(&mut self, now: SimTime);
    /// Takes one datagram that came from this address: the peer's, or anybody's that [`owns`](Endpoint::owns) let in.
    fn handle_datagram(&mut self, now: SimTime, from: SocketAddr, datagram: &[u8]);
    /// The next datagram to send, if any.
    fn poll_transmit(&mut self, now: SimTime) -> Option<Transmit>;
    /// When [`handle_timeout`](Endpoint::handle_timeout) wants to be called next.
    fn poll_timeout(&mut self, now: SimTime) -> Option<SimTime>;
    /// Time has reached the deadline.
    fn handle_timeout(&mut self, now: SimTime);
    /// The next event, if any.
    fn poll_event(&mut self) -> Option<EndpointEvent>;
    /// Sends application data; a refusal appears as an event.
    fn send(&mut self, now: SimTime, data: &[u8]);
    /// Ends the association with close_notify.
    fn close(&mut self, now: SimTime);
    /// The network says that a datagram was too large, and that UDP payloads of at most `mtu` bytes pass. Stacks that leave
    /// that to the kernel hear nothing of it.
    fn datagram_too_big(&mut self, _now: SimTime, _mtu: u32) {}
    /// Whether a datagram from an unknown address shows a connection ID of this endpoint's.
    fn owns(&self, _datagram: &[u8]) -> bool {
        false
    }
    /// Client: sends application data as early data, right after the start.
    fn send_early(&mut self, _now: SimTime, _data: &[u8]) -> Result<(), String> {
        Err("sends no early data".to_owned())
    }
    /// How the adapter broke its contract, if it did, in words that follow its name. Asked after each call; ends the run.
    fn broken(&self) -> Option<&str> {
        None
    }
    /// Does what the application asks, or says why not.
    fn ask(&mut self, _now: SimTime, ask: Ask) -> Result<(), String> {
        Err(format!("cannot {ask}"))
    }
}

/// What an application can ask of its endpoint besides sending and closing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// New keys for sending (RFC 8446 §4.6.3).
    UpdateKeys {
        /// Ask the peer to do the same.
        request_peer: bool,
    },
    /// So many connection IDs of the peer's (RFC 9147 §9).
    RequestConnectionIds(u8),
    /// To give the peer so many more, for when it likes (RFC 9147 §9).
    NewConnectionIds(u8),
    /// To give the peer so many in place of those before (RFC 9147 §9).
    ReplaceConnectionIds(u8),
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UpdateKeys { request_peer: false } => f.write_str("update keys"),
            Self::UpdateKeys { request_peer: true } => f.write_str("update keys of both"),
            Self::RequestConnectionIds(count) => write!(f, "ask for {count} connection IDs"),
            Self::NewConnectionIds(count) => write!(f, "give {count} connection IDs"),
            Self::ReplaceConnectionIds(count) => write!(f, "give {count} connection IDs to use at once"),
        }
    }
}

/// A datagram to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to; `None` is the peer's address as it is known.
    pub to: Option<SocketAddr>,
    /// The UDP payload.
    pub bytes: Vec<u8>,
}

impl From<Vec<u8>> for Transmit {
    /// To the peer.
    fn from(bytes: Vec<u8>) -> Self {
        Self { to: None, bytes }
    }
}

/// A server that is waiting: it makes an endpoint for each client, and they share what servers share.
pub trait Listener {
    /// The endpoint for a client at this address.
    fn accept(&mut self, now: SimTime, peer: SocketAddr) -> Result<Box<dyn Endpoint>, String>;
}

/// What an endpoint reports, as the trace keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointEvent {
    /// The endpoint may send and receive application data.
    Established {
        /// Cipher suite as the stack names it, or empty if it does not tell.
        suite: String,
    },
    /// Application data arrived.
    Data(Vec<u8>),
    /// The peer closed the association.
    PeerClosed,
    /// The association ended with an error.
    Failed(String),
    /// A record was dropped quietly, for the reason given.
    Discarded(String),
    /// A line of the NSS key log.
    KeyLog(String),
    /// The application's data could not be sent.
    SendRefused(String),
    /// A client may resume this session in a later visit.
    Session(Session),
    /// A server has early data, before the client's Finished (RFC 8446 §2.3).
    EarlyData(Vec<u8>),
    /// A client learned what became of its early data.
    EarlyDataAnswer {
        /// Whether the server took it.
        accepted: bool,
    },
    /// From now on the peer is at this address: it has moved, and the endpoint is convinced that it was the peer.
    PeerMoved(SocketAddr),
    /// More about what was agreed, right after [`Established`](Self::Established).
    Negotiated(Negotiated),
}

/// Something that a handshake may agree on and most do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Negotiated {
    /// The association continues an earlier session.
    Resumed,
    /// The client was authenticated, and this is its name or key.
    Peer(String),
    /// Application protocol (RFC 7301).
    Alpn(String),
}

impl fmt::Display for Negotiated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resumed => f.write_str("resumed"),
            Self::Peer(name) => write!(f, "peer {name}"),
            Self::Alpn(protocol) => write!(f, "protocol {protocol}"),
        }
    }
}

/// What a client needs to resume, known to its stack alone. All are equal: what they hold follows from the bytes on the
/// wire, which traces compare.
#[derive(Clone)]
pub struct Session(pub Arc<dyn Any + Send + Sync>);

impl PartialEq for Session {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Session {}

/// Hides the keys.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(..)")
    }
}

/// Versions of DTLS.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub enum Dtls {
    /// RFC 6347.
    #[default]
    #[serde(rename = "1.2")]
    V12,
    /// RFC 9147.
    #[serde(rename = "1.3")]
    V13,
}

impl fmt::Display for Dtls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V12 => "DTLS 1.2",
            Self::V13 => "DTLS 1.3",
        })
    }
}

/// Largest datagram of an endpoint whose scenario says nothing of it, in bytes of UDP payload.
pub const MTU_DEFAULT: u16 = 1200;

/// Everything a stack is told about the endpoint it is to be.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// Client or server.
    pub role: Role,
    /// The only version it may speak.
    pub dtls: Dtls,
    /// Own address.
    pub local: SocketAddr,
    /// The peer's address.
    pub peer: SocketAddr,
    /// Who authenticates how; the same on both ends.
    pub credentials: Credentials,
    /// Name the client asks for and checks.
    pub server_name: String,
    /// Largest datagram to send, in bytes of UDP payload.
    pub mtu: u16,
    /// Server: answer the first ClientHello with a HelloVerifyRequest, in DTLS 1.3 with a HelloRetryRequest.
    pub cookie: bool,
    /// Cipher suites in order of preference, IANA names without `TLS_`; empty leaves the choice to the stack.
    pub suites: Vec<String>,
    /// Key exchange groups in order of preference; empty leaves the choice to the stack.
    pub groups: Vec<Group>,
    /// First retransmission timeout; `None` leaves it to the stack.
    pub timer_initial: Option<Duration>,
    /// Cap of the doubling; `None` leaves it to the stack.
    pub timer_max: Option<Duration>,
    /// Time after which an unanswered flight ends the handshake; `None` leaves it to the stack.
    pub give_up: Option<Duration>,
    /// Date at the start of the run, seconds since 1970.
    pub unix_time: u64,
    /// What it is to be capable of beyond a handshake.
    pub features: Features,
}

/// What an endpoint is to be capable of beyond a full handshake between two that share their credentials. Nothing of it
/// by default. A stack has what is asked for, or is unsupported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Server: gives clients what they can resume by. Client: resumes.
    pub resumption: Option<Resumption>,
    /// What goes with pre-shared keys and tickets in DTLS 1.3, in order of preference; empty leaves it to the stack.
    pub psk_modes: Vec<PskMode>,
    /// Imports the pre-shared key for this context (RFC 9258).
    pub psk_import: Option<String>,
    /// Server: takes early data. Client: sends some.
    pub early_data: Option<EarlyData>,
    /// Server: asks clients for certificates.
    pub client_auth: ClientAuth,
    /// What the client shows to a server that asks. Both ends know.
    pub client_certificate: Option<ChainShape>,
    /// Keys are shown and known as such, without certificates (RFC 7250).
    pub raw_public_keys: bool,
    /// Bytes of the connection ID to receive; 0 for none of its own, but the peer's.
    pub connection_id: Option<u8>,
    /// How a new address of the peer is checked; `None` leaves it to the stack.
    pub return_routability: Option<ReturnRoutability>,
    /// Without such a check, follows the peer's newest record to wherever it came from.
    pub follow_unchecked: bool,
    /// Application protocols in order of preference (RFC 7301); empty for no negotiation.
    pub alpn: Vec<String>,
    /// Longest plaintext to take in a protected record (RFC 8449).
    pub record_size_limit: Option<u16>,
    /// Client: asks for records of at most so much plaintext (RFC 6066 §4). Both ends know.
    pub max_fragment_length: Option<u16>,
    /// Makes its retransmission timer follow the round trip time.
    pub adaptive_timer: Option<AdaptiveTimer>,
    /// What it does about datagrams that may be too large; `None` leaves it to the stack.
    pub path_mtu: Option<PathMtu>,
    /// Takes new keys when its application asks for it.
    pub key_update: bool,
    /// Also without asking the peer to do the same.
    pub key_update_alone: bool,
    /// Asks for and gives connection IDs when its application asks for it.
    pub connection_id_messages: bool,
}

impl Features {
    /// The client's chain; what it would have if it has none.
    pub fn client_shape(&self) -> ChainShape {
        self.client_certificate.clone().unwrap_or_else(ChainShape::of_client)
    }

    /// What is asked for, in words that follow "has no".
    pub fn asked(&self) -> Vec<&'static str> {
        let Self { resumption, psk_modes, psk_import, early_data, .. } = self;
        let Self { key_update, key_update_alone, connection_id_messages, .. } = self;
        let authenticates = self.client_auth != ClientAuth::None || self.client_certificate.is_some();
        let moves = self.connection_id.is_some() || self.return_routability.is_some() || self.follow_unchecked;
        let asked = [
            (resumption.is_some(), "session resumption"),
            (!psk_modes.is_empty(), "choice of PSK modes"),
            (psk_import.is_some(), "import of external PSKs"),
            (early_data.is_some(), "early data"),
            (authenticates, "client authentication"),
            (self.raw_public_keys, "raw public keys"),
            (!self.alpn.is_empty(), "choice of application protocols"),
            (self.record_size_limit.is_some(), "limit on the size of records"),
            (self.max_fragment_length.is_some(), "maximum fragment length"),
            (self.adaptive_timer.is_some(), "adaptive timer"),
            (self.path_mtu.is_some(), "choice of what loss says about the path MTU"),
            (moves, "connection IDs"),
            (*key_update, "key update on request"),
            (*connection_id_messages, "requests for connection IDs"),
            (early_data.is_some_and(|early| early.without_cookie), "early data without a cookie"),
            (*key_update_alone, "key update of one end alone"),
        ];
        asked.into_iter().filter_map(|(is_asked, name)| is_asked.then_some(name)).collect()
    }
}

/// How sessions are resumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resumption {
    /// By what.
    pub by: ResumeBy,
    /// How many tickets a client of DTLS 1.3 gets after each handshake; `None` leaves it to the stack.
    pub count: Option<u8>,
    /// How long a session can be resumed; `None` leaves it to the stack.
    pub lifetime: Option<Duration>,
}

/// A retransmission timer that follows the round trip time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdaptiveTimer {
    /// What to expect until it is measured; `None` for the first timeout otherwise configured.
    pub rtt_hint: Option<Duration>,
    /// Least timeout; `None` leaves it to the stack.
    pub min: Option<Duration>,
}

/// What repeated loss of large datagrams means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PathMtu {
    /// Nothing.
    Fixed,
    /// Flights are cut for smaller ones (RFC 6347 §4.1.1.1, RFC 9147 §4.4).
    BackOff,
}

/// What a client resumes by.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ResumeBy {
    /// A ticket (RFC 5077, RFC 8446 §4.6.1): the client keeps the state.
    #[default]
    Tickets,
    /// A session ID (RFC 5246 §7.3): the server does.
    SessionIds,
}

/// What is added to a pre-shared key in DTLS 1.3 (RFC 8446 §4.2.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PskMode {
    /// An ephemeral key exchange.
    PskDheKe,
    /// Nothing.
    PskKe,
}

/// Early data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlyData {
    /// Most bytes that the server takes.
    pub max: u32,
    /// How far a ticket's age may be off; `None` leaves it to the stack.
    pub window: Option<Duration>,
    /// A hello with good early data needs no cookie where others do.
    pub without_cookie: bool,
}

/// Whether a server asks clients for certificates.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAuth {
    /// It does not.
    #[default]
    None,
    /// It does, and goes on without.
    Optional,
    /// It does, and refuses clients without.
    Required,
}

/// How a new address of the peer is checked (RFC 9853 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReturnRoutability {
    /// Not at all: the extension is not offered.
    None,
    /// The new address is asked.
    Basic,
    /// The old address is asked first.
    Enhanced,
}

/// How the ends authenticate.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Pre-shared key.
    Psk {
        /// Identity the client sends.
        identity: Vec<u8>,
        /// The key itself.
        key: Vec<u8>,
        /// Whether the key exchange adds ECDHE (RFC 8442) or is PSK alone.
        ecdhe: bool,
    },
    /// The server shows a certificate chain, the client trusts its root.
    Certificate(Arc<Identity>),
}

/// Key exchange groups a scenario can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// X25519.
    X25519,
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// ML-KEM-768 and X25519 together, for DTLS 1.3.
    #[serde(rename = "x25519-mlkem768")]
    X25519MlKem768,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X25519 => "x25519",
            Self::P256 => "secp256r1",
            Self::P384 => "secp384r1",
            Self::X25519MlKem768 => "X25519MLKEM768",
        })
    }
}

//! Settings of connection IDs, and of what happens when the peer's address changes.

use core::time::Duration;

use crate::error::Misuse;
use crate::wire::CONNECTION_ID_LEN_MAX;

/// The connection ID that an endpoint wants to receive (RFC 9146 §3). All connection IDs of one endpoint have one length,
/// as a record does not say how long its own is.
///
/// That no two connections behind one socket have the same is the business of whoever owns the socket and makes the
/// connections: with random ones, 8 bytes are enough for chance never to matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ConnectionId {
    /// The extension is not offered, and an offer is not taken up.
    #[default]
    None,
    /// This one, at most 255 bytes. An empty one says that none is needed here, and that the peer's is sent if it wants
    /// one. Later ones, in DTLS 1.3, are random bytes of the same length.
    Use(Vec<u8>),
    /// Random bytes of the connection's seed, 1 to 255.
    Random {
        /// How many.
        len: u8,
    },
}

impl ConnectionId {
    /// Bytes of each connection ID to receive; none if the extension is not used.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Self::None => None,
            Self::Use(own) => Some(own.len()),
            Self::Random { len } => Some(usize::from(*len)),
        }
    }

    pub(super) fn check(&self) -> Result<(), Misuse> {
        let good = match self {
            Self::None => true,
            Self::Use(own) => own.len() <= CONNECTION_ID_LEN_MAX,
            Self::Random { len } => *len != 0,
        };
        if good { Ok(()) } else { Err(Misuse::BadConnectionId) }
    }
}

/// How a new address of the peer is checked (RFC 9853 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathCheck {
    /// The new address is asked, and believed if it answers (RFC 9853 §5.1). An attacker who copies records and is faster
    /// than the peer can get between the two.
    Basic,
    /// The old address is asked first, and stays if it answers (RFC 9853 §5.2). Takes longer if it is dead.
    Enhanced,
}

/// Return routability checks: offered and answered along with connection IDs, as RFC 9853 §3 wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnRoutability {
    /// The kind of check that this side does. Default: enhanced.
    pub check: PathCheck,
    /// How long a path may take to answer. A third of it passes between challenges. Default: three times the round trip
    /// time of the path in use, where [adaptive timers](super::AdaptiveTimer) know that, else one second (RFC 9853 §5.5).
    pub timeout: Option<Duration>,
}

/// Of a check, while no round trip time is known.
const TIMEOUT_UNKNOWN: Duration = Duration::from_secs(1);

/// Of a check by round trip time: one measured as next to nothing must not make it fail at once.
const TIMEOUT_MIN: Duration = Duration::from_millis(1);

impl Default for ReturnRoutability {
    fn default() -> Self {
        Self { check: PathCheck::Enhanced, timeout: None }
    }
}

impl ReturnRoutability {
    /// The timeout of a check that begins at such a round trip time, if it is known.
    pub(crate) fn timeout(&self, rtt: Option<Duration>) -> Duration {
        let by_rtt = || rtt.map_or(TIMEOUT_UNKNOWN, |rtt| rtt.saturating_mul(3).max(TIMEOUT_MIN));
        self.timeout.unwrap_or_else(by_rtt)
    }

    pub(super) fn check(&self) -> Result<(), Misuse> {
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) { Err(Misuse::BadTimers) } else { Ok(()) }
    }
}

/// What to do when the newest authentic record comes from another address, and return routability checks were not
/// negotiated (RFC 9146 §6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PeerMove {
    /// The address stays. [`Event::PeerSeen`](crate::Event::PeerSeen) tells the application, which may check the new one
    /// by its own means and then say so with [`Connection::set_peer_address`](crate::Connection::set_peer_address).
    #[default]
    Never,
    /// The address changes at once. Whoever copies a record and delivers it first can point the traffic at anyone, until
    /// the peer's next record: only for where the application bears that.
    Newest,
}

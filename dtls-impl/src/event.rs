//! What a connection hands out: datagrams, events, and when it wants to be called next.

use core::fmt;

use crate::error::Error;
use crate::session::ClientSession;
use crate::time::Instant;
use crate::wire::{Alert, CipherSuite};

/// One piece of output. After each input, poll until [`WakeAt`](Output::WakeAt) or [`Idle`](Output::Idle).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a datagram that is not sent is lost, an event that is not read is missed"]
pub enum Output {
    /// Send this to the peer, at [`Connection::peer_address`](crate::Connection::peer_address).
    Datagram(Vec<u8>),
    /// Send this to another address: a first one that the peer may have moved to, or one it asked from. Only with
    /// connection IDs.
    DatagramTo {
        /// The address, as it was given with a datagram from there.
        address: Vec<u8>,
        /// The datagram.
        datagram: Vec<u8>,
    },
    /// Something happened.
    Event(Event),
    /// Nothing more until input arrives, or until this time: then call `handle_timeout`.
    WakeAt(Instant),
    /// Nothing more until input arrives.
    Idle,
}

/// Something that happened.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The handshake is complete: application data flows.
    Established {
        /// The negotiated suite.
        suite: CipherSuite,
        /// Whether the master secret is bound to the handshake (RFC 7627).
        extended_master_secret: bool,
    },
    /// A client can resume this session later. A server of DTLS 1.3 may give several, at any time.
    Session(ClientSession),
    /// Application data of one record.
    Data(Vec<u8>),
    /// Early data of one record, which an attacker may have sent again (RFC 8446 §8).
    EarlyData(Vec<u8>),
    /// The server takes the early data. Which of it arrived is not said.
    EarlyDataAccepted,
    /// The server has dropped the early data: what matters is to be sent again.
    EarlyDataRejected,
    /// The peer sent close_notify; the connection has ended.
    PeerClosed,
    /// The connection has ended.
    Failed(Error),
    /// Received bytes were dropped; nothing else changed (RFC 6347 §4.1.2.7).
    Discarded(DiscardReason),
    /// A line of the NSS key log. Only if the configuration asks for it.
    KeyLog(String),
    /// The peer has another address: it was checked, or the configuration does without
    /// ([`PeerMove::Newest`](crate::config::PeerMove::Newest)).
    PeerMoved {
        /// The new address.
        address: Vec<u8>,
    },
    /// The newest record came from another address than the peer's, which stays as it is. Said once per address.
    PeerSeen {
        /// The other address.
        address: Vec<u8>,
    },
    /// A return routability check has ended without a move: the new address did not answer, or the old one did. Should
    /// this happen often, somebody may be interfering (RFC 9853 §7.1).
    PathRefused {
        /// The address that the peer seemed to have moved to.
        address: Vec<u8>,
    },
    /// The connection IDs that datagrams to this connection may carry have changed: see
    /// [`Connection::connection_ids`](crate::Connection::connection_ids).
    ConnectionIds,
    /// The peer gave connection IDs for records to it (RFC 9147 §9), and may have answered a request. What is used
    /// immediately is in use already.
    NewConnectionIds {
        /// Those now kept to be used on other paths.
        spares: usize,
    },
    /// The client has lost its state and made another association from the same address (RFC 6347 §4.2.8, RFC 9147
    /// §5.11), which [`Established`](Self::Established) follows for. All before is gone: the keys, connection IDs, and
    /// data on its way. Only early data of the new association comes before this. The client may be another than before: see [`Connection::negotiated`](crate::Connection::negotiated).
    Restarted,
    /// A client showed a valid cookie as if to begin anew, and then did not prove itself. The association is as it was.
    RestartFailed(Error),
    /// An alert arrived.
    AlertReceived(Alert),
    /// An alert was sent.
    AlertSent(Alert),
}

impl fmt::Debug for Event {
    /// Shows neither application data nor secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Established { suite, extended_master_secret } => f
                .debug_struct("Established")
                .field("suite", suite)
                .field("extended_master_secret", extended_master_secret)
                .finish(),
            Self::Data(data) => write!(f, "Data({} bytes)", data.len()),
            Self::Session(session) => write!(f, "Session({session:?})"),
            Self::EarlyData(data) => write!(f, "EarlyData({} bytes)", data.len()),
            Self::EarlyDataAccepted => f.write_str("EarlyDataAccepted"),
            Self::EarlyDataRejected => f.write_str("EarlyDataRejected"),
            Self::PeerClosed => f.write_str("PeerClosed"),
            Self::Failed(error) => write!(f, "Failed({error:?})"),
            Self::Discarded(reason) => write!(f, "Discarded({reason:?})"),
            Self::KeyLog(_) => f.write_str("KeyLog(..)"),
            Self::PeerMoved { address } => write!(f, "PeerMoved({address:02x?})"),
            Self::PeerSeen { address } => write!(f, "PeerSeen({address:02x?})"),
            Self::PathRefused { address } => write!(f, "PathRefused({address:02x?})"),
            Self::ConnectionIds => f.write_str("ConnectionIds"),
            Self::NewConnectionIds { spares } => write!(f, "NewConnectionIds({spares} spares)"),
            Self::Restarted => f.write_str("Restarted"),
            Self::RestartFailed(error) => write!(f, "RestartFailed({error:?})"),
            Self::AlertReceived(alert) => write!(f, "AlertReceived({alert:?})"),
            Self::AlertSent(alert) => write!(f, "AlertSent({alert:?})"),
        }
    }
}

/// Why received bytes were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DiscardReason {
    /// Not a record, or a record whose plaintext cannot be read.
    Malformed,
    /// A version that has no place here.
    WrongVersion,
    /// A content type that DTLS 1.2 does not have.
    UnknownContentType,
    /// A record with a connection ID that is not ours, or without one where it must have one (RFC 9146 §3).
    WrongConnectionId,
    /// From another address than the peer's, without a connection ID that would tell whose it is.
    OtherAddress,
    /// A record of an epoch that is over, or that is not to be expected yet.
    WrongEpoch,
    /// A record that was received before, or is older than the replay window.
    Replayed,
    /// A record that is not authentic.
    BadRecord,
    /// A message or record that has no place in this state.
    Unexpected,
    /// A handshake message that was received before.
    RepeatedMessage,
    /// A fragment that contradicts an earlier fragment of the same message.
    InconsistentFragment,
    /// A message too long, or too far ahead, to be kept.
    BeyondLimit,
    /// An alert that cannot be trusted or does not matter.
    UntrustedAlert,
    /// Anything that arrives after the end.
    AfterEnd,
}

impl fmt::Display for DiscardReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed",
            Self::WrongVersion => "wrong version",
            Self::UnknownContentType => "unknown content type",
            Self::WrongConnectionId => "wrong connection ID",
            Self::OtherAddress => "from another address",
            Self::WrongEpoch => "wrong epoch",
            Self::Replayed => "replayed",
            Self::BadRecord => "not authentic",
            Self::Unexpected => "unexpected",
            Self::RepeatedMessage => "repeated message",
            Self::InconsistentFragment => "inconsistent fragment",
            Self::BeyondLimit => "beyond limit",
            Self::UntrustedAlert => "untrusted alert",
            Self::AfterEnd => "after the end",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_print_neither_data_nor_secrets() {
        let printed = format!("{:?} {:?}", Event::Data(b"private".to_vec()), Event::KeyLog("CLIENT_RANDOM".into()));
        assert_eq!(printed, "Data(7 bytes) KeyLog(..)");
    }
}

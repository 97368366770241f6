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
    /// Send this to the peer.
    Datagram(Vec<u8>),
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

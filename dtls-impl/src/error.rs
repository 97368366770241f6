//! What ends a connection, and whose fault it is. The one place that chooses alerts.

use core::fmt;

use crate::crypto::CryptoError;
use crate::pki::CertificateError;
use crate::wire::{AlertDescription, HandshakeType, ParseError, ProtocolVersion};

/// Why a connection failed, or why a call was refused. What the peer or the network did comes as
/// [`Event::Failed`](crate::Event::Failed), with which the association ends. Calls return [`Misuse`](Self::Misuse), which
/// changes nothing, and the errors of the own side ([`SequenceExhausted`](Self::SequenceExhausted),
/// [`Crypto`](Self::Crypto)), which end the association, too.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol, in a message or record that is complete and, once there are keys, authentic.
    PeerMisbehaved(PeerMisbehaved),
    /// The peer keeps to the protocol, but the two configurations, or keys, leave no common ground.
    PeerIncompatible(PeerIncompatible),
    /// A handshake message of the peer is complete but cannot be read.
    BadMessage(HandshakeType, ParseError),
    /// The peer's certificates, or its raw public key, were refused: by a client those of the server, by a server those of
    /// a client that it has asked for.
    BadCertificate(CertificateError),
    /// The peer sent a fatal alert, authentic or, before there are keys, in a place where one is to be believed.
    AlertReceived(AlertDescription),
    /// The peer left a flight unanswered for the whole give-up time.
    TimedOut,
    /// All 2^48 record sequence numbers of the epoch are used (RFC 6347 §4.1): by [`Connection::send`] or while sending
    /// a flight.
    ///
    /// [`Connection::send`]: crate::Connection::send
    SequenceExhausted,
    /// A call that makes no sense now, or a configuration that cannot work. Only ever returned by calls.
    Misuse(Misuse),
    /// A primitive refused input that is not the peer's fault, for example randomness from which no key could be made.
    Crypto(CryptoError),
}

/// Rules a peer can break. In [`Event::Failed`](crate::Event::Failed) only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerMisbehaved {
    /// A handshake message that has no place here.
    UnexpectedMessage(HandshakeType),
    /// An extension appears twice.
    DuplicateExtension,
    /// A server answered an extension that was not offered.
    UnsolicitedExtension,
    /// A server chose a cipher suite that was not offered.
    SuiteNotOffered,
    /// A server chose a certificate type that was not offered (RFC 7250 §4.2).
    CertificateTypeNotOffered,
    /// A server chose a group that was not offered.
    GroupNotOffered,
    /// A signature scheme that was not offered or does not belong to the suite.
    SchemeNotOffered,
    /// No, or another than, the null compression method.
    BadCompression,
    /// ec_point_formats without the uncompressed format.
    NoUncompressedPoints,
    /// renegotiation_info that is not that of an initial handshake.
    BadRenegotiationInfo,
    /// A public key that is not a valid point of its group.
    BadPublicKey,
    /// A signature in the handshake does not verify.
    BadSignature,
    /// verify_data does not match the transcript.
    BadFinished,
    /// A message lacks an extension it must have (RFC 8446 §9.2).
    MissingExtension,
    /// A field that DTLS 1.3 only keeps for its looks does not look as it must (RFC 9147 §5.3, §5.4).
    BadLegacyField,
    /// A cookie that this server did not make for this client (RFC 9147 §5.1).
    BadCookie,
    /// A HelloRetryRequest that asks for nothing new, or a hello that does not do what was asked (RFC 8446 §4.1.4).
    BadRetry,
    /// A binder does not verify (RFC 8446 §4.2.11).
    BadBinder,
    /// A server chose a pre-shared key that was not offered, or none where one was necessary.
    BadPskChoice,
    /// A server resumes a session with another suite than it had (RFC 5246 §7.4.1.3).
    BadResumption,
    /// A server that can speak 1.3 negotiated 1.2 with a client that can, too (RFC 8446 §4.1.3).
    Downgrade,
    /// More follows a message after which keys change (RFC 8446 §5.1).
    MessageAcrossKeyChange,
    /// A server takes early data, and chose another application protocol than it is for (RFC 8446 §4.2.10).
    BadEarlyProtocol,
    /// More early data than the ticket allowed (RFC 8446 §4.2.10).
    TooMuchEarlyData,
    /// A server chose an application protocol that was not offered, or more than one (RFC 7301 §3.1).
    ProtocolNotOffered,
    /// A record size limit that is too small, or a maximum fragment length that does not exist or was not asked for, or
    /// both in one answer (RFC 8449 §4, §5, RFC 6066 §4).
    BadRecordSize,
    /// More records failed to authenticate than the AEAD stands (RFC 9147 §4.5.3).
    TooManyForgeries,
    /// A NewConnectionId without one where one is to be used immediately (RFC 9147 §9).
    NoConnectionId,
    /// A peer that goes on asking for connection IDs though it gets no more (RFC 9147 §9).
    TooManyConnectionIdRequests,
}

/// Ways to have nothing in common. In [`Event::Failed`](crate::Event::Failed) only, during the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerIncompatible {
    /// The peer offers, or has chosen, none of the configured versions.
    NoCommonVersion,
    /// No cipher suite in common that the credentials allow.
    NoCommonSuite,
    /// No group in common.
    NoCommonGroup,
    /// The client does not verify signatures of the server's key.
    NoCommonScheme,
    /// One end has raw public keys where the other has X.509 certificates (RFC 7250 §4.2).
    NoCommonCertificateType,
    /// The client has no certificate, or none that fits, and one is required. The alert depends on the version.
    NoClientCertificate {
        /// Of the handshake.
        version: ProtocolVersion,
    },
    /// The peer lacks extended_master_secret, and the configuration requires it.
    NoExtendedMasterSecret,
    /// The client offers none of the application protocols that the server has (RFC 7301 §3.2).
    NoCommonProtocol,
    /// No key is known for the client's PSK identity.
    UnknownPskIdentity,
}

/// Mistakes of the caller. Returned by the call that makes them: those of a configuration by the functions that make a
/// [`Connection`](crate::Connection) or a listener from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// The handshake is not complete: from `Connection::send`, `export_keying_material`, and what changes keys or
    /// connection IDs.
    NotEstablished,
    /// The association has ended, by either side or by a failure: from the same calls, and from `Connection::send_early`.
    Closed,
    /// More application data than one datagram takes, or early data: see `Connection::data_len_max`.
    DataTooLarge,
    /// From `Connection::export_keying_material`: a context of more than 65535 bytes in DTLS 1.2; in 1.3 a label of more
    /// than 249 bytes, or more output than 255 hashes.
    ContextTooLong,
    /// DTLS 1.2 was negotiated, and what was asked for is of 1.3: key updates and further connection IDs.
    NotNegotiable,
    /// The MTU is outside 256..=65507, or is to be backed off from at once.
    BadMtu,
    /// A connection ID is longer than 255 bytes, or random ones are to have none; or a listener has one for all clients.
    BadConnectionId,
    /// Connection IDs were not negotiated in the direction in which new ones are wanted.
    NoConnectionIds,
    /// No new connection IDs are wanted, or more than there is room for.
    BadConnectionIdCount,
    /// The peer has not yet answered an earlier request for connection IDs.
    RequestOutstanding,
    /// A timer, or that of return routability checks, is zero, the first timeout or the least one is longer than the longest,
    /// or the hint at the round trip time is zero or above a day.
    BadTimers,
    /// No cipher suite is left for one of the configured versions that the role and the credentials can use.
    NoUsableSuite,
    /// An ECDHE suite, or DTLS 1.3, is configured without groups that the version has.
    NoGroups,
    /// A PSK identity or key is empty or too long, the context to import them with is too long, or no mode is allowed.
    BadPsk,
    /// A ticket's lifetime is zero or above a week, that of a session is zero, or more than 8 are wanted at once.
    BadTickets,
    /// Early data without tickets, of no size, or with no or too large a window.
    BadEarlyData,
    /// From `Connection::send_early`: the configuration or the session allows none, the server refused it, or it is too
    /// late.
    NoEarlyData,
    /// From `Connection::send_early`: more than the server takes, all together.
    TooMuchEarlyData,
    /// From `Connection::resume`: the session is for another server name, is no longer fresh, or does not go with the
    /// configuration.
    SessionNotUsable,
    /// The name of an application protocol is empty or longer than 255 bytes, or there are too many.
    BadAlpn,
    /// The record size limit is outside of what the versions allow.
    BadRecordSize,
    /// Certificates or their verification are configured where all authentication is by PSK.
    BadClientAuth,
    /// No signature schemes are configured.
    NoSchemes,
    /// From `CertifiedKey`: a certificate chain is empty or too long, or its key does not load or does not belong to it.
    BadCertifiedKey,
    /// The server name is missing where certificates are checked, or is neither a DNS name nor an IP address.
    BadServerName,
}

impl Error {
    /// The fatal alert that tells the peer; `None` where there is nothing to tell or nobody to hear it.
    pub fn alert(&self) -> Option<AlertDescription> {
        Some(match self {
            Self::PeerMisbehaved(misbehaved) => match misbehaved {
                PeerMisbehaved::UnexpectedMessage(_) => AlertDescription::UNEXPECTED_MESSAGE,
                PeerMisbehaved::UnsolicitedExtension => AlertDescription::UNSUPPORTED_EXTENSION,
                PeerMisbehaved::BadRenegotiationInfo => AlertDescription::HANDSHAKE_FAILURE,
                PeerMisbehaved::CertificateTypeNotOffered => AlertDescription::ILLEGAL_PARAMETER,
                PeerMisbehaved::DuplicateExtension => AlertDescription::DECODE_ERROR,
                PeerMisbehaved::BadSignature | PeerMisbehaved::BadFinished | PeerMisbehaved::BadBinder => {
                    AlertDescription::DECRYPT_ERROR
                }
                PeerMisbehaved::MissingExtension => AlertDescription::MISSING_EXTENSION,
                PeerMisbehaved::MessageAcrossKeyChange | PeerMisbehaved::TooMuchEarlyData => {
                    AlertDescription::UNEXPECTED_MESSAGE
                }
                // Not the peer's fault, most likely: there is nobody to tell.
                PeerMisbehaved::TooManyForgeries => return None,
                PeerMisbehaved::TooManyConnectionIdRequests => AlertDescription::TOO_MANY_CIDS_REQUESTED,
                PeerMisbehaved::ProtocolNotOffered
                | PeerMisbehaved::NoConnectionId
                | PeerMisbehaved::BadRecordSize
                | PeerMisbehaved::BadLegacyField
                | PeerMisbehaved::BadCookie
                | PeerMisbehaved::BadRetry
                | PeerMisbehaved::BadPskChoice
                | PeerMisbehaved::BadResumption
                | PeerMisbehaved::BadEarlyProtocol
                | PeerMisbehaved::Downgrade
                | PeerMisbehaved::SuiteNotOffered
                | PeerMisbehaved::GroupNotOffered
                | PeerMisbehaved::SchemeNotOffered
                | PeerMisbehaved::BadCompression
                | PeerMisbehaved::NoUncompressedPoints
                | PeerMisbehaved::BadPublicKey => AlertDescription::ILLEGAL_PARAMETER,
            },
            Self::PeerIncompatible(incompatible) => match incompatible {
                PeerIncompatible::NoCommonVersion => AlertDescription::PROTOCOL_VERSION,
                PeerIncompatible::NoCommonProtocol => AlertDescription::NO_APPLICATION_PROTOCOL,
                PeerIncompatible::UnknownPskIdentity => AlertDescription::UNKNOWN_PSK_IDENTITY,
                PeerIncompatible::NoCommonCertificateType => AlertDescription::UNSUPPORTED_CERTIFICATE,
                PeerIncompatible::NoClientCertificate { version: ProtocolVersion::DTLS1_3 } => {
                    AlertDescription::CERTIFICATE_REQUIRED
                }
                PeerIncompatible::NoCommonSuite
                | PeerIncompatible::NoCommonGroup
                | PeerIncompatible::NoCommonScheme
                // RFC 5246 §7.4.6.
                | PeerIncompatible::NoClientCertificate { .. }
                | PeerIncompatible::NoExtendedMasterSecret => AlertDescription::HANDSHAKE_FAILURE,
            },
            Self::BadMessage(..) => AlertDescription::DECODE_ERROR,
            Self::BadCertificate(error) => error.alert(),
            Self::Crypto(_) => AlertDescription::INTERNAL_ERROR,
            Self::AlertReceived(_) | Self::TimedOut | Self::SequenceExhausted | Self::Misuse(_) => return None,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerMisbehaved(PeerMisbehaved::UnexpectedMessage(message)) => {
                write!(f, "peer misbehaved: {message} is out of place")
            }
            Self::PeerMisbehaved(misbehaved) => write!(f, "peer misbehaved: {misbehaved:?}"),
            Self::PeerIncompatible(incompatible) => write!(f, "peer is incompatible: {incompatible:?}"),
            Self::BadMessage(message, reason) => write!(f, "{message} cannot be read: {reason}"),
            Self::BadCertificate(error) => write!(f, "peer refused: {error}"),
            Self::AlertReceived(description) => write!(f, "peer sent the fatal alert {description}"),
            Self::TimedOut => f.write_str("peer did not answer within the give-up time"),
            Self::SequenceExhausted => f.write_str("record sequence numbers are used up"),
            Self::Misuse(misuse) => write!(f, "misuse: {misuse:?}"),
            Self::Crypto(error) => write!(f, "cryptography failed: {error:?}"),
        }
    }
}

impl core::error::Error for Error {}

impl From<PeerMisbehaved> for Error {
    fn from(misbehaved: PeerMisbehaved) -> Self {
        Self::PeerMisbehaved(misbehaved)
    }
}

impl From<PeerIncompatible> for Error {
    fn from(incompatible: PeerIncompatible) -> Self {
        Self::PeerIncompatible(incompatible)
    }
}

impl From<Misuse> for Error {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_its_alert() {
        let table = [
            (Error::PeerMisbehaved(PeerMisbehaved::BadFinished), Some(AlertDescription::DECRYPT_ERROR)),
            (Error::PeerMisbehaved(PeerMisbehaved::SuiteNotOffered), Some(AlertDescription::ILLEGAL_PARAMETER)),
            (Error::PeerMisbehaved(PeerMisbehaved::BadSignature), Some(AlertDescription::DECRYPT_ERROR)),
            (Error::PeerIncompatible(PeerIncompatible::NoCommonVersion), Some(AlertDescription::PROTOCOL_VERSION)),
            (Error::PeerIncompatible(PeerIncompatible::NoCommonSuite), Some(AlertDescription::HANDSHAKE_FAILURE)),
            (
                Error::PeerIncompatible(PeerIncompatible::NoCommonCertificateType),
                Some(AlertDescription::UNSUPPORTED_CERTIFICATE),
            ),
            (
                Error::PeerIncompatible(PeerIncompatible::NoClientCertificate { version: ProtocolVersion::DTLS1_2 }),
                Some(AlertDescription::HANDSHAKE_FAILURE),
            ),
            (
                Error::PeerIncompatible(PeerIncompatible::NoClientCertificate { version: ProtocolVersion::DTLS1_3 }),
                Some(AlertDescription::CERTIFICATE_REQUIRED),
            ),
            (Error::BadCertificate(CertificateError::UnknownIssuer), Some(AlertDescription::UNKNOWN_CA)),
            (
                Error::BadMessage(HandshakeType::SERVER_HELLO, ParseError::Truncated),
                Some(AlertDescription::DECODE_ERROR),
            ),
            (Error::TimedOut, None),
            (Error::AlertReceived(AlertDescription::HANDSHAKE_FAILURE), None),
        ];
        for (error, alert) in table {
            assert_eq!(error.alert(), alert, "{error}");
        }
    }

    #[test]
    fn errors_read_as_sentence_fragments() {
        let error = Error::from(PeerMisbehaved::UnexpectedMessage(HandshakeType::FINISHED));
        assert_eq!(error.to_string(), "peer misbehaved: finished is out of place");
    }
}

//! Why a chain was refused, and the alert that says so.

use core::fmt;

use crate::wire::AlertDescription;

/// Why a peer's certificates were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateError {
    /// The peer sent no certificate.
    Empty,
    /// A certificate cannot be read, or contradicts itself.
    Malformed,
    /// A signature in the chain is wrong.
    BadSignature,
    /// A key, signature algorithm, version or critical extension that we do not know.
    Unsupported,
    /// The certificate is not for the role of the peer, or its key not for signatures.
    WrongUsage,
    /// A certificate's last day is over.
    Expired,
    /// A certificate's first day is still to come.
    NotValidYet,
    /// No path leads to a trusted root.
    UnknownIssuer,
    /// A raw public key that is not among the known ones.
    UnknownKey,
    /// No subjectAltName is the name of the server that was to be reached.
    WrongName,
    /// An issuer was not allowed to issue this: no CA, path too long, name outside its constraints.
    IssuerConstraint,
    /// Path building was given up because of its cost.
    TooComplex,
    /// None of the above.
    Other,
}

impl CertificateError {
    /// The alert that says so (RFC 5246 §7.2.2).
    pub const fn alert(self) -> AlertDescription {
        match self {
            // "A certificate was corrupt, contained signatures that did not verify correctly, etc."
            Self::Empty | Self::Malformed | Self::BadSignature => AlertDescription::BAD_CERTIFICATE,
            // RFC 9525 §6.6. Of keys RFC 7250 says nothing; there is no authority that could be unknown.
            Self::WrongName | Self::UnknownKey => AlertDescription::BAD_CERTIFICATE,
            Self::Unsupported | Self::WrongUsage => AlertDescription::UNSUPPORTED_CERTIFICATE,
            // "A certificate has expired or is not currently valid."
            Self::Expired | Self::NotValidYet => AlertDescription::CERTIFICATE_EXPIRED,
            Self::UnknownIssuer => AlertDescription::UNKNOWN_CA,
            // "Some other (unspecified) issue arose in processing the certificate."
            Self::IssuerConstraint | Self::TooComplex | Self::Other => AlertDescription::CERTIFICATE_UNKNOWN,
        }
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "no certificate",
            Self::Malformed => "malformed certificate",
            Self::BadSignature => "wrong signature in the chain",
            Self::Unsupported => "certificate of an unsupported kind",
            Self::WrongUsage => "certificate not meant for this use",
            Self::Expired => "certificate expired",
            Self::NotValidYet => "certificate not valid yet",
            Self::UnknownIssuer => "unknown issuer",
            Self::UnknownKey => "unknown public key",
            Self::WrongName => "certificate for another name",
            Self::IssuerConstraint => "issuer not allowed to issue this certificate",
            Self::TooComplex => "chain too complex",
            Self::Other => "certificate not acceptable",
        })
    }
}

impl core::error::Error for CertificateError {}

impl From<webpki::Error> for CertificateError {
    fn from(error: webpki::Error) -> Self {
        use webpki::Error as E;
        match error {
            E::BadDer
            | E::BadDerTime
            | E::ExtensionValueInvalid
            | E::EmptyEkuExtension
            | E::InvalidCertValidity
            | E::InvalidNetworkMaskConstraint
            | E::InvalidSerialNumber
            | E::MalformedDnsIdentifier
            | E::MalformedExtensions
            | E::MalformedNameConstraint
            | E::SignatureAlgorithmMismatch
            | E::TrailingData(_) => Self::Malformed,
            E::InvalidSignatureForPublicKey => Self::BadSignature,
            E::UnsupportedCertVersion
            | E::UnsupportedCriticalExtension
            | E::UnsupportedSignatureAlgorithmContext(_)
            | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Self::Unsupported,
            E::RequiredEkuNotFoundContext(_) | E::CaUsedAsEndEntity => Self::WrongUsage,
            E::CertExpired { .. } => Self::Expired,
            E::CertNotValidYet { .. } => Self::NotValidYet,
            E::UnknownIssuer => Self::UnknownIssuer,
            E::CertNotValidForName(_) | E::UnsupportedNameType => Self::WrongName,
            E::EndEntityUsedAsCa | E::NameConstraintViolation | E::PathLenConstraintViolated => Self::IssuerConstraint,
            E::MaximumNameConstraintComparisonsExceeded
            | E::MaximumPathBuildCallsExceeded
            | E::MaximumPathDepthExceeded
            | E::MaximumSignatureChecksExceeded => Self::TooComplex,
            // The rest concerns revocation, which we do not ask for, or does not exist yet.
            _ => Self::Other,
        }
    }
}

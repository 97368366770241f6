//! What hellos settle besides keys: the application's protocol (RFC 7301), and how long records may be (RFC 8449, RFC
//! 6066 §4). The same in both versions, but for where a server's answer is: in ServerHello or EncryptedExtensions.

use crate::config::{ClientConfig, Common, MaxFragmentLength, RECORD_SIZE_LIMIT_MIN};
use crate::error::{Error, PeerIncompatible, PeerMisbehaved};
use crate::wire::{Extension, ExtensionType, Extensions, HandshakeType, PLAINTEXT_LEN_MAX, ProtocolVersion};

/// The extensions that this module speaks for.
pub(crate) const EXTENSIONS: [ExtensionType; 3] = [
    ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
    ExtensionType::RECORD_SIZE_LIMIT,
    ExtensionType::MAX_FRAGMENT_LENGTH,
];

/// What was agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The application's protocol.
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) limits: RecordLimits,
}

/// How long records may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordLimits {
    /// Most content of a record that is sent in the clear.
    plain: usize,
    /// Most content of a protected record that is sent.
    protected: usize,
    /// Most that is encrypted of a record to be taken, if that was settled. In DTLS 1.3 this is a content type more than
    /// content.
    pub(crate) received: Option<usize>,
}

impl Default for RecordLimits {
    fn default() -> Self {
        Self { plain: PLAINTEXT_LEN_MAX, protected: PLAINTEXT_LEN_MAX, received: None }
    }
}

impl RecordLimits {
    /// Most content of a record to be sent in an epoch.
    pub(crate) const fn of(&self, epoch: u64) -> usize {
        if epoch == 0 { self.plain } else { self.protected }
    }

    fn by_size(peer: u16, own: u16, version: ProtocolVersion) -> Result<Self, PeerMisbehaved> {
        if peer < RECORD_SIZE_LIMIT_MIN {
            return Err(PeerMisbehaved::BadRecordSize);
        }
        // Larger than the protocol's limit may be for extensions that we do not know.
        let protected = (usize::from(peer) - inner_type_len(version)).min(PLAINTEXT_LEN_MAX);
        Ok(Self { plain: PLAINTEXT_LEN_MAX, protected, received: Some(usize::from(own)) })
    }

    fn by_fragment(length: MaxFragmentLength, version: ProtocolVersion) -> Self {
        let (bytes, received) = (length.bytes(), length.bytes() + inner_type_len(version));
        Self { plain: bytes, protected: bytes, received: Some(received) }
    }
}

/// DTLS 1.3 encrypts the content type, too.
fn inner_type_len(version: ProtocolVersion) -> usize {
    usize::from(version == ProtocolVersion::DTLS1_3)
}

/// What a client says of it.
pub(crate) fn offer(config: &ClientConfig) -> impl Iterator<Item = Extension<'static>> {
    let common = &config.common;
    let alpn = (!common.alpn.is_empty()).then(|| Extension::alpn(&common.alpn));
    let size = common.record_size_limit.map(Extension::record_size_limit);
    let fragment = config.max_fragment_length.map(|length| Extension::max_fragment_length(length.code()));
    alpn.into_iter().chain(size).chain(fragment)
}

/// What a server makes of a client's offer, and its answer.
pub(crate) fn answer(
    offered: &Extensions<'_>,
    common: &Common,
    version: ProtocolVersion,
) -> Result<(Terms, Vec<Extension<'static>>), Error> {
    let bad = |reason| Error::BadMessage(HandshakeType::CLIENT_HELLO, reason);
    let (mut terms, mut answer) = (Terms::default(), Vec::new());
    if let Some(protocols) = offered.alpn().map_err(bad)?
        && !common.alpn.is_empty()
    {
        let chosen = common.alpn.iter().find(|own| protocols.contains(&&own[..]));
        let chosen = chosen.ok_or(PeerIncompatible::NoCommonProtocol)?;
        answer.push(Extension::alpn(&[chosen]));
        terms.alpn = Some(chosen.clone());
    }
    let size = offered.record_size_limit().map_err(bad)?;
    if size.is_some_and(|size| size < RECORD_SIZE_LIMIT_MIN) {
        return Err(PeerMisbehaved::BadRecordSize.into());
    }
    let fragment = offered.max_fragment_length().map_err(bad)?;
    // RFC 8449 §5: who knows the first ignores the second.
    if let (Some(size), Some(own)) = (size, common.record_size_limit) {
        terms.limits = RecordLimits::by_size(size, own, version)?;
        answer.push(Extension::record_size_limit(own.min(largest(version))));
    } else if let Some(code) = fragment {
        let length = MaxFragmentLength::from_code(code).ok_or(PeerMisbehaved::BadRecordSize)?;
        terms.limits = RecordLimits::by_fragment(length, version);
        answer.push(Extension::max_fragment_length(code));
    }
    Ok((terms, answer))
}

/// The largest limit that a version knows (RFC 8449 §4).
fn largest(version: ProtocolVersion) -> u16 {
    (PLAINTEXT_LEN_MAX + inner_type_len(version)) as u16
}

/// What a client makes of a server's answer, in a message of this type.
pub(crate) fn accept(
    answer: &Extensions<'_>,
    message_type: HandshakeType,
    config: &ClientConfig,
    version: ProtocolVersion,
) -> Result<Terms, Error> {
    let bad = |reason| Error::BadMessage(message_type, reason);
    let common = &config.common;
    let mut terms = Terms::default();
    if let Some(protocols) = answer.alpn().map_err(bad)? {
        if common.alpn.is_empty() {
            return Err(PeerMisbehaved::UnsolicitedExtension.into());
        }
        let &[protocol] = &protocols[..] else { return Err(PeerMisbehaved::ProtocolNotOffered.into()) };
        if !common.alpn.iter().any(|own| own == protocol) {
            return Err(PeerMisbehaved::ProtocolNotOffered.into());
        }
        terms.alpn = Some(protocol.to_vec());
    }
    let (size, code) = (answer.record_size_limit().map_err(bad)?, answer.max_fragment_length().map_err(bad)?);
    match (size, code) {
        (None, None) => {}
        (Some(_), Some(_)) => return Err(PeerMisbehaved::BadRecordSize.into()),
        (Some(size), None) => {
            let own = common.record_size_limit.ok_or(PeerMisbehaved::UnsolicitedExtension)?;
            terms.limits = RecordLimits::by_size(size, own, version)?;
        }
        (None, Some(code)) => {
            let own = config.max_fragment_length.ok_or(PeerMisbehaved::UnsolicitedExtension)?;
            if code != own.code() {
                return Err(PeerMisbehaved::BadRecordSize.into());
            }
            terms.limits = RecordLimits::by_fragment(own, version);
        }
    }
    Ok(terms)
}

#[cfg(test)]
mod tests;

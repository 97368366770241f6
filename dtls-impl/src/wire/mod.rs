//! Bytes and values: records, handshake fragments, and every message of DTLS 1.2 and 1.3.
//!
//! Parsing borrows from the input and never panics; emitting takes the same types. After `parse` succeeds, every length
//! inside the value is right and nothing is left over; whether the value makes sense in its place is for `handshake`.
//! There is no state here, and no cryptography.

mod ack;
mod alert;
mod certificate;
mod code_points;
mod codec;
mod connection_id;
mod extension;
mod extension13;
mod extension_auth;
mod extension_terms;
mod handshake;
mod handshake13;
mod hello;
mod key_exchange;
mod record;
mod record13;
mod session_ticket;
#[cfg(test)]
mod tests;

pub use ack::{Ack, RECORD_NUMBER_LEN, RecordNumber};
pub use alert::{Alert, ChangeCipherSpec};
pub use certificate::{Certificate, CertificateRequest, RawKeyCertificate};
pub use code_points::{
    AlertDescription, AlertLevel, CertificateType, CipherSuite, ClientCertificateType, ContentType, ExtensionType,
    HandshakeType, NamedGroup, ProtocolVersion, SignatureSchemeCode,
};
pub use codec::{ParseError, Reader, Writer};
pub use connection_id::{
    ConnectionIdUsage, NewConnectionId, PATH_COOKIE_LEN, PathMessage, PathMessageKind, RequestConnectionId,
};
pub(crate) use extension::EXTENSIONS_USUAL;
pub use extension::{Extension, Extensions, POINT_FORMAT_UNCOMPRESSED};
pub use extension_auth::CertificateOf;
pub use extension13::{KeyShare, OfferedPsk, PSK_MODE_DHE, PSK_MODE_ONLY};
pub use handshake::{Fragment, Fragments, HANDSHAKE_HEADER_LEN, HandshakeHeader};
pub use handshake13::{
    Certificate13, CertificateEntry, CertificateRequest13, CertificateVerify, EncryptedExtensions, Finished13,
    KeyUpdate, NewSessionTicket,
};
pub use hello::{
    COMPRESSION_NULL, ClientHello, ClientHelloStart, DOWNGRADE_TO_1_0, DOWNGRADE_TO_1_2, Empty, HELLO_RETRY_RANDOM,
    HelloVerifyRequest, RANDOM_LEN, SESSION_ID_LEN_MAX, ServerHello,
};
pub use key_exchange::{
    ClientKeyExchange, EcdhParams, Finished, ServerKeyExchangeEcdhePsk, ServerKeyExchangePsk, ServerKeyExchangeSigned,
    VERIFY_DATA_LEN,
};
pub use record::{
    CIPHERTEXT_LEN_MAX, PLAINTEXT_LEN_MAX, RECORD_HEADER_LEN, RECORD_SEQ_MAX, Record, RecordHeader, Records,
};
pub(crate) use record13::add_mask;
pub use record13::{
    AnyRecord, AnyRecords, CONNECTION_ID_LEN_MAX, EpochBits, HeaderForm, ProtectedRecord, SeqBits,
    UNIFIED_HEADER_LEN_MAX, UnifiedHeader,
};
pub use session_ticket::NewSessionTicket12;

/// Room to make for a message: most are shorter.
const BODY_LEN_USUAL: usize = 512;

/// The body of a message as bytes.
pub(crate) fn body_of(emit: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut w = Writer::with_capacity(BODY_LEN_USUAL);
    emit(&mut w);
    w.into_bytes()
}

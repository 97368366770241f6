//! Bytes and values: records, handshake fragments, and every message of DTLS 1.2.
//!
//! Parsing borrows from the input and never panics; emitting takes the same types. After `parse` succeeds, every length
//! inside the value is right and nothing is left over; whether the value makes sense in its place is for `handshake`.
//! There is no state here, and no cryptography.

mod alert;
mod certificate;
mod code_points;
mod codec;
mod extension;
mod handshake;
mod hello;
mod key_exchange;
mod record;
#[cfg(test)]
mod tests;

pub use alert::{Alert, ChangeCipherSpec};
pub use certificate::{Certificate, CertificateRequest};
pub use code_points::{
    AlertDescription, AlertLevel, CipherSuite, ContentType, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion,
    SignatureSchemeCode,
};
pub use codec::{ParseError, Reader, Writer};
pub use extension::{Extension, Extensions, POINT_FORMAT_UNCOMPRESSED};
pub use handshake::{Fragment, Fragments, HANDSHAKE_HEADER_LEN, HandshakeHeader};
pub use hello::{
    COMPRESSION_NULL, ClientHello, ClientHelloStart, Empty, HelloVerifyRequest, RANDOM_LEN, SESSION_ID_LEN_MAX,
    ServerHello,
};
pub use key_exchange::{
    ClientKeyExchange, EcdhParams, Finished, ServerKeyExchangeEcdhePsk, ServerKeyExchangePsk, ServerKeyExchangeSigned,
    VERIFY_DATA_LEN,
};
pub use record::{
    CIPHERTEXT_LEN_MAX, PLAINTEXT_LEN_MAX, RECORD_HEADER_LEN, RECORD_SEQ_MAX, Record, RecordHeader, Records,
};

/// The body of a message as bytes.
pub(crate) fn body_of(emit: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut w = Writer::new();
    emit(&mut w);
    w.into_bytes()
}

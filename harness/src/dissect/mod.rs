//! Bytes of one association to records, fragments and flights, in the order of sending. Knows no simulation: the
//! network uses it to find the datagrams a fault means, the observer to read a trace.

use std::fmt;

/// A message a scenario can name: a handshake message, or the ChangeCipherSpec between them.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of RFC 5246 §7.4 and RFC 6347 §4.3.2")]
pub enum Message {
    HelloRequest,
    ClientHello,
    HelloVerifyRequest,
    ServerHello,
    NewSessionTicket,
    Certificate,
    ServerKeyExchange,
    CertificateRequest,
    ServerHelloDone,
    CertificateVerify,
    ClientKeyExchange,
    ChangeCipherSpec,
    Finished,
}

impl Message {
    /// All of them with their wire names.
    pub const NAMES: [(Self, &'static str); 13] = [
        (Self::HelloRequest, "hello_request"),
        (Self::ClientHello, "client_hello"),
        (Self::HelloVerifyRequest, "hello_verify_request"),
        (Self::ServerHello, "server_hello"),
        (Self::NewSessionTicket, "new_session_ticket"),
        (Self::Certificate, "certificate"),
        (Self::ServerKeyExchange, "server_key_exchange"),
        (Self::CertificateRequest, "certificate_request"),
        (Self::ServerHelloDone, "server_hello_done"),
        (Self::CertificateVerify, "certificate_verify"),
        (Self::ClientKeyExchange, "client_key_exchange"),
        (Self::ChangeCipherSpec, "change_cipher_spec"),
        (Self::Finished, "finished"),
    ];
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES.iter().find(|(message, _)| message == self).map_or("unknown", |(_, name)| name))
    }
}

/// One datagram, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dissected {
    /// Its records in order.
    pub records: Vec<Record>,
    /// What was wrong with the bytes after the last whole record, if anything.
    pub malformed: Option<String>,
    /// The flight it belongs to: that of its first handshake or ChangeCipherSpec record; `None` for other traffic.
    pub flight: Option<u8>,
    /// How often what it carries has been sent, this time included; the largest of its parts. 0 outside flights.
    pub attempt: u32,
    /// Its number within that transmission of the flight, from 1. 0 outside flights.
    pub nth_in_attempt: u32,
    /// Its number on its direction, from 1.
    pub nth_in_direction: u32,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Content type code.
    pub content_type: u8,
    /// Version in the header.
    pub version: u16,
    /// Epoch.
    pub epoch: u16,
    /// Sequence number within the epoch.
    pub seq: u64,
    /// Bytes of the record's body on the wire.
    pub length: u16,
    /// What is inside.
    pub body: Body,
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Handshake fragments.
    Handshake(Vec<Fragment>),
    /// Changes the sender's epoch; with how often it has been sent, this time included.
    ChangeCipherSpec {
        /// How often.
        attempt: u32,
    },
    /// An alert.
    Alert {
        /// 1 warning, 2 fatal.
        level: u8,
        /// Code of RFC 5246 §7.2.
        description: u8,
    },
    /// Application data, decrypted.
    ApplicationData(Vec<u8>),
    /// Protected, and no key is known. A handshake record is taken for the Finished.
    Sealed {
        /// How often a sealed handshake record has been sent by this end, this time included.
        attempt: u32,
    },
    /// Cannot be read, for the reason given.
    Malformed(String),
}

/// A fragment of a handshake message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Which message, if it is one with a name.
    pub message: Option<Message>,
    /// Code of its type.
    pub code: u8,
    /// Its `message_seq`.
    pub message_seq: u16,
    /// Length of the whole message.
    pub length: u32,
    /// Where this fragment starts.
    pub offset: u32,
    /// Bytes in this fragment.
    pub len: u32,
    /// Its place among the fragments of this transmission of the message, from 1, by order of sending.
    pub nth: u32,
    /// How often its first byte has been sent, this time included.
    pub attempt: u32,
}

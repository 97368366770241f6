//! Bytes of one association to records, fragments and flights, in the order of sending. Knows no simulation: the
//! network uses it to find the datagrams a fault means, the observer to read a trace.
//!
//! Reading is total: any bytes give a [`Dissected`], what cannot be read is said to be [`Body::Malformed`].

mod association;
mod cid12;
mod connection_ids;
mod coverage;
mod direction;
mod keys;
mod protected13;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
pub(crate) mod testing13;
#[cfg(test)]
mod tests;

use std::fmt;

use dtls_impl::wire::{ProtocolVersion, Reader, RecordNumber};

pub use coverage::Coverage;

use crate::endpoint::Role;
use association::{Association, Framed};
use keys::KeyLog;

/// A message a scenario can name: a handshake message, or the ChangeCipherSpec between them.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of RFC 5246 §7.4, RFC 6347 §4.3.2, RFC 8446 §4 and RFC 9147 §5.2")]
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
    HelloRetryRequest,
    EncryptedExtensions,
    KeyUpdate,
    RequestConnectionId,
    NewConnectionId,
}

impl Message {
    /// All of them with their wire names.
    pub const NAMES: [(Self, &'static str); 18] = [
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
        (Self::HelloRetryRequest, "hello_retry_request"),
        (Self::EncryptedExtensions, "encrypted_extensions"),
        (Self::KeyUpdate, "key_update"),
        (Self::RequestConnectionId, "request_connection_id"),
        (Self::NewConnectionId, "new_connection_id"),
    ];

    /// The handshake message of this type code; a HelloRetryRequest has that of a ServerHello.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::HelloRequest,
            1 => Self::ClientHello,
            2 => Self::ServerHello,
            3 => Self::HelloVerifyRequest,
            4 => Self::NewSessionTicket,
            8 => Self::EncryptedExtensions,
            9 => Self::RequestConnectionId,
            10 => Self::NewConnectionId,
            11 => Self::Certificate,
            12 => Self::ServerKeyExchange,
            13 => Self::CertificateRequest,
            14 => Self::ServerHelloDone,
            15 => Self::CertificateVerify,
            16 => Self::ClientKeyExchange,
            20 => Self::Finished,
            24 => Self::KeyUpdate,
            _ => return None,
        })
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES.iter().find(|(message, _)| message == self).map_or("unknown", |(_, name)| name))
    }
}

/// What a record is about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Handshake messages.
    Handshake,
    /// An alert.
    Alert,
    /// Application data, early or not.
    ApplicationData,
    /// An ACK (RFC 9147 §7).
    Ack,
    /// A message of the return routability check (RFC 9853 §4).
    PathCheck,
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
    /// Its association, from 1: a ClientHello with a new random and `message_seq` 0 begins the next.
    pub association: u32,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Content type code: the inner one of a record that hides its own (DTLS 1.3, or with a connection ID), 0 if it
    /// cannot be opened.
    pub content_type: u8,
    /// Version in the header; that of DTLS 1.3 for a unified header, which has none.
    pub version: u16,
    /// Epoch.
    pub epoch: u16,
    /// Sequence number within the epoch.
    pub seq: u64,
    /// Bytes of the record's body on the wire.
    pub length: u16,
    /// Which of the receiver's connection IDs it shows, from 1 in the order in which they first appear on records.
    pub connection_id: Option<u16>,
    /// What is inside.
    pub body: Body,
}

impl Record {
    /// Whether it has the unified header of DTLS 1.3.
    pub const fn is_unified(&self) -> bool {
        self.version == ProtocolVersion::DTLS1_3.0 && self.epoch > 0
    }

    /// What it is about; `None` for a ChangeCipherSpec and what cannot be read.
    pub const fn content(&self) -> Option<Content> {
        match self.body {
            Body::Handshake(_) => Some(Content::Handshake),
            Body::Alert { .. } => Some(Content::Alert),
            Body::ApplicationData(_) => Some(Content::ApplicationData),
            Body::Ack(_) => Some(Content::Ack),
            Body::PathCheck(_) => Some(Content::PathCheck),
            Body::ChangeCipherSpec { .. } | Body::Sealed { .. } | Body::Malformed(_) => None,
        }
    }

    /// Whether epoch and number are those of its sender: they are masked in a unified header that cannot be opened.
    pub const fn is_numbered(&self) -> bool {
        !(self.is_unified() && matches!(self.body, Body::Sealed { .. } | Body::Malformed(_)))
    }
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
    /// Records whose arrival the sender acknowledges (RFC 9147 §7).
    Ack(Vec<RecordNumber>),
    /// A message of the return routability check (RFC 9853 §4), with the code of its kind.
    PathCheck(u8),
    /// Protected, and no key is known. A handshake record is taken for the Finished.
    Sealed {
        /// How often a sealed handshake record has been sent by this end, this time included; 0 if it is none.
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
    /// Its flight, 1 to 6, by its place in the full handshake with cookie; `None` for what is outside. Of an abbreviated
    /// handshake the server's part is flight 4 and the client's Finished flight 5, and there is no flight 6; without a
    /// cookie there are no flights 2 and 3.
    pub flight: Option<u8>,
    /// Its place among the fragments of this transmission of the message, from 1, by order of sending.
    pub nth: u32,
    /// How often the least sent of its bytes has been sent, this time included.
    pub attempt: u32,
    /// Whether it differs from what was sent before in its place.
    pub changed: bool,
}

/// Reads the datagrams of both directions of one association after another, in the order in which they are sent.
#[derive(Debug, Default)]
pub struct Dissector {
    keys: KeyLog,
    association: Association,
    /// Associations begun, and datagrams seen per direction.
    begun: u32,
    datagrams: [u32; 2],
}

impl Dissector {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a line of the NSS key log; lines of another kind are ignored.
    pub fn learn_key_log(&mut self, line: &str) {
        if self.keys.learn(line) {
            self.association.unlock(&self.keys);
        }
    }

    /// Reads the next datagram that `from` sends. Copies made by the network are not fed.
    pub fn datagram(&mut self, from: Role, bytes: &[u8]) -> Dissected {
        let nth_in_direction = &mut self.datagrams[from as usize];
        *nth_in_direction = nth_in_direction.saturating_add(1);
        let nth_in_direction = *nth_in_direction;

        let mut records = Vec::new();
        let mut malformed = bytes.is_empty().then(|| "empty datagram".to_owned());
        let mut place: Option<Place> = None;
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let left = reader.len();
            if let Some((record, part)) = self.association.protected13(from, &mut reader, &self.keys) {
                place = place.into_iter().chain(part).reduce(Place::join);
                records.push(record);
                continue;
            }
            let Some(Framed { header, cid, body }) = self.association.frame12(from, &mut reader) else {
                malformed = Some(format!("no whole record in the last {left} bytes"));
                break;
            };
            if self.association.is_ended_by(from, &header, body) {
                self.association = Association::default();
                self.begun = self.begun.saturating_add(1);
            }
            let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
            let (content_type, content, part) = self.association.record(from, &header, cid, body, &self.keys);
            place = place.into_iter().chain(part).reduce(Place::join);
            records.push(Record {
                content_type: content_type.0,
                version: header.version.0,
                epoch: header.epoch,
                seq: header.seq,
                length,
                connection_id: cid.map(|cid| self.association.connection_id(from, cid)),
                body: content,
            });
        }
        Dissected {
            records,
            malformed,
            flight: place.map(|place| place.flight),
            attempt: place.map_or(0, |place| place.attempt),
            nth_in_attempt: place.map_or(0, |place| self.association.nth_datagram(from, place)),
            nth_in_direction,
            association: self.begun.saturating_add(1),
        }
    }
}

/// Which flight something belongs to, and which transmission of it this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    flight: u8,
    attempt: u32,
}

impl Place {
    /// The flight of the first, the largest attempt of what belongs to it.
    fn join(self, next: Self) -> Self {
        if next.flight == self.flight { Self { attempt: self.attempt.max(next.attempt), ..self } } else { self }
    }
}

//! One association: from records to messages, flights and transmissions, and through the protection if keys are known.

use dtls_impl::wire::{self, Ack, Alert, ChangeCipherSpec, ContentType, Fragments, HELLO_RETRY_RANDOM, RecordHeader};
use dtls_impl::wire::{ProtectedRecord, ProtocolVersion, Reader};

use super::connection_ids::ConnectionIds;
pub(super) use super::connection_ids::Framed;
use super::direction::Direction;
use super::keys::{KeyLog, Openers};
use super::protected13::{Opened, Openers13};
use super::{Body, Fragment, Message, Place, Record};
use crate::endpoint::Role;

/// Return routability check (RFC 9853 §4).
const PATH_CHECK: ContentType = ContentType(27);

const CLIENT_HELLO: u8 = 1;
const NEW_CONNECTION_ID: u8 = 10;
const SERVER_HELLO: u8 = 2;

/// Where the random lies in both hellos: after the version.
const RANDOM: std::ops::Range<usize> = 2..34;

/// Everything known of one association.
#[derive(Debug, Default)]
pub(super) struct Association {
    sent: [Direction; 2],
    client_random: Option<[u8; 32]>,
    server_hello: Option<ServerHello>,
    openers: Option<Openers>,
    /// Whether the server chose DTLS 1.3.
    is_13: bool,
    openers13: Option<Openers13>,
    /// Whether the client may have sent early data, before the server has chosen a version.
    offers_early: bool,
    connection_ids: ConnectionIds,
    /// Whether a message was seen that an abbreviated handshake does not have.
    full: bool,
}

/// What the keys depend on.
#[derive(Clone, Copy, Debug)]
struct ServerHello {
    random: [u8; 32],
    suite: u16,
}

impl Association {
    /// Whether this record begins another association: a first ClientHello with another random.
    pub(super) fn is_ended_by(&self, from: Role, header: &RecordHeader, body: &[u8]) -> bool {
        let Some(random) = self.client_random else { return false };
        if (from, header.content_type, header.epoch) != (Role::Client, ContentType::HANDSHAKE, 0) {
            return false;
        }
        let Some(Ok(wire::Fragment { header, body })) = Fragments::new(body).next() else { return false };
        if (header.message_type.0, header.message_seq) != (CLIENT_HELLO, 0) {
            return false;
        }
        // Compare the bytes of the random that this fragment has.
        let offset = header.fragment_offset as usize;
        let mut pairs = body.iter().enumerate().map(|(place, byte)| (offset + place, byte));
        pairs.any(|(place, byte)| RANDOM.contains(&place) && random[place - RANDOM.start] != *byte)
    }

    /// The next record with the header of DTLS 1.2.
    pub(super) fn frame12<'a>(&self, from: Role, reader: &mut Reader<'a>) -> Option<Framed<'a>> {
        Framed::parse(reader, self.connection_ids.len(from))
    }

    /// Which of the receiver's connection IDs this is.
    pub(super) fn connection_id(&mut self, from: Role, cid: &[u8]) -> u16 {
        self.connection_ids.number(from, cid)
    }

    /// Reads a record: its content type, what is inside, and where it belongs, if it is part of a flight.
    pub(super) fn record(
        &mut self,
        from: Role,
        header: &RecordHeader,
        cid: Option<&[u8]>,
        body: &[u8],
        keys: &KeyLog,
    ) -> (ContentType, Body, Option<Place>) {
        let outer = header.content_type;
        let (content_type, (body, place)) = match header.epoch {
            0 if outer == ContentType::APPLICATION_DATA => {
                (outer, (Body::Malformed("application data without protection".into()), None))
            }
            0 => (outer, self.plaintext(from, outer, body, keys)),
            1 => match &self.openers {
                Some(openers) => match openers.open(from, header, cid, body) {
                    Some((inner, plaintext)) => (inner, self.plaintext(from, inner, &plaintext, keys)),
                    None => (outer, (Body::Malformed("does not open with the logged keys".into()), None)),
                },
                None => (outer, self.sealed(from, header, cid, body)),
            },
            _ => (outer, (Body::Sealed { attempt: 0 }, None)),
        };
        (content_type, body, place)
    }

    /// Reads a record with the unified header of DTLS 1.3, if the next one is that.
    pub(super) fn protected13(
        &mut self,
        from: Role,
        reader: &mut Reader<'_>,
        keys: &KeyLog,
    ) -> Option<(Record, Option<Place>)> {
        let may_be = self.is_13 || (self.offers_early && from == Role::Client);
        if !may_be {
            return None;
        }
        let cid_len = self.connection_ids.len13(from, Reader::clone(reader).take_rest());
        // Records with and without may come after one another, though not in one datagram (RFC 9147 §4).
        let parse = |cid_len| {
            let mut rest = *reader;
            ProtectedRecord::parse(&mut rest, cid_len).ok().map(|record| (record, rest))
        };
        let (protected, rest) = parse(cid_len).or_else(|| parse(None))?;
        *reader = rest;
        if let (None, Some(random)) = (&self.openers13, self.client_random) {
            self.openers13 = Some(Openers13::new(random));
        }
        if let (Some(openers), Some(hello)) = (&mut self.openers13, self.server_hello) {
            openers.choose(hello.suite);
        }
        let opened = match &mut self.openers13 {
            Some(openers) => openers.open(from, protected, keys),
            None => Opened::NoKeys(2),
        };
        let (content_type, epoch, seq, (body, place)) = match opened {
            Opened::Plain(plain) => {
                let inside = self.plaintext(from, plain.content_type, &plain.content, keys);
                (plain.content_type.0, plain.number.epoch, plain.number.seq, inside)
            }
            Opened::NoKeys(epoch) => (0, epoch, 0, (Body::Sealed { attempt: 0 }, None)),
            Opened::Refused(epoch, error) => {
                let why = format!("does not open with the logged keys: {error:?}");
                (0, epoch, 0, (Body::Malformed(why), None))
            }
        };
        let record = Record {
            content_type,
            version: ProtocolVersion::DTLS1_3.0,
            epoch: u16::try_from(epoch).unwrap_or(u16::MAX),
            seq,
            length: u16::try_from(protected.body().len()).unwrap_or(u16::MAX),
            connection_id: protected.connection_id().map(|cid| self.connection_id(from, cid)),
            body,
        };
        Some((record, place))
    }

    /// Numbers a datagram within its transmission.
    pub(super) fn nth_datagram(&mut self, from: Role, place: Place) -> u32 {
        self.sent[from as usize].nth_datagram(place)
    }

    /// Derives the keys if everything for it is known now, and counts what could not be read before.
    pub(super) fn unlock(&mut self, keys: &KeyLog) {
        let (None, Some(client_random), Some(hello)) = (&self.openers, self.client_random, self.server_hello) else {
            return;
        };
        self.openers = keys.openers(&client_random, &hello.random, hello.suite);
        let Some(openers) = &self.openers else { return };
        for from in Role::BOTH {
            for (header, cid, body) in self.sent[from as usize].take_sealed() {
                let Some((ContentType::HANDSHAKE, plaintext)) = openers.open(from, &header, cid.as_deref(), &body)
                else {
                    continue;
                };
                for fragment in Fragments::new(&plaintext).map_while(Result::ok) {
                    self.sent[from as usize].fragment(&fragment);
                }
            }
        }
    }

    fn plaintext(
        &mut self,
        from: Role,
        content_type: ContentType,
        body: &[u8],
        keys: &KeyLog,
    ) -> (Body, Option<Place>) {
        match content_type {
            ContentType::HANDSHAKE => self.handshake(from, body, keys),
            ContentType::CHANGE_CIPHER_SPEC => match ChangeCipherSpec::parse(body) {
                Ok(_) => {
                    let attempt = self.sent[from as usize].change_cipher_spec();
                    (Body::ChangeCipherSpec { attempt }, Some(Place { flight: self.finished_flight(from), attempt }))
                }
                Err(error) => (Body::Malformed(format!("ChangeCipherSpec: {error}")), None),
            },
            ContentType::ALERT => match Alert::parse(body) {
                Ok(alert) => (Body::Alert { level: alert.level.0, description: alert.description.0 }, None),
                Err(error) => (Body::Malformed(format!("alert: {error}")), None),
            },
            ContentType::APPLICATION_DATA => (Body::ApplicationData(body.to_vec()), None),
            ContentType::ACK if self.is_13 => match Ack::parse(body) {
                Ok(ack) => (Body::Ack(ack.records), None),
                Err(error) => (Body::Malformed(format!("ACK: {error}")), None),
            },
            PATH_CHECK => match body {
                // The kind, and a cookie (RFC 9853 §4).
                [kind, cookie @ ..] if cookie.len() == 8 => (Body::PathCheck(*kind), None),
                _ => (Body::Malformed(format!("return routability check of {} bytes", body.len())), None),
            },
            other => (Body::Malformed(format!("content type {}", other.0)), None),
        }
    }

    /// A record is counted only if all of it can be read. An empty one is none (RFC 5246 §6.2.1).
    fn handshake(&mut self, from: Role, body: &[u8], keys: &KeyLog) -> (Body, Option<Place>) {
        let fragments = match Fragments::new(body).collect::<Result<Vec<_>, _>>() {
            Ok(fragments) if fragments.is_empty() => return (Body::Malformed("empty handshake record".into()), None),
            Ok(fragments) => fragments,
            Err(error) => return (Body::Malformed(format!("handshake fragment: {error}")), None),
        };
        let fragments: Vec<_> = fragments.iter().map(|fragment| self.fragment(from, fragment, keys)).collect();
        let places =
            fragments.iter().filter_map(|fragment| Some(Place { flight: fragment.flight?, attempt: fragment.attempt }));
        let place = places.reduce(Place::join);
        (Body::Handshake(fragments), place)
    }

    /// A record of epoch 1 without its key: a handshake record is taken for the Finished, the only message that a
    /// first handshake sends protected.
    ///
    /// What a record with a connection ID is cannot be seen; the first of an end is its Finished (RFC 9146 §3), and what
    /// comes later is taken for data.
    fn sealed(&mut self, from: Role, header: &RecordHeader, cid: Option<&[u8]>, body: &[u8]) -> (Body, Option<Place>) {
        let is_finished = match header.content_type {
            ContentType::TLS12_CID => header.seq == 0,
            content_type => content_type == ContentType::HANDSHAKE,
        };
        if !is_finished {
            return (Body::Sealed { attempt: 0 }, None);
        }
        let attempt = self.sent[from as usize].seal(*header, cid, body);
        (Body::Sealed { attempt }, Some(Place { flight: self.finished_flight(from), attempt }))
    }

    fn fragment(&mut self, from: Role, fragment: &wire::Fragment<'_>, keys: &KeyLog) -> Fragment {
        let header = &fragment.header;
        let counted = self.sent[from as usize].fragment(fragment);
        let mut message = Message::from_code(header.message_type.0);
        self.learn_hello(from, message, header.message_seq, keys);
        if message == Some(Message::ServerHello) && self.is_retry(header.message_seq) {
            message = Some(Message::HelloRetryRequest);
        }
        Fragment {
            message,
            code: header.message_type.0,
            message_seq: header.message_seq,
            length: header.length,
            offset: header.fragment_offset,
            len: header.fragment_length,
            flight: self.flight(from, message, header.message_seq),
            nth: counted.nth,
            attempt: counted.attempt,
            changed: counted.changed,
        }
    }

    /// Takes randoms and suite from hellos, as soon as the fragments so far hold them.
    fn learn_hello(&mut self, from: Role, message: Option<Message>, message_seq: u16, keys: &KeyLog) {
        match (from, message) {
            (Role::Client, Some(Message::ClientHello)) => {
                let hello = self.sent[from as usize].prefix(message_seq, CLIENT_HELLO);
                self.client_random = random(hello).or(self.client_random);
                if let Ok(hello) = wire::ClientHello::parse(hello) {
                    self.offers_early = hello.extensions.early_data().unwrap_or(false);
                    self.connection_ids.learn(Role::Client, &hello.extensions);
                }
            }
            (Role::Server, Some(Message::ServerHello)) => {
                let hello = self.sent[from as usize].prefix(message_seq, SERVER_HELLO);
                self.is_13 |= chooses_13(hello);
                if !self.is_retry(message_seq) {
                    self.server_hello = self.server_hello.or_else(|| server_hello(hello));
                    // Its extensions may come in a later fragment than its random and suite.
                    if let Ok(hello) = wire::ServerHello::parse(hello) {
                        self.connection_ids.learn(Role::Server, &hello.extensions);
                    }
                }
            }
            (_, Some(Message::NewConnectionId)) => {
                let message = self.sent[from as usize].prefix(message_seq, NEW_CONNECTION_ID);
                if let Ok(message) = wire::NewConnectionId::parse(message) {
                    self.connection_ids.learn_new(from, &message);
                }
                return;
            }
            (
                Role::Server,
                Some(
                    Message::Certificate
                    | Message::ServerKeyExchange
                    | Message::CertificateRequest
                    | Message::ServerHelloDone,
                ),
            )
            | (Role::Client, Some(Message::Certificate | Message::ClientKeyExchange)) => self.full = true,
            _ => return,
        }
        self.unlock(keys);
    }

    /// Whether what has the type of a ServerHello is a HelloRetryRequest (RFC 8446 §4.1.3).
    fn is_retry(&self, message_seq: u16) -> bool {
        random(self.sent[Role::Server as usize].prefix(message_seq, SERVER_HELLO)) == Some(HELLO_RETRY_RANDOM)
    }

    /// The flight of a message, RFC 6347 §4.2.4 figures 1 and 2. In an abbreviated handshake the server's Finished comes
    /// with its ServerHello in flight 4, and the client's, the last, is flight 5. Of DTLS 1.3 by its place in the full
    /// handshake, in which the client's Finished is answered with an ACK (RFC 9147 §5.7, figures 6 and 7).
    fn flight(&self, from: Role, message: Option<Message>, message_seq: u16) -> Option<u8> {
        Some(match (from, message) {
            (
                _,
                Some(
                    Message::HelloRequest
                    | Message::KeyUpdate
                    | Message::RequestConnectionId
                    | Message::NewConnectionId,
                ),
            ) => return None,
            (_, Some(Message::NewSessionTicket)) if self.is_13 => return None,
            (Role::Server, Some(Message::HelloRetryRequest)) => 2,
            // Its cookie is in an extension, and there may be none.
            (Role::Client, Some(Message::ClientHello)) if self.is_13 => {
                if message_seq > 0 {
                    3
                } else {
                    1
                }
            }
            (Role::Server, _) if self.is_13 => 4,
            (Role::Client, Some(Message::ClientHello)) => {
                let cookie = cookie_len(self.sent[from as usize].prefix(message_seq, CLIENT_HELLO));
                // A fragment too short to show its cookie is told by its place in the handshake.
                let has_cookie = cookie.map_or(message_seq > 0, |len| len > 0);
                if has_cookie { 3 } else { 1 }
            }
            (Role::Server, Some(Message::HelloVerifyRequest)) => 2,
            (Role::Server, Some(Message::NewSessionTicket | Message::Finished)) => self.finished_flight(from),
            (Role::Server, _) => 4,
            (Role::Client, _) => 5,
        })
    }

    /// The flight with the Finished of this end.
    fn finished_flight(&self, from: Role) -> u8 {
        match from {
            Role::Client => 5,
            Role::Server if self.full => 6,
            Role::Server => 4,
        }
    }
}

fn random(hello: &[u8]) -> Option<[u8; 32]> {
    hello.get(RANDOM)?.try_into().ok()
}

/// Whether a whole ServerHello or HelloRetryRequest selects DTLS 1.3 (RFC 8446 §4.2.1).
fn chooses_13(hello: &[u8]) -> bool {
    let hello = wire::ServerHello::parse(hello);
    hello.is_ok_and(|hello| hello.extensions.selected_version() == Ok(Some(ProtocolVersion::DTLS1_3)))
}

/// Length of the cookie of a ClientHello, as far as its begin shows it.
fn cookie_len(client_hello: &[u8]) -> Option<u8> {
    let session_id_len = usize::from(*client_hello.get(RANDOM.end)?);
    client_hello.get(RANDOM.end + 1 + session_id_len).copied()
}

fn server_hello(hello: &[u8]) -> Option<ServerHello> {
    let session_id_len = usize::from(*hello.get(RANDOM.end)?);
    let suite = hello.get(RANDOM.end + 1 + session_id_len..)?.first_chunk()?;
    Some(ServerHello { random: random(hello)?, suite: u16::from_be_bytes(*suite) })
}

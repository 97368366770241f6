//! One association: from records to messages, flights and transmissions, and through the protection if keys are known.

use super::direction::{Direction, FragmentHeader, split_fragment};
use super::keys::{KeyLog, Openers};
use super::{Body, Fragment, Header, Message, Place};
use crate::endpoint::Role;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// Where the random lies in both hellos: after the version.
const RANDOM: std::ops::Range<usize> = 2..34;

/// Everything known of one association.
#[derive(Debug, Default)]
pub(super) struct Association {
    sent: [Direction; 2],
    client_random: Option<[u8; 32]>,
    server_hello: Option<ServerHello>,
    openers: Option<Openers>,
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
    pub(super) fn is_ended_by(&self, from: Role, header: &Header, body: &[u8]) -> bool {
        let Some(random) = self.client_random else { return false };
        if (from, header.content_type, header.epoch) != (Role::Client, HANDSHAKE, 0) {
            return false;
        }
        let Ok((fragment, bytes, _)) = split_fragment(body) else { return false };
        if (fragment.code, fragment.message_seq) != (1, 0) {
            return false;
        }
        // Compare the bytes of the random that this fragment has.
        let offset = fragment.offset as usize;
        let mut pairs = bytes.iter().enumerate().map(|(place, byte)| (offset + place, byte));
        pairs.any(|(place, byte)| RANDOM.contains(&place) && random[place - RANDOM.start] != *byte)
    }

    /// Reads a record and says where it belongs, if it is part of a flight.
    pub(super) fn record(&mut self, from: Role, header: &Header, body: &[u8], keys: &KeyLog) -> (Body, Option<Place>) {
        match header.epoch {
            0 if header.content_type == APPLICATION_DATA => {
                (Body::Malformed("application data without protection".into()), None)
            }
            0 => self.plaintext(from, header.content_type, body, keys),
            1 => match &self.openers {
                Some(openers) => match openers.open(from, header, body) {
                    Some(plaintext) => self.plaintext(from, header.content_type, &plaintext, keys),
                    None => (Body::Malformed("does not open with the logged keys".into()), None),
                },
                None => self.sealed(from, header, body),
            },
            _ => (Body::Sealed { attempt: 0 }, None),
        }
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
            for (header, body) in self.sent[from as usize].take_sealed() {
                let Some(plaintext) = openers.open(from, &header, &body) else { continue };
                for (fragment, bytes) in split_fragments(&plaintext).unwrap_or_default() {
                    self.sent[from as usize].fragment(&fragment, bytes);
                }
            }
        }
    }

    fn plaintext(&mut self, from: Role, content_type: u8, body: &[u8], keys: &KeyLog) -> (Body, Option<Place>) {
        match content_type {
            HANDSHAKE => match split_fragments(body) {
                Ok(fragments) => {
                    let fragments: Vec<_> = fragments
                        .into_iter()
                        .map(|(header, bytes)| self.fragment(from, &header, bytes, keys))
                        .collect();
                    let places = fragments
                        .iter()
                        .filter_map(|fragment| Some(Place { flight: fragment.flight?, attempt: fragment.attempt }));
                    let place = places.reduce(Place::join);
                    (Body::Handshake(fragments), place)
                }
                Err(what) => (Body::Malformed(what), None),
            },
            CHANGE_CIPHER_SPEC if body == [1] => {
                let attempt = self.sent[from as usize].change_cipher_spec();
                (Body::ChangeCipherSpec { attempt }, Some(Place { flight: self.finished_flight(from), attempt }))
            }
            CHANGE_CIPHER_SPEC => (Body::Malformed("ChangeCipherSpec that is not one byte 1".into()), None),
            ALERT => match *body {
                [level, description] => (Body::Alert { level, description }, None),
                _ => (Body::Malformed(format!("alert of {} bytes", body.len())), None),
            },
            APPLICATION_DATA => (Body::ApplicationData(body.to_vec()), None),
            other => (Body::Malformed(format!("content type {other}")), None),
        }
    }

    /// A record of epoch 1 without its key: a handshake record is taken for the Finished, the only message that a
    /// first handshake sends protected.
    fn sealed(&mut self, from: Role, header: &Header, body: &[u8]) -> (Body, Option<Place>) {
        if header.content_type != HANDSHAKE {
            return (Body::Sealed { attempt: 0 }, None);
        }
        let attempt = self.sent[from as usize].seal(*header, body);
        (Body::Sealed { attempt }, Some(Place { flight: self.finished_flight(from), attempt }))
    }

    fn fragment(&mut self, from: Role, header: &FragmentHeader, bytes: &[u8], keys: &KeyLog) -> Fragment {
        let counted = self.sent[from as usize].fragment(header, bytes);
        let message = Message::from_code(header.code);
        self.learn_hello(from, message, header.message_seq, keys);
        Fragment {
            message,
            code: header.code,
            message_seq: header.message_seq,
            length: header.length,
            offset: header.offset,
            len: header.len,
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
                let hello = self.sent[from as usize].prefix(message_seq, 1);
                self.client_random = random(hello).or(self.client_random);
            }
            (Role::Server, Some(Message::ServerHello)) if self.server_hello.is_none() => {
                self.server_hello = server_hello(self.sent[from as usize].prefix(message_seq, 2));
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

    /// The flight of a message, RFC 6347 §4.2.4 figures 1 and 2.
    fn flight(&self, from: Role, message: Option<Message>, message_seq: u16) -> Option<u8> {
        Some(match (from, message) {
            (_, Some(Message::HelloRequest)) => return None,
            (Role::Client, Some(Message::ClientHello)) => {
                let cookie = cookie_len(self.sent[from as usize].prefix(message_seq, 1));
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

/// All fragments in the body of a handshake record.
fn split_fragments(mut body: &[u8]) -> Result<Vec<(FragmentHeader, &[u8])>, String> {
    let mut fragments = Vec::new();
    while !body.is_empty() || fragments.is_empty() {
        let (header, bytes, rest) = split_fragment(body)?;
        fragments.push((header, bytes));
        body = rest;
    }
    Ok(fragments)
}

fn random(hello: &[u8]) -> Option<[u8; 32]> {
    hello.get(RANDOM)?.try_into().ok()
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

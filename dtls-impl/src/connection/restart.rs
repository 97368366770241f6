//! A client that has lost its state begins anew from the same address (RFC 6347 §4.2.8, RFC 9147 §5.11).
//!
//! A ClientHello in epoch 0 proves nothing, so an established server treats one as a server that knows nobody: it answers
//! without state, and the association stays as it is. Only a hello with a valid cookie starts a handshake, beside the
//! association, and only the client's Finished puts the one in the other's place. Until then the application's data goes
//! over the old keys in both directions, and a handshake that fails leaves nothing behind. At most two connections are
//! here beside the established one, whatever arrives: one that listens and may hold pieces of a hello, and one that shakes
//! hands, which the next hello with a valid cookie replaces.
//!
//! Without cookies nothing would tell a client from a forger, so such hellos are ignored. Also ignored is the hello that
//! the association itself began with, however often the network or an attacker repeats it: one association, one random.

use std::sync::Arc;

use super::Connection;
use crate::config::{Cookies, ServerConfig};
use crate::entropy::{Entropy, Seed};
use crate::error::Error;
use crate::event::{Event, Output};
use crate::mutation::Mutation;
use crate::time::Instant;
use crate::wire::{
    AlertDescription, ContentType, Fragment, Fragments, HandshakeType, ProtocolVersion, RANDOM_LEN, Reader, Records,
};

/// What a server has for clients that begin anew.
#[derive(Debug)]
pub(super) struct Restart {
    config: Arc<ServerConfig>,
    /// For the next connection and all after it.
    seed: Seed,
    /// The client's random in the hello that came last while nothing was accepted, and so in the one that was.
    random: Option<[u8; RANDOM_LEN]>,
    /// Answers hellos without state. Kept while it has pieces of one.
    listening: Option<Box<Connection>>,
    /// Has accepted a hello.
    shaking: Option<Box<Connection>>,
    /// When `shaking` wants to be called.
    wake: Option<Instant>,
    /// What the path takes, if the application has said so.
    mtu: Option<usize>,
}

/// What epoch 0 a datagram begins with.
enum Plain {
    /// A ClientHello, or its first piece.
    Hello([u8; RANDOM_LEN]),
    /// Another piece of a ClientHello.
    HelloPiece,
    Other,
}

impl Restart {
    /// None without cookies. What `seed` gives otherwise does not change.
    pub(super) fn new(config: &Arc<ServerConfig>, seed: &Seed) -> Option<Box<Self>> {
        let Cookies::Required { .. } = config.cookies else { return None };
        let seed = Seed(Entropy::beside(seed).array());
        let config = Arc::clone(config);
        Some(Box::new(Self { config, seed, random: None, listening: None, shaking: None, wake: None, mtu: None }))
    }

    /// A server like the first, for the client at the same address.
    fn listen(&mut self, peer_address: &[u8], now: Instant) -> Box<Connection> {
        let mut entropy = Entropy::new(&self.seed);
        self.seed = Seed(entropy.array());
        let seed = Seed(entropy.array());
        let mut connection = Connection::new_server(Arc::clone(&self.config), peer_address, &seed, now);
        if let Some(mtu) = self.mtu {
            // It was good for the connection before.
            let _ = connection.set_mtu(mtu);
        }
        Box::new(connection)
    }

    fn is_of_shaking(&self, random: [u8; RANDOM_LEN]) -> bool {
        let restart = self.shaking.as_ref().and_then(|shaking| shaking.restart.as_ref());
        restart.is_some_and(|restart| restart.random == Some(random))
    }
}

impl Connection {
    /// Takes a datagram that has to do with a client that begins anew. False if it is the association's own, or of no
    /// use.
    pub(super) fn on_restart(&mut self, now: Instant, from: Option<&[u8]>, datagram: &[u8]) -> bool {
        if self.restart.is_none() {
            return false;
        }
        if !self.is_established() {
            if self.is_listening() {
                self.note_hello(datagram);
            }
            return false;
        }
        let Some(restart) = &self.restart else { return false };
        let Some(plain) = read_plain(datagram) else {
            // Protected, or junk. RFC 9147 §5.11: only the keys tell whose it is.
            if restart.shaking.is_none() || self.can_open(datagram) {
                return false;
            }
            self.shake(|shaking| shaking.handle(now, from, datagram));
            return true;
        };
        // RFC 9146 §3: without a connection ID the address says whose it is.
        let peer = self.peer_address().unwrap_or_default().to_vec();
        if from.is_some_and(|from| from != peer) {
            return false;
        }
        let to_listening = match plain {
            Plain::Hello(random) if restart.random == Some(random) => return false,
            Plain::Hello(random) => !restart.is_of_shaking(random),
            Plain::HelloPiece => restart.listening.is_some() || restart.shaking.is_none(),
            Plain::Other if restart.shaking.is_none() => return false,
            Plain::Other => false,
        };
        if to_listening {
            self.listen(now, &peer, datagram);
        } else {
            self.shake(|shaking| shaking.handle(now, from, datagram));
        }
        true
    }

    /// Remembers which hello may be the one to be accepted.
    fn note_hello(&mut self, datagram: &[u8]) {
        if let (Some(restart), Some(Plain::Hello(random))) = (&mut self.restart, read_plain(datagram)) {
            restart.random = Some(random);
        }
    }

    /// A hello, or a piece of one, for a server that knows nobody.
    fn listen(&mut self, now: Instant, peer: &[u8], datagram: &[u8]) {
        let Some(restart) = &mut self.restart else { return };
        let mut listening = restart.listening.take().unwrap_or_else(|| restart.listen(peer, now));
        if restart.config.common.mutated().by(Mutation::AbandonOnHello) {
            (self.engine, self.or_12, self.restart) = (listening.engine, listening.or_12, listening.restart);
            return self.handle(now, None, datagram);
        }
        listening.handle(now, None, datagram);
        if !listening.is_listening() {
            restart.shaking = Some(listening);
            return self.shake(|_| {});
        }
        // Whoever takes in a piece says nothing. After an answer, or junk, there is nothing to keep.
        let said = self.outputs.len();
        while let output @ (Output::Datagram(_) | Output::Event(_)) = listening.poll_output() {
            self.outputs.push_back(output);
        }
        if self.outputs.len() == said {
            restart.listening = Some(listening);
        }
    }

    /// Has the handshake do something, and sees what has become of it.
    pub(super) fn shake(&mut self, act: impl FnOnce(&mut Self)) {
        let Some(restart) = &mut self.restart else { return };
        let Some(mut shaking) = restart.shaking.take() else { return };
        restart.wake = None;
        act(&mut shaking);
        if shaking.is_established() {
            return self.give_way(*shaking);
        }
        loop {
            match shaking.poll_output() {
                Output::WakeAt(at) => break restart.wake = Some(at),
                Output::Idle => break,
                Output::Event(Event::Failed(error)) => return self.give_up(error),
                // Before it was established: as good as any other alert.
                Output::Event(Event::PeerClosed) => {
                    return self.give_up(Error::AlertReceived(AlertDescription::CLOSE_NOTIFY));
                }
                output => self.outputs.push_back(output),
            }
        }
        restart.shaking = Some(shaking);
    }

    /// The client that began anew has proved itself: the association before is abandoned.
    fn give_way(&mut self, next: Self) {
        while let output @ (Output::Datagram(_) | Output::DatagramTo { .. } | Output::Event(_)) = self.poll_engine() {
            self.outputs.push_back(output);
        }
        self.outputs.push_back(Output::Event(Event::Restarted));
        if !self.connection_ids().is_empty() {
            self.outputs.push_back(Output::Event(Event::ConnectionIds));
        }
        (self.engine, self.or_12, self.restart) = (next.engine, None, next.restart);
        self.outputs.extend(next.outputs);
    }

    fn give_up(&mut self, error: Error) {
        self.outputs.push_back(Output::Event(Event::RestartFailed(error)));
    }

    /// Time has passed.
    pub(super) fn restart_on_timeout(&mut self, now: Instant) {
        if !self.is_established() {
            return self.forget_restart();
        }
        self.shake(|shaking| shaking.handle_timeout(now));
    }

    /// The association ends, and with it what was to replace it.
    pub(super) fn forget_restart(&mut self) {
        if let Some(restart) = &mut self.restart {
            (restart.listening, restart.shaking, restart.wake) = (None, None, None);
        }
    }

    /// The path takes so much from now on, whoever is at its other end.
    pub(super) fn restart_set_mtu(&mut self, mtu: usize) {
        if let Some(restart) = &mut self.restart {
            restart.mtu = Some(mtu);
            for connection in restart.listening.iter_mut().chain(&mut restart.shaking) {
                let _ = connection.set_mtu(mtu);
            }
        }
    }

    /// When the handshake wants to be called.
    pub(super) fn restart_wake(&self) -> Option<Instant> {
        self.restart.as_ref()?.wake
    }

    /// Whether a datagram carries a connection ID of the handshake.
    pub(super) fn restart_owns(&self, datagram: &[u8]) -> bool {
        let shaking = self.restart.as_ref().and_then(|restart| restart.shaking.as_ref());
        shaking.is_some_and(|shaking| shaking.owns(datagram))
    }
}

/// What a datagram begins with, if with a record of epoch 0.
fn read_plain(datagram: &[u8]) -> Option<Plain> {
    let record = Records::new(datagram).next()?.ok()?;
    let is_dtls = record.header.version.0 >> 8 == ProtocolVersion::DTLS1_2.0 >> 8;
    let plain = [
        ContentType::CHANGE_CIPHER_SPEC,
        ContentType::ALERT,
        ContentType::HANDSHAKE,
        ContentType::APPLICATION_DATA,
        ContentType::ACK,
    ];
    if record.header.epoch != 0 || !is_dtls || !plain.contains(&record.header.content_type) {
        return None;
    }
    if record.header.content_type != ContentType::HANDSHAKE {
        return Some(Plain::Other);
    }
    let Some(Ok(fragment)) = Fragments::new(record.body).next() else { return Some(Plain::Other) };
    Some(match (fragment.header.message_type, fragment.header.fragment_offset) {
        (HandshakeType::CLIENT_HELLO, 0) => random_of(&fragment).map_or(Plain::Other, Plain::Hello),
        (HandshakeType::CLIENT_HELLO, _) => Plain::HelloPiece,
        _ => Plain::Other,
    })
}

/// The client's random, which comes second, after the version.
fn random_of(hello: &Fragment<'_>) -> Option<[u8; RANDOM_LEN]> {
    let mut r = Reader::new(hello.body);
    r.u16().ok()?;
    r.array().ok()
}

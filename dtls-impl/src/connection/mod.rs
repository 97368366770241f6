//! One association, client or server: the public face of the crate.
//!
//! Chooses the version and hands everything to the association of that version.

mod restart;
mod v12;
mod v13;

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use rustls_pki_types::ServerName;

use self::restart::Restart;
use self::v12::Connection12;
use self::v13::Connection13;
use crate::config::{ClientConfig, ClientCredentials, MTU_MAX, MTU_MIN, ServerConfig, Versions};
use crate::entropy::Seed;
use crate::error::{Error, Misuse};
use crate::event::Output;
use crate::negotiated::Negotiated;
use crate::session::ClientSession;
use crate::time::Instant;
use crate::wire::{
    Alert, AlertDescription, AlertLevel, AnyRecord, AnyRecords, CertificateType, ClientHello, ConnectionIdUsage,
    ContentType, ExtensionType, Fragments, HANDSHAKE_HEADER_LEN, HandshakeHeader, HandshakeType, ProtocolVersion,
    RecordHeader, Records, ServerHello,
};

/// One end of one DTLS association.
///
/// After each call that takes `now`, call [`poll_output`](Self::poll_output) until it gives [`Output::WakeAt`] or
/// [`Output::Idle`]. `now` never goes backwards.
#[derive(Debug)]
pub struct Connection {
    engine: Engine,
    /// What a server of both versions still is, too, until it has accepted a ClientHello.
    or_12: Option<Box<Connection12>>,
    /// For clients that begin anew, in a server with cookies.
    restart: Option<Box<Restart>>,
    /// What is to be polled before all else.
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum Engine {
    V12(Box<Connection12>),
    V13(Box<Connection13>),
}

/// Calls the same method on whichever association there is.
macro_rules! on_either {
    ($engine:expr, $connection:ident => $call:expr) => {
        match $engine {
            Engine::V12($connection) => $call,
            Engine::V13($connection) => $call,
        }
    };
}

impl Connection {
    /// A client, which has its first flight ready. `server_name` goes into server_name if it is a DNS name, and is what
    /// the certificate is checked for; it may be absent with PSKs and raw public keys only.
    ///
    /// Fails with [`Error::Misuse`] if the configuration cannot work or the name is missing or no name, and with
    /// [`Error::Crypto`] if no key share can be made.
    pub fn client(
        config: Arc<ClientConfig>,
        server_name: Option<&str>,
        seed: Seed,
        now: Instant,
    ) -> Result<Self, Error> {
        Self::new_client(config, server_name, None, &seed, now)
    }

    /// A client that offers to resume a session, and does a full handshake if the server will not. Fails with
    /// [`Misuse::SessionNotUsable`] if the session was with another server name, is no longer fresh, or has a version or
    /// suite that the configuration does not have.
    pub fn resume(
        config: Arc<ClientConfig>,
        server_name: Option<&str>,
        session: ClientSession,
        seed: Seed,
        now: Instant,
    ) -> Result<Self, Error> {
        Self::new_client(config, server_name, Some(session), &seed, now)
    }

    fn new_client(
        config: Arc<ClientConfig>,
        server_name: Option<&str>,
        session: Option<ClientSession>,
        seed: &Seed,
        now: Instant,
    ) -> Result<Self, Error> {
        config.check()?;
        let server_name = server_name.map(|name| ServerName::try_from(name.to_owned()));
        let server_name = server_name.transpose().map_err(|_| Misuse::BadServerName)?;
        let by_certificate = matches!(config.credentials, ClientCredentials::Certificate { .. });
        let needs_name = by_certificate && config.credentials.server_type() == CertificateType::X509;
        if server_name.is_none() && needs_name {
            return Err(Misuse::BadServerName.into());
        }
        let engine = match config.common.versions {
            Versions::Dtls12 => Engine::V12(Box::new(Connection12::client(config, server_name, session, seed, now)?)),
            Versions::Dtls13 | Versions::Both => {
                Engine::V13(Box::new(Connection13::client(config, server_name, session, seed, now)?))
            }
        };
        Ok(Self { engine, or_12: None, restart: None, outputs: VecDeque::new() })
    }

    /// A server for the peer at `peer_address`, any bytes that name it: cookies are bound to them. Until the client has
    /// shown a valid cookie nothing of it is remembered. Fails with [`Error::Misuse`] if the configuration cannot work.
    pub fn server(config: Arc<ServerConfig>, peer_address: &[u8], seed: Seed, now: Instant) -> Result<Self, Error> {
        config.check()?;
        Ok(Self::new_server(config, peer_address, &seed, now))
    }

    fn new_server(config: Arc<ServerConfig>, peer_address: &[u8], seed: &Seed, now: Instant) -> Self {
        let restart = Restart::new(&config, seed);
        let versions = config.common.versions;
        let v12 = |config| Box::new(Connection12::server(config, peer_address, seed, now));
        let v13 = |config| Engine::V13(Box::new(Connection13::server(config, peer_address, seed, now)));
        let (engine, or_12) = match versions {
            Versions::Dtls12 => (Engine::V12(v12(config)), None),
            Versions::Dtls13 => (v13(config), None),
            Versions::Both => (v13(Arc::clone(&config)), Some(v12(config))),
        };
        Self { engine, or_12, restart, outputs: VecDeque::new() }
    }

    /// Whether this is a server that has accepted no ClientHello yet. It then remembers nothing of a peer but, at most,
    /// pieces of one hello: whoever owns the socket can drop it and loses nothing but those.
    pub fn is_listening(&self) -> bool {
        on_either!(&self.engine, connection => connection.is_listening())
            && self.or_12.as_ref().is_none_or(|v12| v12.is_listening())
    }

    /// Takes a datagram of the peer. Nothing in it can be wrong enough for an error: bad bytes are dropped with
    /// [`Event::Discarded`](crate::Event::Discarded), a bad handshake ends in [`Event::Failed`](crate::Event::Failed).
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        self.handle(now, None, datagram);
    }

    /// As [`handle_datagram`](Self::handle_datagram), with the address that the datagram came from. From another than the
    /// peer's only records count that carry our connection ID. What they mean for the address is up to
    /// [`return_routability`](crate::config::Common::return_routability) and
    /// [`peer_move`](crate::config::Common::peer_move), once the handshake is complete; until then all answers go to the
    /// old address, and in DTLS 1.2, where handshakes are in the clear, nothing else counts (RFC 9146 §3, §6). A client that wants this names the peer's address first: [`set_peer_address`](Self::set_peer_address).
    pub fn handle_datagram_from(&mut self, now: Instant, from: &[u8], datagram: &[u8]) {
        self.handle(now, Some(from), datagram);
    }

    fn handle(&mut self, now: Instant, from: Option<&[u8]>, datagram: &[u8]) {
        if self.on_restart(now, from, datagram) {
            return;
        }
        if let Engine::V13(v13) = &mut self.engine
            && answers_as_12(datagram)
            && let Some(v12) = v13.become_12(now)
        {
            self.engine = Engine::V12(Box::new(v12));
        }
        match &mut self.or_12 {
            Some(v12) if !offers_13(datagram) => {
                v12.handle_datagram(now, from, datagram);
                if !v12.is_listening()
                    && let Some(v12) = self.or_12.take()
                {
                    self.engine = Engine::V12(v12);
                }
            }
            _ => {
                on_either!(&mut self.engine, connection => connection.handle_datagram(now, from, datagram));
                if matches!(&self.engine, Engine::V13(v13) if !v13.is_listening()) {
                    self.or_12 = None;
                }
            }
        }
    }

    /// Time has come to the last [`Output::WakeAt`]; earlier calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        on_either!(&mut self.engine, connection => connection.handle_timeout(now));
        self.restart_on_timeout(now);
    }

    /// The next piece of output.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        match (self.poll_engine(), self.restart_wake()) {
            (Output::WakeAt(at), Some(restart)) => Output::WakeAt(at.min(restart)),
            (Output::Idle, Some(restart)) => Output::WakeAt(restart),
            (output, _) => output,
        }
    }

    fn is_established(&self) -> bool {
        on_either!(&self.engine, connection => connection.is_established())
    }

    /// Whether a datagram begins with a protected record of the association, new or not. Nothing changes.
    fn can_open(&self, datagram: &[u8]) -> bool {
        on_either!(&self.engine, connection => connection.can_open(datagram))
    }

    fn poll_engine(&mut self) -> Output {
        match self.or_12.as_mut().map(|v12| v12.poll_output()) {
            None | Some(Output::WakeAt(_) | Output::Idle) => {
                on_either!(&mut self.engine, connection => connection.poll_output())
            }
            Some(output) => output,
        }
    }

    /// Sends application data as one record in one datagram. Fails with [`Misuse::DataTooLarge`] if it is longer than
    /// [`data_len_max`](Self::data_len_max), with [`Misuse::NotEstablished`] before the handshake is complete, with
    /// [`Misuse::Closed`] after the end, and with [`Error::SequenceExhausted`], which is the end.
    pub fn send(&mut self, now: Instant, data: &[u8]) -> Result<(), Error> {
        on_either!(&mut self.engine, connection => connection.send(now, data))
    }

    /// Sends early data (RFC 8446 §2.3) as one record: before the connection is established, by a client that resumes a
    /// DTLS 1.3 session whose server takes early data, if the configuration allows it. There is no promise that the
    /// server gets it, and it may get it more than once. It is not sent again:
    /// [`Event::EarlyDataRejected`](crate::Event::EarlyDataRejected) says when it has to be.
    ///
    /// Fails with [`Misuse::NoEarlyData`] in any other case, with [`Misuse::DataTooLarge`] for more than a datagram takes,
    /// with [`Misuse::TooMuchEarlyData`] for more than the server takes together, and with [`Misuse::Closed`] after the end.
    pub fn send_early(&mut self, now: Instant, data: &[u8]) -> Result<(), Error> {
        match &mut self.engine {
            Engine::V13(connection) => connection.send_early(now, data),
            Engine::V12(_) => Err(Misuse::NoEarlyData.into()),
        }
    }

    /// Most application data that [`send`](Self::send) takes at once: the MTU less what protection adds (RFC 6347
    /// §4.1.1.1).
    pub fn data_len_max(&self) -> usize {
        on_either!(&self.engine, connection => connection.data_len_max())
    }

    /// Says what the path takes from now on, in bytes of UDP payload, where the caller discovers that itself (RFC 8899). It
    /// replaces [`Common::mtu`](crate::config::Common::mtu) and whatever was learned since. Fails with
    /// [`Misuse::BadMtu`] outside 256 to 65507.
    pub fn set_mtu(&mut self, mtu: usize) -> Result<(), Error> {
        if !(MTU_MIN..=MTU_MAX).contains(&mtu) {
            return Err(Misuse::BadMtu.into());
        }
        if let Some(v12) = &mut self.or_12 {
            v12.set_mtu(mtu);
        }
        on_either!(&mut self.engine, connection => connection.set_mtu(mtu));
        self.restart_set_mtu(mtu);
        Ok(())
    }

    /// The network says that a datagram was too large, and that the path takes UDP payloads of at most `mtu` bytes: an ICMP
    /// "fragmentation needed" or "packet too big", or a send call that failed. A flight that did not fit is sent again at
    /// once in smaller datagrams (RFC 9147 §4.4). Nothing becomes larger by it, and as anyone can forge such messages, less
    /// than 548 bytes, with which every host of IPv4 copes, is not believed; over IPv6 the caller should not pass on less
    /// than 1232.
    pub fn datagram_too_big(&mut self, now: Instant, mtu: usize) {
        if let Some(v12) = &mut self.or_12 {
            v12.datagram_too_big(now, mtu);
        }
        on_either!(&mut self.engine, connection => connection.datagram_too_big(now, mtu));
        self.shake(|shaking| shaking.datagram_too_big(now, mtu));
    }

    /// The round trip time of flights and their answers, smoothed as RFC 6298 §2 does, as soon as one was measured. Good as a
    /// hint to the next connection to the same peer: [`AdaptiveTimer`](crate::config::AdaptiveTimer).
    pub fn rtt(&self) -> Option<Duration> {
        on_either!(&self.engine, connection => connection.rtt())
    }

    /// What was agreed on, and with whom, while the association is established.
    pub fn negotiated(&self) -> Option<Negotiated> {
        on_either!(&self.engine, connection => connection.negotiated())
    }

    /// The peer's address: what a server was made with, or what was named or moved to since. None for a client that was
    /// not told: then all datagrams count as the peer's.
    pub fn peer_address(&self) -> Option<&[u8]> {
        on_either!(&self.engine, connection => connection.peer_address())
    }

    /// Names the peer's address: to a client at first, and to either side when it is to send to another address from now
    /// on, or over another path, if addresses name the own end, too. The path before is then no longer the one to use,
    /// and a peer that asks there is told so (RFC 9853 §5.2). DTLS 1.3 goes over to a spare connection ID of the peer, if
    /// there is one (RFC 9147 §9). A check in progress ends.
    pub fn set_peer_address(&mut self, address: &[u8]) {
        if let Some(v12) = &mut self.or_12 {
            v12.set_peer_address(address);
        }
        on_either!(&mut self.engine, connection => connection.set_peer_address(address));
    }

    /// The connection IDs that datagrams to this connection may carry, oldest first: by them the owner of a socket knows
    /// which connection a datagram from an unknown address is for. [`Event::ConnectionIds`](crate::Event::ConnectionIds)
    /// tells of changes.
    pub fn connection_ids(&self) -> Vec<&[u8]> {
        on_either!(&self.engine, connection => connection.ids()).own().collect()
    }

    /// Whether a datagram carries a connection ID of this connection.
    pub fn owns(&self, datagram: &[u8]) -> bool {
        let ids = on_either!(&self.engine, connection => connection.ids());
        let Some(cid_len) = ids.own_len() else { return self.restart_owns(datagram) };
        let mut records = AnyRecords::new(datagram, Some(cid_len));
        let any = records.any(|record| match record {
            Ok(AnyRecord::Plain(record)) => ids.is_own(record.connection_id),
            Ok(AnyRecord::Protected(record)) => record.connection_id().is_some_and(|cid| ids.is_own(cid)),
            Err(_) => false,
        });
        any || self.restart_owns(datagram)
    }

    /// Ends the association with close_notify (RFC 5246 §7.2.1). What arrives after it is dropped.
    pub fn close(&mut self, now: Instant) {
        self.or_12 = None;
        self.forget_restart();
        on_either!(&mut self.engine, connection => connection.close(now));
    }

    /// Fills `out` with keying material for the application (RFC 5705, RFC 8446 §7.5). In DTLS 1.2 an empty context
    /// differs from none. Fails with [`Misuse::NotEstablished`] or [`Misuse::Closed`] if the association is not
    /// established, and with [`Misuse::ContextTooLong`].
    pub fn export_keying_material(&self, label: &[u8], context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        on_either!(&self.engine, connection => connection.export(label, context, out))
    }

    /// Updates the keys this side writes with, and asks the peer to update its, if `request_peer` (RFC 9147 §8). Fails with
    /// [`Misuse::NotNegotiable`] in DTLS 1.2, and with [`Misuse::NotEstablished`] or [`Misuse::Closed`].
    pub fn update_keys(&mut self, now: Instant, request_peer: bool) -> Result<(), Error> {
        match &mut self.engine {
            Engine::V13(connection) => connection.update_keys(now, request_peer),
            Engine::V12(_) => Err(Misuse::NotNegotiable.into()),
        }
    }

    /// Gives the peer `count` new connection IDs for its records to this side (RFC 9147 §9), to use from now on or as
    /// spares when it takes another path. They are random, and as long as those that were negotiated.
    /// [`Event::ConnectionIds`](crate::Event::ConnectionIds) tells when they count, which is before they are sent: one
    /// message is under way at a time. Those that immediate ones replace count until four minutes after the peer knows.
    ///
    /// Fails with [`Misuse::NoConnectionIds`] if the peer was not told of a connection ID in the handshake, with
    /// [`Misuse::BadConnectionIdCount`] if `count` is zero or if the peer would have more than eight, counted from the one
    /// that it uses, and with [`Misuse::NotNegotiable`] in DTLS 1.2.
    pub fn new_connection_ids(&mut self, now: Instant, count: u8, usage: ConnectionIdUsage) -> Result<(), Error> {
        match &mut self.engine {
            Engine::V13(connection) => connection.new_connection_ids(now, count, usage),
            Engine::V12(_) => Err(Misuse::NotNegotiable.into()),
        }
    }

    /// Asks the peer for `count` spare connection IDs (RFC 9147 §9): each path that this side goes over to takes one, so
    /// that nobody can tell that it is the same association. The peer may give fewer, which
    /// [`Event::NewConnectionIds`](crate::Event::NewConnectionIds) tells.
    ///
    /// Fails with [`Misuse::NoConnectionIds`] if the peer's records need none, with [`Misuse::RequestOutstanding`] until
    /// the peer has answered the request before, with [`Misuse::BadConnectionIdCount`] if `count` is zero or there would
    /// be more than seven spares, and with [`Misuse::NotNegotiable`] in DTLS 1.2.
    pub fn request_connection_ids(&mut self, now: Instant, count: u8) -> Result<(), Error> {
        match &mut self.engine {
            Engine::V13(connection) => connection.request_connection_ids(now, count),
            Engine::V12(_) => Err(Misuse::NotNegotiable.into()),
        }
    }
}

/// Whether a datagram starts with a ClientHello that offers DTLS 1.3. One in pieces is taken for such: those of DTLS 1.2
/// are short.
fn offers_13(datagram: &[u8]) -> bool {
    let Some(Ok(record)) = Records::new(datagram).next() else { return false };
    if record.header.content_type != ContentType::HANDSHAKE || record.header.epoch != 0 {
        return false;
    }
    let Some(Ok(fragment)) = Fragments::new(record.body).next() else { return false };
    if fragment.header.message_type != HandshakeType::CLIENT_HELLO {
        return false;
    }
    if !fragment.header.is_whole() {
        return true;
    }
    let Ok(hello) = ClientHello::parse(fragment.body) else { return false };
    let versions = hello.extensions.supported_versions().ok().flatten();
    versions.is_some_and(|versions| versions.contains(&ProtocolVersion::DTLS1_3))
}

/// Whether a datagram starts with what only a server of DTLS 1.2 answers to a ClientHello that offers both versions.
fn answers_as_12(datagram: &[u8]) -> bool {
    let Some(Ok(record)) = Records::new(datagram).next() else { return false };
    if record.header.content_type != ContentType::HANDSHAKE || record.header.epoch != 0 {
        return false;
    }
    let Some(Ok(fragment)) = Fragments::new(record.body).next() else { return false };
    match fragment.header.message_type {
        HandshakeType::HELLO_VERIFY_REQUEST => true,
        HandshakeType::SERVER_HELLO if fragment.header.is_whole() => ServerHello::parse(fragment.body)
            .is_ok_and(|hello| !hello.extensions.contains(ExtensionType::SUPPORTED_VERSIONS)),
        _ => false,
    }
}

/// A message in one record in epoch 0, for a server that keeps no state. It copies the number of the ClientHello's
/// record, so that the server need not count.
fn plain_message(seq: u64, message_type: HandshakeType, message_seq: u16, body: &[u8]) -> Vec<u8> {
    let message = HandshakeHeader::whole(message_type, message_seq, body.len() as u32);
    let record =
        RecordHeader { content_type: ContentType::HANDSHAKE, version: ProtocolVersion::DTLS1_2, epoch: 0, seq };
    [&record.to_bytes((HANDSHAKE_HEADER_LEN + body.len()) as u16)[..], &message.to_bytes(), body].concat()
}

/// Warnings other than close_notify leave the association as it is.
fn ends_association(alert: Alert) -> bool {
    alert.level == AlertLevel::FATAL || alert.description == AlertDescription::CLOSE_NOTIFY
}

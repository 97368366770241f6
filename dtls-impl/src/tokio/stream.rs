//! A handle on one connection.

use core::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ::tokio::net::{ToSocketAddrs, UdpSocket, lookup_host};
use ::tokio::sync::{mpsc, oneshot};

use super::Error;
use super::driver::{Command, Driver, Outcome, Request};
use super::socket::Socket;
use super::system::{Clock, seed};
use crate::{ClientConfig, ClientSession, Connection, Negotiated};

/// What arrives for an application.
pub(super) enum Received {
    Data(Vec<u8>),
    Session(ClientSession),
    Closed,
    Restarted,
    Failed(crate::Error),
}

/// A session to resume.
#[derive(Clone, Debug)]
pub struct ResumeOptions {
    /// As an earlier [`Stream::session`] gave it.
    pub session: ClientSession,
}

/// One established connection. Dropping it closes it.
///
/// Methods may be cancelled: what [`recv`](Self::recv) has not returned stays, and what was asked for is either done or
/// not, as a datagram may arrive or not.
pub struct Stream {
    id: u64,
    peer: SocketAddr,
    negotiated: Negotiated,
    received: mpsc::Receiver<Received>,
    requests: mpsc::UnboundedSender<Request>,
    session: Option<ClientSession>,
}

impl Stream {
    pub(super) const fn new(
        id: u64,
        peer: SocketAddr,
        negotiated: Negotiated,
        received: mpsc::Receiver<Received>,
        requests: mpsc::UnboundedSender<Request>,
    ) -> Self {
        Self { id, peer, negotiated, received, requests, session: None }
    }

    /// Connects to a server from a socket of its own, and completes the handshake. `server_name` is what the certificate
    /// is checked for.
    pub async fn connect(
        server: impl ToSocketAddrs,
        config: Arc<ClientConfig>,
        server_name: Option<&str>,
    ) -> Result<Self, Error> {
        Self::start(server, config, server_name, None).await
    }

    /// As [`connect`](Self::connect), and offers to resume a session.
    pub async fn resume(
        server: impl ToSocketAddrs,
        config: Arc<ClientConfig>,
        server_name: Option<&str>,
        options: ResumeOptions,
    ) -> Result<Self, Error> {
        Self::start(server, config, server_name, Some(options)).await
    }

    async fn start(
        server: impl ToSocketAddrs,
        config: Arc<ClientConfig>,
        server_name: Option<&str>,
        options: Option<ResumeOptions>,
    ) -> Result<Self, Error> {
        let none = || io::Error::new(io::ErrorKind::NotFound, "the server's name has no address");
        let peer = lookup_host(server).await?.next().ok_or_else(none)?;
        let any: SocketAddr = if peer.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
        Self::over(UdpSocket::bind(any).await?, peer, config, server_name, options).await
    }

    /// As [`connect`](Self::connect) or, with options, [`resume`](Self::resume), over a socket that is there and is used
    /// for nothing else. A caller that no longer waits ends the handshake.
    pub async fn over(
        socket: impl Socket,
        server: SocketAddr,
        config: Arc<ClientConfig>,
        server_name: Option<&str>,
        options: Option<ResumeOptions>,
    ) -> Result<Self, Error> {
        let clock = Clock::start(config.common.unix_time);
        let connection_id_len = config.common.connection_id.len();
        let (seed, now) = (seed()?, clock.now());
        let connection = match options {
            Some(options) => Connection::resume(config, server_name, options.session, seed, now)?,
            None => Connection::client(config, server_name, seed, now)?,
        };
        let (requester, requests) = mpsc::unbounded_channel();
        let (established, waiting) = oneshot::channel();
        let mut driver =
            Driver::new(Arc::new(socket), connection_id_len, clock, (requester.downgrade(), requests), None);
        driver.add_client(connection, server, established);
        ::tokio::spawn(driver.run());
        // Keeps the task alive until there is a stream to do so.
        let stream = waiting.await.unwrap_or(Err(Error::Closed));
        drop(requester);
        stream
    }

    /// Sends data as one record in one datagram.
    pub async fn send(&self, data: &[u8]) -> Result<(), Error> {
        self.ask(Command::Send(data.to_vec())).await.map(drop)
    }

    /// The data of the next record that arrives; `None` once the peer has closed. Data beyond the queue is lost, so a
    /// slow reader loses what a slow network would.
    pub async fn recv(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            match self.received.recv().await {
                Some(Received::Data(data)) => return Ok(Some(data)),
                Some(Received::Session(session)) => self.session = Some(session),
                Some(Received::Closed) => return Ok(None),
                Some(Received::Restarted) => return Err(Error::Restarted),
                Some(Received::Failed(error)) => return Err(error.into()),
                None => return Err(Error::Closed),
            }
        }
    }

    /// The last session that the server gave; [`recv`](Self::recv) takes in those that arrive.
    pub const fn session(&self) -> Option<&ClientSession> {
        self.session.as_ref()
    }

    /// What was agreed on.
    pub const fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// Where the peer was when the handshake was complete.
    pub const fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Updates the keys this side writes with (RFC 9147 §8).
    pub async fn update_keys(&self, request_peer: bool) -> Result<(), Error> {
        self.ask(Command::UpdateKeys { request_peer }).await.map(drop)
    }

    /// `len` bytes of keying material for the application.
    pub async fn export_keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        len: usize,
    ) -> Result<Vec<u8>, Error> {
        let (label, context) = (label.to_vec(), context.map(<[u8]>::to_vec));
        match self.ask(Command::Export { label, context, len }).await? {
            Outcome::Exported(out) => Ok(out),
            Outcome::Done => Ok(Vec::new()),
        }
    }

    /// Ends the connection with close_notify, which is on its way when this returns.
    pub async fn close(self) -> Result<(), Error> {
        self.ask(Command::Close).await.map(drop)
    }

    async fn ask(&self, command: Command) -> Result<Outcome, Error> {
        let (answer, outcome) = oneshot::channel();
        self.requests.send((self.id, command, answer)).map_err(|_| Error::Closed)?;
        outcome.await.unwrap_or(Err(Error::Closed))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let (answer, _) = oneshot::channel();
        let _ = self.requests.send((self.id, Command::Close, answer));
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({}, {:?})", self.peer, self.negotiated)
    }
}

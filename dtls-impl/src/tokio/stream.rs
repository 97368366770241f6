//! A handle on one connection.

use core::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use ::tokio::net::{ToSocketAddrs, UdpSocket, lookup_host};
use ::tokio::sync::{mpsc, oneshot};

use super::Error;
use super::driver::{Command, Driver, Outcome, Request};
use super::system::{Clock, seed};
use crate::{ClientConfig, ClientSession, Connection, Negotiated};

/// Requests that wait for the task that owns the socket.
pub(super) const REQUESTS_MAX: usize = 64;

/// What arrives for an application.
pub(super) enum Received {
    Data(Vec<u8>),
    Session(ClientSession),
    Closed,
    Failed(crate::Error),
}

/// A session to resume.
#[derive(Clone, Debug)]
pub struct ResumeOptions {
    /// As an earlier [`Stream::session`] gave it.
    pub session: ClientSession,
}

/// One established connection. Dropping it closes it.
pub struct Stream {
    id: u64,
    peer: SocketAddr,
    negotiated: Negotiated,
    received: mpsc::Receiver<Received>,
    requests: mpsc::Sender<Request>,
    session: Option<ClientSession>,
}

impl Stream {
    pub(super) const fn new(
        id: u64,
        peer: SocketAddr,
        negotiated: Negotiated,
        received: mpsc::Receiver<Received>,
        requests: mpsc::Sender<Request>,
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
        let peer = lookup_host(server).await?.next().ok_or(Error::Closed)?;
        let any: SocketAddr = if peer.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).await?;
        let clock = Clock::start();
        let (seed, now) = (seed()?, clock.now());
        let connection = match options {
            Some(options) => Connection::resume(config, server_name, options.session, seed, now)?,
            None => Connection::client(config, server_name, seed, now)?,
        };
        let (requester, requests) = mpsc::channel(REQUESTS_MAX);
        let (established, waiting) = oneshot::channel();
        let mut driver = Driver::new(Arc::new(socket), clock, (requester.downgrade(), requests), None);
        driver.add_client(connection, peer, established);
        ::tokio::spawn(driver.run());
        // Keeps the task alive until there is a stream to do so; a caller that goes away ends it.
        let stream = waiting.await.unwrap_or(Err(Error::Closed));
        drop(requester);
        stream
    }

    /// Sends data as one record in one datagram.
    pub async fn send(&self, data: &[u8]) -> Result<(), Error> {
        self.ask(Command::Send(data.to_vec())).await.map(drop)
    }

    /// The data of the next record that arrives; `None` once the peer has closed. May be cancelled without loss.
    pub async fn recv(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            match self.received.recv().await {
                Some(Received::Data(data)) => return Ok(Some(data)),
                Some(Received::Session(session)) => self.session = Some(session),
                Some(Received::Closed) => return Ok(None),
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
        self.requests.send((self.id, command, answer)).await.map_err(|_| Error::Closed)?;
        outcome.await.unwrap_or(Err(Error::Closed))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({}, {:?})", self.peer, self.negotiated)
    }
}

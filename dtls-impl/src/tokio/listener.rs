//! Many clients on one socket.

use core::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ::tokio::net::{ToSocketAddrs, UdpSocket};
use ::tokio::sync::mpsc;

use super::Error;
use super::driver::{Driver, Request, Serving};
use super::socket::Socket;
use super::stream::Stream;
use super::system::Clock;
use crate::ServerConfig;
use crate::config::ConnectionId;
use crate::error::Misuse;

/// What a listener may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time, those in the handshake included; hellos beyond are not answered. Default 1024.
    pub connections: usize,
    /// Records that wait for the application, per connection; those beyond are lost. Default 64.
    pub queue: usize,
    /// Connections that wait to be accepted; those beyond are closed. Default 128.
    pub backlog: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 1024, queue: 64, backlog: 128 }
    }
}

/// A server's socket. Streams live on when it is dropped; new clients get no answer then.
pub struct Listener {
    local: io::Result<SocketAddr>,
    accepted: mpsc::Receiver<Stream>,
    /// Keeps the task alive.
    _requests: mpsc::UnboundedSender<Request>,
}

impl Listener {
    /// Binds a socket and serves whoever comes, on a task of its own. Must be called in a tokio runtime with I/O and time.
    pub async fn bind(address: impl ToSocketAddrs, config: Arc<ServerConfig>, limits: Limits) -> Result<Self, Error> {
        Self::with_socket(UdpSocket::bind(address).await?, config, limits)
    }

    /// Serves on a socket that is there. Fails with [`Error::Dtls`] if the configuration cannot work: one
    /// connection ID for all connections is none.
    pub fn with_socket(socket: impl Socket, config: Arc<ServerConfig>, limits: Limits) -> Result<Self, Error> {
        config.check()?;
        let connection_id = &config.common.connection_id;
        if matches!(connection_id, ConnectionId::Use(one) if !one.is_empty()) {
            return Err(Error::Dtls(Misuse::BadConnectionId.into()));
        }
        let connection_id_len = connection_id.len();
        let local = socket.local_addr();
        let (requester, requests) = mpsc::unbounded_channel();
        let (accepts, accepted) = mpsc::channel(limits.backlog.max(1));
        let serving = Serving { config, limits: Limits { queue: limits.queue.max(1), ..limits }, accepted: accepts };
        let clock = Clock::start(serving.config.common.unix_time);
        let driver =
            Driver::new(Arc::new(socket), connection_id_len, clock, (requester.downgrade(), requests), Some(serving));
        ::tokio::spawn(driver.run());
        Ok(Self { local, accepted, _requests: requester })
    }

    /// The next client whose handshake is complete; `None` if the socket is gone. May be cancelled without loss.
    pub async fn accept(&mut self) -> Option<Stream> {
        self.accepted.recv().await
    }

    /// The socket's address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local.as_ref().copied().map_err(|error| io::Error::new(error.kind(), error.to_string()))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({:?})", self.local)
    }
}

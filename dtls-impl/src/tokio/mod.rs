//! Connections over real sockets (feature `tokio`): a thin layer that gives [`Connection`](crate::Connection) the time,
//! randomness and datagrams of the system.
//!
//! One task owns each socket, its connections and their timers, so that flights are repeated and acknowledged whether or
//! not the application happens to be reading. A [`Stream`] is a handle on one connection. A [`Listener`] serves many
//! clients on one socket, and remembers nothing of an address before a ClientHello from there is accepted, which takes a
//! valid cookie unless the configuration says otherwise.
//!
//! With connection IDs ([`ConnectionId::Random`](crate::config::ConnectionId::Random) for a listener) a connection stays
//! when the peer's address changes, and the driver sends to the new one once the connection believes it.
//!
//! A configuration whose [`unix_time`](crate::config::Common::unix_time) is 0 has the system's date here; any other is the
//! date at which the socket's task starts.
//!
//! Not here: early data, and several addresses of a server that are tried in turn.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # async fn example(client: Arc<dtls_impl::ClientConfig>, server: Arc<dtls_impl::ServerConfig>)
//! # -> Result<(), dtls_impl::tokio::Error> {
//! use dtls_impl::tokio::{Limits, Listener, Stream};
//!
//! let mut listener = Listener::bind("127.0.0.1:0", server, Limits::default()).await?;
//! let address = listener.local_addr()?;
//! tokio::spawn(async move {
//!     while let Some(mut stream) = listener.accept().await {
//!         tokio::spawn(async move {
//!             while let Ok(Some(data)) = stream.recv().await {
//!                 let _ = stream.send(&data).await;
//!             }
//!         });
//!     }
//! });
//! let mut stream = Stream::connect(address, client, Some("server.example")).await?;
//! stream.send(b"hello").await?;
//! assert_eq!(stream.recv().await?.as_deref(), Some(&b"hello"[..]));
//! # Ok(())
//! # }
//! ```

mod directory;
mod driver;
mod listener;
mod socket;
mod stream;
mod system;

use core::fmt;
use std::io;

pub use self::listener::{Limits, Listener};
pub use self::socket::Socket;
pub use self::stream::{ResumeOptions, Stream};

/// Why an operation on a socket failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The socket.
    Io(io::Error),
    /// The connection.
    Dtls(crate::Error),
    /// The connection, or the task that owns its socket, is gone.
    Closed,
    /// The client has lost its state and begun anew from the same address: a new stream is there to be accepted.
    Restarted,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "socket: {error}"),
            Self::Dtls(error) => error.fmt(f),
            Self::Closed => f.write_str("the connection is closed"),
            Self::Restarted => f.write_str("the client has begun anew"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Dtls(error) => Some(error),
            Self::Closed | Self::Restarted => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<crate::Error> for Error {
    fn from(error: crate::Error) -> Self {
        Self::Dtls(error)
    }
}

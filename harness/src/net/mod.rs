//! The simulated network for async code: a UDP socket, and a host that runs tokio tasks under a paused clock.
//!
//! Code that is written for tokio runs on it unchanged: its sockets are [`UdpSocket`]s, its timers tokio's own. Its host is
//! an ordinary [`Endpoint`](crate::endpoint::Endpoint), so that the core knows nothing of all this. tokio's timers have
//! steps of one millisecond, and nobody can ask for the next one: so a host asks to be called every millisecond, which
//! makes such runs slower than others. They are labelled `tokio-ms`.
//!
//! Only tasks of the host's own runtime keep virtual time: no threads, no `spawn_blocking`.

mod host;
mod socket;

pub use host::{Application, AsyncHost, Command};
pub use socket::UdpSocket;

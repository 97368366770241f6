//! DTLS 1.2 (RFC 6347) without I/O.

pub mod config;
mod connection;
pub mod crypto;
mod entropy;
pub mod error;
pub mod event;
mod mutation;
pub mod pki;
pub mod record;
mod suite;
pub mod time;
pub mod wire;

pub use config::{ClientConfig, ServerConfig};
pub use connection::Connection;
pub use entropy::Seed;
pub use error::Error;
pub use event::{DiscardReason, Event, Output};
#[cfg(feature = "mutation")]
pub use mutation::Mutation;
pub use time::Instant;

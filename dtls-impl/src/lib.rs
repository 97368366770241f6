//! DTLS 1.2 (RFC 6347) and 1.3 (RFC 9147) without I/O, clock or entropy of its own.
//!
//! A [`Connection`] takes datagrams, the time and one seed, and gives datagrams, events and the time at which it wants to
//! be called next ([`Output`]). Equal inputs give equal outputs, to the byte.
//!
//! Modules, each of which knows only those below it:
//!
//! | module | owns |
//! |---|---|
//! | `connection` | the public face, choice of version; per version: sorts records, carries out endings |
//! | `handshake` | state machines of client and server, cookies, transcript, session |
//! | `link`, `link13` | numbers, epochs and keys in use in both directions; the queue of outputs |
//! | `flight` | cutting and packing for the MTU, retransmission, reassembly, ACKs |
//! | [`config`], [`event`], [`error`], [`time`] | what goes in and comes out |
//! | [`record`] | protection, numbers and replay window of an epoch |
//! | [`pki`], [`crypto`] | certificates; primitives behind a trait, key schedule |
//! | [`wire`] | bytes and values |
//!
//! Beside these, with the feature `tokio`: streams and listeners over real sockets.
//!
//! Supported: cipher suites with AEAD, authenticated by ECDSA (P-256, P-384), Ed25519 or RSA certificates, by raw public
//! keys (RFC 7250) or by PSK; clients by certificate or raw public key, too, where a server asks; X25519 and P-256, on
//! request P-384 and, in 1.3, X25519MLKEM768; extended_master_secret; the cookie exchange without state; ALPN,
//! record_size_limit and max_fragment_length; exporters; clients that begin anew from the same address, if they show a
//! cookie and complete the handshake ([`Event::Restarted`]); connection IDs (RFC 9146, RFC 9147 §9), off by default, with
//! return routability checks (RFC 9853), basic and enhanced, in both roles. Timers that follow the round trip time
//! ([`config::AdaptiveTimer`]) and smaller datagrams for flights that seem to be too large for the path
//! ([`config::PathMtu`]), both off by default.
//!
//! In DTLS 1.2 resumption by session id and by ticket (RFC 5077), of sessions with an extended master secret.
//!
//! Of DTLS 1.3, which is off unless [`config::Versions`] says otherwise: HelloRetryRequest without state, ACKs, KeyUpdate
//! in both directions, new connection IDs given and asked for, with spares for other paths (RFC 9147 §9), PSKs that are
//! external, imported (RFC 9258) or of a ticket, with ephemeral keys or alone; early data, off by default and taken once;
//! and negotiation down to 1.2 with its protection.
//! TLS_AES_128_CCM_8_SHA256 is there for those who ask for it (RFC 9147 §4.5.3).
//!
//! Not supported: renegotiation, on purpose; one server with certificates and raw keys or with certificates by name,
//! authentication after the handshake, revocation, CBC suites, compression, heartbeats. Flights go out at once, however
//! many records they have (RFC 9147 §5.8.3 would have pauses after ten). A ClientHello on an established association is
//! ignored by servers that go without cookies.
//!
//! Examples of whole handshakes with timers, of resumption, early data and connection IDs are in the [`guide`].

pub mod config;
mod connection;
pub mod crypto;
mod entropy;
pub mod error;
pub mod event;
mod flight;
pub mod guide;
mod handshake;
mod ids;
mod link;
mod link13;
#[cfg_attr(not(feature = "mutation"), expect(unreachable_pub, reason = "exported with the feature only"))]
#[cfg_attr(all(not(feature = "mutation"), not(test)), expect(dead_code, reason = "names are for the feature's users"))]
mod mutation;
mod negotiated;
mod path;
pub mod pki;
pub mod record;
mod session;
mod suite;
mod terms;
pub mod time;
#[cfg(feature = "tokio")]
pub mod tokio;
pub mod wire;

pub use config::{ClientConfig, ServerConfig};
pub use connection::Connection;
pub use entropy::Seed;
pub use error::Error;
pub use event::{DiscardReason, Event, Output};
#[cfg(feature = "mutation")]
pub use mutation::Mutation;
pub use negotiated::{Negotiated, PeerIdentity};
pub use session::ClientSession;
pub use time::Instant;

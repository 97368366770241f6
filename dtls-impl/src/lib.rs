//! DTLS 1.2 (RFC 6347) without I/O.

pub mod crypto;
pub mod pki;
pub mod record;
pub mod time;
pub mod wire;

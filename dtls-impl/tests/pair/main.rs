//! Two connections in memory with a path between them that loses, repeats, delays and forges.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc_rs;
mod bad_shares;
mod certificates;
mod client_auth;
mod client_certificates;
mod common;
mod connection_id;
mod connection_id_updates;
mod dtls13;
mod dtls13_dimpl;
mod dtls13_early_data;
mod dtls13_forged;
mod dtls13_resumption;
mod groups;
mod handshake;
mod junk;
mod loss;
#[cfg(feature = "mutation")]
mod mutations;
mod path_mtu;
mod paths;
mod raw_keys;
mod restart;
mod resumption12;
mod terms;
mod timers;

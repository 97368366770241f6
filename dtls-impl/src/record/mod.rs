//! Record protection of one epoch and direction: numbers, AEAD, replay window.
//!
//! Each is a type of its own and none knows the others; the connection owns one of each per epoch. Parsing headers is
//! `wire`'s business, and what a record contains is the handshake's.

pub(crate) mod epochs13;
pub mod protection12;
pub mod protection13;
pub mod replay;
pub mod seq;

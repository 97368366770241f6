//! A wind tunnel for DTLS flights.
//!
//! Modules in the order in which data flows; each knows only those before it.

pub mod time;

pub mod units;

pub mod pki;

pub mod endpoint;

pub mod trace;

pub mod addresses;

#[cfg(feature = "async")]
pub mod net;

pub mod stack;

pub mod dissect;

pub mod scenario;
pub use scenario::profile;

pub mod sim;

pub mod plan;

pub mod observe;

pub mod judge;

pub mod output;

pub mod run;

pub mod cli;

//! The stacks that can fly: their names, what they can do, and how to build an endpoint of each.

use std::fmt;

use serde::Serialize;

use crate::endpoint::{Endpoint, EndpointConfig};

/// What is promised of a stack's runs with the same seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Determinism {
    /// The same instants and sizes up to what unseedable randomness moves; never a byte golden.
    Timing,
    /// The same bytes.
    Bytes,
}

impl fmt::Display for Determinism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timing => "timing",
            Self::Bytes => "bytes",
        })
    }
}

/// A DTLS implementation under test.
pub trait Stack: Send + Sync {
    /// Short name, as typed: `native`, `dimpl`, ...
    fn name(&self) -> &'static str;
    /// Version of the implementation.
    fn version(&self) -> &'static str;
    /// One line on what it is and speaks.
    fn about(&self) -> &'static str;
    /// What its runs promise.
    fn determinism(&self) -> Determinism;
    /// Why this stack cannot be this endpoint, or `None` if it can.
    fn unsupported(&self, config: &EndpointConfig) -> Option<String>;
    /// Builds an endpoint; all its randomness comes from `entropy` where the stack allows.
    fn build(&self, config: &EndpointConfig, entropy: [u8; 32]) -> Result<Box<dyn Endpoint>, String>;
}

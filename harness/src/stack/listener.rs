//! A listener for stacks whose servers share nothing: each endpoint is built as if it were alone.

use std::net::SocketAddr;

use sha2::{Digest, Sha256};

use crate::endpoint::{Endpoint, EndpointConfig, Listener};
use crate::time::SimTime;

/// Builds an endpoint that begins at an instant, from entropy.
pub(super) type Build = fn(&EndpointConfig, SimTime, [u8; 32]) -> Result<Box<dyn Endpoint>, String>;

/// Endpoints that have nothing in common but their configuration.
pub(super) struct Separate {
    config: EndpointConfig,
    build: Build,
    /// For the next one.
    entropy: [u8; 32],
}

impl Separate {
    pub(super) fn new(config: &EndpointConfig, entropy: [u8; 32], build: Build) -> Self {
        Self { config: config.clone(), build, entropy }
    }
}

impl Listener for Separate {
    fn accept(&mut self, now: SimTime, peer: SocketAddr) -> Result<Box<dyn Endpoint>, String> {
        let next = Sha256::digest(self.entropy).into();
        let entropy = std::mem::replace(&mut self.entropy, next);
        (self.build)(&EndpointConfig { peer, ..self.config.clone() }, now, entropy)
    }
}

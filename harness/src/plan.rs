//! One run before it flies: a scenario, two stacks and a seed, and the endpoints they ask for.
//!
//! Everything that is the same in every run of the harness is a constant here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::endpoint::{Credentials, EndpointConfig, Role};
use crate::pki;
use crate::scenario::{CredentialsSpec, Scenario};
use crate::stack::{Determinism, Stack};

/// Address of the client, from TEST-NET-1 (RFC 5737 §3).
pub const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 50_000);
/// Address of the server, from TEST-NET-2 (RFC 5737 §3).
pub const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 4433);
/// Name the client asks for and checks.
pub const SERVER_NAME: &str = "server.windtunnel.test";
/// Date at the start of every run: 2026-01-01 00:00:00 UTC.
pub const UNIX_TIME: u64 = 1_767_225_600;

/// Identity of the pre-shared key.
const PSK_IDENTITY: &[u8] = b"windtunnel-client";
/// The pre-shared key: public, as everything in this harness.
const PSK: [u8; 16] = *b"windtunnel psk 1";

/// A run, not yet flown.
#[derive(Clone)]
pub struct Plan {
    /// What is to happen.
    pub scenario: Arc<Scenario>,
    /// Who is the client.
    pub client: Arc<dyn Stack>,
    /// Who is the server.
    pub server: Arc<dyn Stack>,
    /// What the network and the endpoints draw from.
    pub seed: u64,
}

impl Plan {
    /// The stack in a role.
    pub fn stack(&self, role: Role) -> &dyn Stack {
        match role {
            Role::Client => &*self.client,
            Role::Server => &*self.server,
        }
    }

    /// What the stack in a role is told to be.
    pub fn endpoint_config(&self, role: Role) -> EndpointConfig {
        let spec = match role {
            Role::Client => &self.scenario.client,
            Role::Server => &self.scenario.server,
        };
        let (local, peer) = match role {
            Role::Client => (CLIENT, SERVER),
            Role::Server => (SERVER, CLIENT),
        };
        let credentials = match &self.scenario.credentials {
            CredentialsSpec::Psk { ecdhe } => {
                Credentials::Psk { identity: PSK_IDENTITY.to_vec(), key: PSK.to_vec(), ecdhe: *ecdhe }
            }
            CredentialsSpec::Certificate(shape) => Credentials::Certificate(pki::identity(shape)),
        };
        EndpointConfig {
            role,
            local,
            peer,
            credentials,
            server_name: SERVER_NAME.to_owned(),
            mtu: spec.mtu,
            cookie: spec.cookie,
            suites: spec.suites.clone(),
            groups: spec.groups.clone(),
            timer_initial: spec.timer_initial,
            timer_max: spec.timer_max,
            give_up: spec.give_up,
            unix_time: UNIX_TIME,
        }
    }

    /// The first role whose stack cannot be what the scenario asks, and why. Builds nothing.
    pub fn unsupported(&self) -> Option<(Role, String)> {
        Role::BOTH
            .into_iter()
            .find_map(|role| Some((role, self.stack(role).unsupported(&self.endpoint_config(role))?)))
    }

    /// What the run promises: what the weaker of the two stacks does.
    pub fn determinism(&self) -> Determinism {
        self.client.determinism().min(self.server.determinism())
    }
}

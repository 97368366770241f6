//! One run before it flies: a scenario, two stacks and a seed, and the endpoints they ask for.
//!
//! The addresses of every run are constants here; its credentials and its date are in [`crate::pki`].

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::endpoint::{Credentials, EndpointConfig, Role};
use crate::pki::{self, ChainShape};
use crate::scenario::{CredentialsSpec, Scenario};
use crate::stack::{Determinism, Stack};

/// Address of the client, from TEST-NET-1 (RFC 5737 §3).
pub const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 50_000);
/// Address of the server, from TEST-NET-2 (RFC 5737 §3).
pub const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 4433);
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
                Credentials::Psk { identity: pki::PSK_IDENTITY.to_vec(), key: pki::PSK_KEY.to_vec(), ecdhe: *ecdhe }
            }
            CredentialsSpec::Certificate(shape) => Credentials::Certificate(pki::identity(shape)),
        };
        let server_name = match &self.scenario.credentials {
            CredentialsSpec::Certificate(ChainShape { names, .. }) => names.first().map(String::as_str),
            CredentialsSpec::Psk { .. } => None,
        };
        EndpointConfig {
            role,
            dtls: self.scenario.dtls,
            local,
            peer,
            credentials,
            server_name: server_name.unwrap_or(pki::SERVER_NAME).to_owned(),
            mtu: spec.mtu,
            cookie: spec.cookie,
            suites: spec.suites.clone(),
            groups: spec.groups.clone(),
            timer_initial: spec.timer_initial,
            timer_max: spec.timer_max,
            give_up: spec.give_up,
            unix_time: pki::RUN_DATE,
        }
    }

    /// The first role whose stack cannot be what the scenario asks, and why. Builds nothing.
    pub fn unsupported(&self) -> Option<(Role, String)> {
        Role::BOTH.into_iter().find_map(|role| Some((role, self.stack(role).unsupported(&self.endpoint_config(role))?)))
    }

    /// Whether both are runs of one scenario by one pair.
    pub fn differs_in_seed_only(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.scenario, &other.scenario)
            && self.client.name() == other.client.name()
            && self.server.name() == other.server.name()
    }

    /// What the run promises: what the weaker of the two stacks does.
    pub fn determinism(&self) -> Determinism {
        self.client.determinism().min(self.server.determinism())
    }
}

//! One run before it flies: a scenario, two stacks and a seed, and the endpoints they ask for.
//!
//! The addresses of every run are constants of [`crate::addresses`]; its credentials and its date are in [`crate::pki`].

use std::sync::Arc;

use crate::addresses::OUTSIDE;
pub use crate::addresses::{CLIENT, SERVER};
use crate::endpoint::{Ask, Credentials, EarlyData, EndpointConfig, Features, Resumption, Role};
use crate::pki::{self, ChainShape};
use crate::scenario::{CredentialsSpec, Scenario};
use crate::stack::{Determinism, Stack};

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
            Role::Server => (SERVER, if self.scenario.network.nat.is_some() { OUTSIDE } else { CLIENT }),
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
        let config = EndpointConfig {
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
            features: self.features(role, &spec.features),
        };
        let other = EndpointConfig { cookie: !config.cookie, ..config.clone() };
        let stack = self.stack(role);
        let is_other = spec.any_cookie && stack.unsupported(&config).is_some() && stack.unsupported(&other).is_none();
        if is_other { other } else { config }
    }

    /// What a file says of the role, and what its visits need.
    fn features(&self, role: Role, given: &Features) -> Features {
        let mut features = given.clone();
        let steps = self.scenario.visits.iter().flat_map(|visit| &visit.workload.steps);
        for step in steps {
            match step.ask {
                Ask::UpdateKeys { request_peer } => {
                    features.key_update |= step.by == role;
                    features.key_update_alone |= step.by == role && !request_peer;
                }
                // The peer has to know what to do with them.
                Ask::RequestConnectionIds(_) | Ask::NewConnectionIds(_) | Ask::ReplaceConnectionIds(_) => {
                    features.connection_id_messages = true;
                }
            }
        }
        // Each end has to know what the other will show, or ask for.
        features.client_certificate.clone_from(&self.scenario.client.features.client_certificate);
        features.max_fragment_length = self.scenario.client.features.max_fragment_length;
        if role == Role::Client {
            let (server, visits) = (&self.scenario.server.features, &self.scenario.visits);
            features.client_auth = server.client_auth;
            if visits.iter().any(|visit| visit.resume) {
                features.resumption = server.resumption.or(Some(Resumption::default()));
            }
            if visits.iter().any(|visit| visit.early_data.is_some()) {
                let (max, window) = server.early_data.map_or((0, None), |early| (early.max, early.window));
                features.early_data = Some(EarlyData { max, window, without_cookie: false });
            }
        }
        features
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

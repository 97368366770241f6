//! Foreign stacks as plugins: shared objects that speak `harness/peers/windtunnel_peer.h`.
//!
//! The only module of the project with unsafe code outside the plugins themselves; none of it leaves this folder.
#![expect(unsafe_code, reason = "calls into shared objects by a C interface")]

mod abi;
mod config;
mod endpoint;
mod library;
mod recipes;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use recipes::{RECIPES, Recipe, recipe};

use super::{Determinism, Stack};
use crate::endpoint::{Credentials, Dtls, Endpoint, EndpointConfig, Listener, Session};
use crate::time::SimTime;
use abi::feature;

/// Where plugins are looked for: `WINDTUNNEL_PEERS`, or `target/peers` of the checkout that this was built from.
pub fn folder() -> PathBuf {
    match std::env::var_os("WINDTUNNEL_PEERS") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target").join("peers"),
    }
}

/// The file of the plugin called `name`.
pub fn file(name: &str) -> PathBuf {
    folder().join(format!("peer_{name}{}", std::env::consts::DLL_SUFFIX))
}

/// Names of all plugins that have been built, sorted.
pub fn built() -> Vec<String> {
    let name = |file: &str| file.strip_prefix("peer_")?.strip_suffix(std::env::consts::DLL_SUFFIX).map(str::to_owned);
    let files = folder().read_dir().into_iter().flatten().flatten();
    let mut names: Vec<String> = files.filter_map(|entry| name(entry.file_name().to_str()?)).collect();
    names.sort();
    names
}

/// The stack in the plugin called `name`; `None` if there is no such file. Loaded once in a process.
pub fn get(name: &str) -> Option<Result<Arc<dyn Stack>, String>> {
    type Loaded = BTreeMap<PathBuf, Result<Arc<PluginStack>, String>>;
    static LOADED: Mutex<Loaded> = Mutex::new(BTreeMap::new());
    let file = file(name);
    // The name becomes part of a path: it must not lead out of the folder.
    if name.contains(['/', '\\']) || !file.is_file() {
        return None;
    }
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let stack = loaded.entry(file.clone()).or_insert_with(|| PluginStack::open(name, &file).map(Arc::new));
    Some(stack.clone().map(|stack| stack as Arc<dyn Stack>))
}

/// A stack in a plugin.
struct PluginStack {
    plugin: library::Plugin,
    /// As typed, with a version where the file has one: `openssl@3.0`.
    name: &'static str,
    version: &'static str,
    about: &'static str,
}

impl PluginStack {
    fn open(name: &str, file: &Path) -> Result<Self, String> {
        let plugin = library::open(file)?;
        let stem = name.split_once('@').map_or(name, |(stem, _)| stem);
        if plugin.name != stem {
            return Err(format!("calls itself {:?}, and its file is {}", plugin.name, file.display()));
        }
        // Once for each plugin and process.
        let keep = |text: &str| -> &'static str { text.to_owned().leak() };
        Ok(Self { name: keep(name), version: keep(&plugin.version), about: keep(&plugin.about), plugin })
    }

    fn has(&self, feature: u32) -> bool {
        self.plugin.features & feature != 0
    }
}

impl Stack for PluginStack {
    fn name(&self) -> &'static str {
        self.name
    }

    fn version(&self) -> &'static str {
        self.version
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn determinism(&self) -> Determinism {
        self.plugin.determinism
    }

    fn is_plugin(&self) -> bool {
        true
    }

    fn unsupported(&self, config: &EndpointConfig) -> Option<String> {
        let version = match config.dtls {
            Dtls::V12 => feature::DTLS12,
            Dtls::V13 => feature::DTLS13,
        };
        if !self.has(version) {
            return Some(format!("does not speak {}", config.dtls));
        }
        match config.credentials {
            Credentials::Certificate(_) if !self.has(feature::CERTIFICATES) => {
                return Some("has no certificates".to_owned());
            }
            Credentials::Psk { .. } if !self.has(feature::PSK) => return Some("has no pre-shared keys".to_owned()),
            Credentials::Certificate(_) | Credentials::Psk { .. } => {}
        }
        for asked in config.features.asked() {
            let bit = feature::ASKED.iter().find(|(_, name)| *name == asked).map_or(0, |(bit, _)| *bit);
            if !self.has(bit) {
                return Some(format!("has no {asked} here"));
            }
        }
        let config = match config::Config::new(config) {
            Ok(config) => config,
            Err(reason) => return Some(reason),
        };
        let unsupported = self.plugin.table.unsupported?;
        // SAFETY: the configuration is valid during the call, which by the header any thread may make.
        library::text(unsafe { unsupported(config.raw()) })
    }

    fn client(
        &self,
        config: &EndpointConfig,
        session: Option<&Session>,
        now: SimTime,
        entropy: [u8; 32],
    ) -> Result<Box<dyn Endpoint>, String> {
        endpoint::client(self.plugin.table, config, session, now, entropy)
    }

    fn listen(&self, config: &EndpointConfig, entropy: [u8; 32]) -> Result<Box<dyn Listener>, String> {
        Ok(Box::new(endpoint::PluginListener::new(self.plugin.table, config, entropy)?))
    }
}

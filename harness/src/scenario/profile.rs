//! Built-in link profiles: data with the origin of each figure.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use schemars::JsonSchema;
use serde::Deserialize;

use super::error::{Error, Source};
use super::file::NetworkKeys;
use super::text::At;
use super::{Delay, Loss, Network, Order, Pipe, Ratio, Spread};

const DATA: &str = include_str!("../../data/profiles.yaml");

/// A kind of link.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Name as scenarios use it.
    pub name: String,
    /// What it stands for, in one line.
    pub about: String,
    /// What of such a link is not modelled.
    pub omits: String,
    /// For each figure (a key of the network) where it comes from: `sourced`, `derived` or `chosen`, and how.
    pub origins: BTreeMap<String, String>,
    /// The figures.
    pub network: Network,
}

/// All profiles in the order of the data.
pub fn all() -> &'static [Profile] {
    static ALL: LazyLock<Vec<Profile>> = LazyLock::new(|| {
        read(DATA).unwrap_or_else(|error| panic!("built-in profiles: {:?}", miette::Report::new(error)))
    });
    &ALL
}

/// The profile of this name.
pub fn get(name: &str) -> Option<&'static Profile> {
    all().iter().find(|profile| profile.name == name)
}

/// Where a scenario starts that names no profile.
pub(super) fn ideal() -> &'static Profile {
    get("ideal").expect("the data holds it")
}

/// One profile as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    name: String,
    about: String,
    omits: String,
    link: At<NetworkKeys>,
    origins: BTreeMap<String, String>,
}

/// Each entry starts from a link that does nothing.
fn read(text: &str) -> Result<Vec<Profile>, Error> {
    let source = Source { path: Path::new("profiles.yaml"), text: Arc::from(text) };
    let entries: Vec<Entry> = serde_saphyr::from_str(text).map_err(|error| source.yaml(&error))?;
    entries
        .into_iter()
        .map(|entry| {
            let network = source.network_from(&entry.link.value, &entry.name, nothing())?;
            let Entry { name, about, omits, origins, .. } = entry;
            Ok(Profile { name, about, omits, origins, network })
        })
        .collect()
}

/// A link that passes everything at once.
fn nothing() -> Network {
    let pipe = Pipe {
        ip_mtu: 65_535,
        loss: Loss::None,
        duplicate: Ratio::default(),
        rate: None,
        delay: Delay { base: std::time::Duration::ZERO, spread: Spread::None },
        reorder: None,
        order: Order::Fifo,
    };
    Network { profile: String::new(), up: pipe.clone(), down: pipe, half_duplex: false, bystanders: Vec::new() }
}

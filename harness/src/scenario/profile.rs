//! Built-in link profiles: data with the origin of each figure.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use schemars::JsonSchema;
use serde::Deserialize;

use super::error::{Error, Source};
use super::file::network::NetworkKeys;
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
    let entries: Vec<Entry> = source.parse()?;
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
        tells_too_big: false,
        loss: Loss::None,
        duplicate: Ratio::default(),
        rate: None,
        delay: Delay { base: std::time::Duration::ZERO, spread: Spread::None },
        reorder: None,
        order: Order::Fifo,
    };
    Network {
        profile: String::new(),
        up: pipe.clone(),
        down: pipe,
        half_duplex: false,
        nat: None,
        bystanders: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scenario::Rate;

    #[test]
    fn every_figure_has_an_origin() {
        for profile in all() {
            for key in ["delay", "order", "ip-mtu"] {
                assert!(profile.origins.contains_key(key), "{}: {key}", profile.name);
            }
            let Network { up, half_duplex, .. } = &profile.network;
            assert_eq!(profile.origins.contains_key("rate"), up.rate.is_some(), "{}", profile.name);
            assert_eq!(profile.origins.contains_key("loss"), up.loss != Loss::None, "{}", profile.name);
            assert_eq!(profile.origins.contains_key("half-duplex"), *half_duplex, "{}", profile.name);
            for (key, origin) in &profile.origins {
                let kind = origin.split(": ").next();
                assert!(matches!(kind, Some("sourced" | "derived" | "chosen")), "{}: {key}: {origin}", profile.name);
            }
            assert!(!profile.about.contains('\n') && !profile.omits.is_empty(), "{}", profile.name);
        }
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = all().iter().map(|profile| &profile.name).collect();
        assert_eq!((names.len(), all().len()), (11, 11));
    }

    /// Rates in bit/s, delays as base, median (microseconds) and sigma (thousandths), up and down; the loss process in
    /// parts per hundred thousand.
    type Row = (&'static str, [u64; 2], [[u64; 3]; 2], [u64; 4], u32, Order, bool);

    #[test]
    fn figures_are_those_of_the_table() {
        use Order::{Fifo, Free};
        let table: [Row; 10] = [
            ("lan", [100_000_000; 2], [[100, 100, 500]; 2], [0; 4], 1500, Free, false),
            ("wifi-home", [20_000_000; 2], [[800, 1_200, 800]; 2], [200, 30_000, 50, 30_000], 1500, Free, false),
            ("wifi-busy", [2_000_000; 2], [[2_000, 8_000, 1_000]; 2], [2_000, 25_000, 200, 40_000], 1500, Free, false),
            (
                "ltem-good",
                [200_000; 2],
                [[25_000, 25_000, 500], [20_000, 15_000, 500]],
                [50, 10_000, 50, 50_000],
                1358,
                Fifo,
                true,
            ),
            (
                "ltem-edge",
                [50_000, 60_000],
                [[60_000, 140_000, 700], [40_000, 80_000, 700]],
                [1_000, 20_000, 200, 60_000],
                1358,
                Fifo,
                true,
            ),
            (
                "ltem-deep",
                [1_000, 2_000],
                [[600_000, 1_400_000, 700], [300_000, 700_000, 700]],
                [2_000, 20_000, 1_000, 50_000],
                1358,
                Fifo,
                true,
            ),
            (
                "nbiot-ce0",
                [17_000, 20_000],
                [[60_000, 140_000, 600], [40_000, 90_000, 600]],
                [200, 20_000, 100, 50_000],
                1358,
                Fifo,
                true,
            ),
            (
                "nbiot-ce1",
                [4_000; 2],
                [[250_000, 550_000, 700], [150_000, 350_000, 700]],
                [1_000, 20_000, 500, 50_000],
                1358,
                Fifo,
                true,
            ),
            (
                "nbiot-ce2",
                [500, 700],
                [[1_500_000, 2_500_000, 800], [800_000, 1_700_000, 800]],
                [4_000, 20_000, 2_000, 50_000],
                1358,
                Fifo,
                true,
            ),
            (
                "gprs",
                [13_400, 40_000],
                [[200_000, 250_000, 600], [100_000, 150_000, 600]],
                [1_000, 20_000, 500, 60_000],
                1500,
                Fifo,
                true,
            ),
        ];
        for (name, rates, delays, loss, ip_mtu, order, half_duplex) in table {
            let network = &get(name).unwrap().network;
            assert_eq!(network.half_duplex, half_duplex, "{name}");
            for (pipe, (rate, [base, median, sigma])) in
                [&network.up, &network.down].into_iter().zip(rates.into_iter().zip(delays))
            {
                assert!(matches!(pipe.rate, Some(Rate { bits_per_second, .. }) if bits_per_second == rate), "{name}");
                let micros = std::time::Duration::from_micros;
                let spread = Spread::LogNormal { median: micros(median), sigma_milli: sigma as u32 };
                assert_eq!(pipe.delay, Delay { base: micros(base), spread }, "{name}");
                assert_eq!((pipe.ip_mtu, pipe.order), (ip_mtu, order), "{name}");
                let [p_gb, p_bg, h_g, h_b] = loss.map(|part| Ratio { parts_per_trillion: part * 10_000_000 });
                match pipe.loss {
                    Loss::Bernoulli(share) => {
                        assert_eq!((name, share), ("lan", Ratio { parts_per_trillion: 1_000_000 }));
                    }
                    found => assert_eq!(found, Loss::GilbertElliott { p_gb, p_bg, h_g, h_b }, "{name}"),
                }
            }
        }
    }

    #[test]
    fn a_queue_holds_a_flight_with_a_large_chain() {
        for profile in all() {
            for pipe in [&profile.network.up, &profile.network.down] {
                assert!(pipe.rate.is_none_or(|rate| rate.queue_bytes >= 10_000), "{}", profile.name);
            }
        }
    }
}

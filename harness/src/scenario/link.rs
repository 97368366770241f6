//! From the keys of a network to its pipelines.

use std::time::Duration;

use super::error::{Error, Source};
use super::file::network::{BystanderKeys, DelayKeys, Link, NatKeys, NetworkKeys, RateKeys};
use super::text::{At, Either, Kind, Text, Value};
use super::{Bystander, Delay, Loss, Nat, Network, Pipe, Rate, Ratio, Reorder, Spread, names, profile};
use crate::time::SimTime;

/// Bytes that may wait at a bottleneck unless a file says otherwise: a flight with the largest chain in common use.
pub(super) const QUEUE_DEFAULT: u32 = 16_000;

/// Longest delay or hold that makes sense on one link.
const DELAY_MAX: Duration = Duration::from_secs(3600);

impl Source<'_> {
    /// The meaning of a value.
    pub(super) fn read<K: Kind>(&self, value: &Value<K>) -> Result<K::Value, Error> {
        self.read_text(value, &value.value)
    }

    /// The meaning of a text at a place.
    pub(super) fn read_text<K: Kind, T>(&self, at: &At<T>, text: &Text<K>) -> Result<K::Value, Error> {
        K::read(&text.0).map_err(|error| self.error(at, error.message, error.help))
    }

    /// The meaning of a value that may be absent.
    pub(super) fn read_option<K: Kind>(&self, value: Option<&Value<K>>) -> Result<Option<K::Value>, Error> {
        value.map(|value| self.read(value)).transpose()
    }

    pub(super) fn network(&self, keys: &NetworkKeys) -> Result<Network, Error> {
        let start = self.profile(keys.profile.as_ref())?;
        self.network_from(keys, &start.name, start.network.clone())
    }

    /// Applies the keys to what they start from.
    pub(super) fn network_from(&self, keys: &NetworkKeys, profile: &str, start: Network) -> Result<Network, Error> {
        let Network { mut up, mut down, half_duplex, .. } = start;
        for pipe in [&mut up, &mut down] {
            self.pipe(keys.link(), pipe)?;
        }
        for (keys, pipe) in [(&keys.up, &mut up), (&keys.down, &mut down)] {
            if let Some(keys) = keys {
                self.pipe(keys.link(), pipe)?;
            }
        }
        let mut bystanders = Vec::<Bystander>::new();
        for keys in keys.bystanders.iter().flatten() {
            let bystander = self.bystander(keys)?;
            if bystanders.iter().any(|other| other.name == bystander.name) {
                let message = format!("a second bystander is called {:?}", bystander.name);
                return Err(self.error(&keys.value.name, message, "give it a name of its own"));
            }
            bystanders.push(bystander);
        }
        Ok(Network {
            profile: profile.to_owned(),
            up,
            down,
            half_duplex: keys.half_duplex.unwrap_or(half_duplex),
            nat: keys.nat.as_ref().map(|keys| self.nat(&keys.value)).transpose()?,
            bystanders,
        })
    }

    fn nat(&self, keys: &NatKeys) -> Result<Nat, Error> {
        let lifetime = self.read_option(keys.lifetime.as_ref())?;
        if let Some(at) = keys.lifetime.as_ref().filter(|_| lifetime.is_some_and(|lifetime| lifetime.is_zero())) {
            let help = "write how long a mapping lasts without traffic, for example `lifetime: 30 s`";
            return Err(self.error(at, "this NAT forgets at once", help));
        }
        let mut rebind_at = Vec::new();
        for at in keys.rebind_at.iter().flatten() {
            let instant = SimTime::ZERO + self.read(at)?;
            if rebind_at.last().is_some_and(|last| *last >= instant) {
                return Err(self.error(at, "these instants are not in order", "write the earliest first, each once"));
            }
            rebind_at.push(instant);
        }
        Ok(Nat { lifetime, rebind_at })
    }

    fn profile(&self, name: Option<&At<String>>) -> Result<&'static profile::Profile, Error> {
        let Some(name) = name else { return Ok(profile::ideal()) };
        profile::get(&name.value).ok_or_else(|| {
            let known: Vec<_> = profile::all().iter().map(|profile| profile.name.as_str()).collect();
            let help = names::suggest(&name.value, &known, "profiles are");
            self.error(name, format!("there is no profile `{}`", name.value), help)
        })
    }

    fn pipe(&self, keys: Link<'_>, pipe: &mut Pipe) -> Result<(), Error> {
        if let Some(delay) = keys.delay {
            pipe.delay = match &delay.value {
                Either::Short(text) => Delay { base: self.read_text(delay, text)?, spread: Spread::None },
                Either::Long(keys) => self.delay(delay, keys)?,
            };
            if pipe.delay.base > DELAY_MAX {
                return Err(self.error(delay, "this delay is longer than an hour", "a delay is at most 1 h"));
            }
        }
        if let Some(loss) = keys.loss {
            pipe.loss = match &loss.value {
                Either::Short(text) => match self.read_text(loss, text)? {
                    Ratio { parts_per_trillion: 0 } => Loss::None,
                    share => Loss::Bernoulli(share),
                },
                Either::Long(keys) => {
                    let (p_gb, p_bg) = (self.read(&keys.good_to_bad)?, self.read(&keys.bad_to_good)?);
                    if p_bg == Ratio::default() {
                        let help = "say how often it ends, for example `bad-to-good: 20 %`";
                        return Err(self.error(&keys.bad_to_good, "the first burst would never end", help));
                    }
                    Loss::GilbertElliott {
                        p_gb,
                        p_bg,
                        h_g: self.read(&keys.loss_good)?,
                        h_b: self.read(&keys.loss_bad)?,
                    }
                }
            };
        }
        if let Some(duplicate) = keys.duplicate {
            pipe.duplicate = self.read(duplicate)?;
        }
        if let Some(reorder) = keys.reorder {
            let (share, hold_max) = (self.read(&reorder.value.share)?, self.read(&reorder.value.hold)?);
            if hold_max.is_zero() || hold_max > DELAY_MAX {
                let help = "write the longest time to wait for the next datagram, for example `hold: 200 ms`";
                return Err(self.error(&reorder.value.hold, "a datagram cannot be held for this time", help));
            }
            pipe.reorder = (share != Ratio::default()).then_some(Reorder { share, hold_max });
        }
        if let Some(rate) = keys.rate {
            pipe.rate = Some(match &rate.value {
                Either::Short(text) => Rate {
                    bits_per_second: self.read_text(rate, text)?,
                    queue_bytes: pipe.rate.map_or(QUEUE_DEFAULT, |rate| rate.queue_bytes),
                },
                Either::Long(keys) => self.rate(keys)?,
            });
        }
        if let Some(ip_mtu) = keys.ip_mtu {
            pipe.ip_mtu = self.read(ip_mtu)?;
            if !(68..=65_535).contains(&pipe.ip_mtu) {
                let help = "IPv4 packets have from 68 B (RFC 791) to 65535 B";
                return Err(self.error(ip_mtu, format!("no IP link has an MTU of {} B", pipe.ip_mtu), help));
            }
        }
        pipe.tells_too_big = keys.tells_too_big.unwrap_or(pipe.tells_too_big);
        if let Some(order) = keys.order {
            pipe.order = order;
        }
        Ok(())
    }

    fn delay<T>(&self, at: &At<T>, keys: &DelayKeys) -> Result<Delay, Error> {
        let base = self.read_option(keys.base.as_ref())?.unwrap_or_default();
        let spread = match (&keys.uniform, &keys.median, &keys.sigma) {
            (None, None, None) => Spread::None,
            (Some(width), None, None) => Spread::Uniform(self.read(width)?),
            (None, Some(median), Some(sigma)) => {
                let sigma_milli = self.read(sigma)?;
                // e^(3 * 3.1) is four orders of magnitude between median and 99.9th percentile.
                if sigma_milli > 3_000 {
                    return Err(self.error(sigma, "no link spreads like this", "sigma is at most 3"));
                }
                Spread::LogNormal { median: self.read(median)?, sigma_milli }
            }
            (Some(_), ..) => {
                let help = "keep `uniform`, or `median` and `sigma`";
                return Err(self.error(at, "a delay has one random part", help));
            }
            (None, ..) => {
                let help = "write for example `{base: 60 ms, median: 140 ms, sigma: 0.6}`";
                return Err(self.error(at, "a log-normal delay needs both `median` and `sigma`", help));
            }
        };
        Ok(Delay { base, spread })
    }

    fn rate(&self, keys: &RateKeys) -> Result<Rate, Error> {
        let queue_bytes = self.read_option(keys.queue.as_ref())?.unwrap_or(QUEUE_DEFAULT);
        if let Some(queue) = keys.queue.as_ref().filter(|_| queue_bytes == 0) {
            return Err(self.error(queue, "nothing can wait in this queue", "give it some bytes, for example `16 kB`"));
        }
        Ok(Rate { bits_per_second: self.read(&keys.bits)?, queue_bytes })
    }

    fn bystander(&self, keys: &At<BystanderKeys>) -> Result<Bystander, Error> {
        let keys = &keys.value;
        let traffic = match &keys.traffic {
            None => None,
            Some(traffic) => {
                let every = self.read(&traffic.every)?;
                if every < Duration::from_millis(1) {
                    let help = "at least 1 ms between datagrams, so that a run ends";
                    return Err(self.error(&traffic.every, "this bystander floods", help));
                }
                let size = self.read(&traffic.size)?;
                let size = u16::try_from(size).ok().filter(|size| (1..=65_507).contains(size)).ok_or_else(|| {
                    let help = "a datagram carries from 1 B to 65507 B";
                    self.error(&traffic.size, format!("no datagram has {size} B"), help)
                })?;
                Some((every, size))
            }
        };
        let pipe = self.profile(keys.profile.as_ref())?.network.up.clone();
        Ok(Bystander { name: keys.name.value.clone(), pipe, traffic })
    }
}

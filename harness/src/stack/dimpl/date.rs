//! The date `dimpl` writes into its hellos, under our control.
//!
//! The crate fixes once per process which `Instant` was which date, and puts `gmt_unix_time` of the `Instant` it is
//! given into its Random (RFC 5246 §7.4.1.2): 32 bits of seconds that wrap. So there is an `Instant`, at most 2^32
//! seconds ahead, that it takes for any second we like. Its own ClientHello shows the date it makes of an `Instant`;
//! from a few of them the beginning of a second is found, and from there on all is addition.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ::dimpl::{Config, Dtls, Output};

use super::super::clock::Base;
use super::{FixedPsk, Host, provider};

/// Record header, handshake header, client_version (RFC 6347 §4.1, §4.2.2).
const RANDOM_AT: usize = 13 + 12 + 2;
/// How far into a second runs start: whole and half seconds of a run are then far from a change of the date.
const PHASE: Duration = Duration::from_nanos(123_456_789);

/// The base whose date is `unix_time`, to the second.
pub(super) fn base(unix_time: u64) -> Result<Base, String> {
    static SECOND: OnceLock<Result<(Instant, u32), String>> = OnceLock::new();
    let (second, date) = SECOND.get_or_init(beginning_of_a_second).clone()?;
    // The date on the wire has 32 bits; so does the distance to it.
    #[expect(clippy::cast_possible_truncation, reason = "gmt_unix_time is the date modulo 2^32")]
    let ahead = (unix_time as u32).wrapping_sub(date);
    Ok(Base(second + Duration::from_secs(ahead.into()) + PHASE))
}

/// An `Instant` within a microsecond of a second's beginning, and that second's date.
fn beginning_of_a_second() -> Result<(Instant, u32), String> {
    let start = Base::shared().0;
    let date = date_of(start)?;
    let (mut before, mut after) = (Duration::ZERO, Duration::from_secs(1));
    while after - before > Duration::from_micros(1) {
        let middle = (before + after) / 2;
        if date_of(start + middle)? == date {
            before = middle;
        } else {
            after = middle;
        }
    }
    Ok((start + after, date.wrapping_add(1)))
}

fn date_of(instant: Instant) -> Result<u32, String> {
    static CONFIG: OnceLock<Result<Arc<Config>, String>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        // This entropy protects nothing: the ClientHello is read and thrown away.
        let psk = FixedPsk { identity: vec![0], key: vec![0] };
        let builder = Config::builder().with_psk_client(vec![0], Arc::new(psk)).dangerously_set_rng_seed(0);
        provider::build(&mut Host::new([0; 32]), builder).map(Arc::new)
    });
    let mut probe = Dtls::new_12_psk(config.clone()?, instant);
    probe.set_active(true);
    probe.handle_timeout(instant).map_err(|error| error.to_string())?;
    let mut buffer = [0; 2048];
    let Output::Packet(hello) = probe.poll_output(&mut buffer) else {
        return Err("dimpl sent no ClientHello".to_owned());
    };
    let date = hello.get(RANDOM_AT..RANDOM_AT + 4).and_then(|bytes| bytes.try_into().ok());
    date.map(u32::from_be_bytes).ok_or_else(|| "dimpl sent a short ClientHello".to_owned())
}

//! Shared refusals: why a stack cannot honour an option of a scenario.
//!
//! An option is honoured or refused with a reason, never ignored, so that no run passes on other terms than the
//! scenario's.

#[cfg(any(feature = "dimpl", feature = "rtc-dtls"))]
use std::time::Duration;

use crate::endpoint::EndpointConfig;
#[cfg(any(feature = "dimpl", feature = "rtc-dtls"))]
use crate::endpoint::{Credentials, Group};

/// The family of cipher suites that credentials need.
#[cfg(any(feature = "dimpl", feature = "rtc-dtls"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Certificate,
    Psk,
    EcdhePsk,
}

#[cfg(any(feature = "dimpl", feature = "rtc-dtls"))]
impl Family {
    pub(super) fn of(credentials: &Credentials) -> Self {
        match credentials {
            Credentials::Certificate(_) => Self::Certificate,
            Credentials::Psk { ecdhe: false, .. } => Self::Psk,
            Credentials::Psk { ecdhe: true, .. } => Self::EcdhePsk,
        }
    }
}

/// Why `asked` cannot be offered in any order, given what the stack has.
pub(super) fn suites_missing(asked: &[String], has: &[impl AsRef<str>]) -> Option<String> {
    let missing = asked.iter().find(|name| has.iter().all(|suite| suite.as_ref() != name.as_str()))?;
    let has: Vec<&str> = has.iter().map(AsRef::as_ref).collect();
    Some(format!("cipher suite {missing} is not among its {}", has.join(", ")))
}

/// Why a cap on the retransmission timer cannot be kept by a stack whose longest interval is `longest`.
#[cfg(any(feature = "dimpl", feature = "rtc-dtls"))]
pub(super) fn timer_max_refused(config: &EndpointConfig, longest: Duration) -> Option<String> {
    let max = config.timer_max?;
    (max < longest).then(|| format!("has no cap on its retransmission timer, which reaches {longest:?}"))
}

/// Why a stack that has nothing beyond a handshake but `has` cannot have what is asked for.
pub(super) fn features_refused(config: &EndpointConfig, has: &[&str]) -> Option<String> {
    let missing = config.features.asked().into_iter().find(|name| !has.contains(name))?;
    Some(format!("has no {missing} here"))
}

/// Why a stack that has these groups cannot have those that are asked for.
#[cfg(any(feature = "dimpl", feature = "rtc-dtls"))]
pub(super) fn groups_missing(config: &EndpointConfig, has: &[Group]) -> Option<String> {
    let missing = config.groups.iter().find(|group| !has.contains(group))?;
    Some(format!("has no key exchange over {missing} here, whose keys come from the seed"))
}

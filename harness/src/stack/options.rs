//! Shared refusals: why a stack cannot honour an option of a scenario.
//!
//! An option is honoured or refused with a reason, never ignored, so that no run passes on other terms than the
//! scenario's.

use std::time::Duration;

use crate::endpoint::{Credentials, EndpointConfig, Group};

/// The family of cipher suites that credentials need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Certificate,
    Psk,
    EcdhePsk,
}

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

/// Why `asked` cannot be offered, given what the stack has, in the order it is bound to.
pub(super) fn suites_refused(asked: &[String], offers: &[&str]) -> Option<String> {
    let positions = asked.iter().map(|name| offers.iter().position(|offer| offer == name));
    suites_missing(asked, offers).or_else(|| {
        (!positions.is_sorted()).then(|| format!("offers cipher suites in its own order: {}", offers.join(", ")))
    })
}

/// Why `asked` cannot be offered, given the order the stack is bound to.
pub(super) fn group_order_refused(asked: &[Group], order: &[Group]) -> Option<String> {
    let positions = asked.iter().map(|group| order.iter().position(|offer| offer == group));
    (!positions.is_sorted()).then(|| "offers key exchange groups in its own order: secp256r1, x25519".to_owned())
}

/// Why a cap on the retransmission timer cannot be kept by a stack whose longest interval is `longest`.
pub(super) fn timer_max_refused(config: &EndpointConfig, longest: Duration) -> Option<String> {
    let max = config.timer_max?;
    (max < longest).then(|| format!("has no cap on its retransmission timer, which reaches {longest:?}"))
}

//! Demands on what the ends say of an association: what they agreed on, which data they got, where the peer is.

use super::Complaint;
use super::demands::{Check, counted};
use crate::endpoint::{Negotiated, Role};
use crate::observe::Observation;
use crate::scenario::CountCheck;

/// Application data handed to an end, early data aside.
pub(super) fn data(seen: &Observation, to: Option<Role>, count: CountCheck) -> Check {
    let found: Vec<_> = seen.data.iter().filter(|(_, role)| to.is_none_or(|to| to == *role)).collect();
    let first = found.first().map(|(at, role)| format!("to the {role} at {at}"));
    counted("messages of application data were delivered", found.len(), count, first)
}

/// Early data: how often it was delivered in the whole run, wherever copies of it went, and what the client was told.
pub(super) fn early_data(
    seen: &Observation,
    run: &Observation,
    delivered: Option<CountCheck>,
    accepted: Option<bool>,
) -> Check {
    if let Some(expected) = accepted {
        if seen.early.sent.is_empty() {
            return Err(Complaint::of(Role::Client, "no early data was sent"));
        }
        let told = |accepted| if accepted { "accepted" } else { "refused" };
        if seen.early.accepted != Some(expected) {
            let found = seen.early.accepted.map_or("neither accepted nor refused", told);
            return Err(Complaint::of(Role::Client, format!("early data was {found}, not {}", told(expected))));
        }
    }
    let Some(count) = delivered else { return Ok(()) };
    let found = &run.early.delivered;
    let first = found.first().map(|at| format!("at {at}"));
    counted("times early data was delivered", found.len(), count, first)
}

/// What the ends said besides that they are established. Only what is given is checked.
pub(super) fn negotiated(
    seen: &Observation,
    who: Option<Role>,
    resumed: Option<bool>,
    peer: Option<bool>,
    alpn: Option<&str>,
) -> Check {
    for role in Role::BOTH.into_iter().filter(|role| who.is_none_or(|who| who == *role)) {
        if seen.outcome(role).established.is_none() {
            return Err(Complaint::of(role, format!("the {role} was never established")));
        }
        let said = || seen.negotiated.iter().filter(|(by, _)| *by == role).map(|(_, what)| what);
        let is_resumed = said().any(|what| matches!(what, Negotiated::Resumed));
        if let Some(resumed) = resumed.filter(|resumed| *resumed != is_resumed) {
            let what = if resumed { "has not resumed" } else { "has resumed" };
            return Err(Complaint::of(role, format!("the {role} {what} a session")));
        }
        let authenticated = said().find(|what| matches!(what, Negotiated::Peer(_)));
        match (peer, authenticated) {
            (Some(true), None) => {
                return Err(Complaint::of(role, format!("the {role} has authenticated nobody")));
            }
            (Some(false), Some(peer)) => {
                return Err(Complaint::of(role, format!("the {role} has authenticated {peer}")));
            }
            _ => {}
        }
        if let Some(expected) = alpn {
            let found = said().find_map(|what| match what {
                Negotiated::Alpn(protocol) => Some(protocol.as_str()),
                _ => None,
            });
            // Empty stands for none.
            if found.unwrap_or_default() != expected {
                let found = found.unwrap_or("none");
                return Err(Complaint::of(role, format!("the {role} has protocol {found}, not {expected}")));
            }
        }
    }
    Ok(())
}

/// How often an end became sure that its peer has another address.
pub(super) fn moved(seen: &Observation, by: Option<Role>, count: CountCheck) -> Check {
    let found: Vec<_> = seen.moved.iter().filter(|(_, role)| by.is_none_or(|by| by == *role)).collect();
    let first = found.first().map(|(at, role)| format!("by the {role} at {at}"));
    counted("changes of the peer's address were taken in", found.len(), count, first)
}

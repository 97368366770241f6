//! From a file's keys to a [`Scenario`]: every default filled in, every unit turned into integers, and what cannot be
//! refused where it stands.

use std::time::Duration;

use super::error::{Error, Source};
use super::file::File;
use super::file::endpoints::{ChainKeys, EndpointKeys, TimerKeys};
use super::text::{At, Either, Time, Value};
use super::{CredentialsSpec, EndpointSpec, Scenario, names};
use crate::endpoint::{Ask, ClientAuth, Dtls, Group, MTU_DEFAULT, ResumeBy, Role};
use crate::pki::{self, ChainShape};
use crate::trace::Visit;

const FORMAT: u64 = 1;
const MTU_MIN: u32 = 256;
const MTU_MAX: u32 = 65_507;
const DURATION_DEFAULT: Duration = Duration::from_secs(300);
const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
const SEEDS_MAX: u64 = 1_000_000;

/// What the rest of a scenario is checked against.
pub(super) struct Facts {
    pub(super) seeds: (u64, u64),
    pub(super) duration: Duration,
    pub(super) dtls: Dtls,
    pub(super) credentials: CredentialsSpec,
    pub(super) cookie: bool,
    pub(super) last_visit: Visit,
    /// Whether the server asks clients for certificates.
    pub(super) client_auth: bool,
    /// Whether the server gives tickets.
    pub(super) tickets: bool,
    /// Whether a client offers a session.
    pub(super) resumes: bool,
    /// Whether a client sends early data.
    pub(super) early_data: bool,
    /// Whether an application asks for new keys.
    pub(super) updates_keys: bool,
    /// Whether an application asks for connection IDs, or gives some.
    pub(super) gives_ids: bool,
}

impl Source<'_> {
    /// The whole file.
    pub(super) fn scenario(&self, name: String, digest: [u8; 32], file: &File) -> Result<Scenario, Error> {
        if self.read(&file.windtunnel)? != FORMAT {
            let help = format!("this version reads `windtunnel: {FORMAT}`");
            return Err(self.error(&file.windtunnel, "this format is not known", help));
        }
        let goal = file.goal.value.split_whitespace().collect::<Vec<_>>().join(" ");
        if goal.is_empty() {
            return Err(self.error(&file.goal, "the goal is empty", "say in one sentence what the scenario shows"));
        }
        for clause in &file.clauses {
            self.clause(clause)?;
        }
        let seeds = self.read_option(file.seeds.as_ref())?.unwrap_or((1, 1));
        if let Some(at) = file.seeds.as_ref().filter(|_| seeds.1 - seeds.0 >= SEEDS_MAX) {
            return Err(self.error(at, "too many seeds", format!("at most {SEEDS_MAX} in one scenario")));
        }
        let duration = self.read_option(file.duration.as_ref())?.unwrap_or(DURATION_DEFAULT);
        if let Some(at) = file.duration.as_ref().filter(|_| duration.is_zero() || duration > DURATION_MAX) {
            return Err(self.error(at, "a run cannot last this long", "more than nothing, and at most a week: 168 h"));
        }

        let credentials = self.credentials(file)?;
        let (keys, dtls) = (&file.endpoints, file.dtls);
        let client = self.endpoint(&keys.both, &keys.client, Role::Client, dtls, &credentials)?;
        let server = self.endpoint(&keys.both, &keys.server, Role::Server, dtls, &credentials)?;
        let network = self.network(&file.network)?;
        let visits = self.visits(file, duration)?;
        let last_visit = Visit(u16::try_from(visits.len()).unwrap_or(u16::MAX));
        let facts = Facts {
            seeds,
            duration,
            dtls,
            credentials: credentials.clone(),
            // What only one of the two ways has can not be told to happen.
            cookie: server.cookie && !server.any_cookie,
            last_visit,
            client_auth: server.features.client_auth != ClientAuth::None,
            tickets: server.features.resumption.is_some_and(|resumption| resumption.by == ResumeBy::Tickets),
            resumes: visits.iter().any(|visit| visit.resume),
            early_data: visits.iter().any(|visit| visit.early_data.is_some()),
            updates_keys: visits
                .iter()
                .flat_map(|visit| &visit.workload.steps)
                .any(|step| matches!(step.ask, Ask::UpdateKeys { .. })),
            gives_ids: visits
                .iter()
                .flat_map(|visit| &visit.workload.steps)
                .any(|step| !matches!(step.ask, Ask::UpdateKeys { .. })),
        };
        let faults = file.faults.iter().map(|step| self.fault(step, &facts)).collect::<Result<Vec<_>, _>>()?;
        let expect = self.expectations(&file.expect, &facts, &network, &faults, &visits)?;
        Ok(Scenario {
            name,
            path: self.path.to_owned(),
            digest,
            goal,
            clauses: file.clauses.iter().map(|clause| clause.value.trim().to_owned()).collect(),
            seeds,
            golden: file.golden,
            dtls,
            credentials,
            client,
            server,
            network,
            faults,
            visits,
            duration,
            expect,
        })
    }

    /// `RFC 6347 §4.2.4`.
    pub(super) fn clause(&self, clause: &At<String>) -> Result<(), Error> {
        let well_formed = clause.value.trim().strip_prefix("RFC ").and_then(|rest| rest.split_once(" §"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match well_formed {
            Some((number, section)) if digits(number) && !section.is_empty() => Ok(()),
            _ => Err(self.error(
                clause,
                format!("{:?} is not a clause", clause.value),
                "write RFC, number and section, as `RFC 6347 §4.2.4`",
            )),
        }
    }

    fn credentials(&self, file: &File) -> Result<CredentialsSpec, Error> {
        let Some(at) = &file.credentials else { return Ok(CredentialsSpec::Certificate(ChainShape::default())) };
        match &at.value {
            Either::Short(text) => self.read_text(at, text),
            Either::Long(keys) => {
                Ok(CredentialsSpec::Certificate(self.chain(&keys.certificate, ChainShape::default())?))
            }
        }
    }

    pub(super) fn chain(&self, keys: &At<ChainKeys>, mut shape: ChainShape) -> Result<ChainShape, Error> {
        let ChainKeys { key, issuer, certificates, size, names } = &keys.value;
        shape.key = key.unwrap_or(shape.key);
        shape.issuer = issuer.unwrap_or(shape.issuer);
        if let Some(count) = certificates {
            // Too many for a u8 are too many anyway.
            shape.certificates = u8::try_from(self.read(count)?).unwrap_or(u8::MAX);
        }
        shape.size = self.read_option(size.as_ref())?;
        if let Some(names) = names {
            shape.names = names.iter().map(|name| name.value.clone()).collect();
        }
        // Making the chain is the check; the runs use the one made here.
        match pki::try_identity(&shape) {
            Ok(_) => Ok(shape),
            Err(error) => {
                let place = match (&error, certificates, size, names) {
                    (pki::ShapeError::Certificates, Some(count), ..) => count.place,
                    (pki::ShapeError::Name(bad), .., Some(names)) => {
                        names.iter().find(|name| name.value == *bad).map_or(keys.place, |name| name.place)
                    }
                    (_, _, Some(size), _) => size.place,
                    _ => keys.place,
                };
                Err(self.error_at(place, "no chain has this shape", error.to_string()))
            }
        }
    }

    fn endpoint(
        &self,
        both: &EndpointKeys,
        own: &EndpointKeys,
        role: Role,
        dtls: Dtls,
        credentials: &CredentialsSpec,
    ) -> Result<EndpointSpec, Error> {
        let mtu = match own.mtu.as_ref().or(both.mtu.as_ref()) {
            None => MTU_DEFAULT,
            Some(at) => {
                let mtu = self.read(at)?;
                u16::try_from(mtu).ok().filter(|_| (MTU_MIN..=MTU_MAX).contains(&mtu)).ok_or_else(|| {
                    let help =
                        format!("from {MTU_MIN} B, below which no stack can work, to {MTU_MAX} B, UDP's largest");
                    self.error(at, format!("an endpoint cannot have an MTU of {mtu} B"), help)
                })?
            }
        };
        if let (Role::Client, Some(cookie)) = (role, own.cookie.as_ref().or(own.any_cookie.as_ref())) {
            return Err(self.error(cookie, "a client does not ask for cookies", "put `cookie` under `server`"));
        }
        let any_cookie = own.any_cookie.as_ref().or(both.any_cookie.as_ref());
        if let (Some(any), Some(_)) = (any_cookie, own.cookie.as_ref().or(both.cookie.as_ref())) {
            return Err(self.error(any, "with `cookie` the choice is made", "keep one of them"));
        }
        let any_cookie = any_cookie.is_some_and(|any| any.value);
        let suites = own.suites.as_ref().or(both.suites.as_ref());
        let groups = own.groups.as_ref().or(both.groups.as_ref()).cloned().unwrap_or_default();
        let kem = groups.iter().find(|group| group.value == Group::X25519MlKem768);
        if let Some(group) = kem.filter(|_| dtls == Dtls::V12) {
            let help = "in DTLS 1.2 the server speaks first, which a KEM does not allow; set `dtls: 1.3`";
            return Err(self.error(group, "DTLS 1.2 cannot use this group", help));
        }
        for suite in suites.into_iter().flatten() {
            self.suite(suite, dtls, credentials)?;
        }
        let timer = |pick: fn(&TimerKeys) -> Option<&Value<Time>>| {
            own.timer.as_ref().and_then(pick).or_else(|| both.timer.as_ref().and_then(pick))
        };
        let (initial, max) = (timer(|timer| timer.initial.as_ref()), timer(|timer| timer.max.as_ref()));
        let give_up = own.give_up.as_ref().or(both.give_up.as_ref());
        for at in [initial, max, give_up].into_iter().flatten() {
            if self.read(at)?.is_zero() {
                return Err(self.error(at, "a timer of zero would fire for ever", "write a time, for example `1 s`"));
            }
        }
        let (timer_initial, timer_max) = (self.read_option(initial)?, self.read_option(max)?);
        if let (Some(first), Some(cap), Some(at)) = (timer_initial, timer_max, max)
            && cap < first
        {
            return Err(self.error(at, "the cap is below the first timeout", "`max` is at least `initial`"));
        }
        Ok(EndpointSpec {
            mtu,
            cookie: own.cookie.as_ref().or(both.cookie.as_ref()).is_none_or(|cookie| cookie.value),
            any_cookie,
            suites: suites.into_iter().flatten().map(|suite| suite.value.clone()).collect(),
            groups: groups.iter().map(|group| group.value).collect(),
            timer_initial,
            timer_max,
            give_up: self.read_option(give_up)?,
            features: self.features(both, own, role, dtls, credentials)?,
        })
    }

    fn suite(&self, suite: &At<String>, dtls: Dtls, credentials: &CredentialsSpec) -> Result<(), Error> {
        let name = suite.value.as_str();
        let names: &[&str] = match dtls {
            Dtls::V12 => &names::SUITES,
            Dtls::V13 => &names::SUITES13,
        };
        if !names.contains(&name) {
            let help = match name.strip_prefix("TLS_") {
                Some(rest) if names.contains(&rest) => format!("leave out the prefix: `{rest}`"),
                _ => names::suggest(name, names, "suites are"),
            };
            return Err(self.error(suite, format!("there is no suite `{name}` here"), help));
        }
        if dtls == Dtls::V13 {
            // Its suites go with any credentials.
            return Ok(());
        }
        let (prefix, called) = match credentials {
            CredentialsSpec::Psk { ecdhe: false } => ("PSK_", "psk"),
            CredentialsSpec::Psk { ecdhe: true } => ("ECDHE_PSK_", "ecdhe-psk"),
            CredentialsSpec::Certificate(_) => ("ECDHE_ECDSA_", "certificate"),
        };
        if name.starts_with(prefix) {
            return Ok(());
        }
        let help = format!("suites for `credentials: {called}` begin with `{prefix}WITH_`");
        Err(self.error(suite, format!("`{name}` cannot work with these credentials"), help))
    }
}

//! What endpoints are to be capable of beyond a handshake.

use std::time::Duration;

use super::CredentialsSpec;
use super::error::{Error, Source};
use super::file::endpoints::{EndpointKeys, TimerKeys};
use super::text::{Either, Time, Value};
use crate::endpoint::{
    AdaptiveTimer, ClientAuth, Dtls, EarlyData, Features, PskMode, ResumeBy, Resumption, ReturnRoutability, Role,
};
use crate::pki::ChainShape;

/// Most early data that a file may allow: what one record holds, a few times over.
const EARLY_DATA_MAX: u32 = 1 << 20;
const EARLY_DATA_DEFAULT: u32 = 1 << 14;
const TICKETS_MAX: u64 = 8;
/// RFC 8449 §4; DTLS 1.3 counts one byte more, the content type.
const RECORD_SIZE_LIMIT_MIN: u16 = 64;
const RECORD_SIZE_LIMIT_MAX: u16 = 1 << 14;
const MAX_FRAGMENT_LENGTHS: [u16; 4] = [512, 1024, 2048, 4096];
const ADAPTIVE_MAX: Duration = Duration::from_secs(24 * 3600);

impl Source<'_> {
    pub(super) fn features(
        &self,
        both: &EndpointKeys,
        own: &EndpointKeys,
        role: Role,
        dtls: Dtls,
        credentials: &CredentialsSpec,
    ) -> Result<Features, Error> {
        self.only_servers(own, role)?;
        Ok(Features {
            resumption: self.resumption(both, own, role, dtls)?,
            psk_modes: self.psk_modes(both, own, dtls)?,
            psk_import: match own.psk_import.as_ref().or(both.psk_import.as_ref()) {
                None => None,
                Some(at) if dtls == Dtls::V12 || !matches!(credentials, CredentialsSpec::Psk { .. }) => {
                    let help = "it is for `dtls: 1.3` with `credentials: psk` or `ecdhe-psk`";
                    return Err(self.error(at, "there is no pre-shared key to import", help));
                }
                Some(at) => Some(at.value.clone()),
            },
            early_data: self.early_data(both, own, role, dtls)?,
            client_auth: self.client_auth(both, own, role, credentials)?,
            client_certificate: self.client_certificate(both, own, role, credentials)?,
            raw_public_keys: self.raw_public_keys(both, own, credentials)?,
            connection_id: self.connection_id(both, own)?,
            return_routability: self.return_routability(both, own)?,
            alpn: self.alpn(both, own)?,
            record_size_limit: self.record_size_limit(both, own, dtls)?,
            max_fragment_length: self.max_fragment_length(both, own, role)?,
            adaptive_timer: self.adaptive_timer(both, own)?,
            path_mtu: own.path_mtu.as_ref().or(both.path_mtu.as_ref()).map(|at| at.value),
            follow_unchecked: own
                .follow_unchecked
                .as_ref()
                .or(both.follow_unchecked.as_ref())
                .is_some_and(|at| at.value),
            ..Features::default()
        })
    }

    fn only_servers(&self, own: &EndpointKeys, role: Role) -> Result<(), Error> {
        let help = "a client resumes, and sends early data, in a visit; see `visits`";
        match (role, &own.resumption, &own.early_data) {
            (Role::Client, Some(at), _) => Err(self.error(at, "this is for servers", help)),
            (Role::Client, _, Some(at)) => Err(self.error(at, "this is for servers", help)),
            _ => Ok(()),
        }
    }

    fn resumption(
        &self,
        both: &EndpointKeys,
        own: &EndpointKeys,
        role: Role,
        dtls: Dtls,
    ) -> Result<Option<Resumption>, Error> {
        let Some(at) = own.resumption.as_ref().or(both.resumption.as_ref()).filter(|_| role == Role::Server) else {
            return Ok(None);
        };
        let resumption = match &at.value {
            Either::Short(text) => Resumption { by: self.read_text(at, text)?, count: None, lifetime: None },
            Either::Long(keys) => Resumption {
                by: keys.by.unwrap_or_default(),
                count: match &keys.count {
                    None => None,
                    Some(at) => match self.read(at)? {
                        count @ 1..=TICKETS_MAX => Some(count as u8),
                        count => {
                            let help = format!("from 1 to {TICKETS_MAX}");
                            return Err(self.error(at, format!("no server gives {count} tickets"), help));
                        }
                    },
                },
                lifetime: self.read_option(keys.lifetime.as_ref())?,
            },
        };
        match (dtls, resumption) {
            (Dtls::V13, Resumption { by: ResumeBy::SessionIds, .. }) => {
                Err(self.error(at, "DTLS 1.3 does not resume by session ID", "write `tickets`"))
            }
            (Dtls::V12, Resumption { count: Some(_), .. }) => {
                Err(self.error(at, "a client of DTLS 1.2 gets one ticket", "leave out `count`"))
            }
            _ => Ok(Some(resumption)),
        }
    }

    fn psk_modes(&self, both: &EndpointKeys, own: &EndpointKeys, dtls: Dtls) -> Result<Vec<PskMode>, Error> {
        let Some(at) = own.psk_modes.as_ref().or(both.psk_modes.as_ref()) else { return Ok(Vec::new()) };
        if dtls == Dtls::V12 {
            let help = "in DTLS 1.2 it is a matter of the cipher suite: see `credentials: ecdhe-psk`";
            return Err(self.error(at, "DTLS 1.2 has no PSK modes", help));
        }
        if at.value.is_empty() {
            return Err(self.error(at, "no mode is left", "name `psk-dhe-ke`, `psk-ke`, or both"));
        }
        Ok(at.value.clone())
    }

    fn early_data(
        &self,
        both: &EndpointKeys,
        own: &EndpointKeys,
        role: Role,
        dtls: Dtls,
    ) -> Result<Option<EarlyData>, Error> {
        let Some(at) = own.early_data.as_ref().or(both.early_data.as_ref()).filter(|_| role == Role::Server) else {
            return Ok(None);
        };
        if dtls == Dtls::V12 {
            return Err(self.error(at, "DTLS 1.2 has no early data", "set `dtls: 1.3`"));
        }
        if own.resumption.as_ref().or(both.resumption.as_ref()).is_none() {
            return Err(self.error(at, "early data needs a ticket", "add `resumption: tickets`"));
        }
        let (max, window, without_cookie) = match &at.value {
            Either::Short(text) => (self.read_text(at, text)?, None, false),
            Either::Long(keys) => {
                let max = self.read_option(keys.max.as_ref())?.unwrap_or(EARLY_DATA_DEFAULT);
                (max, self.read_option(keys.window.as_ref())?, keys.without_cookie.unwrap_or(false))
            }
        };
        if !(1..=EARLY_DATA_MAX).contains(&max) {
            let help = format!("from 1 B to {EARLY_DATA_MAX} B");
            return Err(self.error(at, format!("a server cannot take {max} B of early data"), help));
        }
        Ok(Some(EarlyData { max, window, without_cookie }))
    }

    fn client_auth(
        &self,
        both: &EndpointKeys,
        own: &EndpointKeys,
        role: Role,
        credentials: &CredentialsSpec,
    ) -> Result<ClientAuth, Error> {
        let Some(at) = own.client_auth.as_ref().or(both.client_auth.as_ref()) else { return Ok(ClientAuth::None) };
        if role == Role::Client && own.client_auth.is_some() {
            return Err(self.error(at, "a client is not asked by itself", "put `client-auth` under `server`"));
        }
        if at.value != ClientAuth::None && matches!(credentials, CredentialsSpec::Psk { .. }) {
            return Err(self.error(at, "clients have pre-shared keys here", "it goes with `credentials: certificate`"));
        }
        Ok(if role == Role::Server { at.value } else { ClientAuth::None })
    }

    fn client_certificate(
        &self,
        both: &EndpointKeys,
        own: &EndpointKeys,
        role: Role,
        credentials: &CredentialsSpec,
    ) -> Result<Option<ChainShape>, Error> {
        let Some(at) = own.certificate.as_ref().or(both.certificate.as_ref()) else { return Ok(None) };
        if role == Role::Server || own.certificate.is_none() {
            let help = "that of the server is under `credentials`; put this one under `client`";
            return Err(self.error(at, "this is for clients", help));
        }
        if matches!(credentials, CredentialsSpec::Psk { .. }) {
            return Err(self.error(at, "clients have pre-shared keys here", "it goes with `credentials: certificate`"));
        }
        self.chain(at, ChainShape::of_client()).map(Some)
    }

    fn raw_public_keys(
        &self,
        both: &EndpointKeys,
        own: &EndpointKeys,
        credentials: &CredentialsSpec,
    ) -> Result<bool, Error> {
        match own.raw_public_keys.as_ref().or(both.raw_public_keys.as_ref()) {
            Some(at) if at.value && matches!(credentials, CredentialsSpec::Psk { .. }) => {
                let help = "they are for `credentials: certificate`, whose keys they are";
                Err(self.error(at, "there are no public keys here", help))
            }
            at => Ok(at.is_some_and(|at| at.value)),
        }
    }

    fn connection_id(&self, both: &EndpointKeys, own: &EndpointKeys) -> Result<Option<u8>, Error> {
        let Some(at) = own.connection_id.as_ref().or(both.connection_id.as_ref()) else { return Ok(None) };
        let len = self.read(at)?;
        match u8::try_from(len) {
            Ok(len) => Ok(Some(len)),
            Err(_) => Err(self.error(at, format!("no connection ID has {len} B"), "from 0 B to 255 B")),
        }
    }

    fn return_routability(&self, both: &EndpointKeys, own: &EndpointKeys) -> Result<Option<ReturnRoutability>, Error> {
        let Some(at) = own.return_routability.as_ref().or(both.return_routability.as_ref()) else { return Ok(None) };
        if own.connection_id.as_ref().or(both.connection_id.as_ref()).is_none() {
            let help = "add `connection-id: 8 B`";
            return Err(self.error(at, "without connection IDs no address changes", help));
        }
        Ok(Some(at.value))
    }

    fn alpn(&self, both: &EndpointKeys, own: &EndpointKeys) -> Result<Vec<String>, Error> {
        let names = own.alpn.as_ref().or(both.alpn.as_ref()).into_iter().flatten();
        names
            .map(|name| match name.value.len() {
                1..=255 => Ok(name.value.clone()),
                _ => Err(self.error(name, "no protocol has such a name", "names have 1 to 255 bytes (RFC 7301 §3.1)")),
            })
            .collect()
    }

    fn max_fragment_length(&self, both: &EndpointKeys, own: &EndpointKeys, role: Role) -> Result<Option<u16>, Error> {
        let Some(at) = own.max_fragment_length.as_ref().or(both.max_fragment_length.as_ref()) else { return Ok(None) };
        if role == Role::Server || own.max_fragment_length.is_none() {
            return Err(self.error(at, "a server does not ask for it", "put `max-fragment-length` under `client`"));
        }
        let length = self.read(at)?;
        match u16::try_from(length).ok().filter(|length| MAX_FRAGMENT_LENGTHS.contains(length)) {
            Some(length) => Ok(Some(length)),
            None => {
                let help = "512 B, 1024 B, 2048 B or 4096 B (RFC 6066 §4)";
                Err(self.error(at, format!("fragments of {length} B cannot be asked for"), help))
            }
        }
    }

    fn adaptive_timer(&self, both: &EndpointKeys, own: &EndpointKeys) -> Result<Option<AdaptiveTimer>, Error> {
        let (both, own) = (both.timer.as_ref(), own.timer.as_ref());
        let time = |pick: fn(&TimerKeys) -> Option<&Value<Time>>| own.and_then(pick).or_else(|| both.and_then(pick));
        let adaptive = |keys: &TimerKeys| keys.adaptive.as_ref().map(|at| at.value);
        let (hint, min) = (time(|keys| keys.rtt_hint.as_ref()), time(|keys| keys.min.as_ref()));
        for at in [hint, min].into_iter().flatten() {
            let time = self.read(at)?;
            if time.is_zero() || time > ADAPTIVE_MAX {
                return Err(self.error(at, "no timer follows this", "more than nothing, and at most a day: 24 h"));
            }
        }
        if !own.and_then(adaptive).or_else(|| both.and_then(adaptive)).unwrap_or(hint.is_some()) {
            return match hint.or(min) {
                Some(at) => Err(self.error(at, "this is for a timer that adapts", "add `adaptive: true`")),
                None => Ok(None),
            };
        }
        let (rtt_hint, least) = (self.read_option(hint)?, self.read_option(min)?);
        let max = self.read_option(time(|keys| keys.max.as_ref()))?;
        match (min, least, max) {
            (Some(at), Some(least), Some(max)) if max < least => {
                Err(self.error(at, "the least timeout is above the cap", "`min` is at most `max`"))
            }
            _ => Ok(Some(AdaptiveTimer { rtt_hint, min: least })),
        }
    }

    fn record_size_limit(&self, both: &EndpointKeys, own: &EndpointKeys, dtls: Dtls) -> Result<Option<u16>, Error> {
        let Some(at) = own.record_size_limit.as_ref().or(both.record_size_limit.as_ref()) else { return Ok(None) };
        let max = if dtls == Dtls::V13 { RECORD_SIZE_LIMIT_MAX + 1 } else { RECORD_SIZE_LIMIT_MAX };
        let limit = self.read(at)?;
        match u16::try_from(limit).ok().filter(|limit| (RECORD_SIZE_LIMIT_MIN..=max).contains(limit)) {
            Some(limit) => Ok(Some(limit)),
            None => {
                let help = format!("from {RECORD_SIZE_LIMIT_MIN} B to {max} B (RFC 8449 §4)");
                Err(self.error(at, format!("no record has a limit of {limit} B"), help))
            }
        }
    }
}

//! An endpoint's configuration as C has it. Owns what the pointers in it point to.

use std::ffi::{CString, c_char};
use std::time::Duration;

use dtls_impl::config::CertifiedKey;
use dtls_impl::crypto::rustcrypto;

use super::abi::{self, Bytes};
use crate::endpoint::{ClientAuth, Credentials, Dtls, EndpointConfig, PskMode, ResumeBy, ReturnRoutability, Role};
use crate::pki::{self, Identity};

/// A configuration for C, and what it points to. What the pointers point to is on the heap: moving this moves none of it.
pub(super) struct Config {
    raw: abi::Config,
    _texts: Vec<CString>,
    _lists: Vec<Vec<*const c_char>>,
    _chain: Vec<Bytes>,
    _bytes: Vec<Vec<u8>>,
}

impl Config {
    /// Refuses what no C string can hold.
    pub(super) fn new(config: &EndpointConfig) -> Result<Self, String> {
        let mut texts = Vec::new();
        let mut lists: Vec<Vec<*const c_char>> = Vec::new();
        let mut bytes: Vec<Vec<u8>> = Vec::new();
        let mut text = |text: &str| {
            let text = CString::new(text).map_err(|_| format!("takes no name with a zero byte, as {text:?} is"))?;
            texts.push(text);
            Ok::<*const c_char, String>(texts.last().map_or(std::ptr::null(), |text| text.as_ptr()))
        };
        let mut list = |names: Vec<*const c_char>| {
            lists.push(names);
            lists.last().map_or((std::ptr::null(), 0), |names| (names.as_ptr(), names.len()))
        };
        let mut keep = |data: Vec<u8>| {
            bytes.push(data);
            bytes.last().map_or(Bytes::NONE, |data| Bytes::of(data))
        };

        let features = &config.features;
        let server_name = text(&config.server_name)?;
        let psk_import = match &features.psk_import {
            None => std::ptr::null(),
            Some(context) => text(context)?,
        };
        let mut names = |names: Vec<String>| {
            let names = names.iter().map(|name| text(name)).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, String>(if names.is_empty() { (std::ptr::null(), 0) } else { list(names) })
        };
        let (suites, suites_len) = names(config.suites.clone())?;
        let (groups, groups_len) = names(config.groups.iter().map(ToString::to_string).collect())?;
        let (alpn, alpn_len) = names(features.alpn.clone())?;

        let (credentials, psk_identity, psk_key) = match &config.credentials {
            Credentials::Certificate(_) => (0, Bytes::NONE, Bytes::NONE),
            Credentials::Psk { identity, key, ecdhe } => {
                (1 + u8::from(*ecdhe), keep(identity.clone()), keep(key.clone()))
            }
        };
        let Ends { own, peer } = Ends::of(config);
        let chain: Vec<Bytes> =
            own.iter().flat_map(|own| &own.chain).map(|certificate| keep(certificate.to_vec())).collect();
        let key = own.as_ref().map_or(Bytes::NONE, |own| keep(own.key.secret_der().to_vec()));
        let root = peer.as_ref().map_or(Bytes::NONE, |peer| keep(peer.root.to_vec()));
        let peer_key = match peer {
            None => Bytes::NONE,
            Some(peer) => {
                let key = CertifiedKey::raw_public_key(&*rustcrypto::provider(), &peer.key);
                keep(key.map_err(|error| error.to_string())?.public_key().to_vec())
            }
        };
        let mut psk_modes = [0; 2];
        for (slot, mode) in psk_modes.iter_mut().zip(&features.psk_modes) {
            *slot = match mode {
                PskMode::PskDheKe => 1,
                PskMode::PskKe => 2,
            };
        }
        let resumption = features.resumption.unwrap_or_default();
        let raw = abi::Config {
            size: size_of::<abi::Config>() as u32,
            role: match config.role {
                Role::Client => 0,
                Role::Server => 1,
            },
            version: match config.dtls {
                Dtls::V12 => 12,
                Dtls::V13 => 13,
            },
            credentials,
            cookie: u8::from(config.cookie),
            mtu: config.mtu,
            record_size_limit: features.record_size_limit.unwrap_or(0),
            server_name,
            unix_time: config.unix_time,
            psk_identity,
            psk_key,
            psk_import,
            psk_modes,
            client_auth: match features.client_auth {
                ClientAuth::None => 0,
                ClientAuth::Optional => 1,
                ClientAuth::Required => 2,
            },
            raw_public_keys: u8::from(features.raw_public_keys),
            chain: if chain.is_empty() { std::ptr::null() } else { chain.as_ptr() },
            chain_len: chain.len(),
            key,
            root,
            peer_key,
            suites,
            suites_len,
            groups,
            groups_len,
            alpn,
            alpn_len,
            timer_initial: nanos(config.timer_initial),
            timer_max: nanos(config.timer_max),
            give_up: nanos(config.give_up),
            resumption: match (features.resumption, resumption.by) {
                (None, _) => 0,
                (Some(_), ResumeBy::Tickets) => 1,
                (Some(_), ResumeBy::SessionIds) => 2,
            },
            tickets: resumption.count.unwrap_or(0),
            ticket_lifetime: nanos(resumption.lifetime),
            // A client is told that it is to send some, not how much.
            early_data: features.early_data.map_or(0, |early| early.max.max(1)),
            early_data_window: nanos(features.early_data.and_then(|early| early.window)),
            connection_id: features.connection_id.map_or(-1, i32::from),
            return_routability: match features.return_routability {
                None => 0,
                Some(ReturnRoutability::None) => 1,
                Some(ReturnRoutability::Basic) => 2,
                Some(ReturnRoutability::Enhanced) => 3,
            },
            follow_unchecked: u8::from(features.follow_unchecked),
            key_update: u8::from(features.key_update),
            connection_id_messages: u8::from(features.connection_id_messages),
            early_data_without_cookie: u8::from(features.early_data.is_some_and(|early| early.without_cookie)),
        };
        Ok(Self { raw, _texts: texts, _lists: lists, _chain: chain, _bytes: bytes })
    }

    pub(super) fn raw(&self) -> *const abi::Config {
        &self.raw
    }
}

/// Zero leaves the choice to the stack, so a zero that is asked for becomes the next thing to it.
fn nanos(duration: Option<Duration>) -> u64 {
    duration.map_or(0, |duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).max(1))
}

/// What this end shows, and what the other does; `None` for ends without certificates.
struct Ends {
    own: Option<std::sync::Arc<Identity>>,
    peer: Option<std::sync::Arc<Identity>>,
}

impl Ends {
    fn of(config: &EndpointConfig) -> Self {
        let Credentials::Certificate(server) = &config.credentials else { return Self { own: None, peer: None } };
        let features = &config.features;
        match config.role {
            Role::Client => {
                let own = features.client_certificate.as_ref().map(pki::identity);
                Self { own, peer: Some(std::sync::Arc::clone(server)) }
            }
            Role::Server => {
                let asks = features.client_auth != ClientAuth::None;
                let peer = asks.then(|| pki::identity(&features.client_shape()));
                Self { own: Some(std::sync::Arc::clone(server)), peer }
            }
        }
    }
}

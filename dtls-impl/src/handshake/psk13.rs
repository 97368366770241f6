//! Pre-shared keys of DTLS 1.3 as both sides see them: which are offered, which is known, and the binders that prove
//! knowledge (RFC 8446 §4.2.11).

use rustls_pki_types::ServerName;

use super::ticket::{self, Ticket13};
use super::transcript::Transcript;
use crate::config::{ClientConfig, ClientCredentials, ServerConfig, ServerCredentials};
use crate::crypto::hkdf::Hkdf;
use crate::crypto::importer::ImportedIdentity;
use crate::crypto::schedule13::{KeySchedule, PskOrigin};
use crate::crypto::{CryptoProvider, Digest, HashAlgorithm, Secret};
use crate::error::{Error, Misuse, PeerMisbehaved};
use crate::session::{ClientSession, Kind, Ticket};
use crate::suite::{Suite13, find13};
use crate::time::Instant;
use crate::wire::{Extension, HandshakeType, OfferedPsk};
use std::sync::Arc;

/// Hash of an external PSK, unless agreed on otherwise (RFC 8446 §4.2.11).
const EXTERNAL_HASH: HashAlgorithm = HashAlgorithm::Sha256;

/// A key that a client offers.
#[derive(Debug)]
pub(crate) struct OwnPsk {
    identity: Vec<u8>,
    pub(crate) key: Secret,
    pub(crate) hash: HashAlgorithm,
    pub(crate) origin: PskOrigin,
    ticket: Option<Box<Ticket>>,
}

impl core::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Ticket(..)")
    }
}

/// All keys that a client offers: a session's first, then the external one, imported for each hash if wanted.
pub(crate) fn own_psks(
    config: &ClientConfig,
    server_name: Option<&ServerName<'static>>,
    session: Option<ClientSession>,
    suites: &[Suite13],
    now: Instant,
) -> Result<Vec<OwnPsk>, Error> {
    let mut psks = Vec::new();
    if let Some(session) = session {
        let Kind::V13(ticket) = session.kind;
        let fits = session.server_name.as_ref() == server_name
            && suites.iter().any(|suite| suite.hash == ticket.suite.hash)
            && ticket.is_fresh(config.common.date_millis(now));
        if !fits {
            return Err(Misuse::SessionNotUsable.into());
        }
        psks.push(OwnPsk {
            identity: ticket.identity.clone(),
            key: ticket.psk.clone(),
            hash: ticket.suite.hash,
            origin: PskOrigin::Resumption,
            ticket: Some(Box::new(ticket)),
        });
    }
    let ClientCredentials::Psk(external) = &config.credentials else { return Ok(psks) };
    let Some(context) = &config.common.psk_import else {
        let (identity, key) = (external.identity.clone(), external.key.clone());
        psks.push(OwnPsk { identity, key, hash: EXTERNAL_HASH, origin: PskOrigin::External, ticket: None });
        return Ok(psks);
    };
    for target in [HashAlgorithm::Sha256, HashAlgorithm::Sha384] {
        if suites.iter().any(|suite| suite.hash == target) {
            let imported = ImportedIdentity { external_identity: &external.identity, context, target };
            let hkdf = Hkdf::dtls13(Arc::clone(&config.common.provider), EXTERNAL_HASH);
            let key = imported.import(&hkdf, &external.key).map_err(Error::Crypto)?;
            let identity = imported.to_bytes();
            psks.push(OwnPsk { identity, key, hash: target, origin: PskOrigin::Imported, ticket: None });
        }
    }
    Ok(psks)
}

/// The extension with all keys and with binders of the right length, but empty.
pub(crate) fn offer(psks: &[OwnPsk], now_millis: u64) -> Extension<'static> {
    const ZEROS: [u8; 48] = [0; 48];
    let offered: Vec<_> = psks
        .iter()
        .map(|psk| OfferedPsk {
            identity: &psk.identity,
            obfuscated_ticket_age: psk.ticket.as_ref().map_or(0, |ticket| ticket.obfuscated_age(now_millis)),
            binder: &ZEROS[..psk.hash.output_len()],
        })
        .collect();
    Extension::offered_psks(&offered)
}

/// Fills in the binders, which are at the end of a ClientHello, each behind its length.
pub(crate) fn bind(psks: &[OwnPsk], transcript: &Transcript, provider: &Arc<dyn CryptoProvider>, body: &mut [u8]) {
    let list_len: usize = psks.iter().map(|psk| 1 + psk.hash.output_len()).sum();
    let mut at = body.len() - list_len;
    let covered = at - 2;
    for psk in psks {
        let hash = transcript.hash_with(&**provider, psk.hash, HandshakeType::CLIENT_HELLO, body, covered);
        let binder = binder(provider, psk.hash, psk.origin, &psk.key, &hash);
        body[at + 1..at + 1 + psk.hash.output_len()].copy_from_slice(binder.as_ref());
        at += 1 + psk.hash.output_len();
    }
}

fn binder(
    provider: &Arc<dyn CryptoProvider>,
    algorithm: HashAlgorithm,
    origin: PskOrigin,
    key: &Secret,
    hash: &Digest,
) -> Digest {
    KeySchedule::new(Hkdf::dtls13(Arc::clone(provider), algorithm), Some(key.expose())).binder(origin, hash)
}

/// A key that a server knows among those offered.
#[derive(Debug)]
pub(crate) struct KnownPsk {
    pub(crate) index: u16,
    pub(crate) key: Secret,
    pub(crate) hash: HashAlgorithm,
    pub(crate) origin: PskOrigin,
    binder: Vec<u8>,
}

impl KnownPsk {
    /// Whether its binder is right for a ClientHello of which `covered` bytes come before the binders.
    pub(crate) fn check_binder(
        &self,
        transcript: &Transcript,
        provider: &Arc<dyn CryptoProvider>,
        body: &[u8],
        covered: usize,
    ) -> Result<(), Error> {
        let hash = transcript.hash_with(&**provider, self.hash, HandshakeType::CLIENT_HELLO, body, covered);
        let good = binder(provider, self.hash, self.origin, &self.key, &hash) == Digest::new(&self.binder);
        if good { Ok(()) } else { Err(PeerMisbehaved::BadBinder.into()) }
    }
}

/// The keys of a server's among those offered, in the client's order. What is not known, not fresh or not for this server
/// is passed over.
pub(crate) fn known_psks(offered: &[OfferedPsk<'_>], config: &ServerConfig, now: Instant) -> Vec<KnownPsk> {
    let known = offered.iter().enumerate().filter_map(|(index, psk)| {
        let (key, hash, origin) = from_ticket(psk, config, now).or_else(|| external(psk, config))?;
        Some(KnownPsk { index: index as u16, key, hash, origin, binder: psk.binder.to_vec() })
    });
    known.collect()
}

fn from_ticket(
    psk: &OfferedPsk<'_>,
    config: &ServerConfig,
    now: Instant,
) -> Option<(Secret, HashAlgorithm, PskOrigin)> {
    let tickets = config.tickets.as_ref()?;
    let content = ticket::open(&tickets.keys, &*config.common.provider, psk.identity)?;
    let ticket = Ticket13::from_content(&content)?;
    let suite = find13(ticket.suite)?;
    ticket.is_fresh(config.common.date_millis(now)).then_some((ticket.psk, suite.hash, PskOrigin::Resumption))
}

fn external(psk: &OfferedPsk<'_>, config: &ServerConfig) -> Option<(Secret, HashAlgorithm, PskOrigin)> {
    let ServerCredentials::Psk { keys, .. } = &config.credentials else { return None };
    let Some(context) = &config.common.psk_import else {
        return Some((keys.get(psk.identity)?.clone(), EXTERNAL_HASH, PskOrigin::External));
    };
    let imported = ImportedIdentity::parse(psk.identity).ok().filter(|imported| imported.context == context)?;
    let hkdf = Hkdf::dtls13(Arc::clone(&config.common.provider), EXTERNAL_HASH);
    let key = imported.import(&hkdf, keys.get(imported.external_identity)?).ok()?;
    Some((key, imported.target, PskOrigin::Imported))
}

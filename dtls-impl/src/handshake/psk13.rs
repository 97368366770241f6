//! Pre-shared keys of DTLS 1.3 as both sides see them: which are offered, which is known, and the binders that prove
//! knowledge (RFC 8446 §4.2.11).

use std::sync::Arc;

use rustls_pki_types::ServerName;

use super::authentication::still_welcome;
use super::ticket::{self, Ticket13};
use super::transcript::Transcript;
use crate::config::{ClientConfig, ClientCredentials, EarlyData, ServerConfig, ServerCredentials};
use crate::crypto::hkdf::Hkdf;
use crate::crypto::importer::ImportedIdentity;
use crate::crypto::schedule13::{KeySchedule, PskOrigin};
use crate::crypto::{CryptoProvider, Digest, HashAlgorithm, Secret};
use crate::error::{Error, Misuse, PeerMisbehaved};
use crate::negotiated::PeerIdentity;
use crate::session::{ClientSession, Kind, Ticket};
use crate::suite::{Suite13, find13};
use crate::terms::Terms;
use crate::time::Instant;
use crate::wire::{CipherSuite, Extension, HandshakeType, OfferedPsk};

/// Hash of an external PSK, unless agreed on otherwise (RFC 8446 §4.2.11).
const EXTERNAL_HASH: HashAlgorithm = HashAlgorithm::Sha256;

/// A key that a client offers.
#[derive(Debug)]
pub(crate) struct OwnPsk {
    identity: Vec<u8>,
    pub(crate) key: Secret,
    pub(crate) hash: HashAlgorithm,
    pub(crate) origin: PskOrigin,
    /// Who the server is if it has this key.
    pub(crate) peer: PeerIdentity,
    ticket: Option<Box<Ticket>>,
}

impl OwnPsk {
    /// The ticket, if early data may go with it.
    pub(crate) fn early_data(&self) -> Option<&Ticket> {
        self.ticket.as_deref().filter(|ticket| ticket.early_data_max != 0)
    }
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
        let Kind::V13(ticket) = session.kind else { return Err(Misuse::SessionNotUsable.into()) };
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
            peer: ticket.server.clone(),
            ticket: Some(ticket),
        });
    }
    let ClientCredentials::Psk(external) = &config.credentials else { return Ok(psks) };
    let peer = PeerIdentity::Psk(external.identity.clone());
    let Some(context) = &config.common.psk_import else {
        let (identity, key) = (external.identity.clone(), external.key.clone());
        psks.push(OwnPsk { identity, key, hash: EXTERNAL_HASH, origin: PskOrigin::External, peer, ticket: None });
        return Ok(psks);
    };
    for target in [HashAlgorithm::Sha256, HashAlgorithm::Sha384] {
        if suites.iter().any(|suite| suite.hash == target) {
            let imported = ImportedIdentity { external_identity: &external.identity, context, target };
            let hkdf = Hkdf::dtls13(Arc::clone(&config.common.provider), EXTERNAL_HASH);
            let key = imported.import(&hkdf, &external.key).map_err(Error::Crypto)?;
            let (identity, peer) = (imported.to_bytes(), peer.clone());
            psks.push(OwnPsk { identity, key, hash: target, origin: PskOrigin::Imported, peer, ticket: None });
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
    /// Who the client is if it has this key.
    pub(crate) peer: PeerIdentity,
    /// When its session began with a full handshake, in milliseconds since 1970: for a ticket.
    pub(crate) began: Option<u64>,
    /// What a ticket allows beyond resumption.
    early: Option<EarlyOffer>,
    binder: Vec<u8>,
}

/// What decides about early data.
#[derive(Debug)]
struct EarlyOffer {
    suite: CipherSuite,
    alpn: Option<Vec<u8>>,
    max: u32,
    age_skew: u64,
    /// Hash of the ticket.
    id: [u8; 32],
}

impl KnownPsk {
    /// Bytes of early data that may come, if any: the key is the first that the client offers, with the suite and the
    /// application's protocol it came with, the hello is as young as its ticket's age says (RFC 8446 §4.2.10, §8.3), and
    /// what the ticket promised still holds.
    pub(crate) fn early_data_max(&self, suite: Suite13, terms: &Terms, policy: &EarlyData) -> Option<u32> {
        let early = self.early.as_ref().filter(|early| early.suite == suite.code && early.alpn == terms.alpn)?;
        let fits = self.index == 0 && early.age_skew <= policy.window_millis();
        (fits && (1..=policy.max_size).contains(&early.max)).then_some(early.max)
    }

    /// Whether the ticket comes with early data for the first time. To be asked only once its binder was found right.
    pub(crate) fn claim(&self, policy: &EarlyData, now_millis: u64) -> bool {
        // The same hello is fresh for twice the window.
        let span = 2 * policy.window_millis();
        self.early.as_ref().is_some_and(|early| policy.guard.claim(early.id, now_millis, span))
    }

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

/// Keys on offer that a server looks at, so that no hello costs it much: a client has a ticket or two, and an external key
/// for each hash.
const OFFERED_MAX: usize = 8;

/// The keys of a server's among those offered, in the client's order. What is not known, not fresh or not for this server
/// is passed over; and what is of a client that would no longer be let in, if that is to be verified.
pub(crate) fn known_psks(
    offered: &[OfferedPsk<'_>],
    config: &ServerConfig,
    now: Instant,
    verify: bool,
) -> Vec<KnownPsk> {
    let known = offered.iter().take(OFFERED_MAX).enumerate().filter_map(|(index, psk)| {
        from_ticket(index as u16, psk, config, now, verify).or_else(|| external(index as u16, psk, config))
    });
    known.collect()
}

fn from_ticket(index: u16, psk: &OfferedPsk<'_>, config: &ServerConfig, at: Instant, verify: bool) -> Option<KnownPsk> {
    let tickets = config.tickets.as_ref()?;
    let (provider, now) = (&*config.common.provider, config.common.date_millis(at));
    let content = ticket::open(&tickets.keys, provider, psk.identity)?;
    let ticket = Ticket13::from_content(&content).filter(|ticket| ticket.is_fresh(now))?;
    if verify && !still_welcome(&ticket.client, config, at) {
        return None;
    }
    let age_skew = ticket.age_skew(psk.obfuscated_ticket_age, now);
    let early = EarlyOffer {
        suite: ticket.suite,
        alpn: ticket.alpn,
        max: ticket.early_data_max,
        age_skew,
        id: provider.hash_of(HashAlgorithm::Sha256, psk.identity).as_ref().try_into().ok()?,
    };
    let hash = find13(ticket.suite)?.hash;
    let (origin, peer, binder) = (PskOrigin::Resumption, ticket.client, psk.binder.to_vec());
    let began = Some(ticket.began);
    Some(KnownPsk { index, key: ticket.psk, hash, origin, peer, began, early: Some(early), binder })
}

fn external(index: u16, psk: &OfferedPsk<'_>, config: &ServerConfig) -> Option<KnownPsk> {
    let ServerCredentials::Psk { keys, .. } = &config.credentials else { return None };
    let (key, hash, origin, identity) = match &config.common.psk_import {
        None => (keys.get(psk.identity)?.clone(), EXTERNAL_HASH, PskOrigin::External, psk.identity),
        Some(context) => {
            let imported = ImportedIdentity::parse(psk.identity).ok().filter(|imported| imported.context == context)?;
            let hkdf = Hkdf::dtls13(Arc::clone(&config.common.provider), EXTERNAL_HASH);
            let key = imported.import(&hkdf, keys.get(imported.external_identity)?).ok()?;
            (key, imported.target, PskOrigin::Imported, imported.external_identity)
        }
    };
    let peer = PeerIdentity::Psk(identity.to_vec());
    Some(KnownPsk { index, key, hash, origin, peer, began: None, early: None, binder: psk.binder.to_vec() })
}

//! Protected records of DTLS 1.3: which epoch and number they have, and what is inside (RFC 9147 §4).

use std::collections::BTreeMap;

use dtls_impl::crypto::hkdf::Hkdf;
use dtls_impl::crypto::schedule13::TrafficSecret;
use dtls_impl::crypto::{AeadAlgorithm, rustcrypto};
use dtls_impl::record::protection13::{OpenError, Opener, PlainRecord};
use dtls_impl::wire::{CipherSuite, ProtectedRecord};

use super::keys::{KeyLog, algorithms};
use crate::endpoint::Role;

/// Epochs of handshake and application data; later ones follow key updates (RFC 9147 §6.1).
const HANDSHAKE: u64 = 2;
const APPLICATION: u64 = 3;

/// What opens the records of an association.
#[derive(Debug)]
pub(super) struct Openers13 {
    hkdf: Hkdf,
    aead: AeadAlgorithm,
    client_random: [u8; 32],
    sent: [Epochs; 2],
}

/// The epochs of one direction.
#[derive(Debug, Default)]
struct Epochs {
    known: BTreeMap<u64, Epoch>,
    /// The highest in which a record was opened.
    latest: u64,
}

#[derive(Debug)]
struct Epoch {
    secret: TrafficSecret,
    opener: Opener,
    /// One more than the highest number opened.
    next: u64,
}

/// What became of a record.
pub(super) enum Opened {
    /// It was opened.
    Plain(PlainRecord),
    /// Its keys are not known, but its epoch, from two bits.
    NoKeys(u64),
    /// It does not open with the keys of this epoch.
    Refused(u64, OpenError),
}

impl Openers13 {
    /// Nothing opened yet; `None` if the suite is not supported.
    pub(super) fn new(client_random: [u8; 32], suite: u16) -> Option<Self> {
        let (aead, hash) = algorithms(CipherSuite(suite))?;
        let hkdf = Hkdf::dtls13(rustcrypto::provider(), hash);
        Some(Self { hkdf, aead, client_random, sent: Default::default() })
    }

    /// Opens a record that `from` sent.
    pub(super) fn open(&mut self, from: Role, record: ProtectedRecord<'_>, keys: &KeyLog) -> Opened {
        let latest = self.sent[from as usize].latest.max(HANDSHAKE);
        // Two bits tell four epochs apart: the next one, the latest and those before it.
        let epoch = (latest.saturating_sub(2)..=latest + 1).rev().find(|epoch| record.epoch().fit(*epoch));
        let epoch = epoch.unwrap_or(latest);
        let Some(keyed) = self.epoch(from, epoch, keys) else { return Opened::NoKeys(epoch) };
        let opened = keyed.opener.number(record, epoch, keyed.next).and_then(|numbered| keyed.opener.open(numbered));
        match opened {
            Ok(plain) => {
                keyed.next = keyed.next.max(plain.number.seq.saturating_add(1));
                self.sent[from as usize].latest = latest.max(epoch);
                Opened::Plain(plain)
            }
            Err(error) => Opened::Refused(epoch, error),
        }
    }

    fn epoch(&mut self, from: Role, epoch: u64, keys: &KeyLog) -> Option<&mut Epoch> {
        let known = &mut self.sent[from as usize].known;
        if !known.contains_key(&epoch) {
            let secret = match epoch {
                0 | 1 => return None,
                HANDSHAKE | APPLICATION => keys.traffic_secret(&self.client_random, from, epoch == APPLICATION)?,
                _ => known.get(&(epoch - 1))?.secret.next(&self.hkdf),
            };
            let opener = Opener::new(&*rustcrypto::provider(), self.aead, &secret.keys(&self.hkdf, self.aead)).ok()?;
            known.insert(epoch, Epoch { secret, opener, next: 0 });
        }
        known.get_mut(&epoch)
    }
}

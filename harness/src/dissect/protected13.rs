//! Protected records of DTLS 1.3: which epoch and number they have, and what is inside (RFC 9147 §4).

use std::collections::BTreeMap;

use dtls_impl::crypto::hkdf::Hkdf;
use dtls_impl::crypto::schedule13::TrafficSecret;
use dtls_impl::crypto::{AeadAlgorithm, HashAlgorithm, rustcrypto};
use dtls_impl::record::protection13::{OpenError, Opener, PlainRecord};
use dtls_impl::wire::{CipherSuite, ProtectedRecord};

use super::keys::{KeyLog, algorithms};
use crate::endpoint::Role;

/// Epochs of early data, handshake and application data; later ones follow key updates (RFC 9147 §6.1).
const EARLY: u64 = 1;
const HANDSHAKE: u64 = 2;
const APPLICATION: u64 = 3;

/// What opens the records of an association.
#[derive(Debug)]
pub(super) struct Openers13 {
    /// Known from the ServerHello on.
    suite: Option<(Hkdf, AeadAlgorithm)>,
    client_random: [u8; 32],
    sent: [Epochs; 2],
    early: Option<Epoch>,
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
    /// Nothing opened yet.
    pub(super) fn new(client_random: [u8; 32]) -> Self {
        Self { suite: None, client_random, sent: Default::default(), early: None }
    }

    /// The server has chosen this suite. Nothing opens if it is not supported here.
    pub(super) fn choose(&mut self, suite: u16) {
        if self.suite.is_none() {
            let hkdf = |hash| Hkdf::dtls13(rustcrypto::provider(), hash);
            self.suite = algorithms(CipherSuite(suite)).map(|(aead, hash)| (hkdf(hash), aead));
        }
    }

    /// Opens a record that `from` sent.
    pub(super) fn open(&mut self, from: Role, record: ProtectedRecord<'_>, keys: &KeyLog) -> Opened {
        if self.is_early(from, record) {
            return self.open_early(record, keys);
        }
        let latest = self.sent[from as usize].latest.max(HANDSHAKE);
        // Two bits tell four epochs apart: the next one, the latest and those before it.
        let epoch = (latest.saturating_sub(2)..=latest + 1).rev().find(|epoch| record.epoch().fit(*epoch));
        let epoch = epoch.unwrap_or(latest);
        let Some(keyed) = self.epoch(from, epoch, keys) else { return Opened::NoKeys(epoch) };
        match keyed.open(record, epoch) {
            Ok(plain) => {
                self.sent[from as usize].latest = latest.max(epoch);
                Opened::Plain(plain)
            }
            Err(error) => Opened::Refused(epoch, error),
        }
    }

    fn epoch(&mut self, from: Role, epoch: u64, keys: &KeyLog) -> Option<&mut Epoch> {
        let known = &mut self.sent[from as usize].known;
        if !known.contains_key(&epoch) {
            let (hkdf, aead) = self.suite.as_ref()?;
            let secret = match epoch {
                0 | EARLY => return None,
                HANDSHAKE | APPLICATION => keys.traffic_secret(&self.client_random, from, epoch)?,
                _ => known.get(&(epoch - 1))?.secret.next(hkdf),
            };
            known.insert(epoch, Epoch::new(hkdf, *aead, secret)?);
        }
        known.get_mut(&epoch)
    }

    /// Whether it is early data, by the bits of its epoch: those of epoch 5 are the same, but epoch 4 comes before.
    fn is_early(&self, from: Role, record: ProtectedRecord<'_>) -> bool {
        from == Role::Client && record.epoch().fit(EARLY) && self.sent[from as usize].latest <= APPLICATION
    }

    /// Early data comes before the suite is chosen. It is protected by that of the pre-shared key, of which the log shows
    /// only how long its secrets are: the first that opens a record is it.
    fn open_early(&mut self, record: ProtectedRecord<'_>, keys: &KeyLog) -> Opened {
        let Some(secret) = keys.traffic_secret(&self.client_random, Role::Client, EARLY) else {
            return Opened::NoKeys(EARLY);
        };
        if let Some(epoch) = &mut self.early {
            return epoch.open(record, EARLY).map_or_else(|error| Opened::Refused(EARLY, error), Opened::Plain);
        }
        let mut refused = OpenError::NotAuthentic;
        for (aead, hash) in EARLY_SUITES {
            if hash.output_len() != secret.expose().len() {
                continue;
            }
            let hkdf = Hkdf::dtls13(rustcrypto::provider(), hash);
            let Some(mut epoch) = Epoch::new(&hkdf, aead, secret.clone()) else { continue };
            match epoch.open(record, EARLY) {
                Ok(plain) => {
                    self.early = Some(epoch);
                    return Opened::Plain(plain);
                }
                Err(error) => refused = error,
            }
        }
        Opened::Refused(EARLY, refused)
    }
}

/// What may protect early data.
const EARLY_SUITES: [(AeadAlgorithm, HashAlgorithm); 5] = [
    (AeadAlgorithm::Aes128Gcm, HashAlgorithm::Sha256),
    (AeadAlgorithm::Aes256Gcm, HashAlgorithm::Sha384),
    (AeadAlgorithm::ChaCha20Poly1305, HashAlgorithm::Sha256),
    (AeadAlgorithm::Aes128Ccm, HashAlgorithm::Sha256),
    (AeadAlgorithm::Aes128Ccm8, HashAlgorithm::Sha256),
];

impl Epoch {
    fn new(hkdf: &Hkdf, aead: AeadAlgorithm, secret: TrafficSecret) -> Option<Self> {
        let opener = Opener::new(&*rustcrypto::provider(), aead, &secret.keys(hkdf, aead)).ok()?;
        Some(Self { secret, opener, next: 0 })
    }

    fn open(&mut self, record: ProtectedRecord<'_>, epoch: u64) -> Result<PlainRecord, OpenError> {
        let plain = self.opener.open(self.opener.number(record, epoch, self.next)?)?;
        self.next = self.next.max(plain.number.seq.saturating_add(1));
        Ok(plain)
    }
}

//! The cryptography that a handshake or a record cannot do without, on both sides, and nothing else: no message is
//! written or read, nothing is kept. What is hashed or sealed has the length that it has in the handshake of `native`.
//!
//! Counted are all keys, shares, signatures and paths; cookies; every hash of the transcript; every HMAC of the key
//! schedule and of Finished; the keys of records and of record numbers; every protected record with, in DTLS 1.3, its
//! mask, ACKs included; tickets opened and sealed.

mod primitives;

use core::time::Duration;
use std::hint::black_box;
use std::sync::Arc;

use dtls_impl::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use self::primitives::{Crates, HASH_LEN, Masking, Sealing, Signing, hmac, prf, random, transcript};
use crate::PAYLOAD;
use crate::identity::{DATE, Identity, NAME};
use crate::native::{Handshake, Provider};

/// What a cookie covers: address, version, random, session id, suites, compression.
const COOKIE_INPUT: usize = 70;
/// Content of the ticket of a session with an anonymous client, of either version.
const TICKET_CONTENT: usize = 96;
/// What a CertificateVerify signs (RFC 8446 §4.4.3).
const SIGNED_13: usize = 64 + 33 + 1 + HASH_LEN;
/// What a ServerKeyExchange signs: randoms, curve, point.
const SIGNED_12: usize = 32 + 32 + 4 + 32;
/// Finished of DTLS 1.2 as a record's plaintext.
const FINISHED_12: usize = 12 + 12;
/// Finished of DTLS 1.3 as a record's plaintext, and the inner type.
const FINISHED_13: usize = 12 + 32 + 1;
/// An ACK of one record, and the inner type.
const ACK: usize = 2 + 16 + 1;
/// Additional data of a record of DTLS 1.2 and of one of 1.3.
const AAD: [usize; 2] = [13, 5];

/// Keys, and which primitives to use them with.
pub struct Floor {
    crates: Crates,
    algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
    leaf: CertificateDer<'static>,
    anchors: [TrustAnchor<'static>; 1],
    name: ServerName<'static>,
    key: Signing,
}

impl Floor {
    /// Loads keys and roots.
    pub fn new(provider: &Provider) -> Self {
        let identity = Identity::new();
        let crates = Crates::of(provider);
        let inner: &Arc<dyn CryptoProvider> = &provider.inner;
        let anchor = anchor_from_trusted_cert(&identity.root).expect("a root").to_owned();
        Self {
            crates,
            algorithms: inner.signature_algorithms(),
            key: crates.signing(&identity.key()),
            leaf: identity.leaf,
            anchors: [anchor],
            name: ServerName::try_from(NAME).expect("a name"),
        }
    }

    /// All cryptography of a handshake.
    pub fn handshake(&self, handshake: Handshake) {
        match handshake {
            Handshake::Certificate12 => self.certificate12(),
            Handshake::Psk12 => self.psk12(),
            Handshake::Id12 => self.id12(),
            Handshake::Ticket12 => self.ticket12(),
            Handshake::Certificate13 => self.certificate13(),
            Handshake::Psk13 => self.psk13(),
            Handshake::Ticket13 => self.ticket13(),
        }
    }

    /// Signs, follows the chain of one certificate, checks the signature.
    fn authenticate(&self, signed: usize) {
        let content = &[b' '; 256][..signed];
        let signature = self.key.sign(content);
        let leaf = EndEntityCert::try_from(&self.leaf).expect("a certificate");
        let (now, usage) = (UnixTime::since_unix_epoch(Duration::from_secs(DATE)), KeyUsage::server_auth());
        leaf.verify_for_usage(self.algorithms, &self.anchors, &[], now, usage, None, None).expect("a good chain");
        leaf.verify_is_valid_for_subject_name(&self.name).expect("its name");
        leaf.verify_signature(webpki_ecdsa(self.algorithms), content, &signature).expect("a good signature");
    }

    /// The server makes a cookie, and later checks it.
    fn cookies(&self) {
        for _ in 0..2 {
            black_box(hmac(&[7; HASH_LEN], COOKIE_INPUT));
        }
    }

    /// The server seals a new ticket, and opens one.
    fn tickets(&self) {
        let mut ticket = Vec::with_capacity(TICKET_CONTENT + 16);
        ticket.resize(TICKET_CONTENT, 4);
        self.crates.sealing(&[6; 32]).seal(b"", &mut ticket);
        self.crates.sealing(&[6; 32]).open(b"", &mut ticket);
    }

    /// Both directions of an epoch, for both sides.
    fn epoch_12(&self) -> [[Sealing; 2]; 2] {
        [0, 1].map(|_| [0, 1].map(|_| self.crates.sealing(&[7; 16])))
    }

    /// DTLS 1.2 from the key block on: it, two Finished made and checked, and their records.
    fn finish_12(&self, master: &[u8]) {
        for _side in 0..2 {
            // "key expansion" and two randoms give two keys of 16 bytes and two nonces of 4.
            black_box(prf(master, 13 + 64, 40));
            // "client finished" and a hash, for either Finished.
            black_box(prf(master, 15 + HASH_LEN, 12));
            black_box(prf(master, 15 + HASH_LEN, 12));
        }
        for [seal, open] in self.epoch_12() {
            let mut record = Vec::with_capacity(FINISHED_12 + 16);
            record.resize(FINISHED_12, 3);
            seal.seal(&[2; AAD[0]], &mut record);
            open.open(&[2; AAD[0]], &mut record);
        }
    }

    /// "extended master secret" and a hash, on both sides.
    fn master_12(premaster: &[u8]) {
        for _side in 0..2 {
            black_box(prf(premaster, 22 + HASH_LEN, 48));
        }
    }

    /// DTLS 1.2 with a certificate: ClientHello, ServerHello, Certificate, ServerKeyExchange, ServerHelloDone,
    /// ClientKeyExchange, and two Finished. The hash is read for the master secret and for each Finished.
    fn certificate12(&self) {
        let (mut client, _server) = (random(1), random(2));
        self.cookies();
        self.crates.exchange(&mut client);
        self.authenticate(SIGNED_12);
        (0..2).for_each(|_| transcript(&[168, 76, 470, 124, 12, 45, 24, 24], 3));
        Self::master_12(&[9; 32]);
        self.finish_12(&[8; 48]);
    }

    /// DTLS 1.2 with a shared key: as before, without Certificate and ServerKeyExchange.
    fn psk12(&self) {
        let _randoms = (random(1), random(2));
        self.cookies();
        (0..2).for_each(|_| transcript(&[130, 61, 12, 20, 24, 24], 3));
        Self::master_12(&[9; 36]);
        self.finish_12(&[8; 48]);
    }

    /// DTLS 1.2, resumed by session id: ClientHello, ServerHello, two Finished, for each of which the hash is read.
    fn id12(&self) {
        let _randoms = (random(1), random(2));
        self.cookies();
        (0..2).for_each(|_| transcript(&[200, 100, 24, 24], 2));
        self.finish_12(&[8; 48]);
    }

    /// DTLS 1.2, resumed by ticket, for which there is a new one.
    fn ticket12(&self) {
        let _randoms = (random(1), random(2));
        self.cookies();
        self.tickets();
        (0..2).for_each(|_| transcript(&[330, 104, 140, 24, 24], 2));
        self.finish_12(&[8; 48]);
    }

    /// The key schedule of one side of DTLS 1.3, with all it is asked for (RFC 8446 §7.1), keys included.
    fn schedule_13(&self) {
        // HKDF-Extract of the early, the handshake and the master secret, and "derived" between them.
        let mut secret = [1; HASH_LEN];
        for _ in 0..3 {
            secret = hmac(&secret, HASH_LEN);
        }
        // "derived" twice, two secrets of the handshake, two of data, those of exporters and of tickets: length, label,
        // hash and counter.
        for _ in 0..2 + 2 + 2 + 2 {
            secret = hmac(&secret, 2 + 1 + 6 + 8 + 1 + HASH_LEN + 1);
        }
        // Both Finished: their keys, and the MACs.
        for _ in 0..2 {
            secret = hmac(&secret, 2 + 1 + 6 + 8 + 1 + 1);
            secret = hmac(&secret, HASH_LEN);
        }
        // Two epochs in two directions: key, nonce, and key of record numbers.
        for _ in 0..4 * 3 {
            secret = hmac(&secret, 2 + 1 + 6 + 3 + 1 + 1);
        }
        black_box(secret);
    }

    /// The binder of a key, on one side: its key twice removed, the MAC, and the hash of most of a ClientHello.
    fn binder_13(hello: usize) {
        let key = hmac(&[2; HASH_LEN], 2 + 1 + 6 + 10 + 1 + HASH_LEN + 1);
        let key = hmac(&key, 2 + 1 + 6 + 8 + 1 + 1);
        transcript(&[hello], 1);
        black_box(hmac(&key, HASH_LEN));
    }

    /// DTLS 1.3 from the schedule on. Records have these lengths, type included: those of the handshake's epoch, and then
    /// those of the next.
    fn finish_13(&self, messages: &[usize], reads: usize, handshake: &[usize], data: &[usize]) {
        for _side in 0..2 {
            self.schedule_13();
            transcript(messages, reads);
        }
        for lengths in [handshake, data] {
            let [mut one, _other] = [0, 1].map(|_| self.record13());
            lengths.iter().for_each(|len| one.protect(&[3; 600][..*len]));
        }
    }

    /// DTLS 1.3 with a certificate: ClientHello, ServerHello, EncryptedExtensions, Certificate, CertificateVerify, two
    /// Finished. The hash is read after ServerHello, Certificate, CertificateVerify and either Finished.
    fn certificate13(&self) {
        let (mut client, _server) = (random(1), random(2));
        self.crates.exchange(&mut client);
        self.authenticate(SIGNED_13);
        let records = [12 + 2 + 1, 12 + 470, 12 + 76, FINISHED_13, FINISHED_13];
        self.finish_13(&[180, 90, 6, 470, 80, 36, 36], 5, &records, &[ACK]);
    }

    /// DTLS 1.3 with a shared key.
    fn psk13(&self) {
        let (mut client, _server) = (random(1), random(2));
        self.crates.exchange(&mut client);
        (0..2).for_each(|_| Self::binder_13(160));
        self.finish_13(&[200, 96, 6, 36, 36], 4, &[12 + 2 + 1, FINISHED_13, FINISHED_13], &[ACK]);
    }

    /// DTLS 1.3, resumed by ticket with a key exchange. There is a new ticket, whose key both sides make, and whose message
    /// has a record and an ACK.
    fn ticket13(&self) {
        let (mut client, _server) = (random(1), random(2));
        self.crates.exchange(&mut client);
        self.tickets();
        for _side in 0..2 {
            Self::binder_13(330);
            black_box(hmac(&[2; HASH_LEN], 2 + 1 + 6 + 10 + 1 + 1 + 1));
        }
        let data = [ACK, 12 + 150, ACK];
        self.finish_13(&[370, 96, 6, 36, 36], 4, &[12 + 2 + 1, FINISHED_13, FINISHED_13], &data);
    }

    /// A record of DTLS 1.2 under keys that are there.
    pub fn record12(&self) -> Record {
        self.record(None)
    }

    /// A record of DTLS 1.3 under keys that are there.
    pub fn record13(&self) -> Record {
        self.record(Some([0, 1].map(|_| self.crates.masking(&[7; 16]))))
    }

    fn record(&self, masking: Option<[Masking; 2]>) -> Record {
        let sealing = [0, 1].map(|_| self.crates.sealing(&[7; 16]));
        Record { sealing, masking, buffer: Vec::with_capacity(PAYLOAD + 1 + 16) }
    }
}

/// The algorithm of the leaf's key.
fn webpki_ecdsa(
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
) -> &'static dyn SignatureVerificationAlgorithm {
    use rustls_pki_types::alg_id::{ECDSA_P256, ECDSA_SHA256};
    let is_it = |algorithm: &&&dyn SignatureVerificationAlgorithm| {
        (algorithm.public_key_alg_id(), algorithm.signature_alg_id()) == (ECDSA_P256, ECDSA_SHA256)
    };
    algorithms.iter().find(is_it).copied().expect("every provider has it")
}

/// Keys of one direction, of who seals and of who opens, and room for a record.
pub struct Record {
    sealing: [Sealing; 2],
    /// DTLS 1.3 alone.
    masking: Option<[Masking; 2]>,
    buffer: Vec<u8>,
}

impl Record {
    /// Seals, masks, unmasks and opens one record.
    pub fn protect(&mut self, data: &[u8]) {
        let Self { sealing: [seal, open], masking, buffer } = self;
        let aad = &[2; 13][..AAD[usize::from(masking.is_some())]];
        buffer.clear();
        buffer.extend_from_slice(data);
        seal.seal(aad, buffer);
        if let Some([mask, unmask]) = masking {
            assert_eq!(mask.mask(buffer), unmask.mask(buffer));
        }
        open.open(aad, buffer);
    }
}

//! Two connections, one clock, and a path between them that a test bends as it likes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dtls_impl::config::{CertifiedKey, ClientCredentials, Cookies, Psk, ServerCredentials, UnknownIdentity};
use dtls_impl::crypto::{Secret, rustcrypto};
use dtls_impl::pki::ServerVerifier;
use dtls_impl::wire::{AnyRecord, AnyRecords, ContentType, Fragments, HandshakeType};
use dtls_impl::{ClientConfig, Connection, Event, Instant, Output, Seed, ServerConfig};
use p256::ecdsa::signature::{SignatureEncoding, Signer};
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, IsCa, Issuer, KeyUsagePurpose, SerialNumber};
use rsa::pkcs1::EncodeRsaPublicKey;
use rsa::pkcs8::DecodePrivateKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};

pub(crate) const NAME: &str = "server.example";
/// 2026-01-01.
pub(crate) const DATE: u64 = 1_767_225_600;
/// One way.
pub(crate) const DELAY: Duration = Duration::from_millis(10);
/// More steps than any test needs.
const STEPS_MAX: usize = 20_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

pub(crate) const fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    }
}

/// A datagram on its way.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    pub(crate) from: Side,
    /// Counts the datagrams of the direction from 0.
    pub(crate) nth: usize,
    pub(crate) bytes: Vec<u8>,
    /// Length of the connection IDs that the receiver chose.
    pub(crate) cid_len: Option<usize>,
}

impl Sent {
    /// Content types of the records, and types of the handshake messages that can be read.
    pub(crate) fn contents(&self) -> Vec<String> {
        let mut contents = Vec::new();
        for record in AnyRecords::new(&self.bytes, self.cid_len) {
            let record = match record.expect("connections send whole records") {
                AnyRecord::Plain(record) => record,
                AnyRecord::Protected(record) => {
                    let bits = (0..4).find(|epoch| record.epoch().fit(*epoch)).expect("two bits have four values");
                    let cid = if record.connection_id().is_some() { "+cid" } else { "" };
                    contents.push(format!("protected@{bits}{cid}"));
                    continue;
                }
            };
            if record.header.content_type == ContentType::HANDSHAKE && record.header.epoch == 0 {
                for fragment in Fragments::new(record.body) {
                    contents.push(fragment.expect("connections send whole fragments").header.message_type.to_string());
                }
            } else {
                contents.push(format!("{}@{}", record.header.content_type, record.header.epoch));
            }
        }
        contents
    }

    pub(crate) fn holds(&self, message_type: HandshakeType) -> bool {
        self.contents().contains(&message_type.to_string())
    }
}

/// Says after which delays copies of a datagram arrive.
pub(crate) type Path = Box<dyn FnMut(&Sent) -> Vec<Duration>>;

pub(crate) fn clean() -> Path {
    Box::new(|_| vec![DELAY])
}

pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) client: Connection,
    pub(crate) server: Connection,
    pub(crate) sent: Vec<Sent>,
    pub(crate) events: Vec<(Instant, Side, Event)>,
    path: Path,
    in_flight: BTreeMap<(Instant, usize), (Side, Vec<u8>)>,
    copies: usize,
    wake: [Option<Instant>; 2],
}

impl Pair {
    pub(crate) fn new(client: ClientConfig, server: ServerConfig, path: Path) -> Self {
        let now = Instant::ZERO;
        let client = Connection::client(Arc::new(client), Some(NAME), Seed([1; 32]), now).unwrap();
        let server = Connection::server(Arc::new(server), b"client", Seed([2; 32]), now).unwrap();
        let (sent, events) = (Vec::new(), Vec::new());
        let mut pair =
            Self { now, client, server, sent, events, path, in_flight: BTreeMap::new(), copies: 0, wake: [None; 2] };
        pair.drain(Side::Client);
        pair.drain(Side::Server);
        pair
    }

    pub(crate) fn end(&mut self, side: Side) -> &mut Connection {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    pub(crate) fn drain(&mut self, side: Side) {
        for _ in 0..STEPS_MAX {
            match self.end(side).poll_output() {
                Output::Datagram(bytes) => self.transmit(side, bytes),
                Output::DatagramTo { .. } => panic!("there is one path only"),
                Output::Event(event) => self.events.push((self.now, side, event)),
                Output::WakeAt(at) => return self.wake[side as usize] = Some(at),
                Output::Idle => return self.wake[side as usize] = None,
            }
        }
        panic!("{side:?} does not stop sending");
    }

    /// Another client at the same address; the one before goes without a word.
    pub(crate) fn replace_client(&mut self, config: ClientConfig, seed: u8) -> Connection {
        let client = Connection::client(Arc::new(config), Some(NAME), Seed([seed; 32]), self.now).unwrap();
        let before = core::mem::replace(&mut self.client, client);
        self.drain(Side::Client);
        before
    }

    /// What becomes of datagrams from now on.
    pub(crate) fn set_path(&mut self, path: Path) {
        self.path = path;
    }

    /// Datagrams sent so far do not arrive.
    pub(crate) fn forget_what_is_on_its_way(&mut self) {
        self.in_flight.clear();
    }

    fn transmit(&mut self, from: Side, bytes: Vec<u8>) {
        let nth = self.sent.iter().filter(|sent| sent.from == from).count();
        let cid_len = self.end(other(from)).connection_ids().first().map(|cid| cid.len());
        let sent = Sent { at: self.now, from, nth, bytes, cid_len };
        for delay in (self.path)(&sent) {
            self.copies += 1;
            self.in_flight.insert((self.now + delay, self.copies), (from, sent.bytes.clone()));
        }
        self.sent.push(sent);
    }

    /// Delivers bytes as if they came from the other side.
    pub(crate) fn inject(&mut self, to: Side, bytes: &[u8]) {
        let now = self.now;
        self.end(to).handle_datagram(now, bytes);
        self.drain(to);
    }

    /// Runs until nothing is left to happen before `until`.
    pub(crate) fn run(&mut self, until: Duration) {
        let until = Instant::ZERO + until;
        for _ in 0..STEPS_MAX {
            let arrival = self.in_flight.first_key_value().map(|((at, _), _)| *at);
            let Some(next) = [arrival, self.wake[0], self.wake[1]].into_iter().flatten().min() else { break };
            if next > until {
                break;
            }
            self.now = next.max(self.now);
            let now = self.now;
            if arrival == Some(next) {
                let (_, (from, bytes)) = self.in_flight.pop_first().unwrap();
                let to = if from == Side::Client { Side::Server } else { Side::Client };
                self.inject(to, &bytes);
            } else {
                let side = if self.wake[0] == Some(next) { Side::Client } else { Side::Server };
                self.end(side).handle_timeout(now);
                self.drain(side);
            }
        }
        self.now = self.now.max(until);
    }

    pub(crate) fn send(&mut self, from: Side, data: &[u8]) {
        let now = self.now;
        self.end(from).send(now, data).unwrap();
        self.drain(from);
    }

    pub(crate) fn established(&self, side: Side) -> Option<Instant> {
        let is_it = |event: &Event| matches!(event, Event::Established { .. });
        self.events.iter().find(|(_, of, event)| *of == side && is_it(event)).map(|(at, ..)| *at)
    }

    pub(crate) fn both_established(&self) -> bool {
        self.established(Side::Client).is_some() && self.established(Side::Server).is_some()
    }

    pub(crate) fn failure(&self, side: Side) -> Option<&dtls_impl::Error> {
        self.events.iter().find_map(|(_, of, event)| match event {
            Event::Failed(error) if *of == side => Some(error),
            _ => None,
        })
    }

    pub(crate) fn data(&self, side: Side) -> Vec<&[u8]> {
        let data = self.events.iter().filter(|(_, of, _)| *of == side).filter_map(|(.., event)| match event {
            Event::Data(data) => Some(&data[..]),
            _ => None,
        });
        data.collect()
    }

    pub(crate) fn sent_by(&self, side: Side) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(move |sent| sent.from == side)
    }

    /// What went over the path and what was reported, for messages of failed assertions.
    pub(crate) fn story(&self) -> String {
        let mut story = String::new();
        for sent in &self.sent {
            story += &format!("{} {:?} {} {:?}\n", sent.at, sent.from, sent.bytes.len(), sent.contents());
        }
        for event in &self.events {
            story += &format!("{event:?}\n");
        }
        story
    }

    /// Sends data both ways and checks that it arrives.
    pub(crate) fn exchange_data(&mut self) {
        self.path = clean();
        self.send(Side::Client, b"to the server");
        self.send(Side::Server, b"to the client");
        let until = self.now.saturating_since(Instant::ZERO) + Duration::from_secs(1);
        self.run(until);
        assert!(self.data(Side::Server).contains(&&b"to the server"[..]), "{}", self.story());
        assert!(self.data(Side::Client).contains(&&b"to the client"[..]), "{}", self.story());
    }
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn cookies() -> Cookies {
    Cookies::Required { secret: Secret::new(vec![7; 32]) }
}

/// Both ends with the same key, and cookies.
pub(crate) fn psk() -> (ClientConfig, ServerConfig) {
    let key = Secret::new(vec![9; 16]);
    let client = ClientCredentials::Psk(Psk { identity: b"device".to_vec(), key: key.clone() });
    let keys = BTreeMap::from([(b"device".to_vec(), key)]);
    let server = ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert };
    let provider = rustcrypto::provider;
    (ClientConfig::new(provider(), client), ServerConfig::new(provider(), server, cookies()))
}

/// Kind of a certificate's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    P256,
    P384,
    Ed25519,
    Rsa,
}

/// Making an RSA key takes seconds: there is one, whatever the seed.
const RSA: &[u8] = include_bytes!("../../src/pki/testdata/rsa2048.pk8");

pub(crate) enum TestKey {
    P256(p256::ecdsa::SigningKey, Vec<u8>),
    P384(p384::ecdsa::SigningKey, Vec<u8>),
    Rsa(Box<rsa::pkcs1v15::SigningKey<sha2::Sha256>>, Vec<u8>),
    Ed25519(Box<ed25519_dalek::SigningKey>, Vec<u8>),
}

impl TestKey {
    pub(crate) fn new(key: Key, seed: u8) -> Self {
        match key {
            Key::P256 => {
                let key = p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap();
                let public = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
                Self::P256(key, public)
            }
            Key::P384 => {
                let key = p384::ecdsa::SigningKey::from_slice(&[seed; 48]).unwrap();
                let public = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
                Self::P384(key, public)
            }
            Key::Rsa => {
                let key = rsa::PrivateKey::from_pkcs8_der(RSA).unwrap();
                let public = key.to_public_key().to_pkcs1_der().unwrap().as_bytes().to_vec();
                Self::Rsa(Box::new(rsa::pkcs1v15::SigningKey::new(key)), public)
            }
            Key::Ed25519 => {
                let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
                let public = key.verifying_key().to_bytes().to_vec();
                Self::Ed25519(Box::new(key), public)
            }
        }
    }

    pub(crate) fn private(&self) -> PrivateKeyDer<'static> {
        match self {
            Self::P384(key, _) => {
                let der = p384::SecretKey::from(key).to_sec1_der().unwrap().to_vec();
                PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der))
            }
            Self::Rsa(..) => PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(RSA)),
            Self::P256(key, _) => {
                let der = p256::SecretKey::from(key).to_sec1_der().unwrap().to_vec();
                PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der))
            }
            Self::Ed25519(key, _) => {
                // PKCS#8 of an Ed25519 key is this prefix and the seed (RFC 8410 §7).
                let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from([&prefix[..], &key.to_bytes()].concat()))
            }
        }
    }
}

impl rcgen::PublicKeyData for TestKey {
    fn der_bytes(&self) -> &[u8] {
        match self {
            Self::P256(_, public) | Self::P384(_, public) | Self::Ed25519(_, public) | Self::Rsa(_, public) => public,
        }
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        match self {
            Self::P256(..) => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::P384(..) => &rcgen::PKCS_ECDSA_P384_SHA384,
            Self::Rsa(..) => &rcgen::PKCS_RSA_SHA256,
            Self::Ed25519(..) => &rcgen::PKCS_ED25519,
        }
    }
}

impl rcgen::SigningKey for TestKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(match self {
            Self::P256(key, _) => Signer::<p256::ecdsa::DerSignature>::sign(key, message).to_vec(),
            Self::P384(key, _) => Signer::<p384::ecdsa::DerSignature>::sign(key, message).to_vec(),
            Self::Ed25519(key, _) => key.sign(message).to_vec(),
            Self::Rsa(key, _) => key.sign(message).to_vec(),
        })
    }
}

pub(crate) fn params(names: &[&str], serial: u64) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.serial_number = Some(SerialNumber::from(serial));
    params.not_before = rcgen::date_time_ymd(2025, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    params
}

/// A root, and what a server shows that it trusts.
pub(crate) struct Identity {
    pub(crate) root: CertificateDer<'static>,
    pub(crate) leaf: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// A certificate for [`NAME`] of about `padding` bytes.
pub(crate) fn identity(key: Key, padding: usize) -> Identity {
    let root_key = TestKey::new(Key::P256, 3);
    let mut root = params(&[], 1);
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let root_der: CertificateDer<'static> = root.self_signed(&root_key).unwrap().der().clone();
    let leaf_key = TestKey::new(key, 4);
    let mut leaf = params(&[NAME], 2);
    if padding != 0 {
        // A DER octet string.
        let mut content = vec![4, 0x82];
        content.extend_from_slice(&u16::try_from(padding).unwrap().to_be_bytes());
        content.resize(4 + padding, 0);
        leaf.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 32473, 1], content)];
    }
    let leaf_der = leaf.signed_by(&leaf_key, &Issuer::new(root, root_key)).unwrap().der().clone();

    Identity { root: root_der, leaf: leaf_der, key: leaf_key.private() }
}

/// A server with such a certificate, and a client that trusts its root; with cookies.
pub(crate) fn certificates(key: Key, padding: usize) -> (ClientConfig, ServerConfig) {
    let Identity { root, leaf, key } = identity(key, padding);
    let verifier = Arc::new(ServerVerifier::new(vec![root]).unwrap());
    let client = ClientCredentials::Certificate { verifier };
    let provider = rustcrypto::provider();
    let certified = CertifiedKey::new(&*provider, vec![leaf], &key).unwrap();
    let server = ServerCredentials::Certificate(certified);
    let (mut client, mut server) =
        (ClientConfig::new(provider.clone(), client), ServerConfig::new(provider, server, cookies()));
    client.common.unix_time = DATE;
    server.common.unix_time = DATE;
    (client, server)
}

//! DTLS 1.3 with another implementation, the crate `dimpl`, in both roles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::common::{DATE, DELAY, Identity, Key, NAME, cookies, identity};
use dimpl::{Config, ConfigBuilder, Dtls, DtlsCertificate, Output as Theirs};
use dtls_impl::config::{CertifiedKey, ClientCredentials, Cookies, ServerCredentials, Versions};
use dtls_impl::crypto::{Group, rustcrypto};
use dtls_impl::pki::ServerVerifier;
use dtls_impl::wire::CipherSuite;
use dtls_impl::{ClientConfig, Connection, Event, Instant, Output, Seed, ServerConfig};
use p256::pkcs8::EncodePrivateKey;
use rustls_pki_types::PrivateKeyDer;

const STEPS_MAX: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Native,
    Dimpl,
}

/// Says which datagrams get lost, by sender and number.
type Loss = Box<dyn FnMut(From, usize) -> bool>;

/// One of ours and one of theirs on the same clock.
struct Mixed {
    now: Instant,
    native: Connection,
    dimpl: Dtls,
    /// Their clock at the start of ours.
    base: std::time::Instant,
    lost: Loss,
    sent: [usize; 2],
    in_flight: BTreeMap<(Instant, usize), (From, Vec<u8>)>,
    wake: [Option<Instant>; 2],
    established: [bool; 2],
    data: [Vec<Vec<u8>>; 2],
    /// Epoch bits of dimpl's protected records.
    epochs: BTreeSet<u8>,
    story: String,
}

impl Mixed {
    fn transmit(&mut self, from: From, bytes: Vec<u8>) {
        if from == From::Dimpl && bytes[0] >> 5 == 1 {
            self.epochs.insert(bytes[0] & 3);
        }
        let nth = self.sent[from as usize];
        self.sent[from as usize] += 1;
        let lost = (self.lost)(from, nth);
        self.story += &format!(
            "{} {from:?} {nth} {} bytes {:02x?}{}\n",
            self.now,
            bytes.len(),
            &bytes[..bytes.len().min(20)],
            if lost { " lost" } else { "" }
        );
        if !lost {
            let key = (self.now + DELAY, self.sent[0] + self.sent[1]);
            self.in_flight.insert(key, (from, bytes));
        }
    }

    fn drain_native(&mut self) {
        for _ in 0..STEPS_MAX {
            match self.native.poll_output() {
                Output::Datagram(bytes) => self.transmit(From::Native, bytes),
                Output::DatagramTo { .. } => panic!("there is one path only"),
                Output::Event(event) => {
                    self.story += &format!("{} native {event:?}\n", self.now);
                    match event {
                        Event::Established { .. } => self.established[From::Native as usize] = true,
                        Event::Data(data) => self.data[From::Native as usize].push(data),
                        _ => {}
                    }
                }
                Output::WakeAt(at) => return self.wake[From::Native as usize] = Some(at),
                Output::Idle => return self.wake[From::Native as usize] = None,
            }
        }
        panic!("native does not come to rest");
    }

    fn drain_dimpl(&mut self) {
        let mut buffer = vec![0; 1 << 16];
        for _ in 0..STEPS_MAX {
            match self.dimpl.poll_output(&mut buffer) {
                Theirs::Packet(bytes) => {
                    let bytes = bytes.to_vec();
                    self.transmit(From::Dimpl, bytes);
                }
                Theirs::Connected => self.established[From::Dimpl as usize] = true,
                Theirs::ApplicationData(data) => self.data[From::Dimpl as usize].push(data.to_vec()),
                Theirs::Timeout(at) => {
                    let after = at.saturating_duration_since(self.base);
                    let at = (after < Duration::from_secs(86_400)).then(|| Instant::ZERO + after);
                    return self.wake[From::Dimpl as usize] = at;
                }
                _ => {}
            }
        }
        panic!("dimpl does not come to rest");
    }

    fn dimpl_clock(&self) -> std::time::Instant {
        self.base + self.now.saturating_since(Instant::ZERO)
    }

    fn tick_dimpl(&mut self) {
        let at = self.dimpl_clock();
        if let Err(error) = self.dimpl.handle_timeout(at) {
            self.story += &format!("{} dimpl: {error}\n", self.now);
        }
        self.drain_dimpl();
    }

    fn run(&mut self, until: Duration) {
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
                match self.in_flight.pop_first() {
                    Some((_, (From::Dimpl, bytes))) => {
                        self.native.handle_datagram(now, &bytes);
                        self.drain_native();
                    }
                    Some((_, (From::Native, bytes))) => {
                        self.tick_dimpl();
                        if let Err(error) = self.dimpl.handle_packet(&bytes) {
                            self.story += &format!("{} dimpl: {error}\n", self.now);
                        }
                        self.drain_dimpl();
                    }
                    None => {}
                }
            } else if self.wake[0] == Some(next) {
                self.native.handle_timeout(now);
                self.drain_native();
            } else {
                self.tick_dimpl();
            }
        }
        self.now = self.now.max(until);
    }

    /// Shakes hands, and then data must flow both ways.
    fn check(mut self, what: &str) -> Self {
        self.run(Duration::from_secs(20));
        assert_eq!(self.established, [true, true], "{what}\n{}", self.story);
        let now = self.now;
        self.exchange(now);
        self
    }

    fn exchange(&mut self, now: Instant) {
        self.lost = nothing();
        self.native.send(now, b"from native").unwrap();
        self.drain_native();
        self.dimpl.send_application_data(b"from dimpl").unwrap();
        self.drain_dimpl();
        self.run(now.saturating_since(Instant::ZERO) + Duration::from_secs(1));
        assert_eq!(
            self.data[From::Dimpl as usize].last().map(Vec::as_slice),
            Some(&b"from native"[..]),
            "{}",
            self.story
        );
        assert_eq!(
            self.data[From::Native as usize].last().map(Vec::as_slice),
            Some(&b"from dimpl"[..]),
            "{}",
            self.story
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "dimpl counts from an Instant, which cannot be made otherwise")]
fn base() -> std::time::Instant {
    std::time::Instant::now()
}

fn mixed(native: Connection, dimpl: Dtls, base: std::time::Instant, lost: Loss) -> Mixed {
    let mut mixed = Mixed {
        now: Instant::ZERO,
        native,
        dimpl,
        base,
        lost,
        sent: [0; 2],
        in_flight: BTreeMap::new(),
        wake: [None; 2],
        established: [false; 2],
        data: [Vec::new(), Vec::new()],
        epochs: BTreeSet::new(),
        story: String::new(),
    };
    mixed.drain_native();
    mixed.tick_dimpl();
    mixed
}

fn their_certificate(identity: &Identity) -> DtlsCertificate {
    let PrivateKeyDer::Sec1(key) = &identity.key else { panic!("P-256 keys are SEC1 here") };
    let key = p256::SecretKey::from_sec1_der(key.secret_sec1_der()).unwrap();
    let private_key = key.to_pkcs8_der().unwrap().as_bytes().to_vec();
    DtlsCertificate { certificate: identity.leaf.to_vec(), private_key }
}

fn their_config(cookie: bool) -> Arc<Config> {
    let config = their_config_builder(cookie).build();
    Arc::new(config.unwrap())
}

fn their_config_builder(cookie: bool) -> ConfigBuilder {
    Config::builder().use_server_cookie(cookie).require_client_certificate(false).dangerously_set_rng_seed(7)
}

fn native_client(identity: &Identity, edit: impl FnOnce(&mut ClientConfig)) -> Connection {
    let verifier = Arc::new(ServerVerifier::new(vec![identity.root.clone()]).unwrap());
    let credentials = ClientCredentials::Certificate { verifier };
    let mut config = ClientConfig::new(rustcrypto::provider(), credentials);
    config.common.versions = Versions::Dtls13;
    config.common.unix_time = DATE;
    edit(&mut config);
    Connection::client(Arc::new(config), Some(NAME), Seed([1; 32]), Instant::ZERO).unwrap()
}

fn native_server(identity: &Identity, edit: impl FnOnce(&mut ServerConfig)) -> Connection {
    let provider = rustcrypto::provider();
    let certified = CertifiedKey::new(&*provider, vec![identity.leaf.clone()], &identity.key).unwrap();
    let mut config = ServerConfig::new(provider, ServerCredentials::Certificate(certified), cookies());
    config.common.versions = Versions::Dtls13;
    config.common.unix_time = DATE;
    edit(&mut config);
    Connection::server(Arc::new(config), b"client", Seed([2; 32]), Instant::ZERO).unwrap()
}

fn with_their_server(cookie: bool, lost: Loss, edit: impl FnOnce(&mut ClientConfig)) -> Mixed {
    let (identity, base) = (identity(Key::P256, 0), base());
    let dimpl = Dtls::new_13(their_config(cookie), their_certificate(&identity), base);
    mixed(native_client(&identity, edit), dimpl, base, lost)
}

fn with_their_client(lost: Loss, edit: impl FnOnce(&mut ServerConfig)) -> Mixed {
    let (identity, base) = (identity(Key::P256, 0), base());
    let mut dimpl = Dtls::new_13(their_config(false), their_certificate(&identity), base);
    dimpl.set_active(true);
    mixed(native_server(&identity, edit), dimpl, base, lost)
}

fn nothing() -> Loss {
    Box::new(|_, _| false)
}

#[test]
fn native_client_and_dimpl_server_with_and_without_cookie() {
    for cookie in [false, true] {
        for group in [Group::X25519, Group::Secp256r1] {
            with_their_server(cookie, nothing(), |config| config.common.groups = vec![group])
                .check(&format!("cookie {cookie}, {group:?}"));
        }
    }
}

#[test]
fn native_client_and_dimpl_server_with_every_suite_both_have() {
    for suite in [
        CipherSuite::TLS_AES_128_GCM_SHA256,
        CipherSuite::TLS_AES_256_GCM_SHA384,
        CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
    ] {
        with_their_server(true, nothing(), |config| config.common.cipher_suites13 = vec![suite])
            .check(&suite.to_string());
    }
}

#[test]
fn native_server_and_dimpl_client_with_and_without_cookie() {
    with_their_client(nothing(), |_| ()).check("cookie");
    with_their_client(nothing(), |config| config.cookies = Cookies::Off).check("no cookie");
}

#[test]
fn native_server_asks_dimpl_client_for_another_group() {
    with_their_client(nothing(), |config| config.common.groups = vec![Group::Secp256r1]).check("P-256");
    with_their_client(nothing(), |config| config.common.groups = vec![Group::X25519]).check("X25519");
    with_their_client(nothing(), |config| config.common.groups = vec![Group::Secp384r1]).check("P-384");
}

#[test]
fn native_client_and_dimpl_server_over_p384() {
    let groups = |config: &mut ClientConfig| config.common.groups = vec![Group::Secp384r1];
    with_their_server(true, nothing(), groups).check("P-384");
}

#[test]
fn any_lost_datagram_is_made_up_for() {
    for from in [From::Native, From::Dimpl] {
        for nth in 0..5 {
            let lost = move || Box::new(move |of: From, n: usize| (of, n) == (from, nth)) as Loss;
            with_their_server(true, lost(), |_| ()).check(&format!("dimpl server, {from:?} {nth} lost"));
            with_their_client(lost(), |_| ()).check(&format!("dimpl client, {from:?} {nth} lost"));
        }
    }
}

#[test]
fn native_updates_its_keys_and_has_dimpl_update_its() {
    for request_peer in [false, true] {
        let mut mixed = with_their_server(true, nothing(), |_| ()).check("before the update");
        let now = mixed.now;
        mixed.native.update_keys(now, request_peer).unwrap();
        mixed.drain_native();
        mixed.run(now.saturating_since(Instant::ZERO) + Duration::from_secs(10));
        let now = mixed.now;
        mixed.exchange(now);
        mixed.exchange(now + Duration::from_secs(2));
    }
}

#[test]
fn dimpl_updates_its_keys_when_they_are_worn() {
    let (identity, base) = (identity(Key::P256, 0), base());
    let config = Arc::new(their_config_builder(true).aead_encryption_limit(10).build().unwrap());
    let dimpl = Dtls::new_13(config, their_certificate(&identity), base);
    let mut mixed = mixed(native_client(&identity, |_| ()), dimpl, base, nothing()).check("before the update");
    for _ in 0..40 {
        let now = mixed.now;
        mixed.exchange(now);
    }
    // Two bits of the epoch: 4 and later are seen only after a KeyUpdate.
    assert!(mixed.epochs.iter().any(|bits| [0, 1].contains(bits)), "{}", mixed.story);
}

#[test]
fn a_client_of_both_versions_reaches_dimpl_in_either() {
    for dtls13 in [false, true] {
        let (identity, base) = (identity(Key::P256, 0), base());
        let certificate = their_certificate(&identity);
        let dimpl = match dtls13 {
            false => Dtls::new_12(their_config(true), certificate, base),
            true => Dtls::new_13(their_config(true), certificate, base),
        };
        let native = native_client(&identity, |config| config.common.versions = Versions::Both);
        mixed(native, dimpl, base, nothing()).check(&format!("1.3: {dtls13}"));
    }
}

#[test]
fn a_client_of_dimpl_that_speaks_both_reaches_a_server_of_any() {
    for versions in [Versions::Dtls12, Versions::Dtls13, Versions::Both] {
        let (identity, base) = (identity(Key::P256, 0), base());
        let mut dimpl = Dtls::new_auto(their_config(false), their_certificate(&identity), base);
        dimpl.set_active(true);
        let native = native_server(&identity, |config| config.common.versions = versions);
        mixed(native, dimpl, base, nothing()).check(&format!("{versions:?}"));
    }
}

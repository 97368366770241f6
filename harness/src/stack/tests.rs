//! Every adapter against every other, on a wire of 10 ms that loses what a test says.

#[cfg(all(feature = "dimpl", feature = "rtc-dtls"))]
mod conduct;

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::*;
use crate::endpoint::{AdaptiveTimer, Credentials, Dtls, EndpointEvent, Features, Group, Role, Transmit};
use crate::pki::{self, ChainShape};

const DELAY: Duration = Duration::from_millis(10);
const HORIZON: SimTime = SimTime::from_nanos(300_000_000_000);

fn config(role: Role, credentials: &Credentials) -> EndpointConfig {
    let (local, peer) = (address(role), address(role.peer()));
    EndpointConfig {
        role,
        dtls: Dtls::V12,
        local,
        peer,
        credentials: credentials.clone(),
        server_name: ChainShape::default().names[0].clone(),
        mtu: 1200,
        cookie: true,
        suites: vec![],
        groups: vec![],
        timer_initial: None,
        timer_max: None,
        give_up: None,
        unix_time: 1_800_000_000,
        features: Features::default(),
    }
}

/// Where this end is.
fn address(role: Role) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(192, 0, 2, if role == Role::Client { 1 } else { 2 }), 4433))
}

fn certificate() -> Credentials {
    Credentials::Certificate(pki::identity(&ChainShape::default()))
}

fn psk() -> Credentials {
    Credentials::Psk { identity: b"meter-7".to_vec(), key: vec![7; 16], ecdhe: false }
}

/// An endpoint by itself.
fn build(stack: &dyn Stack, config: &EndpointConfig, entropy: [u8; 32]) -> Result<Box<dyn Endpoint>, String> {
    match config.role {
        Role::Client => stack.client(config, None, SimTime::ZERO, entropy),
        Role::Server => stack.listen(config, entropy)?.accept(SimTime::ZERO, config.peer),
    }
}

/// One datagram as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sent {
    at: SimTime,
    from: Role,
    lost: bool,
    bytes: Vec<u8>,
}

/// Client and server, the wire between them and an application that says ping, echoes it and closes.
struct Pair {
    ends: BTreeMap<Role, Box<dyn Endpoint>>,
    now: SimTime,
    wire: VecDeque<(SimTime, Role, Vec<u8>)>,
    sent: Vec<Sent>,
    events: Vec<(SimTime, Role, EndpointEvent)>,
    /// Whether the client closes after the echo.
    closes: bool,
}

impl Pair {
    fn new(client: &str, server: &str, credentials: &Credentials, change: fn(&mut EndpointConfig)) -> Self {
        Self::of([(client, Role::Client), (server, Role::Server)].map(|(name, role)| {
            let mut config = config(role, credentials);
            change(&mut config);
            (name, config)
        }))
    }

    fn of(ends: [(&str, EndpointConfig); 2]) -> Self {
        let ends = ends.map(|(name, config)| {
            let role = config.role;
            let stack = get(name).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(stack.unsupported(&config), None, "{name} as {role}");
            let entropy = [if role == Role::Client { 1 } else { 2 }; 32];
            (role, build(&*stack, &config, entropy).unwrap_or_else(|error| panic!("{name} as {role}: {error}")))
        });
        Self {
            ends: ends.into(),
            now: SimTime::ZERO,
            wire: VecDeque::new(),
            sent: vec![],
            events: vec![],
            closes: true,
        }
    }

    /// Runs to quiet; `lose` sees the sender and the index of each datagram on its direction.
    fn run(&mut self, mut lose: impl FnMut(Role, usize, &[u8]) -> bool) {
        self.run_over(|role, index, bytes| if lose(role, index, bytes) { vec![] } else { vec![bytes.to_vec()] });
    }

    /// Runs to quiet over a path that turns each datagram into those that arrive.
    fn run_over(&mut self, mut path: impl FnMut(Role, usize, &[u8]) -> Vec<Vec<u8>>) {
        self.with(Role::Client, |end, now| end.start(now), &mut path);
        self.carry_on(&mut path);
    }

    /// Runs to quiet from where things stand.
    fn carry_on(&mut self, path: &mut impl FnMut(Role, usize, &[u8]) -> Vec<Vec<u8>>) {
        loop {
            let delivery = self.wire.front().map(|(due, ..)| *due);
            let now = self.now;
            let timer = self.ends.values_mut().filter_map(|end| end.poll_timeout(now)).min();
            let Some(next) = delivery.into_iter().chain(timer).min() else { break };
            if next > HORIZON {
                break;
            }
            self.now = next.max(self.now);
            if delivery == Some(next) {
                if let Some((_, to, bytes)) = self.wire.pop_front() {
                    self.with(to, |end, now| end.handle_datagram(now, address(to.peer()), &bytes), path);
                }
                continue;
            }
            for role in Role::BOTH {
                if self.ends.get_mut(&role).and_then(|end| end.poll_timeout(next)).is_some_and(|at| at <= next) {
                    self.with(role, |end, now| end.handle_timeout(now), path);
                }
            }
        }
    }

    fn with(
        &mut self,
        role: Role,
        call: impl FnOnce(&mut dyn Endpoint, SimTime),
        path: &mut impl FnMut(Role, usize, &[u8]) -> Vec<Vec<u8>>,
    ) {
        let now = self.now;
        let end = self.ends.get_mut(&role).expect("both ends are there");
        call(end.as_mut(), now);
        loop {
            let mut idle = true;
            while let Some(event) = end.poll_event() {
                idle = false;
                match (role, &event) {
                    (Role::Client, EndpointEvent::Established { .. }) => end.send(now, b"ping"),
                    (Role::Server, EndpointEvent::Data(data)) => end.send(now, data),
                    (Role::Client, EndpointEvent::Data(_)) if self.closes => end.close(now),
                    _ => {}
                }
                self.events.push((now, role, event));
            }
            while let Some(Transmit { bytes, .. }) = end.poll_transmit(now) {
                idle = false;
                let index = self.sent.iter().filter(|sent| sent.from == role).count();
                let arriving = path(role, index, &bytes);
                let lost = arriving.is_empty();
                self.wire.extend(arriving.into_iter().map(|bytes| (now + DELAY, role.peer(), bytes)));
                self.sent.push(Sent { at: now, from: role, lost, bytes });
            }
            if idle {
                break;
            }
        }
    }

    fn saw(&self, role: Role, event: &EndpointEvent) -> bool {
        self.events.iter().any(|(_, by, seen)| *by == role && seen == event)
    }

    fn established(&self, role: Role) -> bool {
        self.events.iter().any(|(_, by, seen)| *by == role && matches!(seen, EndpointEvent::Established { .. }))
    }

    fn key_log(&self, role: Role) -> Vec<&str> {
        let lines = self.events.iter().filter(|(_, by, _)| *by == role);
        lines
            .filter_map(|(_, _, event)| match event {
                EndpointEvent::KeyLog(line) => Some(line.as_str()),
                _ => None,
            })
            .collect()
    }

    /// What happened, a line each, for a failed assertion.
    fn story(&self) -> String {
        let mut lines: Vec<(SimTime, String)> = vec![];
        for sent in &self.sent {
            let fate = if sent.lost { " lost" } else { "" };
            lines.push((
                sent.at,
                format!("{} {} sends {} B{fate}: {}", sent.at, sent.from, sent.bytes.len(), records(&sent.bytes)),
            ));
        }
        for (at, role, event) in &self.events {
            lines.push((*at, format!("{at} {role} {event:?}")));
        }
        lines.sort_by_key(|(at, _)| *at);
        lines.into_iter().map(|(_, line)| line + "\n").collect()
    }

    fn echoed(&self) -> bool {
        self.saw(Role::Client, &EndpointEvent::Data(b"ping".to_vec()))
    }

    fn assert_echo(&self, what: &str) {
        let story = self.story();
        assert!(self.established(Role::Client), "{what}: client not established\n{story}");
        assert!(self.established(Role::Server), "{what}: server not established\n{story}");
        assert!(self.saw(Role::Client, &EndpointEvent::Data(b"ping".to_vec())), "{what}: no echo\n{story}");
        let failed = self.events.iter().any(|(_, _, event)| matches!(event, EndpointEvent::Failed(_)));
        assert!(!failed, "{what}: failed\n{story}");
    }
}

/// Content type, epoch, number and, in the clear, handshake type of each record.
fn records(mut datagram: &[u8]) -> String {
    let mut out = vec![];
    while datagram.len() >= 13 {
        let epoch = u16::from_be_bytes([datagram[3], datagram[4]]);
        let number = datagram[10];
        let length = usize::from(u16::from_be_bytes([datagram[11], datagram[12]]));
        let kind = datagram.get(13).filter(|_| datagram[0] == 22 && epoch == 0);
        out.push(format!(
            "{}{}#{epoch}.{number}",
            datagram[0],
            kind.map(|kind| format!("/{kind}")).unwrap_or_default()
        ));
        datagram = datagram.get(13 + length..).unwrap_or_default();
    }
    out.join(" ")
}

fn names() -> Vec<&'static str> {
    registry().iter().map(|stack| stack.name()).collect()
}

fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    names().into_iter().flat_map(|client| names().into_iter().map(move |server| (client, server)))
}

#[test]
fn names_are_sorted_and_unique() {
    let names = names();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
}

#[test]
fn an_unknown_name_lists_what_there_is_and_what_is_near() {
    let Err(NoStack::Unknown(error)) = get("natve") else { panic!("there is no such stack") };
    assert_eq!(error.near, ["native"]);
    assert!(error.to_string().starts_with("no stack is called `natve`, did you mean `native`; there are "));
    let Err(NoStack::Unknown(error)) = get("quiche") else { panic!("there is no such stack") };
    assert!(error.near.is_empty());
    let Err(NoStack::Unknown(error)) = get("../peers/native") else { panic!("there is no such stack") };
    assert!(error.near.is_empty());
    let Err(NoStack::Unknown(error)) = get("opnssl") else { panic!("there is no such stack") };
    assert_eq!(error.near, ["openssl"]);
}

#[test]
fn versions_are_those_that_are_locked() {
    let lock = include_str!("../../../Cargo.lock");
    for stack in registry() {
        let package = if stack.name() == "native" { "dtls-impl" } else { stack.name() };
        let entry = format!("name = \"{package}\"\nversion = \"{}\"\n", stack.version());
        assert!(lock.contains(&entry), "{} is not at {}", stack.name(), stack.version());
    }
}

#[test]
fn every_pair_echoes_with_a_certificate_and_closes() {
    for (client, server) in pairs() {
        let mut pair = Pair::new(client, server, &certificate(), |_| {});
        pair.run(|_, _, _| false);
        pair.assert_echo(&format!("{client} to {server}"));
        assert!(pair.saw(Role::Server, &EndpointEvent::PeerClosed), "{client} to {server}\n{}", pair.story());
        assert_eq!(pair.key_log(Role::Client), pair.key_log(Role::Server), "{client} to {server}");
        assert_eq!(pair.key_log(Role::Client).len(), 1, "{client} to {server}");
    }
}

#[test]
fn every_pair_echoes_with_a_pre_shared_key() {
    for (client, server) in pairs() {
        let mut pair = Pair::new(client, server, &psk(), |_| {});
        pair.run(|_, _, _| false);
        pair.assert_echo(&format!("{client} to {server}"));
        assert_eq!(pair.key_log(Role::Client), pair.key_log(Role::Server), "{client} to {server}");
    }
}

/// Losses that end the handshake. `rtc-dtls` disarms its timer on any handshake record, does not arm it again if the
/// record was a repetition, and does not answer that with its own flight either (RFC 6347 §4.2.4: a retransmit read in
/// WAITING leads to SENDING). So whoever hears the peer's retransmission before the own timer fires falls silent.
const STRANDED: [(&str, &str, Role, usize); 5] = [
    ("native", "rtc-dtls", Role::Server, 1),
    ("rtc-dtls", "dimpl", Role::Client, 2),
    ("rtc-dtls", "native", Role::Client, 2),
    ("rtc-dtls", "rtc-dtls", Role::Client, 2),
    ("rtc-dtls", "rtc-dtls", Role::Server, 1),
];

#[test]
fn every_pair_survives_the_loss_of_any_one_datagram() {
    let mut surprises = vec![];
    for credentials in [certificate(), psk()] {
        for (client, server) in pairs() {
            for from in Role::BOTH {
                for nth in 0..3 {
                    let mut pair = Pair::new(client, server, &credentials, |_| {});
                    pair.closes = false;
                    pair.run(|role, index, _| role == from && index == nth);
                    let known = STRANDED.contains(&(client, server, from, nth));
                    if pair.echoed() == known {
                        println!("{client} to {server} without datagram {nth} of the {from}\n{}", pair.story());
                        surprises.push((client, server, from, nth));
                    }
                }
            }
        }
    }
    assert_eq!(surprises, []);
}

#[test]
fn every_pair_gets_through_a_narrow_path() {
    for (client, server) in pairs() {
        let mut pair = Pair::new(client, server, &certificate(), |config| config.mtu = 512);
        pair.run(|_, _, _| false);
        pair.assert_echo(&format!("{client} to {server} at 512 B"));
        let longest = pair.sent.iter().map(|sent| sent.bytes.len()).max();
        println!("{client} to {server}: longest {longest:?}");
    }
}

#[test]
fn a_stack_of_bytes_repeats_its_bytes() {
    for stack in registry().iter().filter(|stack| stack.determinism() == Determinism::Bytes) {
        for credentials in [certificate(), psk()] {
            let run = || {
                let mut pair = Pair::new(stack.name(), stack.name(), &credentials, |_| {});
                pair.run(|_, index, _| index == 1);
                pair.sent
            };
            assert_eq!(run(), run(), "{}", stack.name());
        }
    }
}

#[test]
#[cfg(feature = "dimpl")]
fn dimpl_repeats_its_bytes_in_every_process_and_at_any_time() {
    use sha2::{Digest, Sha256};
    let mut pair = Pair::new("dimpl", "dimpl", &psk(), |_| {});
    pair.run(|_, index, _| index == 1);
    let sum = pair.sent.iter().fold(Sha256::new(), |sum, sent| sum.chain_update(&sent.bytes)).finalize();
    assert_eq!(sum[..4], [0xac, 0xc9, 0x7a, 0xe3], "{sum:02x?}");
    // The first four bytes of the Random are the date of the run (RFC 5246 §7.4.1.2).
    assert_eq!(pair.sent[0].bytes[27..31], 1_800_000_000_u32.to_be_bytes());
}

#[test]
fn what_a_stack_cannot_do_is_refused_with_the_reason() {
    let chain = |certificates, key| {
        Credentials::Certificate(pki::identity(&ChainShape { certificates, key, ..ChainShape::default() }))
    };
    let one = certificate();
    let ecdhe_psk = Credentials::Psk { identity: vec![1], key: vec![2], ecdhe: true };
    type Change = fn(&mut EndpointConfig);
    const fn adaptive(least: u64) -> Option<AdaptiveTimer> {
        Some(AdaptiveTimer { rtt_hint: None, min: Some(Duration::from_secs(least)) })
    }
    let cases: [(&str, Role, &Credentials, Change, &str); 26] = [
        ("native", Role::Client, &one, |c| c.mtu = 255, "MTU from 256"),
        ("native", Role::Client, &one, |c| c.server_name = String::new(), "DNS name"),
        ("native", Role::Client, &one, |c| c.suites = vec!["PSK_WITH_AES_128_CCM_8".into()], "not among"),
        ("native", Role::Client, &one, |c| c.timer_max = Some(Duration::from_millis(999)), "no cap below"),
        ("native", Role::Client, &one, |c| c.features.adaptive_timer = adaptive(61), "no cap below the least"),
        ("native", Role::Client, &ecdhe_psk, |_| {}, ""),
        ("native", Role::Server, &chain(3, pki::KeyKind::Ed25519), |c| c.cookie = false, ""),
        ("dimpl", Role::Client, &ecdhe_psk, |_| {}, "ECDHE_PSK"),
        ("dimpl", Role::Server, &chain(2, pki::KeyKind::EcdsaP256), |_| {}, "one certificate"),
        ("dimpl", Role::Client, &chain(1, pki::KeyKind::Ed25519), |_| {}, "ECDSA"),
        ("dimpl", Role::Client, &one, |c| c.suites = vec!["PSK_WITH_AES_128_CCM_8".into()], "not among"),
        ("dimpl", Role::Client, &one, |c| c.mtu = 63, "no MTU below 64"),
        ("dimpl", Role::Client, &one, |c| c.give_up = Some(Duration::from_secs(9)), "gives up"),
        ("dimpl", Role::Client, &one, |c| c.timer_max = Some(Duration::from_secs(19)), "no cap"),
        ("dimpl", Role::Client, &one, |c| c.timer_initial = Some(Duration::ZERO), "zero"),
        ("dimpl", Role::Client, &one, |c| c.features.adaptive_timer = adaptive(1), "no adaptive timer"),
        ("rtc-dtls", Role::Server, &one, |c| c.features.max_fragment_length = Some(512), "no maximum fragment length"),
        ("rtc-dtls", Role::Client, &ecdhe_psk, |_| {}, "ECDHE_PSK"),
        ("rtc-dtls", Role::Server, &one, |c| c.cookie = false, "HelloVerifyRequest"),
        ("rtc-dtls", Role::Server, &chain(1, pki::KeyKind::Ed25519), |_| {}, "Ed25519"),
        ("rtc-dtls", Role::Client, &one, |c| c.groups = vec![Group::X25519, Group::P256], "own order"),
        ("rtc-dtls", Role::Client, &one, |c| c.suites = vec!["RSA_WITH_NULL_SHA".into()], "not among"),
        ("rtc-dtls", Role::Client, &one, |c| c.give_up = Some(Duration::from_secs(9)), "gives up"),
        ("rtc-dtls", Role::Client, &one, |c| c.timer_max = Some(Duration::from_millis(999)), "no cap"),
        ("rtc-dtls", Role::Client, &one, |c| c.timer_initial = Some(Duration::ZERO), "zero"),
        ("rtc-dtls", Role::Client, &one, |c| c.timer_initial = Some(Duration::from_nanos(1)), ""),
    ];
    for (name, role, credentials, change, part) in cases {
        let mut config = config(role, credentials);
        change(&mut config);
        let Ok(stack) = get(name) else { continue };
        let reason = stack.unsupported(&config);
        let as_expected =
            if part.is_empty() { reason.is_none() } else { reason.as_ref().is_some_and(|r| r.contains(part)) };
        assert!(as_expected, "{name} as {role}: {reason:?} instead of {part:?}");
    }
}

#[test]
fn a_client_gets_the_suite_and_the_group_it_insists_on() {
    let choices: [(&Credentials, &str, Group); 4] = [
        (&certificate(), "ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", Group::X25519),
        (&certificate(), "ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", Group::P256),
        (&psk(), "PSK_WITH_AES_128_CCM_8", Group::X25519),
        (&psk(), "PSK_WITH_AES_128_GCM_SHA256", Group::X25519),
    ];
    for (credentials, suite, group) in choices {
        for (client, server) in pairs() {
            let (mut own, mut peers) = (config(Role::Client, credentials), config(Role::Server, credentials));
            own.suites = vec![suite.to_owned()];
            own.groups = vec![group];
            peers.suites = own.suites.clone();
            let get = |name: &str| get(name).unwrap_or_else(|error| panic!("{error}"));
            if get(client).unsupported(&own).is_some() || get(server).unsupported(&peers).is_some() {
                continue;
            }
            let mut pair = Pair::of([(client, own), (server, peers)]);
            pair.run(|_, _, _| false);
            pair.assert_echo(&format!("{client} to {server} with {suite}"));
            for (_, role, event) in &pair.events {
                if let EndpointEvent::Established { suite: chosen } = event
                    && !chosen.is_empty()
                {
                    assert_eq!(chosen, suite, "{client} to {server}, {role}");
                }
            }
            // server_key_exchange names the group: ECCurveType named_curve, then its number (RFC 8422 §5.4).
            let number = if group == Group::X25519 { [3, 0, 29] } else { [3, 0, 23] };
            let named = |sent: &Sent| sent.bytes.windows(3).any(|bytes| bytes == number);
            let ecdhe = suite.starts_with("ECDHE");
            assert!(!ecdhe || pair.sent.iter().any(named), "{client} to {server}: {group:?}\n{}", pair.story());
        }
    }
}

#[test]
fn every_mutant_is_found_by_name_and_none_is_listed() {
    for name in native::Native::mutants().keys() {
        let Ok(mutant) = get(name) else { panic!("{name} is not found") };
        assert_eq!(mutant.name(), name);
        assert!(!names().contains(&name.as_str()));
    }
    let Err(NoStack::Unknown(error)) = get("native+no-backof") else { panic!("there is no such mutant") };
    assert_eq!(error.near, ["native+no-backoff"]);
    assert!(!error.to_string().contains("native+no-backoff, "));
}

#[test]
fn native_does_everything_a_scenario_can_ask_for() {
    let identity = |key, issuer, certificates| {
        Credentials::Certificate(pki::identity(&ChainShape { key, issuer, certificates, ..ChainShape::default() }))
    };
    let psk = |ecdhe| Credentials::Psk { identity: b"meter-7".to_vec(), key: vec![7; 16], ecdhe };
    let mut all = vec![psk(false), psk(true)];
    for key in [pki::KeyKind::EcdsaP256, pki::KeyKind::Ed25519] {
        for issuer in [pki::IssuerKind::EcdsaP256, pki::IssuerKind::Rsa2048] {
            all.extend([1, 3].map(|certificates| identity(key, issuer, certificates)));
        }
    }
    for credentials in all {
        let changes: [fn(&mut EndpointConfig); 4] = [
            |_| {},
            |config| config.cookie = false,
            |config| config.mtu = 256,
            |config| config.groups = vec![Group::P256],
        ];
        for change in changes {
            let mut pair = Pair::new("native", "native", &credentials, change);
            pair.run(|_, _, _| false);
            pair.assert_echo(&format!("{credentials:?}"));
        }
    }
}

#[test]
#[cfg(feature = "rtc-dtls")]
fn rtc_dtls_clients_trust_chains_of_native_servers_in_every_shape() {
    for key in [pki::KeyKind::EcdsaP256, pki::KeyKind::Ed25519] {
        for issuer in [pki::IssuerKind::EcdsaP256, pki::IssuerKind::Rsa2048] {
            let shape = ChainShape { key, issuer, certificates: 3, ..ChainShape::default() };
            let mut pair = Pair::new("rtc-dtls", "native", &Credentials::Certificate(pki::identity(&shape)), |_| {});
            pair.run(|_, _, _| false);
            pair.assert_echo(&format!("{shape:?}"));
        }
    }
}

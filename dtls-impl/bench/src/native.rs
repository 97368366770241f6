//! `dtls-impl` with each of its providers.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use dtls_impl::config::{
    CertifiedKey, ClientCredentials, Cookies, Psk, ServerCredentials, SessionCache, TICKET_KEY_LEN, TicketKeys,
    Tickets, UnknownIdentity, Versions,
};
use dtls_impl::crypto::{CryptoProvider, Group, Secret, aws_lc_rs, rustcrypto};
use dtls_impl::pki::ServerVerifier;
use dtls_impl::wire::CipherSuite;
use dtls_impl::{ClientConfig, ClientSession, Connection, Event, Instant, Output, Seed, ServerConfig};

use crate::MTU;
use crate::identity::{DATE, Identity, NAME};

/// A provider and its name.
#[derive(Clone)]
pub struct Provider {
    /// As printed.
    pub name: &'static str,
    /// Itself.
    pub inner: Arc<dyn CryptoProvider>,
}

/// All providers of this build.
pub fn providers() -> Vec<Provider> {
    vec![
        Provider { name: "RustCrypto", inner: rustcrypto::provider() },
        Provider { name: "AwsLc", inner: aws_lc_rs::provider() },
    ]
}

/// Handshakes to measure. Servers of DTLS 1.2 ask for a cookie (RFC 6347 §4.2.1), those of 1.3 do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// DTLS 1.2, the server by a certificate, which the client follows to its root.
    Certificate12,
    /// DTLS 1.2, both by a key they share, without ephemeral keys.
    Psk12,
    /// DTLS 1.2, resumed by session id (RFC 5246 §7.3).
    Id12,
    /// DTLS 1.2, resumed by ticket (RFC 5077).
    Ticket12,
    /// DTLS 1.3, the server by a certificate.
    Certificate13,
    /// DTLS 1.3, both by a key they share, with ephemeral keys.
    Psk13,
    /// DTLS 1.3, resumed by ticket with ephemeral keys (RFC 8446 §4.6.1).
    Ticket13,
}

impl Handshake {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Certificate12,
        Self::Psk12,
        Self::Id12,
        Self::Ticket12,
        Self::Certificate13,
        Self::Psk13,
        Self::Ticket13,
    ];

    const fn is_12(self) -> bool {
        matches!(self, Self::Certificate12 | Self::Psk12 | Self::Id12 | Self::Ticket12)
    }

    const fn resumes(self) -> bool {
        matches!(self, Self::Id12 | Self::Ticket12 | Self::Ticket13)
    }
}

/// What both ends are told.
pub struct Stack {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    /// Of a full handshake, to be resumed.
    session: Option<ClientSession>,
}

impl Stack {
    /// Loads keys and roots; where a session is to be resumed, does the full handshake before it.
    pub fn new(provider: &Provider, handshake: Handshake) -> Self {
        let provider = &provider.inner;
        let cookies =
            if handshake.is_12() { Cookies::Required { secret: Secret::new(vec![7; 32]) } } else { Cookies::Off };
        let by_psk = matches!(handshake, Handshake::Psk12 | Handshake::Psk13);
        let (mut client, mut server) = if by_psk {
            let key = Secret::new(vec![9; 16]);
            let client = ClientCredentials::Psk(Psk { identity: b"device".to_vec(), key: key.clone() });
            let keys = BTreeMap::from([(b"device".to_vec(), key)]);
            let server = ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert };
            (ClientConfig::new(provider.clone(), client), ServerConfig::new(provider.clone(), server, cookies))
        } else {
            let identity = Identity::new();
            let verifier = Arc::new(ServerVerifier::new(vec![identity.root.clone()]).expect("a root"));
            let key = CertifiedKey::new(&**provider, vec![identity.leaf.clone()], &identity.key());
            let key = ServerCredentials::Certificate(key.expect("a key and its certificate"));
            (
                ClientConfig::new(provider.clone(), ClientCredentials::Certificate { verifier }),
                ServerConfig::new(provider.clone(), key, cookies),
            )
        };
        let suite = if by_psk { "TLS_PSK_WITH_AES_128_GCM_SHA256" } else { "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" };
        for common in [&mut client.common, &mut server.common] {
            common.versions = if handshake.is_12() { Versions::Dtls12 } else { Versions::Dtls13 };
            common.cipher_suites = vec![CipherSuite::from_name(suite).expect("a suite")];
            common.cipher_suites13 = vec![CipherSuite::from_name("TLS_AES_128_GCM_SHA256").expect("a suite")];
            common.groups = vec![Group::X25519];
            common.mtu = MTU;
            common.unix_time = DATE;
        }
        client.sessions = handshake.resumes();
        match handshake {
            Handshake::Id12 => server.sessions = Some(Arc::new(SessionCache::new(16, Duration::from_secs(3600)))),
            Handshake::Ticket12 | Handshake::Ticket13 => {
                server.tickets = Some(Tickets::new(TicketKeys::new([6; TICKET_KEY_LEN])));
            }
            _ => {}
        }
        let mut stack = Self { client: Arc::new(client), server: Arc::new(server), session: None };
        if handshake.resumes() {
            stack.session = stack.pair().session;
            assert!(stack.session.is_some(), "the server gives sessions");
            assert!(stack.pair().ends[0].negotiated().is_some_and(|agreed| agreed.resumed), "and takes them");
        }
        stack
    }

    /// A whole handshake.
    pub fn pair(&self) -> Pair {
        let (now, seed) = (Instant::ZERO, Seed([1; 32]));
        let config = Arc::clone(&self.client);
        let client = match &self.session {
            None => Connection::client(config, Some(NAME), seed, now),
            Some(session) => Connection::resume(config, Some(NAME), session.clone(), seed, now),
        };
        let server = Connection::server(Arc::clone(&self.server), b"192.0.2.1:5684", Seed([2; 32]), now);
        let ends = [client.expect("a good configuration"), server.expect("a good configuration")];
        let mut pair = Pair { ends, session: None };
        let (mut established, mut session) = (0, None);
        for turn in 0..8 {
            pair.turn(turn % 2, |event| match event {
                Event::Established { .. } => established += 1,
                Event::Session(given) => session = Some(given),
                Event::Failed(error) => panic!("{error}"),
                _ => {}
            });
        }
        assert_eq!(established, 2);
        Pair { session, ..pair }
    }
}

/// Both ends of one association.
pub struct Pair {
    ends: [Connection; 2],
    /// What the client could resume it with.
    session: Option<ClientSession>,
}

impl Pair {
    /// An established association.
    pub fn new(provider: &Provider, handshake: Handshake) -> Self {
        Stack::new(provider, handshake).pair()
    }

    /// Delivers all that one end has to say.
    fn turn(&mut self, from: usize, mut on_event: impl FnMut(Event)) {
        loop {
            match self.ends[from].poll_output() {
                Output::Datagram(bytes) => self.ends[1 - from].handle_datagram(Instant::ZERO, &bytes),
                Output::Event(event) => on_event(event),
                _ => return,
            }
        }
    }

    /// Sends one record of application data to the server, which reads it.
    pub fn record(&mut self, data: &[u8]) {
        self.ends[0].send(Instant::ZERO, data).expect("established");
        self.turn(0, drop);
        let mut received = 0;
        self.turn(1, |event| {
            if let Event::Data(data) = event {
                received += data.len();
            }
        });
        assert_eq!(received, data.len());
    }
}

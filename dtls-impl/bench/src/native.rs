//! `dtls-impl` with each of its providers.

use std::collections::BTreeMap;
use std::sync::Arc;

use dtls_impl::config::{CertifiedKey, ClientCredentials, Cookies, Psk, ServerCredentials, UnknownIdentity, Versions};
use dtls_impl::crypto::{CryptoProvider, Group, Secret, aws_lc_rs, rustcrypto};
use dtls_impl::pki::ServerVerifier;
use dtls_impl::wire::CipherSuite;
use dtls_impl::{ClientConfig, Connection, Event, Instant, Output, Seed, ServerConfig};

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

/// Versions to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 6347, with the cookie exchange.
    V12,
    /// RFC 9147, without.
    V13,
}

/// Who authenticates how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// The server by a certificate, which the client follows to its root.
    Certificate,
    /// Both by a key they share.
    Psk,
}

/// What both ends are told.
pub struct Stack {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Stack {
    /// Loads keys and roots.
    pub fn new(provider: &Provider, version: Version, auth: Auth) -> Self {
        let provider = &provider.inner;
        let cookies = match version {
            Version::V12 => Cookies::Required { secret: Secret::new(vec![7; 32]) },
            Version::V13 => Cookies::Off,
        };
        let (mut client, mut server) = match auth {
            Auth::Certificate => {
                let identity = Identity::new();
                let verifier = Arc::new(ServerVerifier::new(vec![identity.root.clone()]).expect("a root"));
                let key = CertifiedKey::new(&**provider, vec![identity.leaf.clone()], &identity.key());
                let key = ServerCredentials::Certificate(key.expect("a key and its certificate"));
                (
                    ClientConfig::new(provider.clone(), ClientCredentials::Certificate { verifier }),
                    ServerConfig::new(provider.clone(), key, cookies),
                )
            }
            Auth::Psk => {
                let key = Secret::new(vec![9; 16]);
                let client = ClientCredentials::Psk(Psk { identity: b"device".to_vec(), key: key.clone() });
                let keys = BTreeMap::from([(b"device".to_vec(), key)]);
                let server = ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert };
                (ClientConfig::new(provider.clone(), client), ServerConfig::new(provider.clone(), server, cookies))
            }
        };
        let suite = match auth {
            Auth::Certificate => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Auth::Psk => "TLS_PSK_WITH_AES_128_GCM_SHA256",
        };
        for common in [&mut client.common, &mut server.common] {
            common.versions = if version == Version::V12 { Versions::Dtls12 } else { Versions::Dtls13 };
            common.cipher_suites = vec![CipherSuite::from_name(suite).expect("a suite")];
            common.cipher_suites13 = vec![CipherSuite::from_name("TLS_AES_128_GCM_SHA256").expect("a suite")];
            common.groups = vec![Group::X25519];
            common.mtu = MTU;
            common.unix_time = DATE;
        }
        Self { client: Arc::new(client), server: Arc::new(server) }
    }

    /// A whole handshake.
    pub fn pair(&self) -> Pair {
        let now = Instant::ZERO;
        let client = Connection::client(Arc::clone(&self.client), Some(NAME), Seed([1; 32]), now);
        let server = Connection::server(Arc::clone(&self.server), b"192.0.2.1:5684", Seed([2; 32]), now);
        let mut pair = Pair { ends: [client.expect("a good configuration"), server.expect("a good configuration")] };
        let mut established = 0;
        for turn in 0..8 {
            pair.turn(turn % 2, |event| match event {
                Event::Established { .. } => established += 1,
                Event::Failed(error) => panic!("{error}"),
                _ => {}
            });
        }
        assert_eq!(established, 2);
        pair
    }
}

/// Both ends of one association.
pub struct Pair {
    ends: [Connection; 2],
}

impl Pair {
    /// An established association.
    pub fn new(provider: &Provider, version: Version, auth: Auth) -> Self {
        Stack::new(provider, version, auth).pair()
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

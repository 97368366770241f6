//! The crate `dimpl` with each of its providers. It leaves the chain to the application: this one follows it as
//! `dtls-impl` does. It has no resumption, and no PSK in DTLS 1.3.

use std::sync::Arc;
use std::time::Instant;

use ::dimpl::crypto::{Dtls12CipherSuite, Dtls13CipherSuite, NamedGroup, aws_lc_rs, rust_crypto};
use ::dimpl::{Config, Dtls, DtlsCertificate, Output, PskResolver};
use dtls_impl::pki::ServerVerifier;
use rustls_pki_types::{CertificateDer, ServerName};

use crate::MTU;
use crate::identity::{DATE, Identity, NAME};
use crate::native;

/// Its providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crypto {
    /// Of RustCrypto.
    RustCrypto,
    /// Of aws-lc-rs.
    AwsLc,
}

/// Versions it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// DTLS 1.2.
    V12,
    /// DTLS 1.3.
    V13,
}

struct FixedPsk;

impl PskResolver for FixedPsk {
    fn resolve(&self, identity: &[u8]) -> Option<Vec<u8>> {
        (identity == b"device").then(|| vec![9; 16])
    }
}

/// What both ends are told.
pub struct Stack {
    version: Version,
    configs: [Arc<Config>; 2],
    identity: Option<(Identity, ServerVerifier, native::Provider)>,
    base: Instant,
}

impl Stack {
    fn config(crypto: Crypto, psk: Option<bool>, cookie: bool) -> Arc<Config> {
        let provider = match crypto {
            Crypto::RustCrypto => rust_crypto::default_provider(),
            Crypto::AwsLc => aws_lc_rs::default_provider(),
        };
        let suite = match psk {
            Some(_) => Dtls12CipherSuite::PSK_AES128_CCM_8,
            None => Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256,
        };
        let mut builder = Config::builder()
            .with_crypto_provider(provider)
            .mtu(MTU)
            .use_server_cookie(cookie)
            .require_client_certificate(false)
            .kx_groups(&[NamedGroup::X25519])
            .dtls12_cipher_suites(&[suite])
            .dtls13_cipher_suites(&[Dtls13CipherSuite::AES_128_GCM_SHA256]);
        builder = match psk {
            Some(true) => builder.with_psk_client(b"device".to_vec(), Arc::new(FixedPsk)),
            Some(false) => builder.with_psk_server(None, Arc::new(FixedPsk)),
            None => builder,
        };
        Arc::new(builder.build().expect("a good configuration"))
    }

    /// The server by a certificate; DTLS 1.2 with the cookie exchange, 1.3 without.
    pub fn certificate(crypto: Crypto, version: Version) -> Self {
        let config = Self::config(crypto, None, version == Version::V12);
        let identity = Identity::new();
        let verifier = ServerVerifier::new(vec![identity.root.clone()]).expect("a root");
        // The same crypto checks the chain, if this build has it.
        let providers = native::providers();
        let provider = if crypto == Crypto::RustCrypto { providers.first() } else { providers.last() };
        let provider = provider.expect("at least one").clone();
        Self {
            version,
            configs: [Arc::clone(&config), config],
            identity: Some((identity, verifier, provider)),
            base: Instant::now(),
        }
    }

    /// Both by a key they share: DTLS 1.2, with cookie.
    pub fn psk(crypto: Crypto) -> Self {
        let configs = [true, false].map(|client| Self::config(crypto, Some(client), true));
        Self { version: Version::V12, configs, identity: None, base: Instant::now() }
    }

    /// A whole handshake.
    pub fn pair(&self) -> Pair {
        let end = |config: &Arc<Config>| match (&self.identity, self.version) {
            (None, _) => Dtls::new_12_psk(Arc::clone(config), self.base),
            (Some((identity, ..)), version) => {
                let certificate = DtlsCertificate {
                    certificate: identity.leaf.to_vec(),
                    private_key: identity.key().secret_der().to_vec(),
                };
                match version {
                    Version::V12 => Dtls::new_12(Arc::clone(config), certificate, self.base),
                    Version::V13 => Dtls::new_13(Arc::clone(config), certificate, self.base),
                }
            }
        };
        let [client, server] = &self.configs;
        let (mut client, mut server) = (end(client), end(server));
        client.set_active(true);
        for end in [&mut client, &mut server] {
            end.handle_timeout(self.base).expect("a timeout at the start");
        }
        let mut pair = Pair { ends: [client, server], buffer: vec![0; 1 << 14], received: 0, connected: 0 };
        for turn in 0..10 {
            if let Some(leaf) = pair.turn(turn % 2)
                && let Some((_, verifier, provider)) = &self.identity
                && turn % 2 == 0
            {
                let name = ServerName::try_from(NAME).expect("a name");
                let chain = [CertificateDer::from(leaf)];
                verifier.verify_chain(&chain, Some(&name), DATE, &*provider.inner).expect("a good chain");
            }
        }
        assert_eq!(pair.connected, 2);
        pair
    }
}

/// Both ends of one association.
pub struct Pair {
    ends: [Dtls; 2],
    buffer: Vec<u8>,
    received: usize,
    connected: u8,
}

impl Pair {
    /// Delivers all that one end has to say; gives the peer's certificate if it shows one.
    fn turn(&mut self, from: usize) -> Option<Vec<u8>> {
        let mut certificate = None;
        let [client, server] = &mut self.ends;
        let (own, peer) = if from == 0 { (client, server) } else { (server, client) };
        loop {
            match own.poll_output(&mut self.buffer) {
                Output::Packet(bytes) => peer.handle_packet(bytes).expect("a good packet"),
                Output::Connected => self.connected += 1,
                Output::PeerCert(der) => certificate = Some(der.to_vec()),
                Output::ApplicationData(data) => self.received += data.len(),
                Output::Timeout(_) => return certificate,
                _ => {}
            }
        }
    }

    /// Sends one record of application data to the server, which reads it.
    pub fn record(&mut self, data: &[u8]) {
        self.received = 0;
        self.ends[0].send_application_data(data).expect("connected");
        self.turn(0);
        self.turn(1);
        assert_eq!(self.received, data.len());
    }
}

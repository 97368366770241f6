//! The crate `rtc-dtls` on ring: DTLS 1.2, without resumption.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use dtls_impl::pki::ServerVerifier;
use rtc_dtls::cipher_suite::CipherSuiteId;
use rtc_dtls::config::{ConfigBuilder, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::providers::{RingCrypto, RingProvider};
use rtc_dtls::crypto_provider::{RTCCrypto, SignatureScheme};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_shared::TransportProtocol;
use rtc_shared::error::Error;
use rustls_pki_types::{CertificateDer, ServerName};

use crate::MTU;
use crate::identity::{DATE, Identity, NAME};
use crate::native;

/// What both ends are told. DTLS 1.2; the server always asks for a cookie.
pub struct Stack {
    configs: [Arc<HandshakeConfig>; 2],
    base: Instant,
}

fn addresses() -> [SocketAddr; 2] {
    ["192.0.2.1:5684".parse().expect("an address"), "192.0.2.2:5684".parse().expect("an address")]
}

impl Stack {
    fn new(builders: [ConfigBuilder; 2]) -> Self {
        let mut peers = addresses().into_iter().rev();
        let mut clients = [true, false].into_iter();
        let configs = builders.map(|builder| {
            let (client, peer) = (clients.next().unwrap_or_default(), peers.next());
            let builder = builder.with_mtu(MTU).with_crypto_provider(Arc::new(RingProvider::new()));
            Arc::new(builder.build(client, peer).expect("a good configuration"))
        });
        Self { configs, base: Instant::now() }
    }

    /// The server by a certificate, which the client follows to its root.
    pub fn certificate() -> Self {
        let identity = Identity::new();
        let key = RingCrypto.import_signing_key(SignatureScheme::EcdsaP256Sha256, identity.key().secret_der());
        let certificate = Certificate::from_signing_key(vec![identity.leaf.clone()], key.expect("a key"));
        let verifier = ServerVerifier::new(vec![identity.root.clone()]).expect("a root");
        let provider = native::providers().pop().expect("at least one").inner;
        let verify = move |chain: &[Vec<u8>], _: &_| {
            let chain: Vec<_> = chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
            let name = ServerName::try_from(NAME).expect("a name");
            verifier
                .verify_chain(&chain, Some(&name), DATE, &*provider)
                .map_err(|_| Error::Other("bad chain".to_owned()))
        };
        let suites = || vec![CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256];
        let client = ConfigBuilder::default()
            .with_server_name(NAME.to_owned())
            .with_insecure_skip_verify(true)
            .with_cipher_suites(suites())
            .with_verify_peer_certificate(Some(Arc::new(verify)));
        let server = ConfigBuilder::default().with_certificates(vec![certificate]).with_cipher_suites(suites());
        Self::new([client, server])
    }

    /// Both by a key they share.
    pub fn psk() -> Self {
        let builder = || {
            ConfigBuilder::default()
                .with_psk(Some(Arc::new(|_: &[u8]| Ok(vec![9; 16]))))
                .with_psk_identity_hint(Some(b"device".to_vec()))
                .with_cipher_suites(vec![CipherSuiteId::Tls_Psk_With_Aes_128_Gcm_Sha256])
        };
        Self::new([builder(), builder()])
    }

    /// A whole handshake.
    pub fn pair(&self) -> Pair {
        let [client, server] = addresses();
        let mut ends = [
            Endpoint::new(client, TransportProtocol::UDP, None),
            Endpoint::new(server, TransportProtocol::UDP, Some(Arc::clone(&self.configs[1]))),
        ];
        ends[0].connect(self.base, server, Arc::clone(&self.configs[0]), None).expect("a client");
        let mut pair = Pair { ends, now: self.base, complete: 0, received: 0 };
        for turn in 0..8 {
            pair.turn(turn % 2);
        }
        assert_eq!(pair.complete, 2);
        pair
    }
}

/// Both ends of one association.
pub struct Pair {
    ends: [Endpoint; 2],
    now: Instant,
    complete: u8,
    received: usize,
}

impl Pair {
    fn turn(&mut self, from: usize) {
        let address = addresses()[from];
        while let Some(transmit) = self.ends[from].poll_transmit() {
            let events = self.ends[1 - from].read(self.now, address, None, BytesMut::from(&transmit.message[..]));
            for event in events.expect("a good datagram") {
                match event {
                    EndpointEvent::HandshakeComplete => self.complete += 1,
                    EndpointEvent::ApplicationData(data) => self.received += data.len(),
                    _ => {}
                }
            }
        }
    }

    /// Sends one record of application data to the server, which reads it.
    pub fn record(&mut self, data: &[u8]) {
        self.received = 0;
        self.ends[0].write(self.now, addresses()[1], data).expect("complete");
        self.turn(0);
        assert_eq!(self.received, data.len());
    }
}

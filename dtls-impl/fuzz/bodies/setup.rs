//! What the two ends are told to be, from one byte of the input.
//!
//! | bits | without | with |
//! |---|---|---|
//! | 0, 1 | DTLS 1.2 | 1: 1.3; 2: both versions; 3: a client of both, a server of 1.2 |
//! | 2 | cookies | none |
//! | 3 | no tickets | tickets, and early data where there can be |
//! | 4 | a shared key | a certificate of the server |
//! | 5 | nothing more | with a certificate: one of the client; with a key: sizes of records, names of protocols, an imported key |
//! | 6 | one path | connection IDs, and peers that move |
//! | 7 | a first connection | one that resumes the session of another, by session id if there are no tickets |

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dtls_impl::config::{
    CertifiedKey, ClientAuth, ClientCredentials, ConnectionId, Cookies, EarlyData, Psk, PskMode, ReplayGuard,
    ServerCredentials, SessionCache, TicketKeys, Tickets, UnknownIdentity, Versions,
};
use dtls_impl::crypto::{Secret, rustcrypto};
use dtls_impl::pki::{ClientVerifier, ServerVerifier};
use dtls_impl::{ClientConfig, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// When the certificates are valid, as they are for a century.
const DATE: u64 = 1_800_000_000;

/// Largest datagram of both ends: small, so that messages come in pieces.
pub(crate) const MTU: usize = 256;

/// One byte of an input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup(pub(crate) u8);

impl Setup {
    const fn has(self, bit: u8) -> bool {
        self.0 >> bit & 1 != 0
    }

    /// Whether both ends speak DTLS 1.3 and nothing else.
    pub(crate) const fn is_dtls13_only(self) -> bool {
        self.0 & 3 == 1
    }

    /// Whether DTLS 1.3 is what is negotiated.
    pub(crate) const fn is_dtls13(self) -> bool {
        matches!(self.0 & 3, 1 | 2)
    }

    pub(crate) const fn has_tickets(self) -> bool {
        self.has(3)
    }

    pub(crate) const fn has_certificates(self) -> bool {
        self.has(4)
    }

    pub(crate) const fn has_client_certificate(self) -> bool {
        self.has(4) && self.has(5)
    }

    pub(crate) const fn has_connection_ids(self) -> bool {
        self.has(6)
    }

    pub(crate) const fn resumes(self) -> bool {
        self.has(7)
    }

    const fn versions(self) -> [Versions; 2] {
        match self.0 & 3 {
            0 => [Versions::Dtls12; 2],
            1 => [Versions::Dtls13; 2],
            2 => [Versions::Both; 2],
            _ => [Versions::Both, Versions::Dtls12],
        }
    }

    /// What client and server are told.
    pub(crate) fn configs(self) -> (ClientConfig, ServerConfig) {
        let (client, server) = if self.has_certificates() { certificate() } else { shared_key() };
        let cookies = if self.has(2) { Cookies::Off } else { Cookies::Required { secret: Secret::new(vec![7; 32]) } };
        let mut client = ClientConfig::new(rustcrypto::provider(), client);
        let mut server = ServerConfig::new(rustcrypto::provider(), server, cookies);
        for (common, versions) in [&mut client.common, &mut server.common].into_iter().zip(self.versions()) {
            common.versions = versions;
            common.psk_modes = vec![PskMode::Ke];
            common.key_log = true;
            common.mtu = MTU;
            common.unix_time = DATE;
            // No ephemeral keys beside the shared one in 1.2 either.
            common.cipher_suites.retain(|suite| !suite.to_string().starts_with("TLS_ECDHE_PSK"));
        }
        if self.has_tickets() || self.resumes() {
            // One of 1.2 does without tickets, those of 1.3 cannot.
            let by_id = !self.has_tickets() && !self.is_dtls13();
            server.tickets = (!by_id).then(|| Tickets::new(TicketKeys::new([7; 32])));
            server.sessions = by_id.then(|| Arc::new(SessionCache::new(4, Duration::from_secs(86_400))));
        }
        if self.has_tickets() {
            server.early_data = Some(EarlyData::new(Arc::new(ReplayGuard::new(4))));
            client.early_data = true;
        }
        client.sessions = self.resumes();
        match (self.has(5), &server.credentials) {
            (false, _) => {}
            (true, ServerCredentials::Certificate(own)) => {
                client.identity = Some(own.clone());
                let verifier = Arc::new(ClientVerifier::new(vec![root()]).expect("a root"));
                server.client_auth = ClientAuth::Required(verifier);
            }
            (true, ServerCredentials::Psk { .. }) => {
                for (common, limit) in [(&mut client.common, 64), (&mut server.common, 200)] {
                    common.record_size_limit = Some(limit);
                    common.alpn = vec![b"coap".to_vec()];
                    common.psk_import = Some(b"fuzz".to_vec());
                }
            }
        }
        if self.has_connection_ids() {
            client.common.connection_id = ConnectionId::Random { len: 3 };
            server.common.connection_id = ConnectionId::Use(b"server".to_vec());
        }
        (client, server)
    }
}

fn shared_key() -> (ClientCredentials, ServerCredentials) {
    let key = Secret::new(vec![9; 16]);
    let client = ClientCredentials::Psk(Psk { identity: b"device".to_vec(), key: key.clone() });
    let keys = BTreeMap::from([(b"device".to_vec(), key)]);
    (client, ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert })
}

fn root() -> CertificateDer<'static> {
    CertificateDer::from(&include_bytes!("certificates/root.der")[..])
}

/// Ed25519, whose signatures are short and quickly made. The certificate is good for either side.
fn certificate() -> (ClientCredentials, ServerCredentials) {
    let own = CertificateDer::from(&include_bytes!("certificates/end.der")[..]);
    let key = PrivatePkcs8KeyDer::from(&include_bytes!("certificates/end.key.der")[..]);
    let own = CertifiedKey::new(&*rustcrypto::provider(), vec![own], &key.into()).expect("a key and its certificate");
    let verifier = Arc::new(ServerVerifier::new(vec![root()]).expect("a root"));
    (ClientCredentials::Certificate { verifier }, ServerCredentials::Certificate(own))
}

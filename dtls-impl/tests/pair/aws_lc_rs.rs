//! The fast provider against the default one, in every pair of roles.

use std::sync::Arc;

use crate::common::{Key, NAME, Pair, certificates, clean, identity, psk, secs};
use dtls_impl::config::{CertifiedKey, ServerCredentials, Versions};
use dtls_impl::crypto::{CryptoProvider, Group, aws_lc_rs, rustcrypto};
use dtls_impl::{ClientConfig, ServerConfig};

fn with_providers(
    (mut client, mut server): (ClientConfig, ServerConfig),
    key: Option<Key>,
    providers: [Arc<dyn CryptoProvider>; 2],
) -> (ClientConfig, ServerConfig) {
    let [ours, theirs] = providers;
    if let Some(key) = key {
        let identity = identity(key, 0);
        let certified = CertifiedKey::new(&*theirs, vec![identity.leaf], &identity.key).unwrap();
        server.credentials = ServerCredentials::Certificate(certified);
    }
    client.common.provider = ours;
    server.common.provider = theirs;
    (client, server)
}

#[test]
fn both_providers_shake_hands_with_each_other_and_themselves() {
    let providers = [rustcrypto::provider, aws_lc_rs::provider];
    for (ours, theirs) in providers.iter().flat_map(|ours| providers.map(|theirs| (*ours, theirs))) {
        for versions in [Versions::Dtls12, Versions::Dtls13] {
            for group in [Group::X25519, Group::Secp256r1, Group::Secp384r1, Group::X25519MlKem768] {
                if versions == Versions::Dtls12 && group == Group::X25519MlKem768 {
                    continue;
                }
                for key in [Some(Key::P256), Some(Key::Ed25519), None] {
                    let ends = key.map_or_else(psk, |key| certificates(key, 0));
                    let (mut client, mut server) = with_providers(ends, key, [ours(), theirs()]);
                    for common in [&mut client.common, &mut server.common] {
                        common.versions = versions;
                        common.groups = vec![group];
                    }
                    let mut pair = Pair::new(client, server, clean());
                    pair.run(secs(10));
                    assert!(pair.both_established(), "{NAME} {versions:?} {group:?} {key:?}\n{}", pair.story());
                    pair.exchange_data();
                }
            }
        }
    }
}

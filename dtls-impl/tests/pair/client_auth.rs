//! Who each end finds the other to be, and certificates of clients.

use crate::common::{Key, Pair, Side, certificates, clean, identity, psk, secs};
use crate::dtls13::v13;
use dtls_impl::{ClientConfig, PeerIdentity, ServerConfig};

fn shake((client, server): (ClientConfig, ServerConfig)) -> Pair {
    let mut pair = Pair::new(client, server, clean());
    pair.run(secs(300));
    pair
}

/// Whom an end has authenticated.
fn peer_of(pair: &Pair, side: Side) -> Option<PeerIdentity> {
    let connection = if side == Side::Client { &pair.client } else { &pair.server };
    connection.negotiated().map(|negotiated| negotiated.peer)
}

#[test]
fn each_end_says_whom_it_has_authenticated_and_nothing_before() {
    let chain = PeerIdentity::Certificate(vec![identity(Key::P256, 0).leaf]);
    for of_version in [|configs| configs, v13] {
        let pair = shake(of_version(certificates(Key::P256, 0)));
        assert_eq!(peer_of(&pair, Side::Client), Some(chain.clone()), "{}", pair.story());
        assert_eq!(peer_of(&pair, Side::Server), Some(PeerIdentity::Anonymous));
        let pair = shake(of_version(psk()));
        for side in [Side::Client, Side::Server] {
            assert_eq!(peer_of(&pair, side), Some(PeerIdentity::Psk(b"device".to_vec())), "{}", pair.story());
        }
        let (client, server) = of_version(psk());
        assert_eq!(peer_of(&Pair::new(client, server, clean()), Side::Client), None);
    }
}

//! Serves DTLS clients: prints what was agreed on with each, and sends back what each says.

mod options;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dtls_impl::ServerConfig;
use dtls_impl::config::{ClientAuth, Cookies, ServerCredentials, SessionCache, TicketKeys, Tickets, UnknownIdentity};
use dtls_impl::crypto::Secret;
use dtls_impl::pki::ClientVerifier;
use dtls_impl::tokio::{Limits, Listener};

use self::options::{Arguments, fail};

const USAGE: &str = "\
usage: server [OPTION]... ADDRESS:PORT
  --psk HEX            pre-shared key
  --psk-identity NAME  its identity (Client_identity)
  --cert FILE          the server's chain, PEM, its own certificate first
  --key FILE           the private key of the first, PEM, or a key to show without a certificate
  --client-ca FILE     certificates to trust, PEM: clients must have one of them
  --peer-key FILE      the public key, PEM, that clients must have and show without a certificate
  --dtls VERSION       1.2, 1.3 or both (both)
  --suites A:B         cipher suites, by their registered names
  --groups A:B         of x25519, p-256, p-384, x25519mlkem768 (x25519:p-256)
  --alpn A:B           application protocols
  --mtu BYTES          largest datagram (1200)
  --timer MS           first retransmission timeout (1000)
  --no-cookie          answers every hello, even from forged addresses
  --no-tickets         gives no tickets for resumption, but has a memory of sessions";

#[tokio::main]
async fn main() {
    let mut arguments = Arguments::new(USAGE);
    let provider = options::provider();
    let psk = options::psk(&mut arguments);
    let credentials = match (psk, options::certified_key(&mut arguments, &*provider)) {
        (Some((identity, key)), None) => {
            let keys = BTreeMap::from([(identity, key)]);
            ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert }
        }
        (None, Some(certified)) => ServerCredentials::Certificate(certified),
        _ => fail("--psk is needed, or --key, with --cert or alone"),
    };
    let mut secret = [0; 64];
    if let Err(error) = getrandom::fill(&mut secret) {
        fail(format_args!("the system has no randomness: {error}"));
    }
    let (mut cookie, mut ticket) = ([0; 32], [0; 32]);
    cookie.copy_from_slice(&secret[..32]);
    ticket.copy_from_slice(&secret[32..]);
    let cookies = if arguments.flag("--no-cookie") {
        Cookies::Off
    } else {
        Cookies::Required { secret: Secret::new(cookie.to_vec()) }
    };
    let mut config = ServerConfig::new(provider, credentials, cookies);
    options::common(&mut arguments, &mut config.common);
    let verifier = match (arguments.value("--client-ca"), arguments.value("--peer-key")) {
        (Some(path), _) => {
            let verifier = ClientVerifier::new(options::certificates(&path));
            Some(verifier.unwrap_or_else(|error| fail(format_args!("{path}: {error}"))))
        }
        (None, Some(path)) => Some(ClientVerifier::raw_public_keys([options::public_key(&path)])),
        (None, None) => None,
    };
    if let Some(verifier) = verifier {
        config.client_auth = ClientAuth::Required(Arc::new(verifier));
    }
    if arguments.flag("--no-tickets") {
        config.sessions = Some(Arc::new(SessionCache::new(1000, Duration::from_secs(7200))));
    } else {
        config.tickets = Some(Tickets::new(TicketKeys::new(ticket)));
    }
    let address = arguments.address();
    let listener = Listener::bind(&address, Arc::new(config), Limits::default()).await;
    let mut listener = listener.unwrap_or_else(|error| fail(format_args!("{address}: {error}")));
    match listener.local_addr() {
        Ok(address) => println!("serving on {address}"),
        Err(error) => fail(error),
    }
    while let Some(mut stream) = listener.accept().await {
        println!("{}: {}", stream.peer_addr(), options::describe(stream.negotiated()));
        tokio::spawn(async move {
            let peer = stream.peer_addr();
            loop {
                match stream.recv().await {
                    Ok(Some(data)) => {
                        if let Err(error) = stream.send(&data).await {
                            return println!("{peer}: {error}");
                        }
                    }
                    Ok(None) => return println!("{peer}: closed"),
                    Err(error) => return println!("{peer}: {error}"),
                }
            }
        });
    }
}

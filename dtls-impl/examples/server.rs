//! Serves DTLS clients: prints what was agreed on with each, and sends back what each says.

mod options;

use std::collections::BTreeMap;
use std::sync::Arc;

use dtls_impl::ServerConfig;
use dtls_impl::config::{CertifiedKey, Cookies, ServerCredentials, TicketKeys, Tickets, UnknownIdentity};
use dtls_impl::crypto::Secret;
use dtls_impl::tokio::{Limits, Listener};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;

use self::options::{Arguments, fail};

const USAGE: &str = "\
usage: server [OPTION]... ADDRESS:PORT
  --psk HEX            pre-shared key
  --psk-identity NAME  its identity (Client_identity)
  --cert FILE          the server's chain, PEM, its own certificate first
  --key FILE           the private key of the first, PEM
  --dtls VERSION       1.2, 1.3 or both (both)
  --suites A:B         cipher suites, by their registered names
  --mtu BYTES          largest datagram (1200)
  --timer MS           first retransmission timeout (1000)
  --no-cookie          answers every hello, even from forged addresses
  --no-tickets         gives no tickets for resumption";

#[tokio::main]
async fn main() {
    let mut arguments = Arguments::new(USAGE);
    let provider = options::provider();
    let psk = options::psk(&mut arguments);
    let credentials = match (psk, arguments.value("--cert"), arguments.value("--key")) {
        (Some((identity, key)), None, None) => {
            let keys = BTreeMap::from([(identity, key)]);
            ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert }
        }
        (None, Some(chain), Some(key)) => {
            let certified = CertifiedKey::new(&*provider, options::certificates(&chain), &private_key(&key));
            ServerCredentials::Certificate(certified.unwrap_or_else(|error| fail(format_args!("{key}: {error}"))))
        }
        _ => fail("either --psk, or --cert and --key are needed"),
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
    if !arguments.flag("--no-tickets") {
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
        println!("{}: {:?}", stream.peer_addr(), stream.negotiated());
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

fn private_key(path: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_file(path)
        .unwrap_or_else(|error| fail(format_args!("{path} holds no private key in PEM: {error}")))
}

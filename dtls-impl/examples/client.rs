//! Connects to a DTLS server, says what was agreed on, sends each line of the standard input, prints what comes back.

mod options;

use std::sync::Arc;
use std::time::Duration;

use dtls_impl::config::{ClientCredentials, Psk};
use dtls_impl::pki::ServerVerifier;
use dtls_impl::tokio::{Error, ResumeOptions, Stream};
use dtls_impl::{ClientConfig, ClientSession};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use self::options::{Arguments, fail};

const USAGE: &str = "\
usage: client [OPTION]... ADDRESS:PORT
  --psk HEX            pre-shared key
  --psk-identity NAME  its identity (Client_identity)
  --ca FILE            certificates to trust, PEM
  --peer-key FILE      the server's public key, PEM, which it shows without a certificate
  --cert FILE          the client's own chain, PEM, for servers that ask
  --key FILE           the private key of its first certificate, PEM, or a key to show without one
  --server-name NAME   name in the server's certificate
  --dtls VERSION       1.2, 1.3 or both (both)
  --suites A:B         cipher suites, by their registered names
  --groups A:B         of x25519, p-256, p-384, x25519mlkem768 (x25519:p-256)
  --alpn A:B           application protocols
  --mtu BYTES          largest datagram (1200)
  --timer MS           first retransmission timeout (1000)
  --resume             connects a second time, resuming the session of the first
  --message TEXT       sends this instead of the standard input, waits for an answer, and ends";

#[tokio::main]
async fn main() {
    let mut arguments = Arguments::new(USAGE);
    let provider = options::provider();
    let psk = options::psk(&mut arguments);
    let credentials = match (psk, arguments.value("--ca"), arguments.value("--peer-key")) {
        (Some((identity, key)), None, None) => ClientCredentials::Psk(Psk { identity, key }),
        (None, Some(path), None) => {
            let verifier = ServerVerifier::new(options::certificates(&path));
            let verifier = verifier.unwrap_or_else(|error| fail(format_args!("{path}: {error}")));
            ClientCredentials::Certificate { verifier: Arc::new(verifier) }
        }
        (None, None, Some(path)) => {
            let verifier = ServerVerifier::raw_public_keys([options::public_key(&path)]);
            ClientCredentials::Certificate { verifier: Arc::new(verifier) }
        }
        _ => fail("one of --psk, --ca and --peer-key is needed"),
    };
    let mut config = ClientConfig::new(Arc::clone(&provider), credentials);
    config.identity = options::certified_key(&mut arguments, &*provider);
    options::common(&mut arguments, &mut config.common);
    let (resume, message) = (arguments.flag("--resume"), arguments.value("--message"));
    config.sessions = resume;
    let server_name = arguments.value("--server-name");
    let address = arguments.address();
    if let Err(error) = run(&address, Arc::new(config), server_name.as_deref(), resume, message).await {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

async fn run(
    address: &str,
    config: Arc<ClientConfig>,
    server_name: Option<&str>,
    resume: bool,
    message: Option<String>,
) -> Result<(), Error> {
    let mut stream = Stream::connect(address, Arc::clone(&config), server_name).await?;
    println!("{}", options::describe(stream.negotiated()));
    if resume {
        let session = session(&mut stream).await?;
        stream.close().await?;
        stream = Stream::resume(address, config, server_name, ResumeOptions { session }).await?;
        println!("{}", options::describe(stream.negotiated()));
    }
    if let Some(message) = message {
        stream.send(format!("{message}\n").as_bytes()).await?;
        if let Some(data) = stream.recv().await? {
            print!("{}", String::from_utf8_lossy(&data));
        }
        return stream.close().await;
    }
    let mut lines = BufReader::new(stdin()).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => stream.send(format!("{line}\n").as_bytes()).await?,
                None => return stream.close().await,
            },
            data = stream.recv() => match data? {
                Some(data) => print!("{}", String::from_utf8_lossy(&data)),
                None => return Ok(()),
            },
        }
    }
}

/// The session that the server gave; tickets of DTLS 1.3 come after the handshake.
async fn session(stream: &mut Stream) -> Result<ClientSession, Error> {
    for _ in 0..40 {
        if let Ok(received) = tokio::time::timeout(Duration::from_millis(50), stream.recv()).await
            && received?.is_none()
        {
            break;
        }
        if let Some(session) = stream.session() {
            return Ok(session.clone());
        }
    }
    eprintln!("error: the server gave no session to resume");
    Err(Error::Closed)
}

//! Options that the examples `client` and `server` have in common.

use std::fmt::Display;
use std::process::exit;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dtls_impl::config::{CertifiedKey, Common, Versions};
use dtls_impl::crypto::{CryptoProvider, Group, Secret, rustcrypto};
use dtls_impl::wire::{CipherSuite, ProtocolVersion};
use dtls_impl::{Negotiated, PeerIdentity};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};

/// One message that says what is wrong, and how it would be right.
pub(crate) fn fail(message: impl Display) -> ! {
    eprintln!("error: {message}; `--help` shows all options");
    exit(2)
}

/// The words after the program's name, as pairs of option and value.
pub(crate) struct Arguments {
    words: Vec<String>,
}

impl Arguments {
    pub(crate) fn new(usage: &str) -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        if words.iter().any(|word| word == "--help") {
            println!("{usage}");
            exit(0);
        }
        Self { words }
    }

    /// Whether an option without value is there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let at = self.words.iter().position(|word| word == name);
        at.map(|at| self.words.remove(at)).is_some()
    }

    /// The value behind an option.
    pub(crate) fn value(&mut self, name: &str) -> Option<String> {
        let at = self.words.iter().position(|word| word == name)?;
        self.words.remove(at);
        if at < self.words.len() { Some(self.words.remove(at)) } else { fail(format_args!("{name} needs a value")) }
    }

    pub(crate) fn parsed<T: std::str::FromStr>(&mut self, name: &str) -> Option<T> {
        let value = self.value(name)?;
        Some(value.parse().unwrap_or_else(|_| fail(format_args!("{name} cannot be `{value}`"))))
    }

    /// The only word that is no option.
    pub(crate) fn address(mut self) -> String {
        match self.words.pop() {
            Some(address) if self.words.is_empty() && !address.starts_with('-') => address,
            Some(word) => fail(format_args!("`{}` is not an option", self.words.first().unwrap_or(&word))),
            None => fail("the address is missing, such as 127.0.0.1:5684"),
        }
    }
}

/// A pre-shared key and its identity.
pub(crate) fn psk(arguments: &mut Arguments) -> Option<(Vec<u8>, Secret)> {
    let identity = arguments.value("--psk-identity").unwrap_or_else(|| "Client_identity".to_owned());
    let key = arguments.value("--psk")?;
    let digits = key.as_bytes().chunks(2).map(|two| {
        let two = std::str::from_utf8(two).ok().filter(|two| two.len() == 2);
        two.and_then(|two| u8::from_str_radix(two, 16).ok())
    });
    let Some(bytes) = digits.collect::<Option<Vec<u8>>>() else { fail("--psk takes hexadecimal digits in pairs") };
    Some((identity.into_bytes(), Secret::new(bytes)))
}

pub(crate) fn certificates(path: &str) -> Vec<CertificateDer<'static>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    read.unwrap_or_else(|error| fail(format_args!("{path} holds no certificates in PEM: {error}")))
}

/// What `--cert` and `--key` name, or `--key` alone: then the key is shown without a certificate.
pub(crate) fn certified_key(arguments: &mut Arguments, provider: &dyn CryptoProvider) -> Option<CertifiedKey> {
    let (chain, path) = (arguments.value("--cert"), arguments.value("--key"));
    let Some(path) = path else {
        return chain.map(|_| fail("--cert needs --key"));
    };
    let key = PrivateKeyDer::from_pem_file(&path)
        .unwrap_or_else(|error| fail(format_args!("{path} holds no private key in PEM: {error}")));
    let certified = match chain {
        Some(chain) => CertifiedKey::new(provider, certificates(&chain), &key),
        None => CertifiedKey::raw_public_key(provider, &key),
    };
    Some(certified.unwrap_or_else(|error| fail(format_args!("{path}: {error}"))))
}

/// A public key, DER.
pub(crate) fn public_key(path: &str) -> Vec<u8> {
    let read = SubjectPublicKeyInfoDer::from_pem_file(path);
    read.unwrap_or_else(|error| fail(format_args!("{path} holds no public key in PEM: {error}"))).to_vec()
}

pub(crate) fn provider() -> Arc<dyn CryptoProvider> {
    rustcrypto::provider()
}

fn group(name: &str) -> Group {
    match name {
        "x25519" => Group::X25519,
        "p-256" => Group::Secp256r1,
        "p-384" => Group::Secp384r1,
        "x25519mlkem768" => Group::X25519MlKem768,
        _ => fail(format_args!("--groups are x25519, p-256, p-384 and x25519mlkem768, not `{name}`")),
    }
}

/// What was agreed on, in a line.
pub(crate) fn describe(negotiated: &Negotiated) -> String {
    let version = match negotiated.version {
        ProtocolVersion::DTLS1_2 => "DTLS 1.2",
        ProtocolVersion::DTLS1_3 => "DTLS 1.3",
        _ => "an unknown version",
    };
    let session = if negotiated.resumed { "resumed session" } else { "new session" };
    let peer = match &negotiated.peer {
        PeerIdentity::Anonymous => "anonymous peer".to_owned(),
        PeerIdentity::Psk(identity) => format!("peer with the key of {}", String::from_utf8_lossy(identity)),
        PeerIdentity::Certificate(chain) => {
            let sizes: Vec<_> = chain.iter().map(|certificate| certificate.len().to_string()).collect();
            format!("peer with certificates of {} bytes", sizes.join(" and "))
        }
        _ => "peer with a raw public key".to_owned(),
    };
    let alpn = negotiated.alpn.as_deref().map(|alpn| format!(", protocol {}", String::from_utf8_lossy(alpn)));
    format!("{version}, {}, {session}, {peer}{}", negotiated.suite, alpn.unwrap_or_default())
}

/// What clients and servers share.
pub(crate) fn common(arguments: &mut Arguments, common: &mut Common) {
    common.versions = match arguments.value("--dtls").as_deref() {
        None | Some("both") => Versions::Both,
        Some("1.2") => Versions::Dtls12,
        Some("1.3") => Versions::Dtls13,
        Some(other) => fail(format_args!("--dtls is 1.2, 1.3 or both, not `{other}`")),
    };
    if let Some(mtu) = arguments.parsed("--mtu") {
        common.mtu = mtu;
    }
    if let Some(millis) = arguments.parsed("--timer") {
        common.timers.initial = Duration::from_millis(millis);
        common.timers.max = common.timers.max.max(common.timers.initial);
    }
    if let Some(names) = arguments.value("--suites") {
        let suite = |name: &str| {
            CipherSuite::from_name(name).unwrap_or_else(|| fail(format_args!("no cipher suite is called `{name}`")))
        };
        let suites: Vec<CipherSuite> = names.split(':').map(suite).collect();
        common.cipher_suites.clone_from(&suites);
        common.cipher_suites13 = suites;
    }
    if let Some(names) = arguments.value("--groups") {
        common.groups = names.split(':').map(group).collect();
    }
    if let Some(names) = arguments.value("--alpn") {
        common.alpn = names.split(':').map(|name| name.as_bytes().to_vec()).collect();
    }
    #[expect(clippy::disallowed_methods, reason = "an example lives in real time")]
    let date = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    common.unix_time = date.map_or(0, |date| date.as_secs());
}

//! Options that the examples `client` and `server` have in common.

use std::fmt::Display;
use std::process::exit;
use std::time::{Duration, SystemTime};

use dtls_impl::config::{Common, Versions};
use dtls_impl::crypto::{Secret, rustcrypto};
use dtls_impl::wire::CipherSuite;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

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

pub(crate) fn provider() -> std::sync::Arc<dyn dtls_impl::crypto::CryptoProvider> {
    rustcrypto::provider()
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
    #[expect(clippy::disallowed_methods, reason = "an example lives in real time")]
    let date = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    common.unix_time = date.map_or(0, |date| date.as_secs());
}

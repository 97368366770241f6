//! The crypto provider the `dimpl` endpoints run on: the crate's RustCrypto provider, with two things taken over.
//!
//! Ephemeral keys come from the run's entropy, and the key expansion is overheard for the key log. A provider is made of
//! `&'static` parts without context, so the endpoint whose call is running is found through a thread-local: [`Host`].

use std::cell::RefCell;
use std::fmt;
use std::sync::OnceLock;

use ::dimpl::crypto::{
    ActiveKeyExchange, Buf, CryptoProvider, HashAlgorithm, HmacProvider, NamedGroup, SignatureAlgorithm,
    SignatureVerifier, SupportedKxGroup, rust_crypto,
};
use ::dimpl::{Config, ConfigBuilder, CryptoError, CryptoOperation};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::super::key_log;

thread_local! {
    static RUNNING: RefCell<Option<State>> = const { RefCell::new(None) };
}

struct State {
    entropy: ChaCha20Rng,
    key_log: Vec<String>,
    /// The client's, once its ClientHello was seen.
    client_random: Option<[u8; 32]>,
    /// A configuration is being built, with a provider that has been proven before.
    proven: bool,
}

/// What one endpoint lends to the provider while a call into the stack runs.
pub(super) struct Host(Option<State>);

impl Host {
    /// A host with its own entropy.
    pub(super) fn new(entropy: [u8; 32]) -> Self {
        let entropy = ChaCha20Rng::from_seed(entropy);
        Self(Some(State { entropy, key_log: Vec::new(), client_random: None, proven: false }))
    }

    /// Runs `call` with this host's entropy. If it panics the entropy is lost, and later key exchanges fail.
    pub(super) fn run<R>(&mut self, call: impl FnOnce() -> R) -> R {
        let state = self.0.take();
        RUNNING.with_borrow_mut(|running| *running = state);
        let result = call();
        self.0 = RUNNING.with_borrow_mut(Option::take);
        result
    }

    /// A seed for the stack's own generator.
    pub(super) fn seed(&mut self) -> u64 {
        self.0.as_mut().map_or(0, |state| state.entropy.next_u64())
    }

    /// Takes a datagram of the client, which may show the random that key log lines begin with.
    pub(super) fn note_client_datagram(&mut self, datagram: &[u8]) {
        if let (Some(state), Some(random)) = (&mut self.0, key_log::client_random(datagram)) {
            state.client_random = Some(random);
        }
    }

    /// Key log lines overheard since the last call.
    pub(super) fn take_key_log(&mut self) -> Vec<String> {
        self.0.as_mut().map(|state| std::mem::take(&mut state.key_log)).unwrap_or_default()
    }
}

/// Builds a configuration on [`provider`].
///
/// The crate has every provider verify signatures and exchange keys in all groups each time a configuration is built,
/// which takes ten times as long as a handshake. A provider that has passed once in this process passes again untried.
pub(super) fn build(host: &mut Host, builder: ConfigBuilder) -> Result<Config, String> {
    static PROVEN: OnceLock<Result<(), String>> = OnceLock::new();
    let prove = || Host::new([0; 32]).run(|| provider().validate()).map_err(|error| error.to_string());
    PROVEN.get_or_init(prove).clone()?;
    let set = |proven| RUNNING.with_borrow_mut(|running| running.iter_mut().for_each(|state| state.proven = proven));
    let config = host.run(|| {
        set(true);
        let config = builder.with_crypto_provider(provider()).build();
        set(false);
        config
    });
    config.map_err(|error| error.to_string())
}

fn proven() -> bool {
    RUNNING.with_borrow(|running| running.as_ref().is_some_and(|state| state.proven))
}

/// The crate's RustCrypto provider with our groups and HMAC.
fn provider() -> CryptoProvider {
    static GROUPS: OnceLock<Vec<&'static dyn SupportedKxGroup>> = OnceLock::new();
    static OTHERS: OnceLock<Vec<OtherGroup>> = OnceLock::new();
    const OWN: [&SeededGroup; 2] = [&SeededGroup(NamedGroup::X25519), &SeededGroup(NamedGroup::Secp256r1)];
    let original = rust_crypto::default_provider();
    let groups = GROUPS.get_or_init(|| {
        // secp384r1 stays on offer as the crate has it, though it would draw from the system: it comes last, and no
        // scenario can ask for it.
        let others = original.kx_groups.iter().filter(|group| OWN.iter().all(|own| own.0 != group.name()));
        let others = OTHERS.get_or_init(|| others.map(|group| OtherGroup(*group)).collect());
        let own = OWN.into_iter().map(|group| group as &dyn SupportedKxGroup);
        own.chain(others.iter().map(|group| group as &dyn SupportedKxGroup)).collect()
    });
    CryptoProvider { kx_groups: groups, hmac_provider: &OverheardHmac, signature_verification: &Verifier, ..original }
}

#[derive(Debug)]
struct Verifier;

impl SignatureVerifier for Verifier {
    fn verify_signature(
        &self,
        certificate: &[u8],
        data: &[u8],
        signature: &[u8],
        hash: HashAlgorithm,
        algorithm: SignatureAlgorithm,
    ) -> Result<(), CryptoError> {
        if proven() {
            return Ok(());
        }
        let original = rust_crypto::default_provider().signature_verification;
        original.verify_signature(certificate, data, signature, hash, algorithm)
    }
}

/// A group as the crate has it.
#[derive(Debug)]
struct OtherGroup(&'static dyn SupportedKxGroup);

impl SupportedKxGroup for OtherGroup {
    fn name(&self) -> NamedGroup {
        self.0.name()
    }

    fn start_exchange(&self, public: Buf) -> Result<Box<dyn ActiveKeyExchange>, CryptoError> {
        if proven() { Ok(Box::new(ProvenExchange(self.name()))) } else { self.0.start_exchange(public) }
    }
}

/// Stands for an exchange while a configuration is built: two of them agree.
#[derive(Debug)]
struct ProvenExchange(NamedGroup);

impl ActiveKeyExchange for ProvenExchange {
    fn pub_key(&self) -> &[u8] {
        &[]
    }

    fn complete(self: Box<Self>, _peer: &[u8], out: &mut Buf) -> Result<(), CryptoError> {
        out.clear();
        Ok(())
    }

    fn group(&self) -> NamedGroup {
        self.0
    }
}

#[derive(Debug)]
struct OverheardHmac;

impl HmacProvider for OverheardHmac {
    fn hmac(&self, hash: HashAlgorithm, key: &[u8], data: &[u8], out: &mut [u8]) -> Result<usize, CryptoError> {
        if let Some(line) = key_log::line(key, data) {
            RUNNING.with_borrow_mut(|running| running.iter_mut().for_each(|state| state.key_log.push(line.clone())));
        }
        let len = rust_crypto::default_provider().hmac_provider.hmac(hash, key, data, out)?;
        RUNNING.with_borrow_mut(|running| {
            let Some(state) = running else { return };
            let (Some(random), Some(secret)) = (state.client_random, out.get(..len)) else { return };
            state.key_log.extend(key_log::traffic_line(&random, data, secret));
        });
        Ok(len)
    }
}

#[derive(Debug)]
struct SeededGroup(NamedGroup);

impl SupportedKxGroup for SeededGroup {
    fn name(&self) -> NamedGroup {
        self.0
    }

    fn start_exchange(&self, mut public: Buf) -> Result<Box<dyn ActiveKeyExchange>, CryptoError> {
        if proven() {
            return Ok(Box::new(ProvenExchange(self.0)));
        }
        let secret = RUNNING.with_borrow_mut(|running| {
            let entropy = &mut running.as_mut()?.entropy;
            Some(if self.0 == NamedGroup::X25519 { Secret::x25519(entropy) } else { Secret::p256(entropy) })
        });
        let secret = secret.ok_or(CryptoError::OperationFailed(CryptoOperation::FillRandom))?;
        public.clear();
        match &secret {
            Secret::X25519(secret) => public.extend_from_slice(x25519_dalek::PublicKey::from(secret).as_bytes()),
            Secret::P256(secret) => public.extend_from_slice(&secret.public_key().to_sec1_bytes()),
        }
        Ok(Box::new(SeededExchange { group: self.0, secret, public }))
    }
}

enum Secret {
    X25519(x25519_dalek::StaticSecret),
    P256(p256::SecretKey),
}

impl Secret {
    fn x25519(entropy: &mut ChaCha20Rng) -> Self {
        let mut bytes = [0; 32];
        entropy.fill_bytes(&mut bytes);
        Self::X25519(bytes.into())
    }

    /// Draws until the number is a scalar; a second draw happens once in 2^32.
    fn p256(entropy: &mut ChaCha20Rng) -> Self {
        loop {
            let mut bytes = [0; 32];
            entropy.fill_bytes(&mut bytes);
            if let Ok(secret) = p256::SecretKey::from_slice(&bytes) {
                return Self::P256(secret);
            }
        }
    }
}

struct SeededExchange {
    group: NamedGroup,
    secret: Secret,
    public: Buf,
}

impl fmt::Debug for SeededExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeededExchange").field("group", &self.group).finish_non_exhaustive()
    }
}

impl ActiveKeyExchange for SeededExchange {
    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn complete(self: Box<Self>, peer: &[u8], out: &mut Buf) -> Result<(), CryptoError> {
        let invalid = || CryptoError::InvalidPublicKey(self.group);
        out.clear();
        match &self.secret {
            Secret::X25519(secret) => {
                let peer: [u8; 32] = peer.try_into().map_err(|_| invalid())?;
                let shared = secret.diffie_hellman(&peer.into());
                // RFC 7748 §6.1, RFC 8422 §5.11: an all-zero secret is refused.
                if !shared.was_contributory() {
                    return Err(invalid());
                }
                out.extend_from_slice(shared.as_bytes());
            }
            Secret::P256(secret) => {
                let peer = p256::PublicKey::from_sec1_bytes(peer).map_err(|_| invalid())?;
                out.extend_from_slice(secret.diffie_hellman(&peer).raw_secret_bytes());
            }
        }
        Ok(())
    }

    fn group(&self) -> NamedGroup {
        self.group
    }
}

//! Clients whose certificates are not what they should be, or whose proof is not: the server ends the handshake and the
//! client hears why in the right alert. The same table for both versions. And what one end may say of certificates that
//! the other did not ask for.

use std::sync::Arc;

use crate::bad_shares::with_change;
use crate::common::{DELAY, Key, Pair, Path, Side, TestKey, certificates, clean, identity, params, secs};
use crate::dtls13::v13;
use crate::dtls13_resumption::sealed;
use dtls_impl::config::{CertifiedKey, ClientAuth, ClientCredentials, Cookies, ServerCredentials};
use dtls_impl::crypto::rustcrypto;
use dtls_impl::crypto::{
    Aead, AeadAlgorithm, CryptoError, CryptoProvider, Digest, Group, Hash, HashAlgorithm, KeyExchange, NumberCipher,
    RecordCiphers, SignatureScheme, SigningKey,
};
use dtls_impl::error::{Misuse, PeerIncompatible, PeerMisbehaved};
use dtls_impl::pki::{CertificateError, ClientVerifier, ServerVerifier};
use dtls_impl::wire::{
    AlertDescription, CertificateOf, CertificateType, CipherSuite, EncryptedExtensions, Extension, Extensions,
    HandshakeHeader, HandshakeType, ProtocolVersion, RECORD_HEADER_LEN, RecordNumber, Records, Writer,
};
use dtls_impl::{ClientConfig, Error, PeerIdentity, ServerConfig};
use rand_core::{CryptoRng, Rng};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, SignatureVerificationAlgorithm};

type Configs = (ClientConfig, ServerConfig);
type Defect = fn(&mut CertificateParams);

/// Seeds of keys: of the root of clients, of a client, of somebody else.
const ROOT: u8 = 41;
const KEY: u8 = 42;
const OTHER: u8 = 43;

const CLIENT: &[&str] = &["device"];

fn root_params(name: &str) -> CertificateParams {
    let mut root = params(&[], 20);
    root.distinguished_name.push(DnType::CommonName, name);
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    root
}

fn key(seed: u8) -> TestKey {
    TestKey::new(Key::P256, seed)
}

fn root() -> CertificateDer<'static> {
    root_params("clients").self_signed(&key(ROOT)).unwrap().der().clone()
}

/// A client's certificate that the root of this name and key signed.
fn leaf(issuer: &str, issuer_key: u8, defect: Defect) -> CertificateDer<'static> {
    let mut leaf = params(CLIENT, 21);
    defect(&mut leaf);
    leaf.signed_by(&key(KEY), &Issuer::new(root_params(issuer), key(issuer_key))).unwrap().der().clone()
}

fn certified(provider: &dyn CryptoProvider, chain: Vec<CertificateDer<'static>>) -> CertifiedKey {
    CertifiedKey::new(provider, chain, &key(KEY).private()).unwrap()
}

/// A client that shows these, and a server that wants one of [`root`]'s.
fn mutual(own: Option<CertifiedKey>) -> Configs {
    let (mut client, mut server) = certificates(Key::P256, 0);
    client.identity = own;
    server.client_auth = ClientAuth::Required(Arc::new(ClientVerifier::new(vec![root()]).unwrap()));
    (client, server)
}

/// Both versions, of which 1.3 lets the client believe that all is well for half a round trip.
fn refused(what: &str, configs: &Configs, error: &Error, alert: AlertDescription) {
    for (is_13, (client, server)) in [(false, configs.clone()), (true, v13(configs.clone()))] {
        let mut pair = Pair::new(client, server, clean());
        pair.run(secs(300));
        assert_eq!(pair.failure(Side::Server), Some(error), "{what}\n{}", pair.story());
        assert_eq!(pair.failure(Side::Client), Some(&Error::AlertReceived(alert)), "{what}\n{}", pair.story());
        assert_eq!(pair.established(Side::Server), None, "{what}");
        assert_eq!(pair.established(Side::Client).is_some(), is_13, "{what}");
        let now = pair.now;
        assert!(pair.client.send(now, b"secret").is_err(), "{what}");
        assert!(pair.data(Side::Server).is_empty(), "{what}");
    }
}

#[test]
fn a_client_without_defect_is_let_in() {
    let for_clients: Defect = |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    for defect in [|_: &mut _| (), for_clients] {
        let own = certified(&*rustcrypto::provider(), vec![leaf("clients", ROOT, defect)]);
        for (client, server) in [mutual(Some(own.clone())), v13(mutual(Some(own)))] {
            let mut pair = Pair::new(client, server, clean());
            pair.run(secs(10));
            let peer = pair.server.negotiated().map(|negotiated| negotiated.peer);
            assert!(matches!(peer, Some(PeerIdentity::Certificate(_))), "{}", pair.story());
            pair.exchange_data();
        }
    }
}

#[test]
fn every_defect_of_a_clients_certificate_ends_the_handshake_with_its_alert() {
    use AlertDescription as A;
    use CertificateError as C;
    let defects: [(&str, Defect, C, A); 5] = [
        ("expired", |params| params.not_after = rcgen::date_time_ymd(2025, 6, 1), C::Expired, A::CERTIFICATE_EXPIRED),
        (
            "not valid yet",
            |params| params.not_before = rcgen::date_time_ymd(2026, 6, 1),
            C::NotValidYet,
            A::CERTIFICATE_EXPIRED,
        ),
        (
            "for servers only",
            |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
            C::WrongUsage,
            A::UNSUPPORTED_CERTIFICATE,
        ),
        (
            "not for signatures",
            |params| params.key_usages = vec![KeyUsagePurpose::KeyAgreement],
            C::WrongUsage,
            A::UNSUPPORTED_CERTIFICATE,
        ),
        (
            "an authority's",
            |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            C::WrongUsage,
            A::UNSUPPORTED_CERTIFICATE,
        ),
    ];
    for (what, defect, error, alert) in defects {
        let own = certified(&*rustcrypto::provider(), vec![leaf("clients", ROOT, defect)]);
        refused(what, &mutual(Some(own)), &Error::BadCertificate(error), alert);
    }
}

/// In 1.2 a client shows only what one of the authorities that the server names has issued, or says that it has.
#[test]
fn a_client_of_an_unknown_issuer_is_refused() {
    let provider = rustcrypto::provider();
    let beside = params(&["beside"], 22);
    let beside = beside.signed_by(&key(OTHER), &Issuer::new(root_params("clients"), key(ROOT))).unwrap().der().clone();
    let own = certified(&*provider, vec![leaf("somebody else", OTHER, |_| ()), beside]);
    let unknown = Error::BadCertificate(CertificateError::UnknownIssuer);
    refused("unknown issuer", &mutual(Some(own)), &unknown, AlertDescription::UNKNOWN_CA);

    let own = certified(&*provider, vec![leaf("clients", OTHER, |_| ())]);
    let forged = Error::BadCertificate(CertificateError::BadSignature);
    refused("signed with another key", &mutual(Some(own)), &forged, AlertDescription::BAD_CERTIFICATE);
}

#[test]
fn a_client_without_a_certificate_is_refused_where_one_is_required() {
    for (version, alert) in [
        (ProtocolVersion::DTLS1_2, AlertDescription::HANDSHAKE_FAILURE),
        (ProtocolVersion::DTLS1_3, AlertDescription::CERTIFICATE_REQUIRED),
    ] {
        let configs = mutual(None);
        let is_13 = version == ProtocolVersion::DTLS1_3;
        let (client, server) = if is_13 { v13(configs) } else { configs };
        let mut pair = Pair::new(client, server, clean());
        pair.run(secs(300));
        let missing = Error::PeerIncompatible(PeerIncompatible::NoClientCertificate { version });
        assert_eq!(pair.failure(Side::Server), Some(&missing), "{}", pair.story());
        assert_eq!(pair.failure(Side::Client), Some(&Error::AlertReceived(alert)), "{}", pair.story());
    }
}

/// Signs what it is asked to, and then spoils the signature.
#[derive(Debug)]
struct Forger(Arc<dyn CryptoProvider>);

#[derive(Debug)]
struct ForgedKey(Arc<dyn SigningKey>);

impl SigningKey for ForgedKey {
    fn schemes(&self) -> &[SignatureScheme] {
        self.0.schemes()
    }

    fn public_key(&self) -> &[u8] {
        self.0.public_key()
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        random: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, CryptoError> {
        let mut signature = self.0.sign(scheme, message, random)?;
        *signature.last_mut().unwrap() ^= 1;
        Ok(signature)
    }
}

impl CryptoProvider for Forger {
    fn hash(&self, algorithm: HashAlgorithm) -> Box<dyn Hash> {
        self.0.hash(algorithm)
    }

    fn hmac(&self, algorithm: HashAlgorithm, key: &[u8], parts: &[&[u8]]) -> Digest {
        self.0.hmac(algorithm, key, parts)
    }

    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn Aead>, CryptoError> {
        self.0.aead(algorithm, key)
    }

    fn number_cipher(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn NumberCipher>, CryptoError> {
        self.0.number_cipher(algorithm, key)
    }

    fn record_ciphers(
        &self,
        algorithm: AeadAlgorithm,
        key: &[u8],
        number_key: &[u8],
    ) -> Result<Box<dyn RecordCiphers>, CryptoError> {
        self.0.record_ciphers(algorithm, key, number_key)
    }

    fn key_exchange(&self, group: Group, random: &mut dyn Rng) -> Result<Box<dyn KeyExchange>, CryptoError> {
        self.0.key_exchange(group, random)
    }

    fn signing_key(&self, key: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, CryptoError> {
        Ok(Arc::new(ForgedKey(self.0.signing_key(key)?)))
    }

    fn signature_algorithms(&self) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
        self.0.signature_algorithms()
    }
}

/// Whoever shows a good certificate without having its key is found out by CertificateVerify.
#[test]
fn a_client_that_does_not_prove_its_key_is_refused() {
    let forger = Forger(rustcrypto::provider());
    let own = certified(&forger, vec![leaf("clients", ROOT, |_| ())]);
    let forged = Error::PeerMisbehaved(PeerMisbehaved::BadSignature);
    refused("forged", &mutual(Some(own)), &forged, AlertDescription::DECRYPT_ERROR);
}

#[test]
fn a_chain_that_no_message_of_ours_could_carry_is_no_configuration() {
    let provider = rustcrypto::provider();
    let chain = |padding| {
        let own = identity(Key::P256, padding);
        CertifiedKey::new(&*provider, vec![own.leaf.clone(), own.leaf], &own.key).map(|_| ())
    };
    assert_eq!(chain(32_000), Ok(()));
    assert_eq!(chain(33_000), Err(Misuse::BadCertifiedKey.into()));
    let own = identity(Key::P256, 0);
    assert_eq!(
        CertifiedKey::new(&*provider, Vec::new(), &own.key).map(|_| ()),
        Err(Misuse::BadCertifiedKey.into()),
        "an empty one"
    );
}

/// The largest chain still arrives, in both versions.
#[test]
fn a_chain_of_almost_64_kib_arrives() {
    let own = identity(Key::P256, 32_000);
    for of_version in [|configs| configs, v13 as fn(Configs) -> Configs] {
        let (mut client, mut server) = of_version(certificates(Key::P256, 32_000));
        let certified =
            CertifiedKey::new(&*rustcrypto::provider(), vec![own.leaf.clone(), own.leaf.clone()], &own.key).unwrap();
        server.credentials = ServerCredentials::Certificate(certified);
        client.common.timers.initial = secs(5);
        let mut pair = Pair::new(client, server, clean());
        pair.run(secs(100));
        assert!(pair.both_established(), "{}", pair.story());
    }
}

/// A client that knows raw keys, which is all that any client offers beside X.509.
fn knows_a_raw_key() -> Configs {
    let (mut client, mut server) = certificates(Key::P256, 0);
    let own = CertifiedKey::raw_public_key(&*rustcrypto::provider(), &key(KEY).private()).unwrap();
    let verifier = Arc::new(ServerVerifier::raw_public_keys([own.public_key().to_vec()]));
    client.credentials = ClientCredentials::Certificate { verifier };
    server.credentials = ServerCredentials::Certificate(own);
    (client, server)
}

const NOT_OFFERED: Error = Error::PeerMisbehaved(PeerMisbehaved::CertificateTypeNotOffered);

/// RFC 7250 §4.2, in the ServerHello of DTLS 1.2.
#[test]
fn a_certificate_type_that_was_not_offered_is_refused_in_1_2() {
    // server_certificate_type of one byte; it becomes OpenPGP.
    let (pair, alert) = with_change(knows_a_raw_key(), Side::Server, &[0, 20, 0, 1], |kind| kind[0] = 1);
    assert_eq!((pair.failure(Side::Client), alert), (Some(&NOT_OFFERED), AlertDescription::ILLEGAL_PARAMETER));
}

/// RFC 7250 §4.2, in the EncryptedExtensions of DTLS 1.3.
#[test]
fn a_certificate_type_that_was_not_offered_is_refused_in_1_3() {
    let (mut client, mut server) = v13(knows_a_raw_key());
    server.cookies = Cookies::Off;
    server.common.key_log = true;
    client.common.cipher_suites13 = vec![CipherSuite::TLS_AES_128_GCM_SHA256];
    let path: Path = Box::new(|sent| if sent.from == Side::Server { vec![] } else { vec![DELAY] });
    let mut pair = Pair::new(client, server, path);
    pair.run(DELAY);
    let flight = pair.sent_by(Side::Server).next().unwrap().bytes.clone();
    let record = Records::new(&flight).next().unwrap().unwrap();
    let server_hello = &flight[..RECORD_HEADER_LEN + record.body.len()];
    let mut w = Writer::new();
    let extensions = Extensions(vec![Extension::certificate_type(CertificateOf::Server, CertificateType(1))]);
    EncryptedExtensions { extensions }.emit(&mut w);
    let body = w.into_bytes();
    let header = HandshakeHeader::whole(HandshakeType::ENCRYPTED_EXTENSIONS, 1, body.len() as u32);
    let (label, number) = ("SERVER_HANDSHAKE_TRAFFIC_SECRET", RecordNumber { epoch: 2, seq: 0 });
    let encrypted = sealed(&pair, label, number, &[&header.to_bytes()[..], &body].concat());
    pair.inject(Side::Client, &[server_hello, &encrypted].concat());
    assert_eq!(pair.failure(Side::Client), Some(&NOT_OFFERED), "{}", pair.story());
    assert_eq!(NOT_OFFERED.alert(), Some(AlertDescription::ILLEGAL_PARAMETER));
}

//! Chains made on the spot from fixed keys.

use std::net::IpAddr;

use p256::ecdsa::signature::{SignatureEncoding, Signer};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm, SigningKey,
};
use rsa::pkcs1::EncodeRsaPublicKey;
use rsa::pkcs8::DecodePrivateKey;
use rustls_pki_types::{PrivateKeyDer, PrivateSec1KeyDer};

use super::*;
use crate::crypto::rustcrypto::provider;
use crate::entropy::{Entropy, Seed};
use crate::wire::AlertDescription;

/// 2026-01-01T00:00:00Z.
const NOW: u64 = 1_767_225_600;
const DAY: u64 = 86_400;
const NAME: &str = "server.example";

/// A key that rcgen can use.
enum TestKey {
    P256 { key: p256::ecdsa::SigningKey, public: Vec<u8> },
    Ed25519 { key: ed25519_dalek::SigningKey, public: Vec<u8> },
    Rsa { key: Box<rsa::pkcs1v15::SigningKey<sha2::Sha256>>, public: Vec<u8> },
}

impl TestKey {
    fn p256(seed: u8) -> Self {
        let key = p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap();
        let public = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        Self::P256 { key, public }
    }

    fn ed25519(seed: u8) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
        let public = key.verifying_key().to_bytes().to_vec();
        Self::Ed25519 { key, public }
    }

    /// A fixed key, because making one takes seconds.
    fn rsa() -> Self {
        let key = rsa::PrivateKey::from_pkcs8_der(include_bytes!("testdata/rsa2048.pk8")).unwrap();
        let public = key.to_public_key().to_pkcs1_der().unwrap().as_bytes().to_vec();
        Self::Rsa { key: Box::new(rsa::pkcs1v15::SigningKey::new(key)), public }
    }
}

impl PublicKeyData for TestKey {
    fn der_bytes(&self) -> &[u8] {
        match self {
            Self::P256 { public, .. } | Self::Ed25519 { public, .. } | Self::Rsa { public, .. } => public,
        }
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self {
            Self::P256 { .. } => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::Ed25519 { .. } => &rcgen::PKCS_ED25519,
            Self::Rsa { .. } => &rcgen::PKCS_RSA_SHA256,
        }
    }
}

impl SigningKey for TestKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(match self {
            Self::P256 { key, .. } => Signer::<p256::ecdsa::DerSignature>::sign(key, message).to_vec(),
            Self::Ed25519 { key, .. } => key.sign(message).to_vec(),
            Self::Rsa { key, .. } => key.sign(message).to_vec(),
        })
    }
}

fn params(common_name: &str, serial: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.serial_number = Some(SerialNumber::from(serial));
    params.not_before = rcgen::date_time_ymd(2025, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    params
}

fn ca_params(common_name: &str) -> CertificateParams {
    let mut params = params(common_name, 1);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn leaf_params() -> CertificateParams {
    let mut params = params(NAME, 2);
    params.subject_alt_names = vec![dns(NAME)];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

/// A root, and a verifier that trusts it.
struct Authority {
    params: CertificateParams,
    key: TestKey,
    verifier: ServerVerifier,
}

impl Authority {
    fn new(key: TestKey) -> Self {
        let params = ca_params("root");
        let root = params.self_signed(&key).unwrap().der().clone();
        Self { params, key, verifier: ServerVerifier::new(vec![root]).unwrap() }
    }

    fn issue(&self, params: &CertificateParams, key: &TestKey) -> CertificateDer<'static> {
        params.signed_by(key, &Issuer::from_params(&self.params, &self.key)).unwrap().der().clone()
    }

    /// What the verifier says at `now` about a P-256 leaf that is as usual but for `change`.
    fn verdict(
        &self,
        name: &str,
        now: u64,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<(), CertificateError> {
        let mut params = leaf_params();
        change(&mut params);
        self.check(&[self.issue(&params, &TestKey::p256(2))], name, now)
    }

    fn check(&self, chain: &[CertificateDer<'_>], name: &str, now: u64) -> Result<(), CertificateError> {
        let name = ServerName::try_from(name).unwrap();
        self.verifier.verify_chain(chain, Some(&name), now, &*provider())
    }
}

fn p256_authority() -> Authority {
    Authority::new(TestKey::p256(1))
}

#[test]
fn the_right_name_is_accepted_whatever_its_case() {
    assert_eq!(p256_authority().verdict(NAME, NOW, |_| {}), Ok(()));
    assert_eq!(p256_authority().verdict("SERVER.Example", NOW, |_| {}), Ok(()));
}

/// RFC 9525 §2: the common name does not identify a service, with or without subjectAltNames.
#[test]
fn the_common_name_counts_for_nothing() {
    let authority = p256_authority();
    let wrong_san = authority.verdict(NAME, NOW, |params| params.subject_alt_names = vec![dns("other.example")]);
    assert_eq!(wrong_san, Err(CertificateError::WrongName));
    let no_san = authority.verdict(NAME, NOW, |params| params.subject_alt_names.clear());
    assert_eq!(no_san, Err(CertificateError::WrongName));
}

#[test]
fn ip_addresses_match_ip_names_only() {
    let authority = p256_authority();
    for address in ["192.0.2.7", "2001:db8::7"] {
        let parsed: IpAddr = address.parse().unwrap();
        let ip_san = authority.verdict(address, NOW, |params| {
            params.subject_alt_names = vec![SanType::IpAddress(parsed)];
        });
        assert_eq!(ip_san, Ok(()), "{address}");
    }
    let other = authority.verdict("192.0.2.8", NOW, |params| {
        params.subject_alt_names = vec![SanType::IpAddress("192.0.2.7".parse().unwrap())];
    });
    assert_eq!(other, Err(CertificateError::WrongName));
    let written_as_dns = authority.verdict("192.0.2.7", NOW, |params| {
        params.subject_alt_names = vec![dns("192.0.2.7")];
    });
    assert!(written_as_dns.is_err(), "RFC 9525 §6.4: an address is not a DNS name");
}

/// RFC 9525 §6.3: a wildcard stands for one whole leftmost label.
#[test]
fn a_wildcard_stands_for_exactly_one_label() {
    let authority = p256_authority();
    let against = |name| authority.verdict(name, NOW, |params| params.subject_alt_names = vec![dns("*.example.org")]);
    assert_eq!(against("a.example.org"), Ok(()));
    assert_eq!(against("a.b.example.org"), Err(CertificateError::WrongName));
    assert_eq!(against("example.org"), Err(CertificateError::WrongName));
    for (san, name) in [("f*.example.org", "foo.example.org"), ("a.*.org", "a.example.org"), ("*.*.org", "a.b.org")] {
        let verdict = authority.verdict(name, NOW, |params| params.subject_alt_names = vec![dns(san)]);
        assert!(verdict.is_err(), "{san} must not match {name}");
    }
}

#[test]
fn dates_bound_the_validity() {
    let authority = p256_authority();
    let (first, last) = (1_735_689_600, 1_798_761_600);
    assert_eq!(authority.verdict(NAME, first, |_| {}), Ok(()));
    assert_eq!(authority.verdict(NAME, first - 1, |_| {}), Err(CertificateError::NotValidYet));
    assert_eq!(authority.verdict(NAME, last, |_| {}), Ok(()));
    assert_eq!(authority.verdict(NAME, last + DAY, |_| {}), Err(CertificateError::Expired));
    assert_eq!(authority.verdict(NAME, u64::MAX, |_| {}), Err(CertificateError::Expired));
    assert_eq!(authority.verdict(NAME, 0, |_| {}), Err(CertificateError::NotValidYet));
}

#[test]
fn issuers_must_be_known_and_must_have_signed() {
    let trusted = p256_authority();
    let mut stranger = Authority::new(TestKey::p256(9));
    let same_name_other_key = [stranger.issue(&leaf_params(), &TestKey::p256(2))];
    assert_eq!(trusted.check(&same_name_other_key, NAME, NOW), Err(CertificateError::BadSignature));
    stranger.params = ca_params("stranger");
    let other_name = [stranger.issue(&leaf_params(), &TestKey::p256(2))];
    assert_eq!(trusted.check(&other_name, NAME, NOW), Err(CertificateError::UnknownIssuer));
    let nobody = ServerVerifier::new(Vec::new()).unwrap();
    let name = ServerName::try_from(NAME).unwrap();
    let leaf = [trusted.issue(&leaf_params(), &TestKey::p256(2))];
    assert_eq!(nobody.verify_chain(&leaf, Some(&name), NOW, &*provider()), Err(CertificateError::UnknownIssuer));
}

#[test]
fn the_certificate_must_be_for_servers_and_for_signatures() {
    let authority = p256_authority();
    let client_only = authority.verdict(NAME, NOW, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    assert_eq!(client_only, Err(CertificateError::WrongUsage));
    let both = authority.verdict(NAME, NOW, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    });
    assert_eq!(both, Ok(()));
    assert_eq!(authority.verdict(NAME, NOW, |params| params.extended_key_usages.clear()), Ok(()), "not restricted");

    let agreement_only = authority.verdict(NAME, NOW, |params| params.key_usages = vec![KeyUsagePurpose::KeyAgreement]);
    assert_eq!(agreement_only, Err(CertificateError::WrongUsage));
    let several = authority.verdict(NAME, NOW, |params| {
        params.key_usages = vec![KeyUsagePurpose::KeyAgreement, KeyUsagePurpose::DigitalSignature];
    });
    assert_eq!(several, Ok(()));
    assert_eq!(authority.verdict(NAME, NOW, |params| params.key_usages.clear()), Ok(()), "not restricted");
    let issuer = authority.verdict(NAME, NOW, |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert_eq!(issuer, Err(CertificateError::WrongUsage));
}

#[test]
fn intermediates_are_followed_in_any_order_and_must_be_allowed_to_issue() {
    let authority = p256_authority();
    let (middle_key, leaf_key) = (TestKey::ed25519(3), TestKey::p256(2));
    let issue_under = |middle: &CertificateParams| {
        let leaf = leaf_params().signed_by(&leaf_key, &Issuer::from_params(middle, &middle_key)).unwrap();
        (leaf.der().clone(), authority.issue(middle, &middle_key))
    };

    let (leaf, middle) = issue_under(&ca_params("middle"));
    assert_eq!(authority.check(&[leaf.clone(), middle.clone()], NAME, NOW), Ok(()));
    assert_eq!(authority.check(std::slice::from_ref(&leaf), NAME, NOW), Err(CertificateError::UnknownIssuer));
    let unrelated = authority.issue(&leaf_params(), &TestKey::p256(5));
    assert_eq!(authority.check(&[leaf, unrelated, middle], NAME, NOW), Ok(()), "extra certificates do no harm");

    let mut no_ca = ca_params("middle");
    no_ca.is_ca = IsCa::ExplicitNoCa;
    let (leaf, middle) = issue_under(&no_ca);
    assert_eq!(authority.check(&[leaf, middle], NAME, NOW), Err(CertificateError::IssuerConstraint));
}

#[test]
fn chains_signed_with_rsa_and_ed25519_are_accepted() {
    for key in [TestKey::rsa(), TestKey::ed25519(7)] {
        let authority = Authority::new(key);
        for leaf_key in [TestKey::p256(2), TestKey::ed25519(4), TestKey::rsa()] {
            let leaf = authority.issue(&leaf_params(), &leaf_key);
            assert_eq!(authority.check(std::slice::from_ref(&leaf), NAME, NOW), Ok(()));
            let mut forged = leaf.to_vec();
            *forged.last_mut().unwrap() ^= 1;
            assert_eq!(authority.check(&[forged.into()], NAME, NOW), Err(CertificateError::BadSignature));
        }
    }
}

#[test]
fn bytes_of_any_kind_are_refused_without_a_panic() {
    let authority = p256_authority();
    assert_eq!(authority.check(&[], NAME, NOW), Err(CertificateError::Empty));
    let leaf = authority.issue(&leaf_params(), &TestKey::p256(2));
    for len in 0..leaf.len() {
        let cut = [CertificateDer::from(&leaf[..len])];
        assert_eq!(authority.check(&cut, NAME, NOW), Err(CertificateError::Malformed), "cut to {len}");
        assert!(key_usage::allows_signatures(&cut[0]).is_err(), "cut to {len}");
    }
    for position in 0..leaf.len() {
        let mut bad = leaf.to_vec();
        bad[position] ^= 0x41;
        let bad = CertificateDer::from(bad);
        assert!(authority.check(std::slice::from_ref(&bad), NAME, NOW).is_err(), "byte {position} changed");
        let _ = key_usage::allows_signatures(&bad);
    }
    assert_eq!(ServerVerifier::new(vec![CertificateDer::from(vec![1, 2, 3])]).err(), Some(CertificateError::Malformed));
}

#[test]
fn each_refusal_has_the_alert_of_the_texts() {
    for (error, alert) in [
        (CertificateError::Empty, AlertDescription::BAD_CERTIFICATE),
        (CertificateError::Malformed, AlertDescription::BAD_CERTIFICATE),
        (CertificateError::BadSignature, AlertDescription::BAD_CERTIFICATE),
        (CertificateError::Unsupported, AlertDescription::UNSUPPORTED_CERTIFICATE),
        (CertificateError::WrongUsage, AlertDescription::UNSUPPORTED_CERTIFICATE),
        (CertificateError::Expired, AlertDescription::CERTIFICATE_EXPIRED),
        (CertificateError::NotValidYet, AlertDescription::CERTIFICATE_EXPIRED),
        (CertificateError::WrongName, AlertDescription::BAD_CERTIFICATE),
        (CertificateError::UnknownKey, AlertDescription::BAD_CERTIFICATE),
        (CertificateError::IssuerConstraint, AlertDescription::CERTIFICATE_UNKNOWN),
        (CertificateError::TooComplex, AlertDescription::CERTIFICATE_UNKNOWN),
        (CertificateError::Other, AlertDescription::CERTIFICATE_UNKNOWN),
        (CertificateError::UnknownIssuer, AlertDescription::UNKNOWN_CA),
    ] {
        assert_eq!(error.alert(), alert, "{error}");
    }
}

#[test]
fn signatures_verify_under_the_scheme_of_the_key_and_no_other() {
    let authority = p256_authority();
    let provider = provider();
    let schemes = [
        SignatureScheme::EcdsaSecp256r1Sha256,
        SignatureScheme::Ed25519,
        SignatureScheme::RsaPkcs1Sha256,
        SignatureScheme::RsaPssRsaeSha256,
    ];
    for (key, scheme) in [
        (TestKey::p256(2), SignatureScheme::EcdsaSecp256r1Sha256),
        (TestKey::ed25519(4), SignatureScheme::Ed25519),
        (TestKey::rsa(), SignatureScheme::RsaPkcs1Sha256),
    ] {
        let leaf = authority.issue(&leaf_params(), &key);
        let signature = key.sign(b"parameters").unwrap();
        for offered in schemes {
            let verdict = verify_signed(&*provider, &leaf, offered, b"parameters", &signature);
            let same_key_type = matches!(key, TestKey::Rsa { .. }) && offered == SignatureScheme::RsaPssRsaeSha256;
            let expected = match offered {
                _ if offered == scheme => Ok(()),
                _ if same_key_type => Err(CryptoError::BadTagOrSignature),
                _ => Err(CryptoError::BadKey),
            };
            assert_eq!(verdict, expected, "{scheme:?} key, {offered:?} announced");
        }
        let other = verify_signed(&*provider, &leaf, scheme, b"parameters!", &signature);
        assert_eq!(other, Err(CryptoError::BadTagOrSignature));
        let garbage = CertificateDer::from(vec![0x30, 0]);
        assert_eq!(verify_signed(&*provider, &garbage, scheme, b"parameters", &signature), Err(CryptoError::BadKey));
    }
}

/// The provider's two halves fit together: what a loaded key signs, its certificate verifies.
#[test]
fn what_a_loaded_key_signs_its_certificate_verifies() {
    let provider = provider();
    let secret = p256::SecretKey::from_slice(&[2; 32]).unwrap();
    let der = PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(secret.to_sec1_der().unwrap().to_vec()));
    let key = provider.signing_key(&der).unwrap();
    let leaf = p256_authority().issue(&leaf_params(), &TestKey::p256(2));
    let scheme = key.schemes()[0];
    let signature = key.sign(scheme, b"message", &mut Entropy::new(&Seed([1; 32]))).unwrap();
    assert_eq!(verify_signed(&*provider, &leaf, scheme, b"message", &signature), Ok(()));

    assert_eq!(key_fits_certificate(&*key, &leaf), Ok(()));
    for other in [TestKey::p256(3), TestKey::ed25519(2)] {
        let leaf = p256_authority().issue(&leaf_params(), &other);
        assert_eq!(key_fits_certificate(&*key, &leaf), Err(CryptoError::BadKey));
    }
}

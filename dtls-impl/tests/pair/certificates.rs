//! Servers whose certificates are not what they should be: the client ends before it sends any application data, and the
//! server hears why in the right alert. The same table for both versions.

use std::sync::Arc;

use crate::common::{DATE, Key, NAME, Pair, Side, TestKey, clean, cookies, params, secs};
use crate::dtls13::v13;
use dtls_impl::config::{CertifiedKey, ClientCredentials, ServerCredentials};
use dtls_impl::crypto::rustcrypto;
use dtls_impl::pki::{CertificateError, ServerVerifier};
use dtls_impl::wire::AlertDescription;
use dtls_impl::{ClientConfig, Error, ServerConfig};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, SanType,
};
use rustls_pki_types::CertificateDer;

/// What is wrong with a server's certificate.
type Defect = fn(&mut CertificateParams);

const KEY: u8 = 4;

fn names(params: &mut CertificateParams, names: &[&str]) {
    params.subject_alt_names =
        names.iter().map(|name| SanType::DnsName((*name).try_into().expect("a name is ASCII"))).collect();
}

fn common_name(params: &mut CertificateParams) {
    params.distinguished_name.push(DnType::CommonName, NAME);
}

fn authority(serial: u64, edit: impl Fn(&mut CertificateParams)) -> CertificateParams {
    let mut params = params(&[], serial);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    edit(&mut params);
    params
}

/// A trusted root, and a leaf that it signed.
fn signed(defect: Defect) -> (CertificateDer<'static>, Vec<CertificateDer<'static>>) {
    let key = TestKey::new(Key::P256, 3);
    let root = authority(1, |_| ());
    let root_der = root.self_signed(&key).unwrap().der().clone();
    let mut leaf = params(&[NAME], 2);
    defect(&mut leaf);
    let leaf = leaf.signed_by(&TestKey::new(Key::P256, KEY), &Issuer::new(root, key)).unwrap().der().clone();
    (root_der, vec![leaf])
}

/// A chain of three whose middle is bent.
fn through(middle: Defect) -> (CertificateDer<'static>, Vec<CertificateDer<'static>>) {
    let (root_key, middle_key) = (TestKey::new(Key::P256, 3), TestKey::new(Key::P256, 5));
    let root = authority(1, |_| ());
    let root_der = root.self_signed(&root_key).unwrap().der().clone();
    let issuer = authority(7, |params| {
        params.distinguished_name.push(DnType::CommonName, "between");
        middle(params);
    });
    let issuer_der = issuer.signed_by(&middle_key, &Issuer::new(root, root_key)).unwrap().der().clone();
    let leaf = params(&[NAME], 2);
    let leaf = leaf.signed_by(&TestKey::new(Key::P256, KEY), &Issuer::new(issuer, middle_key)).unwrap().der().clone();
    (root_der, vec![leaf, issuer_der])
}

fn ends(root: CertificateDer<'static>, chain: Vec<CertificateDer<'static>>) -> (ClientConfig, ServerConfig) {
    let provider = rustcrypto::provider();
    let verifier = Arc::new(ServerVerifier::new(vec![root]).unwrap());
    let certified = CertifiedKey::new(&*provider, chain, &TestKey::new(Key::P256, KEY).private()).unwrap();
    let mut client = ClientConfig::new(provider.clone(), ClientCredentials::Certificate { verifier });
    let mut server = ServerConfig::new(provider, ServerCredentials::Certificate(certified), cookies());
    (client.common.unix_time, server.common.unix_time) = (DATE, DATE);
    (client, server)
}

fn refused(what: &str, ends: (ClientConfig, ServerConfig), error: CertificateError, alert: AlertDescription) {
    for ends in [ends.clone(), v13(ends)] {
        let mut pair = Pair::new(ends.0, ends.1, clean());
        pair.run(secs(300));
        assert_eq!(pair.failure(Side::Client), Some(&Error::BadCertificate(error)), "{what}\n{}", pair.story());
        assert_eq!(pair.failure(Side::Server), Some(&Error::AlertReceived(alert)), "{what}\n{}", pair.story());
        assert_eq!(pair.established(Side::Client), None, "{what}");
        let now = pair.now;
        assert!(pair.client.send(now, b"secret").is_err(), "{what}");
        assert!(pair.data(Side::Server).is_empty(), "{what}");
    }
}

#[test]
fn a_certificate_without_defect_is_taken() {
    for (root, chain) in [signed(|_| ()), through(|_| ()), signed(|params| names(params, &["a.example", NAME]))] {
        let mut pair = Pair::new(ends(root.clone(), chain.clone()).0, ends(root, chain).1, clean());
        pair.run(secs(10));
        assert!(pair.both_established(), "{}", pair.story());
        pair.exchange_data();
    }
}

#[test]
fn every_defect_of_a_leaf_ends_the_handshake_with_its_alert() {
    use AlertDescription as A;
    use CertificateError as C;
    let defects: [(&str, Defect, C, A); 12] = [
        (
            "right common name, wrong subjectAltName",
            |params| {
                common_name(params);
                names(params, &["other.example"]);
            },
            C::WrongName,
            A::BAD_CERTIFICATE,
        ),
        (
            "right common name, no subjectAltName",
            |params| {
                common_name(params);
                names(params, &[]);
            },
            C::WrongName,
            A::BAD_CERTIFICATE,
        ),
        ("a parent's name", |params| names(params, &["example"]), C::WrongName, A::BAD_CERTIFICATE),
        ("a child's name", |params| names(params, &["a.server.example"]), C::WrongName, A::BAD_CERTIFICATE),
        (
            "a wildcard one level too deep",
            |params| names(params, &["*.server.example"]),
            C::WrongName,
            A::BAD_CERTIFICATE,
        ),
        (
            "a wildcard in place of part of a label",
            |params| names(params, &["ser*.example"]),
            C::WrongName,
            A::BAD_CERTIFICATE,
        ),
        ("a wildcard not in the first label", |params| names(params, &["server.*"]), C::WrongName, A::BAD_CERTIFICATE),
        (
            "an address where a name was asked for",
            |params| params.subject_alt_names = vec![SanType::IpAddress([192, 0, 2, 1].into())],
            C::WrongName,
            A::BAD_CERTIFICATE,
        ),
        ("expired", |params| params.not_after = rcgen::date_time_ymd(2025, 6, 1), C::Expired, A::CERTIFICATE_EXPIRED),
        (
            "not valid yet",
            |params| params.not_before = rcgen::date_time_ymd(2026, 6, 1),
            C::NotValidYet,
            A::CERTIFICATE_EXPIRED,
        ),
        (
            "for clients only",
            |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            C::WrongUsage,
            A::UNSUPPORTED_CERTIFICATE,
        ),
        (
            "not for signatures",
            |params| params.key_usages = vec![KeyUsagePurpose::KeyAgreement],
            C::WrongUsage,
            A::UNSUPPORTED_CERTIFICATE,
        ),
    ];
    for (what, defect, error, alert) in defects {
        let (root, chain) = signed(defect);
        refused(what, ends(root, chain), error, alert);
    }
}

#[test]
fn every_defect_of_the_way_to_the_root_ends_the_handshake_with_its_alert() {
    let (root, chain) = signed(|_| ());
    let stranger = authority(9, |params| params.distinguished_name.push(DnType::CommonName, "stranger"));
    let stranger = stranger.self_signed(&TestKey::new(Key::P256, 9)).unwrap().der().clone();
    refused("unknown root", ends(stranger, chain), CertificateError::UnknownIssuer, AlertDescription::UNKNOWN_CA);

    let mut alone = params(&[NAME], 2);
    alone.distinguished_name.push(DnType::CommonName, "alone");
    let alone = alone.self_signed(&TestKey::new(Key::P256, KEY)).unwrap().der().clone();
    refused("self-signed", ends(root, vec![alone]), CertificateError::UnknownIssuer, AlertDescription::UNKNOWN_CA);

    let (root, chain) = through(|_| ());
    let gap = vec![chain[0].clone()];
    refused("a gap in the chain", ends(root, gap), CertificateError::UnknownIssuer, AlertDescription::UNKNOWN_CA);

    let no_ca: Defect = |params| params.is_ca = IsCa::ExplicitNoCa;
    let expired: Defect = |params| params.not_after = rcgen::date_time_ymd(2025, 6, 1);
    for (what, middle, error, alert) in [
        ("issuer is no CA", no_ca, CertificateError::IssuerConstraint, AlertDescription::CERTIFICATE_UNKNOWN),
        ("issuer expired", expired, CertificateError::Expired, AlertDescription::CERTIFICATE_EXPIRED),
    ] {
        let (root, chain) = through(middle);
        refused(what, ends(root, chain), error, alert);
    }

    // A root of the same name with another key: its signature is not on the leaf.
    let (_, chain) = signed(|_| ());
    let impostor = authority(1, |_| ()).self_signed(&TestKey::new(Key::P256, 9)).unwrap().der().clone();
    let (error, alert) = (CertificateError::BadSignature, AlertDescription::BAD_CERTIFICATE);
    refused("signed with another key", ends(impostor, chain), error, alert);
}

use super::*;

#[test]
fn the_default_chain_never_changes() {
    let identity = identity(&ChainShape::default());
    assert_eq!(identity.chain.len(), 1);
    assert_eq!(digest(&identity.chain[0]), "80fd3d508a6ed5ba05a431966ecd8d582e157a6b41349025ae1216a2fb879999");
    assert_eq!(digest(&identity.root), "35623e579a492fda12c0757085aed1029de9e7b5122e22e23b10c6ccd1b74460");
}

#[test]
fn an_identity_is_made_once() {
    let shape = ChainShape::default();
    assert!(Arc::ptr_eq(&identity(&shape), &identity(&shape)));
}

#[test]
fn sizes_are_exact_for_every_shape() {
    for key in [KeyKind::EcdsaP256, KeyKind::Ed25519] {
        for issuer in [IssuerKind::EcdsaP256, IssuerKind::Rsa2048] {
            for certificates in 1..=CERTIFICATES_MAX {
                for size in [2048, 8192] {
                    let shape = ChainShape { key, issuer, certificates, size: Some(size), ..ChainShape::default() };
                    match chain::make(&shape) {
                        Ok(identity) => {
                            assert_eq!(identity.chain_size(), size as usize, "{shape:?}");
                            assert_eq!(identity.chain.len(), usize::from(certificates));
                        }
                        Err(error) => assert!(
                            matches!(error, ShapeError::TooSmall { minimum } if minimum > size),
                            "{shape:?}: {error}"
                        ),
                    }
                }
            }
        }
    }
}

#[test]
fn every_size_from_the_smallest_can_be_had() {
    let smallest = identity(&ChainShape::default()).chain_size() as u32;
    for size in smallest..smallest + 320 {
        let shape = ChainShape { size: Some(size), ..ChainShape::default() };
        match chain::make(&shape) {
            Ok(identity) => assert_eq!(identity.chain_size(), size as usize),
            // The extension itself has a smallest size.
            Err(error) => assert!(size < smallest + 20, "{size}: {error}"),
        }
    }
}

#[test]
fn impossible_shapes_are_refused_with_a_reason() {
    let refused = |shape: ChainShape| try_identity(&shape).unwrap_err().to_string();
    let shape = ChainShape::default();
    assert!(refused(ChainShape { size: Some(100), ..shape.clone() }).starts_with("these certificates take at least "));
    assert_eq!(refused(ChainShape { size: Some(70_000), ..shape.clone() }), "a chain has at most 60000 B");
    assert_eq!(refused(ChainShape { certificates: 0, ..shape.clone() }), "a chain has from 1 to 6 certificates");
    assert_eq!(refused(ChainShape { names: vec![], ..shape.clone() }), "a certificate needs at least one name");
    assert_eq!(
        refused(ChainShape { names: vec!["über".to_owned()], ..shape }),
        "\"über\" is not a DNS name or an IP address"
    );
}

#[test]
fn debug_output_holds_no_key() {
    let text = format!("{:?}", identity(&ChainShape::default()));
    assert!(text.contains("shape") && !text.contains("key: P"), "{text}");
}

fn digest(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A verifier that is not ours agrees: names, dates, usages, signatures.
#[cfg(feature = "rtc-dtls")]
#[test]
fn chains_verify_on_the_day_of_the_run() {
    use std::time::Duration;

    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls_pki_types::{ServerName, UnixTime};

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let now = UnixTime::since_unix_epoch(Duration::from_secs(RUN_DATE));
    for key in [KeyKind::EcdsaP256, KeyKind::Ed25519] {
        for issuer in [IssuerKind::EcdsaP256, IssuerKind::Rsa2048] {
            for (certificates, size) in [(1, None), (3, Some(8192)), (CERTIFICATES_MAX, None)] {
                let identity = identity(&ChainShape { key, issuer, certificates, size, ..ChainShape::default() });
                let mut roots = rustls::RootCertStore::empty();
                roots.add(identity.root.clone()).expect("a root");
                let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                    .build()
                    .expect("a verifier");
                let verify = |name: &'static str| {
                    let name = ServerName::try_from(name).expect("a name");
                    verifier.verify_server_cert(&identity.chain[0], &identity.chain[1..], &name, &[], now)
                };
                verify(SERVER_NAME).unwrap_or_else(|error| panic!("{:?}: {error}", identity.shape));
                verify("other.windtunnel.test").unwrap_err();
            }
        }
    }
}

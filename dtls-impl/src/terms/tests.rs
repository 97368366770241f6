use std::collections::BTreeMap;

use super::*;
use crate::config::{ClientCredentials, Cookies, Psk, ServerConfig, ServerCredentials, UnknownIdentity, Versions};
use crate::crypto::{Secret, rustcrypto};
use crate::wire::AlertDescription;

const V12: ProtocolVersion = ProtocolVersion::DTLS1_2;
const V13: ProtocolVersion = ProtocolVersion::DTLS1_3;

fn client(alpn: &[&str], size: Option<u16>, fragment: Option<MaxFragmentLength>) -> ClientConfig {
    let psk = Psk { identity: b"me".to_vec(), key: Secret::new(vec![1; 16]) };
    let mut config = ClientConfig::new(rustcrypto::provider(), ClientCredentials::Psk(psk));
    config.common.alpn = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config.common.record_size_limit = size;
    config.max_fragment_length = fragment;
    config
}

fn server(alpn: &[&str], size: Option<u16>) -> Common {
    let credentials = ServerCredentials::Psk { keys: BTreeMap::new(), hint: None, unknown: UnknownIdentity::Alert };
    let mut common = ServerConfig::new(rustcrypto::provider(), credentials, Cookies::Off).common;
    common.alpn = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    common.record_size_limit = size;
    common
}

fn offered(config: &ClientConfig) -> Extensions<'static> {
    Extensions(offer(config).collect())
}

fn accepted(answer: Vec<Extension<'static>>, config: &ClientConfig, version: ProtocolVersion) -> Result<Terms, Error> {
    accept(&Extensions(answer), HandshakeType::SERVER_HELLO, config, version)
}

fn alert<T: core::fmt::Debug>(result: Result<T, Error>) -> Option<AlertDescription> {
    result.unwrap_err().alert()
}

#[test]
fn the_first_protocol_of_the_server_that_is_on_offer_is_chosen() {
    let client = client(&["a", "b", "c"], None, None);
    let (terms, reply) = answer(&offered(&client), &server(&["x", "c", "b"], None), V12).unwrap();
    assert_eq!(terms.alpn, Some(b"c".to_vec()));
    assert_eq!(accepted(reply, &client, V12), Ok(terms));
}

#[test]
fn without_protocols_on_either_side_nothing_is_negotiated() {
    let with = client(&["a"], None, None);
    assert_eq!(answer(&offered(&with), &server(&[], None), V12), Ok((Terms::default(), vec![])));
    let without = client(&[], None, None);
    assert_eq!(answer(&offered(&without), &server(&["a"], None), V12), Ok((Terms::default(), vec![])));
}

#[test]
fn no_protocol_in_common_ends_the_handshake() {
    let refused = answer(&offered(&client(&["a"], None, None)), &server(&["b"], None), V12);
    assert_eq!(alert(refused), Some(AlertDescription::NO_APPLICATION_PROTOCOL));
}

#[test]
fn a_client_refuses_protocols_it_did_not_offer_or_more_than_one() {
    let with = client(&["a", "b"], None, None);
    for protocols in [&["c"][..], &["a", "b"], &["a", "a"]] {
        let refused = accepted(vec![Extension::alpn(protocols)], &with, V12);
        assert_eq!(refused, Err(PeerMisbehaved::ProtocolNotOffered.into()));
        assert_eq!(alert(refused), Some(AlertDescription::ILLEGAL_PARAMETER));
    }
    let unasked = accepted(vec![Extension::alpn(&["a"])], &client(&[], None, None), V13);
    assert_eq!(unasked, Err(PeerMisbehaved::UnsolicitedExtension.into()));
}

#[test]
fn each_side_keeps_to_the_limit_of_the_other() {
    let client = client(&[], Some(100), None);
    for (version, to_client, to_server) in [(V12, 100, 300), (V13, 99, 299)] {
        let (at_server, reply) = answer(&offered(&client), &server(&[], Some(300)), version).unwrap();
        let at_client = accepted(reply, &client, version).unwrap();
        assert_eq!((at_server.limits.of(1), at_server.limits.received), (to_client, Some(300)));
        assert_eq!((at_client.limits.of(1), at_client.limits.received), (to_server, Some(100)));
        assert_eq!((at_server.limits.of(0), at_client.limits.of(0)), (PLAINTEXT_LEN_MAX, PLAINTEXT_LEN_MAX));
    }
}

#[test]
fn limits_beyond_the_protocol_are_taken_as_none_and_never_said() {
    let mut both = server(&[], Some(16_385));
    both.versions = Versions::Both;
    let beyond = Extensions(vec![Extension::record_size_limit(u16::MAX)]);
    for (version, said) in [(V12, 16_384), (V13, 16_385)] {
        let (terms, reply) = answer(&beyond, &both, version).unwrap();
        assert_eq!(terms.limits.of(1), PLAINTEXT_LEN_MAX);
        assert_eq!(reply, [Extension::record_size_limit(said)]);
    }
}

#[test]
fn limits_below_64_are_refused_by_both_even_where_they_would_not_be_used() {
    let small = || Extension::record_size_limit(63);
    for own in [None, Some(100)] {
        let refused = answer(&Extensions(vec![small()]), &server(&[], own), V13);
        assert_eq!(alert(refused), Some(AlertDescription::ILLEGAL_PARAMETER));
    }
    let refused = accepted(vec![small()], &client(&[], Some(100), None), V13);
    assert_eq!(refused, Err(PeerMisbehaved::BadRecordSize.into()));
}

#[test]
fn fragments_are_limited_unless_record_sizes_are() {
    let kilobyte = Some(MaxFragmentLength::Bytes1024);
    let asking = client(&[], None, kilobyte);
    let (terms, reply) = answer(&offered(&asking), &server(&[], Some(300)), V12).unwrap();
    assert_eq!((terms.limits.of(0), terms.limits.of(1), terms.limits.received), (1024, 1024, Some(1024)));
    assert_eq!(accepted(reply, &asking, V12), Ok(terms));

    let asking_for_both = client(&[], Some(100), kilobyte);
    let (_, reply) = answer(&offered(&asking_for_both), &server(&[], Some(300)), V12).unwrap();
    assert_eq!(reply, [Extension::record_size_limit(300)]);
    let (terms, reply) = answer(&offered(&asking_for_both), &server(&[], None), V13).unwrap();
    assert_eq!(reply, [Extension::max_fragment_length(2)]);
    assert_eq!((terms.limits.of(2), terms.limits.received), (1024, Some(1025)));
}

#[test]
fn fragment_lengths_that_do_not_exist_or_were_not_asked_for_are_refused() {
    for code in [0, 5, 255] {
        let refused = answer(&Extensions(vec![Extension::max_fragment_length(code)]), &server(&[], None), V12);
        assert_eq!(alert(refused), Some(AlertDescription::ILLEGAL_PARAMETER));
    }
    let asking = client(&[], Some(100), Some(MaxFragmentLength::Bytes512));
    let other = accepted(vec![Extension::max_fragment_length(2)], &asking, V12);
    assert_eq!(other, Err(PeerMisbehaved::BadRecordSize.into()));
    let both = accepted(vec![Extension::max_fragment_length(1), Extension::record_size_limit(64)], &asking, V12);
    assert_eq!(both, Err(PeerMisbehaved::BadRecordSize.into()));
    for unasked in [Extension::max_fragment_length(1), Extension::record_size_limit(64)] {
        let refused = accepted(vec![unasked], &client(&[], None, None), V13);
        assert_eq!(refused, Err(PeerMisbehaved::UnsolicitedExtension.into()));
    }
}

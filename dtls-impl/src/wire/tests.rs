//! What holds for every message: it survives the way out and back, and is refused when cut or extended anywhere.

use std::borrow::Cow;

use proptest::prelude::*;

use super::*;

fn client_hello() -> ClientHello<'static> {
    ClientHello {
        start: ClientHelloStart {
            version: ProtocolVersion::DTLS1_2,
            random: [7; RANDOM_LEN],
            session_id: b"session",
            cookie: b"cookie",
            cipher_suites: vec![CipherSuite::TLS_PSK_WITH_AES_128_CCM_8, CipherSuite(0x0a0a)],
            compression_methods: &[COMPRESSION_NULL],
        },
        extensions: Extensions(vec![
            Extension::server_name("device.example"),
            Extension { extension_type: ExtensionType(0x0a0a), data: Cow::Borrowed(b"?") },
        ]),
    }
}

fn server_hello() -> ServerHello<'static> {
    ServerHello {
        version: ProtocolVersion::DTLS1_2,
        random: [8; RANDOM_LEN],
        session_id: b"",
        cipher_suite: CipherSuite::TLS_PSK_WITH_AES_128_CCM_8,
        compression_method: COMPRESSION_NULL,
        extensions: Extensions(vec![Extension::extended_master_secret()]),
    }
}

const PARAMS: EcdhParams<'static> = EcdhParams { group: NamedGroup::X25519, public_key: &[9; 32] };

/// Checks one message; `may_end_at` is the length at which the message may also stop, for hellos without extensions.
fn check<'a, M: PartialEq + core::fmt::Debug>(
    message: &M,
    bytes: &'a [u8],
    may_end_at: Option<usize>,
    parse: impl Fn(&'a [u8]) -> Result<M, ParseError>,
    longer: &'a [u8],
) {
    assert_eq!(parse(bytes).as_ref(), Ok(message));
    for cut in (0..bytes.len()).filter(|cut| Some(*cut) != may_end_at) {
        assert!(parse(&bytes[..cut]).is_err(), "{message:?} cut at {cut}");
    }
    assert!(parse(longer).is_err(), "{message:?} with a byte more");
}

macro_rules! survives {
    ($test:ident, $message:expr, $parse:expr, $may_end_at:expr) => {
        #[test]
        fn $test() {
            let message = $message;
            let bytes = body_of(|w| message.emit(w));
            let longer = [&bytes[..], &[0]].concat();
            check(&message, &bytes, $may_end_at, $parse, &longer);
        }
    };
}

survives!(client_hello_survives, client_hello(), ClientHello::parse, Some(2 + 32 + 8 + 7 + 6 + 2));
survives!(server_hello_survives, server_hello(), ServerHello::parse, Some(2 + 32 + 1 + 2 + 1));
survives!(
    hello_verify_request_survives,
    HelloVerifyRequest { server_version: ProtocolVersion::DTLS1_0, cookie: b"crumbs" },
    HelloVerifyRequest::parse,
    None
);
survives!(certificate_survives, Certificate { chain: vec![b"leaf", b"issuer"] }, Certificate::parse, None);
survives!(empty_certificate_survives, Certificate { chain: vec![] }, Certificate::parse, None);
survives!(
    certificate_request_survives,
    CertificateRequest {
        certificate_types: &[64],
        signature_algorithms: vec![SignatureSchemeCode::ED25519],
        authorities: vec![b"name", b"other"],
    },
    CertificateRequest::parse,
    None
);
survives!(
    signed_server_key_exchange_survives,
    ServerKeyExchangeSigned { params: PARAMS, scheme: SignatureSchemeCode::ED25519, signature: b"signature" },
    ServerKeyExchangeSigned::parse,
    None
);
survives!(
    psk_server_key_exchange_survives,
    ServerKeyExchangePsk { identity_hint: b"hint" },
    ServerKeyExchangePsk::parse,
    None
);
survives!(
    ecdhe_psk_server_key_exchange_survives,
    ServerKeyExchangeEcdhePsk { identity_hint: b"", params: PARAMS },
    ServerKeyExchangeEcdhePsk::parse,
    None
);
survives!(
    ecdhe_client_key_exchange_survives,
    ClientKeyExchange { psk_identity: None, public_key: Some(&[4; 65]) },
    |body| ClientKeyExchange::parse(body, false, true),
    None
);
survives!(
    psk_client_key_exchange_survives,
    ClientKeyExchange { psk_identity: Some(b"identity"), public_key: None },
    |body| ClientKeyExchange::parse(body, true, false),
    None
);
survives!(
    ecdhe_psk_client_key_exchange_survives,
    ClientKeyExchange { psk_identity: Some(b"identity"), public_key: Some(&[4; 32]) },
    |body| ClientKeyExchange::parse(body, true, true),
    None
);
survives!(finished_survives, Finished { verify_data: [5; VERIFY_DATA_LEN] }, Finished::parse, None);

survives!(
    hello_retry_request_survives,
    ServerHello {
        random: HELLO_RETRY_RANDOM,
        extensions: Extensions(vec![
            Extension::selected_version(ProtocolVersion::DTLS1_3),
            Extension::selected_group(NamedGroup::SECP256R1),
            Extension::cookie(b"crumbs"),
        ]),
        ..server_hello()
    },
    ServerHello::parse,
    Some(2 + 32 + 1 + 2 + 1)
);
survives!(
    encrypted_extensions_survive,
    EncryptedExtensions { extensions: Extensions(vec![Extension::supported_groups(&[NamedGroup::X25519])]) },
    EncryptedExtensions::parse,
    None
);
survives!(
    empty_encrypted_extensions_survive,
    EncryptedExtensions { extensions: Extensions::default() },
    EncryptedExtensions::parse,
    None
);
survives!(
    certificate_request_13_survives,
    CertificateRequest13 {
        context: b"",
        extensions: Extensions(vec![Extension::signature_algorithms(&[SignatureSchemeCode::ED25519])]),
    },
    CertificateRequest13::parse,
    None
);
survives!(
    certificate_13_survives,
    Certificate13 {
        context: b"context",
        entries: vec![
            CertificateEntry { certificate: b"leaf", extensions: Extensions::default() },
            CertificateEntry {
                certificate: b"issuer",
                extensions: Extensions(vec![Extension {
                    extension_type: ExtensionType::STATUS_REQUEST,
                    data: Cow::Borrowed(b"?"),
                }]),
            },
        ],
    },
    Certificate13::parse,
    None
);
survives!(
    certificate_verify_survives,
    CertificateVerify { scheme: SignatureSchemeCode::ED25519, signature: b"signature" },
    CertificateVerify::parse,
    None
);
survives!(finished_13_survives, Finished13 { verify_data: &[5; 48] }, |body| Finished13::parse(body, 48), None);
survives!(
    new_session_ticket_survives,
    NewSessionTicket {
        lifetime: 604_800,
        age_add: 7,
        nonce: b"\0",
        ticket: b"ticket",
        extensions: Extensions::default(),
    },
    NewSessionTicket::parse,
    None
);
survives!(key_update_survives, KeyUpdate { update_requested: true }, KeyUpdate::parse, None);
survives!(
    ack_survives,
    Ack { records: vec![RecordNumber { epoch: 2, seq: 7 }, RecordNumber { epoch: u64::MAX, seq: 1 << 40 }] },
    Ack::parse,
    None
);
survives!(empty_ack_survives, Ack::default(), Ack::parse, None);

#[test]
fn hello_request_and_server_hello_done_are_empty() {
    assert_eq!(Empty::parse(b""), Ok(Empty));
    assert_eq!(Empty::parse(b"x"), Err(ParseError::TrailingBytes));
}

#[test]
fn a_session_id_longer_than_32_bytes_is_refused() {
    let mut hello = client_hello();
    hello.start.session_id = &[0; 33];
    let bytes = body_of(|w| hello.emit(w));
    assert_eq!(ClientHello::parse(&bytes), Err(ParseError::BadLength));
}

#[test]
fn the_start_of_a_client_hello_can_be_read_alone() {
    let hello = client_hello();
    let bytes = body_of(|w| hello.emit(w));
    let start = ClientHelloStart::parse(&mut Reader::new(&bytes[..60]));
    assert_eq!(start, Ok(hello.start));
}

proptest! {
    /// Bytes of any kind are a value or an error; the value, written again, gives the same bytes.
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for record in Records::new(&bytes).flatten() {
            for fragment in Fragments::new(record.body) {
                let _ = fragment;
            }
        }
        macro_rules! again {
            ($message:expr) => {
                if let Ok(message) = $message {
                    let written = body_of(|w| message.emit(w));
                    prop_assert_eq!(&written, &bytes);
                }
            };
        }
        again!(HelloVerifyRequest::parse(&bytes));
        again!(Certificate::parse(&bytes));
        again!(CertificateRequest::parse(&bytes));
        again!(ServerKeyExchangeSigned::parse(&bytes));
        again!(ServerKeyExchangePsk::parse(&bytes));
        again!(ServerKeyExchangeEcdhePsk::parse(&bytes));
        again!(ClientKeyExchange::parse(&bytes, true, true));
        again!(Finished::parse(&bytes));
        again!(EncryptedExtensions::parse(&bytes));
        again!(CertificateRequest13::parse(&bytes));
        again!(Certificate13::parse(&bytes));
        again!(CertificateVerify::parse(&bytes));
        again!(Finished13::parse(&bytes, 32));
        again!(NewSessionTicket::parse(&bytes));
        again!(KeyUpdate::parse(&bytes));
        again!(Ack::parse(&bytes));
        again!(NewConnectionId::parse(&bytes));
        again!(RequestConnectionId::parse(&bytes));
        if let Ok(Some(message)) = PathMessage::parse(&bytes) {
            prop_assert_eq!(&message.to_bytes()[..], &bytes[..]);
        }
        for id_len in [None, Some(3)] {
            AnyRecords::new(&bytes, id_len).for_each(drop);
        }
        // An empty extension block and no block are the same value, so the bytes of hellos may differ.
        let _ = ClientHello::parse(&bytes).map(|hello| {
            let extensions = &hello.extensions;
            extensions.server_name().is_ok() && extensions.connection_id().is_ok() && extensions.key_shares().is_ok() && extensions.offered_psks().is_ok()
        });
        let _ = ServerHello::parse(&bytes).map(|hello| hello.extensions.supported_groups().is_ok());
        let _ = Alert::parse(&bytes);
        let _ = ChangeCipherSpec::parse(&bytes);
    }
}

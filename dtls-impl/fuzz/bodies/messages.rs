use dtls_impl::wire::{
    Ack, Alert, Certificate, Certificate13, CertificateOf, CertificateRequest, CertificateRequest13, CertificateVerify,
    ClientHello, ClientKeyExchange, EncryptedExtensions, Finished, Finished13, Fragments, HelloVerifyRequest,
    KeyUpdate, NewConnectionId, NewSessionTicket, NewSessionTicket12, PathMessage, RequestConnectionId, ServerHello,
    ServerKeyExchangeEcdhePsk, ServerKeyExchangePsk, ServerKeyExchangeSigned, Writer,
};

/// What can be read is written as it came, but for an empty block of extensions of a hello: it means the same as none, and
/// none is written.
macro_rules! round_trip {
    ($body:expr, $($parse:expr),+ $(,)?) => {{
        let kinds: &[&dyn Fn(&[u8]) -> Option<Vec<u8>>] = &[$(&|body| {
            let message = $parse(body).ok()?;
            let mut w = Writer::new();
            message.emit(&mut w);
            Some(w.into_bytes())
        }),+];
        let (kind, body): (u8, &[u8]) = $body;
        if let Some(written) = kinds[usize::from(kind) % kinds.len()](body) {
            let shortened = usize::from(kind) % kinds.len() < 2 && body.strip_suffix(&[0, 0]) == Some(&*written);
            assert!(shortened || written == body, "{written:02x?} is not {body:02x?}");
        }
    }};
}

/// The first byte chooses the kind.
pub(crate) fn messages(input: &[u8]) {
    let Some((kind, body)) = input.split_first() else { return };
    if let Ok(hello) = ClientHello::parse(body) {
        let extensions = &hello.extensions;
        let _ = (extensions.server_name(), extensions.supported_groups(), extensions.signature_algorithms());
        let _ = (extensions.ec_point_formats(), extensions.renegotiation_info(), extensions.extended_master_secret());
        let _ = (extensions.supported_versions(), extensions.key_shares(), extensions.offered_psks());
        let _ = (extensions.psk_key_exchange_modes(), extensions.cookie(), extensions.binders_len());
        let _ = (extensions.early_data(), extensions.has_duplicates());
        for of in [CertificateOf::Client, CertificateOf::Server] {
            let _ = extensions.certificate_types(of);
        }
        let _ = (extensions.alpn(), extensions.record_size_limit(), extensions.max_fragment_length());
        let _ = (extensions.connection_id(), extensions.rrc(), extensions.session_ticket());
        let _ = extensions.certificate_authorities();
    }
    if let Ok(hello) = ServerHello::parse(body) {
        let extensions = &hello.extensions;
        let _ = (extensions.selected_version(), extensions.key_share(), extensions.selected_group());
        let _ = (extensions.selected_psk(), extensions.cookie(), hello.is_retry_request());
        for of in [CertificateOf::Client, CertificateOf::Server] {
            let _ = extensions.certificate_type(of);
        }
    }
    let _ = Alert::parse(body);
    if let Ok(Some(message)) = PathMessage::parse(body) {
        assert_eq!(message.to_bytes(), body);
    }
    for fragment in Fragments::new(body).flatten() {
        assert_eq!(fragment.header.fragment_length as usize, fragment.body.len());
    }
    round_trip!(
        (*kind, body),
        ClientHello::parse,
        ServerHello::parse,
        HelloVerifyRequest::parse,
        Certificate::parse,
        CertificateRequest::parse,
        CertificateVerify::parse,
        ServerKeyExchangePsk::parse,
        ServerKeyExchangeEcdhePsk::parse,
        ServerKeyExchangeSigned::parse,
        Finished::parse,
        Ack::parse,
        EncryptedExtensions::parse,
        Certificate13::parse,
        CertificateRequest13::parse,
        NewSessionTicket::parse,
        KeyUpdate::parse,
        |body| Finished13::parse(body, 32),
        NewSessionTicket12::parse,
        NewConnectionId::parse,
        RequestConnectionId::parse,
        |body| ClientKeyExchange::parse(body, true, false),
        |body| ClientKeyExchange::parse(body, false, true),
        |body| ClientKeyExchange::parse(body, true, true),
    );
}

//! Typed readers and makers for the extensions that agree on more than keys: the application's protocol (RFC 7301) and
//! the sizes of records (RFC 8449, RFC 6066 §4).

use super::code_points::ExtensionType;
use super::codec::{ParseError, Reader};
use super::extension::{Extension, Extensions};

impl Extension<'static> {
    /// application_layer_protocol_negotiation: a client's protocols in order of preference, or the one a server chose
    /// (RFC 7301 §3.1).
    pub fn alpn<P: AsRef<[u8]>>(protocols: &[P]) -> Self {
        Self::made(ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION, |w| {
            w.vec16(|w| protocols.iter().for_each(|protocol| w.vec8(|w| w.bytes(protocol.as_ref()))));
        })
    }

    /// record_size_limit: most bytes of plaintext that the sender takes in a protected record (RFC 8449 §4).
    pub fn record_size_limit(limit: u16) -> Self {
        Self::made(ExtensionType::RECORD_SIZE_LIMIT, |w| w.u16(limit))
    }

    /// max_fragment_length, as its code (RFC 6066 §4).
    pub fn max_fragment_length(code: u8) -> Self {
        Self::made(ExtensionType::MAX_FRAGMENT_LENGTH, |w| w.u8(code))
    }
}

impl Extensions<'_> {
    /// The protocols of application_layer_protocol_negotiation: at least one, none of them empty.
    pub fn alpn(&self) -> Result<Option<Vec<&[u8]>>, ParseError> {
        self.read_whole(ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION, |r| {
            let mut list = Reader::new(r.vec16()?);
            let mut protocols = Vec::new();
            while !list.is_empty() {
                let protocol = list.vec8()?;
                if protocol.is_empty() {
                    return Err(ParseError::BadLength);
                }
                protocols.push(protocol);
            }
            if protocols.is_empty() { Err(ParseError::BadLength) } else { Ok(protocols) }
        })
    }

    /// The limit of record_size_limit.
    pub fn record_size_limit(&self) -> Result<Option<u16>, ParseError> {
        self.read_whole(ExtensionType::RECORD_SIZE_LIMIT, Reader::u16)
    }

    /// The code of max_fragment_length.
    pub fn max_fragment_length(&self) -> Result<Option<u8>, ParseError> {
        self.read_whole(ExtensionType::MAX_FRAGMENT_LENGTH, Reader::u8)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn made_extensions_are_read_back_and_refused_when_cut_or_longer() {
        let readable = |extension: Extension<'_>| {
            let of = extension.extension_type;
            let list = Extensions(vec![extension]);
            match of {
                ExtensionType::RECORD_SIZE_LIMIT => list.record_size_limit() == Ok(Some(512)),
                ExtensionType::MAX_FRAGMENT_LENGTH => list.max_fragment_length() == Ok(Some(2)),
                _ => list.alpn() == Ok(Some(vec![&b"coap"[..], b"x"])),
            }
        };
        let protocols: [&[u8]; 2] = [b"coap", b"x"];
        let made = [Extension::alpn(&protocols), Extension::record_size_limit(512), Extension::max_fragment_length(2)];
        for extension in made {
            assert!(readable(extension.clone()));
            let with = |data| Extension { extension_type: extension.extension_type, data };
            for cut in 0..extension.data.len() {
                assert!(!readable(with(Cow::Borrowed(&extension.data[..cut]))), "{extension:?} cut at {cut}");
            }
            assert!(!readable(with(Cow::Owned([&extension.data[..], &[0]].concat()))));
        }
        assert_eq!(Extensions::default().alpn(), Ok(None));
    }

    #[test]
    fn lists_without_a_protocol_and_protocols_without_a_name_are_refused() {
        for data in [&[0, 0][..], &[0, 1, 0], &[0, 3, 1, b'a', 0]] {
            let extension_type = ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION;
            let list = Extensions(vec![Extension { extension_type, data: Cow::Borrowed(data) }]);
            assert_eq!(list.alpn(), Err(ParseError::BadLength));
        }
    }
}

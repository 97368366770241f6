//! Extensions of the hellos: the list, and typed readers and makers for those the handshake uses.

use std::borrow::Cow;

use super::code_points::{ExtensionType, NamedGroup, SignatureSchemeCode};
use super::codec::{ParseError, Reader, Writer, list16};

/// One extension. Unknown ones survive a round trip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// Which extension.
    pub extension_type: ExtensionType,
    /// Its data.
    pub data: Cow<'a, [u8]>,
}

/// `uncompressed`, the only point format in use (RFC 8422 §5.1.2).
pub const POINT_FORMAT_UNCOMPRESSED: u8 = 0;

impl Extension<'static> {
    pub(super) fn made(extension_type: ExtensionType, fill: impl FnOnce(&mut Writer)) -> Self {
        let mut w = Writer::with_capacity(64);
        fill(&mut w);
        Self { extension_type, data: Cow::Owned(w.into_bytes()) }
    }

    pub(super) const fn fixed(extension_type: ExtensionType, data: &'static [u8]) -> Self {
        Self { extension_type, data: Cow::Borrowed(data) }
    }

    /// server_name of a client: one DNS name (RFC 6066 §3).
    pub fn server_name(name: &str) -> Self {
        Self::made(ExtensionType::SERVER_NAME, |w| {
            w.vec16(|w| {
                w.u8(0);
                w.vec16(|w| w.bytes(name.as_bytes()));
            });
        })
    }

    /// supported_groups (RFC 8422 §5.1.1).
    pub fn supported_groups(groups: &[NamedGroup]) -> Self {
        Self::made(ExtensionType::SUPPORTED_GROUPS, |w| {
            w.vec16(|w| groups.iter().for_each(|group| w.u16(group.0)));
        })
    }

    /// ec_point_formats with `uncompressed` (RFC 8422 §5.1.2).
    pub fn ec_point_formats() -> Self {
        Self::fixed(ExtensionType::EC_POINT_FORMATS, &[1, POINT_FORMAT_UNCOMPRESSED])
    }

    /// signature_algorithms (RFC 5246 §7.4.1.4.1).
    pub fn signature_algorithms(schemes: &[SignatureSchemeCode]) -> Self {
        Self::made(ExtensionType::SIGNATURE_ALGORITHMS, |w| {
            w.vec16(|w| schemes.iter().for_each(|scheme| w.u16(scheme.0)));
        })
    }

    /// extended_master_secret (RFC 7627 §5.1).
    pub fn extended_master_secret() -> Self {
        Self::fixed(ExtensionType::EXTENDED_MASTER_SECRET, &[])
    }

    /// renegotiation_info of an initial handshake (RFC 5746 §3.2).
    pub fn renegotiation_info() -> Self {
        Self::fixed(ExtensionType::RENEGOTIATION_INFO, &[0])
    }
}

/// Room to make for extensions; few messages have more.
pub(crate) const EXTENSIONS_USUAL: usize = 10;

/// The extensions of a hello, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions<'a>(pub Vec<Extension<'a>>);

impl<'a> Extensions<'a> {
    /// Reads what follows the fixed part of a hello: nothing, or a block that fills the message (RFC 5246 §7.4.1.2).
    pub fn parse(r: &mut Reader<'a>) -> Result<Self, ParseError> {
        if r.is_empty() { Ok(Self::default()) } else { Self::parse_block(r) }
    }

    /// Reads a block that must be there even if it is empty, as in every message of TLS 1.3 (RFC 8446 §4.2).
    pub fn parse_block(r: &mut Reader<'a>) -> Result<Self, ParseError> {
        let mut block = Reader::new(r.vec16()?);
        let mut list = if block.is_empty() { Vec::new() } else { Vec::with_capacity(EXTENSIONS_USUAL) };
        while !block.is_empty() {
            let extension_type = ExtensionType(block.u16()?);
            list.push(Extension { extension_type, data: Cow::Borrowed(block.vec16()?) });
        }
        Ok(Self(list))
    }

    /// Writes the block, or nothing if there are no extensions.
    pub fn emit(&self, w: &mut Writer) {
        if !self.0.is_empty() {
            self.emit_block(w);
        }
    }

    /// Writes the block even if there are no extensions.
    pub fn emit_block(&self, w: &mut Writer) {
        w.vec16(|w| {
            for extension in &self.0 {
                w.u16(extension.extension_type.0);
                w.vec16(|w| w.bytes(&extension.data));
            }
        });
    }

    /// Data of the first extension of this type.
    pub fn find(&self, extension_type: ExtensionType) -> Option<&[u8]> {
        self.0.iter().find(|extension| extension.extension_type == extension_type).map(|extension| &*extension.data)
    }

    /// Whether there is an extension of this type.
    pub fn contains(&self, extension_type: ExtensionType) -> bool {
        self.find(extension_type).is_some()
    }

    /// Whether a type occurs twice, which RFC 5246 §7.4.1.4 forbids.
    pub fn has_duplicates(&self) -> bool {
        let of = |extension: &Extension<'_>| extension.extension_type;
        // The usual few are compared with each other; of many that would take too long.
        if self.0.len() <= 24 {
            let seen_before = |(at, extension)| self.0[..at].iter().any(|before| of(before) == of(extension));
            return self.0.iter().enumerate().any(seen_before);
        }
        let mut types: Vec<_> = self.0.iter().map(of).collect();
        types.sort_unstable();
        types.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// The DNS name of a client's server_name.
    pub fn server_name(&self) -> Result<Option<&[u8]>, ParseError> {
        let Some(data) = self.find(ExtensionType::SERVER_NAME) else { return Ok(None) };
        let mut r = Reader::new(data);
        let mut names = Reader::new(r.vec16()?);
        r.finish()?;
        let mut host_name = None;
        while !names.is_empty() {
            let name_type = names.u8()?;
            let name = names.vec16()?;
            if name_type == 0 && host_name.replace(name).is_some() {
                return Err(ParseError::BadValue);
            }
        }
        Ok(host_name)
    }

    /// The groups of supported_groups.
    pub fn supported_groups(&self) -> Result<Option<Vec<NamedGroup>>, ParseError> {
        self.code_points(ExtensionType::SUPPORTED_GROUPS, NamedGroup)
    }

    /// The schemes of signature_algorithms.
    pub fn signature_algorithms(&self) -> Result<Option<Vec<SignatureSchemeCode>>, ParseError> {
        self.code_points(ExtensionType::SIGNATURE_ALGORITHMS, SignatureSchemeCode)
    }

    /// The formats of ec_point_formats.
    pub fn ec_point_formats(&self) -> Result<Option<&[u8]>, ParseError> {
        self.vec8(ExtensionType::EC_POINT_FORMATS)
    }

    /// The renegotiated_connection of renegotiation_info.
    pub fn renegotiation_info(&self) -> Result<Option<&[u8]>, ParseError> {
        self.vec8(ExtensionType::RENEGOTIATION_INFO)
    }

    /// Whether extended_master_secret is there; it must be empty.
    pub fn extended_master_secret(&self) -> Result<bool, ParseError> {
        match self.find(ExtensionType::EXTENDED_MASTER_SECRET) {
            None => Ok(false),
            Some([]) => Ok(true),
            Some(_) => Err(ParseError::TrailingBytes),
        }
    }

    /// Reads all of an extension's data, if it is there.
    pub(super) fn read_whole<'s, T>(
        &'s self,
        extension_type: ExtensionType,
        parse: impl FnOnce(&mut Reader<'s>) -> Result<T, ParseError>,
    ) -> Result<Option<T>, ParseError> {
        let Some(data) = self.find(extension_type) else { return Ok(None) };
        let mut r = Reader::new(data);
        let value = parse(&mut r)?;
        r.finish()?;
        Ok(Some(value))
    }

    fn vec8(&self, extension_type: ExtensionType) -> Result<Option<&[u8]>, ParseError> {
        let Some(data) = self.find(extension_type) else { return Ok(None) };
        let mut r = Reader::new(data);
        let vector = r.vec8()?;
        r.finish()?;
        Ok(Some(vector))
    }

    fn code_points<T>(&self, of: ExtensionType, make: impl Fn(u16) -> T) -> Result<Option<Vec<T>>, ParseError> {
        let Some(data) = self.find(of) else { return Ok(None) };
        let mut r = Reader::new(data);
        let list = r.vec16()?;
        r.finish()?;
        if list.is_empty() {
            return Err(ParseError::BadLength);
        }
        list16(list, make).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Extensions<'static> {
        Extensions(vec![
            Extension::server_name("device.example"),
            Extension::supported_groups(&[NamedGroup::X25519, NamedGroup(0x1234)]),
            Extension::ec_point_formats(),
            Extension::signature_algorithms(&[SignatureSchemeCode::ED25519]),
            Extension::extended_master_secret(),
            Extension::renegotiation_info(),
            Extension { extension_type: ExtensionType(0xabcd), data: Cow::Borrowed(b"grease") },
        ])
    }

    #[test]
    fn made_extensions_are_read_back() {
        let mut w = Writer::new();
        all().emit(&mut w);
        let bytes = w.into_bytes();
        let read = Extensions::parse(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(read, all());
        assert_eq!(read.server_name(), Ok(Some(&b"device.example"[..])));
        assert_eq!(read.supported_groups(), Ok(Some(vec![NamedGroup::X25519, NamedGroup(0x1234)])));
        assert_eq!(read.ec_point_formats(), Ok(Some(&[POINT_FORMAT_UNCOMPRESSED][..])));
        assert_eq!(read.signature_algorithms(), Ok(Some(vec![SignatureSchemeCode::ED25519])));
        assert_eq!(read.extended_master_secret(), Ok(true));
        assert_eq!(read.renegotiation_info(), Ok(Some(&[][..])));
        assert!(!read.has_duplicates());
    }

    #[test]
    fn cut_data_is_an_error_in_every_typed_reader() {
        for extension in all().0 {
            for cut in 0..extension.data.len() {
                let data = Cow::Borrowed(&extension.data[..cut]);
                let short = Extensions(vec![Extension { extension_type: extension.extension_type, data }]);
                let refused = match extension.extension_type {
                    ExtensionType::SERVER_NAME => short.server_name().is_err(),
                    ExtensionType::SUPPORTED_GROUPS => short.supported_groups().is_err(),
                    ExtensionType::EC_POINT_FORMATS => short.ec_point_formats().is_err(),
                    ExtensionType::SIGNATURE_ALGORITHMS => short.signature_algorithms().is_err(),
                    ExtensionType::RENEGOTIATION_INFO => short.renegotiation_info().is_err(),
                    _ => true,
                };
                assert!(refused, "{} cut at {cut}", extension.extension_type);
            }
        }
    }

    #[test]
    fn a_repeated_extension_is_noticed() {
        let twice = Extensions(vec![Extension::ec_point_formats(), Extension::ec_point_formats()]);
        assert!(twice.has_duplicates());
    }
}

//! Extensions about certificates: of which kind they are (RFC 7250), and who should have issued them (RFC 8446 §4.2.4).
//!
//! The certificate types are a list in a ClientHello, and one of the list in the answer.

use super::code_points::{CertificateType, ExtensionType};
use super::codec::{ParseError, Reader};
use super::extension::{Extension, Extensions};

/// Whose certificates a type is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateOf {
    /// client_certificate_type.
    Client,
    /// server_certificate_type.
    Server,
}

impl CertificateOf {
    /// The extension about them.
    pub const fn extension(self) -> ExtensionType {
        match self {
            Self::Client => ExtensionType::CLIENT_CERTIFICATE_TYPE,
            Self::Server => ExtensionType::SERVER_CERTIFICATE_TYPE,
        }
    }
}

impl Extension<'static> {
    /// What a client can show, or can read.
    pub fn certificate_types(of: CertificateOf, types: &[CertificateType]) -> Self {
        Self::made(of.extension(), |w| w.vec8(|w| types.iter().for_each(|kind| w.u8(kind.0))))
    }

    /// What the server chose.
    pub fn certificate_type(of: CertificateOf, chosen: CertificateType) -> Self {
        Self::made(of.extension(), |w| w.u8(chosen.0))
    }
}

impl Extensions<'_> {
    /// What a client can show, or can read.
    pub fn certificate_types(&self, of: CertificateOf) -> Result<Option<Vec<CertificateType>>, ParseError> {
        self.read_whole(of.extension(), |r| {
            let types: Vec<_> = r.vec8()?.iter().map(|kind| CertificateType(*kind)).collect();
            if types.is_empty() { Err(ParseError::BadLength) } else { Ok(types) }
        })
    }

    /// What the server chose.
    pub fn certificate_type(&self, of: CertificateOf) -> Result<Option<CertificateType>, ParseError> {
        self.read_whole(of.extension(), |r| r.u8().map(CertificateType))
    }

    /// The DER names of certificate_authorities.
    pub fn certificate_authorities(&self) -> Result<Option<Vec<&[u8]>>, ParseError> {
        self.read_whole(ExtensionType::CERTIFICATE_AUTHORITIES, |r| {
            let mut list = Reader::new(r.vec16()?);
            let mut names = Vec::new();
            while !list.is_empty() {
                names.push(list.vec16()?);
            }
            if names.is_empty() { Err(ParseError::BadLength) } else { Ok(names) }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    const TYPES: [CertificateType; 2] = [CertificateType::RAW_PUBLIC_KEY, CertificateType::X509];

    #[test]
    fn certificate_types_are_read_back_and_refused_when_cut_or_longer() {
        for of in [CertificateOf::Client, CertificateOf::Server] {
            let list = Extensions(vec![Extension::certificate_types(of, &TYPES)]);
            assert_eq!(list.certificate_types(of), Ok(Some(TYPES.to_vec())));
            let chosen = Extensions(vec![Extension::certificate_type(of, TYPES[0])]);
            assert_eq!(chosen.certificate_type(of), Ok(Some(TYPES[0])));
            assert_eq!(Extensions::default().certificate_types(of), Ok(None));
            for data in [&[][..], &[0], &[1], &[2, 2], &[1, 2, 0]] {
                let extension_type = of.extension();
                let bad = Extensions(vec![Extension { extension_type, data: Cow::Borrowed(data) }]);
                assert!(bad.certificate_types(of).is_err(), "{data:?}");
                assert_eq!(bad.certificate_type(of).is_ok(), data.len() == 1, "{data:?}");
            }
        }
    }

    #[test]
    fn authorities_are_read_and_refused_when_cut_or_longer() {
        let data = [0, 8, 0, 2, 0x30, 0, 0, 2, 0x31, 0];
        let with = |data| {
            let extension_type = ExtensionType::CERTIFICATE_AUTHORITIES;
            Extensions(vec![Extension { extension_type, data: Cow::Borrowed(data) }])
        };
        assert_eq!(with(&data).certificate_authorities(), Ok(Some(vec![&[0x30, 0][..], &[0x31, 0]])));
        for cut in 0..data.len() {
            assert!(with(&data[..cut]).certificate_authorities().is_err(), "cut at {cut}");
        }
        assert!(with(&[0, 0]).certificate_authorities().is_err(), "no name");
    }
}

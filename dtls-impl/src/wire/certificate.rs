//! Certificate and CertificateRequest. Certificates are bytes here; `pki` reads them.

use super::code_points::SignatureSchemeCode;
use super::codec::{ParseError, Reader, Writer, list16};

/// Certificate (RFC 5246 §7.4.2): the sender's chain, own certificate first; empty if a client has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// DER certificates.
    pub chain: Vec<&'a [u8]>,
}

impl<'a> Certificate<'a> {
    /// Reads a whole body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let mut list = Reader::new(r.vec24()?);
        r.finish()?;
        let mut chain = Vec::new();
        while !list.is_empty() {
            let certificate = list.vec24()?;
            if certificate.is_empty() {
                return Err(ParseError::BadLength);
            }
            chain.push(certificate);
        }
        Ok(Self { chain })
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        w.vec24(|w| {
            for certificate in &self.chain {
                w.vec24(|w| w.bytes(certificate));
            }
        });
    }
}

/// Certificate of DTLS 1.2 that holds a public key and nothing else (RFC 7250 §3); empty if a client has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawKeyCertificate<'a> {
    /// DER SubjectPublicKeyInfo.
    pub key: &'a [u8],
}

impl<'a> RawKeyCertificate<'a> {
    /// Reads a whole body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let key = r.vec24()?;
        r.finish()?;
        Ok(Self { key })
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        w.vec24(|w| w.bytes(self.key));
    }
}

/// CertificateRequest (RFC 5246 §7.4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest<'a> {
    /// Kinds of certificates the server takes.
    pub certificate_types: &'a [u8],
    /// Signatures the server verifies.
    pub signature_algorithms: Vec<SignatureSchemeCode>,
    /// DER names of the authorities the server trusts.
    pub authorities: Vec<&'a [u8]>,
}

impl<'a> CertificateRequest<'a> {
    /// Reads a whole body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let certificate_types = r.vec8()?;
        let signature_algorithms = list16(r.vec16()?, SignatureSchemeCode)?;
        let mut names = Reader::new(r.vec16()?);
        r.finish()?;
        if certificate_types.is_empty() || signature_algorithms.is_empty() {
            return Err(ParseError::BadLength);
        }
        let mut authorities = Vec::new();
        while !names.is_empty() {
            authorities.push(names.vec16()?);
        }
        Ok(Self { certificate_types, signature_algorithms, authorities })
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        w.vec8(|w| w.bytes(self.certificate_types));
        w.vec16(|w| self.signature_algorithms.iter().for_each(|scheme| w.u16(scheme.0)));
        w.vec16(|w| {
            for name in &self.authorities {
                w.vec16(|w| w.bytes(name));
            }
        });
    }
}

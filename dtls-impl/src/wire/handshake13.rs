//! Messages whose form in DTLS 1.3 differs from 1.2, and those that 1.2 does not have (RFC 8446 §4.3, §4.4, §4.6). The
//! hellos keep their form.

use super::code_points::SignatureSchemeCode;
use super::codec::{ParseError, Reader, Writer};
use super::extension::Extensions;

/// EncryptedExtensions (RFC 8446 §4.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptedExtensions<'a> {
    /// The answers that need not be in the ServerHello.
    pub extensions: Extensions<'a>,
}

impl<'a> EncryptedExtensions<'a> {
    /// Reads a whole body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let message = Self { extensions: Extensions::parse_block(&mut r)? };
        r.finish()?;
        Ok(message)
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        self.extensions.emit_block(w);
    }
}

/// CertificateRequest (RFC 8446 §4.3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest13<'a> {
    /// Comes back in the Certificate; empty during the handshake.
    pub context: &'a [u8],
    /// Which certificates and signatures will do.
    pub extensions: Extensions<'a>,
}

impl<'a> CertificateRequest13<'a> {
    /// Reads a whole body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let message = Self { context: r.vec8()?, extensions: Extensions::parse_block(&mut r)? };
        r.finish()?;
        Ok(message)
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        w.vec8(|w| w.bytes(self.context));
        self.extensions.emit_block(w);
    }
}

/// One certificate of a chain with what is said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateEntry<'a> {
    /// DER.
    pub certificate: &'a [u8],
    /// OCSP status and the like.
    pub extensions: Extensions<'a>,
}

/// Certificate (RFC 8446 §4.4.2): the sender's chain, own certificate first; empty if a client has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate13<'a> {
    /// The context of the request; empty for servers.
    pub context: &'a [u8],
    /// The chain.
    pub entries: Vec<CertificateEntry<'a>>,
}

impl<'a> Certificate13<'a> {
    /// Reads a whole body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let context = r.vec8()?;
        let mut list = Reader::new(r.vec24()?);
        r.finish()?;
        let mut entries = Vec::new();
        while !list.is_empty() {
            let certificate = list.vec24()?;
            if certificate.is_empty() {
                return Err(ParseError::BadLength);
            }
            entries.push(CertificateEntry { certificate, extensions: Extensions::parse_block(&mut list)? });
        }
        Ok(Self { context, entries })
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        w.vec8(|w| w.bytes(self.context));
        w.vec24(|w| {
            for entry in &self.entries {
                w.vec24(|w| w.bytes(entry.certificate));
                entry.extensions.emit_block(w);
            }
        });
    }
}

/// CertificateVerify (RFC 8446 §4.4.3), which DTLS 1.2 has in the same form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateVerify<'a> {
    /// How it is signed.
    pub scheme: SignatureSchemeCode,
    /// Signature over the transcript.
    pub signature: &'a [u8],
}

impl<'a> CertificateVerify<'a> {
    /// Reads a whole body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let message = Self { scheme: SignatureSchemeCode(r.u16()?), signature: r.vec16()? };
        r.finish()?;
        Ok(message)
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        w.u16(self.scheme.0);
        w.vec16(|w| w.bytes(self.signature));
    }
}

/// Finished (RFC 8446 §4.4.4): as long as the suite's hash, which the reader knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished13<'a> {
    /// Proves knowledge of the handshake secret and of the same transcript.
    pub verify_data: &'a [u8],
}

impl<'a> Finished13<'a> {
    /// Reads a whole body, which must be `hash_len` bytes.
    pub fn parse(body: &'a [u8], hash_len: usize) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let message = Self { verify_data: r.take(hash_len)? };
        r.finish()?;
        Ok(message)
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        w.bytes(self.verify_data);
    }
}

/// NewSessionTicket (RFC 8446 §4.6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSessionTicket<'a> {
    /// Seconds for which the ticket is good, at most a week.
    pub lifetime: u32,
    /// Hides the age at which a ticket is used.
    pub age_add: u32,
    /// Makes each ticket's key another.
    pub nonce: &'a [u8],
    /// The identity to offer.
    pub ticket: &'a [u8],
    /// Whether early data is welcome.
    pub extensions: Extensions<'a>,
}

impl<'a> NewSessionTicket<'a> {
    /// Reads a whole body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let message = Self {
            lifetime: r.array().map(u32::from_be_bytes)?,
            age_add: r.array().map(u32::from_be_bytes)?,
            nonce: r.vec8()?,
            ticket: r.vec16()?,
            extensions: Extensions::parse_block(&mut r)?,
        };
        r.finish()?;
        if message.ticket.is_empty() { Err(ParseError::BadLength) } else { Ok(message) }
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        w.bytes(&self.lifetime.to_be_bytes());
        w.bytes(&self.age_add.to_be_bytes());
        w.vec8(|w| w.bytes(self.nonce));
        w.vec16(|w| w.bytes(self.ticket));
        self.extensions.emit_block(w);
    }
}

/// KeyUpdate (RFC 8446 §4.6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUpdate {
    /// Whether the receiver is to update its own keys too.
    pub update_requested: bool,
}

impl KeyUpdate {
    /// Reads a whole body.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let update_requested = match r.u8()? {
            0 => false,
            1 => true,
            _ => return Err(ParseError::BadValue),
        };
        r.finish()?;
        Ok(Self { update_requested })
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        w.u8(u8::from(self.update_requested));
    }
}

//! ServerKeyExchange, ClientKeyExchange and Finished. The shape of the first two depends on the cipher suite, which the
//! caller knows and says by choosing the type to parse.

use super::code_points::{NamedGroup, SignatureSchemeCode};
use super::codec::{ParseError, Reader, Writer};

/// `named_curve`, the only curve type in use (RFC 8422 §5.4).
const CURVE_TYPE_NAMED: u8 = 3;

/// Length of verify_data (RFC 5246 §7.4.9).
pub const VERIFY_DATA_LEN: usize = 12;

/// ServerECDHParams: the server's share (RFC 8422 §5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EcdhParams<'a> {
    /// Group of the share.
    pub group: NamedGroup,
    /// The share.
    pub public_key: &'a [u8],
}

impl<'a> EcdhParams<'a> {
    fn parse(r: &mut Reader<'a>) -> Result<Self, ParseError> {
        if r.u8()? != CURVE_TYPE_NAMED {
            return Err(ParseError::BadValue);
        }
        Ok(Self { group: NamedGroup(r.u16()?), public_key: r.vec8()? })
    }

    /// Writes the parameters as the message and its signature hold them.
    pub fn emit(&self, w: &mut Writer) {
        w.u8(CURVE_TYPE_NAMED);
        w.u16(self.group.0);
        w.vec8(|w| w.bytes(self.public_key));
    }
}

/// ServerKeyExchange of ECDHE_ECDSA and ECDHE_RSA suites (RFC 8422 §5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerKeyExchangeSigned<'a> {
    /// The server's share.
    pub params: EcdhParams<'a>,
    /// How it is signed.
    pub scheme: SignatureSchemeCode,
    /// Signature over both randoms and the parameters.
    pub signature: &'a [u8],
}

impl<'a> ServerKeyExchangeSigned<'a> {
    /// Reads a whole body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let params = EcdhParams::parse(&mut r)?;
        let message = Self { params, scheme: SignatureSchemeCode(r.u16()?), signature: r.vec16()? };
        r.finish()?;
        Ok(message)
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        self.params.emit(w);
        w.u16(self.scheme.0);
        w.vec16(|w| w.bytes(self.signature));
    }
}

/// ServerKeyExchange of PSK suites: a hint (RFC 4279 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerKeyExchangePsk<'a> {
    /// Helps the client to choose an identity; may be empty.
    pub identity_hint: &'a [u8],
}

impl<'a> ServerKeyExchangePsk<'a> {
    /// Reads a whole body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let message = Self { identity_hint: r.vec16()? };
        r.finish()?;
        Ok(message)
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        w.vec16(|w| w.bytes(self.identity_hint));
    }
}

/// ServerKeyExchange of ECDHE_PSK suites (RFC 5489 §2): a hint and an unsigned share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerKeyExchangeEcdhePsk<'a> {
    /// Helps the client to choose an identity; may be empty.
    pub identity_hint: &'a [u8],
    /// The server's share.
    pub params: EcdhParams<'a>,
}

impl<'a> ServerKeyExchangeEcdhePsk<'a> {
    /// Reads a whole body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let message = Self { identity_hint: r.vec16()?, params: EcdhParams::parse(&mut r)? };
        r.finish()?;
        Ok(message)
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        w.vec16(|w| w.bytes(self.identity_hint));
        self.params.emit(w);
    }
}

/// ClientKeyExchange: an identity in PSK suites (RFC 4279 §2), a share in ECDHE suites (RFC 8422 §5.7), both in
/// ECDHE_PSK suites (RFC 5489 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientKeyExchange<'a> {
    /// Which key the client holds.
    pub psk_identity: Option<&'a [u8]>,
    /// The client's share.
    pub public_key: Option<&'a [u8]>,
}

impl<'a> ClientKeyExchange<'a> {
    /// Reads a whole body with the parts the cipher suite asks for.
    pub fn parse(body: &'a [u8], psk: bool, ecdhe: bool) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let psk_identity = if psk { Some(r.vec16()?) } else { None };
        let public_key = if ecdhe { Some(r.vec8()?) } else { None };
        r.finish()?;
        Ok(Self { psk_identity, public_key })
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        if let Some(identity) = self.psk_identity {
            w.vec16(|w| w.bytes(identity));
        }
        if let Some(public_key) = self.public_key {
            w.vec8(|w| w.bytes(public_key));
        }
    }
}

/// Finished (RFC 5246 §7.4.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Proves knowledge of the master secret and of the same transcript.
    pub verify_data: [u8; VERIFY_DATA_LEN],
}

impl Finished {
    /// Reads a whole body.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let message = Self { verify_data: r.array()? };
        r.finish()?;
        Ok(message)
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        w.bytes(&self.verify_data);
    }
}

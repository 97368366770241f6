//! ClientHello, HelloVerifyRequest, ServerHello and the empty HelloRequest and ServerHelloDone.

use super::code_points::{CipherSuite, ProtocolVersion};
use super::codec::{ParseError, Reader, Writer, list16};
use super::extension::Extensions;

/// Length of client and server randoms.
pub const RANDOM_LEN: usize = 32;

/// Largest session id (RFC 5246 §7.4.1.2).
pub const SESSION_ID_LEN_MAX: usize = 32;

/// ServerHello.random of a HelloRetryRequest: the SHA-256 of "HelloRetryRequest" (RFC 8446 §4.1.3).
pub const HELLO_RETRY_RANDOM: [u8; RANDOM_LEN] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// How the random of a server ends that could have negotiated 1.3 and did 1.2 (RFC 8446 §4.1.3, RFC 9147 §5.3).
pub const DOWNGRADE_TO_1_2: [u8; 8] = *b"DOWNGRD\x01";

/// How the random of a server ends that could have negotiated 1.2 and did 1.0 (RFC 8446 §4.1.3, RFC 9147 §5.3).
pub const DOWNGRADE_TO_1_0: [u8; 8] = *b"DOWNGRD\x00";

/// The `null` compression method.
pub const COMPRESSION_NULL: u8 = 0;

/// ClientHello without its extensions: all that a cookie covers (RFC 6347 §4.2.1), and what a first fragment holds of a
/// hello whose extensions do not fit one datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHelloStart<'a> {
    /// Highest version the client speaks.
    pub version: ProtocolVersion,
    /// The client's random.
    pub random: [u8; RANDOM_LEN],
    /// Session to resume, or empty.
    pub session_id: &'a [u8],
    /// Cookie of a HelloVerifyRequest, or empty.
    pub cookie: &'a [u8],
    /// Cipher suites in order of preference.
    pub cipher_suites: Vec<CipherSuite>,
    /// Compression methods.
    pub compression_methods: &'a [u8],
}

impl<'a> ClientHelloStart<'a> {
    /// Reads the fixed part and leaves the reader at the extensions.
    pub fn parse(r: &mut Reader<'a>) -> Result<Self, ParseError> {
        let version = ProtocolVersion(r.u16()?);
        let random = r.array()?;
        let session_id = session_id(r)?;
        let cookie = r.vec8()?;
        let cipher_suites = list16(r.vec16()?, CipherSuite)?;
        let compression_methods = r.vec8()?;
        if cipher_suites.is_empty() || compression_methods.is_empty() {
            return Err(ParseError::BadLength);
        }
        Ok(Self { version, random, session_id, cookie, cipher_suites, compression_methods })
    }

    /// Writes this part of the body; the extensions follow.
    pub(crate) fn emit(&self, w: &mut Writer) {
        w.u16(self.version.0);
        w.bytes(&self.random);
        w.vec8(|w| w.bytes(self.session_id));
        w.vec8(|w| w.bytes(self.cookie));
        w.vec16(|w| self.cipher_suites.iter().for_each(|suite| w.u16(suite.0)));
        w.vec8(|w| w.bytes(self.compression_methods));
    }
}

/// ClientHello (RFC 6347 §4.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello<'a> {
    /// Everything but the extensions.
    pub start: ClientHelloStart<'a>,
    /// The extensions.
    pub extensions: Extensions<'a>,
}

impl<'a> ClientHello<'a> {
    /// Reads a whole body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let start = ClientHelloStart::parse(&mut r)?;
        let extensions = Extensions::parse(&mut r)?;
        r.finish()?;
        Ok(Self { start, extensions })
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        self.start.emit(w);
        self.extensions.emit(w);
    }
}

/// HelloVerifyRequest (RFC 6347 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloVerifyRequest<'a> {
    /// Says nothing about the version that will be negotiated.
    pub server_version: ProtocolVersion,
    /// To be repeated in the next ClientHello.
    pub cookie: &'a [u8],
}

impl<'a> HelloVerifyRequest<'a> {
    /// Reads a whole body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let message = Self { server_version: ProtocolVersion(r.u16()?), cookie: r.vec8()? };
        r.finish()?;
        Ok(message)
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        w.u16(self.server_version.0);
        w.vec8(|w| w.bytes(self.cookie));
    }
}

/// ServerHello (RFC 5246 §7.4.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello<'a> {
    /// The version of the association.
    pub version: ProtocolVersion,
    /// The server's random.
    pub random: [u8; RANDOM_LEN],
    /// Session for a later resumption, or empty.
    pub session_id: &'a [u8],
    /// The chosen suite.
    pub cipher_suite: CipherSuite,
    /// The chosen compression method.
    pub compression_method: u8,
    /// The extensions.
    pub extensions: Extensions<'a>,
}

impl<'a> ServerHello<'a> {
    /// Reads a whole body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let message = Self {
            version: ProtocolVersion(r.u16()?),
            random: r.array()?,
            session_id: session_id(&mut r)?,
            cipher_suite: CipherSuite(r.u16()?),
            compression_method: r.u8()?,
            extensions: Extensions::parse(&mut r)?,
        };
        r.finish()?;
        Ok(message)
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        w.u16(self.version.0);
        w.bytes(&self.random);
        w.vec8(|w| w.bytes(self.session_id));
        w.u16(self.cipher_suite.0);
        w.u8(self.compression_method);
        self.extensions.emit(w);
    }
}

impl ServerHello<'_> {
    /// Whether this is a HelloRetryRequest, which has a ServerHello's form (RFC 8446 §4.1.4).
    pub fn is_retry_request(&self) -> bool {
        self.random == HELLO_RETRY_RANDOM
    }
}

/// HelloRequest or ServerHelloDone: nothing to say but its type (RFC 5246 §7.4.1.1, §7.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Empty;

impl Empty {
    /// Reads a whole body, which must be empty.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        Reader::new(body).finish().map(|()| Self)
    }
}

fn session_id<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], ParseError> {
    let session_id = r.vec8()?;
    if session_id.len() > SESSION_ID_LEN_MAX {
        return Err(ParseError::BadLength);
    }
    Ok(session_id)
}

//! Connection IDs and the checks of return routability: extensions, messages after the handshake, and the content type
//! that probes a path (RFC 9146 §3, RFC 9147 §9, RFC 9853).

use super::code_points::ExtensionType;
use super::codec::{ParseError, Reader, Writer};
use super::extension::{Extension, Extensions};

impl Extension<'static> {
    /// connection_id: the connection ID that the sender wants to receive, at most 255 bytes. An empty one stands for
    /// none (RFC 9146 §3).
    pub fn connection_id(own: &[u8]) -> Self {
        Self::made(ExtensionType::CONNECTION_ID, |w| w.vec8(|w| w.bytes(own)))
    }

    /// rrc, which is empty (RFC 9853 §3).
    pub fn rrc() -> Self {
        Self::fixed(ExtensionType::RRC, &[])
    }
}

impl Extensions<'_> {
    /// The connection ID that the sender wants to receive.
    pub fn connection_id(&self) -> Result<Option<&[u8]>, ParseError> {
        let Some(data) = self.find(ExtensionType::CONNECTION_ID) else { return Ok(None) };
        let mut r = Reader::new(data);
        let connection_id = r.vec8()?;
        r.finish()?;
        Ok(Some(connection_id))
    }

    /// Whether rrc is there; it must be empty.
    pub fn rrc(&self) -> Result<bool, ParseError> {
        match self.find(ExtensionType::RRC) {
            None => Ok(false),
            Some([]) => Ok(true),
            Some(_) => Err(ParseError::TrailingBytes),
        }
    }
}

/// When new connection IDs are to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionIdUsage {
    /// One of them for all records from now on.
    Immediate,
    /// When the peer likes.
    Spare,
}

/// NewConnectionId (RFC 9147 §9): connection IDs that the sender wants to receive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConnectionId<'a> {
    /// In the order in which they should be used.
    pub cids: Vec<&'a [u8]>,
    /// When.
    pub usage: ConnectionIdUsage,
}

impl<'a> NewConnectionId<'a> {
    /// Reads a whole body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let mut list = Reader::new(r.vec16()?);
        let usage = match r.u8()? {
            0 => ConnectionIdUsage::Immediate,
            1 => ConnectionIdUsage::Spare,
            _ => return Err(ParseError::BadValue),
        };
        r.finish()?;
        let mut cids = Vec::new();
        while !list.is_empty() {
            cids.push(list.vec8()?);
        }
        Ok(Self { cids, usage })
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        w.vec16(|w| self.cids.iter().for_each(|cid| w.vec8(|w| w.bytes(cid))));
        w.u8(match self.usage {
            ConnectionIdUsage::Immediate => 0,
            ConnectionIdUsage::Spare => 1,
        });
    }
}

/// RequestConnectionId (RFC 9147 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestConnectionId {
    /// How many connection IDs are wanted.
    pub num_cids: u8,
}

impl RequestConnectionId {
    /// Reads a whole body.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let message = Self { num_cids: r.u8()? };
        r.finish()?;
        Ok(message)
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        w.u8(self.num_cids);
    }
}

/// Length of a cookie in a return routability check (RFC 9853 §4).
pub const PATH_COOKIE_LEN: usize = 8;

/// What a message of a return routability check says (RFC 9853 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathMessageKind {
    /// Answer on the path on which this came.
    Challenge,
    /// The challenge has come.
    Response,
    /// The challenge has come over a path that is not the one to use.
    Drop,
}

/// A message of a return routability check, which fills its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMessage {
    /// What it says.
    pub kind: PathMessageKind,
    /// The challenge's cookie.
    pub cookie: [u8; PATH_COOKIE_LEN],
}

impl PathMessage {
    /// Length of a message.
    pub const LEN: usize = 1 + PATH_COOKIE_LEN;

    /// Reads a message; none if it is of a type that is to be ignored.
    pub fn parse(content: &[u8]) -> Result<Option<Self>, ParseError> {
        let mut r = Reader::new(content);
        let kind = match r.u8()? {
            0 => PathMessageKind::Challenge,
            1 => PathMessageKind::Response,
            2 => PathMessageKind::Drop,
            _ => return Ok(None),
        };
        let message = Self { kind, cookie: r.array()? };
        r.finish()?;
        Ok(Some(message))
    }

    /// The message as bytes.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[0] = match self.kind {
            PathMessageKind::Challenge => 0,
            PathMessageKind::Response => 1,
            PathMessageKind::Drop => 2,
        };
        bytes[1..].copy_from_slice(&self.cookie);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::wire::body_of;

    #[test]
    fn connection_ids_of_every_length_survive_in_their_extension() {
        for len in 0..=255 {
            let own = vec![7; len];
            let extensions = Extensions(vec![Extension::connection_id(&own), Extension::rrc()]);
            assert_eq!(extensions.connection_id(), Ok(Some(&own[..])));
            assert_eq!(extensions.rrc(), Ok(true));
        }
        assert_eq!(Extensions::default().connection_id(), Ok(None));
        assert_eq!(Extensions::default().rrc(), Ok(false));
    }

    #[test]
    fn extensions_that_are_cut_or_longer_are_refused() {
        let with = |extension_type, data: &'static [u8]| {
            Extensions(vec![Extension { extension_type, data: Cow::Borrowed(data) }])
        };
        for data in [&b""[..], b"\x02a", b"\x00a"] {
            assert!(with(ExtensionType::CONNECTION_ID, data).connection_id().is_err());
        }
        assert!(with(ExtensionType::RRC, b"\0").rrc().is_err());
    }

    #[test]
    fn new_connection_ids_are_written_as_the_rfc_draws_them() {
        let message = NewConnectionId { cids: vec![b"ab", b"c"], usage: ConnectionIdUsage::Spare };
        let body = body_of(|w| message.emit(w));
        assert_eq!(body, [0, 5, 2, b'a', b'b', 1, b'c', 1]);
        assert_eq!(NewConnectionId::parse(&body), Ok(message));
        assert_eq!(NewConnectionId::parse(&[0, 0, 2]), Err(ParseError::BadValue));
        let none = NewConnectionId { cids: vec![], usage: ConnectionIdUsage::Immediate };
        assert_eq!(NewConnectionId::parse(&[0, 0, 0]), Ok(none));
    }

    #[test]
    fn messages_that_are_cut_or_longer_are_refused() {
        let body = [0, 5, 2, b'a', b'b', 1, b'c', 1, 0];
        for len in (0..body.len() - 1).chain([body.len()]) {
            assert!(NewConnectionId::parse(&body[..len]).is_err(), "{len}");
        }
        assert!(NewConnectionId::parse(&[0, 2, 2, b'a', 1]).is_err(), "a connection ID longer than the list");
        assert_eq!(RequestConnectionId::parse(&[9]), Ok(RequestConnectionId { num_cids: 9 }));
        assert!(RequestConnectionId::parse(&[]).is_err() && RequestConnectionId::parse(&[1, 2]).is_err());
    }

    #[test]
    fn path_messages_survive_and_unknown_types_are_nothing() {
        let cookie = *b"8 bytes!";
        for kind in [PathMessageKind::Challenge, PathMessageKind::Response, PathMessageKind::Drop] {
            let message = PathMessage { kind, cookie };
            let bytes = message.to_bytes();
            assert_eq!(PathMessage::parse(&bytes), Ok(Some(message)));
            assert!((0..bytes.len()).all(|len| PathMessage::parse(&bytes[..len]).is_err()));
            assert!(PathMessage::parse(&[&bytes[..], &[0]].concat()).is_err());
        }
        assert_eq!(PathMessage::parse(&[200]), Ok(None));
        assert_eq!(PathMessage::parse(&[3, 1, 2, 3]), Ok(None));
    }
}

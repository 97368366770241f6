//! What a server has to know of a DTLS 1.2 session to resume it, in its memory or in a ticket.

use crate::crypto::Secret;
use crate::negotiated::PeerIdentity;
use crate::wire::{CipherSuite, ParseError, Reader, Writer, body_of};

/// First byte of the content of a ticket for DTLS 1.2.
const VERSION_12: u8 = 0x12;

/// A session that can be resumed. Its master secret is an extended one: others are not kept (RFC 7627 §5.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored12 {
    pub(crate) suite: CipherSuite,
    /// When the session began with a full handshake, in milliseconds since 1970.
    pub(crate) began: u64,
    /// Milliseconds since 1970.
    pub(crate) issued: u64,
    /// Seconds.
    pub(crate) lifetime: u32,
    pub(crate) master: Secret,
    /// The name that the client asked for (RFC 6066 §3).
    pub(crate) server_name: Option<Vec<u8>>,
    /// Who the client was when the session began.
    pub(crate) client: PeerIdentity,
}

impl Stored12 {
    /// The content of a ticket.
    pub(crate) fn to_content(&self) -> Secret {
        Secret::new(body_of(|w: &mut Writer| {
            w.u8(VERSION_12);
            w.u16(self.suite.0);
            w.bytes(&self.began.to_be_bytes());
            w.bytes(&self.issued.to_be_bytes());
            w.bytes(&self.lifetime.to_be_bytes());
            w.vec8(|w| w.bytes(self.master.expose()));
            w.u8(u8::from(self.server_name.is_some()));
            w.vec16(|w| w.bytes(self.server_name.as_deref().unwrap_or_default()));
            self.client.emit(w);
        }))
    }

    pub(crate) fn from_content(content: &Secret) -> Option<Self> {
        let read = |r: &mut Reader<'_>| -> Result<Self, ParseError> {
            if r.u8()? != VERSION_12 {
                return Err(ParseError::BadValue);
            }
            Ok(Self {
                suite: CipherSuite(r.u16()?),
                began: u64::from_be_bytes(r.array()?),
                issued: u64::from_be_bytes(r.array()?),
                lifetime: u32::from_be_bytes(r.array()?),
                master: Secret::new(r.vec8()?.to_vec()),
                server_name: match (r.u8()?, r.vec16()?) {
                    (0, _) => None,
                    (_, name) => Some(name.to_vec()),
                },
                client: PeerIdentity::parse(r)?,
            })
        };
        let mut r = Reader::new(content.expose());
        let session = read(&mut r).ok()?;
        r.is_empty().then_some(session)
    }

    /// Whether it is still good at `now`, in milliseconds since 1970. One from the future is not: clocks of servers that
    /// share keys agree.
    pub(crate) fn is_fresh(&self, now: u64) -> bool {
        now.checked_sub(self.issued).is_some_and(|age| age < u64::from(self.lifetime) * 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_back_from_its_ticket_and_from_nothing_shorter() {
        for server_name in [None, Some(Vec::new()), Some(b"server.example".to_vec())] {
            let session = Stored12 {
                suite: CipherSuite::TLS_PSK_WITH_AES_128_CCM_8,
                began: 500,
                issued: 1000,
                lifetime: 60,
                master: Secret::new(vec![5; 48]),
                server_name,
                client: PeerIdentity::Psk(b"device".to_vec()),
            };
            let content = session.to_content();
            for len in 0..content.expose().len() {
                assert_eq!(Stored12::from_content(&Secret::new(content.expose()[..len].to_vec())), None);
            }
            let of_13 = Secret::new([&[0x13], &content.expose()[1..]].concat());
            assert_eq!(Stored12::from_content(&of_13), None);
            assert_eq!(Stored12::from_content(&content), Some(session));
        }
    }
}

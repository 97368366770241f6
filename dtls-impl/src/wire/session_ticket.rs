//! Tickets of DTLS 1.2 (RFC 5077): the extension that offers or announces one, and the message that brings one. DTLS 1.3
//! has a message of the same name and type, but of another form.

use super::code_points::ExtensionType;
use super::codec::{ParseError, Reader, Writer};
use super::extension::{Extension, Extensions};

/// NewSessionTicket of DTLS 1.2 (RFC 5077 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewSessionTicket12<'a> {
    /// Seconds for which the client may keep it; 0 leaves that to the client.
    pub lifetime_hint: u32,
    /// To be sent back as it is. Empty if the server gives none after all.
    pub ticket: &'a [u8],
}

impl<'a> NewSessionTicket12<'a> {
    /// Reads a whole body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(body);
        let message = Self { lifetime_hint: u32::from_be_bytes(r.array()?), ticket: r.vec16()? };
        r.finish()?;
        Ok(message)
    }

    /// Writes the body.
    pub fn emit(&self, w: &mut Writer) {
        w.bytes(&self.lifetime_hint.to_be_bytes());
        w.vec16(|w| w.bytes(self.ticket));
    }
}

impl Extension<'static> {
    /// session_ticket (RFC 5077 §3.2): a client's ticket, or empty to ask for one or, from a server, to announce one.
    pub fn session_ticket(ticket: &[u8]) -> Self {
        Self::made(ExtensionType::SESSION_TICKET, |w| w.bytes(ticket))
    }
}

impl Extensions<'_> {
    /// The ticket of a client, which may be empty. The extension has no inner length.
    pub fn session_ticket(&self) -> Option<&[u8]> {
        self.find(ExtensionType::SESSION_TICKET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::body_of;

    #[test]
    fn a_ticket_is_read_back_and_refused_at_every_other_length() {
        for ticket in [&b""[..], b"opaque"] {
            let message = NewSessionTicket12 { lifetime_hint: 7200, ticket };
            let mut body = body_of(|w| message.emit(w));
            assert_eq!(NewSessionTicket12::parse(&body), Ok(message));
            for len in 0..body.len() {
                assert!(NewSessionTicket12::parse(&body[..len]).is_err());
            }
            body.push(0);
            assert_eq!(NewSessionTicket12::parse(&body), Err(ParseError::TrailingBytes));
        }
        let extensions = Extensions(vec![Extension::session_ticket(b"opaque")]);
        assert_eq!(extensions.session_ticket(), Some(&b"opaque"[..]));
    }
}

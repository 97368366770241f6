//! The two-byte alert and the one-byte ChangeCipherSpec.

use super::code_points::{AlertDescription, AlertLevel};
use super::codec::{ParseError, Reader, Writer};

/// An alert (RFC 5246 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Whether it ends the connection.
    pub level: AlertLevel,
    /// What it says.
    pub description: AlertDescription,
}

impl Alert {
    /// Reads an alert that fills its record.
    pub fn parse(plaintext: &[u8]) -> Result<Self, ParseError> {
        let mut r = Reader::new(plaintext);
        let alert = Self { level: AlertLevel(r.u8()?), description: AlertDescription(r.u8()?) };
        r.finish()?;
        Ok(alert)
    }

    /// The record's plaintext.
    pub const fn to_bytes(self) -> [u8; 2] {
        [self.level.0, self.description.0]
    }

    /// Writes the alert.
    pub fn emit(&self, w: &mut Writer) {
        w.bytes(&self.to_bytes());
    }
}

/// ChangeCipherSpec (RFC 5246 §7.1): a record of its own with the single byte 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeCipherSpec;

impl ChangeCipherSpec {
    /// The record's plaintext.
    pub const BYTES: [u8; 1] = [1];

    /// Reads a ChangeCipherSpec that fills its record.
    pub fn parse(plaintext: &[u8]) -> Result<Self, ParseError> {
        match plaintext {
            [1] => Ok(Self),
            [] => Err(ParseError::Truncated),
            [_] => Err(ParseError::BadValue),
            _ => Err(ParseError::TrailingBytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_exactly_two_bytes() {
        let alert = Alert { level: AlertLevel::FATAL, description: AlertDescription::DECODE_ERROR };
        assert_eq!(Alert::parse(&alert.to_bytes()), Ok(alert));
        assert_eq!(Alert::parse(&[2]), Err(ParseError::Truncated));
        assert_eq!(Alert::parse(&[2, 50, 0]), Err(ParseError::TrailingBytes));
    }

    #[test]
    fn a_change_cipher_spec_is_exactly_the_byte_one() {
        assert_eq!(ChangeCipherSpec::parse(&ChangeCipherSpec::BYTES), Ok(ChangeCipherSpec));
        assert!(ChangeCipherSpec::parse(&[]).is_err());
        assert!(ChangeCipherSpec::parse(&[2]).is_err());
        assert!(ChangeCipherSpec::parse(&[1, 1]).is_err());
    }
}

//! Typed readers and makers for the extensions that DTLS 1.3 added (RFC 8446 §4.2). Some have one form in a ClientHello
//! and another in a ServerHello or HelloRetryRequest: the method's name says which.

use super::code_points::{ExtensionType, NamedGroup, ProtocolVersion};
use super::codec::{ParseError, Reader, Writer, list16};
use super::extension::{Extension, Extensions};

/// `psk_ke`: the pre-shared key alone (RFC 8446 §4.2.9).
pub const PSK_MODE_ONLY: u8 = 0;

/// `psk_dhe_ke`: the pre-shared key and an ephemeral key exchange (RFC 8446 §4.2.9).
pub const PSK_MODE_DHE: u8 = 1;

/// One share of a key exchange (RFC 8446 §4.2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyShare<'a> {
    /// Group of the share.
    pub group: NamedGroup,
    /// The share.
    pub public_key: &'a [u8],
}

impl<'a> KeyShare<'a> {
    fn parse(r: &mut Reader<'a>) -> Result<Self, ParseError> {
        let share = Self { group: NamedGroup(r.u16()?), public_key: r.vec16()? };
        if share.public_key.is_empty() { Err(ParseError::BadLength) } else { Ok(share) }
    }

    fn emit(&self, w: &mut Writer) {
        w.u16(self.group.0);
        w.vec16(|w| w.bytes(self.public_key));
    }
}

/// One pre-shared key a client offers (RFC 8446 §4.2.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfferedPsk<'a> {
    /// Which key.
    pub identity: &'a [u8],
    /// A ticket's age in milliseconds, plus its `ticket_age_add`; zero for an external key.
    pub obfuscated_ticket_age: u32,
    /// Proves knowledge of the key.
    pub binder: &'a [u8],
}

/// Shortest binder, the output of SHA-256 (RFC 8446 §4.2.11).
const BINDER_LEN_MIN: usize = 32;

impl Extension<'static> {
    /// supported_versions of a client, in order of preference.
    pub fn supported_versions(versions: &[ProtocolVersion]) -> Self {
        Self::made(ExtensionType::SUPPORTED_VERSIONS, |w| {
            w.vec8(|w| versions.iter().for_each(|version| w.u16(version.0)));
        })
    }

    /// supported_versions of a server: the version it chose.
    pub fn selected_version(version: ProtocolVersion) -> Self {
        Self::made(ExtensionType::SUPPORTED_VERSIONS, |w| w.u16(version.0))
    }

    /// key_share of a ClientHello; empty to have the server choose by HelloRetryRequest.
    pub fn key_shares(shares: &[KeyShare<'_>]) -> Self {
        Self::made(ExtensionType::KEY_SHARE, |w| w.vec16(|w| shares.iter().for_each(|share| share.emit(w))))
    }

    /// key_share of a ServerHello.
    pub fn key_share(share: KeyShare<'_>) -> Self {
        Self::made(ExtensionType::KEY_SHARE, |w| share.emit(w))
    }

    /// key_share of a HelloRetryRequest: the group the next ClientHello must have a share of.
    pub fn selected_group(group: NamedGroup) -> Self {
        Self::made(ExtensionType::KEY_SHARE, |w| w.u16(group.0))
    }

    /// cookie of a HelloRetryRequest or of the ClientHello after it.
    pub fn cookie(cookie: &[u8]) -> Self {
        Self::made(ExtensionType::COOKIE, |w| w.vec16(|w| w.bytes(cookie)))
    }

    /// psk_key_exchange_modes.
    pub fn psk_key_exchange_modes(modes: &[u8]) -> Self {
        Self::made(ExtensionType::PSK_KEY_EXCHANGE_MODES, |w| w.vec8(|w| w.bytes(modes)))
    }

    /// early_data of a ClientHello or of EncryptedExtensions (RFC 8446 §4.2.10).
    pub const fn early_data() -> Self {
        Self::fixed(ExtensionType::EARLY_DATA, &[])
    }

    /// early_data of a NewSessionTicket: bytes that may be sent early.
    pub fn early_data_max(size: u32) -> Self {
        Self::made(ExtensionType::EARLY_DATA, |w| w.bytes(&size.to_be_bytes()))
    }

    /// pre_shared_key of a ClientHello, where it must be the last extension.
    pub fn offered_psks(psks: &[OfferedPsk<'_>]) -> Self {
        Self::made(ExtensionType::PRE_SHARED_KEY, |w| {
            w.vec16(|w| {
                for psk in psks {
                    w.vec16(|w| w.bytes(psk.identity));
                    w.bytes(&psk.obfuscated_ticket_age.to_be_bytes());
                }
            });
            w.vec16(|w| psks.iter().for_each(|psk| w.vec8(|w| w.bytes(psk.binder))));
        })
    }

    /// pre_shared_key of a ServerHello: the index of the key it chose.
    pub fn selected_psk(index: u16) -> Self {
        Self::made(ExtensionType::PRE_SHARED_KEY, |w| w.u16(index))
    }
}

impl Extensions<'_> {
    /// The versions of a client's supported_versions.
    pub fn supported_versions(&self) -> Result<Option<Vec<ProtocolVersion>>, ParseError> {
        self.read_whole(ExtensionType::SUPPORTED_VERSIONS, |r| {
            let versions = list16(r.vec8()?, ProtocolVersion)?;
            if versions.is_empty() { Err(ParseError::BadLength) } else { Ok(versions) }
        })
    }

    /// The version of a server's supported_versions.
    pub fn selected_version(&self) -> Result<Option<ProtocolVersion>, ParseError> {
        self.read_whole(ExtensionType::SUPPORTED_VERSIONS, |r| r.u16().map(ProtocolVersion))
    }

    /// The shares of a ClientHello's key_share.
    pub fn key_shares(&self) -> Result<Option<Vec<KeyShare<'_>>>, ParseError> {
        self.read_whole(ExtensionType::KEY_SHARE, |r| {
            let mut list = Reader::new(r.vec16()?);
            let mut shares = Vec::new();
            while !list.is_empty() {
                shares.push(KeyShare::parse(&mut list)?);
            }
            Ok(shares)
        })
    }

    /// The share of a ServerHello's key_share.
    pub fn key_share(&self) -> Result<Option<KeyShare<'_>>, ParseError> {
        self.read_whole(ExtensionType::KEY_SHARE, KeyShare::parse)
    }

    /// The group of a HelloRetryRequest's key_share.
    pub fn selected_group(&self) -> Result<Option<NamedGroup>, ParseError> {
        self.read_whole(ExtensionType::KEY_SHARE, |r| r.u16().map(NamedGroup))
    }

    /// The cookie, which is not empty.
    pub fn cookie(&self) -> Result<Option<&[u8]>, ParseError> {
        self.read_whole(ExtensionType::COOKIE, |r| {
            let cookie = r.vec16()?;
            if cookie.is_empty() { Err(ParseError::BadLength) } else { Ok(cookie) }
        })
    }

    /// The modes of psk_key_exchange_modes.
    pub fn psk_key_exchange_modes(&self) -> Result<Option<&[u8]>, ParseError> {
        self.read_whole(ExtensionType::PSK_KEY_EXCHANGE_MODES, |r| {
            let modes = r.vec8()?;
            if modes.is_empty() { Err(ParseError::BadLength) } else { Ok(modes) }
        })
    }

    /// The keys of a ClientHello's pre_shared_key, each with its binder.
    pub fn offered_psks(&self) -> Result<Option<Vec<OfferedPsk<'_>>>, ParseError> {
        self.read_whole(ExtensionType::PRE_SHARED_KEY, |r| {
            let (mut identities, mut binders) = (Reader::new(r.vec16()?), Reader::new(r.vec16()?));
            let mut psks = Vec::new();
            while !identities.is_empty() {
                let identity = identities.vec16()?;
                let obfuscated_ticket_age = identities.array().map(u32::from_be_bytes)?;
                // RFC 8446 §4.2.11: as many binders as identities.
                let binder = binders.vec8().map_err(|_| ParseError::BadLength)?;
                if identity.is_empty() || binder.len() < BINDER_LEN_MIN {
                    return Err(ParseError::BadLength);
                }
                psks.push(OfferedPsk { identity, obfuscated_ticket_age, binder });
            }
            binders.finish()?;
            if psks.is_empty() { Err(ParseError::BadLength) } else { Ok(psks) }
        })
    }

    /// Length of the binders at the end of a ClientHello with pre_shared_key: the list and its own length, which a
    /// binder does not cover (RFC 8446 §4.2.11.2).
    pub fn binders_len(&self) -> Result<Option<usize>, ParseError> {
        self.read_whole(ExtensionType::PRE_SHARED_KEY, |r| {
            r.vec16()?;
            Ok(2 + r.vec16()?.len())
        })
    }

    /// Whether early_data is there; it must be empty.
    pub fn early_data(&self) -> Result<bool, ParseError> {
        Ok(self.read_whole(ExtensionType::EARLY_DATA, |_| Ok(()))?.is_some())
    }

    /// The size in a NewSessionTicket's early_data.
    pub fn early_data_max(&self) -> Result<Option<u32>, ParseError> {
        self.read_whole(ExtensionType::EARLY_DATA, |r| r.array().map(u32::from_be_bytes))
    }

    /// The index of a ServerHello's pre_shared_key.
    pub fn selected_psk(&self) -> Result<Option<u16>, ParseError> {
        self.read_whole(ExtensionType::PRE_SHARED_KEY, Reader::u16)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    const SHARE: KeyShare<'static> = KeyShare { group: NamedGroup::X25519, public_key: &[9; 32] };
    const PSK: OfferedPsk<'static> =
        OfferedPsk { identity: b"me", obfuscated_ticket_age: 0x0102_0304, binder: &[7; 32] };

    /// Reads one extension with the reader meant for it.
    fn read(extension: Extension<'_>, reader: &dyn Fn(&Extensions<'_>) -> bool) -> bool {
        reader(&Extensions(vec![extension]))
    }

    type Case = (Extension<'static>, Box<dyn Fn(&Extensions<'_>) -> bool>);

    /// Each extension with a reader that says whether it found what was written.
    fn cases() -> Vec<Case> {
        let versions = [ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];
        vec![
            (
                Extension::supported_versions(&versions),
                Box::new(move |e| e.supported_versions() == Ok(Some(versions.to_vec()))),
            ),
            (
                Extension::selected_version(ProtocolVersion::DTLS1_3),
                Box::new(|e| e.selected_version() == Ok(Some(ProtocolVersion::DTLS1_3))),
            ),
            (Extension::key_shares(&[SHARE, SHARE]), Box::new(|e| e.key_shares() == Ok(Some(vec![SHARE, SHARE])))),
            (Extension::key_share(SHARE), Box::new(|e| e.key_share() == Ok(Some(SHARE)))),
            (
                Extension::selected_group(NamedGroup::SECP256R1),
                Box::new(|e| e.selected_group() == Ok(Some(NamedGroup::SECP256R1))),
            ),
            (Extension::cookie(b"crumbs"), Box::new(|e| e.cookie() == Ok(Some(b"crumbs")))),
            (
                Extension::psk_key_exchange_modes(&[PSK_MODE_DHE]),
                Box::new(|e| e.psk_key_exchange_modes() == Ok(Some(&[PSK_MODE_DHE]))),
            ),
            (
                Extension::offered_psks(&[PSK, PSK]),
                Box::new(|e| e.offered_psks() == Ok(Some(vec![PSK, PSK])) && e.binders_len() == Ok(Some(2 + 2 * 33))),
            ),
            (Extension::early_data(), Box::new(|e| e.early_data() == Ok(true))),
            (Extension::early_data_max(9), Box::new(|e| e.early_data_max() == Ok(Some(9)))),
            (Extension::selected_psk(1), Box::new(|e| e.selected_psk() == Ok(Some(1)))),
        ]
    }

    #[test]
    fn made_extensions_are_read_back_and_refused_when_cut_or_longer() {
        for (extension, reader) in cases() {
            assert!(read(extension.clone(), &reader), "{extension:?}");
            let longer = [&extension.data[..], &[0]].concat();
            let with = |data| Extension { extension_type: extension.extension_type, data };
            for cut in 0..extension.data.len() {
                assert!(!read(with(Cow::Borrowed(&extension.data[..cut])), &reader), "{extension:?} cut at {cut}");
            }
            assert!(!read(with(Cow::Owned(longer)), &reader), "{extension:?} with a byte more");
        }
    }

    #[test]
    fn a_client_may_have_no_key_share_yet() {
        assert_eq!(Extensions(vec![Extension::key_shares(&[])]).key_shares(), Ok(Some(vec![])));
        assert_eq!(Extensions::default().key_shares(), Ok(None));
    }

    #[test]
    fn binders_must_be_as_many_as_identities() {
        let made = Extension::offered_psks(&[PSK]);
        let two = Extension::offered_psks(&[PSK, PSK]);
        let identities_len = 2 + 2 + PSK.identity.len() + 4;
        let fewer = [&two.data[..2 * identities_len - 2], &made.data[identities_len..]].concat();
        let more = [&made.data[..identities_len], &two.data[2 * identities_len - 2..]].concat();
        for data in [fewer, more] {
            let extension = Extension { extension_type: ExtensionType::PRE_SHARED_KEY, data: Cow::Owned(data) };
            assert!(Extensions(vec![extension]).offered_psks().is_err());
        }
    }
}

//! Tickets: what a server would have to remember, sealed so that the client can keep it (RFC 5077 §4, RFC 8446 §4.6.1).
//!
//! Sealing is the same for both versions; the content says which it is for. A ticket that does not open, or says
//! something else than expected, counts for nothing: the handshake goes on without it.

use crate::config::TicketKeys;
use crate::crypto::{AeadAlgorithm, CryptoError, CryptoProvider, Secret};
use crate::entropy::Entropy;
use crate::negotiated::PeerIdentity;
use crate::wire::{CipherSuite, ParseError, Reader, Writer, body_of};

/// Longest ticket: with it, a ClientHello still takes only a few datagrams. A client with a longer certificate chain gets
/// none.
pub(crate) const TICKET_LEN_MAX: usize = 8192;

const AEAD: AeadAlgorithm = AeadAlgorithm::Aes256Gcm;
const NONCE_LEN: usize = 12;

/// First byte of the content of a ticket for DTLS 1.3.
const VERSION_13: u8 = 0x13;

/// The same, of a session with an application's protocol.
const VERSION_13_WITH_PROTOCOL: u8 = 0x93;

/// Seals `content` under the newest key: nonce, ciphertext, tag. Nonces are random: with 96 bits, a key is good for
/// 2^32 tickets.
pub(crate) fn seal(
    keys: &TicketKeys,
    provider: &dyn CryptoProvider,
    entropy: &mut Entropy,
    content: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let key = keys.newest_first().first().ok_or(CryptoError::BadKey)?;
    let nonce: [u8; NONCE_LEN] = entropy.array();
    let mut ticket = Vec::with_capacity(NONCE_LEN + content.len() + AEAD.tag_len());
    ticket.extend_from_slice(&nonce);
    ticket.extend_from_slice(content);
    provider.aead(AEAD, key.expose())?.seal(&nonce, b"", &mut ticket, NONCE_LEN)?;
    Ok(ticket)
}

/// What is in a ticket, if any of the keys opens it.
pub(crate) fn open(keys: &TicketKeys, provider: &dyn CryptoProvider, ticket: &[u8]) -> Option<Secret> {
    let (nonce, sealed) = ticket.split_first_chunk::<NONCE_LEN>()?;
    keys.newest_first().iter().find_map(|key| {
        let mut content = sealed.to_vec();
        let len = provider.aead(AEAD, key.expose()).ok()?.open(nonce, b"", &mut content).ok()?;
        content.truncate(len);
        Some(Secret::new(content))
    })
}

/// What a server has to know of a DTLS 1.3 session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ticket13 {
    pub(crate) suite: CipherSuite,
    /// When the session began with a full handshake, in milliseconds since 1970.
    pub(crate) began: u64,
    /// Milliseconds since 1970.
    pub(crate) issued: u64,
    /// Seconds.
    pub(crate) lifetime: u32,
    pub(crate) age_add: u32,
    /// Bytes that may come early.
    pub(crate) early_data_max: u32,
    /// The application's protocol, which early data has to be for.
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) psk: Secret,
    /// Who the client was when the session began.
    pub(crate) client: PeerIdentity,
}

impl Ticket13 {
    pub(crate) fn to_content(&self) -> Secret {
        Secret::new(body_of(|w: &mut Writer| {
            w.u8(if self.alpn.is_some() { VERSION_13_WITH_PROTOCOL } else { VERSION_13 });
            w.u16(self.suite.0);
            w.bytes(&self.began.to_be_bytes());
            w.bytes(&self.issued.to_be_bytes());
            w.bytes(&self.lifetime.to_be_bytes());
            w.bytes(&self.age_add.to_be_bytes());
            w.bytes(&self.early_data_max.to_be_bytes());
            if let Some(name) = &self.alpn {
                w.vec8(|w| w.bytes(name));
            }
            w.vec8(|w| w.bytes(self.psk.expose()));
            self.client.emit(w);
        }))
    }

    pub(crate) fn from_content(content: &Secret) -> Option<Self> {
        let read = |r: &mut Reader<'_>| -> Result<Self, ParseError> {
            let has_protocol = match r.u8()? {
                VERSION_13 => false,
                VERSION_13_WITH_PROTOCOL => true,
                _ => return Err(ParseError::BadValue),
            };
            Ok(Self {
                suite: CipherSuite(r.u16()?),
                began: u64::from_be_bytes(r.array()?),
                issued: u64::from_be_bytes(r.array()?),
                lifetime: u32::from_be_bytes(r.array()?),
                age_add: u32::from_be_bytes(r.array()?),
                early_data_max: u32::from_be_bytes(r.array()?),
                alpn: if has_protocol { Some(r.vec8()?.to_vec()) } else { None },
                psk: Secret::new(r.vec8()?.to_vec()),
                client: PeerIdentity::parse(r)?,
            })
        };
        let mut r = Reader::new(content.expose());
        let ticket = read(&mut r).ok()?;
        r.is_empty().then_some(ticket)
    }

    /// How far the age that a client tells is from that which it has at `now`, in milliseconds (RFC 8446 §8.3).
    pub(crate) fn age_skew(&self, obfuscated_age: u32, now: u64) -> u64 {
        let told = u64::from(obfuscated_age.wrapping_sub(self.age_add));
        now.saturating_sub(self.issued).abs_diff(told)
    }

    /// Whether it is still good at `now`, in milliseconds since 1970. A ticket from the future is not: clocks of
    /// servers that share keys agree.
    pub(crate) fn is_fresh(&self, now: u64) -> bool {
        now.checked_sub(self.issued).is_some_and(|age| age < u64::from(self.lifetime) * 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::rustcrypto::provider;
    use crate::entropy::Seed;

    fn ticket() -> Ticket13 {
        let suite = CipherSuite::TLS_AES_128_GCM_SHA256;
        Ticket13 {
            suite,
            began: 500_000,
            issued: 1_000_000,
            lifetime: 60,
            age_add: 7,
            early_data_max: 9,
            alpn: Some(b"coap".to_vec()),
            psk: Secret::new(vec![3; 32]),
            client: PeerIdentity::Psk(b"device".to_vec()),
        }
    }

    #[test]
    fn a_ticket_opens_under_the_keys_that_are_kept_and_no_others() {
        let (provider, mut entropy) = (provider(), Entropy::new(&Seed([1; 32])));
        let old = TicketKeys::new([1; 32]);
        let sealed = seal(&old, &*provider, &mut entropy, ticket().to_content().expose()).unwrap();
        let opened = open(&old, &*provider, &sealed).unwrap();
        assert_eq!(Ticket13::from_content(&opened), Some(ticket()));
        let without = Ticket13 { alpn: None, ..ticket() };
        assert_eq!(Ticket13::from_content(&without.to_content()), Some(without));
        let rotated = old.rotated([2; 32], 1);
        assert!(open(&rotated, &*provider, &sealed).is_some());
        assert!(open(&rotated.rotated([3; 32], 1), &*provider, &sealed).is_none());
        assert!(open(&TicketKeys::new([9; 32]), &*provider, &sealed).is_none());
    }

    #[test]
    fn a_changed_or_cut_ticket_counts_for_nothing() {
        let (provider, mut entropy) = (provider(), Entropy::new(&Seed([1; 32])));
        let keys = TicketKeys::new([1; 32]);
        let sealed = seal(&keys, &*provider, &mut entropy, ticket().to_content().expose()).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&keys, &*provider, &changed).is_none(), "changed at {at}");
            assert!(open(&keys, &*provider, &sealed[..at]).is_none(), "cut at {at}");
        }
        let content = ticket().to_content();
        for len in 0..content.expose().len() {
            assert_eq!(Ticket13::from_content(&Secret::new(content.expose()[..len].to_vec())), None);
        }
    }

    #[test]
    fn tickets_are_good_from_their_issue_until_their_lifetime_is_over() {
        let fresh = [999_999, 1_000_000, 1_059_999, 1_060_000].map(|now| ticket().is_fresh(now));
        assert_eq!(fresh, [false, true, true, false]);
        let skews = [1007, 7, 6].map(|told| ticket().age_skew(told, 1_000_500));
        assert_eq!(skews, [500, 500, u64::from(u32::MAX) - 500]);
    }
}

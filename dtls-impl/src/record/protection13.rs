//! AEAD protection of DTLS 1.3 records (RFC 9147 §4, RFC 8446 §5).
//!
//! A [`Sealer`] turns content into a whole record, an [`Opener`] a record into content. Both hold the keys of one epoch
//! and direction. Reading goes through three types, since a header shows only parts of the truth: a
//! [`ProtectedRecord`] shows bits of epoch and number; a [`NumberedRecord`] has the full [`RecordNumber`], not yet
//! authenticated; a [`PlainRecord`] is authentic. Replay windows and counters are types of their own.

use core::fmt;

use zeroize::Zeroizing;

use crate::crypto::schedule13::{NONCE_LEN, TrafficKeys};
use crate::crypto::{AeadAlgorithm, CryptoError, CryptoProvider, NUMBER_SAMPLE_LEN, RecordCiphers};
use crate::wire::{
    ContentType, HeaderForm, PLAINTEXT_LEN_MAX, ProtectedRecord, RecordNumber, SeqBits, UnifiedHeader, add_mask,
};

/// Largest body of a protected record, 2^14 + 256 (RFC 8446 §5.2).
pub const CIPHERTEXT_LEN_MAX: usize = PLAINTEXT_LEN_MAX + 256;

/// Length of the inner content type.
const CONTENT_TYPE_LEN: usize = 1;

/// Records that may be written under one key (RFC 8446 §5.5, RFC 9147 §4.5.3): a KeyUpdate must come before.
pub const fn records_max(algorithm: AeadAlgorithm) -> u64 {
    match algorithm {
        // 2^24.5, rounded down.
        AeadAlgorithm::Aes128Gcm | AeadAlgorithm::Aes256Gcm => 23_726_566,
        AeadAlgorithm::Aes128Ccm | AeadAlgorithm::Aes128Ccm8 => 1 << 23,
        // The sequence numbers end before the cipher's strength does.
        AeadAlgorithm::ChaCha20Poly1305 => (1 << 48) - 1,
    }
}

/// Records that may fail to authenticate under one key (RFC 9147 §4.5.3): the connection must not go on beyond.
pub const fn forgeries_max(algorithm: AeadAlgorithm) -> u64 {
    match algorithm {
        AeadAlgorithm::Aes128Gcm | AeadAlgorithm::Aes256Gcm | AeadAlgorithm::ChaCha20Poly1305 => 1 << 36,
        // 2^23.5, rounded down.
        AeadAlgorithm::Aes128Ccm => 11_863_283,
        // RFC 9147 §B.3. So few that the suite is for those alone who ask for it.
        AeadAlgorithm::Aes128Ccm8 => 1 << 7,
    }
}

/// Bytes that a record with a full header has beyond its content, unless it is padded to be long enough for a sample.
pub const fn overhead(algorithm: AeadAlgorithm) -> usize {
    HeaderForm::FULL.header_len() + CONTENT_TYPE_LEN + algorithm.tag_len()
}

/// The full number that is closest to `next` among those with these low bits (RFC 9147 §4.2.2).
pub fn reconstruct_seq(next: u64, bits: SeqBits) -> u64 {
    let (bits, width) = match bits {
        SeqBits::Short(bits) => (u64::from(bits), 1u64 << 8),
        SeqBits::Long(bits) => (u64::from(bits), 1u64 << 16),
    };
    // Seen as a circle of `width` numbers, the bits lie at most half a circle ahead of `next`, or else behind it.
    let ahead = bits.wrapping_sub(next) % width;
    let behind = width - ahead;
    if ahead <= width / 2 || behind > next { next.saturating_add(ahead) } else { next - behind }
}

/// Writes records under the keys of one epoch.
#[derive(Debug)]
pub struct Sealer {
    keyed: Keyed,
}

impl Sealer {
    /// Takes one direction's keys.
    pub fn new(
        provider: &dyn CryptoProvider,
        algorithm: AeadAlgorithm,
        keys: &TrafficKeys,
    ) -> Result<Self, CryptoError> {
        Ok(Self { keyed: Keyed::new(provider, algorithm, keys)? })
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> AeadAlgorithm {
        self.keyed.algorithm
    }

    /// Appends the whole record, header included. On error `out` is as before. No number may be used twice. A record
    /// without length must be the last of its datagram.
    pub fn seal(
        &self,
        form: HeaderForm,
        number: RecordNumber,
        content_type: ContentType,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        self.seal_with_cid(form, None, number, content_type, content, out)
    }

    /// As [`seal`](Self::seal), with the receiver's connection ID in the header, if it has one (RFC 9147 §4).
    pub fn seal_with_cid(
        &self,
        form: HeaderForm,
        connection_id: Option<&[u8]>,
        number: RecordNumber,
        content_type: ContentType,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        self.seal_parts(form, connection_id, number, content_type, [content, &[]], out)
    }

    /// As [`seal_with_cid`](Self::seal_with_cid), with content in two parts.
    pub(crate) fn seal_parts(
        &self,
        form: HeaderForm,
        connection_id: Option<&[u8]>,
        number: RecordNumber,
        content_type: ContentType,
        content: [&[u8]; 2],
        out: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        let content_len = content[0].len() + content[1].len();
        if content_len > PLAINTEXT_LEN_MAX {
            return Err(CryptoError::BadLength);
        }
        let tag_len = self.keyed.algorithm.tag_len();
        // RFC 9147 §4.2.3: padding makes the ciphertext long enough for a sample.
        let inner_len = (content_len + CONTENT_TYPE_LEN).max(NUMBER_SAMPLE_LEN.saturating_sub(tag_len));
        let body_len = (inner_len + tag_len) as u16;
        let header = UnifiedHeader::new(form, connection_id, number.epoch, number.seq, body_len);

        let start = out.len();
        out.reserve(header.as_bytes().len() + usize::from(body_len));
        out.extend_from_slice(header.as_bytes());
        let body = out.len();
        content.iter().for_each(|part| out.extend_from_slice(part));
        out.push(content_type.0);
        out.resize(body + inner_len, 0);
        let nonce = self.keyed.nonce(number.seq);
        self.keyed.ciphers.aead().seal(&nonce, header.as_bytes(), out, body).inspect_err(|_| out.truncate(start))?;

        let (front, ciphertext) = out.split_at_mut(body);
        let sample = ciphertext.first_chunk().ok_or(CryptoError::BadLength)?;
        add_mask(&mut front[start..][header.number_at()], self.keyed.ciphers.numbers().mask(sample));
        Ok(())
    }
}

/// Reads records under the keys of one epoch.
#[derive(Debug)]
pub struct Opener {
    keyed: Keyed,
}

/// A record whose number is known if the record is authentic.
#[derive(Debug)]
pub struct NumberedRecord<'a> {
    number: RecordNumber,
    record: ProtectedRecord<'a>,
    mask: [u8; 2],
}

impl NumberedRecord<'_> {
    /// The number.
    pub const fn number(&self) -> RecordNumber {
        self.number
    }
}

/// What an authentic record holds.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainRecord {
    /// The record's number.
    pub number: RecordNumber,
    /// What the content is.
    pub content_type: ContentType,
    /// The content, without type and padding.
    pub content: Vec<u8>,
}

impl fmt::Debug for PlainRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlainRecord({:?}, {}, {} bytes)", self.number, self.content_type, self.content.len())
    }
}

/// Why a record was refused. All of them are discarded quietly (RFC 9147 §4.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Too short or too long for a record of this epoch; nothing was decrypted.
    BadLength,
    /// The tag is wrong: counts against [`forgeries_max`].
    NotAuthentic,
    /// Authentic, but without a content type: only a faulty peer makes such a record (RFC 8446 §5.4).
    NoContentType,
}

impl Opener {
    /// Takes one direction's keys.
    pub fn new(
        provider: &dyn CryptoProvider,
        algorithm: AeadAlgorithm,
        keys: &TrafficKeys,
    ) -> Result<Self, CryptoError> {
        Ok(Self { keyed: Keyed::new(provider, algorithm, keys)? })
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> AeadAlgorithm {
        self.keyed.algorithm
    }

    /// Unmasks the number and completes it: `next` is one more than the highest number opened in `epoch` so far.
    pub fn number<'a>(
        &self,
        record: ProtectedRecord<'a>,
        epoch: u64,
        next: u64,
    ) -> Result<NumberedRecord<'a>, OpenError> {
        debug_assert!(record.epoch().fit(epoch), "the opener is chosen by the epoch's bits");
        let body = record.body();
        let sample = body.first_chunk::<NUMBER_SAMPLE_LEN>().ok_or(OpenError::BadLength)?;
        if body.len() < self.keyed.algorithm.tag_len() + CONTENT_TYPE_LEN || body.len() > CIPHERTEXT_LEN_MAX {
            return Err(OpenError::BadLength);
        }
        let mask = self.keyed.ciphers.numbers().mask(sample);
        let number = RecordNumber { epoch, seq: reconstruct_seq(next, record.seq().unmask(mask)) };
        Ok(NumberedRecord { number, record, mask })
    }

    /// Checks and decrypts.
    pub fn open(&self, record: NumberedRecord<'_>) -> Result<PlainRecord, OpenError> {
        self.open_in(Vec::new(), record)
    }

    /// As [`open`](Self::open), in a buffer that may have been used before.
    pub(crate) fn open_in(&self, buffer: Vec<u8>, record: NumberedRecord<'_>) -> Result<PlainRecord, OpenError> {
        let mut content = buffer;
        content.clear();
        content.extend_from_slice(record.record.body());
        let nonce = self.keyed.nonce(record.number.seq);
        let header = record.record.header_unmasked(record.mask);
        let opened = self.keyed.ciphers.aead().open(&nonce, header.as_bytes(), &mut content);
        let inner_len = opened.map_err(|_| OpenError::NotAuthentic)?;
        content.truncate(inner_len);
        let last = content.iter().rposition(|byte| *byte != 0).ok_or(OpenError::NoContentType)?;
        let content_type = ContentType(content[last]);
        content.truncate(last);
        if content.len() > PLAINTEXT_LEN_MAX {
            return Err(OpenError::BadLength);
        }
        Ok(PlainRecord { number: record.number, content_type, content })
    }
}

struct Keyed {
    algorithm: AeadAlgorithm,
    ciphers: Box<dyn RecordCiphers>,
    iv: Zeroizing<[u8; NONCE_LEN]>,
}

impl Keyed {
    fn new(provider: &dyn CryptoProvider, algorithm: AeadAlgorithm, keys: &TrafficKeys) -> Result<Self, CryptoError> {
        let iv = keys.iv().try_into().map_err(|_| CryptoError::BadLength)?;
        Ok(Self {
            algorithm,
            ciphers: provider.record_ciphers(algorithm, keys.key(), keys.number_key())?,
            iv: Zeroizing::new(iv),
        })
    }

    /// RFC 8446 §5.3 with the record's number alone: the epoch has keys of its own (RFC 9147 §4).
    fn nonce(&self, seq: u64) -> [u8; NONCE_LEN] {
        let mut nonce = *self.iv;
        nonce[NONCE_LEN - 8..].iter_mut().zip(seq.to_be_bytes()).for_each(|(byte, number)| *byte ^= number);
        nonce
    }
}

impl fmt::Debug for Keyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyed({:?})", self.algorithm)
    }
}

#[cfg(test)]
mod tests;

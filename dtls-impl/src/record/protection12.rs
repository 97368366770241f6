//! AEAD protection of DTLS 1.2 records (RFC 6347 §4.1.2, RFC 5246 §6.2.3.3), also of those with a connection ID, whose
//! type is inside (RFC 9146 §4, §5.3).
//!
//! A [`Sealer`] turns plaintext into a whole record, an [`Opener`] a record's fragment into plaintext. Both hold one
//! key of one epoch. They keep no counters: sequence numbers and the replay window have their own types.

use core::fmt;
use core::ops::Range;

use zeroize::Zeroizing;

use crate::crypto::{Aead, AeadAlgorithm, CryptoError, CryptoProvider};
use crate::wire::{ContentType, Record, RecordHeader};

/// Type, version, epoch, sequence number, length (RFC 6347 §4.1).
pub const HEADER_LEN: usize = 13;

/// The longest plaintext of a record (RFC 5246 §6.2.1).
pub const PLAINTEXT_LEN_MAX: usize = 1 << 14;

/// DTLS 1.2 on the wire.
const VERSION: u16 = 0xfefd;

/// Type of every record with a connection ID, `tls12_cid` (RFC 9146 §4).
const CID_TYPE: u8 = 25;

/// Longest connection ID (RFC 9146 §3).
const CID_LEN_MAX: usize = 255;

/// Length of the type inside.
const INNER_TYPE_LEN: usize = 1;

/// Epoch in the upper 16 bits, sequence number in the lower 48: the eight bytes that take the place of TLS's sequence
/// number (RFC 6347 §4.1.2.1).
fn numbering(epoch: u16, seq: u64) -> Result<[u8; 8], CryptoError> {
    if seq >> 48 != 0 {
        return Err(CryptoError::BadLength);
    }
    Ok((u64::from(epoch) << 48 | seq).to_be_bytes())
}

/// Writes records under one key.
pub struct Sealer {
    keyed: Keyed,
}

impl Sealer {
    /// Takes one direction's part of the key block: `iv` is [`AeadAlgorithm::fixed_iv_len`] bytes.
    pub fn new(
        provider: &dyn CryptoProvider,
        algorithm: AeadAlgorithm,
        key: &[u8],
        iv: &[u8],
    ) -> Result<Self, CryptoError> {
        Ok(Self { keyed: Keyed::new(provider, algorithm, key, iv)? })
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> AeadAlgorithm {
        self.keyed.algorithm
    }

    /// Bytes that a record has beyond its header and plaintext.
    pub const fn overhead(&self) -> usize {
        overhead(self.keyed.algorithm)
    }

    /// Appends the whole record, header included. On error `out` is as before. No number may be used twice.
    pub fn seal(
        &self,
        content_type: u8,
        epoch: u16,
        seq: u64,
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        self.seal_parts(content_type, epoch, seq, [plaintext, &[]], out)
    }

    /// As [`seal`](Self::seal), with plaintext in two parts.
    pub(crate) fn seal_parts(
        &self,
        content_type: u8,
        epoch: u16,
        seq: u64,
        plaintext: [&[u8]; 2],
        out: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        let plaintext_len = plaintext[0].len() + plaintext[1].len();
        if plaintext_len > PLAINTEXT_LEN_MAX {
            return Err(CryptoError::BadLength);
        }
        let numbering = numbering(epoch, seq)?;
        let aad = additional_data(numbering, content_type, VERSION, plaintext_len);
        self.seal_as(content_type, &[], numbering, &plaintext, &aad, out)
    }

    /// As [`seal`](Self::seal), for a record with the receiver's connection ID, which is not empty: the type is
    /// protected, too, and `padding` zeros hide the length (RFC 9146 §4). Content, type and padding are at most 2^14
    /// bytes.
    pub fn seal_with_cid(
        &self,
        connection_id: &[u8],
        (content_type, padding): (u8, usize),
        epoch: u16,
        seq: u64,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        self.seal_parts_with_cid(connection_id, (content_type, padding), epoch, seq, [content, &[]], out)
    }

    /// As [`seal_with_cid`](Self::seal_with_cid), with content in two parts.
    pub(crate) fn seal_parts_with_cid(
        &self,
        connection_id: &[u8],
        (content_type, padding): (u8, usize),
        epoch: u16,
        seq: u64,
        [start, end]: [&[u8]; 2],
        out: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        let content_len = start.len() + end.len();
        let inner_len = content_len.saturating_add(INNER_TYPE_LEN).saturating_add(padding);
        if inner_len > PLAINTEXT_LEN_MAX || !(1..=CID_LEN_MAX).contains(&connection_id.len()) {
            return Err(CryptoError::BadLength);
        }
        let numbering = numbering(epoch, seq)?;
        let aad = CidAdditionalData::new(connection_id, numbering, VERSION, inner_len);
        let zeros = vec![0; padding];
        self.seal_as(CID_TYPE, connection_id, numbering, &[start, end, &[content_type], &zeros], aad.as_bytes(), out)
    }

    /// Appends header and protected plaintext, whose length has been checked.
    fn seal_as(
        &self,
        content_type: u8,
        connection_id: &[u8],
        numbering: [u8; 8],
        plaintext: &[&[u8]],
        aad: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        let start = out.len();
        let fragment_len = plaintext.iter().map(|part| part.len()).sum::<usize>() + self.overhead();
        out.reserve(HEADER_LEN + connection_id.len() + fragment_len);

        out.push(content_type);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&numbering);
        out.extend_from_slice(connection_id);
        out.extend_from_slice(&(fragment_len as u16).to_be_bytes());
        // Epoch and number never repeat under a key, so they serve as the explicit nonce (RFC 5288 §3, RFC 6655 §3).
        let explicit = &numbering[..self.keyed.algorithm.explicit_nonce_len()];
        out.extend_from_slice(explicit);
        let body = out.len();
        plaintext.iter().for_each(|part| out.extend_from_slice(part));

        let nonce = self.keyed.nonce(&numbering, explicit);
        self.keyed.aead.seal(&nonce, aad, out, body).inspect_err(|_| out.truncate(start))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({:?})", self.keyed.algorithm)
    }
}

/// Reads records under one key.
pub struct Opener {
    keyed: Keyed,
}

impl Opener {
    /// Takes one direction's part of the key block: `iv` is [`AeadAlgorithm::fixed_iv_len`] bytes.
    pub fn new(
        provider: &dyn CryptoProvider,
        algorithm: AeadAlgorithm,
        key: &[u8],
        iv: &[u8],
    ) -> Result<Self, CryptoError> {
        Ok(Self { keyed: Keyed::new(provider, algorithm, key, iv)? })
    }

    /// Bytes that a record has beyond its header and plaintext.
    pub const fn overhead(&self) -> usize {
        overhead(self.keyed.algorithm)
    }

    /// Decrypts a record's fragment in place, given the fields of its header, and says where the plaintext is.
    ///
    /// Every refusal is of the kind that RFC 6347 §4.1.2.7 lets an endpoint discard silently. A fragment whose
    /// plaintext would be longer than 2^14 bytes is refused before any work is spent on it.
    pub fn open(
        &self,
        content_type: u8,
        version: u16,
        epoch: u16,
        seq: u64,
        fragment: &mut [u8],
    ) -> Result<Range<usize>, CryptoError> {
        let plaintext_len = self.plaintext_len(fragment)?;
        let numbering = numbering(epoch, seq)?;
        let aad = additional_data(numbering, content_type, version, plaintext_len);
        self.open_as(numbering, &aad, fragment)
    }

    /// As [`open`](Self::open), for a record of type `tls12_cid` with this connection ID: gives the type inside and
    /// where the content is. One that is all padding is refused (RFC 9146 §4, RFC 8446 §5.4).
    pub fn open_with_cid(
        &self,
        connection_id: &[u8],
        version: u16,
        epoch: u16,
        seq: u64,
        fragment: &mut [u8],
    ) -> Result<(u8, Range<usize>), CryptoError> {
        let inner_len = self.plaintext_len(fragment)?;
        if connection_id.len() > CID_LEN_MAX {
            return Err(CryptoError::BadLength);
        }
        let numbering = numbering(epoch, seq)?;
        let aad = CidAdditionalData::new(connection_id, numbering, version, inner_len);
        let inner = self.open_as(numbering, aad.as_bytes(), fragment)?;
        let last = fragment[inner.clone()].iter().rposition(|byte| *byte != 0).ok_or(CryptoError::BadTagOrSignature)?;
        let type_at = inner.start + last;
        Ok((fragment[type_at], inner.start..type_at))
    }

    /// Decrypts a record, with or without connection ID, into `content` in place of what that holds.
    pub(crate) fn open_record(&self, record: &Record<'_>, content: &mut Vec<u8>) -> Result<ContentType, CryptoError> {
        let RecordHeader { content_type, version, epoch, seq } = record.header;
        let inner_len = self.plaintext_len(record.body)?;
        let numbering = numbering(epoch, seq)?;
        let (explicit, body) = record.body.split_at(self.keyed.algorithm.explicit_nonce_len());
        content.clear();
        content.extend_from_slice(body);
        if record.connection_id.is_empty() {
            let aad = additional_data(numbering, content_type.0, version.0, inner_len);
            let len = self.open_body(numbering, &aad, explicit, content)?;
            content.truncate(len);
            return Ok(content_type);
        }
        if record.connection_id.len() > CID_LEN_MAX {
            return Err(CryptoError::BadLength);
        }
        let aad = CidAdditionalData::new(record.connection_id, numbering, version.0, inner_len);
        let len = self.open_body(numbering, aad.as_bytes(), explicit, content)?;
        content.truncate(len);
        let type_at = content.iter().rposition(|byte| *byte != 0).ok_or(CryptoError::BadTagOrSignature)?;
        let content_type = ContentType(content[type_at]);
        content.truncate(type_at);
        Ok(content_type)
    }

    /// What is left of a fragment without explicit nonce and tag, if that is not too long.
    fn plaintext_len(&self, fragment: &[u8]) -> Result<usize, CryptoError> {
        let len = fragment.len().checked_sub(self.overhead()).ok_or(CryptoError::BadLength)?;
        if len > PLAINTEXT_LEN_MAX { Err(CryptoError::BadLength) } else { Ok(len) }
    }

    fn open_as(&self, numbering: [u8; 8], aad: &[u8], fragment: &mut [u8]) -> Result<Range<usize>, CryptoError> {
        let (explicit, body) = fragment.split_at_mut(self.keyed.algorithm.explicit_nonce_len());
        let len = self.open_body(numbering, aad, explicit, body)?;
        Ok(explicit.len()..explicit.len() + len)
    }

    fn open_body(
        &self,
        numbering: [u8; 8],
        aad: &[u8],
        explicit: &[u8],
        body: &mut [u8],
    ) -> Result<usize, CryptoError> {
        // The sender chooses the explicit part; that it equals epoch and number is only our own custom.
        let nonce = self.keyed.nonce(&numbering, explicit);
        self.keyed.aead.open(&nonce, aad, body)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener({:?})", self.keyed.algorithm)
    }
}

/// Bytes that a record has beyond its header and plaintext.
pub const fn overhead(algorithm: AeadAlgorithm) -> usize {
    algorithm.explicit_nonce_len() + algorithm.tag_len()
}

/// Bytes that a record has beyond the header of [`HEADER_LEN`] and its content, without padding, if the receiver has
/// such a connection ID: no more than [`overhead`] if that is empty.
pub const fn overhead_with_cid(algorithm: AeadAlgorithm, connection_id: &[u8]) -> usize {
    let cid = if connection_id.is_empty() { 0 } else { connection_id.len() + INNER_TYPE_LEN };
    overhead(algorithm) + cid
}

struct Keyed {
    algorithm: AeadAlgorithm,
    aead: Box<dyn Aead>,
    /// The fixed part of the nonce, zeros after it.
    iv: Zeroizing<[u8; 12]>,
}

impl Keyed {
    fn new(
        provider: &dyn CryptoProvider,
        algorithm: AeadAlgorithm,
        key: &[u8],
        iv: &[u8],
    ) -> Result<Self, CryptoError> {
        if iv.len() != algorithm.fixed_iv_len() {
            return Err(CryptoError::BadLength);
        }
        let mut padded = Zeroizing::new([0; 12]);
        padded[..iv.len()].copy_from_slice(iv);
        Ok(Self { algorithm, aead: provider.aead(algorithm, key)?, iv: padded })
    }

    /// Four fixed bytes and eight that the record carries (RFC 5288 §3, RFC 6655 §3); or twelve fixed bytes with the
    /// record's number added without carry (RFC 7905 §2).
    fn nonce(&self, numbering: &[u8; 8], explicit: &[u8]) -> [u8; 12] {
        let mut nonce = *self.iv;
        if explicit.is_empty() {
            nonce[4..].iter_mut().zip(numbering).for_each(|(byte, number)| *byte ^= number);
        } else {
            nonce[4..].copy_from_slice(explicit);
        }
        nonce
    }
}

/// What the tag covers beside the plaintext (RFC 5246 §6.2.3.3).
fn additional_data(numbering: [u8; 8], content_type: u8, version: u16, plaintext_len: usize) -> [u8; 13] {
    let mut aad = [0; 13];
    aad[..8].copy_from_slice(&numbering);
    aad[8] = content_type;
    aad[9..11].copy_from_slice(&version.to_be_bytes());
    aad[11..].copy_from_slice(&(plaintext_len as u16).to_be_bytes());
    aad
}

/// Length of the additional data without the connection ID in it.
const CID_AAD_LEN: usize = 23;

/// What the tag covers of a record with a connection ID beside the plaintext (RFC 9146 §5.3).
struct CidAdditionalData {
    bytes: [u8; CID_AAD_LEN + CID_LEN_MAX],
    len: usize,
}

impl CidAdditionalData {
    /// The connection ID is at most [`CID_LEN_MAX`] bytes long: what is longer is cut.
    fn new(connection_id: &[u8], numbering: [u8; 8], version: u16, inner_len: usize) -> Self {
        let connection_id = &connection_id[..connection_id.len().min(CID_LEN_MAX)];
        let mut bytes = [0; CID_AAD_LEN + CID_LEN_MAX];
        let cid_end = CID_AAD_LEN - 2 + connection_id.len();
        // Where other records have their number, which is never that large.
        bytes[..8].copy_from_slice(&[0xff; 8]);
        bytes[8..11].copy_from_slice(&[CID_TYPE, connection_id.len() as u8, CID_TYPE]);
        bytes[11..13].copy_from_slice(&version.to_be_bytes());
        bytes[13..21].copy_from_slice(&numbering);
        bytes[21..cid_end].copy_from_slice(connection_id);
        bytes[cid_end..cid_end + 2].copy_from_slice(&(inner_len as u16).to_be_bytes());
        Self { bytes, len: cid_end + 2 }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests;

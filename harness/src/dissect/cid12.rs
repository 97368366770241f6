//! Opens records of DTLS 1.2 with a connection ID (RFC 9146 §4, §5.3). Made from the AEAD alone and not from `dtls-impl`'s
//! protection: an error in that would show here.

use dtls_impl::crypto::{Aead, AeadAlgorithm, rustcrypto};
use dtls_impl::wire::{ContentType, RecordHeader};

/// What opens such records of one end.
#[derive(Debug)]
pub(super) struct CidOpener {
    algorithm: AeadAlgorithm,
    aead: Box<dyn Aead>,
    iv: Vec<u8>,
}

impl CidOpener {
    /// `None` if the key does not fit the algorithm.
    pub(super) fn new(algorithm: AeadAlgorithm, key: &[u8], iv: &[u8]) -> Option<Self> {
        let aead = rustcrypto::provider().aead(algorithm, key).ok()?;
        Some(Self { algorithm, aead, iv: iv.to_vec() })
    }

    /// Inner type and content; `None` if the tag is wrong, or nothing but padding is inside.
    pub(super) fn open(&self, header: &RecordHeader, cid: &[u8], body: &[u8]) -> Option<(ContentType, Vec<u8>)> {
        let explicit_len = self.algorithm.explicit_nonce_len();
        let inner_len = body.len().checked_sub(explicit_len + self.algorithm.tag_len())?;
        let (explicit, sealed) = body.split_at(explicit_len);
        let numbering = (u64::from(header.epoch) << 48 | header.seq).to_be_bytes();
        let mut sealed = sealed.to_vec();
        let len =
            self.aead.open(&self.nonce(numbering, explicit), &aad(header, numbering, cid, inner_len)?, &mut sealed);
        sealed.truncate(len.ok()?);
        let last = sealed.iter().rposition(|byte| *byte != 0)?;
        let inner = ContentType(sealed[last]);
        sealed.truncate(last);
        Some((inner, sealed))
    }

    /// A fixed part and the record's explicit one, or the fixed part with the number added (RFC 7905 §2).
    fn nonce(&self, numbering: [u8; 8], explicit: &[u8]) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce.iter_mut().zip(&self.iv).for_each(|(byte, iv)| *byte = *iv);
        let tail = if explicit.is_empty() { &numbering[..] } else { explicit };
        nonce[4..].iter_mut().zip(tail).for_each(|(byte, tail)| *byte ^= tail);
        nonce
    }
}

/// RFC 9146 §5.3: a placeholder, the type, the ID's length, the header as it is, the inner length.
fn aad(header: &RecordHeader, numbering: [u8; 8], cid: &[u8], inner_len: usize) -> Option<Vec<u8>> {
    const TLS12_CID: u8 = 25;
    let cid_len = u8::try_from(cid.len()).ok()?;
    let inner_len = u16::try_from(inner_len).ok()?;
    Some(
        [
            &[0xff; 8][..],
            &[TLS12_CID, cid_len, TLS12_CID],
            &header.version.0.to_be_bytes(),
            &numbering,
            cid,
            &inner_len.to_be_bytes(),
        ]
        .concat(),
    )
}

#[cfg(test)]
mod tests {
    use dtls_impl::wire::ProtocolVersion;

    use super::*;

    #[test]
    fn type_and_padding_are_inside() {
        for algorithm in [AeadAlgorithm::Aes128Gcm, AeadAlgorithm::Aes128Ccm8, AeadAlgorithm::ChaCha20Poly1305] {
            let key = vec![3; algorithm.key_len()];
            let opener = CidOpener::new(algorithm, &key, &vec![5; algorithm.fixed_iv_len()]).unwrap();
            let header = RecordHeader {
                content_type: ContentType::TLS12_CID,
                version: ProtocolVersion::DTLS1_2,
                epoch: 1,
                seq: 7,
            };
            let numbering = [0, 1, 0, 0, 0, 0, 0, 7];
            let explicit = vec![9; algorithm.explicit_nonce_len()];
            let seal = |inner: &[u8]| {
                let nonce = opener.nonce(numbering, &explicit);
                let mut sealed = inner.to_vec();
                let aad = aad(&header, numbering, b"id", inner.len()).unwrap();
                assert_eq!(aad[..13], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 25, 2, 25, 0xfe, 0xfd]);
                opener.aead.seal(&nonce, &aad, &mut sealed, 0).unwrap();
                [&explicit[..], &sealed].concat()
            };
            let body = seal(b"hello\x17\0\0");
            let opened = opener.open(&header, b"id", &body);
            assert_eq!(opened, Some((ContentType::APPLICATION_DATA, b"hello".to_vec())), "{algorithm:?}");
            assert_eq!(opener.open(&header, b"ie", &body), None);
            assert_eq!(opener.open(&header, b"id", &seal(&[0; 4])), None);
            assert_eq!(opener.open(&header, b"id", &body[..10]), None);
        }
    }
}

//! The keyUsage extension of a peer's certificate, which `webpki` does not look at.

use p256::pkcs8::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef};
use p256::pkcs8::der::{self, Class, Decode, Reader, SliceReader, Tagged};
use rustls_pki_types::CertificateDer;

use super::CertificateError;

/// id-ce-keyUsage (RFC 5280 §4.2.1.3).
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");

/// Bit 0 of the bit string, which counts from the left.
const DIGITAL_SIGNATURE: u8 = 0b1000_0000;

/// Whether the certificate's key may sign handshakes: digitalSignature must be set if the extension is
/// present (RFC 5246 §7.4.2).
pub(super) fn allows_signatures(certificate: &CertificateDer<'_>) -> Result<bool, CertificateError> {
    let usage = key_usage(certificate).map_err(|_| CertificateError::Malformed)?;
    Ok(usage.is_none_or(|flags| flags & DIGITAL_SIGNATURE != 0))
}

/// The first byte of the extension's flags. Certificate, TBSCertificate, extensions, extension: RFC 5280 §4.1.
fn key_usage(certificate: &[u8]) -> der::Result<Option<u8>> {
    let certificate = AnyRef::from_der(certificate)?;
    let to_be_signed = AnyRef::decode(&mut SliceReader::new(certificate.value())?)?;

    let mut fields = SliceReader::new(to_be_signed.value())?;
    while !fields.is_finished() {
        let field = AnyRef::decode(&mut fields)?;
        if field.tag().class() != Class::ContextSpecific || field.tag().number().value() != 3 {
            continue;
        }
        let list = AnyRef::from_der(field.value())?;
        let mut extensions = SliceReader::new(list.value())?;
        while !extensions.is_finished() {
            let extension = AnyRef::decode(&mut extensions)?;
            let mut parts = SliceReader::new(extension.value())?;
            if ObjectIdentifier::decode(&mut parts)? == KEY_USAGE {
                let _critical = Option::<bool>::decode(&mut parts)?;
                let flags = BitStringRef::from_der(<&OctetStringRef>::decode(&mut parts)?.as_bytes())?;
                return Ok(Some(flags.raw_bytes().first().copied().unwrap_or(0)));
            }
        }
    }
    Ok(None)
}

//! Builds a chain: root, intermediates, leaf, each padded so that the total is exact.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyUsagePurpose, PublicKeyData as _, SerialNumber, date_time_ymd,
};
use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

use super::keys::TestKey;
use super::{CERTIFICATES_MAX, CHAIN_SIZE_MAX, ChainShape, Identity, Owner, ShapeError};

/// Object identifier of the padding, below the enterprise number for examples (RFC 5612). Verifiers skip what is not
/// critical and not known to them (RFC 5280 §4.2).
const PADDING_OID: &[u64] = &[1, 3, 6, 1, 4, 1, 32473, 1];

/// Tries at an exact size. Each first correction lands within a byte or two; the rest step over the jumps of DER's
/// length fields and wait for a signature of the wanted length.
const SIZE_TRIES_MAX: u32 = 64;

pub(super) fn make(shape: &ChainShape) -> Result<Identity, ShapeError> {
    if !(1..=CERTIFICATES_MAX).contains(&shape.certificates) {
        return Err(ShapeError::Certificates);
    }
    if shape.names.is_empty() {
        return Err(ShapeError::NoName);
    }
    let total = match shape.size {
        Some(size) if size > CHAIN_SIZE_MAX => return Err(ShapeError::TooLarge),
        Some(size) => Some(size as usize),
        None => None,
    };
    let plain = issue(shape, &vec![Padding::NONE; usize::from(shape.certificates)])?;
    let Some(total) = total else { return Ok(plain) };
    let minimum = plain.chain_size();
    if total < minimum {
        return Err(ShapeError::TooSmall { minimum: u32::try_from(minimum).unwrap_or(u32::MAX) });
    }
    pad_to(shape, plain, total)
}

/// Issues until the certificates have `total` bytes together. All are padded alike; the leaf takes the corrections.
fn pad_to(shape: &ChainShape, plain: Identity, total: usize) -> Result<Identity, ShapeError> {
    if plain.chain_size() == total {
        return Ok(plain);
    }
    let count = usize::from(shape.certificates);
    let share = (total - plain.chain_size()) / count;
    let mut padding = vec![Padding { len: Some(share), variant: 0 }; count];
    for variant in 0..SIZE_TRIES_MAX {
        padding[0].variant = variant;
        let identity = issue(shape, &padding)?;
        let size = identity.chain_size();
        if size == total {
            return Ok(identity);
        }
        // Too large although the leaf has none left to give: take it from the intermediates.
        for pad in &mut padding {
            let len = pad.len.unwrap_or(0);
            let wanted = (len + total).saturating_sub(size);
            pad.len = (wanted > 0 || size < total).then_some(wanted);
            if len + total >= size {
                break;
            }
        }
    }
    Err(ShapeError::Unreachable)
}

/// Extra bytes in one certificate.
#[derive(Clone, Copy)]
struct Padding {
    /// Zeros inside the extension; without it there is no extension at all.
    len: Option<usize>,
    /// Changes what is signed, and every fourth time the size by a byte.
    variant: u32,
}

impl Padding {
    const NONE: Self = Self { len: None, variant: 0 };

    fn extension(self) -> Option<CustomExtension> {
        let mut content = vec![0x04]; // OCTET STRING
        let len = self.len?;
        match len {
            0..=0x7f => content.push(len as u8),
            0x80..=0xff => content.extend([0x81, len as u8]),
            _ => content.extend([0x82, (len >> 8) as u8, len as u8]),
        }
        content.resize(content.len() + len, 0);
        Some(CustomExtension::from_oid_content(PADDING_OID, content))
    }
}

/// Root, intermediates and leaf, with the padding in the order of the chain: leaf first.
fn issue(shape: &ChainShape, padding: &[Padding]) -> Result<Identity, ShapeError> {
    let root_key = TestKey::issuer(shape.issuer, 0);
    let root_params = authority(0, &root_key, Padding::NONE);
    let root = root_params.self_signed(&root_key).expect("complete parameters").der().clone();

    let mut chain = Vec::new();
    let mut issuer = (root_params, root_key);
    for number in 1..shape.certificates {
        let key = TestKey::issuer(shape.issuer, number);
        let params = authority(number, &key, padding[usize::from(shape.certificates - number)]);
        chain.push(sign(&params, &key, &issuer));
        issuer = (params, key);
    }
    let key = TestKey::leaf(shape.key, shape.owner);
    chain.push(sign(&leaf(shape, &key, padding[0])?, &key, &issuer));
    chain.reverse();
    Ok(Identity { chain, key: key.to_pkcs8(), root, shape: shape.clone() })
}

fn sign(
    params: &CertificateParams,
    key: &TestKey,
    (issuer, issuer_key): &(CertificateParams, TestKey),
) -> CertificateDer<'static> {
    let issuer = Issuer::from_params(issuer, issuer_key);
    params.signed_by(key, &issuer).expect("complete parameters").der().clone()
}

fn authority(number: u8, key: &TestKey, padding: Padding) -> CertificateParams {
    let name = if number == 0 { "Windtunnel root".to_owned() } else { format!("Windtunnel intermediate {number}") };
    let mut params = common(&name, number, key, padding);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = TestKey::issuer_usages();
    // RFC 5280 §4.2.1.1: a self-signed certificate may leave it out.
    params.use_authority_key_identifier_extension = number > 0;
    params
}

fn leaf(shape: &ChainShape, key: &TestKey, padding: Padding) -> Result<CertificateParams, ShapeError> {
    let (name, number, usage) = match shape.owner {
        Owner::Server => ("Windtunnel server", 0xff, ExtendedKeyUsagePurpose::ServerAuth),
        Owner::Client => ("Windtunnel client", 0xfe, ExtendedKeyUsagePurpose::ClientAuth),
    };
    let mut params = common(name, number, key, padding);
    for name in &shape.names {
        if !is_host(name) {
            return Err(ShapeError::Name(name.clone()));
        }
        let names = CertificateParams::new(vec![name.clone()]).map_err(|_| ShapeError::Name(name.clone()))?;
        params.subject_alt_names.extend(names.subject_alt_names);
    }
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// An IP address, or labels of letters, digits and inner hyphens (RFC 5890 §2.3.1), the first maybe `*`.
fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.parse::<std::net::IpAddr>().is_ok()
        || name.len() <= 253 && name.strip_prefix("*.").unwrap_or(name).split('.').all(label)
}

fn common(name: &str, number: u8, key: &TestKey, padding: Padding) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    let mut serial = vec![0x57, 0x54, number];
    serial.extend(&padding.variant.to_be_bytes()[2..]);
    // Half of the variants are a byte longer, for the sizes that a length field steps over; each length has four tries
    // to settle.
    serial.resize(serial.len() + (padding.variant / 4 % 2) as usize, 0);
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.key_identifier_method =
        KeyIdMethod::PreSpecified(Sha256::digest(key.subject_public_key_info())[..20].to_vec());
    params.custom_extensions.extend(padding.extension());
    params
}

//! What the benchmark measures: each stack with both ends in one thread, no network between them, and every datagram
//! delivered at once. The MTU is 1200 bytes everywhere, the key exchange X25519, the suite AES-128-GCM with SHA-256 and
//! the server's key ECDSA P-256.
//!
//! One module per stack, and [`floor`] for the cryptography that the same handshake cannot do without. [`table`] reads
//! what the benchmark prints.

pub mod dimpl;
pub mod floor;
pub mod identity;
pub mod native;
pub mod rtc;
pub mod table;

/// Bytes of application data in one record.
pub const PAYLOAD: usize = 1024;

/// Largest datagram, in bytes of UDP payload.
pub const MTU: usize = 1200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::Handshake;

    #[test]
    fn every_row_of_the_benchmark_completes() {
        for provider in native::providers() {
            for handshake in Handshake::ALL {
                native::Pair::new(&provider, handshake).record(&[7; PAYLOAD]);
                floor::Floor::new(&provider).handshake(handshake);
            }
            let floor = floor::Floor::new(&provider);
            [floor.record12(), floor.record13()].iter_mut().for_each(|record| record.protect(&[7; PAYLOAD]));
        }
        for crypto in [dimpl::Crypto::RustCrypto, dimpl::Crypto::AwsLc] {
            for version in [dimpl::Version::V12, dimpl::Version::V13] {
                dimpl::Stack::certificate(crypto, version).pair().record(&[7; PAYLOAD]);
            }
            dimpl::Stack::psk(crypto).pair().record(&[7; PAYLOAD]);
        }
        rtc::Stack::certificate().pair().record(&[7; PAYLOAD]);
        rtc::Stack::psk().pair().record(&[7; PAYLOAD]);
    }
}

//! What the benchmark measures: each stack with both ends in one thread, no network between them, and every datagram
//! delivered at once. The MTU is 1200 bytes everywhere, the key exchange X25519, the suite AES-128-GCM with SHA-256 and
//! the server's key ECDSA P-256.
//!
//! One module per stack, and [`floor`] for the primitives that the same handshake cannot do without.

pub mod dimpl;
pub mod floor;
pub mod identity;
pub mod native;
pub mod rtc;

/// Bytes of application data in one record.
pub const PAYLOAD: usize = 1024;

/// Largest datagram, in bytes of UDP payload.
pub const MTU: usize = 1200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::{Auth, Version};

    #[test]
    fn every_row_of_the_benchmark_completes() {
        for provider in native::providers() {
            for version in [Version::V12, Version::V13] {
                for auth in [Auth::Certificate, Auth::Psk] {
                    native::Pair::new(&provider, version, auth).record(&[7; PAYLOAD]);
                }
            }
            floor::Floor::new(&provider).certificate13();
        }
        for crypto in [dimpl::Crypto::RustCrypto, dimpl::Crypto::AwsLc] {
            for version in [Version::V12, Version::V13] {
                dimpl::Stack::certificate(crypto, version).pair().record(&[7; PAYLOAD]);
            }
            dimpl::Stack::psk(crypto).pair().record(&[7; PAYLOAD]);
        }
        rtc::Stack::certificate().pair().record(&[7; PAYLOAD]);
        rtc::Stack::psk().pair().record(&[7; PAYLOAD]);
    }
}

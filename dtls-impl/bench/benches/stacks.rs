//! `cargo bench --manifest-path dtls-impl/bench/Cargo.toml`: one table. A group is a kind of handshake, or a record of
//! 1 KiB; a line in it is a stack with its cryptography, and `floor` is that cryptography alone. Only ratios within one
//! run mean something: `cargo run --release --manifest-path dtls-impl/bench/Cargo.toml` prints them.
//!
//! Groups without `dimpl` or `rtc` are of what these do not have: resumption, and PSKs in DTLS 1.3.

use divan::counter::{BytesCount, ItemsCount};
use divan::{AllocProfiler, Bencher};
use dtls_bench::native::{Handshake, Provider};
use dtls_bench::{PAYLOAD, dimpl, floor, native, rtc};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

fn providers() -> impl Iterator<Item = Shown> {
    native::providers().into_iter().map(Shown)
}

/// A provider, printed by its name.
struct Shown(Provider);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name)
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name)
    }
}

fn handshakes<T>(bencher: Bencher<'_, '_>, shake: impl Fn() -> T + Sync) {
    bencher.counter(ItemsCount::new(1_usize)).bench(shake);
}

fn records(bencher: Bencher<'_, '_>, mut record: impl FnMut(&[u8])) {
    bencher.counter(BytesCount::new(PAYLOAD)).bench_local(|| record(&[7; PAYLOAD]));
}

/// One group per kind of handshake.
macro_rules! handshake {
    ($group:ident, $handshake:ident $(, dimpl: $dimpl:expr)? $(, rtc: $rtc:expr)?) => {
        mod $group {
            use super::*;

            #[divan::bench(args = providers())]
            fn a_floor(bencher: Bencher<'_, '_>, provider: &Shown) {
                let floor = floor::Floor::new(&provider.0);
                handshakes(bencher, || floor.handshake(Handshake::$handshake));
            }

            #[divan::bench(args = providers())]
            fn b_native(bencher: Bencher<'_, '_>, provider: &Shown) {
                let stack = native::Stack::new(&provider.0, Handshake::$handshake);
                handshakes(bencher, || stack.pair());
            }

            $(
                #[divan::bench(args = [dimpl::Crypto::RustCrypto, dimpl::Crypto::AwsLc])]
                fn c_dimpl(bencher: Bencher<'_, '_>, crypto: dimpl::Crypto) {
                    let stack: dimpl::Stack = $dimpl(crypto);
                    handshakes(bencher, || stack.pair());
                }
            )?

            $(
                #[divan::bench]
                fn d_rtc_ring(bencher: Bencher<'_, '_>) {
                    let stack = $rtc;
                    handshakes(bencher, || stack.pair());
                }
            )?
        }
    };
}

handshake!(handshake_12_ecdsa, Certificate12,
    dimpl: |crypto| dimpl::Stack::certificate(crypto, dimpl::Version::V12), rtc: rtc::Stack::certificate());
handshake!(handshake_12_psk, Psk12, dimpl: dimpl::Stack::psk, rtc: rtc::Stack::psk());
handshake!(handshake_12_session_id, Id12);
handshake!(handshake_12_ticket, Ticket12);
handshake!(handshake_13_ecdsa, Certificate13,
    dimpl: |crypto| dimpl::Stack::certificate(crypto, dimpl::Version::V13));
handshake!(handshake_13_psk, Psk13);
handshake!(handshake_13_ticket, Ticket13);

/// One group per version.
macro_rules! record {
    ($group:ident, $handshake:ident, $record:ident, $version:ident $(, rtc: $rtc:expr)?) => {
        mod $group {
            use super::*;

            #[divan::bench(args = providers())]
            fn a_floor(bencher: Bencher<'_, '_>, provider: &Shown) {
                let mut record = floor::Floor::new(&provider.0).$record();
                records(bencher, |data| record.protect(data));
            }

            #[divan::bench(args = providers())]
            fn b_native(bencher: Bencher<'_, '_>, provider: &Shown) {
                let mut pair = native::Pair::new(&provider.0, Handshake::$handshake);
                records(bencher, |data| pair.record(data));
            }

            #[divan::bench(args = [dimpl::Crypto::RustCrypto, dimpl::Crypto::AwsLc])]
            fn c_dimpl(bencher: Bencher<'_, '_>, crypto: dimpl::Crypto) {
                let mut pair = dimpl::Stack::certificate(crypto, dimpl::Version::$version).pair();
                records(bencher, |data| pair.record(data));
            }

            $(
                #[divan::bench]
                fn d_rtc_ring(bencher: Bencher<'_, '_>) {
                    let mut pair = $rtc.pair();
                    records(bencher, |data| pair.record(data));
                }
            )?
        }
    };
}

record!(record_12, Certificate12, record12, V12, rtc: rtc::Stack::certificate());
record!(record_13, Certificate13, record13, V13);

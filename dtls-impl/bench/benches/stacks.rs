//! `cargo bench --manifest-path dtls-impl/bench/Cargo.toml`: one table. A group is a kind of handshake, or a record of
//! 1 KiB; a line in it is a stack with its cryptography, and `floor` is that cryptography alone. Only ratios within one
//! run mean something.

use divan::counter::{BytesCount, ItemsCount};
use divan::{AllocProfiler, Bencher};
use dtls_bench::native::{Auth, Provider, Version};
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
macro_rules! group {
    ($group:ident, $version:expr, $auth:expr, $floor:ident, dimpl: $dimpl:expr $(, rtc: $rtc:expr)?) => {
        mod $group {
            use super::*;

            #[divan::bench(args = providers())]
            fn a_floor(bencher: Bencher<'_, '_>, provider: &Shown) {
                let floor = floor::Floor::new(&provider.0);
                handshakes(bencher, || floor.$floor());
            }

            #[divan::bench(args = providers())]
            fn b_native(bencher: Bencher<'_, '_>, provider: &Shown) {
                let stack = native::Stack::new(&provider.0, $version, $auth);
                handshakes(bencher, || stack.pair());
            }

            #[divan::bench(args = [dimpl::Crypto::RustCrypto, dimpl::Crypto::AwsLc])]
            fn c_dimpl(bencher: Bencher<'_, '_>, crypto: dimpl::Crypto) {
                let stack: Option<dimpl::Stack> = $dimpl(crypto);
                if let Some(stack) = stack {
                    handshakes(bencher, || stack.pair());
                }
            }

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

group!(handshake_ecdsa_12_cookie, Version::V12, Auth::Certificate, certificate12,
    dimpl: |crypto| Some(dimpl::Stack::certificate(crypto, Version::V12)), rtc: rtc::Stack::certificate());
group!(handshake_ecdsa_13, Version::V13, Auth::Certificate, certificate13,
    dimpl: |crypto| Some(dimpl::Stack::certificate(crypto, Version::V13)));
group!(handshake_psk_12_cookie, Version::V12, Auth::Psk, psk12,
    dimpl: |crypto| Some(dimpl::Stack::psk(crypto)), rtc: rtc::Stack::psk());
group!(handshake_psk_13, Version::V13, Auth::Psk, psk13, dimpl: |_| None);

mod record_1k {
    use super::*;

    #[divan::bench(args = providers())]
    fn a_floor(bencher: Bencher<'_, '_>, provider: &Shown) {
        let mut record = floor::Floor::new(&provider.0).record();
        records(bencher, |data| record.seal_and_open(data));
    }

    #[divan::bench(args = providers())]
    fn b_native_12(bencher: Bencher<'_, '_>, provider: &Shown) {
        let mut pair = native::Pair::new(&provider.0, Version::V12, Auth::Certificate);
        records(bencher, |data| pair.record(data));
    }

    #[divan::bench(args = providers())]
    fn b_native_13(bencher: Bencher<'_, '_>, provider: &Shown) {
        let mut pair = native::Pair::new(&provider.0, Version::V13, Auth::Certificate);
        records(bencher, |data| pair.record(data));
    }

    #[divan::bench(args = [dimpl::Crypto::RustCrypto, dimpl::Crypto::AwsLc])]
    fn c_dimpl_12(bencher: Bencher<'_, '_>, crypto: dimpl::Crypto) {
        let mut pair = dimpl::Stack::certificate(crypto, Version::V12).pair();
        records(bencher, |data| pair.record(data));
    }

    #[divan::bench(args = [dimpl::Crypto::RustCrypto, dimpl::Crypto::AwsLc])]
    fn c_dimpl_13(bencher: Bencher<'_, '_>, crypto: dimpl::Crypto) {
        let mut pair = dimpl::Stack::certificate(crypto, Version::V13).pair();
        records(bencher, |data| pair.record(data));
    }

    #[divan::bench]
    fn d_rtc_ring_12(bencher: Bencher<'_, '_>) {
        let mut pair = rtc::Stack::certificate().pair();
        records(bencher, |data| pair.record(data));
    }
}

//! Compiles the shim against the system's OpenSSL, or OpenSSL as well.

use peer_support::Takeover;

/// Two versions of the same crate, with the same functions.
#[cfg(any(feature = "vendored-3-6", feature = "vendored-4-0"))]
macro_rules! vendored {
    ($openssl_src:ident) => {
        let openssl = $openssl_src::Build::new().build();
        peer_support::shim(Takeover::Linked, |build| {
            build.include(openssl.include_dir()).define("VENDORED", None);
        });
        // After the shim, which needs it.
        openssl.print_cargo_metadata();
    };
}

fn main() {
    #[cfg(feature = "vendored-4-0")]
    vendored!(openssl_src_4_0);
    #[cfg(all(feature = "vendored-3-6", not(feature = "vendored-4-0")))]
    vendored!(openssl_src_3_6);
    #[cfg(not(any(feature = "vendored-3-6", feature = "vendored-4-0")))]
    of_the_system();
}

#[cfg(not(any(feature = "vendored-3-6", feature = "vendored-4-0")))]
fn of_the_system() {
    let openssl =
        pkg_config::Config::new().atleast_version("3.0").probe("openssl").expect("OpenSSL's headers are installed");
    peer_support::shim(Takeover::Exported, |build| {
        build.includes(openssl.include_paths);
    });
}

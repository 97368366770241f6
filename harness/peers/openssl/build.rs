//! Compiles the shim against the system's OpenSSL, or against the one that `source` has compiled.

use std::env;

use peer_support::Takeover;

fn main() {
    if let Ok(include) = env::var("DEP_PEER_OPENSSL_INCLUDE") {
        peer_support::shim(Takeover::Linked, |build| {
            build.include(include).define("VENDORED", None);
        });
    } else {
        let openssl =
            pkg_config::Config::new().atleast_version("3.0").probe("openssl").expect("OpenSSL's headers are installed");
        peer_support::shim(Takeover::Exported, |build| {
            build.includes(openssl.include_paths);
        });
    }
}

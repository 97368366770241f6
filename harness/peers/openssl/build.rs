//! Compiles the shim against the system's OpenSSL.

use peer_support::Takeover;

fn main() {
    let openssl = pkg_config::Config::new().atleast_version("3.0").probe("openssl").expect("OpenSSL's headers are installed");
    peer_support::shim(Takeover::Exported, |build| {
        build.includes(openssl.include_paths);
    });
}

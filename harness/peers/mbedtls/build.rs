//! Compiles the shim against the headers of Mbed TLS, and those that it keeps to itself.

use std::env;

use peer_support::Takeover;

fn main() {
    let folders = ["INCLUDE", "LIBRARY"]
        .map(|name| env::var(format!("DEP_PEER_MBEDTLS_{name}")).expect("the build script of `source` says it"));
    peer_support::shim(Takeover::Linked, |build| {
        for folder in &folders {
            build.flag("-isystem").flag(folder);
        }
        build.include("source").define("MBEDTLS_USER_CONFIG_FILE", "\"config.h\"");
    });
}

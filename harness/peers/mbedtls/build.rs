//! Compiles Mbed TLS and the shim.

use peer_support::{Takeover, foreign, shim, source, sources};

fn main() {
    let root = source("mbedtls-rs-sys").join("mbedtls");
    let includes = [root.join("include"), root.join("library")];
    let config = ("MBEDTLS_USER_CONFIG_FILE", "\"config.h\"");
    shim(Takeover::Linked, |build| {
        for folder in &includes {
            build.flag("-isystem").flag(folder);
        }
        build.include(".").define(config.0, config.1);
    });
    foreign()
        .files(sources(&root.join("library")))
        .includes(&includes)
        .include(".")
        .define(config.0, config.1)
        .compile("mbedtls");
    println!("cargo:rerun-if-changed=config.h");
}

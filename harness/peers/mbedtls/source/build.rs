//! Compiles Mbed TLS, with nothing but a C compiler.

fn main() {
    let root = peer_support::source("mbedtls-rs-sys").join("mbedtls");
    let (include, library) = (root.join("include"), root.join("library"));
    peer_support::foreign()
        .files(peer_support::sources(&library))
        .includes([&include, &library])
        .include(".")
        .define("MBEDTLS_USER_CONFIG_FILE", "\"config.h\"")
        .compile("mbedtls");
    println!("cargo:include={}", include.display());
    println!("cargo:library={}", library.display());
    println!("cargo:rerun-if-changed=config.h");
    println!("cargo:rerun-if-changed=build.rs");
}

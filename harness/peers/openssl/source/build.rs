//! Compiles the version of OpenSSL that a feature names; without one there is nothing to do.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "vendored-4-0")]
    let openssl = openssl_src_4_0::Build::new().build();
    #[cfg(all(feature = "vendored-3-6", not(feature = "vendored-4-0")))]
    let openssl = openssl_src_3_6::Build::new().build();
    #[cfg(any(feature = "vendored-3-6", feature = "vendored-4-0"))]
    openssl.print_cargo_metadata();
}

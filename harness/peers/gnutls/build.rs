//! Compiles the shim and links the system's GnuTLS.

use peer_support::{Takeover, shim};

fn main() {
    let found = pkg_config::Config::new().atleast_version("3.7").cargo_metadata(false).probe("gnutls");
    let library = found.expect("GnuTLS with its headers is installed");
    shim(Takeover::Exported, |build| {
        build.includes(&library.include_paths);
    });
    // After the shim, which needs it.
    for folder in &library.link_paths {
        println!("cargo:rustc-link-search=native={}", folder.display());
    }
    for name in &library.libs {
        println!("cargo:rustc-link-lib={name}");
    }
}

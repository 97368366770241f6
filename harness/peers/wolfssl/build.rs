//! Compiles wolfSSL from the source of its crate, and the shim.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use peer_support::Takeover;

/// Parts of other files, which include them.
const INCLUDED: [&str; 11] =
    ["bio.c", "conf.c", "pk.c", "pk_ec.c", "pk_rsa.c", "x509.c", "x509_str.c", "misc.c", "evp.c", "evp_pk.c", "asn_orig.c"];

fn main() {
    let source = peer_support::source("wolfssl-sys").join("wolfssl-src");
    let configure = |build: &mut cc::Build| {
        build.include(&source).include(".").define("WOLFSSL_USER_SETTINGS", None);
    };
    let mut stack = peer_support::foreign();
    configure(&mut stack);
    for folder in ["src", "wolfcrypt/src"] {
        stack.files(sources(&source.join(folder)));
    }
    stack.compile("wolfssl");
    peer_support::shim(Takeover::Linked, configure);
    println!("cargo:rerun-if-changed=user_settings.h");
    println!("cargo:rustc-link-lib=m");
}

/// The files to compile in a folder, in an order that does not change.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the crate ships its source");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("can be read").path()).collect();
    files.retain(|path| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        name.ends_with(".c") && !name.starts_with("ssl_") && name != "asn_tsp.c" && !INCLUDED.contains(&name)
    });
    files.sort();
    files
}

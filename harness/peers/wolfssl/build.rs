//! Compiles wolfSSL from the source of its crate, and the shim.

use std::ffi::OsStr;
use std::path::Path;

use peer_support::Takeover;

/// Parts of other files, which include them; `ssl.c` is included by our `sessions.c`.
const INCLUDED: [&str; 13] = [
    "ssl.c", "bio.c", "conf.c", "pk.c", "pk_ec.c", "pk_rsa.c", "x509.c", "x509_str.c", "misc.c", "evp.c", "evp_pk.c",
    "asn_orig.c", "asn_tsp.c",
];

fn main() {
    let source = peer_support::source("wolfssl-sys").join("wolfssl-src");
    let configure = |build: &mut cc::Build| {
        build.include(&source).include(".").define("WOLFSSL_USER_SETTINGS", None);
    };
    let mut stack = peer_support::foreign();
    configure(&mut stack);
    for folder in ["src", "wolfcrypt/src"] {
        stack.files(peer_support::sources(&source.join(folder)).into_iter().filter(|path| is_compiled(path)));
    }
    stack.file("sessions.c").compile("wolfssl");
    peer_support::shim(Takeover::Linked, configure);
    println!("cargo:rerun-if-changed=sessions.c");
    println!("cargo:rerun-if-changed=user_settings.h");
    println!("cargo:rustc-link-lib=m");
}

/// Files named `ssl_` are parts of `ssl.c`.
fn is_compiled(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    !name.starts_with("ssl_") && !INCLUDED.contains(&name)
}

//! Compiles tinydtls and the shim, which is its platform: clock and randomness are the shim's.

use peer_support::{Takeover, foreign, shim, source};

const FILES: [&str; 12] = [
    "aes/rijndael.c", "aes/rijndael_wrap.c", "ccm.c", "crypto.c", "dtls.c", "dtls_debug.c", "ecc/ecc.c", "hmac.c", "netq.c",
    "peer.c", "session.c", "sha2/sha2.c",
];

fn main() {
    let root = source("tinydtls-sys").join("src/tinydtls");
    shim(Takeover::Linked, |build| {
        build.include(".").flag("-isystem").flag(&root);
    });
    foreign().include(".").include(&root).files(FILES.map(|file| root.join(file))).compile("tinydtls");
    println!("cargo:rerun-if-changed=dtls_config.h");
}

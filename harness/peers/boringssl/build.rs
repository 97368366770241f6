//! Compiles the shim against BoringSSL's headers.

use std::env;

use peer_support::Takeover;

fn main() {
    let [include, version] = ["INCLUDE", "VERSION"]
        .map(|name| env::var(format!("DEP_PEER_BORINGSSL_{name}")).expect("the build script of `source` says it"));
    peer_support::shim(Takeover::LinkedWithSyscall, |build| {
        build.include(include).define("BORING_SYS_VERSION", &*format!("\"{version}\""));
    });
}

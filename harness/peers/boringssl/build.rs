//! Compiles BoringSSL and the shim.

use peer_support::Takeover;

const VERSION: &str = "boring-sys-5.4.0";

fn main() {
    let source = peer_support::source("boring-sys").join("deps/boringssl");
    let lists = std::fs::read_to_string(source.join("gen/sources.cmake")).expect("the list of sources");
    let assembler = ["BCM_SOURCES_ASM", "CRYPTO_SOURCES_ASM"].map(|name| list(&lists, name)).concat();
    let compiled = ["BCM_SOURCES", "CRYPTO_SOURCES", "SSL_SOURCES"].map(|name| list(&lists, name)).concat();

    let mut build = peer_support::foreign();
    build.cpp(true).std("c++17").include(source.join("include")).define("BORINGSSL_IMPLEMENTATION", None);
    // As its own build has it; it needs nothing of the C++ library but the headers.
    build
        .flag("-fno-common")
        .flag("-fno-strict-aliasing")
        .flag("-fno-exceptions")
        .flag("-fno-rtti")
        .cpp_link_stdlib(None);
    build.files(compiled.iter().map(|file| source.join(file)));
    let mut assembly = peer_support::foreign();
    assembly.include(source.join("include"));
    // The shim stands in for the processor's generator. What is for other processors is empty on this one.
    assembly.files(assembler.iter().filter(|file| !file.contains("rdrand")).map(|file| source.join(file)));

    peer_support::shim(Takeover::LinkedWithSyscall, |build| {
        build.include(source.join("include")).define("BORING_SYS_VERSION", &*format!("\"{VERSION}\""));
    });
    build.compile("boringssl");
    assembly.compile("boringssl-assembly");
}

/// The files of one list in `sources.cmake`.
fn list<'a>(lists: &'a str, name: &str) -> Vec<&'a str> {
    let (_, rest) = lists.split_once(&format!("set(\n  {name}\n")).expect("a list of that name");
    let (list, _) = rest.split_once(')').expect("an end of the list");
    list.split_whitespace().collect()
}

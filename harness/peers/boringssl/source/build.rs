//! Compiles BoringSSL from its lists of sources, with nothing but a C++ compiler.

fn main() {
    let package = peer_support::source("boring-sys");
    let source = package.join("deps/boringssl");
    let lists = std::fs::read_to_string(source.join("gen/sources.cmake")).expect("the list of sources");
    let assembler = ["BCM_SOURCES_ASM", "CRYPTO_SOURCES_ASM"].map(|name| list(&lists, name)).concat();
    let compiled = ["BCM_SOURCES", "CRYPTO_SOURCES", "SSL_SOURCES"].map(|name| list(&lists, name)).concat();

    let mut build = peer_support::foreign();
    build.cpp(true).std("c++17").include(source.join("include")).define("BORINGSSL_IMPLEMENTATION", None);
    // As its own build has it.
    for flag in ["-fno-common", "-fno-strict-aliasing", "-fno-exceptions", "-fno-rtti"] {
        build.flag(flag);
    }
    build.files(compiled.iter().map(|file| source.join(file))).compile("boringssl");

    // The shim stands in for the processor's random generator. What is for other processors is empty on this one.
    let mut assembly = peer_support::foreign();
    assembly.include(source.join("include"));
    assembly.files(assembler.iter().filter(|file| !file.contains("rdrand")).map(|file| source.join(file)));
    assembly.compile("boringssl-assembly");

    println!("cargo:include={}", source.join("include").display());
    println!("cargo:version={}", package.file_name().unwrap_or_default().to_string_lossy());
    println!("cargo:rerun-if-changed=build.rs");
}

/// The files of one list in `sources.cmake`.
fn list<'a>(lists: &'a str, name: &str) -> Vec<&'a str> {
    let (_, rest) = lists.split_once(&format!("set(\n  {name}\n")).expect("a list of that name");
    let (list, _) = rest.split_once(')').expect("an end of the list");
    list.split_whitespace().collect()
}

#![no_main]

#[path = "../bodies/mod.rs"]
#[allow(dead_code, unused_imports, reason = "each target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::records(input));

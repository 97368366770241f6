//! Mbed TLS, as a static library: nothing of it is Rust.

//! BoringSSL, compiled by the build script.

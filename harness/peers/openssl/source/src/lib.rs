//! OpenSSL, compiled by the build script if a feature asks for it.

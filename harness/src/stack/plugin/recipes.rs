//! How the plugins that come with the project are built. Owns names and needs; building is the command line's.

/// A plugin that can be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// As typed, with a version where it names one.
    pub name: &'static str,
    /// Folder of its package below `harness/peers`.
    pub package: &'static str,
    /// Features of the package that make it this one.
    pub features: &'static [&'static str],
    /// One line on what is built from what.
    pub about: &'static str,
    /// What must be there beside cargo and a C compiler, as Debian packages.
    pub needs: &'static [&'static str],
}

/// All of them, by name.
pub const RECIPES: [Recipe; 8] = [
    Recipe {
        name: "boringssl",
        package: "boringssl",
        features: &[],
        about: "BoringSSL, DTLS 1.2 and 1.3, from source",
        needs: &["g++"],
    },
    Recipe {
        name: "gnutls",
        package: "gnutls",
        features: &[],
        about: "GnuTLS, DTLS 1.2, the system's library",
        needs: &["libgnutls28-dev", "pkg-config"],
    },
    Recipe {
        name: "mbedtls",
        package: "mbedtls",
        features: &[],
        about: "Mbed TLS 3.6, DTLS 1.2 with connection IDs, from source",
        needs: &[],
    },
    Recipe {
        name: "openssl",
        package: "openssl",
        features: &[],
        about: "OpenSSL, DTLS 1.2, the system's library",
        needs: &["libssl-dev", "pkg-config"],
    },
    Recipe {
        name: "openssl@3.6",
        package: "openssl",
        features: &["vendored-3-6"],
        about: "OpenSSL 3.6, DTLS 1.2, from source",
        needs: &["perl", "make"],
    },
    Recipe {
        name: "openssl@4.0",
        package: "openssl",
        features: &["vendored-4-0"],
        about: "OpenSSL 4.0, DTLS 1.2, from source",
        needs: &["perl", "make"],
    },
    Recipe {
        name: "tinydtls",
        package: "tinydtls",
        features: &[],
        about: "tinydtls, DTLS 1.2 with pre-shared and raw public keys, from source",
        needs: &[],
    },
    Recipe {
        name: "wolfssl",
        package: "wolfssl",
        features: &[],
        about: "wolfSSL 5, DTLS 1.2 and 1.3, from source; GPL, so never part of a distributed binary",
        needs: &[],
    },
];

/// The recipe of this name.
pub fn recipe(name: &str) -> Option<&'static Recipe> {
    RECIPES.iter().find(|recipe| recipe.name == name)
}

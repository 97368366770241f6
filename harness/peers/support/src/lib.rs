//! For the build scripts of plugins: where the source of a stack is, and how its shim is compiled.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folder of the plugins, `harness/peers`.
fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("has a parent").to_path_buf()
}

/// The unpacked source of a crate that the plugin's manifest names for no target at all: pinned and checksummed by the lock
/// file, downloaded by `cargo fetch`, and its own build script, with all that it needs, never run.
///
/// # Panics
///
/// With what cargo said, if it does not know the crate.
pub fn source(name: &str) -> PathBuf {
    let manifest = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("set by cargo")).join("Cargo.toml");
    let mut cargo = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--manifest-path"]).arg(&manifest);
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let folders = text.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut folders = folders.filter_map(|path| Path::new(path).parent()).filter(|folder| {
        let folder = folder.file_name().unwrap_or_default().to_string_lossy();
        folder
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()))
    });
    folders
        .next()
        .unwrap_or_else(|| panic!("{name} is not among the dependencies of {}", manifest.display()))
        .to_path_buf()
}

/// The C files of a folder, in order of their names.
///
/// # Panics
///
/// If the folder cannot be read.
pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("folder can be read").path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "c")).collect();
    files.sort();
    files
}

/// A compiler for C of the project's own: all warnings, and the common parts' headers.
pub fn own() -> cc::Build {
    let mut build = cc::Build::new();
    build.std("c11").opt_level(2).warnings(true).extra_warnings(true).flag("-Wno-unused-parameter");
    build.include(peers()).include(peers().join("common")).flag("-fvisibility=hidden");
    build
}

/// A compiler for C that is not ours, and whose warnings are not either.
pub fn foreign() -> cc::Build {
    let mut build = cc::Build::new();
    build.opt_level(2).warnings(false).flag("-fvisibility=hidden").flag("-w").debug(false);
    build
}

/// Compiles the shim `shim.c` of this plugin with the common parts. `configure` adds what the stack needs.
pub fn shim(takeover: Takeover, configure: impl FnOnce(&mut cc::Build)) {
    let common = peers().join("common");
    let mut build = own();
    build.file("shim.c").file(common.join("queue.c")).file(common.join("takeover.c"));
    match takeover {
        Takeover::Linked => {}
        Takeover::LinkedWithSyscall => {
            build.define("WT_TAKEOVER_SYSCALL", None);
        }
        Takeover::Exported => {
            build.define("WT_TAKEOVER_EXPORTED", None);
        }
    }
    configure(&mut build);
    build.compile("shim");
    println!("cargo:rerun-if-changed=shim.c");
    println!("cargo:rerun-if-changed={}", common.display());
    println!("cargo:rerun-if-changed={}", peers().join("windtunnel_peer.h").display());
}

/// How time and randomness of the stack are taken over: see `common/takeover.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// The stack is linked into the plugin, and asks libc.
    Linked,
    /// It also asks the kernel around libc.
    LinkedWithSyscall,
    /// The stack is a shared library: lib.rs includes `common/takeover.rs`.
    Exported,
}

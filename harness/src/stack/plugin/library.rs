//! Opens a plugin and checks what it says of itself. A plugin stays loaded until the process ends.

use std::ffi::{CStr, c_char};
use std::path::Path;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW, Symbol};

use super::abi::{self, Table};
use crate::stack::Determinism;

const SYMBOL: &str = "windtunnel_peer";

/// `RTLD_DEEPBIND` of glibc: what the plugin and the libraries it brings ask for, they find in themselves first. That lets
/// a plugin answer for libc's clocks (`harness/peers/common/takeover.rs`), and keeps stacks that share names apart.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const DEEPBIND: i32 = 8;
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const DEEPBIND: i32 = 0;

/// A plugin that has been checked.
pub(super) struct Plugin {
    pub(super) table: &'static Table,
    /// As it says, without a version.
    pub(super) name: String,
    pub(super) version: String,
    pub(super) about: String,
    /// `WT_DTLS12` and so on.
    pub(super) features: u32,
    pub(super) determinism: Determinism,
}

/// Opens the plugin in a file and prepares it. The error says what is wrong with it, in words that follow its name.
pub(super) fn open(path: &Path) -> Result<Plugin, String> {
    // SAFETY: runs the initialisers of code that its user has built or chosen to load. That this code is sound is the
    // plugin's side of the contract; `windtunnel` loads it in a child first to see whether it crashes.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL | DEEPBIND) };
    let library = library.map_err(|error| format!("cannot be loaded: {error}"))?;
    // SAFETY: the header fixes the type of this symbol.
    let entry: Result<Symbol<unsafe extern "C" fn() -> *const Table>, _> = unsafe { library.get(SYMBOL.as_bytes()) };
    let entry = *entry.map_err(|_| format!("is no plugin: it does not export `{SYMBOL}`"))?;
    // Tables, strings and threads of the plugin live as long as the process: it is never unloaded.
    std::mem::forget(library);
    // SAFETY: as the header says, it takes nothing.
    let table = unsafe { entry() };
    // The first two fields are the same in all versions of the interface.
    // SAFETY: not null, and by the header valid for ever.
    let (version, size) = match table.is_null() {
        true => return Err("returns no table".to_owned()),
        false => unsafe { ((*table).abi, (*table).size) },
    };
    if version != abi::ABI {
        return Err(format!("speaks version {version} of the interface, not {}: build it anew", abi::ABI));
    }
    let wanted = size_of::<Table>();
    if (size as usize) < wanted {
        return Err(format!("has a table of {size} B, not {wanted}: it was built with another header"));
    }
    // SAFETY: large enough, as it says, and by the header valid for ever.
    let table: &'static Table = unsafe { &*table };
    if let Some(name) = table.missing() {
        return Err(format!("has no function `{name}` in its table"));
    }
    let (Some(prepare), Some(identity)) = (table.prepare, table.identity) else { unreachable!("checked above") };
    // SAFETY: called once, before any other.
    if let Some(why) = text(unsafe { prepare() }) {
        return Err(format!("could not be prepared: {why}"));
    }
    // SAFETY: after `prepare`, as the header has it.
    let identity = unsafe { identity().as_ref() }.ok_or("does not say who it is")?;
    let (Some(name), Some(version)) = (text(identity.name), text(identity.version)) else {
        return Err("does not say its name and version".to_owned());
    };
    Ok(Plugin {
        table,
        name,
        version,
        about: text(identity.about).unwrap_or_default(),
        features: identity.features,
        determinism: match identity.determinism {
            abi::WT_BYTES => Determinism::Bytes,
            abi::WT_TIMING => Determinism::Timing,
            other => return Err(format!("promises {other} of its runs, which is nothing known")),
        },
    })
}

/// Text that a plugin returned; `None` for a null pointer.
pub(super) fn text(text: *const c_char) -> Option<String> {
    // SAFETY: by the header either null or a string that ends with a zero byte and is valid until the next call.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

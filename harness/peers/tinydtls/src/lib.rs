//! Exports the table of `shim.c`: only Rust code can export from a cdylib.

use std::ffi::c_void;

unsafe extern "C" {
    fn wt_table() -> *const c_void;
}

/// The one exported symbol: see `windtunnel_peer.h`.
#[unsafe(no_mangle)]
pub extern "C" fn windtunnel_peer() -> *const c_void {
    // SAFETY: takes nothing, returns the address of a constant.
    unsafe { wt_table() }
}

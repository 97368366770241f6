// The names by which libraries that a plugin depends on ask for time and randomness, exported: the host opens plugins with
// RTLD_DEEPBIND, so that their dependencies find these before libc's. Each hands on to takeover.c, compiled with
// WT_TAKEOVER_EXPORTED. `include!` this file in the plugin's lib.rs.

mod takeover {
    use std::ffi::{c_int, c_long, c_uint, c_void};

    macro_rules! export {
        ($($name:ident = $inner:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
            unsafe extern "C" {
                $(fn $inner($($arg: $type),*) -> $result;)*
            }
            $(
                /// # Safety
                ///
                /// As the function of libc.
                #[unsafe(no_mangle)]
                pub unsafe extern "C" fn $name($($arg: $type),*) -> $result {
                    // SAFETY: the caller's arguments, as they are.
                    unsafe { $inner($($arg),*) }
                }
            )*
        };
    }

    export! {
        clock_gettime = wt_clock_gettime(clock: c_int, out: *mut c_void) -> c_int;
        gettimeofday = wt_gettimeofday(out: *mut c_void, zone: *mut c_void) -> c_int;
        time = wt_time(out: *mut c_long) -> c_long;
        getrandom = wt_getrandom(out: *mut c_void, len: usize, flags: c_uint) -> isize;
        getentropy = wt_getentropy(out: *mut c_void, len: usize) -> c_int;
    }
}

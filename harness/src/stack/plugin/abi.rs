//! `harness/peers/windtunnel_peer.h` in Rust: the same names, the same order. Owns no behaviour.

use std::ffi::{c_char, c_int, c_void};

/// `WT_ABI`.
pub(super) const ABI: u32 = 1;
/// `WT_DATAGRAM_MAX`.
pub(super) const DATAGRAM_MAX: usize = 65_507;
/// `WT_NEVER`.
pub(super) const NEVER: u64 = u64::MAX;

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Bytes {
    pub(super) data: *const u8,
    pub(super) len: usize,
}

impl Bytes {
    pub(super) const NONE: Self = Self { data: std::ptr::null(), len: 0 };

    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), len: bytes.len() }
    }
}

/// `enum wt_determinism`.
pub(super) const WT_BYTES: u32 = 0;
pub(super) const WT_TIMING: u32 = 1;

/// What a stack can do: `WT_DTLS12` and so on.
pub(super) mod feature {
    pub(in super::super) const DTLS12: u32 = 1 << 0;
    pub(in super::super) const DTLS13: u32 = 1 << 1;
    pub(in super::super) const CERTIFICATES: u32 = 1 << 2;
    pub(in super::super) const PSK: u32 = 1 << 3;
    /// Those of [`Features::asked`](crate::endpoint::Features::asked), by the words it has for them.
    pub(in super::super) const ASKED: [(u32, &str); 13] = [
        (1 << 4, "client authentication"),
        (1 << 5, "raw public keys"),
        (1 << 6, "session resumption"),
        (1 << 7, "choice of PSK modes"),
        (1 << 8, "import of external PSKs"),
        (1 << 9, "early data"),
        (1 << 10, "connection IDs"),
        (1 << 11, "choice of application protocols"),
        (1 << 12, "limit on the size of records"),
        (1 << 13, "key update on request"),
        (1 << 14, "requests for connection IDs"),
        (1 << 15, "early data without a cookie"),
        (1 << 16, "key update of one end alone"),
    ];
}

#[repr(C)]
pub(super) struct Identity {
    pub(super) name: *const c_char,
    pub(super) version: *const c_char,
    pub(super) about: *const c_char,
    pub(super) features: u32,
    pub(super) determinism: u32,
}

#[repr(C)]
pub(super) struct Config {
    pub(super) size: u32,
    pub(super) role: u8,
    pub(super) version: u8,
    pub(super) credentials: u8,
    pub(super) cookie: u8,
    pub(super) mtu: u16,
    pub(super) record_size_limit: u16,
    pub(super) server_name: *const c_char,
    pub(super) unix_time: u64,
    pub(super) psk_identity: Bytes,
    pub(super) psk_key: Bytes,
    pub(super) psk_import: *const c_char,
    pub(super) psk_modes: [u8; 2],
    pub(super) client_auth: u8,
    pub(super) raw_public_keys: u8,
    pub(super) chain: *const Bytes,
    pub(super) chain_len: usize,
    pub(super) key: Bytes,
    pub(super) root: Bytes,
    pub(super) peer_key: Bytes,
    pub(super) suites: *const *const c_char,
    pub(super) suites_len: usize,
    pub(super) groups: *const *const c_char,
    pub(super) groups_len: usize,
    pub(super) alpn: *const *const c_char,
    pub(super) alpn_len: usize,
    pub(super) timer_initial: u64,
    pub(super) timer_max: u64,
    pub(super) give_up: u64,
    pub(super) resumption: u8,
    pub(super) tickets: u8,
    pub(super) ticket_lifetime: u64,
    pub(super) early_data: u32,
    pub(super) early_data_window: u64,
    pub(super) connection_id: i32,
    pub(super) return_routability: u8,
    pub(super) follow_unchecked: u8,
    pub(super) key_update: u8,
    pub(super) connection_id_messages: u8,
    pub(super) early_data_without_cookie: u8,
}

#[repr(C)]
pub(super) struct Host {
    pub(super) size: u32,
    pub(super) data: *mut c_void,
    pub(super) random: unsafe extern "C" fn(*mut c_void, *mut u8, usize),
}

#[repr(C)]
pub(super) struct Event {
    pub(super) kind: u32,
    pub(super) body: Bytes,
}

/// `enum wt_event_kind`.
pub(super) mod event {
    pub(in super::super) const ESTABLISHED: u32 = 1;
    pub(in super::super) const DATA: u32 = 2;
    pub(in super::super) const PEER_CLOSED: u32 = 3;
    pub(in super::super) const FAILED: u32 = 4;
    pub(in super::super) const DISCARDED: u32 = 5;
    pub(in super::super) const KEY_LOG: u32 = 6;
    pub(in super::super) const SEND_REFUSED: u32 = 7;
    pub(in super::super) const SESSION: u32 = 8;
    pub(in super::super) const EARLY_DATA: u32 = 9;
    pub(in super::super) const EARLY_ACCEPTED: u32 = 10;
    pub(in super::super) const EARLY_REJECTED: u32 = 11;
    pub(in super::super) const PEER_MOVED: u32 = 12;
    pub(in super::super) const RESUMED: u32 = 13;
    pub(in super::super) const CLIENT_CERTIFICATE: u32 = 14;
    pub(in super::super) const ALPN: u32 = 15;
}

/// `enum wt_ask`.
pub(super) mod ask {
    pub(in super::super) const UPDATE_KEYS: u32 = 1;
    pub(in super::super) const REQUEST_CONNECTION_IDS: u32 = 2;
    pub(in super::super) const NEW_CONNECTION_IDS: u32 = 3;
    pub(in super::super) const REPLACE_CONNECTION_IDS: u32 = 4;
}

/// `wt_context` and `wt_peer`: known to the plugin alone.
#[repr(C)]
pub(super) struct Context([u8; 0]);
#[repr(C)]
pub(super) struct Peer([u8; 0]);

/// Text that refuses, or null.
pub(super) type Refusal = *const c_char;

macro_rules! table {
    ($($(#[$optional:ident])? $name:ident($($arg:ty),*) $(-> $result:ty)?;)*) => {
        /// `wt_peer_table`, as a plugin gave it: any pointer may be null.
        #[repr(C)]
        pub(super) struct Table {
            pub(super) abi: u32,
            pub(super) size: u32,
            $(pub(super) $name: Option<unsafe extern "C" fn($($arg),*) $(-> $result)?>,)*
        }

        impl Table {
            /// The first function that is missing and may not be.
            pub(super) fn missing(&self) -> Option<&'static str> {
                $(
                    let optional = false $(|| stringify!($optional) == "optional")?;
                    if !optional && self.$name.is_none() {
                        return Some(stringify!($name));
                    }
                )*
                None
            }
        }
    };
}

table! {
    identity() -> *const Identity;
    prepare() -> Refusal;
    unsupported(*const Config) -> Refusal;
    context_new(*const Config, *const Host, u64, *mut Refusal) -> *mut Context;
    context_free(*mut Context);
    peer_new(*mut Context, *const Host, *const c_char, Bytes, u64, *mut Refusal) -> *mut Peer;
    peer_free(*mut Peer);
    start(*mut Peer, u64);
    datagram(*mut Peer, u64, *const c_char, Bytes);
    timeout(*mut Peer, u64);
    deadline(*mut Peer, u64) -> u64;
    next_datagram(*mut Peer, u64, *mut Bytes, *mut *const c_char) -> c_int;
    next_event(*mut Peer, *mut Event) -> c_int;
    send(*mut Peer, u64, Bytes);
    #[optional]
    send_early(*mut Peer, u64, Bytes) -> Refusal;
    close(*mut Peer, u64);
    #[optional]
    ask(*mut Peer, u64, u32, u32) -> Refusal;
    #[optional]
    owns(*mut Peer, Bytes) -> c_int;
    #[optional]
    export_keys(*mut Peer, *const c_char, *mut u8, usize) -> Refusal;
}

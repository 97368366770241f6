//! The addresses of every run: constants from the ranges for documentation (RFC 5737).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::trace::Visit;

/// Address of the client, from TEST-NET-1 (RFC 5737 §3).
pub const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 50_000);
/// Address of the server, from TEST-NET-2 (RFC 5737 §3).
pub const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 4433);
/// The first address that a NAT gives the client, from TEST-NET-3; the next ones have the ports after it.
pub const OUTSIDE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), 61_000);
/// Where a third party sends from.
pub const STRANGER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 66)), 40_000);

/// The client's own address in a visit: a port of its own for each.
pub fn of_client(visit: Visit) -> SocketAddr {
    SocketAddr::new(CLIENT.ip(), CLIENT.port().saturating_add(visit.0 - Visit::FIRST.0))
}

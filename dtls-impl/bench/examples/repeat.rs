//! Many handshakes of one kind, for a profiler: `repeat KIND COUNT`.
use dtls_bench::native::{self, Auth, Stack, Version};
fn main() {
    let kind = std::env::args().nth(1).unwrap_or_default();
    let count: usize = std::env::args().nth(2).and_then(|n| n.parse().ok()).unwrap_or(100);
    let (version, auth) = match kind.as_str() {
        "ecdsa12" => (Version::V12, Auth::Certificate),
        "ecdsa13" => (Version::V13, Auth::Certificate),
        "psk12" => (Version::V12, Auth::Psk),
        _ => (Version::V13, Auth::Psk),
    };
    let stack = Stack::new(&native::providers()[0], version, auth);
    for _ in 0..count {
        std::hint::black_box(stack.pair());
    }
}

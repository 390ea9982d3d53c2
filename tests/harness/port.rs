//! Ports for servers that are told where to listen, and one that refuses.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where [`free_port`] begins, and how many it chooses from.
const FIRST: u16 = 12_000;
const COUNT: u32 = 16_000;

/// A port where nobody listens, and nobody will: a connection is refused at once.
pub const NOBODY: u16 = 1;

/// A free port that nobody is handed by chance: below the range from which the system takes ports for outgoing connections and for
/// port 0, each given once in this process.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..COUNT {
        let place = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id().wrapping_mul(997)) % COUNT;
        let port = FIRST + u16::try_from(place).expect("a small number");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {FIRST} on is free");
}

#[test]
fn a_port_is_given_once_and_nobody_refuses() {
    let given: std::collections::BTreeSet<u16> = std::iter::repeat_with(free_port).take(20).collect();
    assert_eq!(given.len(), 20);
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_else(|_| "32768 60999".to_owned());
    let lowest: u16 = range.split_whitespace().next().and_then(|port| port.parse().ok()).expect("a port");
    assert!(u32::from(FIRST) + COUNT <= u32::from(lowest), "the system hands out ports from {lowest} on");
    let refused = std::net::TcpStream::connect(("127.0.0.1", NOBODY)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

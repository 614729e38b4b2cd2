//! Free ports.

use std::{
    net::TcpListener,
    process,
    sync::atomic::{AtomicU16, Ordering},
};

/// A port of 127.0.0.1 on which nothing listens. No other call of this process returns it, and it is below the ports that
/// the kernel gives to connections (32768 and up): a test with a dozen servers otherwise loses one now and then. A
/// process of another test may still take it before the caller does.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + (process::id() % 200) as u16 * 100;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 2000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

//! Free ports.

use std::net::TcpListener;

/// A port of 127.0.0.1 on which nothing listens. Another process may take it before the caller does.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

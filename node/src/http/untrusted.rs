//! Warnings about proxies that `--trusted-proxy` does not name.

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

/// How many addresses are warned about. Any client can send a proxy's headers, and must not fill the log by it.
const ADDRESSES_MAX: usize = 64;

/// The addresses that a warning was logged for. At most `ADDRESSES_MAX`; there is no warning for any further one.
#[derive(Debug, Default)]
pub struct UntrustedProxies(Mutex<HashSet<IpAddr>>);

impl UntrustedProxies {
    /// Logs that `ip` sends a proxy's headers and is not trusted, once for each address.
    pub fn warn(&self, ip: IpAddr) {
        if self.is_new(ip) {
            tracing::warn!(
                %ip,
                "handshakes come through a proxy that --trusted-proxy does not name: add its address or network there. Until \
                 then its sessions are shown with the proxy's address, are all placed on this node, and are cut off with the \
                 proxy's old workers"
            );
        }
    }

    fn is_new(&self, ip: IpAddr) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.len() < ADDRESSES_MAX && seen.insert(ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_new_once_and_no_more_than_the_bound_are() {
        let proxies = UntrustedProxies::default();
        let ip = |n: u8| IpAddr::from([10, 0, 0, n]);
        assert!(proxies.is_new(ip(0)) && !proxies.is_new(ip(0)));
        assert_eq!((1..=255).filter(|n| proxies.is_new(ip(*n))).count(), ADDRESSES_MAX - 1);
    }
}

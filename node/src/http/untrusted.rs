//! Warnings about proxies that `--trusted-proxy` does not name.

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How many addresses a node warns about in each [`INTERVAL`]. The bound exists because any client can send a proxy's
/// headers, and must not fill the log that way.
const ADDRESSES_MAX: usize = 64;
/// The node forgets the addresses after this time. So addresses of clients that only pretend to be proxies do not
/// suppress the warning about a real proxy for ever.
const INTERVAL: Duration = Duration::from_secs(3600);

/// The addresses that a warning was logged for lately.
#[derive(Debug, Default)]
pub struct UntrustedProxies(Mutex<WarnedAddresses>);

/// At most [`ADDRESSES_MAX`] addresses. A further address gets no warning until these are forgotten.
#[derive(Debug, Default)]
struct WarnedAddresses {
    addresses: HashSet<IpAddr>,
    /// When the first address was added. None if there is none.
    since: Option<Instant>,
}

impl UntrustedProxies {
    /// Logs that `ip` sends a proxy's headers and is not trusted, at most once an hour for each address.
    pub fn warn(&self, ip: IpAddr) {
        if self.is_new(ip, Instant::now()) {
            tracing::warn!(
                %ip,
                "handshakes come through a proxy that --trusted-proxy does not name: add its address or network there. Until \
                 then its sessions are shown with the proxy's address, are all placed on this node, and are cut off with the \
                 proxy's old workers"
            );
        }
    }

    fn is_new(&self, ip: IpAddr, now: Instant) -> bool {
        let mut warned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(*warned.since.get_or_insert(now)) >= INTERVAL {
            *warned = WarnedAddresses { since: Some(now), ..Default::default() };
        }
        warned.addresses.len() < ADDRESSES_MAX && warned.addresses.insert(ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_new_once_and_no_more_than_the_bound_are() {
        let (proxies, now) = (UntrustedProxies::default(), Instant::now());
        let ip = |n: u8| IpAddr::from([10, 0, 0, n]);
        assert!(proxies.is_new(ip(0), now) && !proxies.is_new(ip(0), now));
        assert_eq!((1..=255).filter(|n| proxies.is_new(ip(*n), now)).count(), ADDRESSES_MAX - 1);
    }

    #[test]
    fn addresses_that_were_made_up_are_forgotten_after_an_hour() {
        let (proxies, now) = (UntrustedProxies::default(), Instant::now());
        let ip = |n: u8| IpAddr::from([10, 0, 0, n]);
        (0..64).for_each(|n| assert!(proxies.is_new(ip(n), now)));
        assert!(!proxies.is_new(ip(255), now + INTERVAL / 2));
        assert!(proxies.is_new(ip(255), now + INTERVAL));
    }
}

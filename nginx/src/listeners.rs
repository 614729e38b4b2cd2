//! Where Nginx listens, and the directives for it. The first address is in [`Ports`](crate::ports::Ports), since the
//! sidecar may choose its port; the others are in the configuration.

use std::net::{SocketAddr, TcpListener};

use anyhow::Context;

use crate::config::Config;

/// Returns the addresses at which Nginx listens.
fn addresses(config: &Config, first: SocketAddr) -> Vec<SocketAddr> {
    [first].into_iter().chain(config.listen.iter().skip(1).copied()).collect()
}

/// Fails if another process listens at one of the addresses. Nginx would say so only in its log, and go on trying. The
/// error names the flag.
pub fn check_free(config: &Config, first: SocketAddr) -> anyhow::Result<()> {
    let all = addresses(config, first);
    // At [::] the standard library takes IPv4 too, which another of these addresses may use.
    let alone =
        |address: &&SocketAddr| address.is_ipv4() || !address.ip().is_unspecified() || takes_ipv4(&all, **address);
    for address in all.iter().filter(alone) {
        let bound = TcpListener::bind(address);
        bound.with_context(|| format!("--listen {address}: can't listen; check that no other process has the port"))?;
    }
    Ok(())
}

/// Returns the values of the directives `listen`, without the part that all of them have in common.
pub fn directives(config: &Config, first: SocketAddr) -> Vec<String> {
    let all = addresses(config, first);
    let directive = |address: &SocketAddr| {
        let ssl = if config.tls_cert.is_some() { " ssl" } else { "" };
        let proxy = if config.proxy_protocol { " proxy_protocol" } else { "" };
        // By default Nginx takes only IPv6 at [::], unlike nodes.
        let families = if takes_ipv4(&all, *address) { " ipv6only=off" } else { "" };
        format!("{address}{ssl}{proxy}{families}")
    };
    all.iter().map(directive).collect()
}

/// Returns whether an address of IPv6 takes IPv4 too: `[::]`, unless another listener has IPv4 at its port.
fn takes_ipv4(all: &[SocketAddr], address: SocketAddr) -> bool {
    let is_taken = all.iter().any(|other| other.is_ipv4() && other.port() == address.port());
    address.is_ipv6() && address.ip().is_unspecified() && !is_taken
}

/// Returns the names of the server. Without a flag `_`, which no host is called.
pub fn server_names(config: &Config) -> String {
    if config.server_name.is_empty() { "_".into() } else { config.server_name.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    #[test]
    fn each_listener_is_for_tls_and_the_proxy_protocol_and_one_takes_each_family() {
        let first = |flags: &[&str]| {
            let config = config(flags);
            directives(&config, config.listen[0])
        };
        assert_eq!(first(&["--listen", "[::]:80,[::1]:81"]), ["[::]:80 ipv6only=off", "[::1]:81"]);
        let tls = ["--tls-cert", "/c", "--tls-key", "/k", "--proxy-protocol", "--real-ip-from", "10.0.0.0/8"];
        let flags = [&tls[..], &["--listen", "0.0.0.0:443,[::]:443"]].concat();
        assert_eq!(first(&flags), ["0.0.0.0:443 ssl proxy_protocol", "[::]:443 ssl proxy_protocol"]);
    }

    #[test]
    fn a_server_without_names_has_one_that_no_host_has() {
        assert_eq!(server_names(&config(&["--server-name", "a.org,b.org"])), "a.org b.org");
        assert_eq!(server_names(&config(&[])), "_");
    }
}

//! Where Nginx listens: the directives for it, and which flags collide. The first address is that of [`Ports`](crate::ports::Ports),
//! since its port may be chosen; the others are in the configuration.

use std::net::{SocketAddr, TcpListener};

use anyhow::{Context, bail};

use crate::config::Config;

/// How many addresses Nginx listens at.
const LISTENERS_MAX: usize = 16;
/// How many host names the server has.
const NAMES_MAX: usize = 64;
/// The longest host name (RFC 1035).
const NAME_MAX: usize = 253;

/// Checks the flags that say where Nginx listens. An error names the flags that collide.
pub fn check(config: &Config) -> anyhow::Result<()> {
    let listen = &config.listen;
    if listen.is_empty() || listen.len() > LISTENERS_MAX {
        bail!("--listen: give 1 to {LISTENERS_MAX} addresses");
    }
    if config.server_name.len() > NAMES_MAX {
        bail!("--server-name: give at most {NAMES_MAX} names");
    }
    if let Some(address) = listen.iter().skip(1).find(|address| address.port() == 0) {
        bail!("--listen {address}: only the first --listen may have port 0; give this one a port");
    }
    for (index, address) in listen.iter().enumerate() {
        if let Some(other) = listen[index + 1..].iter().find(|other| collide(address, other)) {
            bail!("--listen {address} and --listen {other} collide: leave out one of them");
        }
        if let Some(status) = config.status.filter(|status| collide(address, status)) {
            bail!("--listen {address} and --status {status} collide: give --status another port");
        }
    }
    Ok(())
}

/// Whether two sockets can't listen at these addresses at once.
fn collide(one: &SocketAddr, other: &SocketAddr) -> bool {
    let same_family = one.is_ipv4() == other.is_ipv4();
    let same_ip = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && one.port() != 0 && same_family && same_ip
}

/// The addresses at which Nginx listens.
fn addresses(config: &Config, first: SocketAddr) -> Vec<SocketAddr> {
    [first].into_iter().chain(config.listen.iter().skip(1).copied()).collect()
}

/// Fails if another process listens at one of the addresses. Nginx would say so only in its log, and go on trying. The error
/// names the flag.
pub fn check_free(config: &Config, first: SocketAddr) -> anyhow::Result<()> {
    let all = addresses(config, first);
    // At [::] the standard library takes IPv4 too, which another of these addresses may have.
    let alone =
        |address: &&SocketAddr| address.is_ipv4() || !address.ip().is_unspecified() || takes_ipv4(&all, **address);
    for address in all.iter().filter(alone) {
        let bound = TcpListener::bind(address);
        bound.with_context(|| format!("--listen {address}: can't listen; check that no other process has the port"))?;
    }
    Ok(())
}

/// The values of the directives `listen`, but for what they have in common.
pub fn directives(config: &Config, first: SocketAddr) -> Vec<String> {
    let all = addresses(config, first);
    let directive = |address: &SocketAddr| {
        let ssl = if config.tls_cert.is_some() { " ssl" } else { "" };
        let proxy = if config.proxy_protocol { " proxy_protocol" } else { "" };
        // By default Nginx takes only IPv6 at [::], other than nodes.
        let families = if takes_ipv4(&all, *address) { " ipv6only=off" } else { "" };
        format!("{address}{ssl}{proxy}{families}")
    };
    all.iter().map(directive).collect()
}

/// Whether an address of IPv6 takes IPv4 too: `[::]`, unless another listener has IPv4 at its port.
fn takes_ipv4(all: &[SocketAddr], address: SocketAddr) -> bool {
    let is_taken = all.iter().any(|other| other.is_ipv4() && other.port() == address.port());
    address.is_ipv6() && address.ip().is_unspecified() && !is_taken
}

/// The names of the server. Without a flag `_`, which no host is called.
pub fn server_names(config: &Config) -> String {
    if config.server_name.is_empty() { "_".into() } else { config.server_name.join(" ") }
}

/// Parses a host name, or `*.` and a domain.
pub fn server_name(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let is_label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if text.len() <= NAME_MAX && name.split('.').all(is_label) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("a host name has letters, digits and - between dots; before a domain it may have *.".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    fn told(flags: &[&str]) -> String {
        check(&config(flags)).map_err(|error| error.to_string()).err().unwrap_or_default()
    }

    #[test]
    fn flags_that_collide_are_told_both() {
        for flags in [
            &["--listen", "0.0.0.0:443,[::]:443,0.0.0.0:80"][..],
            &["--listen", "127.0.0.1:0,127.0.0.1:80"],
            &["--listen", "127.0.0.1:80,127.0.0.2:80", "--status", "127.0.0.3:80"],
            &["--listen", "127.0.0.1:0", "--status", "127.0.0.1:0"],
        ] {
            assert_eq!(told(flags), "", "{flags:?}");
        }
        for (flags, expected) in [
            (&["--listen", "0.0.0.0:80,127.0.0.1:80"][..], "--listen 0.0.0.0:80 and --listen 127.0.0.1:80 collide"),
            (&["--listen", "[::1]:80,[::1]:80"], "--listen [::1]:80 and --listen [::1]:80 collide"),
            (&["--listen", "0.0.0.0:80", "--status", "10.0.0.1:80"], "--listen 0.0.0.0:80 and --status 10.0.0.1:80"),
            (&["--listen", "127.0.0.1:80,127.0.0.1:0"], "--listen 127.0.0.1:0: only the first"),
        ] {
            assert!(told(flags).starts_with(expected), "{flags:?}: {}", told(flags));
        }
    }

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
    fn a_name_is_no_directive() {
        for good in ["example.org", "*.example.org", "a", "Terminals-1.example.org"] {
            assert_eq!(server_name(good), Ok(good.to_ascii_lowercase()));
        }
        for bad in ["", "*.", "a..b", "a;", "~^a", "a b", "*", "*.*.org", &"a".repeat(64)] {
            assert!(server_name(bad).is_err(), "{bad:?}");
        }
        assert_eq!(server_names(&config(&["--server-name", "a.org,b.org"])), "a.org b.org");
        assert_eq!(server_names(&config(&[])), "_");
    }
}

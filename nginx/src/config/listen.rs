//! Which flags of where Nginx listens collide.

use std::net::SocketAddr;

use anyhow::bail;

use super::Config;

/// How many addresses Nginx listens at.
const LISTENERS_MAX: usize = 16;
/// How many host names the server has.
const NAMES_MAX: usize = 64;

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
}

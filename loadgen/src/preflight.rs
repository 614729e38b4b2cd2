//! Checks before the first connect that this machine can carry the run, because a run with a part of its terminals
//! proves nothing.

use std::fs;

use anyhow::{Context, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::FleetConfig;

/// File descriptors besides those of the terminals' sockets: API connections, the runtime, report files.
const OTHER_FILES: u64 = 64;

/// Raises the soft limit of open files to the hard limit if the run needs more than the soft limit. Fails if the
/// hard limit or the number of ports is too low; the error says what to change. `besides` is the number of connections that
/// are no terminals'.
pub fn check(line: &FleetConfig, besides: usize) -> anyhow::Result<()> {
    ports(line, ephemeral_ports())?;
    let need = (line.terminals + besides) as u64 + OTHER_FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // `None` means no limit.
    if current.is_none_or(|current| current >= need) {
        return Ok(());
    }
    ensure!(
        maximum.is_none_or(|maximum| maximum >= need),
        "--terminals {} needs {need} open files and this process may have {}: raise the hard limit (ulimit -Hn), play at most {}, \
         or spread them over several agents (muster-loadgen coordinate)",
        line.terminals,
        maximum.unwrap_or_default(),
        maximum.unwrap_or_default().saturating_sub(OTHER_FILES),
    );
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).context("the limit of open files can't be raised")
}

/// Checks that the source addresses have enough ports: each connection needs a port of its source address that no
/// other connection to the same server uses.
fn ports(line: &FleetConfig, ports: usize) -> anyhow::Result<()> {
    let sources = line.source.len().max(1);
    ensure!(
        line.terminals <= sources * ports,
        "--terminals {} is more than {sources} source address(es) have ports for ({ports} each, net.ipv4.ip_local_port_range): \
         give {} of them by --source, such as --source 127.0.0.2,127.0.0.3",
        line.terminals,
        line.terminals.div_ceil(ports),
    );
    Ok(())
}

fn ephemeral_ports() -> usize {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let ends: Vec<usize> = range.split_whitespace().filter_map(|end| end.parse().ok()).collect();
    // Linux's default applies if the file can't be read.
    if let [low, high] = ends[..] { high.saturating_sub(low) + 1 } else { 28_232 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    #[test]
    fn the_error_for_too_few_ports_says_how_many_addresses_are_needed() {
        let told = ports(&config("--terminals 60000").fleet, 28_232).unwrap_err().to_string();
        assert!(told.contains("give 3 of them by --source"), "{told}");
        assert!(ports(&config("--terminals 60000 --source 127.0.0.2,127.0.0.3,127.0.0.4").fleet, 28_232).is_ok());
    }

    #[test]
    fn the_error_for_too_few_descriptors_says_what_to_do() {
        let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        if most > 1 << 30 {
            return;
        }
        let mut line = config("").fleet;
        line.terminals = most as usize;
        line.source = (2..200).map(|n| format!("127.0.0.{n}").parse().unwrap()).collect();
        let told = check(&line, 0).unwrap_err().to_string();
        assert!(told.contains("ulimit -Hn") && told.contains("coordinate"), "{told}");
    }
}

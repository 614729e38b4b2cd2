//! The file `nodes.conf` of a generation, read again: the nodes in its upstream.

use crate::membership::Members;

/// Returns the set that an upstream was made from. Anything in it that is no address is skipped.
pub fn parse_nodes(text: &str) -> Members {
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("server "));
    servers.filter_map(|server| server.split(' ').next()?.parse().ok()).collect()
}

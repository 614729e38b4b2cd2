//! How much memory `--sessions` needs, compared with what there is when Nginx starts. The kernel kills a process that
//! needs more, with all its sessions.

use muster_service::memory::{MemoryGroup, available};

use crate::{config::Config, nginx};

/// What a session costs while nothing is sent, in bytes: two sockets of the kernel, and what Nginx keeps for its two
/// connections with the buffers of templates/http.conf. Nginx's part was measured to be 30 KiB.
const SESSION: u64 = 40 << 10;
/// What TLS adds to a session, about, in bytes: the state and the buffers of OpenSSL.
const TLS: u64 = 32 << 10;
/// What a worker reserves for each connection that it may have, in bytes.
const CONNECTION: u64 = 440;
/// How many sets of workers run at once: a reload leaves the old workers beside the new ones for a while.
const GENERATIONS: u64 = 2;

/// Warns if there is less memory than the sessions of `--sessions` need. Does nothing if Nginx runs already: it has
/// some of that memory.
pub fn check(config: &Config) {
    if nginx::running(config).is_some() {
        return;
    }
    let group = MemoryGroup::of_this_process();
    let left_to_group = group.and_then(|group| Some(group.limit().saturating_sub(group.used()?)));
    let places = [("this host", available()), ("the control group (memory.max)", left_to_group)];
    if let Some(shortage) = places.into_iter().find_map(|(place, left)| shortage(config, place, left?)) {
        tracing::warn!("{shortage}");
    }
}

/// Returns what all sessions need, in bytes.
fn needed(config: &Config) -> u64 {
    let session = if config.tls_cert.is_some() { SESSION + TLS } else { SESSION };
    let reserved = u64::from(config.connections()) * CONNECTION;
    u64::from(config.sessions) * session + GENERATIONS * u64::from(config.workers) * reserved
}

/// Returns why a place has too little memory. `None` if it has enough.
fn shortage(config: &Config, place: &str, left: u64) -> Option<String> {
    let needed = needed(config);
    (needed > left).then(|| {
        format!(
            "--sessions {}: Nginx needs about {} MiB of memory for so many, and {place} has {} MiB left: give it more, or lower --sessions",
            config.sessions,
            needed >> 20,
            left >> 20
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    #[test]
    fn too_little_memory_is_told_with_the_flag_the_place_and_both_sizes() {
        let config = config(&["--sessions", "10000", "--workers", "1"]);
        // 10,000 sessions, and twice the 31,024 connections of the worker.
        let all = 10_000 * (40 << 10) + 2 * 31_024 * 440;
        assert_eq!(needed(&config), all);
        assert_eq!(shortage(&config, "this host", all), None);
        let told = shortage(&config, "this host", 100 << 20).unwrap();
        assert!(told.starts_with("--sessions 10000: Nginx needs about 416 MiB"), "{told}");
        assert!(told.contains("this host has 100 MiB left"), "{told}");
    }

    #[test]
    fn sessions_by_tls_need_more() {
        let tls = config(&["--sessions", "10000", "--tls-cert", "/c", "--tls-key", "/k"]);
        assert_eq!(needed(&tls) - needed(&config(&["--sessions", "10000"])), 10_000 * TLS);
    }
}

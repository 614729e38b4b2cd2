//! Counts the connections that Nginx has open, and those that it can have, from /proc: stock Nginx reports neither.

use muster_protocol::api::ConnectionUse;

use crate::{config::Config, workers::NginxWorker};

/// How many files of a worker are no connections, about: its logs, listeners and channels.
const OTHER_FILES: u64 = 16;

/// Returns the connections of the workers that take new ones. `None` if there is no such worker, or if this user may
/// not look at them.
pub fn of(workers: &[NginxWorker], config: &Config) -> Option<ConnectionUse> {
    let taking: Vec<_> = workers.iter().filter(|worker| !worker.lingering).collect();
    let used: Option<u64> = taking.iter().map(|worker| Some(worker.files()?.saturating_sub(OTHER_FILES))).sum();
    // The limit of an Nginx of the system stands in its own configuration, and its files are bounded anyway.
    let limit: Option<u64> = match config.signal {
        None => Some(taking.len() as u64 * u64::from(config.connections())),
        Some(_) => taking.iter().map(|worker| worker.files_limit()).sum(),
    };
    used.zip(limit).filter(|_| !taking.is_empty()).map(|(used, limit)| ConnectionUse { used, limit })
}

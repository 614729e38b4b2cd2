//! What a run costs the servers: their metrics, the CPU and memory of named processes, and the INFO of Redis, each
//! read before and after the run.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::Usage;
use crate::{config::Config, play::api::Api};

/// The time limit for reading one source. A source that takes longer is left out with a warning.
const PATIENCE: Duration = Duration::from_secs(3);

/// The readings at one moment. A source that could not be read is missing, and a warning was logged.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct ServerSnapshot {
    /// The metrics by URL: the sum of each family over its labels.
    metrics: BTreeMap<String, BTreeMap<String, f64>>,
    /// The usage of the watched processes, by name.
    processes: BTreeMap<String, Usage>,
    /// The fields of Redis's INFO.
    redis: BTreeMap<String, f64>,
}

/// What the run cost one process.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessCost {
    /// CPU time, in seconds.
    pub cpu_s: f64,
    /// Resident memory before the terminals connected, in bytes.
    pub rss_before: u64,
    /// Resident memory at the end of the run, with the terminals connected, in bytes.
    pub rss_after: u64,
}

/// What the run cost all servers.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerCosts {
    /// The usage of the watched processes, by name.
    pub processes: BTreeMap<String, ProcessCost>,
    /// The metrics by URL: the growth of each counter (`_total`), and the last value of each other family.
    pub metrics: BTreeMap<String, BTreeMap<String, f64>>,
    /// The fields of Redis's INFO: the last value of memory fields, and the growth of the others.
    pub redis: BTreeMap<String, f64>,
}

impl ServerSnapshot {
    /// Reads all configured sources.
    pub async fn look(config: &Config) -> Self {
        let mut servers = Self::default();
        for uri in &config.costs.metrics {
            let read = async { Api::new(uri, config)?.get("").await };
            match timeout(PATIENCE, read).await {
                Ok(Ok((status, body))) if status.is_success() => {
                    servers.metrics.insert(uri.to_string(), families(&String::from_utf8_lossy(&body)));
                }
                other => tracing::warn!(%uri, ?other, "the metrics could not be read"),
            }
        }
        for watched in &config.costs.watch {
            servers.processes.insert(watched.name.clone(), Usage::of_family(watched.pid));
        }
        if let Some(address) = &config.costs.redis {
            match timeout(PATIENCE, info(address)).await {
                Ok(Ok(info)) => servers.redis = info,
                other => tracing::warn!(address, ?other, "the INFO of Redis could not be read"),
            }
        }
        servers
    }

    /// Returns the costs since an earlier reading.
    pub fn since(&self, before: &Self) -> ServerCosts {
        let cost = |(name, after): (&String, &Usage)| {
            let before = before.processes.get(name).copied().unwrap_or_default();
            let cpu_s = (after.cpu_s - before.cpu_s).max(0.0);
            (name.clone(), ProcessCost { cpu_s, rss_before: before.rss_bytes, rss_after: after.rss_bytes })
        };
        let metrics = self.metrics.iter().map(|(url, after)| {
            (url.clone(), growth(after, before.metrics.get(url), |name| !name.ends_with("_total")))
        });
        ServerCosts {
            processes: self.processes.iter().map(cost).collect(),
            metrics: metrics.collect(),
            redis: growth(&self.redis, Some(&before.redis), |name| name.starts_with("used_memory")),
        }
    }
}

/// Returns the growth of each value, and the last value of those for which `stands` is true.
fn growth(
    after: &BTreeMap<String, f64>,
    before: Option<&BTreeMap<String, f64>>,
    stands: fn(&str) -> bool,
) -> BTreeMap<String, f64> {
    let was = |name: &str| before.and_then(|before| before.get(name)).copied().unwrap_or(0.0);
    after.iter().map(|(name, value)| (name.clone(), if stands(name) { *value } else { value - was(name) })).collect()
}

/// Parses Prometheus's text format, and sums each family over its labels.
fn families(text: &str) -> BTreeMap<String, f64> {
    let mut families = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let name = series.split('{').next().unwrap_or(series);
        *families.entry(name.to_owned()).or_default() += value.parse::<f64>().unwrap_or(0.0);
    }
    families
}

/// The fields of Redis's INFO that show what a run cost.
const REDIS: [&str; 6] = [
    "used_cpu_sys",
    "used_cpu_user",
    "used_memory",
    "total_commands_processed",
    "total_net_input_bytes",
    "total_net_output_bytes",
];

async fn info(address: &str) -> anyhow::Result<BTreeMap<String, f64>> {
    let mut stream = TcpStream::connect(address).await.context("connect")?;
    stream.write_all(b"INFO\r\nQUIT\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    let wanted = fields.filter(|(name, _)| REDIS.contains(name));
    Ok(wanted.filter_map(|(name, value)| Some((name.to_owned(), value.trim().parse().ok()?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_summed_and_gauges_keep_their_last_value() {
        let before = families("# HELP x\nends_total{end=\"a\"} 1\nsessions 7\n");
        let after = families("ends_total{end=\"a\"} 2\nends_total{end=\"b c\"} 3\nsessions 5\n");
        let grown = growth(&after, Some(&before), |name| !name.ends_with("_total"));
        assert_eq!((grown["ends_total"], grown["sessions"]), (4.0, 5.0));
    }
}

//! What the run cost the servers: their metrics, the CPU and memory of named processes, and what Redis says, before and after.

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

/// One look takes no longer.
const PATIENCE: Duration = Duration::from_secs(3);

/// At one moment. What could not be read is missing, and said once.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Servers {
    /// By URL, each family's sum over its labels.
    metrics: BTreeMap<String, BTreeMap<String, f64>>,
    /// By name.
    processes: BTreeMap<String, Usage>,
    /// Redis's INFO.
    redis: BTreeMap<String, f64>,
}

/// What one process cost.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Seconds of CPU.
    pub cpu_s: f64,
    /// Memory before the terminals came.
    pub rss_before: u64,
    /// And with them.
    pub rss_after: u64,
}

/// What all cost.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// By name.
    pub processes: BTreeMap<String, Cost>,
    /// By URL: how much each family grew; gauges as they are.
    pub metrics: BTreeMap<String, BTreeMap<String, f64>>,
    /// How much each grew; memory as it is.
    pub redis: BTreeMap<String, f64>,
}

impl Servers {
    /// Looks.
    pub async fn look(config: &Config) -> Self {
        let mut servers = Self::default();
        for uri in &config.metrics {
            let api = Api::new(uri.clone(), config.key.clone());
            match timeout(PATIENCE, api.get("")).await {
                Ok(Ok((status, body))) if status.is_success() => {
                    servers.metrics.insert(uri.to_string(), families(&String::from_utf8_lossy(&body)));
                }
                other => tracing::warn!(%uri, ?other, "no metrics"),
            }
        }
        for watched in &config.watch {
            servers.processes.insert(watched.name.clone(), Usage::of_family(watched.pid));
        }
        if let Some(address) = &config.redis {
            match timeout(PATIENCE, info(address)).await {
                Ok(Ok(info)) => servers.redis = info,
                other => tracing::warn!(address, ?other, "no INFO from Redis"),
            }
        }
        servers
    }

    /// What happened since an earlier look.
    pub fn since(&self, before: &Self) -> Costs {
        let cost = |(name, after): (&String, &Usage)| {
            let before = before.processes.get(name).copied().unwrap_or_default();
            let cpu_s = (after.cpu_s - before.cpu_s).max(0.0);
            (name.clone(), Cost { cpu_s, rss_before: before.rss_bytes, rss_after: after.rss_bytes })
        };
        let metrics = self.metrics.iter().map(|(url, after)| {
            (url.clone(), growth(after, before.metrics.get(url), |name| !name.ends_with("_total")))
        });
        Costs {
            processes: self.processes.iter().map(cost).collect(),
            metrics: metrics.collect(),
            redis: growth(&self.redis, Some(&before.redis), |name| name.starts_with("used_memory")),
        }
    }
}

/// How much each grew, but what only tells how it stands as it is.
fn growth(
    after: &BTreeMap<String, f64>,
    before: Option<&BTreeMap<String, f64>>,
    stands: fn(&str) -> bool,
) -> BTreeMap<String, f64> {
    let was = |name: &str| before.and_then(|before| before.get(name)).copied().unwrap_or(0.0);
    after.iter().map(|(name, value)| (name.clone(), if stands(name) { *value } else { value - was(name) })).collect()
}

/// Prometheus's text format, labels summed up.
fn families(text: &str) -> BTreeMap<String, f64> {
    let mut families = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let name = series.split('{').next().unwrap_or(series);
        *families.entry(name.to_owned()).or_default() += value.parse::<f64>().unwrap_or(0.0);
    }
    families
}

/// The fields that say what a run cost.
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
    fn labels_are_summed_and_gauges_stand() {
        let before = families("# HELP x\nends_total{end=\"a\"} 1\nsessions 7\n");
        let after = families("ends_total{end=\"a\"} 2\nends_total{end=\"b c\"} 3\nsessions 5\n");
        let grown = growth(&after, Some(&before), |name| !name.ends_with("_total"));
        assert_eq!((grown["ends_total"], grown["sessions"]), (4.0, 5.0));
    }
}

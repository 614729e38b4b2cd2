//! What tests of a shard need of a node.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use clap::Parser;
use jiff::Timestamp;
use muster_protocol::{
    api::{NodeState, NodeView},
    partition::Partitions,
};
use tokio_util::sync::CancellationToken;

use super::{ShardMessage, Shards, Shared};
use crate::{
    auth::Auth,
    backplane::{Host, MemoryBackplane},
    config::Config,
    fence::Fences,
    hub::{Hub, Lifecycle},
    metrics::Metrics,
    reports::Reports,
    sync::mpsc,
};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    config: Config,
}

static CONFIG: LazyLock<Config> = LazyLock::new(|| Cli::parse_from(["node"]).config);
static METRICS: LazyLock<Arc<Metrics>> = LazyLock::new(Arc::default);

/// Reads the flags, which takes more stack than the threads of a model (`models`) have.
#[cfg(feature = "shuttle")]
pub fn prepare() {
    LazyLock::force(&CONFIG);
    LazyLock::force(&METRICS);
}

/// A node with the default settings and `count` shards, which are not started. Each mailbox has room for `room` messages. Its store
/// has one partition.
pub fn node(count: usize, room: usize) -> (Arc<Shared>, Vec<mpsc::Receiver<ShardMessage>>) {
    node_in(Partitions::ONE, count, room)
}

/// As [`node`], but its sessions belong to these partitions.
pub fn node_in(partitions: Partitions, count: usize, room: usize) -> (Arc<Shared>, Vec<mpsc::Receiver<ShardMessage>>) {
    let (hub, lifecycle) = (Arc::<Hub>::default(), Arc::<Lifecycle>::default());
    let fences = Arc::new(Fences::new(partitions));
    let (reports, metrics) = (Arc::<Reports>::default(), METRICS.clone());
    let (senders, mailboxes) = (0..count).map(|_| mpsc::channel(room)).unzip();
    let shards = Arc::new(Shards::new(hub.clone(), senders, mpsc::channel(1).0));
    let host = Host {
        view: view(),
        hub: hub.clone(),
        fences: fences.clone(),
        lifecycle: lifecycle.clone(),
        sessions: shards.clone(),
        reports: reports.clone(),
        report_interval: Duration::from_millis(100),
        metrics: metrics.clone(),
    };
    let backplane = Arc::new(MemoryBackplane::new(&CONFIG, host));
    let (config, stop) = (CONFIG.clone(), CancellationToken::new());
    let auth = Auth::new(&config).unwrap();
    (Arc::new(Shared { config, auth, hub, shards, fences, lifecycle, backplane, reports, metrics, stop }), mailboxes)
}

fn view() -> NodeView {
    NodeView {
        id: "n1".parse().unwrap(),
        address: String::new(),
        state: NodeState::Ready,
        sessions: 0,
        accepts: 0,
        renewed_at: None,
        version: String::new(),
        started_at: Timestamp::UNIX_EPOCH,
    }
}

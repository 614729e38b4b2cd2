//! What tests of a shard need of a node.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use clap::Parser;
use jiff::Timestamp;
use muster_protocol::api::{NodeState, NodeView};
use tokio_util::sync::CancellationToken;

use super::{ShardMessage, Shards, Shared};
use crate::{
    auth::Auth,
    backplane::{Host, MemoryBackplane},
    config::Config,
    fence::Fence,
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

/// A node with the default settings and `count` shards, which are not started. Each mailbox has room for `room` messages.
pub fn node(count: usize, room: usize) -> (Arc<Shared>, Vec<mpsc::Receiver<ShardMessage>>) {
    let (hub, fence, lifecycle) = (Arc::<Hub>::default(), Arc::<Fence>::default(), Arc::<Lifecycle>::default());
    let (reports, metrics) = (Arc::<Reports>::default(), METRICS.clone());
    let (senders, mailboxes) = (0..count).map(|_| mpsc::channel(room)).unzip();
    let shards = Arc::new(Shards::new(hub.clone(), senders, mpsc::channel(1).0));
    let host = Host {
        view: view(),
        hub: hub.clone(),
        fence: fence.clone(),
        lifecycle: lifecycle.clone(),
        sessions: shards.clone(),
        reports: reports.clone(),
        report_interval: Duration::from_millis(100),
        metrics: metrics.clone(),
    };
    let backplane = Arc::new(MemoryBackplane::new(&CONFIG, host));
    let (config, stop) = (CONFIG.clone(), CancellationToken::new());
    let auth = Auth::new(&config).unwrap();
    (Arc::new(Shared { config, auth, hub, shards, fence, lifecycle, backplane, reports, metrics, stop }), mailboxes)
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

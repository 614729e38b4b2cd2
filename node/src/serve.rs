//! A node's life: started from a configuration and a listener, stopped by an ordered list with a deadline.

use std::{
    future::Future,
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use jiff::Timestamp;
use muster_protocol::{
    NodeId,
    api::{NodeState, NodeView},
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle, time};
use tokio_util::sync::CancellationToken;

use crate::{
    auth::Auth,
    backplane::Backplane,
    config::Config,
    fanout::MAILBOX,
    http::{self, Front},
    hub::Hub,
    metrics::Metrics,
    reports::Reports,
    shard::{self, Shared},
};

/// Sessions are closed in slices, one each.
const SLICE: Duration = Duration::from_millis(250);
/// What the sessions that were closed last may take to go.
const GRACE: Duration = Duration::from_secs(2);

/// A node that serves.
pub struct Node {
    front: Arc<Front>,
    listening: JoinHandle<()>,
    closing: CancellationToken,
    backplane: JoinHandle<()>,
    shards: Vec<thread::JoinHandle<()>>,
}

/// Binds the configured address.
pub async fn bind(config: &Config) -> anyhow::Result<TcpListener> {
    TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("--listen {}: can't listen there; is the port taken?", config.listen))
}

/// Starts a node on `listener`, serves until `stop` is ready, and stops it. `ready` is called once it serves.
pub async fn run(
    config: Config,
    listener: TcpListener,
    ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let node = Node::start(config, listener, address).await?;
    ready(address);
    stop.await;
    node.stop().await;
    Ok(())
}

impl Node {
    async fn start(config: Config, listener: TcpListener, address: SocketAddr) -> anyhow::Result<Self> {
        config.validate()?;
        let auth = Auth::new(&config)?;
        if config.insecure {
            tracing::warn!("--insecure: anyone is let in, terminals and operators");
        }
        let shards = config.shards.unwrap_or_else(|| thread::available_parallelism().map_or(1, Into::into));
        let (senders, mailboxes): (Vec<_>, Vec<_>) = (0..shards).map(|_| mpsc::channel(MAILBOX)).unzip();
        let hub = Arc::new(Hub::new(senders));
        let reports = Arc::new(Reports::default());
        let view = view(&config, address);
        let backplane = Arc::new(Backplane::open(&config, view, hub.clone(), reports.clone()).await?);
        let metrics = Arc::new(Metrics::new());
        let shared = Arc::new(Shared {
            config,
            hub,
            backplane: backplane.clone(),
            reports,
            metrics,
            stop: CancellationToken::new(),
        });
        let numbered = mailboxes.into_iter().enumerate();
        let shards =
            numbered.map(|(index, mailbox)| shard::start(index, mailbox, shared.clone())).collect::<Result<_, _>>()?;
        let front = Arc::new(Front { auth, shared, draining: Default::default() });
        let closing = CancellationToken::new();
        let listening = tokio::spawn(http::serve(listener, front.clone(), closing.clone()));
        Ok(Self { front, listening, closing, backplane: tokio::spawn(backplane.run()), shards })
    }

    /// In this order: no new sessions, the present ones away, no more requests, the lease back, the shards.
    async fn stop(self) {
        let began = Instant::now();
        let shared = self.front.shared.clone();
        let sessions = shared.hub.len();
        self.front.draining.begin();
        shared.backplane.set_state(NodeState::Draining).await;
        let cut = drain(&shared).await;
        self.closing.cancel();
        let _ = self.listening.await;
        self.backplane.abort();
        let _ = self.backplane.await;
        shared.backplane.close().await;
        shared.stop.cancel();
        for shard in self.shards {
            let _ = tokio::task::spawn_blocking(move || shard.join()).await;
        }
        let moved = sessions.saturating_sub(cut);
        tracing::info!(moved, cut, seconds = began.elapsed().as_secs_f32(), "stopped");
    }
}

/// Sends the sessions away, slice by slice, each with its own time to come back; how many had not gone at the deadline.
async fn drain(shared: &Shared) -> usize {
    let over = shared.config.drain;
    let slices = (over.as_millis() / SLICE.as_millis()).max(1) as usize;
    let share = shared.hub.len().div_ceil(slices).max(1);
    let deadline = Instant::now() + over + GRACE;
    while !shared.hub.is_empty() && Instant::now() < deadline {
        shared.hub.drain(share, SLICE.as_millis() as u64).await;
        time::sleep(SLICE).await;
    }
    shared.hub.len()
}

fn view(config: &Config, address: SocketAddr) -> NodeView {
    NodeView {
        id: config.node_id.clone().unwrap_or_else(fresh_id),
        address: config.advertise.unwrap_or(address).to_string(),
        state: NodeState::Ready,
        sessions: 0,
        version: env!("CARGO_PKG_VERSION").into(),
        started_at: Timestamp::now(),
    }
}

/// A name that no earlier process had: what that one left in the registry is then known to be dead.
fn fresh_id() -> NodeId {
    format!("node-{:08x}", rand::random::<u32>()).parse().expect("hexadecimal digits make an id")
}

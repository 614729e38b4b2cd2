//! A node's life: started from a configuration and a socket, stopped by an ordered list with a deadline.

use std::{
    future::Future,
    net::SocketAddr,
    pin::pin,
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
use tokio::{
    net::TcpSocket,
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time,
};
use tokio_util::sync::CancellationToken;

use crate::{
    admission::{self, Admission},
    advertise,
    auth::Auth,
    backplane::Backplane,
    config::Config,
    departure,
    fanout::MAILBOX,
    http::{self, Front},
    hub::Hub,
    metrics::Metrics,
    peers::Peers,
    placement::Candidate,
    reports::Reports,
    shard::{self, Shared},
    turn,
};

/// Of the time in which a node stops so much is for what comes after the drain: the last sessions, and the last reports and the lease,
/// which a store that hangs makes wait for 2 s each.
const LAST: Duration = Duration::from_secs(departure::GRACE.as_secs() + 4);

/// Connections that may wait to be accepted: those of a storm that come within a few milliseconds.
const BACKLOG: u32 = 1024;

/// A node that serves.
pub struct Node {
    front: Arc<Front>,
    listening: JoinHandle<()>,
    closing: CancellationToken,
    /// Cancelled by an operator who wants it to drain.
    leave: CancellationToken,
    /// What runs beside the sessions: the backplane, the look at the other nodes, the departures asked for.
    beside: JoinSet<()>,
    shards: Vec<thread::JoinHandle<()>>,
}

/// Binds the configured address. Nobody can connect yet: until a node serves, a proxy is to go on to the next one at once.
pub fn bind(config: &Config) -> anyhow::Result<TcpSocket> {
    let bind = || {
        let socket = if config.listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Connections of an earlier process linger, and must not keep the port from this one.
        socket.set_reuseaddr(true)?;
        socket.bind(config.listen).map(|()| socket)
    };
    bind().with_context(|| taken(config.listen))
}

fn taken(listen: SocketAddr) -> String {
    format!("--listen {listen}: can't listen there; is the port taken?")
}

/// Starts a node on `socket`, serves until `stop` is ready, and stops it; one that stops since another process has its name has
/// failed. `ready` is called once it serves.
pub async fn run(
    config: Config,
    socket: TcpSocket,
    ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let address = socket.local_addr()?;
    let mut stop = pin!(stop);
    let node = tokio::select! {
        node = Node::start(config, socket, address) => node?,
        () = &mut stop => {
            tracing::info!("stopped before it served");
            return Ok(());
        }
    };
    ready(address);
    tokio::select! {
        () = stop => {}
        () = node.leave.cancelled() => {}
    }
    let backplane = node.front.shared.backplane.clone();
    node.stop().await;
    backplane.check_name()
}

impl Node {
    async fn start(config: Config, socket: TcpSocket, address: SocketAddr) -> anyhow::Result<Self> {
        config.validate()?;
        let address = advertise::address(&config, address).await?;
        admission::raise_descriptors();
        let auth = Auth::new(&config)?;
        if config.insecure {
            tracing::warn!("--insecure: anyone is let in, terminals and operators");
        }
        let shards = config.shards.unwrap_or_else(|| thread::available_parallelism().map_or(1, Into::into));
        let (senders, mailboxes): (Vec<_>, Vec<_>) = (0..shards).map(|_| mpsc::channel(MAILBOX)).unzip();
        let (departures, asked) = mpsc::channel(departure::ASKED);
        let hub = Arc::new(Hub::new(senders, departures));
        let reports = Arc::new(Reports::default());
        let view = view(&config, address);
        let me = Candidate { address, sessions: 0, started_at: view.started_at, leaving: false };
        let metrics = Arc::new(Metrics::new());
        let backplane = Backplane::open(&config, view, hub.clone(), reports.clone(), metrics.clone()).await?;
        let backplane = Arc::new(backplane);
        let listener = match socket.listen(BACKLOG) {
            Ok(listener) => listener,
            Err(error) => {
                backplane.close().await;
                return Err(error).with_context(|| taken(config.listen));
            }
        };
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
        let peers = Arc::new(Peers::new(backplane.node().clone()));
        let admission = Admission::new(&shared.config);
        let (closing, leave) = (CancellationToken::new(), CancellationToken::new());
        let mut beside = JoinSet::new();
        beside.spawn(peers.clone().run(backplane.clone()));
        beside.spawn(departure::run(shared.hub.clone(), peers.clone(), asked, leave.clone()));
        beside.spawn(backplane.run());
        let front = Arc::new(Front { auth, shared, admission, peers, me, untrusted: Default::default() });
        let listening = tokio::spawn(http::serve(listener, front.clone(), closing.clone()));
        Ok(Self { front, listening, closing, leave, beside, shards })
    }

    /// In this order: its turn, no new sessions, the present ones away, and the rest; by the deadline, whatever is left to do.
    async fn stop(self) {
        let began = Instant::now();
        let (shared, peers) = (self.front.shared.clone(), self.front.peers.clone());
        let drain = shared.config.drain;
        // Who has it drain for longer waits for longer, too.
        let within = shared.config.stop_within.max(drain + LAST);
        turn::wait(&shared.backplane, &shared.hub, &peers, within - drain - LAST).await;
        let sessions = shared.hub.len();
        shared.hub.standing.advance(NodeState::Draining);
        shared.backplane.announce().await;
        let left = (within - LAST + departure::GRACE).saturating_sub(began.elapsed());
        let drained = time::timeout(left, departure::drain(&shared.hub, &peers, drain)).await;
        let cut = drained.unwrap_or_else(|_| shared.hub.len());
        let left = within.saturating_sub(began.elapsed());
        let rest =
            if time::timeout(left, self.end()).await.is_ok() { "" } else { "; some of the rest was left undone" };
        let (seconds, moved) = (began.elapsed().as_secs_f32(), sessions.saturating_sub(cut));
        tracing::info!("stopped after {seconds:.1} s: {moved} sessions moved, {cut} cut off{rest}");
    }

    /// In this order: no more requests, the lease back, the shards.
    async fn end(mut self) {
        let shared = self.front.shared.clone();
        self.closing.cancel();
        let _ = self.listening.await;
        self.beside.shutdown().await;
        shared.backplane.close().await;
        shared.stop.cancel();
        for shard in self.shards {
            let _ = tokio::task::spawn_blocking(move || shard.join()).await;
        }
    }
}

fn view(config: &Config, address: SocketAddr) -> NodeView {
    NodeView {
        id: config.node_id.clone().unwrap_or_else(fresh_id),
        address: address.to_string(),
        state: NodeState::Ready,
        sessions: 0,
        accepts: config.handshakes.into(),
        renewed_at: None,
        version: env!("CARGO_PKG_VERSION").into(),
        started_at: Timestamp::now(),
    }
}

/// A name that no earlier process had: what that one left in the registry is then known to be dead.
fn fresh_id() -> NodeId {
    format!("node-{:08x}", rand::random::<u32>()).parse().expect("hexadecimal digits make an id")
}

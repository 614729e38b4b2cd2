//! Starts a node from a configuration and a socket, and stops it in an ordered list with a deadline.

mod leaving;

use std::{future::Future, io, net::SocketAddr, pin::pin, sync::Arc, thread};

use anyhow::Context;
use jiff::Timestamp;
use muster_protocol::{
    NodeId,
    api::{NodeState, NodeView},
};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::Notify,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::{
    auth::Auth,
    backplane::{self, Host},
    cluster::{Admission, Candidate, HandshakeRates, Peers, admission, key_uses, revoked, watch},
    config::{Config, advertise},
    drain::{self, LeaveWish},
    fence::Fences,
    http::{self, ApiDocument, EventStreams, HttpState, OpenConnections},
    hub::{Hub, Lifecycle},
    metrics::Metrics,
    notices::{NoticeCarrier, NoticeSender},
    reports::Reports,
    rollout::RolloutCarrier,
    shard::{self, MAILBOX, Shards, Shared},
    supervision::Supervision,
    sync::mpsc,
};

/// The listen backlog: the connections of a storm that arrive within a few milliseconds.
const BACKLOG: u32 = 1024;

/// A running node.
pub struct Node {
    http_state: Arc<HttpState>,
    supervision: Arc<Supervision>,
    listening: JoinHandle<()>,
    closing: CancellationToken,
    /// Whether an operator, or the backplane, asks the node to drain.
    leave: Arc<LeaveWish>,
    /// The tasks beside the sessions: the backplane, the reader of the other nodes' leases, the handler of drain
    /// requests, the readers of `--jwks` and of revocations, the writer of when keys were used, the carriers of rollouts and of notices, the watcher of what the node needs, and
    /// the word to the service manager.
    beside: JoinSet<()>,
    threads: Vec<thread::JoinHandle<()>>,
}

/// Binds the configured addresses, without listening. A client can't connect yet: a proxy must get a refused
/// connection from a node that does not serve, so that it tries the next node at once.
pub fn bind(config: &Config) -> anyhow::Result<Vec<TcpSocket>> {
    let all = &config.listen;
    all.iter().map(|address| bind_one(*address, all).with_context(|| taken(*address))).collect()
}

fn bind_one(address: SocketAddr, all: &[SocketAddr]) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of an earlier process linger in the kernel. They must not keep the port from this process.
    socket.set_reuseaddr(true)?;
    // A command is small and must leave at once. Connections have this from the socket that accepts them.
    socket.set_nodelay(true)?;
    if address.is_ipv6() {
        // Also where the host says otherwise (net.ipv6.bindv6only). Another --listen may take the port's IPv4 itself.
        let is_taken = all.iter().any(|other| other.is_ipv4() && other.port() == address.port() && other.port() != 0);
        SockRef::from(&socket).set_only_v6(is_taken)?;
    }
    socket.bind(address).map(|()| socket)
}

/// Listens on bound sockets.
fn listen(sockets: Vec<TcpSocket>) -> anyhow::Result<Vec<TcpListener>> {
    let listen = |socket: TcpSocket| {
        let address = socket.local_addr()?;
        let listener = socket.listen(BACKLOG).with_context(|| taken(address))?;
        tracing::info!(%address, "listening");
        Ok(listener)
    };
    sockets.into_iter().map(listen).collect()
}

fn taken(listen: SocketAddr) -> String {
    format!("--listen {listen}: can't listen there; is the port taken?")
}

/// Starts a node on `sockets`, serves until `stop` completes, and stops the node. Calls `ready` with the first
/// bound address once the node serves. Reads the files of keys again at each `reload`.
///
/// Fails if the node can't start, or if it stopped because another process has its node id or the store does not fit it any more.
pub async fn run(
    config: Config,
    sockets: Vec<TcpSocket>,
    ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
    reload: Arc<Notify>,
) -> anyhow::Result<()> {
    let address = sockets.first().context("--listen: give an address to listen on")?.local_addr()?;
    let mut stop = pin!(stop);
    let node = tokio::select! {
        node = Node::start(config, sockets, address) => node?,
        () = &mut stop => {
            tracing::info!("stopped before it served");
            return Ok(());
        }
    };
    ready(address);
    let drained = node.serve(stop, &reload).await;
    let backplane = node.http_state.shared.backplane.clone();
    node.stop(drained).await;
    backplane.check_end()
}

impl Node {
    async fn start(config: Config, sockets: Vec<TcpSocket>, address: SocketAddr) -> anyhow::Result<Self> {
        config.validate()?;
        let address = advertise::address(&config, address).await?;
        advertise::check_allowed(&config, address)?;
        admission::raise_descriptors();
        let auth = Auth::new(&config)?;
        let sender = Arc::new(NoticeSender::new(config.notices.clone())?);
        if config.insecure {
            tracing::warn!("--insecure: anyone is let in, terminals and operators");
        }
        let count = config.shards.unwrap_or_else(|| thread::available_parallelism().map_or(1, Into::into));
        let (senders, mailboxes): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::channel(MAILBOX)).unzip();
        let (drain_requests, asked) = mpsc::channel(drain::ASKED);
        let (hub, lifecycle) = (Arc::<Hub>::default(), Arc::<Lifecycle>::default());
        let fences = Arc::new(Fences::new(backplane::partitions(&config)));
        let shards = Arc::new(Shards::new(hub.clone(), senders, fences.partitions(), drain_requests));
        let reports = Arc::new(Reports::default());
        let view = view(&config, address);
        let me = Candidate { address, sessions: 0, started_at: view.started_at, leaving: false };
        let metrics = Arc::new(Metrics::new());
        let host = Host {
            view,
            hub: hub.clone(),
            fences: fences.clone(),
            lifecycle: lifecycle.clone(),
            sessions: shards.clone(),
            reports: reports.clone(),
            report_interval: backplane::REPORT_INTERVAL,
            clock: Arc::new(backplane::SystemClock),
            metrics: metrics.clone(),
        };
        let jwks_read = auth.read_jwks(&metrics).await;
        let backplane = backplane::open(&config, host).await?;
        let listeners = match listen(sockets) {
            Ok(listeners) => listeners,
            Err(error) => {
                backplane.close().await;
                return Err(error);
            }
        };
        let shared = Arc::new(Shared {
            config,
            auth,
            hub,
            shards,
            fences,
            lifecycle,
            backplane: backplane.clone(),
            reports,
            metrics,
            stop: CancellationToken::new(),
        });
        let numbered = mailboxes.into_iter().enumerate();
        let threads =
            numbered.map(|(index, mailbox)| shard::start(index, mailbox, shared.clone())).collect::<Result<_, _>>()?;
        // Before the first handshake, if the store answers.
        let revision = revoked::apply(&shared, String::new()).await;
        let peers = Arc::new(Peers::new(backplane.node().clone(), shared.config.allow.clone()));
        let admission = Admission::new(&shared.config);
        let (closing, leave) = (CancellationToken::new(), Arc::<LeaveWish>::default());
        let mut beside = JoinSet::new();
        beside.spawn(peers.clone().run(backplane.clone()));
        beside.spawn(drain::run(shared.clone(), peers.clone(), asked, leave.clone()));
        beside.spawn(async move { backplane.run().await });
        beside.spawn(revoked::follow(shared.clone(), revision));
        beside.spawn(watch::run(shared.clone()));
        beside.spawn(key_uses::follow(shared.clone()));
        let carrier = RolloutCarrier::new(shared.backplane.clone(), shared.metrics.clone());
        beside.spawn(async move { carrier.run().await });
        let noticing = NoticeCarrier::new(shared.backplane.clone(), sender.clone(), shared.metrics.clone());
        beside.spawn(noticing.run());
        let following = shared.clone();
        beside.spawn(async move { following.auth.follow(jwks_read, &following.metrics).await });
        let connections =
            Arc::new(OpenConnections::new(admission.http_connections(shared.config.max_http_connections)));
        let http_state = Arc::new(HttpState {
            admission,
            rates: HandshakeRates::new(&shared.config),
            connections,
            refused: Default::default(),
            peers,
            me,
            untrusted: Default::default(),
            events: EventStreams::new(&shared.config),
            wrong_codes: http::wrong_codes(),
            audit: Default::default(),
            notices: sender,
            document: ApiDocument::new(http::openapi::document),
            shared,
        });
        let supervision = Arc::new(Supervision::new(http_state.clone()));
        beside.spawn(supervision.clone().run());
        let listening = tokio::spawn(http::serve(listeners, http_state.clone(), closing.clone()));
        Ok(Self { http_state, supervision, listening, closing, leave, beside, threads })
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
        partitions: None,
        foreign: 0,
        refused: None,
    }
}

/// A node id that no earlier process had. So whatever an earlier process left in the registry is known to be dead.
fn fresh_id() -> NodeId {
    format!("node-{:08x}", rand::random::<u32>()).parse().expect("hexadecimal digits make an id")
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_connection_sends_what_is_small_at_once_since_its_listener_is_told_to() {
        let address = ([127, 0, 0, 1], 0).into();
        let listener = bind_one(address, &[address]).unwrap().listen(BACKLOG).unwrap();
        let _terminal = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        assert!(listener.accept().await.unwrap().0.nodelay().unwrap());
    }
}

//! What tests of a shard need of a node.

use std::{
    net::{TcpListener, TcpStream as StdStream},
    rc::Rc,
    sync::{Arc, LazyLock},
    time::Duration,
};

use clap::Parser;
use jiff::Timestamp;
use muster_protocol::{
    TerminalId,
    api::{NodeState, NodeView, Protocol},
    partition::Partitions,
    selector::SayableKeys,
};
use socket2::SockRef;
use tokio::{net::TcpStream, task};
use tokio_util::sync::CancellationToken;

use super::{SessionWork, Shard, ShardMessage, Shards, Shared, Upgraded};
use crate::{
    auth::Auth,
    backplane::{Host, MemoryBackplane, SystemClock},
    config::Config,
    fence::Fences,
    hub::{Hub, Lifecycle},
    metrics::Metrics,
    reports::Reports,
    session,
    sync::mpsc,
};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    config: Config,
}

static CONFIG: LazyLock<Config> = LazyLock::new(|| Cli::parse_from(["node"]).config);
static METRICS: LazyLock<Arc<Metrics>> = LazyLock::new(Arc::default);

/// Parses the flags before a model (`models`) runs, because parsing needs more stack than the threads of a model have.
#[cfg(feature = "shuttle")]
pub fn prepare() {
    LazyLock::force(&CONFIG);
    LazyLock::force(&METRICS);
}

/// Returns a node with the default settings and `count` shards, whose threads are not started. Each mailbox has room
/// for `room` messages. Its store has one partition.
pub fn node(count: usize, room: usize) -> (Arc<Shared>, Vec<mpsc::Receiver<ShardMessage>>) {
    node_in(Partitions::ONE, count, room)
}

/// As [`node`], but its sessions belong to these partitions.
pub fn node_in(partitions: Partitions, count: usize, room: usize) -> (Arc<Shared>, Vec<mpsc::Receiver<ShardMessage>>) {
    let (hub, lifecycle) = (Arc::<Hub>::default(), Arc::<Lifecycle>::default());
    let fences = Arc::new(Fences::new(partitions));
    let (reports, metrics) = (Arc::<Reports>::default(), METRICS.clone());
    let (senders, mailboxes) = (0..count).map(|_| mpsc::channel(room)).unzip();
    let shards = Arc::new(Shards::new(hub.clone(), senders, partitions, mpsc::channel(1).0));
    let host = Host {
        view: view(),
        hub: hub.clone(),
        fences: fences.clone(),
        lifecycle: lifecycle.clone(),
        sessions: shards.clone(),
        reports: reports.clone(),
        report_interval: Duration::from_millis(100),
        clock: Arc::new(SystemClock),
        metrics: metrics.clone(),
    };
    let backplane = Arc::new(MemoryBackplane::new(&CONFIG, host));
    let (config, stop) = (CONFIG.clone(), CancellationToken::new());
    let auth = Auth::new(&config).unwrap();
    (Arc::new(Shared { config, auth, hub, shards, fences, lifecycle, backplane, reports, metrics, stop }), mailboxes)
}

/// Returns a shard whose sessions get no turns.
pub fn shard_at_rest() -> Shard {
    Shard::new(0, node(1, 1).0)
}

/// Returns a shard whose sessions get their turns, and which takes no messages. Must be called in a local set.
pub fn shard(shared: Arc<Shared>) -> Rc<Shard> {
    let shard = Rc::new(Shard::new(0, shared));
    task::spawn_local(session::serve(shard.clone(), session::Poller::new().unwrap()));
    shard
}

/// Starts the session of a plain terminal on a shard. Returns the terminal's end of the connection, whose buffers have
/// `buffer` bytes if it is given.
pub fn connect(shard: &Rc<Shard>, terminal: &TerminalId, buffer: Option<usize>) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    if let Some(size) = buffer {
        SockRef::from(&listener).set_recv_buffer_size(size).unwrap();
    }
    let stream = StdStream::connect(listener.local_addr().unwrap()).unwrap();
    if let Some(size) = buffer {
        SockRef::from(&stream).set_send_buffer_size(size).unwrap();
    }
    let (end, _) = listener.accept().unwrap();
    for stream in [&stream, &end] {
        stream.set_nonblocking(true).unwrap();
    }
    let upgraded = Upgraded {
        stream,
        read: Default::default(),
        terminal: terminal.clone(),
        protocol: Protocol::Plain,
        labels: Default::default(),
        say: SayableKeys::All,
        expires: None,
        token: None,
        address: "127.0.0.1".into(),
        edge: None,
    };
    shard.work.push(SessionWork::Adopt(Box::new(upgraded)));
    TcpStream::from_std(end).unwrap()
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
        partitions: None,
        foreign: 0,
        refused: None,
    }
}

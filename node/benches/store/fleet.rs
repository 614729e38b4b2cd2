//! A fleet that is registered in the store by the scripts that nodes use.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures_util::{StreamExt, future::join_all, stream};
use jiff::Timestamp;
use muster_node::{
    backplane::{
        JoinRequest,
        redis::{
            partition::{
                PartitionScripts, StorePartition,
                sessions::{HolderNode, PartitionJoin},
            },
            trust::Trust,
        },
    },
    end::SessionEnd,
    hub::SessionInfo,
};
use muster_protocol::{
    NodeId, SessionId, TerminalId,
    api::Protocol,
    id::ClusterName,
    partition::{PartitionIndex, Partitions},
    redis_keys::RedisKeys,
};
use muster_redis::Connection;
use redis::{FromRedisValue, cmd};
use uuid::Uuid;

use crate::step::Recorder;

/// The sessions of one node.
const SESSIONS: u32 = 50_000;
/// Calls under way at once.
pub const AT_ONCE: usize = 256;
/// Bytes that a partition may store: more than any step needs.
pub const STORED: u64 = 1 << 40;

/// One partition, and what is needed to reach its keys without a script.
pub struct BenchPartition {
    /// The partition.
    pub store: StorePartition,
    /// The names of its keys.
    pub keys: RedisKeys,
    /// A connection to its master.
    pub connection: Connection,
}

/// Terminals that are registered, each online at one of the nodes.
pub struct BenchFleet {
    /// The number of partitions.
    pub count: Partitions,
    /// By index.
    pub partitions: Vec<BenchPartition>,
    /// The number of terminals.
    pub terminals: u32,
    /// The nodes that hold the sessions, in turn.
    pub nodes: Vec<NodeId>,
    /// By terminal.
    ordinals: Vec<AtomicU32>,
    /// By terminal: how often it has joined.
    joined: Vec<AtomicU32>,
}

/// The id of a terminal.
pub fn terminal(n: u32) -> TerminalId {
    format!("kiosk-{n:07}").parse().expect("a terminal's id")
}

/// What a session asks for that joins, with two labels: one of 200 values and one of two. The session is named by `times`.
fn kiosk(n: u32, times: u32) -> JoinRequest {
    let labels = [("site", format!("s{:03}", n % 200)), ("kind", if n.is_multiple_of(2) { "a" } else { "b" }.into())];
    let info = SessionInfo {
        terminal: terminal(n),
        session: SessionId(Uuid::from_u64_pair(u64::from(times), u64::from(n))),
        protocol: Protocol::V1,
        partition: Default::default(),
        labels: labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        address: "10.20.30.40".into(),
        edge: None,
        connected_at: Timestamp::now(),
    };
    JoinRequest { info: Arc::new(info), will: None, cursor: None, again: false, patient: false }
}

impl BenchFleet {
    /// Opens a store and registers the terminals.
    pub async fn fill(recorder: &mut Recorder<'_>, count: Partitions, terminals: u32) -> Self {
        let (cluster, scripts) = (ClusterName::default(), Arc::new(PartitionScripts::new(STORED, true)));
        let trust = Arc::new(Trust::new(&cluster, &[]));
        let partition = |index: PartitionIndex| {
            let keys = RedisKeys::of_partition(&cluster, 0, count, index);
            let connection = recorder.servers.masters.connection(keys.tag());
            let store = StorePartition::new(index, keys.clone(), connection.clone(), scripts.clone());
            BenchPartition { store: store.sealed_by(trust.clone()), keys, connection }
        };
        let fleet = Self {
            count,
            partitions: count.all().map(partition).collect(),
            terminals,
            nodes: (0..terminals.div_ceil(SESSIONS))
                .map(|n| format!("bench-{n}").parse().expect("a node's id"))
                .collect(),
            ordinals: (0..terminals).map(|_| AtomicU32::new(0)).collect(),
            joined: (0..terminals).map(|_| AtomicU32::new(0)).collect(),
        };
        let info = fleet.partitions[0].store.open(count, "bench").await.expect("the store is opened");
        trust.set_store(&info.id);
        fleet.lease().await;
        let before = recorder.servers.memory().await;
        recorder.step("a new terminal joins", None, terminals, async || fleet.join(0..terminals).await).await;
        let stored = recorder.servers.memory().await - before - fleet.events().await;
        recorder.figure("memory of a terminal, without events", stored / f64::from(terminals), 550.0, "bytes");
        fleet
    }

    /// Gives all nodes leases that no measurement lives to see the end of.
    pub async fn lease(&self) {
        for node in &self.nodes {
            join_all(self.partitions.iter().map(|partition| partition.lease(node, 99_999_999_999_999))).await;
        }
    }

    /// The partition of a terminal.
    pub fn partition(&self, n: u32) -> &BenchPartition {
        &self.partitions[usize::from(self.count.of(&terminal(n)).0)]
    }

    /// The node that holds a terminal's session.
    pub fn node(&self, n: u32) -> &NodeId {
        &self.nodes[n as usize % self.nodes.len()]
    }

    /// The number of a terminal in its partition.
    pub fn ordinal(&self, n: u32) -> u32 {
        self.ordinals[n as usize].load(Ordering::Relaxed)
    }

    /// The ordinals of each node's terminals, by node and partition.
    pub fn held(&self) -> Vec<Vec<Vec<u32>>> {
        let mut held = vec![vec![Vec::new(); self.partitions.len()]; self.nodes.len()];
        for n in 0..self.terminals {
            held[n as usize % self.nodes.len()][usize::from(self.count.of(&terminal(n)).0)].push(self.ordinal(n));
        }
        held
    }

    /// Has these terminals join, each with a new session.
    pub async fn join(&self, terminals: impl IntoIterator<Item = u32>) {
        let join = async |n: u32| {
            let times = self.joined[n as usize].fetch_add(1, Ordering::Relaxed) + 1;
            let holder = HolderNode { node: self.node(n), process: "bench" };
            let joined = self.partition(n).store.join(&kiosk(n, times), holder).await.expect("Redis answers");
            let PartitionJoin::In { ordinal, .. } = joined else { panic!("{joined:?}") };
            self.ordinals[n as usize].store(ordinal, Ordering::Relaxed);
        };
        stream::iter(terminals).for_each_concurrent(AT_ONCE, join).await;
    }

    /// Ends the sessions of these terminals.
    pub async fn leave(&self, terminals: impl IntoIterator<Item = u32>) {
        let leave = async |n: u32| {
            let info = kiosk(n, self.joined[n as usize].load(Ordering::Relaxed)).info;
            let left = self.partition(n).store.leave(&info, self.node(n), SessionEnd::Left, 1).await;
            assert!(left.expect("Redis answers"), "{n} was not there");
        };
        stream::iter(terminals).for_each_concurrent(AT_ONCE, leave).await;
    }

    /// The bytes of the streams of events, which have a bound of their own.
    pub async fn events(&self) -> f64 {
        let usage = |partition: &BenchPartition| {
            let (key, partition) = (partition.keys.key("events"), partition.connection.clone());
            async move {
                let mut usage = cmd("MEMORY");
                let bytes: Option<f64> =
                    usage.arg("USAGE").arg(key).query_async(&mut partition.clone()).await.expect("Redis answers");
                bytes.unwrap_or(0.0)
            }
        };
        join_all(self.partitions.iter().map(usage)).await.iter().sum()
    }
}

impl BenchPartition {
    /// A command whose first argument is a key.
    pub async fn ask<T: FromRedisValue>(&self, command: &str, key: &str, arguments: &[&str]) -> T {
        let mut asked = cmd(command);
        asked.arg(self.keys.key(key)).arg(arguments);
        asked.query_async(&mut self.connection.clone()).await.expect("Redis answers")
    }

    /// Gives a node a lease that ends at this time, or ends it if the time is 0.
    pub async fn lease(&self, node: &NodeId, end: u64) {
        let lease = format!("lease:{node}");
        let _: u64 = self.ask("ZADD", "nodes", &[&end.to_string(), node.as_str()]).await;
        let _: redis::Value =
            if end > 0 { self.ask("SET", &lease, &["{}"]).await } else { self.ask("DEL", &lease, &[]).await };
    }
}

//! Two nodes that share a store of some partitions, under test.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use muster_node::backplane::{
    RedisBackplane,
    redis::partition::{PartitionScripts, StorePartition},
};
use muster_protocol::{frame::Condition, inbox::DrainRequest, partition::Partitions, redis_keys::RedisKeys};
use muster_redis::{Connection, Topology};
use tokio::time;

use crate::{
    answer::StepResult,
    clock::StillClock,
    node::{ModelNode, Parts, config, host},
    operation::{InjectedFailure, Operation},
    redis_server::StillRedis,
    rules,
    sessions::Delivered,
    store::{Store, id},
};

/// The time after which something that has not happened will not happen, in steps of a millisecond.
const PATIENCE: usize = 10_000;
/// A step of the clock, in seconds: less than what is left of a lease of 6 s just before it is renewed.
const STEP: u64 = 4;

pub struct PartitionedStore<'a> {
    pub store: Store,
    /// The partitions, for what nodes do at their beats.
    parts: Vec<StorePartition>,
    /// The first node, for the same.
    backplane: Arc<RedisBackplane>,
    server: &'a mut StillRedis,
}

impl<'a> PartitionedStore<'a> {
    /// Starts two nodes of a cluster of its own.
    pub async fn start(server: &'a mut StillRedis, partitions: Partitions, now: Timestamp, case: u64) -> Self {
        let clock = Arc::new(server.clock(now));
        let received = Arc::<Mutex<Delivered>>::default();
        let (mut nodes, mut backplanes) = (Vec::new(), Vec::new());
        for name in ["n0", "n1"] {
            let parts = Parts::new(&received);
            let (node, backplane) = open(name, parts, &server.redis.url, partitions, &clock, case).await;
            nodes.push(node);
            backplanes.push(backplane);
        }
        let (commands, placed, conditions) = (Vec::new(), BTreeMap::new(), BTreeMap::<u8, Condition>::new());
        let event = "0-0".into();
        let store = Store { nodes, partitions, received, clock, commands, placed, conditions, event, case };
        let parts = parts(&server.redis.url, partitions, case);
        let cluster = Self { store, parts, backplane: backplanes.remove(0), server };
        cluster.quiesce().await;
        cluster
    }

    pub async fn apply(&mut self, operation: &Operation) -> StepResult {
        match operation {
            Operation::Flush => self.flush().await,
            Operation::Clock { tens } => self.advance(10 * u64::from(*tens)).await,
            Operation::InjectedFailure(failure) => self.fail(failure).await,
            _ => {}
        }
        let answer = self.store.apply(operation).await;
        if *operation == Operation::InjectedFailure(InjectedFailure::Deaf) {
            // The next operation comes before the subscriptions are back.
            return self.store.outcome(answer).await;
        }
        self.quiesce().await;
        self.tell().await;
        self.store.outcome(answer).await
    }

    async fn flush(&mut self) {
        // Not in the time in which a node is deaf: it would learn of the loss twice.
        self.quiesce().await;
        self.server.redis.ask::<()>(&["FLUSHALL"]).await.unwrap();
        // The clock stands still, so the new stream of events gives the ids of the old one again.
        self.store.event = "0-0".into();
        self.announce().await;
    }

    async fn advance(&mut self, seconds: u64) {
        let mut left = seconds;
        while left > 0 {
            let step = left.min(STEP);
            self.store.clock.advance(Duration::from_secs(step));
            self.announce().await;
            // A command that expires in one step is not forgotten before a later one.
            self.sweep().await;
            self.tell().await;
            left -= step;
        }
        for part in &self.parts {
            // An injected failure may have cut this connection.
            while part.confirm().await.is_err() {}
        }
    }

    /// Ends and forgets what is over, as nodes do once a second, by a clock that does not stand still for long.
    async fn sweep(&self) {
        for part in &self.parts {
            // An injected failure may have cut this connection.
            while part.sweep().await.map_or(true, |swept| swept > 0) {}
        }
    }

    /// Has a node tell of all commands that are done, as it does at its beats.
    async fn tell(&self) {
        for _ in 0..PATIENCE {
            let mut is_told = true;
            for part in &self.parts {
                is_told &= part.telling().await.is_ok_and(|left| left == (vec![], vec![]));
            }
            if is_told {
                return;
            }
            let _ = self.backplane.tell_due().await;
        }
        panic!("it is not told that commands are done");
    }

    /// Has both nodes renew their leases.
    async fn announce(&self) {
        for node in &self.store.nodes {
            node.backplane.announce().await;
        }
    }

    async fn fail(&mut self, failure: &InjectedFailure) {
        match failure {
            InjectedFailure::Deaf => _ = self.server.redis.ask::<u64>(&["CLIENT", "KILL", "TYPE", "pubsub"]).await,
            InjectedFailure::Cut => {
                let _ = self.server.redis.ask::<u64>(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
                let _ = self.server.redis.ask::<u64>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
                self.answers().await;
            }
            InjectedFailure::Restart => {
                self.server.redis.restart().await;
                self.answers().await;
            }
        }
    }

    /// Waits until each node can use the store again.
    async fn answers(&self) {
        for node in &self.store.nodes {
            let mut tries = 0;
            while node.backplane.ready().is_err() || node.backplane.terminal(&id(0)).await.is_err() {
                tries += 1;
                assert!(tries < PATIENCE, "a node does not come back: {:?}", node.backplane.ready());
                time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    /// Waits until everything that was accepted has been delivered, and all that this led to is done: what goes to a node's inbox now
    /// arrives after what was published before.
    async fn quiesce(&self) {
        loop {
            self.wait_until_idle().await;
            self.pass_mark().await;
            if self.store.is_idle() {
                return;
            }
        }
    }

    async fn wait_until_idle(&self) {
        for _ in 0..PATIENCE {
            if self.store.is_idle() {
                return;
            }
            time::sleep(Duration::from_millis(1)).await;
        }
        panic!("sessions wait for the store without end");
    }

    async fn pass_mark(&self) {
        for (number, node) in self.store.nodes.iter().enumerate() {
            let mark = format!("{:032x}", rand::random::<u128>());
            let id = format!("n{number}").parse().unwrap();
            let mut tries = 0;
            while !node.sessions.has_mark(&mark) {
                // Sent again after a while: the subscription may have been cut while it was under way.
                let request = DrainRequest::Retire { worker: mark.clone(), over_ms: 0 };
                let is_heard =
                    tries % 500 > 0 || self.store.nodes[0].backplane.request_drain(&id, request).await == Ok(true);
                tries += 1;
                assert!(tries < PATIENCE, "a node does not hear its inbox");
                if !is_heard {
                    tries -= tries % 500;
                    time::sleep(Duration::from_millis(5)).await;
                }
                time::sleep(Duration::from_micros(500)).await;
            }
        }
    }
}

fn cluster(case: u64) -> String {
    format!("case-{case}")
}

fn parts(url: &str, partitions: Partitions, case: u64) -> Vec<StorePartition> {
    let (topology, scripts): (Topology, _) = (url.parse().unwrap(), Arc::new(PartitionScripts::new(1 << 30, true)));
    let part = |index| {
        let keys = RedisKeys::of_partition(&cluster(case).parse().unwrap(), 0, partitions, index);
        let connection = Connection::new(topology.clone(), keys.tag());
        StorePartition::new(index, keys, connection, scripts.clone())
    };
    partitions.all().map(part).collect()
}

async fn open(
    name: &str,
    parts: Parts,
    url: &str,
    partitions: Partitions,
    clock: &Arc<StillClock>,
    case: u64,
) -> (ModelNode, Arc<RedisBackplane>) {
    let (keep, backlog) = (format!("{}s", rules::KEEP), rules::BACKLOG.to_string());
    let flags = ["--keep", &keep, "--backlog", &backlog, "--cluster", &cluster(case)];
    let host = host(name, &parts, partitions, clock.clone());
    let backplane = RedisBackplane::open(url, partitions, &config(&flags), host).await.expect("Redis answers");
    let backplane = Arc::new(backplane);
    (ModelNode::start(backplane.clone(), parts), backplane)
}

impl Drop for PartitionedStore<'_> {
    fn drop(&mut self) {
        self.store.nodes.iter().for_each(ModelNode::stop);
    }
}

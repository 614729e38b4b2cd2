//! Two nodes that share a Redis, under test.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use muster_node::backplane::RedisBackplane;
use muster_protocol::{frame::Condition, inbox::DrainRequest};
use tokio::time;

use crate::{
    answer::StepResult,
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

pub struct RedisStore<'a> {
    pub store: Store,
    server: &'a mut StillRedis,
}

impl<'a> RedisStore<'a> {
    /// Starts two nodes of a cluster of its own.
    pub async fn start(server: &'a mut StillRedis, now: Timestamp, case: u64) -> Self {
        let received = Arc::<Mutex<Delivered>>::default();
        let mut nodes = Vec::new();
        for name in ["n0", "n1"] {
            nodes.push(open(name, Parts::new(&received), &server.redis.url, case).await);
        }
        let (commands, placed, conditions) = (Vec::new(), BTreeMap::new(), BTreeMap::<u8, Condition>::new());
        let store = Store { nodes, received, now, commands, placed, conditions, event: "0-0".into(), case };
        let cluster = Self { store, server };
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
            self.store.advance(step);
            self.server.set_clock(self.store.now);
            self.announce().await;
            left -= step;
        }
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

async fn open(name: &str, parts: Parts, url: &str, case: u64) -> ModelNode {
    let (keep, backlog, targets) =
        (format!("{}s", rules::KEEP), rules::BACKLOG.to_string(), rules::MAX_TARGETS.to_string());
    let cluster = format!("case-{case}");
    let flags = ["--keep", &keep, "--backlog", &backlog, "--max-targets", &targets, "--cluster", &cluster];
    let host = host(name, &parts.sessions, &parts.reports, &parts.hub);
    let backplane = RedisBackplane::open(url, &config(&flags), host).await.expect("Redis answers");
    ModelNode::start(Arc::new(backplane), parts)
}

impl Drop for RedisStore<'_> {
    fn drop(&mut self) {
        self.store.nodes.iter().for_each(ModelNode::stop);
    }
}

//! The memory backplane under test.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use muster_node::backplane::MemoryBackplane;
use muster_protocol::{TerminalId, frame::Condition, partition::Partitions};
use tokio::task;

use crate::{
    answer::StepResult,
    clock::StillClock,
    node::{ModelNode, Parts, config, host},
    operation::Operation,
    rules,
    sessions::{Delivered, Job},
    store::Store,
};

pub struct MemoryStore {
    pub store: Store,
    backplane: Arc<MemoryBackplane>,
}

impl MemoryStore {
    pub fn start(now: Timestamp, case: u64) -> Self {
        let clock = Arc::new(StillClock::at(now));
        let received = Arc::<Mutex<Delivered>>::default();
        let (node, backplane) = open(Parts::new(&received), &clock);
        let nodes = vec![node];
        let (commands, placed, conditions) = (Vec::new(), BTreeMap::new(), BTreeMap::<u8, Condition>::new());
        let event = "0-0".into();
        let partitions = Partitions::ONE;
        let store = Store { nodes, partitions, received, clock, commands, placed, conditions, event, case };
        Self { store, backplane }
    }

    pub async fn apply(&mut self, operation: &Operation) -> StepResult {
        match operation {
            Operation::Flush => self.flush(),
            Operation::Clock { tens } => {
                self.store.clock.advance(Duration::from_secs(10 * u64::from(*tens)));
                self.backplane.end_what_is_over();
            }
            _ => {}
        }
        let answer = self.store.apply(operation).await;
        self.quiesce().await;
        self.store.outcome(answer).await
    }

    /// Waits until everything that was accepted has been delivered. All tasks run on this thread and never wait for
    /// anything else, so each of them has done what it can once the others had their turns.
    async fn quiesce(&self) {
        let mut turns = 0;
        while turns < 30 || !self.store.is_idle() {
            task::yield_now().await;
            turns += 1;
        }
    }

    /// A memory backplane loses everything when its process ends. Here the sessions outlive it, as they outlive a Redis
    /// that loses everything.
    fn flush(&mut self) {
        let old = self.store.nodes.remove(0);
        old.stop();
        let mut parts = Parts::new(&self.store.received);
        parts.hub = old.hub.clone();
        self.store.event = "0-0".into();
        let moved: Vec<(TerminalId, _)> = std::mem::take(&mut *old.sessions.live()).into_iter().collect();
        let (sessions, jobs) =
            crate::sessions::Sessions::new(parts.hub.clone(), parts.reports.clone(), self.store.received.clone());
        (parts.sessions, parts.jobs) = (sessions, jobs);
        for (terminal, live) in moved {
            parts.sessions.ask(Job::Rejoin(terminal.clone(), live.info.session));
            parts.sessions.live().insert(terminal, live.hold());
        }
        let (node, backplane) = open(parts, &self.store.clock);
        self.store.nodes.push(node);
        self.backplane = backplane;
    }
}

fn open(parts: Parts, clock: &Arc<StillClock>) -> (ModelNode, Arc<MemoryBackplane>) {
    let (keep, backlog) = (format!("{}s", rules::KEEP), rules::BACKLOG.to_string());
    let config = config(&["--keep", &keep, "--backlog", &backlog]);
    let host = host("n0", &parts, Partitions::ONE, clock.clone());
    let backplane = Arc::new(MemoryBackplane::new(&config, host));
    (ModelNode::start(backplane.clone(), parts), backplane)
}

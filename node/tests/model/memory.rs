//! The memory backplane under test.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use muster_node::backplane::{MemoryBackplane, TimeSource};
use muster_protocol::{TerminalId, frame::Condition};
use tokio::task;

use crate::{
    answer::StepResult,
    node::{ModelNode, Parts, config, host},
    operation::Operation,
    rules,
    sessions::{Delivered, Job},
    store::Store,
};

/// A clock that stands still until it is moved.
pub struct StillClock {
    began: (Timestamp, Instant),
    passed: Mutex<Duration>,
}

impl TimeSource for StillClock {
    fn now(&self) -> Timestamp {
        self.began.0 + *self.passed.lock().unwrap()
    }

    fn instant(&self) -> Instant {
        self.began.1 + *self.passed.lock().unwrap()
    }
}

pub struct MemoryStore {
    pub store: Store,
    clock: Arc<StillClock>,
}

impl MemoryStore {
    pub fn start(now: Timestamp, case: u64) -> Self {
        let clock = Arc::new(StillClock { began: (now, Instant::now()), passed: Mutex::default() });
        let received = Arc::<Mutex<Delivered>>::default();
        let nodes = vec![open(Parts::new(&received), &clock)];
        let (commands, placed, conditions) = (Vec::new(), BTreeMap::new(), BTreeMap::<u8, Condition>::new());
        let store = Store { nodes, received, now, commands, placed, conditions, event: "0-0".into(), case };
        Self { store, clock }
    }

    pub async fn apply(&mut self, operation: &Operation) -> StepResult {
        match operation {
            Operation::Flush => self.flush(),
            Operation::Clock { tens } => {
                *self.clock.passed.lock().unwrap() += Duration::from_secs(10 * u64::from(*tens));
                self.store.advance(10 * u64::from(*tens));
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
        self.store.nodes.push(open(parts, &self.clock));
    }
}

fn open(parts: Parts, clock: &Arc<StillClock>) -> ModelNode {
    let (keep, backlog, targets) =
        (format!("{}s", rules::KEEP), rules::BACKLOG.to_string(), rules::MAX_TARGETS.to_string());
    let config = config(&["--keep", &keep, "--backlog", &backlog, "--max-targets", &targets]);
    let host = host("n0", &parts.sessions, &parts.reports, &parts.hub);
    ModelNode::start(Arc::new(MemoryBackplane::with_clock(&config, host, clock.clone())), parts)
}

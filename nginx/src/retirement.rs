//! Retires old workers, which linger only for their sessions. The sidecar asks the nodes to move the sessions of the
//! oldest workers, which then end by themselves.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use muster_protocol::inbox::ProxyMessage;
use rustix::process::Signal;

use crate::{config::Config, leases::LeaseReader, nginx::signal, workers::NginxWorker};

/// How long a worker may still run after the time over which its sessions are moved. After that the sidecar ends it,
/// with the connections that it has.
const EXTRA_TIME: Duration = Duration::from_secs(30);

/// The workers whose retirement the nodes were asked for, and since when.
#[derive(Debug)]
pub struct WorkerRetirement {
    edge: String,
    /// The number of workers of one generation.
    workers: usize,
    most: usize,
    after: Duration,
    over: Duration,
    asked: HashMap<i32, Instant>,
    /// How many workers' sessions the nodes were asked to move.
    pub asked_total: u64,
    /// How many of these ended by themselves.
    pub done_total: u64,
    /// How many of these the sidecar ended.
    pub cut_total: u64,
}

impl WorkerRetirement {
    /// Makes a retirement with the configured limits.
    pub fn new(config: &Config) -> Self {
        Self {
            edge: config.edge.clone().unwrap_or_default(),
            workers: config.workers as usize,
            most: config.lingering,
            after: config.retire_after,
            over: config.retire_over,
            asked: HashMap::new(),
            asked_total: 0,
            done_total: 0,
            cut_total: 0,
        }
    }

    /// Retires the oldest of the lingering workers, if there are too many or they are too old. `lingering` begins with
    /// the oldest. Retires at most one generation at a time: its sessions come back through the newest workers, and
    /// should not come back all at once.
    pub async fn step(&mut self, lingering: &[NginxWorker], leases: &mut LeaseReader) {
        self.count_ended(lingering);
        let room = self.workers.saturating_sub(self.asked.len());
        let due = lingering.iter().filter(|worker| !self.asked.contains_key(&worker.pid));
        let crowd = lingering.len().saturating_sub(self.most / 2);
        let due: Vec<_> =
            due.enumerate().filter(|(index, worker)| *index < crowd || self.is_old(worker)).take(room).collect();
        for (_, worker) in due {
            if !self.ask(worker, self.over, leases).await {
                return;
            }
            self.asked.insert(worker.pid, Instant::now());
            self.asked_total += 1;
        }
    }

    /// Asks the nodes to move the sessions of all these workers over this time, since Nginx is to end.
    pub async fn all(&self, workers: &[NginxWorker], over: Duration, leases: &mut LeaseReader) {
        for worker in workers {
            if !self.ask(worker, over, leases).await {
                return;
            }
        }
    }

    async fn ask(&self, worker: &NginxWorker, over: Duration, leases: &mut LeaseReader) -> bool {
        let over_ms = over.as_millis() as u64;
        let request = ProxyMessage::Retire { worker: format!("{}/{}", self.edge, worker.pid), over_ms };
        let asked = leases.tell(request).await;
        match &asked {
            Ok(()) => tracing::info!(pid = worker.pid, age = worker.age(), "asked the nodes to retire a worker"),
            Err(error) => tracing::warn!(%error, "can't ask the nodes to retire a worker; it is tried again"),
        }
        asked.is_ok()
    }

    fn is_old(&self, worker: &NginxWorker) -> bool {
        worker.age() >= self.after.as_secs()
    }

    /// Counts retired workers that have ended, and ends those whose time is over: the connections that they still hold
    /// belong to no node.
    fn count_ended(&mut self, lingering: &[NginxWorker]) {
        let before = self.asked.len();
        self.asked.retain(|pid, _| lingering.iter().any(|worker| worker.pid == *pid));
        self.done_total += (before - self.asked.len()) as u64;
        let deadline = self.over + EXTRA_TIME;
        for (pid, _) in self.asked.extract_if(|_, asked| asked.elapsed() > deadline) {
            tracing::warn!(pid, "a retired worker still holds connections; ending it");
            signal(pid, Signal::TERM);
            self.cut_total += 1;
        }
    }
}

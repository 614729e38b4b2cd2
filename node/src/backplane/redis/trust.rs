//! What this node believes of what it reads in Redis: only what a node of the same cluster has sealed for this store.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use muster_protocol::{
    TerminalId,
    api::{NodeView, ProxyView},
    frame,
    id::ClusterName,
    partition::PartitionIndex,
    schema::SCHEMA,
    seal::{CommandScope, LeaseKey, NodeKey, SealedCommand, SealedLease, SealedReport, digest_of_targets, seal_keys},
    token::Secret,
};
use prometheus::IntCounter;

/// The most characters of an error that are logged when a message can't be carried out.
const UNKNOWN_MAX: usize = 200;

/// The keys of this node's cluster, and what was found foreign.
#[derive(Debug)]
pub struct Trust {
    lease: LeaseKey,
    node: NodeKey,
    /// The id of the store, which changes if the store is lost.
    store: Mutex<Arc<str>>,
    foreign: AtomicU64,
    /// The metric that counts the same.
    metric: Option<IntCounter>,
}

impl Trust {
    /// Returns the keys that follow from the secrets of a cluster; without secrets, those of every node that runs with
    /// `--insecure`.
    pub fn new(cluster: &ClusterName, secrets: &[Secret]) -> Self {
        let (lease, node) = seal_keys(cluster, secrets);
        Self { lease, node, store: Mutex::new("".into()), foreign: AtomicU64::new(0), metric: None }
    }

    /// Returns the same, and what is foreign is also counted by this metric.
    #[must_use]
    pub fn counted_by(self, metric: IntCounter) -> Self {
        Self { metric: Some(metric), ..self }
    }

    /// Returns the id of the store; empty before it is known.
    pub fn store(&self) -> Arc<str> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records the id of the store. The id changes if the store was lost.
    pub fn set_store(&self, id: &str) {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = id.into();
    }

    /// Returns the number of leases and commands that were found foreign and not used.
    pub fn foreign(&self) -> u64 {
        self.foreign.load(Ordering::Relaxed)
    }

    /// Returns the text of a lease.
    pub fn seal_lease(&self, process: &str, name: &str, view: NodeView) -> String {
        let store = self.store().to_string();
        SealedLease { store, process: process.into(), name: name.into(), schema: SCHEMA, view }.to_text(&self.lease)
    }

    /// Reads the lease of a node. None if it is foreign.
    pub fn read_lease(&self, node: &str, text: &str) -> Option<SealedLease> {
        let lease = SealedLease::read(&self.lease, &self.store(), node, text);
        lease.inspect_err(|_| self.count_foreign("the lease of a node", node)).ok()
    }

    /// Opens the report of a proxy. None if it is foreign.
    pub fn open_report(&self, report: &SealedReport) -> Option<ProxyView> {
        report.open(&self.lease).inspect_err(|_| self.count_foreign("the report of", "a proxy")).ok()
    }

    /// Returns the body of a frame with its seal. A body is JSON without its opening brace and without the time at
    /// which the command expires, which a script adds. `targets` are all targets that are named; none if they are not
    /// named.
    pub fn seal_body(&self, body: &str, expires_in: Duration, targets: Option<&[TerminalId]>) -> String {
        let (store, targets) = (self.store().to_string(), digest_of_targets(targets));
        let scope = CommandScope { store, expires_in, targets };
        scope.seal(&self.node, body)
    }

    /// Reads a frame of a partition that is to go to these terminals: named ones, or none if they are not named. None
    /// if it is foreign, or is not for them.
    pub fn read_frame(
        &self,
        partition: PartitionIndex,
        text: &str,
        terminals: Option<&[TerminalId]>,
    ) -> Option<frame::Command> {
        let read = SealedCommand::read(&self.node, &self.store(), text);
        let command = read.ok().filter(|command| command.is_for(terminals)).map(|command| command.command);
        if command.is_none() {
            self.count_foreign("a command in partition", &partition.to_string());
        }
        command
    }

    /// Counts a message that this node can't carry out, since it does not know its kind or lacks a field of it.
    pub fn count_unknown(&self, what: &str, which: &str, error: &serde_json::Error) {
        if let Some(count) = self.count() {
            // The error may quote the message, which may be long.
            let error: String = error.to_string().chars().take(UNKNOWN_MAX).collect();
            tracing::error!(
                count,
                "{what} {which} is not carried out: {error}; a node or a sidecar of a newer version sent it, or who else can write to \
                 this Redis?"
            );
        }
    }

    /// Counts something that the node ignores. Returns the count if it is to be logged: the first time, and then every
    /// thousandth time.
    fn count(&self) -> Option<u64> {
        self.metric.iter().for_each(IntCounter::inc);
        let before = self.foreign.fetch_add(1, Ordering::Relaxed);
        before.is_multiple_of(1000).then_some(before + 1)
    }

    /// Counts something that no node of this cluster has sealed. Logs the first, and then every thousandth.
    pub fn count_foreign(&self, what: &str, which: &str) {
        if let Some(count) = self.count() {
            tracing::error!(
                count,
                "{what} {which} is not used: no node of this cluster with this node's secret wrote it; do all nodes have the same \
                 --cluster-secret-file (or --secret, if they have none) and --insecure, and who else can write to this Redis?"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use muster_protocol::partition::command_id;

    use super::*;

    #[test]
    fn what_a_node_without_the_secret_wrote_is_counted_and_not_used() {
        let secrets = [format!("k={}", "s".repeat(32)).parse().unwrap()];
        let trust = |secrets: &[Secret]| Trust::new(&ClusterName::default(), secrets);
        let (ours, other, partition) = (trust(&secrets), trust(&[]), PartitionIndex(1));
        let body = format!(r#""id":"{}","name":"show","payload":1}}"#, command_id(partition));
        let expires_at = Timestamp::now() + Duration::from_secs(60);
        let whole = |rest: &str| format!("{{\"expires_at\":\"{expires_at}\",{rest}");
        let (t1, t2): (TerminalId, TerminalId) = ("t1".parse().unwrap(), "t2".parse().unwrap());
        let targets = std::slice::from_ref(&t1);
        let sealed = whole(&ours.seal_body(&body, Duration::from_secs(60), Some(targets)));
        let read = |trust: &Trust, text: &str, to: &TerminalId| {
            trust.read_frame(partition, text, Some(std::slice::from_ref(to))).is_some()
        };
        assert!(read(&ours, &sealed, &t1) && ours.foreign() == 0);
        assert!(!read(&ours, &sealed, &t2), "it is for another terminal");
        assert!(!read(&other, &sealed, &t1));
        assert!(!read(&ours, &whole(&body), &t1), "it has no seal");
        ours.set_store("s2");
        assert!(!read(&ours, &sealed, &t1), "it was sealed for a store that was lost");
        assert_eq!((ours.foreign(), other.foreign()), (3, 1));
    }
}

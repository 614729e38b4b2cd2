//! The metrics of a node, for Prometheus.

use prometheus::{Encoder, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

/// The metrics. A counter is incremented once per event or per batch, never per delivery.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// The number of sessions now.
    pub sessions: IntGauge,
    /// Sessions that ended, by `end`.
    pub ends: IntCounterVec,
    /// Close frames that ended sessions, by who sent them (`by`: `terminal` or `node`) and `code`.
    pub closes: IntCounterVec,
    /// Handshakes that were refused, by `cause` and HTTP `status`.
    pub refused: IntCounterVec,
    /// Handshakes that this node told the proxy to take to another node.
    pub placed_elsewhere: IntCounter,
    /// Commands that this node accepted.
    pub commands: IntCounter,
    /// Command frames that sockets of this node took whole.
    pub delivered: IntCounter,
    /// Pauses in reading a session whose terminal sends faster than `--max-rate`.
    pub reads_paused: IntCounter,
    /// By how many milliseconds the clock of a Redis master and this node's differ, of the master whose clock differs most.
    pub redis_clock_difference: IntGauge,
    /// Reports of sessions that were not stored, by `reason`: `event_refused`, `reply_refused`, `state_refused` and
    /// `health_refused` by Redis for good, as when it has no memory (maxmemory); `no_room` in this node's own table
    /// while Redis was away; `other_epoch` of a store that has lost something and so numbers terminals anew.
    pub reports_dropped: IntCounterVec,
    /// New terminals that were not let in, since the store has no number left for another one.
    pub registrations_refused: IntCounter,
    /// Partitions of the store, by `state`: `ok` or `lost`. Without Redis there is none.
    pub partitions: IntGaugeVec,
    /// Leases and commands that were read in the store and not used, since no node with the same secret wrote them.
    pub foreign: IntCounter,
    /// Whether the node has too little of a `resource`: `files`, `memory`, `shards` (that answer).
    pub shortages: IntGaugeVec,
    /// Records of the audit that were not written, by `reason`: `no_room` in this node's queue while the store was away, or `stranger`:
    /// beyond 60 calls a minute without a valid key.
    pub audit_lost: IntCounterVec,
    /// Revocations that this node applies.
    pub revocations: IntGauge,
    /// Attempts to deliver messages of notices, by `result`: `delivered`, `failed` (and tried again) or `given_up`.
    pub notice_attempts: IntCounterVec,
    /// Messages of notices that were not queued: as many bytes waited for the receiver as may.
    pub notices_lost: IntCounter,
    /// Messages of notices that wait. 0 on a node that does not carry notices on.
    pub notices_waiting: IntGauge,
    /// The keys of `--jwks` that tokens are verified with.
    pub jwks_keys: IntGauge,
    /// Attempts to read `--jwks`, by `outcome`: `ok` or `failed`.
    pub jwks_fetches: IntCounterVec,
}

impl Metrics {
    /// All metrics, at zero.
    pub fn new() -> Self {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help).expect("a literal name is valid");
            registry.register(Box::new(counter.clone())).expect("each name is registered once");
            counter
        };
        let labelled = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels).expect("a literal name is valid");
            registry.register(Box::new(counter.clone())).expect("each name is registered once");
            counter
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help).expect("a literal name is valid");
            registry.register(Box::new(gauge.clone())).expect("each name is registered once");
            gauge
        };
        let labelled_gauge = |name: &str, help: &str, label: &str| {
            let gauge = IntGaugeVec::new(Opts::new(name, help), &[label]).expect("a literal name is valid");
            registry.register(Box::new(gauge.clone())).expect("each name is registered once");
            gauge
        };
        Self {
            sessions: gauge("muster_sessions", "Sessions now."),
            partitions: labelled_gauge("muster_partitions", "Partitions of the store, by state.", "state"),
            shortages: labelled_gauge(
                "muster_shortages",
                "Whether the node has too little of a resource: files, memory, shards that answer.",
                "resource",
            ),
            foreign: counter(
                "muster_foreign_total",
                "Leases and commands not used: no node of this cluster wrote them.",
            ),
            redis_clock_difference: gauge(
                "muster_redis_clock_difference_ms",
                "Greatest difference between the clock of a Redis master and this node's, in milliseconds.",
            ),
            audit_lost: labelled("muster_audit_lost_total", "Records of the audit not written, by why.", &["reason"]),
            revocations: gauge("muster_revocations", "Revocations that this node applies."),
            notice_attempts: labelled(
                "muster_notice_attempts_total",
                "Attempts to deliver messages of notices, by result.",
                &["result"],
            ),
            notices_lost: counter("muster_notices_lost_total", "Messages of notices not queued: no more could wait."),
            notices_waiting: gauge("muster_notices_waiting", "Messages of notices that wait."),
            jwks_keys: gauge("muster_jwks_keys", "Keys of --jwks that tokens are verified with."),
            jwks_fetches: labelled("muster_jwks_fetches_total", "Attempts to read --jwks, by outcome.", &["outcome"]),
            ends: labelled("muster_sessions_ended_total", "Sessions ended, by how.", &["end"]),
            closes: labelled(
                "muster_sessions_closed_total",
                "Sessions that a close frame ended, by who sent it and its code.",
                &["by", "code"],
            ),
            refused: labelled(
                "muster_handshakes_refused_total",
                "Handshakes refused, by cause and HTTP status.",
                &["cause", "status"],
            ),
            placed_elsewhere: counter("muster_handshakes_placed_elsewhere_total", "Handshakes sent to another node."),
            commands: counter("muster_commands_accepted_total", "Commands accepted by this node."),
            delivered: counter("muster_delivered_total", "Command frames taken by sockets of this node."),
            reads_paused: counter(
                "muster_reads_paused_total",
                "Pauses in reading a session whose terminal sends faster than --max-rate.",
            ),
            registrations_refused: counter(
                "muster_registrations_refused_total",
                "New terminals not let in: the store has no number for another one.",
            ),
            reports_dropped: labelled(
                "muster_reports_dropped_total",
                "Reports that were not stored, by why.",
                &["reason"],
            ),
            registry,
        }
    }

    /// The metrics in Prometheus's text format.
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("a vector takes every write");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

//! The metrics of the sidecar.

use jiff::Timestamp;
use muster_protocol::api::ConnectionUse;
use prometheus::{Encoder, Gauge, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder, core::Collector};

use crate::{
    error_answers::{FAILURES, LIMITS, STATUSES},
    state::SidecarState,
};

/// The counters and gauges of `/metrics`.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Reloads, by `reason` and `result`.
    pub reloads: IntCounterVec,
    /// Changes that Nginx learned of by DNS, by `reason` and `result`.
    pub applied_by_dns: IntCounterVec,
    /// Answers to Nginx's DNS queries, by their DNS response `code`.
    pub dns_answers: IntCounterVec,
    /// Changes that had to wait, by `why`. A change counts once for each reason.
    pub suppressed: IntCounterVec,
    /// Nodes that had no lease and answered a probe.
    pub disagreements: IntCounter,
    /// Leases that were refused, by `reason`.
    pub refused: IntCounterVec,
    /// How long the last confirmed reload took, in seconds.
    pub confirm_seconds: Gauge,
    /// Workers by the `step` of their retirement: `asked`, `done`, `cut`.
    pub retired: IntCounterVec,
    /// Lines of standard output and the log that could not be written.
    pub dropped_lines: IntCounter,
    /// Connections that Nginx closed without an answer, since a worker had no room for them.
    pub connections_dropped: IntCounter,
    /// Errors that clients got, by `status` and `cause`.
    pub errors_answered: IntCounterVec,
    generation_served: IntGauge,
    generation_wanted: IntGauge,
    connections_used: IntGauge,
    connections_limit: IntGauge,
    certificate_end: IntGauge,
    last_success: IntGauge,
    failing_seconds: Gauge,
    failing_attempts: IntGauge,
    own_files_refused: IntGauge,
    generation: IntGauge,
    leased: IntGauge,
    rendered: IntGauge,
    source_up: IntGauge,
    redis_up: IntGauge,
    redis_age: Gauge,
    partitions_away: IntGauge,
    foreign: IntGauge,
    mismatched: IntGauge,
    out_of_files: IntGauge,
    frozen: IntGauge,
    lingering_workers: IntGauge,
    lingering_sockets: IntGauge,
    lingering_bytes: IntGauge,
}

impl Metrics {
    /// Sets the gauges to a state.
    pub fn show(&self, state: &SidecarState) {
        self.failing_seconds.set(state.failing.as_ref().map_or(0.0, |failing| failing.seconds));
        self.failing_attempts.set(state.failing.as_ref().map_or(0, |failing| failing.attempts.into()));
        self.generation_served.set(state.generation_served.unwrap_or_default() as i64);
        self.generation_wanted.set(state.generation_wanted as i64);
        let connections = state.connections.unwrap_or(ConnectionUse { used: 0, limit: 0 });
        self.connections_used.set(connections.used as i64);
        self.connections_limit.set(connections.limit as i64);
        self.certificate_end.set(state.certificate_ends_at.map_or(0, Timestamp::as_second));
        self.last_success.set(state.last_success_at.map_or(0, Timestamp::as_second));
        self.own_files_refused.set(state.own_files_error.is_some().into());
        self.generation.set(state.generation as i64);
        self.leased.set(state.leased.len() as i64);
        self.rendered.set(state.served.len() as i64);
        self.source_up.set(state.source_error.is_none().into());
        self.redis_up.set(state.redis_up.into());
        self.redis_age.set(state.redis_age_seconds);
        self.partitions_away.set(state.partitions_away as i64);
        self.foreign.set(state.foreign.as_ref().map_or(0, |foreign| foreign.nodes.len() as i64));
        self.mismatched.set(state.mismatches.len() as i64);
        self.out_of_files.set(state.out_of_files.into());
        self.frozen.set(state.frozen.into());
        self.lingering_workers.set(state.lingering.len() as i64);
        self.lingering_sockets.set(state.lingering.iter().map(|worker| worker.sockets as i64).sum());
        self.lingering_bytes.set(state.lingering.iter().map(|worker| worker.bytes as i64).sum());
    }

    /// Returns all metrics in Prometheus's text format.
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("a vector takes every write");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        Self {
            reloads: labels(&registry, "reloads_total", "Reloads of Nginx.", &["reason", "result"]),
            applied_by_dns: labels(
                &registry,
                "applied_by_dns_total",
                "Changes that Nginx learned of by DNS, without a reload.",
                &["reason", "result"],
            ),
            dns_answers: labels(&registry, "dns_answers_total", "Answers to Nginx's DNS queries.", &["code"]),
            suppressed: labels(&registry, "suppressed_total", "Changes that had to wait.", &["why"]),
            disagreements: register(
                &registry,
                IntCounter::new(name("probe_disagree_total"), "Nodes without a lease that answered a probe."),
            ),
            refused: labels(&registry, "leases_refused_total", "Leases that were refused.", &["reason"]),
            confirm_seconds: register(
                &registry,
                Gauge::new(name("reload_confirm_seconds"), "How long the last confirmed reload took."),
            ),
            retired: labels(&registry, "retired_workers_total", "Old workers whose sessions were moved.", &["step"]),
            dropped_lines: register(
                &registry,
                IntCounter::new(
                    name("dropped_lines_total"),
                    "Lines of standard output and the log that could not be written.",
                ),
            ),
            connections_dropped: register(
                &registry,
                IntCounter::new(
                    name("connections_dropped_total"),
                    "Connections that Nginx closed without an answer, since a worker had no room for them (--sessions).",
                ),
            ),
            errors_answered: errors_answered(&registry),
            generation_served: gauge(
                &registry,
                "generation_served",
                "The generation that Nginx runs; 0 if it does not answer.",
            ),
            generation_wanted: gauge(&registry, "generation_wanted", "The generation that Nginx should run."),
            connections_used: gauge(&registry, "connections_used", "Open connections of Nginx: two for each session."),
            connections_limit: gauge(
                &registry,
                "connections_limit",
                "Connections that Nginx can have; 0 if not known.",
            ),
            certificate_end: gauge(
                &registry,
                "certificate_end_timestamp_seconds",
                "Until when the certificate is valid with which Nginx serves; 0 without TLS.",
            ),
            last_success: gauge(
                &registry,
                "last_success_timestamp_seconds",
                "When Nginx last ran what it should; 0 if it never has since the start.",
            ),
            failing_seconds: register(
                &registry,
                Gauge::new(
                    name("failing_seconds"),
                    "For how long a change of the nodes has been failing; 0 if none is (see failing in /state).",
                ),
            ),
            failing_attempts: gauge(
                &registry,
                "failing_attempts",
                "Attempts at a change of the nodes that failed so far; 0 if none is failing.",
            ),
            own_files_refused: gauge(
                &registry,
                "own_files_refused",
                "Whether Nginx goes on with an older copy, since the snippets or the certificate can't be used (see own_files_error in /state).",
            ),
            generation: gauge(&registry, "generation", "The generation of the configuration that Nginx runs."),
            leased: gauge(&registry, "registry_nodes", "Nodes that hold a lease."),
            rendered: gauge(&registry, "rendered_nodes", "Nodes in Nginx's configuration."),
            source_up: gauge(&registry, "source_up", "Whether the nodes can be read (see source_error in /state)."),
            redis_up: gauge(&registry, "redis_up", "Whether Redis answers; 1 if the nodes are listed elsewhere."),
            redis_age: register(&registry, Gauge::new(name("redis_age_seconds"), "Time since Redis last answered.")),
            partitions_away: gauge(&registry, "partitions_away", "Partitions of the store that do not answer."),
            foreign: gauge(
                &registry,
                "foreign_nodes",
                "Nodes whose leases are not used, since their secret is another one (see foreign in /state); 20 at most.",
            ),
            mismatched: gauge(
                &registry,
                "mismatched_nodes",
                "Nodes whose settings do not agree with this proxy's (see mismatches in /state); 20 at most.",
            ),
            out_of_files: gauge(
                &registry,
                "out_of_files",
                "Whether the sidecar, or its host, can open no more files (see out_of_files in /state).",
            ),
            frozen: gauge(&registry, "frozen", "Whether no node may leave Nginx's configuration now."),
            lingering_workers: gauge(&registry, "lingering_workers", "Old workers that still have sessions."),
            lingering_sockets: gauge(&registry, "lingering_sockets", "Sockets of old workers: two for each session."),
            lingering_bytes: gauge(&registry, "lingering_bytes", "Memory of old workers."),
            registry,
        }
    }
}

/// Makes every series from the start on: Prometheus sees no increase in a counter that begins with 1.
fn errors_answered(registry: &Registry) -> IntCounterVec {
    let help = "Errors (429 and 5xx) that clients got, by cause: a limit, a node, no node that could be reached, or the proxy itself.";
    let counters = labels(registry, "errors_answered_total", help, &["status", "cause"]);
    LIMITS.iter().for_each(|cause| drop(counters.with_label_values(&["429", *cause])));
    for status in STATUSES {
        FAILURES.iter().for_each(|cause| drop(counters.with_label_values(&[status, *cause])));
    }
    counters
}

fn name(name: &str) -> String {
    format!("muster_sidecar_{name}")
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let made = made.expect("a literal name is valid");
    registry.register(Box::new(made.clone())).expect("each name is registered once");
    made
}

fn labels(registry: &Registry, of: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    register(registry, IntCounterVec::new(Opts::new(name(of), help), labels))
}

fn gauge(registry: &Registry, of: &str, help: &str) -> IntGauge {
    register(registry, IntGauge::new(name(of), help))
}

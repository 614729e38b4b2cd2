//! What the sidecar knew after its last look at the registry. The loop fills it in; `/state` and the gauges of
//! `/metrics` show it.

use std::{collections::BTreeMap, net::SocketAddr};

use jiff::Timestamp;
use muster_protocol::api::{ConnectionUse, ProxyDifference};
use serde::Serialize;

/// The body of `/state`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SidecarState {
    /// The generation of the configuration with which Nginx would start, and which it confirmed.
    pub generation: u64,
    /// The generation that Nginx runs, as it says itself when the sidecar asks, every ten polls. `None` if it did not
    /// answer.
    pub generation_served: Option<u64>,
    /// The generation that Nginx should run: the one after `generation` while a change waits or fails.
    pub generation_wanted: u64,
    /// What is not as it should be; empty if all is well.
    pub differs: Vec<ProxyDifference>,
    /// When Nginx last ran what it should. `None` if it never has since the start of the sidecar.
    pub last_success_at: Option<Timestamp>,
    /// The connections of the workers that take new ones. `None` if the sidecar can't see them.
    pub connections: Option<ConnectionUse>,
    /// Until when the certificate is valid with which Nginx serves. `None` without TLS.
    pub certificate_ends_at: Option<Timestamp>,
    /// What was refused since the start of the sidecar, by cause. Under `connections`: connections that Nginx had no
    /// room for. Under the others: leases.
    pub refused: BTreeMap<&'static str, u64>,
    /// The address at which Nginx asks for the nodes by DNS. `None` if it is reloaded for them.
    pub resolver: Option<SocketAddr>,
    /// How many changes Nginx learned of by DNS.
    pub applied_by_dns: u64,
    /// The nodes that Nginx is configured with.
    pub served: Vec<SocketAddr>,
    /// The nodes that hold a lease.
    pub leased: Vec<SocketAddr>,
    /// Nodes without a lease that are served because they answer the sidecar's probe.
    pub kept: Vec<SocketAddr>,
    /// Nodes without a lease that do not answer either, and are served because the registry is not trusted now.
    pub withheld: Vec<SocketAddr>,
    /// Why a change is not applied yet: quiet, rate, lingering or failed.
    pub waits: Option<&'static str>,
    /// A change that failed and will be tried again.
    pub failing: Option<FailingChange>,
    /// Why Nginx does not run with the snippets and the certificate as they are on the disk.
    pub own_files_error: Option<String>,
    /// Why the nodes could not be read at the last attempt: from Redis, or from the list of `--nodes-from`. `None` if
    /// they could.
    pub source_error: Option<String>,
    /// Whether Redis answers, in one partition at least; true if the nodes are listed elsewhere.
    pub redis_up: bool,
    /// The time since Redis last answered, in seconds.
    pub redis_age_seconds: f64,
    /// The number of partitions of the store.
    pub partitions: usize,
    /// How many partitions do not answer. While one answers, `redis_up` is true.
    pub partitions_away: usize,
    /// Leases that are not used, since no node with the sidecar's secret wrote them.
    pub foreign: Option<ForeignLeases>,
    /// Nodes that are not used, since they are in no network of `--allow`, and their addresses; at most 20.
    pub outside: BTreeMap<String, String>,
    /// Nodes whose settings do not agree with this proxy's, at most 20.
    pub mismatches: Vec<NodeMismatch>,
    /// Whether this process, or its host, can open no more files: then it can't follow Redis, probe nodes or write a
    /// configuration.
    pub out_of_files: bool,
    /// Why Redis may lose what nodes store, or is too old, and what to set. `None` if nothing is wrong.
    pub redis_unfit: Option<String>,
    /// Whether no node may leave now.
    pub frozen: bool,
    /// Old workers that still have sessions.
    pub lingering: Vec<LingeringWorker>,
}

/// A change of the set of nodes that is wanted and could not be applied.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FailingChange {
    /// Nodes that should be served and are not.
    pub joined: Vec<SocketAddr>,
    /// Nodes that are served and should not be.
    pub left: Vec<SocketAddr>,
    /// The result of the last attempt: not_written, refused, rolled_back or not_rolled_back.
    pub result: &'static str,
    /// The error of the last attempt, cut off after 1000 bytes.
    pub error: String,
    /// The number of failed attempts since the last change that was applied.
    pub attempts: u32,
    /// The time since the first failed attempt, in seconds.
    pub seconds: f64,
    /// The time until the next attempt, in seconds.
    pub retry_in_seconds: f64,
}

/// Leases that no node with the sidecar's secret wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ForeignLeases {
    /// Why the first of these leases is foreign, and what to compare.
    pub why: String,
    /// The ids of the nodes of these leases, at most 20.
    pub nodes: Vec<String>,
}

/// What a node and this proxy do not agree on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeMismatch {
    /// The node.
    pub node: SocketAddr,
    /// What does not agree, with the flags and what to set.
    pub what: Vec<String>,
}

/// An old worker of Nginx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LingeringWorker {
    /// The process id.
    pub pid: i32,
    /// The worker's age in seconds.
    pub age: u64,
    /// The number of its open sockets: two for each session.
    pub sockets: u64,
    /// The memory that it shares with no other process, in bytes.
    pub bytes: u64,
}

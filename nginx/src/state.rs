//! What the sidecar knows at its last look, in one piece: the loop fills it in, `/state` and the gauges show it.

use std::net::SocketAddr;

use serde::Serialize;

/// The sidecar at its last look.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SidecarState {
    /// What Nginx runs.
    pub generation: u64,
    /// Where it asks for the nodes by DNS; none if it is reloaded for them.
    pub resolver: Option<SocketAddr>,
    /// Changes that it learned so.
    pub applied_by_dns: u64,
    /// The nodes that it serves.
    pub served: Vec<SocketAddr>,
    /// The nodes that hold a lease.
    pub leased: Vec<SocketAddr>,
    /// In the file without a lease, because they answer.
    pub kept: Vec<SocketAddr>,
    /// In the file without a lease and an answer, because the registry is not to be trusted now.
    pub withheld: Vec<SocketAddr>,
    /// Why a change waits.
    pub waits: Option<&'static str>,
    /// A change that was tried and failed, and will be tried again.
    pub failing: Option<FailingChange>,
    /// Why the snippets or the certificate that are there are not those that Nginx runs with.
    pub own_files_error: Option<String>,
    /// Whether Redis answers.
    pub redis_up: bool,
    /// How old what it said is.
    pub redis_age_seconds: f64,
    /// Whether nobody leaves the file now.
    pub frozen: bool,
    /// Old workers.
    pub lingering: Vec<LingeringWorker>,
}

/// A change of the set of nodes that is wanted and could not be applied.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FailingChange {
    /// Nodes that are to be served and are not.
    pub joined: Vec<SocketAddr>,
    /// Nodes that are served and are not to be.
    pub left: Vec<SocketAddr>,
    /// What became of the last attempt: not_written, refused or rolled_back.
    pub result: &'static str,
    /// Why, up to 1000 bytes.
    pub error: String,
    /// Attempts that failed since the last change that did not.
    pub attempts: u32,
    /// Since the first of them.
    pub seconds: f64,
    /// Until the next attempt.
    pub retry_in_seconds: f64,
}

/// An old worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LingeringWorker {
    /// Its process.
    pub pid: i32,
    /// For how long it has run, in seconds.
    pub age: u64,
    /// Its open sockets, two for each session.
    pub sockets: u64,
    /// Its own memory.
    pub bytes: u64,
}

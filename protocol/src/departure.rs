//! Why a node that goes on running is to send sessions away: what nodes ask of each other, and the proxy's sidecar of all of them.

use serde::{Deserialize, Serialize};

/// What a node is asked to do with its sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Departure {
    /// Drain and stop, as on SIGTERM.
    Drain,
    /// Send some away, whichever they are: others hold fewer.
    Rebalance {
        /// How many.
        sessions: u64,
        /// How many a second.
        rate: f64,
    },
    /// Send away those that came through this worker of a proxy, which lingers for them alone.
    Retire {
        /// `HOST/PID`, as far as it goes in the `X-Edge` that the proxy sent with the handshake.
        worker: String,
        /// Over how long.
        over_ms: u64,
    },
}

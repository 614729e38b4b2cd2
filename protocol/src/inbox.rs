//! What other programs ask nodes through Redis: other nodes in a node's inbox, and sidecars on a channel of their own.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::seal::SealedReport;

/// Which sessions a node is asked to close.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrainRequest {
    /// All sessions; the node then stops, as on SIGTERM.
    Drain,
    /// All sessions; the node then waits without sessions, until it is asked to take some again or to stop.
    Hold,
    /// No more sessions: the node takes sessions again. This takes back [`Drain`](Self::Drain) and
    /// [`Hold`](Self::Hold).
    TakeBack,
    /// All sessions; the node then stops, and nothing takes that back. A node asks this of itself when another process
    /// has its name, or when the store does not fit it any more.
    End,
    /// Any of its sessions, because other nodes hold fewer. The node goes on.
    Rebalance {
        /// The number of sessions to close.
        sessions: u64,
        /// The number of sessions to close per second.
        rate: f64,
    },
    /// The sessions that came through a worker process of Nginx that was replaced and lives on for its open
    /// connections. The node goes on.
    Retire {
        /// `HOST/PID` of the worker: the beginning of the `X-Edge` header that Nginx sent with the handshake.
        worker: String,
        /// The time over which the closes are spread, in milliseconds.
        over_ms: u64,
    },
}

/// What a sidecar says on a channel of its own ([`RedisKeys::proxy`](crate::redis_keys::RedisKeys::proxy)). A node acts
/// on nothing else on that channel. So whoever has stolen a sidecar's Redis user can only move sessions: to report, one
/// needs the secret of the cluster too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyMessage {
    /// How the proxy does. Nodes show the report at `GET /v1/proxies`.
    Report(SealedReport),
    /// Close the sessions that came through a worker process of Nginx, as [`DrainRequest::Retire`].
    Retire {
        /// `HOST/PID` of the worker: the beginning of the `X-Edge` header that Nginx sent with the handshake.
        worker: String,
        /// The time over which the closes are spread, in milliseconds.
        over_ms: u64,
    },
}

impl fmt::Display for ProxyMessage {
    /// Writes the JSON text that is published.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sidecar_can_ask_to_move_sessions_and_report_and_nothing_else() {
        let text = r#"{"retire":{"worker":"edge/7","over_ms":1000}}"#;
        let message: ProxyMessage = serde_json::from_str(text).unwrap();
        assert_eq!(message.to_string(), text);
        assert_eq!(message, ProxyMessage::Retire { worker: "edge/7".into(), over_ms: 1000 });
        for other in [r#"{"depart":"drain"}"#, r#""drain""#, r#"{"remove":{"terminal":"t1"}}"#, r#"{"report":{}}"#] {
            assert!(serde_json::from_str::<ProxyMessage>(other).is_err(), "{other}");
        }
    }
}

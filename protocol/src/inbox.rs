//! What nodes are asked by way of Redis: by other nodes in their inboxes, and by sidecars on a channel of their own.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which sessions a node is asked to close.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrainRequest {
    /// All of them; the node then stops, as on SIGTERM.
    Drain,
    /// Any of them, because other nodes hold fewer. The node goes on.
    Rebalance {
        /// The number of sessions to close.
        sessions: u64,
        /// The number of sessions to close per second.
        rate: f64,
    },
    /// Those that came through a worker process of Nginx that has been replaced and lives on for its open connections.
    /// The node goes on.
    Retire {
        /// `HOST/PID` of the worker: the beginning of the `X-Edge` header that Nginx sent with the handshake.
        worker: String,
        /// The time over which the closes are spread, in milliseconds.
        over_ms: u64,
    },
}

/// A request of a sidecar, on a channel of its own ([`RedisKeys::proxy`](crate::redis_keys::RedisKeys::proxy)). A node does nothing
/// else that it reads there, so a sidecar, or who has taken its user of Redis, can move sessions and no more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyRequest {
    /// Close the sessions that came through a worker process of Nginx, as [`DrainRequest::Retire`].
    Retire {
        /// `HOST/PID` of the worker: the beginning of the `X-Edge` header that Nginx sent with the handshake.
        worker: String,
        /// The time over which the closes are spread, in milliseconds.
        over_ms: u64,
    },
}

impl fmt::Display for ProxyRequest {
    /// The JSON text that is published.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl From<ProxyRequest> for DrainRequest {
    fn from(request: ProxyRequest) -> Self {
        match request {
            ProxyRequest::Retire { worker, over_ms } => Self::Retire { worker, over_ms },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sidecar_can_ask_to_move_sessions_and_nothing_else() {
        let text = r#"{"retire":{"worker":"edge/7","over_ms":1000}}"#;
        let request: ProxyRequest = serde_json::from_str(text).unwrap();
        assert_eq!(request.to_string(), text);
        assert_eq!(DrainRequest::from(request), DrainRequest::Retire { worker: "edge/7".into(), over_ms: 1000 });
        for other in [r#"{"depart":"drain"}"#, r#""drain""#, r#"{"remove":{"terminal":"t1"}}"#] {
            assert!(serde_json::from_str::<ProxyRequest>(other).is_err(), "{other}");
        }
    }
}

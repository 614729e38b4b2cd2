//! Messages to a node's inbox, which is a Redis channel that other nodes and the sidecar publish to. Here are those
//! that a program other than a node may send; the node reads them among its own.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A message that any program with access to Redis may send to a node: a JSON object with one key, such as
/// `{"depart":"drain"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InboxMessage {
    /// Close sessions with a hint to come back, so that their terminals connect to other nodes.
    Depart(DrainRequest),
}

impl fmt::Display for InboxMessage {
    /// The JSON text that is published.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_one_key() {
        let retire = DrainRequest::Retire { worker: "edge/7".into(), over_ms: 1000 };
        let json = InboxMessage::Depart(retire).to_string();
        assert_eq!(json, r#"{"depart":{"retire":{"worker":"edge/7","over_ms":1000}}}"#);
        assert_eq!(InboxMessage::Depart(DrainRequest::Drain).to_string(), r#"{"depart":"drain"}"#);
    }
}

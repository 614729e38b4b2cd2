//! What operators send to a node's HTTP API and get from it. Times are RFC 3339, ids are UUIDv7, lists are paged by `limit`
//! and `after`, with `next` null at the end.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{CommandId, NodeId, Payload, Selector, TerminalId, frame::Condition, selector::Labels};

/// The body of `POST /v1/commands`. A field that is not listed here is an error, so that a typo is not silently ignored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandRequest {
    /// Which terminals.
    pub target: Selector,
    /// What to do.
    pub name: String,
    /// With what.
    #[serde(default)]
    pub payload: Payload,
    /// How long it may wait before it must not be run any more: `"60s"`, `"2h"`.
    #[serde(default = "default_expiry", with = "humantime_serde")]
    pub expires_in: Duration,
}

/// An operator looks at a screen: what was not delivered in a minute is no longer what was meant, unless they say so.
fn default_expiry() -> Duration {
    Duration::from_secs(60)
}

/// Where a target of a command stands. The rank only rises, so updates may arrive in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// Accepted, not yet written to the terminal's socket.
    Queued,
    /// Written to the socket of the node that holds the session.
    Sent,
    /// The terminal says that it has it.
    Acked,
}

/// Whether more can still happen to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// Some targets have not ended.
    Open,
    /// Every target has.
    Done,
    /// Cancelled by an operator.
    Cancelled,
}

/// A command as `202 Accepted` and `GET /v1/commands/{id}` show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandView {
    /// Its id.
    pub id: CommandId,
    /// What it asks.
    pub name: String,
    /// Whether more can happen.
    pub state: CommandState,
    /// How many terminals it is for; fixed at acceptance.
    pub targets: u64,
    /// How many of them are in each state.
    pub counts: BTreeMap<TargetState, u64>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// After when it is not run.
    pub expires_at: Timestamp,
}

/// Whether a terminal is on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It has a session that answers.
    Online,
    /// It has a session that has not answered lately.
    Stale,
    /// It has none.
    Offline,
}

/// Which frames a session speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// `muster.v1`.
    V1,
    /// Bare messages.
    Plain,
}

/// A terminal in the registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TerminalView {
    /// Its id.
    pub id: TerminalId,
    /// Whether it is on the line.
    pub status: Status,
    /// What it last said of itself.
    pub condition: Condition,
    /// Its labels.
    pub labels: Labels,
    /// The node that holds its session.
    pub node: Option<NodeId>,
    /// Where it connects from.
    pub address: Option<String>,
    /// What it speaks.
    pub protocol: Protocol,
    /// Since when.
    pub connected_at: Timestamp,
    /// When it was last heard.
    pub last_seen: Timestamp,
    /// The last ping's way there and back, in milliseconds.
    pub rtt_ms: Option<u64>,
    /// The numbers it last reported.
    pub metrics: BTreeMap<String, f64>,
}

/// Whether a node takes new sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It does.
    Ready,
    /// It sends its sessions away.
    Draining,
}

/// A node of the cluster, as its lease tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeView {
    /// Its id.
    pub id: NodeId,
    /// Where Nginx reaches it, as `IP:PORT`.
    pub address: String,
    /// Whether it takes new sessions.
    pub state: NodeState,
    /// How many it holds.
    pub sessions: u64,
    /// Its version.
    pub version: String,
    /// Since when it runs.
    pub started_at: Timestamp,
}

/// `GET /v1/terminals`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TerminalPage {
    /// In the order of their ids.
    pub terminals: Vec<TerminalView>,
    /// To be sent as `after` for the next page.
    pub next: Option<TerminalId>,
}

/// `GET /v1/nodes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeList {
    /// In the order of their ids.
    pub nodes: Vec<NodeView>,
}

/// A refusal, as `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, the same for each case of its kind.
    pub title: String,
    /// What went wrong here, and what to do.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_needs_a_target_and_a_name_and_knows_its_fields() {
        let request: CommandRequest = serde_json::from_str(r#"{"target":{"all":true},"name":"reboot"}"#).unwrap();
        assert_eq!((request.expires_in, request.payload.as_json()), (Duration::from_secs(60), "null"));
        let typo = serde_json::from_str::<CommandRequest>(r#"{"target":{"all":true},"name":"x","expire_in":"1s"}"#)
            .unwrap_err();
        assert!(typo.to_string().contains("expire_in"), "{typo}");
    }

    #[test]
    fn states_rank_in_the_order_of_a_commands_life() {
        assert!(TargetState::Queued < TargetState::Sent && TargetState::Sent < TargetState::Acked);
    }

    #[test]
    fn counts_are_keyed_by_state_name() {
        let counts = BTreeMap::from([(TargetState::Sent, 3), (TargetState::Acked, 17)]);
        assert_eq!(serde_json::to_string(&counts).unwrap(), r#"{"sent":3,"acked":17}"#);
    }
}

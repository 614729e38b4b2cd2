//! What was: the fleet minute by minute, and the last changes of a terminal.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::TargetState;
use crate::{NodeId, TerminalId, frame::Condition, partition::PartitionIndex};

/// The answer to `GET /v1/fleet/history`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct FleetHistory {
    /// Minutes, the oldest first. One in which no node was there to count is left out.
    pub minutes: Vec<FleetMinute>,
    /// Partitions of the store that did not answer: what they have is not included. Left out of the JSON if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<PartitionIndex>,
}

/// The fleet at the beginning of a minute, and what happened since the minute before that is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct FleetMinute {
    /// The beginning of the minute. The numbers were taken within it, most often in its first second.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub at: Timestamp,
    /// Terminals with a session that answered their pings.
    pub online: u64,
    /// Terminals with a session that had not answered their last pings.
    pub stale: u64,
    /// Registered terminals without a session.
    pub offline: u64,
    /// Registered terminals by the condition that they last reported; `ok` before that.
    pub by_condition: BTreeMap<String, u64>,
    /// Commands that were `accepted`, `done` or `cancelled`.
    pub commands: BTreeMap<String, u64>,
    /// Targets of commands by the state that they reached. A target that passes over a state is not counted there.
    #[cfg_attr(feature = "json-schema", schemars(with = "BTreeMap<String, u64>"))]
    pub targets: BTreeMap<TargetState, u64>,
    /// Partitions of the store whose numbers of this minute are missing in the sums. Left out of the JSON if 0.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub missing: u64,
}

/// The answer to `GET /v1/terminals/{id}/history`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct TerminalHistory {
    /// The terminal.
    pub terminal: TerminalId,
    /// Its last changes, the newest first: 16, or fewer if the ids of nodes are long.
    pub changes: Vec<TerminalChange>,
    /// Whether the node that answers was told to record no changes. Left out of the JSON if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub off: bool,
}

/// A change of a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct TerminalChange {
    /// When it happened, in whole seconds.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub kind: ChangeKind,
}

/// What changed of a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChangeKind {
    /// A session began.
    Online {
        /// The node that holds it.
        node: NodeId,
    },
    /// The session ended.
    Offline {
        /// Why, as in the event `terminal.offline`.
        reason: String,
        /// The code of the close frame, if the reason does not say it: the terminal's, if that is neither 1000 nor 1001, or the node's after
        /// bytes that break the WebSocket protocol or a limit. Left out of the JSON otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<u16>,
    },
    /// The terminal reported another condition.
    Condition {
        /// The condition since then.
        condition: Condition,
    },
    /// The terminal's labels changed.
    Labels {
        /// Who changed them.
        by: ChangedBy,
    },
    /// Sessions of the terminal replaced each other again and again.
    Contested,
}

/// Who changed the labels of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChangedBy {
    /// An operator, with `PUT /v1/terminals/{id}/labels`.
    Operator,
    /// The terminal, with another hello or token.
    Terminal,
}

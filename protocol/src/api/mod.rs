//! What operators send to a node's HTTP API and receive from it, as JSON. Times are RFC 3339, ids of commands and
//! sessions are UUIDv7, and lists are paged by `limit` and `after`; `next` is null on the last page.

mod audit;
mod brief;
mod command;
mod enrolment;
mod grant;
mod history;
mod key;
mod notice;
mod proxy;
mod revocation;
mod rollout;
mod saved_selector;
mod state;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{
    audit::{AuditPage, AuditRecord},
    brief::{ChangedTerminal, EndedRevocation, EnrolmentProgress},
    command::{
        CommandCells, CommandPage, CommandRequest, CommandView, Confirm, DryRun, Offline, TargetPage, TargetView,
    },
    enrolment::{EnrolRequest, Enrolment, EnrolmentPage, EnrolmentRequest, EnrolmentState, NewEnrolment},
    grant::TokenGrant,
    history::{ChangeKind, ChangedBy, FleetHistory, FleetMinute, TerminalChange, TerminalHistory},
    key::{KeyPage, KeyRequest, NewKey, OperatorKey, OperatorSession, RevokedKey},
    notice::{
        AttemptResult, NewNotice, NoticeAttempt, NoticeAttempts, NoticeKind, NoticePage, NoticeRequest, NoticeSecret,
        NoticeView,
    },
    proxy::{ConnectionUse, ProxyDifference, ProxyList, ProxyTerms, ProxyView},
    revocation::{Revocation, RevocationPage, RevocationRequest, RevokedTokens},
    rollout::{
        AdvanceRule, RolloutCommand, RolloutPage, RolloutRequest, RolloutState, RolloutView, StopRule, TimeOfDay,
        TimeWindow, WaveRequest, WaveSize, WaveView, WindowDay,
    },
    saved_selector::{SavedSelector, SelectorPage, SelectorRequest},
    state::{CommandState, TargetState},
};
use crate::{CommandId, NodeId, TerminalId, frame::Condition, partition::PartitionIndex, selector::Labels};

/// Whether a terminal is online.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The terminal has a session, and answers its pings.
    Online,
    /// The terminal has a session and has not answered its last pings.
    Stale,
    /// The terminal has no session.
    Offline,
}

/// The protocol of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// `muster.v1`.
    V1,
    /// Plain mode: text messages without frames.
    Plain,
}

/// A terminal in the registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct TerminalView {
    /// The terminal's id.
    pub id: TerminalId,
    /// Whether the terminal is online.
    pub status: Status,
    /// The condition that the terminal last reported; `ok` before that.
    pub condition: Condition,
    /// The terminal's labels: from its hello, its token and operators.
    pub labels: Labels,
    /// The node that holds the terminal's session. Null if there is no session.
    pub node: Option<NodeId>,
    /// The address of the current or last session. Null if it is not known.
    pub address: Option<String>,
    /// The protocol of the current or last session.
    pub protocol: Protocol,
    /// When the current or last session began.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub connected_at: Timestamp,
    /// When the terminal last answered a ping; before that, when its session began.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub last_seen: Timestamp,
    /// The round-trip time of the last ping, in milliseconds. Null before the first answer.
    pub rtt_ms: Option<u64>,
    /// The metrics that the terminal last reported.
    pub metrics: BTreeMap<String, f64>,
    /// The last close frame that told more than that a session was over, of either side. Left out of the JSON if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_close: Option<LastClose>,
}

/// A close frame that ended a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct LastClose {
    /// When the session ended, in whole seconds.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub at: Timestamp,
    /// Why it ended, as in the event `terminal.offline`. The close frame is the terminal's if this is `left`, else the node's.
    pub reason: String,
    /// The code.
    pub code: u16,
    /// The reason that the frame had, at most 123 bytes. Left out of the JSON if empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// Whether a node takes new sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// The node takes new sessions.
    Ready,
    /// The node takes new sessions only while no other node is ready, and drains as soon as one is.
    Leaving,
    /// The node takes no new sessions and closes those that it has, with a hint to come back.
    Draining,
}

/// A node of the cluster, from its lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct NodeView {
    /// The node's id.
    pub id: NodeId,
    /// The address for Nginx, as `IP:PORT`.
    pub address: String,
    /// Whether the node takes new sessions.
    pub state: NodeState,
    /// The number of sessions that the node holds.
    pub sessions: u64,
    /// The number of handshakes that the node takes per second.
    #[serde(default)]
    pub accepts: u64,
    /// When the lease, and with it these numbers, was last renewed.
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<crate::json_schema::Time>"))]
    #[serde(default)]
    pub renewed_at: Option<Timestamp>,
    /// The version of the node's program.
    pub version: String,
    /// When the node started.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub started_at: Timestamp,
    /// The partitions of the store, as the node sees them. Left out of the JSON by a node that has no such store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<PartitionCounts>,
    /// Leases and commands that the node read in the store and did not use, since no node with the same secret wrote them. Left out
    /// of the JSON if 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub foreign: u64,
    /// Why the node that was asked does not use this one: its address is in no network of `--allow`, or can't be connected to. Left out of
    /// the JSON if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// How many partitions of the store a node can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct PartitionCounts {
    /// Partitions that take the node's writes.
    pub ok: u64,
    /// Partitions that do not.
    pub lost: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The answer to `GET /v1/terminals`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct TerminalPage {
    /// Terminals in the order of their ids.
    pub terminals: Vec<TerminalView>,
    /// The value of `after` for the next page. Null on the last page.
    pub next: Option<TerminalId>,
    /// Partitions of the store that did not answer: what they have is not included. Left out of the JSON if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<PartitionIndex>,
}

/// The answer to `GET /v1/nodes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct NodeList {
    /// Nodes in the order of their ids.
    pub nodes: Vec<NodeView>,
    /// Partitions of the store that did not answer: a node that has a lease only there is not included. Left out of the JSON if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<PartitionIndex>,
}

/// The answer to `GET /v1/fleet`: numbers of terminals by status, node, condition and label.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct FleetView {
    /// Terminals with a session that answer their pings.
    pub online: u64,
    /// Terminals with a session that have not answered their last pings.
    pub stale: u64,
    /// Registered terminals without a session.
    pub offline: u64,
    /// Sessions by node.
    pub by_node: BTreeMap<String, u64>,
    /// Registered terminals by the condition that they last reported; `ok` before that.
    pub by_condition: BTreeMap<String, u64>,
    /// Registered terminals by label, as `key=value`, of the first 512 labels in the order of keys and values.
    pub by_label: BTreeMap<String, u64>,
    /// Whether there are more labels, whose terminals are not counted; left out of the JSON if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub labels_left_out: bool,
    /// Partitions of the store that did not answer: what they have is not included. Left out of the JSON if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<PartitionIndex>,
}

/// The answer to `POST` and `DELETE /v1/nodes/{id}/drain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct NodeStateView {
    /// The node's id.
    pub id: NodeId,
    /// The state that the node will have.
    pub state: NodeState,
}

/// The answer to `POST /v1/nodes/rebalance`: how many sessions will move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Rebalancing {
    /// The number of sessions that each node will close with a hint to come back.
    #[cfg_attr(feature = "json-schema", schemars(with = "BTreeMap<String, u64>"))]
    pub moving: BTreeMap<NodeId, u64>,
}

/// A ticket for one stream of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct TicketView {
    /// The ticket, for `?ticket=` of `GET /v1/events`.
    pub ticket: String,
    /// It is not good any more from then on.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub expires_at: Timestamp,
}

/// An error, as `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The kind of error, in the same words each time.
    pub title: String,
    /// What went wrong in this case, and what to do.
    pub detail: String,
    /// The command that is stored and not yet accepted in every partition, with status 504. Left out of the JSON otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandId>,
    /// The partitions of the store that could not be asked, with status 503 or 504. Left out of the JSON otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<PartitionIndex>,
}

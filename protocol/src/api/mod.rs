//! What operators send to a node's HTTP API and get from it. Times are RFC 3339, ids are UUIDv7, lists are paged by `limit`
//! and `after`, with `next` null at the end.

mod command;
mod state;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{
    command::{CommandRequest, CommandView, Confirm, DryRun, Offline, TargetPage, TargetView},
    state::{CommandState, TargetState},
};
use crate::{NodeId, TerminalId, frame::Condition, selector::Labels};

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
    /// It does, if nobody else is there, and will drain as soon as others are there to take its sessions.
    Leaving,
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
    /// How many handshakes a second it takes.
    #[serde(default)]
    pub accepts: u64,
    /// When its lease was last renewed, and with it these numbers.
    #[serde(default)]
    pub renewed_at: Option<Timestamp>,
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

/// `GET /v1/fleet`: how many terminals are in each status, and of those on the line in each condition, on each node and with each label.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetView {
    /// With a session that answers.
    pub online: u64,
    /// With a session that has not answered lately.
    pub stale: u64,
    /// Known, and without a session.
    pub offline: u64,
    /// Sessions by node.
    pub by_node: BTreeMap<String, u64>,
    /// Terminals by what they last said of themselves; `ok` are those that said nothing else.
    pub by_condition: BTreeMap<String, u64>,
    /// Terminals by label, as `key=value`, offline ones too.
    pub by_label: BTreeMap<String, u64>,
}

/// `POST /v1/nodes/rebalance`: how many sessions are on the move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebalancing {
    /// By the node that sends them away.
    pub moving: BTreeMap<NodeId, u64>,
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

//! A rollout as the API shows it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::RolloutRequest;
use crate::{CommandId, RolloutId, api::TargetState};

/// Where a rollout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RolloutState {
    /// It has not started yet.
    Scheduled,
    /// Its waves are sent, one after the other.
    Running,
    /// An operator holds it: nothing is sent until it is resumed.
    Paused,
    /// The next targets wait until its window opens.
    WaitingWindow,
    /// It ended before all waves had succeeded: an operator or its rules stopped it.
    Stopped,
    /// Every wave was sent, and each target has answered or is silent.
    Done,
}

impl RolloutState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Scheduled, Self::Running, Self::Paused, Self::WaitingWindow, Self::Stopped, Self::Done];

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::WaitingWindow => "waiting_window",
            Self::Stopped => "stopped",
            Self::Done => "done",
        }
    }

    /// Whether the state is the last one.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Stopped | Self::Done)
    }
}

/// A rollout, in the answers to calls of `/v1/rollouts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct RolloutView {
    /// The rollout's id.
    pub id: RolloutId,
    /// The name of its command.
    pub name: String,
    /// Where it stands.
    pub state: RolloutState,
    /// Why it is in this state, as a sentence. Null if there is nothing to say.
    pub reason: Option<String>,
    /// The number of its targets. Null before they are frozen.
    pub targets: Option<u64>,
    /// How many of its targets no wave has had yet. Null before they are frozen.
    pub unsent: Option<u64>,
    /// The number of the wave under way, from 1; 0 before the first.
    pub wave: u64,
    /// The number of all waves.
    pub of: u64,
    /// Who asked for it: the name of the operator's key. Null on a node with `--insecure` that got no key.
    pub by: Option<String>,
    /// When it was made.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub created_at: Timestamp,
    /// When it started. Null before that.
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<crate::json_schema::Time>"))]
    pub started_at: Option<Timestamp>,
    /// When it stopped or was done. Null before that.
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<crate::json_schema::Time>"))]
    pub ended_at: Option<Timestamp>,
    /// What was asked for. Left out in a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RolloutRequest>,
    /// The waves. Left out in a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waves: Option<Vec<WaveView>>,
}

/// A wave of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct WaveView {
    /// The number of its targets. Null before the targets are frozen.
    pub targets: Option<u64>,
    /// How many of them were not sent the command yet. Null before the targets are frozen.
    pub unsent: Option<u64>,
    /// How many of them could not be sent the command: they were forgotten, or too many commands wait for them. They count as silent.
    pub skipped: u64,
    /// The number of the others in each state. States without a target are left out.
    #[cfg_attr(feature = "json-schema", schemars(with = "BTreeMap<String, u64>"))]
    pub counts: BTreeMap<TargetState, u64>,
    /// When it began. Null before that.
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<crate::json_schema::Time>"))]
    pub began_at: Option<Timestamp>,
    /// Its commands: one for each 5,000 targets, and one more for each time that the wave was held while it was paced.
    pub commands: Vec<CommandId>,
}

/// The answer to `GET /v1/rollouts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct RolloutPage {
    /// Rollouts, newest first.
    pub rollouts: Vec<RolloutView>,
    /// The value of `after` for the next page. Null on the last page.
    pub next: Option<String>,
}

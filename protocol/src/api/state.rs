//! Where a command stands, and where each of its targets does.

use serde::{Deserialize, Serialize};

/// Where a target of a command stands. The [rank](Self::rank) only rises, so updates may arrive in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// Accepted, not yet written to the terminal's socket.
    Queued,
    /// Written to the socket by the node that holds the session.
    Sent,
    /// The terminal says that it has it.
    Acked,
    /// The terminal says that it is under way.
    Running,
    /// The terminal says that it succeeded.
    Succeeded,
    /// The terminal says that it failed.
    Failed,
    /// The terminal would not run it.
    Rejected,
    /// Not sent in time, or in the terminal's hands too late: it was not run.
    Expired,
    /// Taken back before it was sent.
    Cancelled,
    /// Acknowledged, but no result came in time. One that comes later is still recorded.
    TimedOut,
}

impl TargetState {
    /// Every state, in the order of a command's life.
    pub const ALL: [Self; 10] = [
        Self::Queued,
        Self::Sent,
        Self::Acked,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Rejected,
        Self::Expired,
        Self::Cancelled,
        Self::TimedOut,
    ];

    /// A state gives way only to one of higher rank.
    pub fn rank(self) -> u8 {
        match self {
            Self::Queued => 0,
            Self::Sent => 1,
            Self::Acked => 2,
            Self::Running => 3,
            Self::Succeeded | Self::Failed | Self::Rejected | Self::Expired | Self::Cancelled | Self::TimedOut => 4,
        }
    }

    /// As it is written in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Acked => "acked",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
        }
    }

    /// The state of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Whether more can still happen to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// Some targets may still get on.
    Open,
    /// Every target has confirmed as was asked, or can't any more.
    Done,
    /// Cancelled by an operator.
    Cancelled,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn states_rank_in_the_order_of_a_commands_life() {
        let ranks: Vec<_> = TargetState::ALL.iter().map(|state| state.rank()).collect();
        assert!(ranks.is_sorted());
        for state in TargetState::ALL {
            assert_eq!(TargetState::of_name(state.name()), Some(state));
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{}\"", state.name()));
        }
    }

    #[test]
    fn counts_are_keyed_by_state_name() {
        let counts = BTreeMap::from([(TargetState::Sent, 3), (TargetState::TimedOut, 17)]);
        assert_eq!(serde_json::to_string(&counts).unwrap(), r#"{"sent":3,"timed_out":17}"#);
    }
}

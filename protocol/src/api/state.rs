//! The state of a command, and of each of its targets.

use serde::{Deserialize, Serialize};

/// The state of a command at one target. Its rank only rises, so updates may arrive in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// Accepted, not yet written to the terminal's socket.
    Queued,
    /// Written to the socket by the node that holds the session.
    Sent,
    /// The terminal acknowledged the command.
    Acked,
    /// The terminal reported progress.
    Running,
    /// The terminal reported success.
    Succeeded,
    /// The terminal reported failure.
    Failed,
    /// The terminal refused to run the command.
    Rejected,
    /// The command expired before it was sent, or before the terminal ran it. It was not run.
    Expired,
    /// An operator cancelled the command before it was sent.
    Cancelled,
    /// The terminal acknowledged the command and sent no result in time. A later result is still recorded.
    TimedOut,
}

impl TargetState {
    /// The states that a store keeps: the place of each is its rank. All others are derived when someone asks.
    pub const STORED: [Self; 8] = [
        Self::Queued,
        Self::Sent,
        Self::Acked,
        Self::Running,
        Self::Expired,
        Self::Succeeded,
        Self::Failed,
        Self::Rejected,
    ];

    /// Every state, in ascending rank.
    pub const ALL: [Self; 10] = [
        Self::Queued,
        Self::Sent,
        Self::Acked,
        Self::Running,
        Self::Expired,
        Self::Cancelled,
        Self::TimedOut,
        Self::Succeeded,
        Self::Failed,
        Self::Rejected,
    ];

    /// The state's rank, 0 to 7. A state is replaced only by one of higher rank.
    ///
    /// What a terminal says of the end of a command ranks above what is concluded without it, so a late result replaces
    /// `timed_out`. Of two results the higher one counts, whichever came first.
    pub fn rank(self) -> u8 {
        match self {
            Self::Queued => 0,
            Self::Sent => 1,
            Self::Acked => 2,
            Self::Running => 3,
            Self::Expired | Self::Cancelled | Self::TimedOut => 4,
            Self::Succeeded => 5,
            Self::Failed => 6,
            Self::Rejected => 7,
        }
    }

    /// Whether the command has ended at the target. A final state is replaced only by another final state of higher rank.
    pub fn is_final(self) -> bool {
        self.rank() > Self::Running.rank()
    }

    /// The state's name in JSON.
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

    /// The state as one character: the first letter of its name, a capital if the state is final.
    pub fn letter(self) -> char {
        let first = self.name().chars().next().unwrap_or('?');
        if self.is_final() { first.to_ascii_uppercase() } else { first }
    }

    /// The state with this name in JSON.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Whether the state of a command's targets can still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// The state of some targets can still change.
    Open,
    /// Every target has reported what `confirm` asks for, or can't any more.
    Done,
    /// An operator cancelled the command.
    Cancelled,
}

impl CommandState {
    /// The state with this name in JSON.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Done, Self::Cancelled].into_iter().find(|state| state.name() == name)
    }

    /// The state's name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_rank_rises_in_the_order_of_all() {
        let ranks: Vec<_> = TargetState::ALL.iter().map(|state| state.rank()).collect();
        assert!(ranks.is_sorted());
        assert_eq!(TargetState::STORED.map(TargetState::rank), [0, 1, 2, 3, 4, 5, 6, 7]);
        let ends = TargetState::ALL.into_iter().filter(|state| state.is_final());
        assert_eq!(ends.map(TargetState::rank).collect::<Vec<_>>(), [4, 4, 4, 5, 6, 7]);
        for state in TargetState::ALL {
            assert_eq!(TargetState::of_name(state.name()), Some(state));
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{}\"", state.name()));
        }
    }

    #[test]
    fn each_state_has_a_letter_of_its_own() {
        let letters: String = TargetState::ALL.map(TargetState::letter).into_iter().collect();
        assert_eq!(letters, "qsarECTSFR");
    }

    #[test]
    fn a_commands_state_has_the_name_that_json_has() {
        for state in [CommandState::Open, CommandState::Done, CommandState::Cancelled] {
            assert_eq!(CommandState::of_name(state.name()), Some(state));
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{}\"", state.name()));
        }
    }

    #[test]
    fn counts_are_keyed_by_state_name() {
        let counts = BTreeMap::from([(TargetState::Sent, 3), (TargetState::TimedOut, 17)]);
        assert_eq!(serde_json::to_string(&counts).unwrap(), r#"{"sent":3,"timed_out":17}"#);
    }
}

//! What messages of notices tell of.

use serde::{Deserialize, Serialize};

/// What a message tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub enum NoticeKind {
    /// Terminals have been offline for `off_for`.
    #[serde(rename = "terminal.away")]
    TerminalAway,
    /// A terminal has reported the condition `degraded` or `failing`.
    #[serde(rename = "terminal.degraded")]
    TerminalDegraded,
    /// Sessions of one terminal replace each other again and again.
    #[serde(rename = "terminal.contested")]
    TerminalContested,
    /// A command is done or cancelled.
    #[serde(rename = "command.done")]
    CommandDone,
    /// A rollout is stopped, by itself or by an operator.
    #[serde(rename = "rollout.stopped")]
    RolloutStopped,
    /// The lease of a node has run out, and the node has not come back.
    #[serde(rename = "node.lost")]
    NodeLost,
    /// Somebody tries the notice. No notice is set to it.
    #[serde(rename = "notice.test")]
    Test,
}

impl NoticeKind {
    /// The kinds that a notice can be set to.
    pub const ALL: [Self; 6] = [
        Self::TerminalAway,
        Self::TerminalDegraded,
        Self::TerminalContested,
        Self::CommandDone,
        Self::RolloutStopped,
        Self::NodeLost,
    ];

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::TerminalAway => "terminal.away",
            Self::TerminalDegraded => "terminal.degraded",
            Self::TerminalContested => "terminal.contested",
            Self::CommandDone => "command.done",
            Self::RolloutStopped => "rollout.stopped",
            Self::NodeLost => "node.lost",
            Self::Test => "notice.test",
        }
    }

    /// Whether it is about terminals, which a notice can choose.
    pub fn is_about_terminals(self) -> bool {
        matches!(self, Self::TerminalAway | Self::TerminalDegraded | Self::TerminalContested)
    }
}

impl std::str::FromStr for NoticeKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| format!("{text:?} is no kind of notice; there are {}", names()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_name_in_json() {
        for kind in NoticeKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("{:?}", kind.name()));
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!("terminal.online".parse::<NoticeKind>().unwrap_err().contains("node.lost"));
    }
}

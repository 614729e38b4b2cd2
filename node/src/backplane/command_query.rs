//! Queries for stored commands, and for the targets of a command.

use muster_protocol::{
    CommandId, Payload, TerminalId,
    api::{CommandState, TargetState},
    partition::PartitionIndex,
};

use super::{BackplaneError, CommandRecord, TargetRecord};

/// Which commands to list. A command is listed if it meets all conditions.
#[derive(Debug, Clone, Default)]
pub struct CommandFilter {
    /// The name in the request.
    pub name: Option<String>,
    /// Who asked.
    pub by: Option<String>,
    /// A target of the command, also one that rejected the command.
    pub terminal: Option<TerminalId>,
    /// The state.
    pub state: Option<CommandState>,
}

/// A query for a page of commands.
#[derive(Debug, Clone, Default)]
pub struct CommandQuery {
    /// Which commands.
    pub filter: CommandFilter,
    /// [`FoundCommands::next`] of the page before. `None` for the first page.
    pub after: Option<CommandPlace>,
    /// The most commands of the page. A store may show fewer.
    pub limit: usize,
}

/// Commands, newest first.
#[derive(Debug, Clone, Default)]
pub struct FoundCommands {
    /// The commands, without their payloads.
    pub commands: Vec<CommandRecord>,
    /// Where the next page begins. `None` on the last page. A page may be short, or empty, and not the last.
    pub next: Option<CommandPlace>,
    /// Partitions that did not answer: their commands are missing.
    pub partial: Vec<PartitionIndex>,
}

/// A place in the order of commands: the number that a command's home gave the command, which is about the time, and
/// the command's id. The newest command has the greatest place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommandPlace {
    /// The number.
    pub number: u64,
    /// The id.
    pub id: CommandId,
}

impl std::fmt::Display for CommandPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.number, self.id)
    }
}

impl std::str::FromStr for CommandPlace {
    type Err = BackplaneError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, id) = text.split_once('.').ok_or(BackplaneError::NoPage)?;
        let number = number.parse().map_err(|_| BackplaneError::NoPage)?;
        Ok(Self { number, id: id.parse().map_err(|_| BackplaneError::NoPage)? })
    }
}

/// A query for a page of a command's targets.
#[derive(Debug, Clone, Default)]
pub struct TargetQuery {
    /// The stored states of the targets. All targets if `None`.
    pub states: Option<Vec<TargetState>>,
    /// [`FoundTargets::next`] of the page before. `None` for the first page.
    pub after: Option<String>,
    /// The most targets of the page. A store may show fewer.
    pub limit: usize,
}

/// Targets of a command, in an order that stays the same.
#[derive(Debug, Clone, Default)]
pub struct FoundTargets {
    /// The targets.
    pub targets: Vec<FoundTarget>,
    /// Where the next page begins. `None` only on the last page: a page may be short or empty, and others follow.
    pub next: Option<String>,
    /// Partitions that did not answer: their targets are missing.
    pub partial: Vec<PartitionIndex>,
    /// Partitions that had targets of this page, and have lost everything of the command.
    pub lost: Vec<PartitionIndex>,
}

/// A target of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundTarget {
    /// The terminal, also if it was forgotten meanwhile.
    pub terminal: TerminalId,
    /// The state and times of the target.
    pub record: TargetRecord,
    /// The target's last reply. `None` if there is none.
    pub reply: Option<Payload>,
}

impl TargetQuery {
    /// Returns whether the query asks for a target with this stored state.
    pub fn wants(&self, state: TargetState) -> bool {
        self.states.as_ref().is_none_or(|states| states.contains(&state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written_and_the_newest_is_the_greatest() {
        let id = |last: u8| CommandId(uuid::Uuid::from_u128(last.into()));
        let place = CommandPlace { number: 1_700_000_000_123, id: id(7) };
        assert_eq!(place.to_string().parse(), Ok(place));
        for bad in ["", "7", "x.y", "7.", "-1.00000000-0000-0000-0000-000000000007"] {
            assert_eq!(bad.parse::<CommandPlace>(), Err(BackplaneError::NoPage), "{bad}");
        }
        assert!(place < CommandPlace { number: place.number, id: id(8) });
        assert!(place < CommandPlace { number: place.number + 1, id: id(1) });
    }
}

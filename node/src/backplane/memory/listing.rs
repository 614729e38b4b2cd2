//! Commands in lists, and their targets in pages.

use muster_protocol::CommandId;

use super::{NodeStore, stored_command::StoredCommand};
use crate::backplane::{
    BackplaneError, CommandPlace, CommandQuery, FoundCommands, FoundTarget, FoundTargets, TargetQuery,
};

/// The commands that a page looks at. Beyond them it is short.
const LOOKED_MAX: usize = 10_000;

impl NodeStore {
    /// A page of the commands that a query asks for, newest first.
    pub(super) fn list(&self, query: &CommandQuery) -> FoundCommands {
        let mut page = FoundCommands::default();
        let behind = |number: &u64| query.after.is_none_or(|after| *number < after.number);
        let newest_first = self.commands.by_number.iter().rev().filter(|(number, _)| behind(number));
        for (looked, (number, id)) in newest_first.enumerate() {
            if page.commands.len() == query.limit || looked == LOOKED_MAX {
                // Numbers are unique here, so the place of the command before this one ends the page.
                page.next = Some(CommandPlace { number: number + 1, id: *id });
                break;
            }
            if let Some(stored) = self.commands.find(id).filter(|stored| self.is_wanted(stored, query)) {
                page.commands.push(stored.record());
            }
        }
        page
    }

    fn is_wanted(&self, stored: &StoredCommand, query: &CommandQuery) -> bool {
        let (filter, facts) = (&query.filter, &stored.facts);
        let is_target = |terminal| self.ordinals.all_of(terminal).any(|ordinal| stored.targets.has(ordinal));
        filter.name.as_ref().is_none_or(|name| *name == facts.frame.name)
            && filter.by.as_ref().is_none_or(|by| *by == facts.by)
            && filter.terminal.as_ref().is_none_or(is_target)
            && filter.state.is_none_or(|state| stored.record().view(self.commands.clock.now()).state == state)
    }

    /// A page of a command's targets, in the order of their ordinals.
    pub(super) fn targets(&self, id: CommandId, query: &TargetQuery) -> Result<FoundTargets, BackplaneError> {
        let after = query.after.as_ref().map(|after| after.parse::<u32>().map_err(|_| BackplaneError::NoPage));
        let after = after.transpose()?;
        let Some(stored) = self.commands.find(&id) else { return Ok(FoundTargets::default()) };
        let mut ordinals = stored.targets.ordinals();
        ordinals.retain(|ordinal| after.is_none_or(|after| *ordinal > after));
        ordinals.retain(|ordinal| stored.targets.state(*ordinal).is_some_and(|state| query.wants(state)));
        let more = ordinals.len() > query.limit;
        ordinals.truncate(query.limit);
        let next = ordinals.last().filter(|_| more).map(u32::to_string);
        let records = stored.targets.records(&ordinals);
        let target = |(ordinal, record)| FoundTarget {
            terminal: self.ordinals.name(ordinal).clone(),
            record,
            reply: stored.replies.get(&ordinal).cloned(),
        };
        Ok(FoundTargets {
            targets: ordinals.into_iter().zip(records).map(target).collect(),
            next,
            ..FoundTargets::default()
        })
    }
}

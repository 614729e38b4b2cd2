//! Backlogs: the commands that name a terminal as target and that it has not confirmed.

use std::collections::BTreeMap;

use muster_protocol::CommandId;
use rustc_hash::FxHashMap;

/// All backlogs, by ordinal.
#[derive(Debug, Default)]
pub(super) struct Backlogs {
    /// Commands by their numbers. No backlog here is empty.
    by_ordinal: FxHashMap<u32, BTreeMap<u64, CommandId>>,
    entries: u64,
}

impl Backlogs {
    pub(super) fn insert(&mut self, ordinal: u32, number: u64, command: CommandId) {
        let before = self.by_ordinal.entry(ordinal).or_default().insert(number, command);
        self.entries += u64::from(before.is_none());
    }

    /// Takes a command out of a backlog, if it is there.
    pub(super) fn remove(&mut self, ordinal: u32, number: u64) {
        let Some(backlog) = self.by_ordinal.get_mut(&ordinal) else { return };
        self.entries -= u64::from(backlog.remove(&number).is_some());
        if backlog.is_empty() {
            self.by_ordinal.remove(&ordinal);
        }
    }

    /// Removes the backlog of a terminal that is forgotten.
    pub(super) fn forget(&mut self, ordinal: u32) {
        self.entries -= self.by_ordinal.remove(&ordinal).map_or(0, |backlog| backlog.len() as u64);
    }

    /// Removes the commands of a backlog that can't be sent any more.
    pub(super) fn retain(&mut self, ordinal: u32, is_live: impl Fn(&CommandId) -> bool) {
        let Some(backlog) = self.by_ordinal.get_mut(&ordinal) else { return };
        let before = backlog.len();
        backlog.retain(|_, id| is_live(id));
        self.entries -= (before - backlog.len()) as u64;
        if backlog.is_empty() {
            self.by_ordinal.remove(&ordinal);
        }
    }

    /// The number of commands in a backlog.
    pub(super) fn len(&self, ordinal: u32) -> u64 {
        self.by_ordinal.get(&ordinal).map_or(0, |backlog| backlog.len() as u64)
    }

    /// The commands of a backlog, with their numbers, which ascend.
    pub(super) fn of(&self, ordinal: u32) -> impl Iterator<Item = (u64, CommandId)> {
        self.by_ordinal.get(&ordinal).into_iter().flatten().map(|(number, id)| (*number, *id))
    }

    /// The number of commands in all backlogs.
    pub(super) fn entries(&self) -> u64 {
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn entries_are_counted_as_they_come_and_go() {
        let mut backlogs = Backlogs::default();
        let id = |number| CommandId(Uuid::from_u128(number));
        for (ordinal, number) in [(1, 10), (1, 11), (2, 11), (1, 10)] {
            backlogs.insert(ordinal, number, id(number.into()));
        }
        assert_eq!((backlogs.entries(), backlogs.len(1)), (3, 2));
        backlogs.retain(1, |one| *one == id(11));
        assert_eq!(backlogs.of(1).collect::<Vec<_>>(), [(11, id(11))]);
        backlogs.remove(1, 11);
        backlogs.remove(1, 11);
        backlogs.forget(2);
        backlogs.forget(2);
        assert!(backlogs.entries() == 0 && backlogs.by_ordinal.is_empty());
    }
}

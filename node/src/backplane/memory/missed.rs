//! What terminals find in the log of commands when they join, and what a terminal has missed (join.lua does the same in Redis).

use std::collections::BTreeMap;

use muster_protocol::{CommandId, api::Protocol};

use super::stored_commands::Commands;
use crate::backplane::{Cursor, GapReason, MissedCommand, rules};

/// The store that a terminal joins: its name, and the number of the last accepted command.
pub(super) struct StorePosition<'a> {
    pub(super) epoch: &'a str,
    pub(super) newest: u64,
}

impl Commands {
    /// Appends a command to the log. At the bound the oldest is removed.
    pub(super) fn append(&mut self, number: u64, id: CommandId, limit: u64) {
        self.log.last = number;
        self.log.entries.push_back((number, id));
        let now = self.clock.now();
        while let Some((oldest, id)) = self.log.entries.front().copied() {
            let live = self.by_id.get(&id).is_some_and(|stored| stored.is_live(now));
            if live && self.log.entries.len() as u64 <= limit {
                return;
            }
            if self.log.entries.len() == 1 {
                return;
            }
            self.log.entries.pop_front();
            if live {
                self.log.lost = oldest;
            }
        }
    }

    /// What a terminal has missed or not confirmed, in order, and why something of it is missing. A terminal that was forgotten is new:
    /// its ordinal is in no command from before.
    pub(super) fn missed(
        &mut self,
        ordinal: u32,
        protocol: Protocol,
        cursor: Option<&Cursor>,
        store: &StorePosition<'_>,
    ) -> (Vec<MissedCommand>, Option<GapReason>) {
        let now = self.clock.now();
        // A cursor beyond the last number was not given out by this store.
        let ours = |cursor: &&Cursor| cursor.epoch == store.epoch && cursor.number <= store.newest;
        let reached = cursor.filter(ours).map_or(0, |cursor| cursor.number);
        let lost = match cursor {
            Some(cursor) if !ours(&cursor) => Some(GapReason::Store),
            Some(cursor) if cursor.number < self.log.lost => Some(GapReason::Trimmed(self.log.lost)),
            _ => None,
        };
        let by_id = &self.by_id;
        self.backlogs.retain(ordinal, |id| by_id.get(id).is_some_and(|stored| stored.is_live(now)));
        let waiting =
            self.backlogs.of(ordinal).map(|(number, command)| MissedCommand { number, command, to_all: false });
        let mut missed: BTreeMap<u64, MissedCommand> = waiting.map(|missed| (missed.number, missed)).collect();
        self.recount();
        let log = &self.log.entries;
        let start = log.partition_point(|(number, _)| *number <= reached).saturating_sub(rules::LOOK_BACK);
        for (number, command) in log.range(start..).copied() {
            let Some(stored) = self.by_id.get(&command).filter(|stored| stored.is_live(now)) else { continue };
            if stored.is_owed(ordinal, protocol) {
                missed.insert(number, MissedCommand { number, command, to_all: stored.to_all });
            }
        }
        (missed.into_values().collect(), lost)
    }
}

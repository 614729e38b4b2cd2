//! Tells that a command is done, once.

use muster_protocol::CommandId;

use super::{NodeStore, stored_commands::Commands};
use crate::backplane::command_record::done_event;

impl Commands {
    /// The data of `command.done`, and whether the command was cancelled, if the command is done and the event was not taken before.
    fn take_done(&mut self, id: CommandId) -> Option<(String, bool)> {
        let now = self.clock.now();
        let stored = self.by_id.get_mut(&id).filter(|stored| !stored.told_done)?;
        // A record has a copy of the payload, and this is asked at every report.
        if !stored.facts.is_settled_with(&stored.targets.counts(), now) {
            return None;
        }
        let record = stored.record();
        stored.told_done = true;
        self.ending.remove(&(record.frame.expires_at, id));
        Some((done_event(&record.view(now)), record.cancelled))
    }
}

impl NodeStore {
    /// Writes `command.done` if the command is done and the event is not written.
    pub(super) fn tell_if_done(&mut self, id: CommandId) {
        if let Some((data, is_cancelled)) = self.commands.take_done(id) {
            self.events.push("command.done", data);
            self.minutes.count("done", u64::from(!is_cancelled));
        }
    }

    /// Writes `command.done` of the commands that have expired and were not done.
    pub(super) fn tell_ended(&mut self) {
        while let Some((at, id)) = self.commands.ending.first().copied()
            && at <= self.commands.clock.now()
        {
            self.commands.ending.pop_first();
            self.tell_if_done(id);
        }
    }
}

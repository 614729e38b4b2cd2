//! What is removed: commands and keys whose time has come, and for want of room the oldest commands that have expired.

use jiff::Timestamp;
use muster_protocol::TerminalId;

use super::{
    budget::BACKLOG_BYTES,
    ordinals::TerminalOrdinals,
    stored_commands::{Commands, Selection},
};
use crate::{
    backplane::{BackplaneError, CommandDraft},
    config::Bounds,
};

impl Commands {
    /// Removes what may be removed.
    pub(super) fn sweep(&mut self) {
        self.keys.forget_old(self.clock.instant());
        self.forget_until(self.clock.now(), |_| true);
        self.recount();
    }

    /// Makes room for a command. If there is none, commands that have expired are removed too, the oldest first: they are stored only to
    /// be looked up.
    pub(super) fn make_room(
        &mut self,
        draft: &CommandDraft,
        selection: &Selection,
        bounds: &Bounds,
    ) -> Result<(), BackplaneError> {
        self.sweep();
        let mut bytes = Self::needed(draft, selection);
        if selection.is_named {
            bytes += BACKLOG_BYTES * selection.targets.count();
        }
        let is_full = |commands: &Self| bytes > commands.budget.room();
        let expired = self.clock.now().checked_add(bounds.keep).unwrap_or(Timestamp::MAX);
        self.forget_until(expired, is_full);
        if is_full(self) {
            return Err(BackplaneError::NoRoom(self.budget.used.total()));
        }
        Ok(())
    }

    /// Removes commands whose time comes until `end`, the oldest first, while they are to be removed.
    fn forget_until(&mut self, end: Timestamp, wanted: impl Fn(&Self) -> bool) {
        while let Some((at, id)) = self.due.first().copied()
            && at <= end
            && wanted(self)
        {
            self.due.pop_first();
            let Some(stored) = self.by_id.remove(&id) else { continue };
            self.ending.remove(&(stored.facts.frame.expires_at, id));
            debug_assert_eq!(stored.forget_at, at);
            self.by_number.remove(&stored.number);
            self.targets -= stored.targets.len();
            if stored.in_backlogs {
                stored.targets.ordinals().into_iter().for_each(|ordinal| self.backlogs.remove(ordinal, stored.number));
                self.recount();
            }
            let used = &mut self.budget.used;
            used.commands -= stored.bytes;
            used.times -= stored.targets.times_bytes();
            used.replies -= stored.replied;
        }
    }

    /// Fails if as many commands as may be wait for a target already.
    pub(super) fn check_backlogs(
        &mut self,
        selection: &Selection,
        ordinals: &TerminalOrdinals,
        limit: u64,
    ) -> Result<(), BackplaneError> {
        let (now, mut full) = (self.clock.now(), Vec::<TerminalId>::new());
        for ordinal in selection.targets.iter() {
            if self.backlogs.len(ordinal) < limit {
                continue;
            }
            let by_id = &self.by_id;
            self.backlogs.retain(ordinal, |id| by_id.get(id).is_some_and(|stored| stored.is_live(now)));
            if self.backlogs.len(ordinal) >= limit {
                full.push(ordinals.name(ordinal).clone());
            }
        }
        full.sort_unstable();
        if full.is_empty() { Ok(()) } else { Err(BackplaneError::Full(full)) }
    }
}

//! All stored commands: by id, by number, by the time at which they may be removed, and in backlogs; and what is reported of them
//! (raise.lua and reply.lua do the same in Redis).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload,
    api::{CommandView, TargetState},
};
use rustc_hash::FxHashMap;

use super::{
    backlogs::Backlogs,
    bitmap::Bitmap,
    broadcast_log::BroadcastLog,
    budget::{BACKLOG_BYTES, Budget, COMMAND_BYTES, KEY_BYTES, REPLY_BYTES},
    idempotency_keys::IdempotencyKeys,
    step_times::ReachedTargets,
    stored_command::StoredCommand,
    targets::Targets,
};
use crate::{
    backplane::{CommandDraft, TimeSource},
    config::Bounds,
    reports::StateReport,
};

/// Commands by id, by number and by terminal.
pub(super) struct Commands {
    pub(super) clock: Arc<dyn TimeSource>,
    pub(super) by_id: FxHashMap<CommandId, StoredCommand>,
    /// Commands by their numbers, which ascend.
    pub(super) by_number: BTreeMap<u64, CommandId>,
    pub(super) log: BroadcastLog,
    pub(super) backlogs: Backlogs,
    /// When each command may be removed.
    pub(super) due: BTreeSet<(Timestamp, CommandId)>,
    /// When each command expires that is not done.
    pub(super) ending: BTreeSet<(Timestamp, CommandId)>,
    /// The number of targets of all stored commands.
    pub(super) targets: u64,
    pub(super) keys: IdempotencyKeys,
    pub(super) budget: Budget,
}

/// The terminals that a command is for.
pub(super) struct Selection {
    /// Their ordinals.
    pub(super) targets: Arc<Bitmap>,
    /// How many of the selected terminals are online.
    pub(super) online: u64,
    /// Whether the request names the terminals.
    pub(super) is_named: bool,
}

impl Commands {
    pub(super) fn new(clock: Arc<dyn TimeSource>, bound: u64) -> Self {
        Self {
            clock,
            by_id: FxHashMap::default(),
            by_number: BTreeMap::new(),
            log: BroadcastLog::default(),
            backlogs: Backlogs::default(),
            due: BTreeSet::new(),
            ending: BTreeSet::new(),
            targets: 0,
            keys: IdempotencyKeys::default(),
            budget: Budget::new(bound),
        }
    }

    /// A command that is stored. One that may be removed is not shown any more, whenever it is removed.
    pub(super) fn find(&self, id: &CommandId) -> Option<&StoredCommand> {
        let now = self.clock.now();
        self.by_id.get(id).filter(|stored| stored.forget_at > now)
    }

    pub(super) fn find_mut(&mut self, id: &CommandId) -> Option<&mut StoredCommand> {
        let now = self.clock.now();
        self.by_id.get_mut(id).filter(|stored| stored.forget_at > now)
    }

    /// The number of the oldest stored command.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.by_number.first_key_value().map(|(number, _)| *number)
    }

    /// The bytes that a command will need.
    pub(super) fn needed(draft: &CommandDraft, selection: &Selection) -> u64 {
        // The payload stands in the frame and in the request.
        let texts = 2 * (draft.frame.payload.as_json().len() + draft.frame.name.len()) as u64;
        COMMAND_BYTES + texts + Targets::bytes(&selection.targets, selection.is_named)
    }

    /// Stores a command.
    pub(super) fn keep(
        &mut self,
        draft: CommandDraft,
        number: u64,
        to_all: bool,
        selection: Selection,
        bounds: &Bounds,
    ) -> CommandView {
        let (id, bytes) = (draft.frame.id, Self::needed(&draft, &selection));
        if let Some(key) = &draft.key {
            self.keys.insert(key, id, self.clock.instant());
        }
        let facts = draft.record(selection.targets.count());
        let view = facts.view(facts.created_at);
        let expires_at = facts.frame.expires_at;
        let forget_at = facts.frame.expires_at.checked_add(bounds.keep).unwrap_or(Timestamp::MAX);
        let targets = Targets::new(selection.targets, selection.is_named);
        let stored = StoredCommand {
            facts,
            number,
            to_all,
            in_backlogs: selection.is_named,
            forget_at,
            targets,
            replies: FxHashMap::default(),
            bytes,
            replied: 0,
            told_done: false,
        };
        self.targets += stored.targets.len();
        if stored.in_backlogs {
            stored.targets.ordinals().into_iter().for_each(|ordinal| self.backlogs.insert(ordinal, number, id));
        }
        self.budget.used.commands += bytes;
        self.due.insert((forget_at, id));
        self.ending.insert((expires_at, id));
        self.by_number.insert(number, id);
        let is_logged = !stored.in_backlogs;
        self.by_id.insert(id, stored);
        if is_logged {
            self.append(number, id, bounds.log);
        }
        self.recount();
        view
    }

    /// Raises the states of targets. Returns how many targets rose and the event's data, if any rose.
    pub(super) fn raise(&mut self, step: StateReport, reached: &ReachedTargets) -> Option<(u64, String)> {
        let StateReport { command, state, last } = step;
        let (now, room) = (self.clock.now(), self.budget.room());
        let stored = self.by_id.get_mut(&command).filter(|stored| stored.forget_at > now)?;
        let (rose, bytes) = stored.targets.raise(state, reached, room);
        self.budget.used.times += bytes;
        if stored.in_backlogs && (last || state.rank() >= TargetState::Acked.rank()) {
            reached.set().iter().for_each(|ordinal| self.backlogs.remove(ordinal, stored.number));
            self.recount();
        }
        let (state, of) =
            (state.name(), self.by_id[&command].targets.counts().get(&state).copied().unwrap_or_default());
        let event = format!(r#"{{"command":"{command}","state":"{state}","terminals":{rose},"of":{of}}}"#);
        (rose > 0).then_some((rose, event))
    }

    /// Stores the last reply of a target, if this is the ordinal of one. JSON null is what is shown where nothing is stored.
    /// Returns false if there is no room.
    pub(super) fn reply(&mut self, command: CommandId, ordinal: Option<u32>, payload: Payload) -> bool {
        let room = self.budget.room();
        let Some(stored) = self.find_mut(&command) else { return true };
        let Some(ordinal) = ordinal.filter(|ordinal| stored.targets.has(*ordinal)) else { return true };
        let bytes = |payload: &Payload| REPLY_BYTES + payload.as_json().len() as u64;
        let old = stored.replies.get(&ordinal).map_or(0, bytes);
        let new = if payload.as_json() == "null" { 0 } else { bytes(&payload) };
        if new > room + old {
            return false;
        }
        if new == 0 {
            stored.replies.remove(&ordinal);
        } else {
            stored.replies.insert(ordinal, payload);
        }
        stored.replied = stored.replied + new - old;
        self.budget.used.replies = self.budget.used.replies + new - old;
        true
    }

    /// Counts anew what is counted by entries.
    pub(super) fn recount(&mut self) {
        self.budget.used.backlogs = BACKLOG_BYTES * self.backlogs.entries();
        self.budget.used.keys = KEY_BYTES * self.keys.len();
    }
}

//! How commands are stored in memory: by sequence number, by terminal, and by the time at which they may be removed;
//! and how the states of targets rise (accept.lua, join.lua and raise.lua do the same in Redis).

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Instant,
};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload, TerminalId,
    api::{CommandView, Protocol, TargetState},
};
use rustc_hash::FxHashMap;

use crate::{
    backplane::{
        BackplaneError, CommandDraft, CommandRecord, Cursor, GapReason, MissedCommand, TargetRecord, TimeSource,
        command_record::accepted_ms, rules,
    },
    config::Bounds,
    reports::StateReport,
};

/// Commands by id, by sequence number and by terminal.
pub(super) struct Commands {
    clock: Arc<dyn TimeSource>,
    by_id: FxHashMap<CommandId, StoredCommand>,
    /// Broadcasts that can be sent again, by sequence number, oldest first.
    log: VecDeque<(u64, CommandId)>,
    /// The sequence number up to which broadcasts were removed from the log that a terminal could still ask for.
    lost: u64,
    /// The sequence number of the last broadcast.
    pub(super) broadcast: u64,
    /// Unconfirmed commands that name a terminal as target, by sequence number.
    backlog: FxHashMap<TerminalId, BTreeSet<(u64, CommandId)>>,
    /// When each command may be removed.
    order: BTreeSet<(Timestamp, CommandId)>,
    targets: u64,
    pub(super) keys: FxHashMap<String, (Instant, String, CommandId)>,
}

pub(super) struct StoredCommand {
    pub(super) record: CommandRecord,
    to_all: bool,
    forget_at: Timestamp,
    pub(super) targets: FxHashMap<TerminalId, TargetRecord>,
    pub(super) replies: FxHashMap<TerminalId, Payload>,
}

impl StoredCommand {
    /// Whether the command may still be sent.
    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        rules::is_live(self.record.frame.expires_at, self.record.cancelled, now)
    }
}

impl Commands {
    pub(super) fn new(clock: Arc<dyn TimeSource>) -> Self {
        Self {
            clock,
            by_id: FxHashMap::default(),
            log: VecDeque::new(),
            lost: 0,
            broadcast: 0,
            backlog: FxHashMap::default(),
            order: BTreeSet::new(),
            targets: 0,
            keys: FxHashMap::default(),
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

    pub(super) fn keep(
        &mut self,
        draft: CommandDraft,
        number: u64,
        to_all: bool,
        targets: Vec<TerminalId>,
        bounds: &Bounds,
    ) -> CommandView {
        let id = draft.frame.id;
        if let Some(key) = &draft.key {
            self.keys.insert(key.key.clone(), (self.clock.instant(), key.body.clone(), id));
        }
        if to_all {
            self.broadcast = number;
            self.append(number, id, bounds.log);
        } else {
            targets.iter().for_each(|one| _ = self.backlog.entry(one.clone()).or_default().insert((number, id)));
        }
        self.targets += targets.len() as u64;
        let record = draft.record(targets.len() as u64);
        let forget_at = record.frame.expires_at.checked_add(bounds.keep).unwrap_or(Timestamp::MAX);
        self.order.insert((forget_at, id));
        let view = record.view(record.created_at);
        let targets = targets.into_iter().map(|terminal| (terminal, TargetRecord::QUEUED)).collect();
        self.by_id.insert(id, StoredCommand { record, to_all, forget_at, targets, replies: FxHashMap::default() });
        view
    }

    /// Appends a broadcast to the log. At the bound the oldest is removed.
    fn append(&mut self, number: u64, id: CommandId, limit: u64) {
        self.log.push_back((number, id));
        let now = self.clock.now();
        while let Some((oldest, id)) = self.log.front().copied() {
            let live = self.by_id.get(&id).is_some_and(|stored| stored.is_live(now));
            if live && self.log.len() as u64 <= limit {
                return;
            }
            if self.log.len() == 1 {
                return;
            }
            self.log.pop_front();
            if live {
                self.lost = oldest;
            }
        }
    }

    /// Removes what may be removed. If there is no room, removes expired commands too, which are stored only to be
    /// looked up.
    pub(super) fn make_room(&mut self, more: u64, bounds: &Bounds) -> Result<(), BackplaneError> {
        let instant = self.clock.instant();
        self.keys.retain(|_, (since, _, _)| instant - *since < rules::KEY_TTL);
        let now = self.clock.now();
        self.forget_until(now, |_| true);
        let expired = now.checked_add(bounds.keep).unwrap_or(Timestamp::MAX);
        self.forget_until(expired, |targets| targets + more > bounds.max_targets);
        if self.targets + more > bounds.max_targets { Err(BackplaneError::Crowded(self.targets)) } else { Ok(()) }
    }

    fn forget_until(&mut self, end: Timestamp, wanted: impl Fn(u64) -> bool) {
        while let Some((at, id)) = self.order.first().copied()
            && at <= end
            && wanted(self.targets)
        {
            self.order.pop_first();
            if let Some(stored) = self.by_id.remove(&id) {
                debug_assert_eq!(stored.forget_at, at);
                self.targets -= stored.targets.len() as u64;
            }
        }
    }

    pub(super) fn check_backlogs(&mut self, targets: &[TerminalId], limit: u64) -> Result<(), BackplaneError> {
        let now = self.clock.now();
        let mut full = Vec::new();
        for terminal in targets {
            let Some(backlog) = self.backlog.get_mut(terminal) else { continue };
            if backlog.len() as u64 >= limit {
                backlog.retain(|(_, id)| self.by_id.get(id).is_some_and(|stored| stored.is_live(now)));
            }
            if backlog.len() as u64 >= limit {
                full.push(terminal.clone());
            }
        }
        if full.is_empty() { Ok(()) } else { Err(BackplaneError::Full(full)) }
    }

    /// What a terminal has missed or not confirmed, in order, and why something of it is missing. The terminal is a target of
    /// nothing up to `known_since`: one that was forgotten is new, though commands from before still list it.
    pub(super) fn missed(
        &mut self,
        terminal: &TerminalId,
        protocol: Protocol,
        cursor: Option<&Cursor>,
        known_since: u64,
        epoch: &str,
        newest: u64,
    ) -> (Vec<MissedCommand>, Option<GapReason>) {
        let now = self.clock.now();
        // A cursor beyond the last number was not given out by this store.
        let ours = |cursor: &&Cursor| cursor.epoch == epoch && cursor.number <= newest;
        let known = cursor.filter(ours).map_or(0, |cursor| cursor.number);
        let lost = match cursor {
            Some(cursor) if !ours(&cursor) => Some(GapReason::Store),
            Some(cursor) if cursor.number < self.lost => Some(GapReason::Trimmed(self.lost)),
            _ => None,
        };
        let mut missed = BTreeMap::new();
        if let Some(backlog) = self.backlog.get_mut(terminal) {
            backlog.retain(|(_, id)| self.by_id.get(id).is_some_and(|stored| stored.is_live(now)));
            missed.extend(backlog.iter().map(|(number, id)| (*number, (*id, false))));
        }
        let start = self.log.partition_point(|(number, _)| *number <= known).saturating_sub(rules::LOOK_BACK);
        for (number, id) in self.log.range(start..).filter(|(number, _)| *number > known_since) {
            let Some(stored) = self.by_id.get(id).filter(|stored| stored.is_live(now)) else { continue };
            if stored.targets.get(terminal).is_some_and(|target| rules::is_resent(target.state, protocol)) {
                missed.insert(*number, (*id, true));
            }
        }
        let missed = missed.into_iter();
        (missed.map(|(number, (command, to_all))| MissedCommand { number, command, to_all }).collect(), lost)
    }

    /// Raises the states of targets. Returns the event's data if a state rose.
    pub(super) fn raise(&mut self, step: StateReport, reached: &[(&TerminalId, u64)]) -> Option<String> {
        let StateReport { command, state, last } = step;
        let now = self.clock.now();
        let stored = self.by_id.get_mut(&command).filter(|stored| stored.forget_at > now)?;
        let begun = accepted_ms(command);
        let mut rose = 0;
        for (terminal, at) in reached {
            let Some(target) = stored.targets.get_mut(*terminal) else { continue };
            let before = target.state;
            if target.raise(state, at.saturating_sub(begun)) {
                *stored.record.counts.entry(before).or_default() -= 1;
                *stored.record.counts.entry(state).or_default() += 1;
                rose += 1;
            }
            if !stored.to_all
                && (last || state.rank() >= TargetState::Acked.rank())
                && let Some(backlog) = self.backlog.get_mut(*terminal)
            {
                backlog.retain(|(_, id)| *id != command);
            }
        }
        let (state, of) = (state.name(), stored.record.counts.get(&state).copied().unwrap_or_default());
        let event = format!(r#"{{"command":"{command}","state":"{state}","terminals":{rose},"of":{of}}}"#);
        (rose > 0).then_some(event)
    }

    pub(super) fn reply(&mut self, command: CommandId, terminal: TerminalId, payload: Payload) {
        if let Some(stored) = self.find_mut(&command).filter(|stored| stored.targets.contains_key(&terminal)) {
            stored.replies.insert(terminal, payload);
        }
    }

    pub(super) fn forget_terminal(&mut self, terminal: &TerminalId) {
        self.backlog.remove(terminal);
    }
}

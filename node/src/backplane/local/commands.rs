//! Commands in memory: accepted, looked up, raised and replayed as in Redis (see accept.lua, join.lua and raise.lua).

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Instant,
};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload, Selector, TerminalId,
    api::{CommandRequest, CommandView, DryRun, Offline, Protocol, TargetState},
    frame,
};
use rustc_hash::FxHashMap;

use super::{Local, Store};
use crate::{
    backplane::{
        Accepted, Cursor, Draft, KEY_KEPT, Life, Lost, Missed, Refusal, Target,
        envelope::{Audience, Delivery, Envelope},
        life::accepted_ms,
    },
    config::Bounds,
    reports::Step,
};

/// Broadcasts before a terminal's cursor that are looked at too: their acknowledgement may have been lost on its way. No more than
/// a client remembers, so that none is run again. The same in join.lua.
const LOOK_BACK: usize = 256;

/// Commands by id, in their order, and per terminal.
#[derive(Default)]
pub(super) struct Commands {
    kept: FxHashMap<CommandId, Kept>,
    /// By number, oldest first: what can be replayed.
    log: VecDeque<(u64, CommandId)>,
    /// The number up to which broadcasts that could still be asked for have left the log.
    lost: u64,
    /// The number of the last broadcast.
    broadcast: u64,
    /// What is meant for a terminal alone and not confirmed, by number.
    backlog: FxHashMap<TerminalId, BTreeSet<(u64, CommandId)>>,
    /// By when a command may be forgotten.
    order: BTreeSet<(Timestamp, CommandId)>,
    targets: u64,
    keys: FxHashMap<String, (Instant, String, CommandId)>,
}

struct Kept {
    life: Life,
    to_all: bool,
    forget_at: Timestamp,
    targets: FxHashMap<TerminalId, Target>,
    replies: FxHashMap<TerminalId, Payload>,
}

impl Kept {
    /// Whether it may still be sent.
    fn is_live(&self, now: Timestamp) -> bool {
        !self.life.cancelled && self.life.frame.expires_at > now
    }
}

impl Local {
    pub(in crate::backplane) async fn accept(&self, draft: Draft) -> Result<Accepted, Refusal> {
        let mut store = self.store();
        if let Some(key) = &draft.key
            && let Some((_, body, id)) = store.commands.keys.get(&key.key)
        {
            return if *body == key.body { Ok(Accepted::Before(*id)) } else { Err(Refusal::OtherBody(*id)) };
        }
        let (targets, _) = store.resolve(&draft.request)?;
        let to_all = draft.request.target == Selector::All && draft.request.rate.is_none();
        store.commands.make_room(targets.len() as u64, &self.bounds)?;
        if !to_all {
            store.commands.check_backlogs(&targets, self.bounds.backlog)?;
        }
        let number = store.number + 1;
        let audience = if to_all { Audience::All } else { Audience::Terminals(targets.clone()) };
        self.send(Envelope::Deliver(Delivery {
            epoch: self.epoch.clone(),
            number,
            prev: store.commands.broadcast,
            to: audience,
            rate: draft.request.rate,
            command: draft.frame.clone(),
        }))?;
        store.number = number;
        Ok(Accepted::New(store.commands.keep(draft, number, to_all, targets, &self.bounds)))
    }

    pub(in crate::backplane) async fn estimate(&self, request: &CommandRequest) -> Result<DryRun, Refusal> {
        let (targets, online) = self.store().resolve(request)?;
        Ok(DryRun { targets: targets.len() as u64, online })
    }

    pub(in crate::backplane) async fn command(&self, id: CommandId) -> Result<Option<Life>, Refusal> {
        Ok(self.store().commands.kept.get(&id).map(|kept| kept.life.clone()))
    }

    pub(in crate::backplane) async fn targets(&self, id: CommandId) -> Result<Vec<(TerminalId, Target)>, Refusal> {
        let store = self.store();
        let targets = store.commands.kept.get(&id).map(|kept| kept.targets.iter());
        Ok(targets.into_iter().flatten().map(|(terminal, target)| (terminal.clone(), target.clone())).collect())
    }

    pub(in crate::backplane) async fn replies(
        &self,
        id: CommandId,
        terminals: &[TerminalId],
    ) -> Result<Vec<Option<Payload>>, Refusal> {
        let store = self.store();
        let kept = store.commands.kept.get(&id);
        Ok(terminals.iter().map(|terminal| kept?.replies.get(terminal).cloned()).collect())
    }

    pub(in crate::backplane) async fn frames(&self, ids: &[CommandId]) -> Result<Vec<Option<frame::Command>>, Refusal> {
        let store = self.store();
        Ok(ids.iter().map(|id| store.commands.kept.get(id).map(|kept| kept.life.frame.clone())).collect())
    }

    pub(in crate::backplane) async fn cancel(&self, id: CommandId) -> Result<bool, Refusal> {
        let mut store = self.store();
        let Some(kept) = store.commands.kept.get_mut(&id) else { return Ok(false) };
        let queued = kept.life.counts.get(&TargetState::Queued).is_some_and(|queued| *queued > 0);
        if !queued || !kept.is_live(Timestamp::now()) {
            return Ok(true);
        }
        kept.life.cancelled = true;
        self.send(Envelope::Cancel { command: id })?;
        store.happened.push("command.state", format!(r#"{{"command":"{id}","state":"cancelled"}}"#));
        Ok(true)
    }
}

impl Store {
    /// The terminals that a request is for, and how many of them are on the line.
    fn resolve(&self, request: &CommandRequest) -> Result<(Vec<TerminalId>, u64), Refusal> {
        let named = match &request.target {
            Selector::Terminal(id) => Some(std::slice::from_ref(id)),
            Selector::Terminals(ids) => Some(&ids[..]),
            Selector::All | Selector::Labels(_) => None,
        };
        let mut targets = match named {
            Some(ids) => ids.to_vec(),
            None => self.terminals.matching(&request.target),
        };
        let unknown: Vec<_> = targets.iter().filter(|id| !self.terminals.is_known(id)).cloned().collect();
        if !unknown.is_empty() {
            return Err(Refusal::Unknown(unknown));
        }
        let (online, offline): (Vec<_>, Vec<_>) = targets.iter().cloned().partition(|id| self.terminals.is_online(id));
        let count = online.len() as u64;
        if request.offline == Offline::Skip {
            if named.is_some() && !offline.is_empty() {
                return Err(Refusal::Offline(offline));
            }
            targets = online;
        }
        Ok((targets, count))
    }
}

impl Commands {
    fn keep(
        &mut self,
        draft: Draft,
        number: u64,
        to_all: bool,
        targets: Vec<TerminalId>,
        bounds: &Bounds,
    ) -> CommandView {
        let id = draft.frame.id;
        if let Some(key) = &draft.key {
            self.keys.insert(key.key.clone(), (Instant::now(), key.body.clone(), id));
        }
        if to_all {
            self.broadcast = number;
        } else {
            targets.iter().for_each(|one| _ = self.backlog.entry(one.clone()).or_default().insert((number, id)));
        }
        self.append(number, id, bounds.log);
        self.targets += targets.len() as u64;
        let life = draft.life(targets.len() as u64);
        let forget_at = life.frame.expires_at.checked_add(bounds.keep).unwrap_or(Timestamp::MAX);
        self.order.insert((forget_at, id));
        let view = life.view(life.created_at);
        let targets = targets.into_iter().map(|terminal| (terminal, Target::QUEUED)).collect();
        self.kept.insert(id, Kept { life, to_all, forget_at, targets, replies: FxHashMap::default() });
        view
    }

    /// Puts a command into the log; at its bound the oldest makes room.
    fn append(&mut self, number: u64, id: CommandId, limit: u64) {
        self.log.push_back((number, id));
        let now = Timestamp::now();
        while let Some((oldest, id)) = self.log.front().copied() {
            let live = self.kept.get(&id).is_some_and(|kept| kept.to_all && kept.is_live(now));
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

    /// Forgets what may be forgotten; for want of room also what has expired and is only kept to be looked up.
    fn make_room(&mut self, more: u64, bounds: &Bounds) -> Result<(), Refusal> {
        self.keys.retain(|_, (since, _, _)| since.elapsed() < KEY_KEPT);
        let now = Timestamp::now();
        self.forget_until(now, |_| true);
        let expired = now.checked_add(bounds.keep).unwrap_or(Timestamp::MAX);
        self.forget_until(expired, |targets| targets + more > bounds.max_targets);
        if self.targets + more > bounds.max_targets { Err(Refusal::Crowded(self.targets)) } else { Ok(()) }
    }

    fn forget_until(&mut self, end: Timestamp, wanted: impl Fn(u64) -> bool) {
        while let Some((at, id)) = self.order.first().copied()
            && at <= end
            && wanted(self.targets)
        {
            self.order.pop_first();
            if let Some(kept) = self.kept.remove(&id) {
                debug_assert_eq!(kept.forget_at, at);
                self.targets -= kept.targets.len() as u64;
            }
        }
    }

    fn check_backlogs(&mut self, targets: &[TerminalId], limit: u64) -> Result<(), Refusal> {
        let now = Timestamp::now();
        let mut full = Vec::new();
        for terminal in targets {
            let Some(backlog) = self.backlog.get_mut(terminal) else { continue };
            if backlog.len() as u64 >= limit {
                backlog.retain(|(_, id)| self.kept.get(id).is_some_and(|kept| kept.is_live(now)));
            }
            if backlog.len() as u64 >= limit {
                full.push(terminal.clone());
            }
        }
        if full.is_empty() { Ok(()) } else { Err(Refusal::Full(full)) }
    }

    /// What a terminal has missed or not confirmed, in order, and what of it is lost.
    pub(super) fn missed(
        &mut self,
        terminal: &TerminalId,
        protocol: Protocol,
        cursor: Option<&Cursor>,
        epoch: &str,
        newest: u64,
    ) -> (Vec<Missed>, Option<Lost>) {
        let now = Timestamp::now();
        // One that lies ahead of this store was not given out by it.
        let ours = |cursor: &&Cursor| cursor.epoch == epoch && cursor.number <= newest;
        let known = cursor.filter(ours).map_or(0, |cursor| cursor.number);
        let lost = match cursor {
            Some(cursor) if !ours(&cursor) => Some(Lost::Store),
            Some(cursor) if cursor.number < self.lost => Some(Lost::Trimmed(self.lost)),
            _ => None,
        };
        let mut missed = BTreeMap::new();
        if let Some(backlog) = self.backlog.get_mut(terminal) {
            backlog.retain(|(_, id)| self.kept.get(id).is_some_and(|kept| kept.is_live(now)));
            missed.extend(backlog.iter().map(|(number, id)| (*number, (*id, false))));
        }
        let start = self.log.partition_point(|(number, _)| *number <= known).saturating_sub(LOOK_BACK);
        for (number, id) in self.log.range(start..) {
            let Some(kept) = self.kept.get(id).filter(|kept| kept.to_all && kept.is_live(now)) else { continue };
            let wanted = match kept.targets.get(terminal).map(|target| target.state) {
                Some(TargetState::Queued) => true,
                Some(TargetState::Sent) => protocol == Protocol::V1,
                _ => false,
            };
            if wanted {
                missed.insert(*number, (*id, true));
            }
        }
        let missed = missed.into_iter();
        (missed.map(|(number, (command, to_all))| Missed { number, command, to_all }).collect(), lost)
    }

    /// Raises targets; the event's data, if any rose.
    pub(super) fn raise(&mut self, step: Step, reached: &[(&TerminalId, u64)]) -> Option<String> {
        let Step { command, state, settled } = step;
        let kept = self.kept.get_mut(&command)?;
        let begun = accepted_ms(command);
        let mut rose = 0;
        for (terminal, at) in reached {
            let Some(target) = kept.targets.get_mut(*terminal) else { continue };
            let before = target.state;
            if target.raise(state, at.saturating_sub(begun)) {
                *kept.life.counts.entry(before).or_default() -= 1;
                *kept.life.counts.entry(state).or_default() += 1;
                rose += 1;
            }
            if !kept.to_all
                && (settled || state.rank() >= TargetState::Acked.rank())
                && let Some(backlog) = self.backlog.get_mut(*terminal)
            {
                backlog.retain(|(_, id)| *id != command);
            }
        }
        let (state, of) = (state.name(), kept.life.counts.get(&state).copied().unwrap_or_default());
        let event = format!(r#"{{"command":"{command}","state":"{state}","terminals":{rose},"of":{of}}}"#);
        (rose > 0).then_some(event)
    }

    pub(super) fn reply(&mut self, command: CommandId, terminal: TerminalId, payload: Payload) {
        if let Some(kept) = self.kept.get_mut(&command).filter(|kept| kept.targets.contains_key(&terminal)) {
            kept.replies.insert(terminal, payload);
        }
    }

    pub(super) fn forget_terminal(&mut self, terminal: &TerminalId) {
        self.backlog.remove(terminal);
    }
}

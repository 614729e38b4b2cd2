//! The backplane of a node alone: the same behaviour as in a cluster, in this process's memory. Bounded: the oldest commands and
//! events make room.
//!
//! The lock is held for a look-up or a change, never across an await.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload, Selector, SessionId, TerminalId,
    api::{CommandView, NodeState, NodeView, TargetState, TerminalPage, TerminalView},
    frame,
};
use rustc_hash::FxHashMap;
use tokio::time;

use super::{
    Draft, EventView, Query, REPORT_BEAT, Record, Refusal,
    envelope::{Audience, deliver},
    record::command_view,
};
use crate::{
    card::Card,
    hub::Hub,
    reports::{Batch, Happening, Reports, Vitals},
};

/// Targets remembered over all commands: about 50 bytes each.
const TARGETS_MAX: usize = 2_000_000;
/// Events remembered.
const EVENTS_MAX: usize = 10_000;

/// The store of a node alone.
pub struct Local {
    node: NodeView,
    keep: Duration,
    hub: Arc<Hub>,
    reports: Arc<Reports>,
    draining: AtomicBool,
    store: Mutex<Store>,
}

#[derive(Default)]
struct Store {
    terminals: BTreeMap<TerminalId, Known>,
    commands: FxHashMap<CommandId, Kept>,
    /// Oldest first.
    order: VecDeque<CommandId>,
    targets: usize,
    events: VecDeque<EventView>,
    event_number: u64,
}

struct Known {
    record: Record,
    owner: Option<SessionId>,
    vitals: Vitals,
}

struct Kept {
    frame: frame::Command,
    created_at: Timestamp,
    targets: FxHashMap<TerminalId, TargetState>,
    counts: [u64; 3],
}

impl Local {
    /// An empty store.
    pub fn new(node: NodeView, keep: Duration, hub: Arc<Hub>, reports: Arc<Reports>) -> Self {
        Self { node, keep, hub, reports, draining: AtomicBool::new(false), store: Mutex::default() }
    }

    pub(super) fn node(&self) -> &NodeView {
        &self.node
    }

    pub(super) async fn run(&self) {
        let mut beat = time::interval(REPORT_BEAT);
        loop {
            beat.tick().await;
            self.take(self.reports.drain());
        }
    }

    pub(super) fn join(&self, card: &Arc<Card>) {
        let mut store = self.store();
        let older = store.terminals.get(&card.terminal);
        if older.and_then(|known| known.owner).is_some_and(|owner| owner > card.session) {
            return;
        }
        let vitals = older.map(|known| known.vitals.clone()).unwrap_or_default();
        let record = Record { card: Card::clone(card), node: self.node.id.clone() };
        store.terminals.insert(card.terminal.clone(), Known { record, owner: Some(card.session), vitals });
        self.reports.happened("terminal.online", &card.terminal, Vec::new());
    }

    pub(super) fn leave(&self, card: &Card, reason: &str) {
        let mut store = self.store();
        if let Some(known) = store.terminals.get_mut(&card.terminal)
            && known.owner == Some(card.session)
        {
            known.owner = None;
            self.reports.happened("terminal.offline", &card.terminal, vec![("reason", Payload::from_text(reason))]);
        }
    }

    pub(super) async fn accept(&self, draft: Draft) -> Result<CommandView, Refusal> {
        let Draft { target, frame, created_at } = draft;
        let (view, to) = {
            let mut store = self.store();
            let targets = store.resolve(&target)?;
            let to = match target {
                Selector::All => Audience::All,
                _ => Audience::Terminals(targets.clone()),
            };
            store.make_room(targets.len(), self.keep);
            (store.keep(frame.clone(), created_at, targets), to)
        };
        deliver(&self.hub, to, frame).await;
        Ok(view)
    }

    pub(super) fn command(&self, id: CommandId) -> Option<CommandView> {
        self.store().commands.get(&id).map(Kept::view)
    }

    pub(super) fn terminal(&self, id: &TerminalId) -> Option<TerminalView> {
        self.store().terminals.get(id).map(Known::view)
    }

    pub(super) fn terminals(&self, query: &Query) -> TerminalPage {
        let store = self.store();
        let labels = Selector::Labels(query.labels.clone());
        let matching = store
            .terminals
            .range::<TerminalId, _>((
                query.after.as_ref().map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded),
                std::ops::Bound::Unbounded,
            ))
            .filter(|(id, known)| labels.matches(id, &known.record.card.labels))
            .map(|(_, known)| known.view())
            .filter(|view| query.status.is_none_or(|status| view.status == status));
        let mut terminals: Vec<_> = matching.take(query.limit + 1).collect();
        let more = terminals.len() > query.limit;
        terminals.truncate(query.limit);
        let next = if more { terminals.last().map(|last| last.id.clone()) } else { None };
        TerminalPage { terminals, next }
    }

    pub(super) fn events(&self, after: Option<&str>) -> (Vec<EventView>, String) {
        let store = self.store();
        let newest = store.event_number.to_string();
        let Some(after) = after.map(|cursor| cursor.parse().unwrap_or(0)) else { return (Vec::new(), newest) };
        let new = store.event_number.saturating_sub(after) as usize;
        let skip = store.events.len().saturating_sub(new);
        (store.events.iter().skip(skip).cloned().collect(), newest)
    }

    pub(super) fn view(&self) -> NodeView {
        let state = if self.draining.load(Ordering::Relaxed) { NodeState::Draining } else { NodeState::Ready };
        NodeView { state, sessions: self.hub.len() as u64, ..self.node.clone() }
    }

    pub(super) fn set_state(&self, state: NodeState) {
        self.draining.store(state == NodeState::Draining, Ordering::Relaxed);
    }

    fn take(&self, batch: Batch) {
        let mut store = self.store();
        for (command, terminals) in batch.sent {
            store.raise(command, TargetState::Sent, terminals.iter());
        }
        for ((command, state), terminals) in batch.steps {
            store.raise(command, state, terminals.iter());
        }
        for (terminal, vitals) in batch.vitals {
            if let Some(known) = store.terminals.get_mut(&terminal) {
                known.vitals.seen = vitals.seen.or(known.vitals.seen);
                known.vitals.health = vitals.health.or(known.vitals.health.take());
            }
        }
        batch.happenings.into_iter().for_each(|happening| store.append(&happening));
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn view(&self) -> TerminalView {
        self.record.clone().view(self.owner, self.vitals.clone())
    }
}

impl Kept {
    fn view(&self) -> CommandView {
        command_view(&self.frame, self.created_at, self.counts)
    }
}

impl Store {
    /// The terminals that a selector means now. Those named by id must be there and on the line.
    fn resolve(&self, target: &Selector) -> Result<Vec<TerminalId>, Refusal> {
        let named = match target {
            Selector::Terminal(id) => std::slice::from_ref(id),
            Selector::Terminals(ids) => ids,
            Selector::All | Selector::Labels(_) => {
                let online = self.terminals.iter().filter(|(_, known)| known.owner.is_some());
                let meant = online.filter(|(id, known)| target.matches(id, &known.record.card.labels));
                return Ok(meant.map(|(id, _)| id.clone()).collect());
            }
        };
        let ids_where = |test: &dyn Fn(Option<&Known>) -> bool| -> Vec<TerminalId> {
            named.iter().filter(|id| test(self.terminals.get(*id))).cloned().collect()
        };
        let unknown = ids_where(&|known| known.is_none());
        if !unknown.is_empty() {
            return Err(Refusal::Unknown(unknown));
        }
        let offline = ids_where(&|known| known.is_some_and(|known| known.owner.is_none()));
        if offline.is_empty() { Ok(named.to_vec()) } else { Err(Refusal::Offline(offline)) }
    }

    fn keep(&mut self, frame: frame::Command, created_at: Timestamp, targets: Vec<TerminalId>) -> CommandView {
        let targets: FxHashMap<_, _> = targets.into_iter().map(|terminal| (terminal, TargetState::Queued)).collect();
        self.targets += targets.len();
        self.order.push_back(frame.id);
        let counts = [targets.len() as u64, 0, 0];
        let kept = Kept { frame, created_at, targets, counts };
        let view = kept.view();
        self.commands.insert(view.id, kept);
        view
    }

    /// Forgets commands from the oldest on: those past their time, and as many more as the bound asks for.
    fn make_room(&mut self, targets: usize, keep: Duration) {
        let now = Timestamp::now();
        while let Some(kept) = self.order.front().and_then(|id| self.commands.get(id)) {
            let past = kept.frame.expires_at.checked_add(keep).is_ok_and(|end| end < now);
            if !past && self.targets + targets <= TARGETS_MAX {
                return;
            }
            self.targets -= kept.targets.len();
            let oldest = self.order.pop_front().expect("it was just looked at");
            self.commands.remove(&oldest);
        }
    }

    /// States only rise, so that reports may come in any order and more than once.
    fn raise<'a>(&mut self, command: CommandId, state: TargetState, terminals: impl Iterator<Item = &'a TerminalId>) {
        let Some(kept) = self.commands.get_mut(&command) else { return };
        for terminal in terminals {
            if let Some(now) = kept.targets.get_mut(terminal)
                && *now < state
            {
                kept.counts[*now as usize] -= 1;
                kept.counts[state as usize] += 1;
                *now = state;
            }
        }
    }

    fn append(&mut self, happening: &Happening) {
        self.event_number += 1;
        let cursor = self.event_number.to_string();
        self.events.push_back(EventView { cursor, kind: happening.kind.into(), data: happening.data() });
        if self.events.len() > EVENTS_MAX {
            self.events.pop_front();
        }
    }
}

//! The terminals that are known, and their health.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use muster_protocol::{
    Payload, SessionId, TerminalId,
    api::{ChangeKind, ChangedBy, LastClose, Status, TerminalView},
    frame::Condition,
    selector::Labels,
};

use super::{bitmap::Bitmap, label_index::LabelIndex, recent_changes::RecentChanges};
use crate::{
    backplane::{JoinRequest, TerminalRecord, TimeSource, rules},
    hub::SessionInfo,
    reports::HealthReport,
};

/// All terminals that joined and were not forgotten.
pub(super) struct Terminals {
    pub(super) known: BTreeMap<TerminalId, KnownTerminal>,
    /// The ordinals of terminals that are online.
    pub(super) online: Bitmap,
    pub(super) labels: LabelIndex,
    clock: Arc<dyn TimeSource>,
    records_changes: bool,
}

pub(super) struct KnownTerminal {
    pub(super) ordinal: u32,
    pub(super) record: TerminalRecord,
    pub(super) owner: Option<SessionId>,
    pub(super) will: Option<Payload>,
    pub(super) given: Labels,
    pub(super) vitals: HealthReport,
    /// When the terminal went offline.
    pub(super) away: Option<Instant>,
    /// When sessions of the terminal were replaced lately.
    replaced: VecDeque<Instant>,
    pub(super) changes: RecentChanges,
    /// The last close frame that told something.
    pub(super) last_close: Option<LastClose>,
}

impl Terminals {
    pub(super) fn new(clock: Arc<dyn TimeSource>, records_changes: bool) -> Self {
        Self {
            known: BTreeMap::new(),
            online: Bitmap::default(),
            labels: LabelIndex::default(),
            clock,
            records_changes,
        }
    }

    /// Records a change of a terminal, if changes are recorded and it is known.
    pub(super) fn record(&mut self, id: &TerminalId, kind: ChangeKind) {
        if let Some(known) = self.known.get_mut(id).filter(|_| self.records_changes) {
            known.changes.push(self.clock.now(), kind);
        }
    }

    /// Whether changes of terminals are recorded.
    pub(super) fn records_changes(&self) -> bool {
        self.records_changes
    }

    pub(super) fn is_known(&self, id: &TerminalId) -> bool {
        self.known.contains_key(id)
    }

    pub(super) fn is_online(&self, id: &TerminalId) -> bool {
        self.known.get(id).is_some_and(|known| known.owner.is_some())
    }

    /// The terminals that have all of these labels.
    pub(super) fn with_labels(&self, labels: &Labels) -> Bitmap {
        self.labels.select(labels)
    }

    /// The number of terminals with each label, as `key=value`.
    pub(super) fn label_counts(&self) -> impl Iterator<Item = (String, u64)> {
        self.labels.counts()
    }

    /// Replaces the labels that operators gave a terminal.
    pub(super) fn label(&mut self, id: &TerminalId, given: &Labels) -> Option<&KnownTerminal> {
        let known = self.known.get_mut(id)?;
        let before = known.labels();
        known.given.clone_from(given);
        let after = known.labels();
        if before != after {
            self.labels.remove(known.ordinal, &before);
            self.labels.insert(known.ordinal, &after);
            self.record(id, ChangeKind::Labels { by: ChangedBy::Operator });
        }
        self.known.get(id)
    }

    /// Removes a terminal. Returns whether it was online, if it was known.
    pub(super) fn remove(&mut self, id: &TerminalId) -> Option<bool> {
        let known = self.known.remove(id)?;
        self.online.remove(known.ordinal);
        self.labels.remove(known.ordinal, &known.labels());
        Some(known.owner.is_some())
    }

    pub(super) fn vitals(&mut self, terminal: &TerminalId, vitals: HealthReport) {
        if let Some(known) = self.known.get_mut(terminal) {
            known.vitals.seen = vitals.seen.or(known.vitals.seen);
            let before = known.condition();
            known.vitals.health = vitals.health.or(known.vitals.health.take());
            let condition = known.condition();
            if condition != before {
                self.record(terminal, ChangeKind::Condition { condition });
            }
        }
    }

    /// Removes the terminals that were offline for too long, and returns them.
    pub(super) fn forget_absent(&mut self, after: Duration) -> Vec<TerminalId> {
        let now = self.clock.instant();
        let is_over = |known: &KnownTerminal| known.away.is_some_and(|since| now - since >= after);
        let over = self.known.iter().filter(|(_, known)| is_over(known)).map(|(terminal, _)| terminal.clone());
        let over: Vec<_> = over.collect();
        over.iter().for_each(|terminal| _ = self.remove(terminal));
        over
    }

    /// Makes this session the terminal's session. Returns whether the terminal had another session before, or none.
    pub(super) fn enter(&mut self, request: &JoinRequest, record: TerminalRecord, ordinal: u32) -> bool {
        let info = &request.info;
        let old = self.known.remove(&info.terminal);
        let is_new = old.as_ref().and_then(|known| known.owner) != Some(info.session);
        let before = old.as_ref().map(KnownTerminal::labels).unwrap_or_default();
        let was_known = old.is_some();
        let (given, vitals, replaced, changes, last_close) =
            old.map(|old| (old.given, old.vitals, old.replaced, old.changes, old.last_close)).unwrap_or_default();
        let (owner, will, node) = (Some(info.session), request.will.clone(), record.node.clone());
        let away = None;
        let known = KnownTerminal { ordinal, record, owner, will, given, vitals, away, replaced, changes, last_close };
        let after = known.labels();
        if before != after {
            self.labels.remove(ordinal, &before);
            self.labels.insert(ordinal, &after);
        }
        self.known.insert(info.terminal.clone(), known);
        self.online.insert(ordinal);
        if was_known && before != after {
            self.record(&info.terminal, ChangeKind::Labels { by: ChangedBy::Terminal });
        }
        if is_new {
            self.record(&info.terminal, ChangeKind::Online { node });
        }
        is_new
    }
}

impl KnownTerminal {
    /// The terminal's own labels, overridden by the labels that operators gave it.
    pub(super) fn labels(&self) -> Labels {
        self.record.info.labels.clone().into_iter().chain(self.given.clone()).collect()
    }

    pub(super) fn view(&self, ping: Duration) -> TerminalView {
        let mut record = self.record.clone();
        record.info.labels = self.labels();
        let view = record.view(self.owner, self.vitals.clone(), ping);
        TerminalView { last_close: self.last_close.clone(), ..view }
    }

    /// How often sessions of the terminal have replaced each other lately, if they do so without end.
    pub(super) fn contest(&mut self, newcomer: &SessionInfo, patient: bool, now: Instant) -> Option<u32> {
        if patient || self.owner.is_none_or(|owner| owner == newcomer.session) {
            return None;
        }
        self.replaced.retain(|at| now - *at < rules::CONTEST_WINDOW);
        self.replaced.push_back(now);
        let times = self.replaced.len() as u32;
        (times >= rules::CONTESTED_AFTER).then_some(times)
    }

    pub(super) fn status(&self, ping: Duration) -> Status {
        self.record.status(self.owner, self.vitals.seen.map(|(at, _)| at), ping)
    }

    pub(super) fn condition(&self) -> Condition {
        self.vitals.health.as_ref().map(|health| health.condition).unwrap_or_default()
    }
}

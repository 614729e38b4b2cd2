//! The terminals that are known, and their health.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use muster_protocol::{
    NodeId, TerminalId,
    api::{ChangeKind, ChangedBy},
    selector::Labels,
};

use super::{bitmap::Bitmap, known_terminal::KnownTerminal, label_index::LabelIndex};
use crate::{
    backplane::{JoinRequest, TerminalRecord, TimeSource},
    reports::HealthReport,
};

/// All terminals that joined and were not forgotten.
pub(super) struct Terminals {
    /// Each in a box: the nodes of a tree are a third empty.
    pub(super) known: BTreeMap<TerminalId, Box<KnownTerminal>>,
    /// The ordinals of terminals that are online.
    pub(super) online: Bitmap,
    pub(super) labels: LabelIndex,
    clock: Arc<dyn TimeSource>,
    records_changes: bool,
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
        self.known.get(id).is_some_and(|known| known.is_online)
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
        known.give(given);
        let after = known.labels();
        if before != after {
            self.labels.remove(known.ordinal, &before);
            self.labels.insert(known.ordinal, &after);
            self.record(id, ChangeKind::Labels { by: ChangedBy::Operator });
        }
        self.known.get(id).map(|known| &**known)
    }

    /// Removes a terminal. Returns whether it was online, if it was known.
    pub(super) fn remove(&mut self, id: &TerminalId) -> Option<bool> {
        let known = self.known.remove(id)?;
        self.online.remove(known.ordinal);
        self.labels.remove(known.ordinal, &known.labels());
        Some(known.is_online)
    }

    pub(super) fn vitals(&mut self, terminal: &TerminalId, vitals: HealthReport) {
        if let Some(known) = self.known.get_mut(terminal) {
            let before = known.condition();
            known.take_vitals(vitals);
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

    /// Makes this session, which `node` holds, the terminal's session. Returns whether the terminal had another session before, or none.
    pub(super) fn enter(&mut self, request: &JoinRequest, node: &NodeId, ordinal: u32) -> bool {
        let info = &request.info;
        let record = TerminalRecord { info: info.clone(), node: node.clone() };
        let old = self.known.get(&info.terminal);
        let is_new = old.and_then(|known| known.owner()) != Some(info.session);
        let (before, was_known) = (old.map(|known| known.labels()).unwrap_or_default(), old.is_some());
        let fresh = || Box::new(KnownTerminal::new(ordinal, record.clone()));
        let known = self.known.entry(info.terminal.clone()).or_insert_with(fresh);
        known.begin(record, request.will.clone());
        let after = known.labels();
        if before != after {
            self.labels.remove(ordinal, &before);
            self.labels.insert(ordinal, &after);
        }
        self.online.insert(ordinal);
        if was_known && before != after {
            self.record(&info.terminal, ChangeKind::Labels { by: ChangedBy::Terminal });
        }
        if is_new {
            self.record(&info.terminal, ChangeKind::Online { node: node.clone() });
        }
        is_new
    }
}

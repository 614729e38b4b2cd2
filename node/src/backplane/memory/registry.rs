//! The registry in memory: which terminals are known, with their labels and their health.

use std::{collections::HashMap, ops::Bound, sync::Arc};

use async_trait::async_trait;
use muster_protocol::{
    Payload, TerminalId,
    api::{FleetHistory, FleetView, Status, TerminalHistory, TerminalPage, TerminalView},
    frame::Condition,
    selector::{Labels, has_labels},
};

use super::{MemoryBackplane, NodeStore, envelope::Envelope, known_terminal::KnownTerminal, sessions::offline};
use crate::{
    backplane::{BackplaneError, TerminalQuery, TerminalRegistry},
    end::SessionEnd,
};

#[async_trait]
impl TerminalRegistry for MemoryBackplane {
    async fn terminal(&self, id: &TerminalId) -> Result<Option<TerminalView>, BackplaneError> {
        Ok(self.store().terminals.known.get(id).map(|known| known.view(self.ping)))
    }

    async fn terminals(&self, query: &TerminalQuery) -> Result<TerminalPage, BackplaneError> {
        let store = self.store();
        let picked =
            query.expression.as_ref().map(|expression| store.picked(expression.tree(), self.ping)).transpose()?;
        let is_picked = |known: &KnownTerminal| picked.as_ref().is_none_or(|picked| picked.contains(known.ordinal));
        let matching = store
            .terminals
            .known
            .range::<str, _>((Bound::Included(query.begin()), Bound::Unbounded))
            .skip_while(|(id, _)| query.after.as_ref() == Some(*id))
            .take_while(|(id, _)| id.as_str().starts_with(&query.prefix))
            .filter(|(_, known)| is_picked(known) && has_labels(&known.labels(), &query.labels))
            .map(|(_, known)| known.view(self.ping))
            .filter(|view| query.wants(view));
        let mut terminals: Vec<_> = matching.take(query.limit + 1).collect();
        let more = terminals.len() > query.limit;
        terminals.truncate(query.limit);
        let next = if more { terminals.last().map(|last| last.id.clone()) } else { None };
        Ok(TerminalPage { terminals, next, partial: Vec::new() })
    }

    async fn labels_of(&self, ids: &[TerminalId]) -> Result<HashMap<TerminalId, Arc<Labels>>, BackplaneError> {
        let store = self.store();
        let known = ids.iter().filter_map(|id| store.terminals.known.get_key_value(id));
        Ok(known.map(|(id, known)| (id.clone(), Arc::new(known.labels()))).collect())
    }

    async fn label(&self, id: &TerminalId, labels: &Labels) -> Result<Option<TerminalView>, BackplaneError> {
        let mut store = self.store();
        Ok(store.terminals.label(id, labels).map(|known| known.view(self.ping)))
    }

    async fn disconnect(&self, id: &TerminalId) -> Result<bool, BackplaneError> {
        let store = self.store();
        if !store.terminals.is_online(id) {
            return Ok(false);
        }
        self.send(Envelope::End { terminal: id.clone(), end: SessionEnd::Disconnected })?;
        Ok(true)
    }

    async fn forget(&self, id: &TerminalId) -> Result<bool, BackplaneError> {
        let mut store = self.store();
        if !store.terminals.is_known(id) {
            return Ok(false);
        }
        self.take_reported(&mut store);
        self.send(Envelope::End { terminal: id.clone(), end: SessionEnd::Removed })?;
        let NodeStore { terminals, events, .. } = &mut *store;
        let labels = terminals.known.get(id).map(|known| known.labels()).unwrap_or_default();
        if terminals.remove(id) == Some(true) {
            let mut event = offline(id, &SessionEnd::Removed.into());
            // They can't be looked up any more.
            event.fields.push(("labels", Payload::from_value(&serde_json::json!(labels))));
            events.record(&event);
        }
        store.forget(id);
        Ok(true)
    }

    async fn terminal_history(&self, id: &TerminalId) -> Result<Option<TerminalHistory>, BackplaneError> {
        let (store, terminal) = (self.store(), id.clone());
        let off = !store.terminals.records_changes();
        let known = store.terminals.known.get(id);
        Ok(known.map(|known| TerminalHistory { terminal, changes: known.changes.newest_first(), off }))
    }

    async fn fleet_history(&self, minutes: u32) -> Result<FleetHistory, BackplaneError> {
        Ok(self.shown_minutes(minutes))
    }

    async fn fleet(&self) -> Result<FleetView, BackplaneError> {
        let store = self.store();
        let mut fleet = FleetView::default();
        let conditions = [Condition::Ok, Condition::Degraded, Condition::Failing];
        let mut counts = [0; 3];
        for known in store.terminals.known.values() {
            match known.status(self.ping) {
                Status::Online => fleet.online += 1,
                Status::Stale => fleet.stale += 1,
                Status::Offline => fleet.offline += 1,
            }
            counts[known.condition() as usize] += 1;
        }
        fleet.by_condition = conditions.map(|condition| (name(condition), counts[condition as usize])).into();
        fleet.by_label = store.terminals.label_counts().collect();
        fleet.by_node.insert(self.node.id.to_string(), fleet.online + fleet.stale);
        Ok(fleet)
    }
}

/// The name of a condition in JSON.
fn name(condition: Condition) -> String {
    serde_json::to_value(condition).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

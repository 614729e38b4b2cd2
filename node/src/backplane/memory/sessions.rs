//! Sessions in memory: who is online, and whose will is published (join.lua and leave.lua do the same in Redis).

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_protocol::{Payload, TerminalId, api::ChangeKind};

use super::{MemoryBackplane, Store, broadcast_log::StorePosition};
use crate::{
    backplane::{Cursor, JoinOutcome, JoinRequest, ResumePoint, SessionStore, TerminalRecord, rules},
    end::SessionEnd,
    hub::SessionInfo,
    reports::ReportedEvent,
};

#[async_trait]
impl SessionStore for MemoryBackplane {
    async fn join(&self, request: &JoinRequest) -> JoinOutcome {
        let info = &request.info;
        let mut store = self.store();
        let store = &mut *store;
        let older = store.terminals.known.get_mut(&info.terminal);
        if request.again && older.as_ref().and_then(|known| known.owner).is_some_and(|owner| owner != info.session) {
            return JoinOutcome::Ended(SessionEnd::Replaced);
        }
        if let Some(known) = older
            && let Some(times) = known.contest(info, request.patient, self.clock.instant())
        {
            if times == rules::CONTESTED_AFTER {
                let address = Payload::from_text(&info.address);
                store.events.record(&event("terminal.contested", &info.terminal, vec![("address", address)]));
                store.terminals.record(&info.terminal, ChangeKind::Contested);
            }
            return JoinOutcome::Contested(rules::contest_delay(times));
        }
        let record = TerminalRecord { info: SessionInfo::clone(info), node: self.node.id.clone() };
        let Some(ordinal) = store.ordinals.give(&info.terminal, store.commands.oldest()) else {
            self.refused_new(store, &info.terminal);
            return JoinOutcome::Ended(SessionEnd::NoOrdinal);
        };
        if store.terminals.enter(request, record, ordinal) {
            let node = Payload::from_text(self.node.id.as_str());
            store.events.record(&event("terminal.online", &info.terminal, vec![("node", node)]));
        }
        let position = StorePosition { epoch: &self.epoch, newest: store.number };
        let (missed, lost) = store.commands.missed(ordinal, info.protocol, request.cursor.as_ref(), &position);
        JoinOutcome::In(ResumePoint {
            cursor: Cursor { epoch: self.epoch.clone(), number: store.number },
            missed,
            lost,
        })
    }

    async fn has_place_for(&self, terminal: &TerminalId) -> bool {
        let mut store = self.store();
        let has_place = store.ordinals.can_give(terminal, store.commands.oldest());
        if !has_place {
            self.refused_new(&mut store, terminal);
        }
        has_place
    }

    async fn leave(&self, info: &Arc<SessionInfo>, end: SessionEnd) {
        let mut store = self.store();
        let Store { terminals, events, .. } = &mut *store;
        let Some(known) = terminals.known.get_mut(&info.terminal).filter(|known| known.owner == Some(info.session))
        else {
            return;
        };
        known.owner = None;
        known.away = Some(self.clock.instant());
        terminals.online.remove(known.ordinal);
        let will = known.will.take();
        terminals.record(&info.terminal, ChangeKind::Offline { reason: end.label().into() });
        events.record(&offline(&info.terminal, end));
        if let Some(will) = will.filter(|_| end.is_loss()) {
            let fields = vec![("name", Payload::from_text("will")), ("payload", will)];
            events.record(&event("terminal.event", &info.terminal, fields));
        }
    }
}

impl MemoryBackplane {
    /// Counts a new terminal for which there is no ordinal, and says so once a minute.
    fn refused_new(&self, store: &mut Store, terminal: &TerminalId) {
        self.metrics.registrations_refused.inc();
        if self.refusals.is_due() {
            tracing::warn!(%terminal, "there is no number left for another terminal, and new ones are refused: too many were forgotten of late");
            store.events.push("store.ordinals", format!(r#"{{"terminal":"{terminal}"}}"#));
        }
    }
}

/// A terminal went offline.
pub(super) fn offline(terminal: &TerminalId, end: SessionEnd) -> ReportedEvent {
    event("terminal.offline", terminal, vec![("reason", Payload::from_text(end.label()))])
}

fn event(kind: &'static str, terminal: &TerminalId, fields: Vec<(&'static str, Payload)>) -> ReportedEvent {
    ReportedEvent { kind, terminal: terminal.clone(), fields, at: Timestamp::now() }
}

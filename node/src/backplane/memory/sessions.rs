//! Sessions in memory: who is online, and whose will is published (join.lua and leave.lua do the same in Redis).

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_protocol::{
    Payload, TerminalId,
    api::{ChangeKind, LastClose},
};

use super::{MemoryBackplane, NodeStore, missed::StorePosition};
use crate::{
    backplane::{Cursor, JoinOutcome, JoinRequest, ResumePoint, SessionStore, rules},
    end::{EndReport, SessionEnd},
    hub::SessionInfo,
    reports::ReportedEvent,
};

#[async_trait]
impl SessionStore for MemoryBackplane {
    async fn join(&self, request: &JoinRequest) -> JoinOutcome {
        let info = &request.info;
        let mut store = self.store();
        let store = &mut *store;
        // The last events of an older session come before those of this one.
        self.take_reported(store);
        let older = store.terminals.known.get_mut(&info.terminal);
        if request.again && older.as_ref().and_then(|known| known.owner()).is_some_and(|owner| owner != info.session) {
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
        let Some(ordinal) = store.ordinals.give(&info.terminal, store.commands.oldest()) else {
            self.refused_new(store, &info.terminal);
            return JoinOutcome::Ended(SessionEnd::NoOrdinal);
        };
        if store.terminals.enter(request, &self.node.id, ordinal) {
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

    async fn leave(&self, info: &Arc<SessionInfo>, report: EndReport) {
        let mut store = self.store();
        self.take_reported(&mut store);
        let NodeStore { terminals, events, .. } = &mut *store;
        let Some(known) = terminals.known.get_mut(&info.terminal).filter(|known| known.owner() == Some(info.session))
        else {
            return;
        };
        let will = known.end(self.clock.instant());
        terminals.online.remove(known.ordinal);
        let reason = report.end.label().to_owned();
        if let Some(close) = report.close.as_ref().filter(|_| report.is_telling()) {
            let at = Timestamp::from_second(self.clock.now().as_second()).unwrap_or_default();
            let (reason, text) = (reason.clone(), close.text.to_string());
            known.closed(LastClose { at, reason, code: close.code, text });
        }
        terminals.record(&info.terminal, ChangeKind::Offline { reason, code: report.untold_code() });
        events.record(&offline(&info.terminal, &report));
        if let Some(will) = will.filter(|_| report.end.is_loss()) {
            let fields = vec![("name", Payload::from_text("will")), ("payload", will)];
            events.record(&event("terminal.event", &info.terminal, fields));
        }
    }
}

impl MemoryBackplane {
    /// Counts a new terminal for which there is no ordinal, and says so once a minute.
    fn refused_new(&self, store: &mut NodeStore, terminal: &TerminalId) {
        self.metrics.registrations_refused.inc();
        if self.refusals.is_due() {
            tracing::warn!(%terminal, "there is no number left for another terminal, and new ones are refused: too many were forgotten of late");
            store.events.push("store.ordinals", format!(r#"{{"terminal":"{terminal}"}}"#));
        }
    }
}

/// A terminal went offline.
pub(super) fn offline(terminal: &TerminalId, report: &EndReport) -> ReportedEvent {
    let mut fields = vec![("reason", Payload::from_text(report.end.label()))];
    if let Some(close) = &report.close {
        fields.push(("code", Payload::from_value(&close.code.into())));
        if !close.text.is_empty() {
            fields.push(("text", Payload::from_text(&close.text)));
        }
    }
    event("terminal.offline", terminal, fields)
}

fn event(kind: &'static str, terminal: &TerminalId, fields: Vec<(&'static str, Payload)>) -> ReportedEvent {
    ReportedEvent { kind, terminal: terminal.clone(), fields, at: Timestamp::now(), receipt: None }
}

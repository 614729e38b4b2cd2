//! The registry in memory: which terminals are online, which were, and their health (join.lua and leave.lua do the
//! same in Redis).

use async_trait::async_trait;
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use muster_protocol::{
    Payload, Selector, SessionId, TerminalId,
    api::{FleetView, Status, TerminalPage, TerminalView},
    frame::Condition,
    selector::Labels,
};

use super::{MemoryBackplane, Store, bitmap::Bitmap, broadcast_log::StorePosition};
use crate::{
    backplane::{
        BackplaneError, Cursor, JoinOutcome, JoinRequest, ResumePoint, SessionStore, TerminalQuery, TerminalRecord,
        TerminalRegistry, TimeSource, envelope::Envelope, rules,
    },
    end::SessionEnd,
    hub::SessionInfo,
    reports::{HealthReport, ReportedEvent},
};

/// All terminals that joined and were not forgotten.
pub(super) struct Terminals {
    known: BTreeMap<TerminalId, Known>,
    /// The ordinals of terminals that are online.
    pub(super) online: Bitmap,
    clock: Arc<dyn TimeSource>,
}

struct Known {
    ordinal: u32,
    record: TerminalRecord,
    owner: Option<SessionId>,
    will: Option<Payload>,
    given: Labels,
    vitals: HealthReport,
    /// When the terminal went offline.
    away: Option<Instant>,
    /// When sessions of the terminal were replaced lately.
    replaced: VecDeque<Instant>,
}

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
            }
            return JoinOutcome::Contested(rules::contest_delay(times));
        }
        let record = TerminalRecord { info: SessionInfo::clone(info), node: self.node.id.clone() };
        let ordinal = store.ordinals.give(&info.terminal, store.commands.oldest());
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
        events.record(&offline(&info.terminal, end));
        if let Some(will) = known.will.take().filter(|_| end.is_loss()) {
            let fields = vec![("name", Payload::from_text("will")), ("payload", will)];
            events.record(&event("terminal.event", &info.terminal, fields));
        }
    }
}

#[async_trait]
impl TerminalRegistry for MemoryBackplane {
    async fn terminal(&self, id: &TerminalId) -> Result<Option<TerminalView>, BackplaneError> {
        Ok(self.store().terminals.known.get(id).map(|known| known.view(self.ping)))
    }

    async fn terminals(&self, query: &TerminalQuery) -> Result<TerminalPage, BackplaneError> {
        let store = self.store();
        let labels = Selector::Labels(query.labels.clone());
        let matching = store
            .terminals
            .known
            .range::<str, _>((Bound::Included(query.begin()), Bound::Unbounded))
            .skip_while(|(id, _)| query.after.as_ref() == Some(*id))
            .take_while(|(id, _)| id.as_str().starts_with(&query.prefix))
            .filter(|(id, known)| labels.matches(id, &known.labels()))
            .map(|(_, known)| known.view(self.ping))
            .filter(|view| query.wants(view));
        let mut terminals: Vec<_> = matching.take(query.limit + 1).collect();
        let more = terminals.len() > query.limit;
        terminals.truncate(query.limit);
        let next = if more { terminals.last().map(|last| last.id.clone()) } else { None };
        Ok(TerminalPage { terminals, next, partial: Vec::new() })
    }

    async fn label(&self, id: &TerminalId, labels: &Labels) -> Result<Option<TerminalView>, BackplaneError> {
        let mut store = self.store();
        let Some(known) = store.terminals.known.get_mut(id) else { return Ok(None) };
        known.given.clone_from(labels);
        Ok(Some(known.view(self.ping)))
    }

    async fn disconnect(&self, id: &TerminalId) -> Result<bool, BackplaneError> {
        let store = self.store();
        if !store.terminals.is_online(id) {
            return Ok(false);
        }
        self.send(Envelope::Disconnect { terminal: id.clone() })?;
        Ok(true)
    }

    async fn forget(&self, id: &TerminalId) -> Result<bool, BackplaneError> {
        let mut store = self.store();
        if !store.terminals.is_known(id) {
            return Ok(false);
        }
        self.send(Envelope::Remove { terminal: id.clone() })?;
        let Store { terminals, events, .. } = &mut *store;
        if terminals.known.remove(id).is_some_and(|known| known.owner.is_some()) {
            events.record(&offline(id, SessionEnd::Removed));
        }
        store.forget(id);
        Ok(true)
    }

    async fn fleet(&self) -> Result<FleetView, BackplaneError> {
        let store = self.store();
        let mut fleet = FleetView::default();
        let conditions = [Condition::Ok, Condition::Degraded, Condition::Failing];
        fleet.by_condition = conditions.map(|condition| (name(condition), 0)).into();
        for view in store.terminals.known.values().map(|known| known.view(self.ping)) {
            match view.status {
                Status::Online => fleet.online += 1,
                Status::Stale => fleet.stale += 1,
                Status::Offline => fleet.offline += 1,
            }
            *fleet.by_condition.entry(name(view.condition)).or_default() += 1;
            for (key, value) in view.labels {
                *fleet.by_label.entry(format!("{key}={value}")).or_default() += 1;
            }
        }
        fleet.by_node.insert(self.node.id.to_string(), fleet.online + fleet.stale);
        Ok(fleet)
    }
}

impl Terminals {
    pub(super) fn new(clock: Arc<dyn TimeSource>) -> Self {
        Self { known: BTreeMap::new(), online: Bitmap::default(), clock }
    }

    pub(super) fn is_known(&self, id: &TerminalId) -> bool {
        self.known.contains_key(id)
    }

    pub(super) fn is_online(&self, id: &TerminalId) -> bool {
        self.known.get(id).is_some_and(|known| known.owner.is_some())
    }

    /// The terminals that a selector selects.
    pub(super) fn matching(&self, target: &Selector) -> Bitmap {
        let matching = self.known.iter().filter(|(id, known)| target.matches(id, &known.labels()));
        matching.map(|(_, known)| known.ordinal).collect()
    }

    pub(super) fn vitals(&mut self, terminal: &TerminalId, vitals: HealthReport) {
        if let Some(known) = self.known.get_mut(terminal) {
            known.vitals.seen = vitals.seen.or(known.vitals.seen);
            known.vitals.health = vitals.health.or(known.vitals.health.take());
        }
    }

    /// Removes the terminals that were offline for too long.
    pub(super) fn forget_absent(&mut self, after: Duration) -> Vec<TerminalId> {
        let now = self.clock.instant();
        let absent = self.known.extract_if(.., |_, known| known.away.is_some_and(|since| now - since >= after));
        absent.map(|(terminal, _)| terminal).collect()
    }

    /// Makes this session the terminal's session. Returns whether the terminal had another session before, or none.
    fn enter(&mut self, request: &JoinRequest, record: TerminalRecord, ordinal: u32) -> bool {
        let info = &request.info;
        let old = self.known.remove(&info.terminal);
        let is_new = old.as_ref().and_then(|known| known.owner) != Some(info.session);
        let (given, vitals, replaced) = old.map(|old| (old.given, old.vitals, old.replaced)).unwrap_or_default();
        let (owner, will) = (Some(info.session), request.will.clone());
        let known = Known { ordinal, record, owner, will, given, vitals, away: None, replaced };
        self.known.insert(info.terminal.clone(), known);
        self.online.insert(ordinal);
        is_new
    }
}

impl Known {
    /// The terminal's own labels, overridden by the labels that operators gave it.
    fn labels(&self) -> Labels {
        self.record.info.labels.clone().into_iter().chain(self.given.clone()).collect()
    }

    fn view(&self, ping: Duration) -> TerminalView {
        let mut record = self.record.clone();
        record.info.labels = self.labels();
        record.view(self.owner, self.vitals.clone(), ping)
    }

    /// How often sessions of the terminal have replaced each other lately, if they do so without end.
    fn contest(&mut self, newcomer: &SessionInfo, patient: bool, now: Instant) -> Option<u32> {
        if patient || self.owner.is_none_or(|owner| owner == newcomer.session) {
            return None;
        }
        self.replaced.retain(|at| now - *at < rules::CONTEST_WINDOW);
        self.replaced.push_back(now);
        let times = self.replaced.len() as u32;
        (times >= rules::CONTESTED_AFTER).then_some(times)
    }
}

/// The name of a condition in JSON.
fn name(condition: Condition) -> String {
    serde_json::to_value(condition).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn offline(terminal: &TerminalId, end: SessionEnd) -> ReportedEvent {
    event("terminal.offline", terminal, vec![("reason", Payload::from_text(end.label()))])
}

fn event(kind: &'static str, terminal: &TerminalId, fields: Vec<(&'static str, Payload)>) -> ReportedEvent {
    ReportedEvent { kind, terminal: terminal.clone(), fields, at: Timestamp::now() }
}

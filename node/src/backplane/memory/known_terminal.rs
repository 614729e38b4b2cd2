//! What is known of one terminal. A fleet at rest has little, and a terminal takes 112 bytes here besides its changes and its session's
//! identity; what few terminals have stands in a box of its own.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use muster_protocol::{
    Payload, SessionId,
    api::{LastClose, Status, TerminalView},
    frame::{Condition, Health},
    selector::Labels,
};

use super::recent_changes::RecentChanges;
use crate::{
    backplane::{TerminalRecord, rules},
    hub::SessionInfo,
    reports::HealthReport,
};

/// A terminal that joined and was not forgotten.
pub(super) struct KnownTerminal {
    pub(super) ordinal: u32,
    /// Whether the session of `record` is online.
    pub(super) is_online: bool,
    /// The last session, and its node.
    pub(super) record: TerminalRecord,
    /// When the terminal went offline.
    pub(super) away: Option<Instant>,
    /// When the terminal last answered a ping, and the round-trip time in milliseconds.
    seen: Option<(Timestamp, u64)>,
    pub(super) changes: RecentChanges,
    particulars: Option<Box<Particulars>>,
}

/// What few terminals have. It stays once there was any.
#[derive(Default)]
struct Particulars {
    /// The last will of the session that is online.
    will: Option<Payload>,
    /// The labels that operators gave the terminal.
    given: Labels,
    /// The last health frame.
    health: Option<Health>,
    /// When sessions of the terminal were replaced lately.
    replaced: VecDeque<Instant>,
    /// The last close frame that told something.
    last_close: Option<LastClose>,
}

impl KnownTerminal {
    /// A terminal of which nothing is known but this session, which has not [begun](Self::begin).
    pub(super) fn new(ordinal: u32, record: TerminalRecord) -> Self {
        let (away, seen, particulars) = (None, None, None);
        Self { ordinal, is_online: false, record, away, seen, changes: RecentChanges::default(), particulars }
    }

    /// Makes this session the terminal's session.
    pub(super) fn begin(&mut self, record: TerminalRecord, will: Option<Payload>) {
        (self.record, self.is_online, self.away) = (record, true, None);
        if will.is_some() || self.particulars.is_some() {
            self.particulars().will = will;
        }
    }

    /// Ends the terminal's session. Returns its will.
    pub(super) fn end(&mut self, now: Instant) -> Option<Payload> {
        (self.is_online, self.away) = (false, Some(now));
        self.particulars.as_mut()?.will.take()
    }

    /// The session that is online.
    pub(super) fn owner(&self) -> Option<SessionId> {
        self.is_online.then_some(self.record.info.session)
    }

    /// The terminal's own labels, overridden by the labels that operators gave it.
    pub(super) fn labels(&self) -> Labels {
        let mut labels = self.record.info.labels.clone();
        labels.extend(self.particulars.iter().flat_map(|particulars| particulars.given.clone()));
        labels
    }

    /// Replaces the labels that operators gave the terminal.
    pub(super) fn give(&mut self, labels: &Labels) {
        self.particulars().given.clone_from(labels);
    }

    /// Takes what was reported of the terminal's health, field by field.
    pub(super) fn take_vitals(&mut self, vitals: HealthReport) {
        self.seen = vitals.seen.or(self.seen);
        if vitals.health.is_some() {
            self.particulars().health = vitals.health;
        }
    }

    /// Records the close frame of the session that has ended.
    pub(super) fn closed(&mut self, close: LastClose) {
        self.particulars().last_close = Some(close);
    }

    pub(super) fn view(&self, ping: Duration) -> TerminalView {
        let particulars = self.particulars.as_deref();
        let health = particulars.and_then(|particulars| particulars.health.clone());
        let last_close = particulars.and_then(|particulars| particulars.last_close.clone());
        let vitals = HealthReport { seen: self.seen, health };
        TerminalView { last_close, ..self.record.view(self.labels(), self.owner(), vitals, ping) }
    }

    /// How often sessions of the terminal have replaced each other lately, if they do so without end.
    pub(super) fn contest(&mut self, newcomer: &SessionInfo, patient: bool, now: Instant) -> Option<u32> {
        if patient || self.owner().is_none_or(|owner| owner == newcomer.session) {
            return None;
        }
        let replaced = &mut self.particulars().replaced;
        replaced.retain(|at| now - *at < rules::CONTEST_WINDOW);
        replaced.push_back(now);
        let times = replaced.len() as u32;
        (times >= rules::CONTESTED_AFTER).then_some(times)
    }

    pub(super) fn status(&self, ping: Duration) -> Status {
        self.record.status(self.owner(), self.seen.map(|(at, _)| at), ping)
    }

    pub(super) fn condition(&self) -> Condition {
        let health = self.particulars.as_ref().and_then(|particulars| particulars.health.as_ref());
        health.map(|health| health.condition).unwrap_or_default()
    }

    fn particulars(&mut self) -> &mut Particulars {
        self.particulars.get_or_insert_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_terminal_at_rest_is_small_and_has_no_particulars() {
        let size = size_of::<KnownTerminal>();
        assert!(size <= 112, "{size} bytes");
        let record = TerminalRecord { info: Arc::new(SessionInfo::fresh("t1")), node: "n1".parse().unwrap() };
        let mut known = KnownTerminal::new(0, record.clone());
        known.begin(record, None);
        known.take_vitals(HealthReport { seen: Some((Timestamp::now(), 3)), health: None });
        assert!(known.end(Instant::now()).is_none() && known.particulars.is_none());
    }
}

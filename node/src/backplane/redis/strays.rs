//! Strays: sessions that serve their terminals and are not registered, because Redis did not answer or refused. Only
//! the strays are asked to join again: the other sessions of the node are registered.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use muster_protocol::{SessionId, TerminalId};

use crate::{hub::SessionInfo, reports::ReportedEvent};

/// The wait after a first failure. It doubles with each further failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The strays of this node, each one of its sessions.
#[derive(Debug, Default)]
pub struct Strays(Mutex<HashMap<SessionId, Stray>>);

#[derive(Debug)]
struct Stray {
    terminal: TerminalId,
    /// Attempts that Redis answered with an error, or did not answer.
    failures: u32,
    /// When the stray is to be asked to join again; none once it was asked.
    due: Option<Instant>,
}

impl Strays {
    /// Adds a session that was not registered because Redis is known to be away. The session joins again as soon as
    /// Redis is back.
    pub fn wait_for_redis(&self, info: &SessionInfo) {
        let mut strays = self.lock();
        strays.insert(info.session, Stray { terminal: info.terminal.clone(), failures: 0, due: Some(Instant::now()) });
    }

    /// Adds a session whose own attempt to register failed. The session joins again after 1 s, and waits twice as long
    /// after each further failure in a row, at most 30 s.
    pub fn back_off(&self, info: &SessionInfo) {
        let mut strays = self.lock();
        let stray =
            strays.entry(info.session).or_insert(Stray { terminal: info.terminal.clone(), failures: 0, due: None });
        // Drawn at random, so that the strays of one outage do not return to Redis together.
        let share = rand::random_range(0.75..1.25);
        stray.due = Some(Instant::now() + wait_after(stray.failures).mul_f64(share));
        stray.failures += 1;
    }

    /// Returns whether the session is a stray.
    pub fn contains(&self, session: SessionId) -> bool {
        self.lock().contains_key(&session)
    }

    /// Takes the events of strays out of these: their terminals are not online yet for those who follow the events.
    pub fn hold_back(&self, events: &mut Vec<ReportedEvent>) -> Vec<ReportedEvent> {
        let strays = self.lock();
        if strays.is_empty() || events.is_empty() {
            return Vec::new();
        }
        let terminals: HashSet<_> = strays.values().map(|stray| &stray.terminal).collect();
        events.extract_if(.., |event| terminals.contains(&event.terminal)).collect()
    }

    /// Removes a session that is registered, or has ended.
    pub fn remove(&self, session: SessionId) {
        self.lock().remove(&session);
    }

    /// Returns the strays that are to join again now, if their terminals can. Returns each stray once for each attempt.
    pub fn take_due(&self, can_join: impl Fn(&TerminalId) -> bool) -> Vec<(SessionId, TerminalId)> {
        let now = Instant::now();
        let mut strays = self.lock();
        let due = strays.iter_mut().filter(|(_, stray)| stray.due.is_some_and(|due| due <= now));
        let due = due.filter(|(_, stray)| can_join(&stray.terminal));
        due.map(|(session, stray)| {
            stray.due = None;
            (*session, stray.terminal.clone())
        })
        .collect()
    }

    /// Never locked across an await.
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Stray>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns how long a stray waits after so many failures before this one.
fn wait_after(failures: u32) -> Duration {
    FIRST_WAIT.saturating_mul(2u32.saturating_pow(failures)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn events_of_strays_wait_until_their_sessions_are_registered() {
        let event = |terminal: &str| ReportedEvent {
            kind: "terminal.event",
            terminal: terminal.parse().unwrap(),
            fields: Vec::new(),
            at: Timestamp::now(),
            receipt: None,
        };
        let names =
            |events: &[ReportedEvent]| events.iter().map(|event| event.terminal.to_string()).collect::<Vec<_>>();
        let (strays, stray) = (Strays::default(), SessionInfo::fresh("stray"));
        strays.wait_for_redis(&stray);
        let mut events = ["a", "stray", "b", "stray"].map(event).to_vec();
        let held_back = strays.hold_back(&mut events);
        assert_eq!((names(&events), names(&held_back)), (vec!["a".into(), "b".into()], vec!["stray".into(); 2]));
        strays.remove(stray.session);
        let mut events = held_back;
        assert!(strays.hold_back(&mut events).is_empty() && events.len() == 2);
    }

    #[test]
    fn the_wait_doubles_up_to_its_bound() {
        let waits = [0, 1, 2, 4, 5, 31, u32::MAX].map(|failures| wait_after(failures).as_secs());
        assert_eq!(waits, [1, 2, 4, 16, 30, 30, 30]);
    }
}

//! Which deliveries are owed to a terminal. The *plan* decides, not the connections that happened to be up: a
//! terminal whose session the server lost is still owed its messages, and only a planned absence excuses a delivery.

use serde::{Deserialize, Serialize};

use crate::{
    clock::Nanos,
    journal::SessionRecord,
    plan::{Behaviour, Stay},
};

/// The relation of a terminal to a message, judged over the window from `settle` before the message was due to
/// `grace` after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cohort {
    /// The plan had the terminal connected for the whole window, and one session lasted through it.
    Steady,
    /// The plan had the terminal connected for the whole window, but no session lasted through it. The message is owed
    /// nevertheless.
    Interrupted,
    /// The plan had the terminal absent for a part of the window, and back while the server still stores the
    /// message. The message is owed by replay.
    Resumable,
    /// The terminal reads and never answers. It is owed the same messages as others.
    Mute,
    /// The terminal reads slowly. It is owed the same messages as others.
    Slow,
}

impl Cohort {
    /// Returns whether the cohort consists of well-behaved terminals. Terminals that are mute or slow by plan cause
    /// their own losses.
    pub fn behaves(self) -> bool {
        !matches!(self, Self::Mute | Self::Slow)
    }
}

/// The parameters of a run that decide what is owed, the same for all terminals. All times are in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// How long before a message is due the terminal must be ready (`--settle`).
    pub settle: Nanos,
    /// How long after a message is due the terminal must stay (`--grace`).
    pub grace: Nanos,
    /// How long the server stores messages for an absent terminal (`--retention`); `None` if the server promises no
    /// replay.
    pub retention: Option<Nanos>,
}

/// The plan of one terminal, which answers for each message whether it is owed.
#[derive(Debug)]
pub struct Intent<'a> {
    window: Window,
    behaviour: Behaviour,
    sessions: &'a [SessionRecord],
    /// The times in which the plan has the terminal connected. Adjacent stays, such as those of a takeover, are
    /// joined.
    up: Vec<(Nanos, Nanos)>,
    /// When the first session was ready; `None` if there was none.
    subscribed: Option<Nanos>,
}

impl<'a> Intent<'a> {
    /// Returns an intent from the planned stays and the sessions of the terminal.
    pub fn new(window: Window, behaviour: Behaviour, stays: &[Stay], sessions: &'a [SessionRecord]) -> Self {
        let subscribed = sessions.iter().map(|session| session.ready).min();
        Self { window, behaviour, sessions, up: up(window, stays, sessions), subscribed }
    }

    /// Returns the cohort for a message that is due at `due`. `None` if the message is not owed; the server may deliver
    /// it nevertheless.
    pub fn cohort(&self, due: Nanos) -> Option<Cohort> {
        let (from, to) = (due.saturating_sub(self.window.settle), due + self.window.grace);
        if self.subscribed.is_none_or(|subscribed| subscribed > from) {
            return None;
        }
        let cohort = match self.up.iter().any(|up| up.0 <= from && to <= up.1) {
            true if self.held(from, to) => Cohort::Steady,
            true => Cohort::Interrupted,
            false if self.returns(from, to) => Cohort::Resumable,
            false => return None,
        };
        Some(match self.behaviour {
            Behaviour::Good => cohort,
            Behaviour::Mute => Cohort::Mute,
            Behaviour::Slow => Cohort::Slow,
        })
    }

    /// Returns whether one session was ready from `from` to `to`.
    fn held(&self, from: Nanos, to: Nanos) -> bool {
        self.sessions.iter().any(|session| session.ready <= from && to <= session.ended)
    }

    /// Returns whether every planned absence that overlaps the time from `from` to `to` lasts at most the retention.
    /// Returns false without replay, or if the plan has the terminal leave for good before `to`.
    fn returns(&self, from: Nanos, to: Nanos) -> bool {
        let Some(retention) = self.window.retention else { return false };
        let mut absences = self.up.windows(2).map(|pair| (pair[0].1, pair[1].0));
        self.up.last().is_some_and(|last| to <= last.1)
            && absences.all(|(left, back)| left >= to || back <= from || back - left <= retention)
    }

    /// Returns the times in which the plan has the terminal connected, adjacent stays joined.
    pub fn up(&self) -> &[(Nanos, Nanos)] {
        &self.up
    }
}

/// Returns the times in which the plan has the terminal connected.
///
/// Without replay each stay is a new subscription: it begins when its first session is ready, and a stay without a
/// session is left out.
fn up(window: Window, stays: &[Stay], sessions: &[SessionRecord]) -> Vec<(Nanos, Nanos)> {
    let mut up: Vec<(Nanos, Nanos)> = Vec::new();
    for (number, stay) in stays.iter().enumerate() {
        let ready = sessions.iter().filter(|session| session.stay == number).map(|session| session.ready).min();
        let from = match (window.retention, ready) {
            (Some(_), _) => stay.from,
            (None, Some(ready)) => ready.max(stay.from),
            (None, None) => continue,
        };
        match up.last_mut() {
            Some(last) if last.1 == from => last.1 = stay.to,
            _ => up.push((from, stay.to)),
        }
    }
    up
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Leave;

    /// Returns two stays, from 100 to 1000 and from 1200 to 3000.
    fn stays() -> [Stay; 2] {
        [(100, 1000), (1200, 3000)].map(|(from, to)| Stay { from, to, leave: Leave::Close })
    }

    fn session(stay: usize, ready: Nanos, ended: Nanos) -> SessionRecord {
        SessionRecord { stay, dialled: 0, ready, ended, node: String::new(), resumed: false, lost: None }
    }

    fn cohorts(retention: Option<Nanos>, sessions: &[SessionRecord], dues: &[Nanos]) -> Vec<Option<Cohort>> {
        let window = Window { settle: 10, grace: 100, retention };
        let intent = Intent::new(window, Behaviour::Good, &stays(), sessions);
        dues.iter().map(|due| intent.cohort(*due)).collect()
    }

    #[test]
    fn without_replay_only_connected_terminals_are_owed() {
        let sessions = [session(0, 120, 1000), session(1, 1230, 3000)];
        let got = cohorts(None, &sessions, &[125, 130, 900, 901, 1100, 1239, 1240, 2900]);
        let steady = Some(Cohort::Steady);
        assert_eq!(got, [None, steady, steady, None, None, None, steady, steady]);
    }

    #[test]
    fn with_replay_a_short_absence_is_owed_by_replay() {
        let sessions = [session(0, 120, 1000), session(1, 1230, 3000)];
        let (steady, resumable) = (Some(Cohort::Steady), Some(Cohort::Resumable));
        assert_eq!(
            cohorts(Some(200), &sessions, &[125, 900, 901, 1100, 1209]),
            [None, steady, resumable, resumable, resumable]
        );
        assert_eq!(cohorts(Some(199), &sessions, &[900, 901, 1100, 1240]), [steady, None, None, steady]);
    }

    #[test]
    fn a_terminal_that_the_server_lost_is_still_owed() {
        let lost = [session(0, 120, 500), session(0, 700, 1000)];
        for retention in [None, Some(200)] {
            let got = cohorts(retention, &lost, &[300, 450, 600, 705, 800]);
            let (steady, interrupted) = (Some(Cohort::Steady), Some(Cohort::Interrupted));
            assert_eq!(got, [steady, interrupted, interrupted, interrupted, steady]);
        }
        // The terminal had no session in its second stay. A server that promises replay owes that stay.
        assert_eq!(cohorts(Some(200), &lost, &[2000]), [Some(Cohort::Interrupted)]);
        assert_eq!(cohorts(None, &lost, &[2000]), [None]);
    }
}

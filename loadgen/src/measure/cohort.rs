//! Which deliveries are owed. By *intent* and not by the connections that happened to be up: a terminal that the server lost is still
//! owed its messages, and only an absence that was planned excuses one.

use serde::{Deserialize, Serialize};

use crate::{
    clock::Nanos,
    journal::Session,
    plan::{Stay, Temper},
};

/// What a terminal is to a message, looking at the window from `settle` before it was due to `grace` after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cohort {
    /// It meant to be on the line all the time, and one session was.
    Steady,
    /// It meant to be on the line all the time, and was not: owed all the same.
    Interrupted,
    /// It meant to be away for a part, and to be back while the server still has what it missed: owed by replay.
    Resumable,
    /// It reads and never answers, and is owed what the others are.
    Mute,
    /// It reads slowly, and is owed what the others are.
    Slow,
}

impl Cohort {
    /// Whether it is of terminals that behave: what those miss that are mute or slow by plan is their own doing.
    pub fn behaves(self) -> bool {
        !matches!(self, Self::Mute | Self::Slow)
    }
}

/// What a run says about all terminals.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// How long a terminal must have been ready before.
    pub settle: Nanos,
    /// How long it must have stayed after.
    pub grace: Nanos,
    /// For how long the server keeps what was missed; `None` if it promises no replay.
    pub retention: Option<Nanos>,
}

/// One terminal's intent, to be asked about each message.
#[derive(Debug)]
pub struct Intent<'a> {
    window: Window,
    temper: Temper,
    sessions: &'a [Session],
    /// When it means to be on the line; takeovers joined.
    up: Vec<(Nanos, Nanos)>,
    /// When it was first subscribed at all.
    subscribed: Option<Nanos>,
}

impl<'a> Intent<'a> {
    /// From the plan, and from when the sessions of each stay were ready.
    pub fn new(window: Window, temper: Temper, stays: &[Stay], sessions: &'a [Session]) -> Self {
        let subscribed = sessions.iter().map(|session| session.ready).min();
        Self { window, temper, sessions, up: up(window, stays, sessions), subscribed }
    }

    /// The cohort for a message that is due then; `None` if nothing is owed, and a delivery is legal.
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
        Some(match self.temper {
            Temper::Good => cohort,
            Temper::Mute => Cohort::Mute,
            Temper::Slow => Cohort::Slow,
        })
    }

    /// Whether one session was ready all through.
    fn held(&self, from: Nanos, to: Nanos) -> bool {
        self.sessions.iter().any(|session| session.ready <= from && to <= session.ended)
    }

    /// Whether every planned absence that touches the window ends in time.
    fn returns(&self, from: Nanos, to: Nanos) -> bool {
        let Some(retention) = self.window.retention else { return false };
        let mut absences = self.up.windows(2).map(|pair| (pair[0].1, pair[1].0));
        self.up.last().is_some_and(|last| to <= last.1)
            && absences.all(|(left, back)| left >= to || back <= from || back - left <= retention)
    }

    /// When it means to be on the line.
    pub fn up(&self) -> &[(Nanos, Nanos)] {
        &self.up
    }
}

/// Without replay each stay is a new subscription, and begins when its first session is ready; one that had none is none.
fn up(window: Window, stays: &[Stay], sessions: &[Session]) -> Vec<(Nanos, Nanos)> {
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

    /// Two stays, from 100 to 1000 and from 1200 to 3000; windows of 10 before and 100 after.
    fn stays() -> [Stay; 2] {
        [(100, 1000), (1200, 3000)].map(|(from, to)| Stay { from, to, leave: Leave::Close })
    }

    fn session(stay: usize, ready: Nanos, ended: Nanos) -> Session {
        Session { stay, dialled: 0, ready, ended, node: String::new(), resumed: false, lost: None }
    }

    fn cohorts(retention: Option<Nanos>, sessions: &[Session], dues: &[Nanos]) -> Vec<Option<Cohort>> {
        let window = Window { settle: 10, grace: 100, retention };
        let intent = Intent::new(window, Temper::Good, &stays(), sessions);
        dues.iter().map(|due| intent.cohort(*due)).collect()
    }

    #[test]
    fn without_replay_only_those_on_the_line_are_owed() {
        let sessions = [session(0, 120, 1000), session(1, 1230, 3000)];
        let got = cohorts(None, &sessions, &[125, 130, 900, 901, 1100, 1239, 1240, 2900]);
        let steady = Some(Cohort::Steady);
        assert_eq!(got, [None, steady, steady, None, None, None, steady, steady]);
    }

    #[test]
    fn with_replay_an_absence_is_made_up_for_if_it_was_short() {
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
        // It never came back to its second stay: that is owed by a server that promises replay.
        assert_eq!(cohorts(Some(200), &lost, &[2000]), [Some(Cohort::Interrupted)]);
        assert_eq!(cohorts(None, &lost, &[2000]), [None]);
    }
}

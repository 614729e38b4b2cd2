//! Gives every delivery that is owed exactly one outcome, and every frame that was read exactly one reason.
//!
//! A [`Judgement`] judges while the run goes on. What arrived is judged once the window of its message has closed, and
//! is then forgotten, except for one bit that says that it arrived. So the memory does not grow with the length of the
//! run, and a late duplicate is still known as one. What did not arrive is judged at the end.

mod arrivals;
mod judgement;
mod overdue;
mod owed;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::state::{JudgedTerminal, SeenMessages};
pub use self::{
    judgement::{GROUPS, Judgement},
    overdue::JudgedSoFar,
};
use super::{
    DeliveryFault, FaultKind, Tally,
    cohort::{Cohort, Intent, Window},
};
use crate::{
    clock::{MILLISECOND, Nanos},
    journal::{Journal, Sent, SessionRecord, TerminalLog},
    plan::{Behaviour, Partition, Plan, TerminalPlan},
};

/// The judge of one part of a run: all that is the same for every terminal.
struct Judge {
    plan: Arc<Plan>,
    partition: Partition,
    journal: Arc<Journal>,
    settle: Nanos,
    grace: Nanos,
    retention: Nanos,
    /// Whether a message may come again: the protocol allows it, or its clients discard copies by their ids.
    repeats: bool,
    /// Whether the protocol promises nothing for the time in which a session is lost.
    at_most_once: bool,
    closed: bool,
    apis: Vec<String>,
}

/// One terminal that is judged.
struct TerminalCase<'a> {
    number: usize,
    log: &'a TerminalLog,
    planned: &'a TerminalPlan,
    /// What the terminal is owed. While nobody knows whether the server owes a replay, this has both cases: if it does,
    /// and if it does not.
    intents: Vec<Intent<'a>>,
    /// Whether the server owes a replay, if that is known.
    replay: Option<bool>,
    /// When the terminal lost its session, if it was still away at the end.
    away: Option<Nanos>,
}

impl Judge {
    /// Returns a case of the terminal with this number. `replay` says whether the server owes a replay, if that is
    /// known.
    fn case<'a>(&'a self, number: usize, log: &'a TerminalLog, replay: Option<bool>) -> TerminalCase<'a> {
        let planned = &self.plan.terminals[number];
        let possible = replay.map_or(vec![true, false], |replay| vec![replay]);
        let intent = |replay: bool| {
            let retention = replay.then_some(self.retention);
            let window = Window { settle: self.settle, grace: self.grace, retention };
            Intent::new(window, planned.behaviour, &planned.stays, &log.sessions)
        };
        let intents = possible.into_iter().map(intent).collect();
        TerminalCase { number, log, planned, intents, replay, away: None }
    }

    /// Returns when a message counts as due. In a closed loop this is when it was sent, because there is no schedule.
    fn due(&self, message: usize, sent: &Sent) -> Nanos {
        if self.closed { sent.at } else { self.plan.messages[message].due }
    }

    fn measured(&self, due: Nanos) -> bool {
        due >= self.plan.measure
    }

    fn fault(&self, tally: &mut Tally, case: &TerminalCase, kind: FaultKind, message: Option<usize>, at: Nanos) {
        let node = session_at(&case.log.sessions, at).map_or_else(String::new, |session| session.node.clone());
        let terminal = self.partition.id(case.number).to_string();
        tally.fault(DeliveryFault { kind, message: message.map(|number| number as u64), terminal, at, node });
    }
}

impl TerminalCase<'_> {
    /// Returns the cohort for a message that is due at `due`, see [`Intent::cohort`]. The outer `None` means that the
    /// cohort depends on whether the server owes a replay, which nobody knows yet.
    fn cohort(&self, due: Nanos) -> Option<Option<Cohort>> {
        let mut possible = self.intents.iter().map(|intent| intent.cohort(due));
        let first = possible.next().flatten();
        possible.all(|other| other == first).then_some(first)
    }

    fn behaves(&self) -> bool {
        self.planned.behaviour == Behaviour::Good
    }
}

/// Returns the latest session that was ready at `at`. A session counts from 1 ms before it was ready, because a message
/// may be read a moment before the welcome is recorded.
fn session_at(sessions: &[SessionRecord], at: Nanos) -> Option<&SessionRecord> {
    sessions.iter().rev().find(|session| session.ready <= at + MILLISECOND)
}

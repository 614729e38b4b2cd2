//! What live metrics show of the judgement. The judge decides at the end what became of an overdue delivery.

use std::collections::BTreeMap;

use super::{Judge, JudgedTerminal, SeenMessages, TerminalCase};
use crate::{
    clock::{Nanos, SECOND},
    journal::SendOutcome,
    measure::{Cohort, FaultKind, Latency},
};

/// What was judged so far.
#[derive(Debug, Default, Clone)]
pub struct JudgedSoFar {
    /// Deliveries to steady terminals that had not come when their time was over. They come late, or are lost.
    pub overdue: u64,
    /// Faults by their kind. Silent losses are known only at the end.
    pub faults: BTreeMap<FaultKind, u64>,
    /// From when each message was sent until a terminal had it.
    pub service: Latency,
}

impl Judge {
    /// Counts the deliveries to this terminal whose time is over at `now`, that have not come, and that were owed
    /// whatever the server promises. Looks at each message once. Counts none in a closed loop, in which no message has
    /// a time.
    pub(super) fn overdue(
        &self,
        case: &TerminalCase,
        state: &mut JudgedTerminal,
        seen: &SeenMessages,
        now: Nanos,
    ) -> u64 {
        // The judge takes frames out of the journal so much later than they came.
        let time = self.grace + self.grace.max(SECOND);
        let is_over = |message: usize| self.plan.messages.get(message).is_some_and(|planned| planned.due + time <= now);
        let mut overdue = 0;
        while !self.closed && is_over(state.looked) {
            let message = state.looked;
            state.looked += 1;
            overdue += u64::from(self.owes(case, message) && !seen.has(state, message));
        }
        overdue
    }

    /// Returns whether the server accepted a message for this terminal, which was connected for the whole window of the
    /// message.
    fn owes(&self, case: &TerminalCase, message: usize) -> bool {
        let planned = self.plan.messages[message];
        let is_addressed = planned.to.is_none_or(|to| to as usize == case.number);
        let is_accepted = || self.journal.sent(message).as_ref().is_some_and(|sent| sent.fate == SendOutcome::Accepted);
        is_addressed && is_accepted() && case.cohort(planned.due) == Some(Some(Cohort::Steady))
    }
}

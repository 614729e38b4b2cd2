//! Decides the outcome of each delivery that is owed.

use super::{Judge, JudgedTerminal, SeenMessages, TerminalCase, session_at, state::FirstArrival};
use crate::{
    clock::{Nanos, SECOND},
    journal::{SendOutcome, Sent, SessionRecord, TerminalLog},
    measure::{Account, Cohort, FaultKind, Tally},
    names,
};

/// A delivery that is owed, of message `number`.
struct Owed<'a> {
    cohort: Cohort,
    number: usize,
    sent: &'a Sent,
    due: Nanos,
}

impl Judge {
    /// Judges a message that arrived and whose window has closed at `now`. Returns false if nobody can know its outcome
    /// before the run `is_over`.
    pub(super) fn came(
        &self,
        tally: &mut Tally,
        case: &TerminalCase,
        first: FirstArrival,
        now: Nanos,
        is_over: bool,
    ) -> bool {
        let number = first.received.message as usize;
        let sent = self.journal.sent(number);
        let Some(sent) = sent.as_ref() else { return false };
        match &sent.fate {
            SendOutcome::Accepted => {
                let Some(cohort) = case.cohort(self.due(number, sent)) else { return false };
                self.accepted(tally, case, cohort, (number, sent), Some(first), now);
            }
            SendOutcome::Unknown(_) if sent.answered == Nanos::MAX && !is_over => return false,
            SendOutcome::Unknown(_) => tally.frames.indeterminate += 1,
            SendOutcome::Refused(_) | SendOutcome::Unsent(_) => {
                tally.frames.phantom += 1;
                self.fault(tally, case, FaultKind::Phantom, Some(number), first.received.at);
            }
        }
        true
    }

    /// Judges the messages that did not arrive in a run that ended at `over`.
    pub(super) fn missing(
        &self,
        tally: &mut Tally,
        case: &TerminalCase,
        state: &JudgedTerminal,
        seen: &SeenMessages,
        over: Nanos,
    ) {
        for (number, message) in self.plan.messages.iter().enumerate() {
            if message.to.is_some_and(|to| to as usize != case.number) || seen.has(state, number) {
                continue;
            }
            let sent = self.journal.sent(number);
            if let Some(sent) = sent.as_ref().filter(|sent| sent.fate == SendOutcome::Accepted) {
                let cohort = case.cohort(self.due(number, sent)).flatten();
                self.accepted(tally, case, cohort, (number, sent), None, over);
            }
        }
    }

    /// Judges a message that the server accepted. `cohort` is `None` if the message was not owed.
    fn accepted(
        &self,
        tally: &mut Tally,
        case: &TerminalCase,
        cohort: Option<Cohort>,
        (number, sent): (usize, &Sent),
        first: Option<FirstArrival>,
        now: Nanos,
    ) {
        let due = self.due(number, sent);
        // A message whose grace ends after the run has no outcome yet: it is not owed.
        let Some(cohort) = cohort.filter(|_| due + self.grace <= now) else {
            tally.frames.extra += u64::from(first.is_some());
            return;
        };
        let account = tally.ledger.entry(cohort).or_default();
        account.expected += 1;
        match first.map(|first| (first.received.at, first.binary)) {
            Some((_, true)) => {
                tally.frames.owed += 1;
                account.other_kind += 1;
            }
            Some((at, false)) => {
                tally.frames.owed += 1;
                let replayed = by_replay(&case.log.sessions, sent, at);
                fate(account, replayed, at > due + self.grace);
                self.timed(tally, case, &Owed { cohort, number, sent, due }, at, replayed);
            }
            None => self.lost(tally, case, cohort, number, due),
        }
        if self.plan.messages[number].to.is_some() {
            self.command(tally, case, cohort, due, sent, first.map(|first| first.received.at));
        }
    }

    /// Records how long a delivery took.
    fn timed(&self, tally: &mut Tally, case: &TerminalCase, owed: &Owed, at: Nanos, replayed: bool) {
        let Owed { cohort, number, sent, due } = *owed;
        let response = at.saturating_sub(due);
        if cohort == Cohort::Steady && self.plan.messages[number].to.is_none() {
            tally.last[number] = tally.last[number].max(response);
        }
        if !self.measured(due) || matches!(cohort, Cohort::Mute | Cohort::Slow) {
            return;
        }
        if replayed {
            tally.latency(names::REPLAY).record(response);
            return;
        }
        tally.latency(names::LIVE).record(response);
        tally.latency(names::SERVICE).record(at.saturating_sub(sent.at));
        tally.timeline.step(due).latency.record(response);
        let node = session_at(&case.log.sessions, at).map_or("", |session| &session.node);
        if let (Some(api), false) = (self.apis.get(sent.endpoint), node.is_empty()) {
            tally.matrix.entry(format!("{api} > {node}")).or_default().record(response);
        }
    }

    fn lost(&self, tally: &mut Tally, case: &TerminalCase, cohort: Cohort, number: usize, due: Nanos) {
        let account = tally.ledger.entry(cohort).or_default();
        let signalled = signalled(case.log, due);
        let is_silent = !signalled && !self.promises_nothing(case, cohort);
        if signalled {
            account.signalled_gap += 1;
        } else if case.away.is_some_and(|lost| due + self.grace > lost) {
            account.still_away += 1;
            return;
        } else if self.promises_nothing(case, cohort) {
            account.not_promised += 1;
        } else {
            account.silently_lost += 1;
        }
        if !case.behaves() {
            return;
        }
        if cohort == Cohort::Steady {
            tally.short[number] += 1;
        }
        if self.measured(due) {
            tally.latency(if cohort == Cohort::Resumable { names::REPLAY } else { names::LIVE }).missing += 1;
        }
        tally.timeline.step(due).lost += 1;
        if is_silent {
            self.fault(tally, case, FaultKind::SilentlyLost, Some(number), due);
        }
    }

    /// Returns whether the protocol promises nothing for a message of this cohort: no session lasted through its
    /// window, and no session was resumed.
    fn promises_nothing(&self, case: &TerminalCase, cohort: Cohort) -> bool {
        self.at_most_once && cohort == Cohort::Interrupted && case.replay != Some(true)
    }

    /// Records when the terminal had a command to it alone, and when the server showed its ack and its result.
    fn command(
        &self,
        tally: &mut Tally,
        case: &TerminalCase,
        cohort: Cohort,
        due: Nanos,
        sent: &Sent,
        came: Option<Nanos>,
    ) {
        if !self.measured(due) || !case.behaves() || cohort == Cohort::Resumable {
            return;
        }
        for (name, at) in [(names::COMMAND, came), (names::ACK, sent.acked), (names::RESULT, sent.done)] {
            match at {
                Some(at) => tally.latency(name).record(at.saturating_sub(due)),
                None => tally.latency(name).missing += 1,
            }
        }
    }
}

fn fate(account: &mut Account, replayed: bool, late: bool) {
    match (replayed, late) {
        (true, _) => account.replayed += 1,
        (false, true) => account.late += 1,
        (false, false) => account.on_time += 1,
    }
}

/// Returns whether a message that arrived at `at` was replayed: the session that received it was resumed, and the
/// server had answered the sender before that session was ready.
fn by_replay(sessions: &[SessionRecord], sent: &Sent, at: Nanos) -> bool {
    session_at(sessions, at).is_some_and(|session| session.resumed && sent.answered < session.ready)
}

/// Returns whether a gap that the server reported covers a message due at `due`. A gap covers what its session, and the
/// sessions before it, did not receive. Only the first gap after `due` counts.
fn signalled(log: &TerminalLog, due: Nanos) -> bool {
    let Some(gap) = log.gaps.iter().copied().find(|gap| *gap >= due) else { return false };
    let session = session_at(&log.sessions, gap);
    // A message due more than a second after the session was ready would have arrived live, so the gap covers it
    // only if the gap was reported within a second of `due`.
    session.is_some_and(|session| due <= session.ready + SECOND || gap <= due + SECOND)
}

//! The judgement of one part of a run, while it goes on and at its end.

use std::{mem, sync::Arc};

use super::{Judge, JudgedSoFar, JudgedTerminal, SeenMessages, TerminalCase, state::FirstArrival};
use crate::{
    adapter::DeliveryPromise,
    clock::{Nanos, SECOND, nanos},
    config::{Config, Replay},
    journal::{Journal, SendOutcome, TerminalLog},
    measure::{FaultKind, Tally, handshakes::handshakes, promise, recovery},
    names,
    plan::{Partition, Plan},
};

/// How long the judge waits after the window of a message: the API shows an ack and a result a moment later.
const MOMENT: Nanos = SECOND;

/// How many groups of terminals there are. The judge looks at one group after another, so that no terminal waits long
/// for it.
pub const GROUPS: usize = 10;

/// A judgement of one part of a run. See [`super`].
pub struct Judgement {
    judge: Judge,
    /// Whether the server owes a replay; `None` while nobody knows.
    replay: Option<bool>,
    /// Whether the journal must keep what is judged, for `--logs`.
    keeps: bool,
    /// Deliveries that are overdue so far; `None` if nobody asks for their number.
    overdue: Option<u64>,
    tally: Tally,
    states: Vec<(usize, JudgedTerminal)>,
    seen: SeenMessages,
}

impl Judgement {
    /// Returns a judgement of the terminals and messages of this part.
    pub fn new(config: &Config, plan: &Arc<Plan>, partition: Partition, journal: &Arc<Journal>) -> Self {
        let apis = config.api.iter().chain(config.posts_to());
        let promise = promise(config);
        let judge = Judge {
            plan: plan.clone(),
            partition,
            journal: journal.clone(),
            settle: nanos(config.settle),
            grace: nanos(config.grace),
            retention: nanos(config.retention),
            repeats: promise.repeats,
            at_most_once: promise.delivery == DeliveryPromise::AtMostOnce,
            closed: config.closed > 0,
            apis: apis.map(|uri| uri.authority().map_or_else(String::new, ToString::to_string)).collect(),
        };
        let replay = match config.replay {
            Replay::On => Some(true),
            Replay::Off => Some(false),
            // A protocol that resumes no session owes no replay.
            Replay::Auto => (!promise.resumes).then_some(false),
        };
        let (count, seen) = (plan.messages.len(), SeenMessages::new(plan));
        let tally = Tally { last: vec![0; count], short: vec![0; count], ..Tally::default() };
        let mine = (0..plan.terminals.len()).filter(|number| partition.has(*number));
        let states = mine.map(|number| (number, seen.state())).collect();
        let (keeps, overdue) = (config.outputs.logs.is_some(), config.outputs.live_metrics.map(|_| 0));
        Self { judge, replay, keeps, overdue, tally, states, seen }
    }

    /// Returns what was judged so far; `None` if nobody asks for it.
    pub fn so_far(&self) -> Option<JudgedSoFar> {
        let overdue = self.overdue?;
        let service = self.tally.latencies.get(names::SERVICE).cloned().unwrap_or_default();
        Some(JudgedSoFar { overdue, faults: self.tally.faults.clone(), service })
    }

    /// Returns whether the server owes a replay, as far as is known now: with `--replay auto` if it resumed any
    /// session.
    pub fn owes_replay(&self) -> bool {
        self.replay.unwrap_or_else(|| self.judge.journal.has_resumed())
    }

    /// Judges the messages of one group of terminals that are decided at `now`, and takes them out of the journal.
    pub fn close(&mut self, group: usize, now: Nanos) {
        if self.replay.is_none() && self.judge.journal.has_resumed() {
            self.replay = Some(true);
        }
        let before = now.saturating_sub(self.judge.grace.max(SECOND));
        for (number, state) in self.states.iter_mut().skip(group).step_by(GROUPS) {
            let mut log = self.judge.journal.terminal(*number);
            let frames = take(&mut log, before, |message| self.judge.journal.sent(message).is_some());
            let odd = mem::take(&mut log.odd);
            handshakes(&mut self.tally, &mut log);
            let case = self.judge.case(*number, &log, self.replay);
            for (odd, at) in odd {
                self.judge.odd(&mut self.tally, &case, odd, at);
            }
            for frame in frames {
                self.judge.arrival(&mut self.tally, &case, state, &mut self.seen, frame);
            }
            self.judge.decide(&mut self.tally, &case, state, &mut self.seen, now, false);
            if let Some(overdue) = &mut self.overdue {
                *overdue += self.judge.overdue(&case, state, &self.seen, now);
            }
        }
    }

    /// Returns the number of first arrivals whose outcome is not decided.
    #[cfg(test)]
    pub(super) fn open(&self) -> usize {
        self.states.iter().map(|(_, state)| state.firsts.len()).sum()
    }

    /// Judges the rest of a run that ended at `over`, and returns the tally. `replay` says whether the server owes a
    /// replay.
    pub fn finish(&mut self, replay: bool, over: Nanos) -> Tally {
        let Self { judge, tally, states, seen, .. } = self;
        judge.messages(tally, over);
        for (number, state) in states {
            let mut log = judge.journal.terminal(*number);
            let frames = match self.keeps {
                true => take(&mut log.clone(), Nanos::MAX, |_| true),
                false => take(&mut log, Nanos::MAX, |_| true),
            };
            let planned = &judge.plan.terminals[*number];
            handshakes(tally, &mut log);
            recovery::connections(tally, &planned.stays, &log, over, judge.grace);
            let mut case = judge.case(*number, &log, Some(replay));
            case.away = recovery::still_away(&planned.stays, &log, over, judge.grace);
            for frame in frames {
                judge.arrival(tally, &case, state, seen, frame);
            }
            judge.decide(tally, &case, state, seen, over, true);
            judge.missing(tally, &case, state, seen, over);
            judge.rest(tally, &case, state, over);
        }
        let peak = tally.timeline.steps.iter().map(|step| step.online).max().unwrap_or(0);
        tally.connections.peak = peak as u64;
        mem::take(tally)
    }
}

/// Takes out of a record the frames with messages that were read before `before`, and returns them in the order of
/// time. Leaves a frame whose message `is_known` does not know.
fn take(log: &mut TerminalLog, before: Nanos, is_known: impl Fn(usize) -> bool) -> Vec<FirstArrival> {
    let mut frames = Vec::new();
    for (list, binary) in [(&mut log.arrivals, false), (&mut log.binary, true)] {
        let taken = list.extract_if(.., |received| received.at < before && is_known(received.message as usize));
        frames.extend(taken.map(|received| FirstArrival { received, binary }));
    }
    // The frames of a replaced connection are stored beside those of the new one, so the list is not in the order of
    // time.
    frames.sort_by_key(|frame| frame.received.at);
    frames
}

impl Judge {
    /// Counts the messages of this part and what became of them.
    fn messages(&self, tally: &mut Tally, over: Nanos) {
        let mine = self.plan.messages.iter().enumerate().filter(|(number, _)| self.partition.has(*number));
        for (number, message) in mine {
            let sent = self.journal.sent(number);
            // A message that was due just before the run ended may not have been written down yet.
            let was_due = !self.closed && message.due + SECOND <= over;
            if sent.is_none() && !was_due {
                continue;
            }
            tally.messages.planned += 1;
            tally.messages.broadcasts += u64::from(message.to.is_none());
            tally.timeline.step(message.due).sent += 1;
            let Some(sent) = sent.as_ref() else {
                tally.messages.unsent += 1;
                tally.reason("message not sent", "the run ended before the generator had sent it");
                continue;
            };
            if let SendOutcome::Unsent(why) = &sent.fate {
                tally.messages.unsent += 1;
                tally.reason("message not sent", why);
                continue;
            }
            let lag = sent.at.saturating_sub(self.due(number, sent));
            tally.messages.sent += 1;
            tally.messages.punctual += u64::from(lag <= SECOND);
            tally.latency(names::LAG).record(lag);
            match sent.answered {
                Nanos::MAX => tally.latency(names::ACCEPT).missing += 1,
                answered => tally.latency(names::ACCEPT).record(answered.saturating_sub(sent.at)),
            }
            match &sent.fate {
                SendOutcome::Accepted => tally.messages.accepted += 1,
                SendOutcome::Refused(why) => {
                    tally.messages.refused += 1;
                    tally.reason("message refused", why);
                }
                SendOutcome::Unknown(why) => {
                    tally.messages.indeterminate += 1;
                    tally.reason("message unanswered", why);
                }
                SendOutcome::Unsent(_) => {}
            }
        }
    }

    /// Judges the first arrivals whose windows have closed at `now`; all of them if the run `is_over`.
    fn decide(
        &self,
        tally: &mut Tally,
        case: &TerminalCase,
        state: &mut JudgedTerminal,
        seen: &mut SeenMessages,
        now: Nanos,
        is_over: bool,
    ) {
        let firsts = mem::take(&mut state.firsts);
        for first in firsts {
            let due = self.plan.messages[first.received.message as usize].due;
            let is_closed = is_over || due.max(first.received.at) + self.grace + MOMENT <= now;
            if !is_closed || !self.came(tally, case, first, now, is_over) {
                state.firsts.push(first);
                continue;
            }
            seen.close(first.received);
            let lost = recovery::missed_after(&case.log.sessions, due, first.received.at);
            if let Some(lost) = lost {
                let last = state.caught_up.entry(lost).or_default();
                *last = (*last).max(first.received.at);
            }
        }
    }

    /// Counts the rest that is known of a terminal once the run is over.
    fn rest(&self, tally: &mut Tally, case: &TerminalCase, state: &JudgedTerminal, over: Nanos) {
        for (odd, at) in &case.log.odd {
            self.odd(tally, case, *odd, *at);
        }
        for _ in 0..case.log.from_replaced {
            self.fault(tally, case, FaultKind::FromReplaced, None, 0);
        }
        for (lost, last) in &state.caught_up {
            tally.latency(names::CAUGHT_UP).record(last.saturating_sub(case.log.sessions[*lost].ended));
        }
        if case.behaves() {
            let longest = state.silence.longest(&self.plan, &case.planned.stays, case.intents[0].up(), over);
            tally.max_silence = tally.max_silence.max(longest);
        }
    }
}

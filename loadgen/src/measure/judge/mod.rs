//! Reads the log of each terminal once. Gives every delivery that is owed exactly one outcome, and every frame
//! that was read exactly one reason.

mod owed;

use std::collections::HashSet;

use super::{
    DeliveryFault, FaultKind, Tally,
    cohort::{Intent, Window},
    handshakes, recovery,
    sequence::SequenceCheck,
};
use crate::{
    clock::{MILLISECOND, Nanos, SECOND, nanos},
    config::{Config, Replay},
    journal::{Anomaly, Journal, Received, SendOutcome, Sent, SessionRecord, TerminalLog},
    names,
    plan::{Behaviour, Partition, Plan},
};

/// Whether the server is expected to replay missed messages. `--replay auto`: true if any session of the journal was
/// resumed.
pub fn promises_replay(config: &Config, plan: &Plan, journal: &Journal) -> bool {
    let resumed = |number| journal.terminal(number).sessions.iter().any(|session| session.resumed);
    match config.replay {
        Replay::On => true,
        Replay::Off => false,
        Replay::Auto => (0..plan.terminals.len()).any(resumed),
    }
}

/// The judge of one part of a run: all that is the same for every terminal.
pub struct Judge<'a> {
    plan: &'a Plan,
    partition: Partition,
    window: Window,
    /// Whether the terminals remember the ids of commands, and so discard repetitions: true for Muster's own client.
    dedupes: bool,
    closed: bool,
    /// By message: when it was sent and what the server answered, in all parts of the run. `None` if it was not
    /// sent.
    sent: Vec<Option<Sent>>,
    apis: Vec<String>,
    /// When the run ended.
    now: Nanos,
}

/// One terminal that is judged.
struct TerminalCase<'a> {
    number: usize,
    log: &'a TerminalLog,
    intent: Intent<'a>,
    behaviour: Behaviour,
    /// By message: when it first arrived, and in what kind of frame.
    first: Vec<FirstArrival>,
    /// When the terminal lost its session, if it was still away at the end.
    away: Option<Nanos>,
}

/// The first arrival of a message at a terminal.
#[derive(Debug, Clone, Copy)]
struct FirstArrival {
    /// When it arrived; `Nanos::MAX` if it never did.
    at: Nanos,
    /// Whether it came in a binary frame.
    binary: bool,
}

const NEVER: FirstArrival = FirstArrival { at: Nanos::MAX, binary: false };

impl<'a> Judge<'a> {
    /// A judge for a run that ended at `now`. `replay` says whether the server is expected to replay missed
    /// messages.
    pub fn new(
        config: &'a Config,
        plan: &'a Plan,
        partition: Partition,
        sent: Vec<Option<Sent>>,
        replay: bool,
        now: Nanos,
    ) -> Self {
        let retention = replay.then(|| nanos(config.retention));
        let window = Window { settle: nanos(config.settle), grace: nanos(config.grace), retention };
        let apis = config.api.iter().map(|api| api.authority().map_or_else(String::new, ToString::to_string)).collect();
        let dedupes = config.target == crate::config::ServerKind::Muster && !config.fleet.plain;
        Self { plan, partition, window, dedupes, closed: config.closed > 0, sent, apis, now }
    }

    /// Judges the journal and returns the tally of this part.
    pub fn tally(&self, journal: &Journal) -> Tally {
        let count = self.plan.messages.len();
        let mut tally = Tally { last: vec![0; count], short: vec![0; count], ..Tally::default() };
        self.messages(&mut tally);
        for number in (0..self.plan.terminals.len()).filter(|number| self.partition.has(*number)) {
            let log = journal.terminal(number).clone();
            self.terminal(&mut tally, number, &log);
        }
        tally.connections.peak = tally.timeline.seconds.iter().map(|second| second.online).max().unwrap_or(0) as u64;
        tally
    }

    /// When a message counts as due. In a closed loop this is when it was sent, because there is no schedule.
    fn due(&self, message: usize, sent: &Sent) -> Nanos {
        if self.closed { sent.at } else { self.plan.messages[message].due }
    }

    fn measured(&self, due: Nanos) -> bool {
        due >= self.plan.measure
    }

    fn messages(&self, tally: &mut Tally) {
        let mine = self.plan.messages.iter().enumerate().filter(|(number, _)| self.partition.has(*number));
        for (number, message) in mine {
            // A message that was due just before the run ended may not have been written down yet.
            let was_due = !self.closed && message.due + SECOND <= self.now;
            if self.sent[number].is_none() && !was_due {
                continue;
            }
            tally.messages.planned += 1;
            tally.messages.broadcasts += u64::from(message.to.is_none());
            tally.timeline.second(message.due).sent += 1;
            let Some(sent) = &self.sent[number] else {
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

    fn terminal(&self, tally: &mut Tally, number: usize, log: &TerminalLog) {
        let planned = &self.plan.terminals[number];
        recovery::connections(tally, &planned.stays, log, self.now, self.window.grace);
        handshakes::handshakes(tally, log);
        let intent = Intent::new(self.window, planned.behaviour, &planned.stays, &log.sessions);
        let first = vec![NEVER; self.plan.messages.len()];
        let away = recovery::still_away(&planned.stays, log, self.now, self.window.grace);
        let mut case = TerminalCase { number, log, intent, behaviour: planned.behaviour, first, away };
        self.arrivals(tally, &mut case);
        self.owed(tally, &case);
        self.odd(tally, &case);
        self.silence(tally, &case);
        let came = self.plan.messages.iter().zip(&case.first).filter(|(_, first)| first.at != Nanos::MAX);
        recovery::caught_up(tally, log, came.map(|(message, first)| (message.due, first.at)));
    }

    /// Gives each frame its reason. The first delivery of a message gets its reason in [`Self::owed`] instead.
    fn arrivals(&self, tally: &mut Tally, case: &mut TerminalCase) {
        let mut copies = HashSet::new();
        let (mut wire, mut app) = (
            [SequenceCheck::default(), SequenceCheck::default()],
            [SequenceCheck::default(), SequenceCheck::default()],
        );
        let texts = case.log.arrivals.iter().map(|arrival| (*arrival, false));
        let mut arrivals: Vec<_> = texts.chain(case.log.binary.iter().map(|arrival| (*arrival, true))).collect();
        // The frames of a replaced connection are stored beside those of the new one, so the list is not in the
        // order of time.
        arrivals.sort_by_key(|(arrival, _)| arrival.at);
        for (Received { message, copy, at }, binary) in arrivals {
            let number = message as usize;
            tally.frames.read += 1;
            tally.timeline.second(at).received += 1;
            let planned = self.plan.messages[number];
            let Some(sent) = &self.sent[number] else {
                tally.frames.phantom += 1;
                self.fault(tally, case, FaultKind::Phantom, Some(number), at);
                continue;
            };
            if planned.to.is_some_and(|to| to as usize != case.number) {
                tally.frames.misdelivered += 1;
                self.fault(tally, case, FaultKind::Misdelivered, Some(number), at);
                continue;
            }
            if at < sent.at {
                self.fault(tally, case, FaultKind::BeforeSent, Some(number), at);
            }
            let stream = usize::from(planned.to.is_some());
            tally.reorder.wire += u64::from(wire[stream].overtaken(sent.at, sent.accepted()) > 0);
            let again = !copies.insert((message, copy));
            if case.first[number].at != Nanos::MAX {
                if again && self.dedupes {
                    tally.frames.dup_wire += 1;
                } else {
                    tally.frames.dup_app += 1;
                    self.fault(tally, case, FaultKind::DupApp, Some(number), at);
                }
                continue;
            }
            case.first[number] = FirstArrival { at, binary };
            if binary {
                self.fault(tally, case, FaultKind::OtherKind, Some(number), at);
            }
            let overtaken = app[stream].overtaken(sent.at, sent.accepted());
            if overtaken > 0 {
                tally.reorder.app += 1;
                tally.reorder.displacement = tally.reorder.displacement.max(overtaken);
                self.fault(tally, case, FaultKind::Reordered, Some(number), at);
            }
        }
    }

    fn odd(&self, tally: &mut Tally, case: &TerminalCase) {
        for (odd, at) in &case.log.odd {
            let frames = &mut tally.frames;
            let (count, fault) = match odd {
                Anomaly::Corrupt => (&mut frames.corrupt, Some(FaultKind::Corrupt)),
                Anomaly::Phantom => (&mut frames.phantom, Some(FaultKind::Phantom)),
                Anomaly::OtherRun => (&mut frames.other_run, None),
                Anomaly::Foreign => (&mut frames.foreign, None),
                Anomaly::Complaint => {
                    *tally.other.entry("complaints of nodes".into()).or_default() += 1;
                    continue;
                }
            };
            *count += 1;
            frames.read += 1;
            if let Some(kind) = fault {
                self.fault(tally, case, kind, None, *at);
            }
        }
        for _ in 0..case.log.from_replaced {
            self.fault(tally, case, FaultKind::FromReplaced, None, 0);
        }
    }

    /// Records the longest time without a message while the plan had the terminal connected and messages were due.
    /// Leaves out terminals that are mute or slow by plan.
    fn silence(&self, tally: &mut Tally, case: &TerminalCase) {
        if case.behaviour != Behaviour::Good {
            return;
        }
        for (from, to) in case.intent.up() {
            let (from, to) = ((*from).max(self.plan.begin), (*to).min(self.plan.end).min(self.now));
            let within = case.log.arrivals.iter().map(|arrival| arrival.at).filter(|at| (from..to).contains(at));
            let mut before = from;
            for at in within.chain([to]) {
                tally.max_silence = tally.max_silence.max(at.saturating_sub(before));
                before = before.max(at);
            }
        }
    }

    fn fault(&self, tally: &mut Tally, case: &TerminalCase, kind: FaultKind, message: Option<usize>, at: Nanos) {
        let node = session_at(&case.log.sessions, at).map_or_else(String::new, |session| session.node.clone());
        let terminal = self.partition.id(case.number).to_string();
        tally.fault(DeliveryFault { kind, message: message.map(|number| number as u64), terminal, at, node });
    }
}

/// The latest session that was ready at `at`. A session counts from 1 ms before it was ready, because a message may
/// be read a moment before the welcome is recorded.
fn session_at(sessions: &[SessionRecord], at: Nanos) -> Option<&SessionRecord> {
    sessions.iter().rev().find(|session| session.ready <= at + MILLISECOND)
}

//! Tests of a judgement that goes on with its run.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    clock::{Clock, SECOND},
    config::{Config, tests::config},
    journal::{Received, SendOutcome},
};

/// A run in which each terminal has one session.
struct Run {
    plan: Arc<Plan>,
    journal: Arc<Journal>,
    judgement: Judgement,
}

impl Run {
    fn new(config: &Config) -> Self {
        let plan = Arc::new(Plan::new(config, 1));
        let clock = Clock::start_in(Duration::ZERO);
        let journal = Arc::new(Journal::new(clock, plan.terminals.len(), plan.messages.len()));
        for number in 0..plan.terminals.len() {
            let (node, ready, ended) = (String::new(), 1, Nanos::MAX);
            let session = SessionRecord { stay: 0, dialled: 0, ready, ended, node, resumed: false, lost: None };
            journal.terminal(number).sessions.push(session);
        }
        let judgement = Judgement::new(config, &plan, Partition { run: 1, of: 1, rest: 0 }, &journal);
        Self { plan, journal, judgement }
    }

    /// Has the server accept a message when it is due, and each of these terminals receive it 2 ms later.
    fn delivers(&self, message: usize, to: impl Iterator<Item = usize>) {
        let due = self.plan.messages[message].due;
        let fate = SendOutcome::Accepted;
        *self.journal.sent(message) =
            Some(Sent { at: due, answered: due + 1, fate, endpoint: 0, acked: None, done: None });
        to.for_each(|terminal| self.reads(terminal, message, 1, due + 2 * MILLISECOND));
    }

    fn reads(&self, terminal: usize, message: usize, copy: u32, at: Nanos) {
        self.journal.terminal(terminal).arrivals.push(Received { message: message as u32, copy, at });
    }

    /// Returns the number of frames that are remembered one by one.
    fn remembered(&self) -> usize {
        let terminals = 0..self.plan.terminals.len();
        let read: usize = terminals.map(|number| self.journal.terminal(number).arrivals.len()).sum();
        read + self.judgement.open()
    }
}

#[test]
fn what_is_remembered_does_not_grow_with_the_run_and_a_late_duplicate_is_known() {
    const TERMINALS: usize = 100;
    let mut run = Run::new(&config("--terminals 100 --ramp 0s --broadcasts 100 --for 20s --grace 1s"));
    let mut most = 0;
    for message in 0..run.plan.messages.len() {
        // Terminal 7 misses message 50.
        run.delivers(message, (0..TERMINALS).filter(|terminal| (*terminal, message) != (7, 50)));
        run.judgement.close(message % GROUPS, run.plan.messages[message].due);
        most = most.max(run.remembered());
    }
    // The windows of about two seconds are open, and each group waits a tenth of a second for the judge.
    assert!(most < TERMINALS * 100 * 4, "{most} of {}", TERMINALS * run.plan.messages.len());
    run.reads(3, 0, 1, run.plan.end);
    run.reads(4, 0, 2, run.plan.end);
    run.reads(7, 50, 1, run.plan.end);
    let tally = run.judgement.finish(false, run.plan.last);
    let steady = tally.ledger[&Cohort::Steady];
    assert_eq!((steady.expected, steady.on_time, steady.late), (200_000, 199_999, 1), "{steady:?}");
    assert_eq!((tally.frames.dup_wire, tally.frames.dup_app), (1, 1));
    assert!(tally.closes());
}

#[test]
fn a_judgement_during_the_run_equals_one_after_it() {
    let config = config("--terminals 20 --ramp 0s --broadcasts 20 --for 10s --grace 1s");
    let [mut during, mut after] = [Run::new(&config), Run::new(&config)];
    for message in 0..during.plan.messages.len() {
        for run in [&during, &after] {
            run.delivers(message, (0..20).filter(|terminal| !(terminal + message).is_multiple_of(19)));
        }
        (0..GROUPS).for_each(|group| during.judgement.close(group, during.plan.messages[message].due + SECOND / 2));
    }
    let last = during.plan.last;
    let (during, after) = (during.judgement.finish(false, last), after.judgement.finish(false, last));
    assert_eq!((&during.ledger, during.frames, during.max_silence), (&after.ledger, after.frames, after.max_silence));
    assert_eq!((during.latencies, during.timeline), (after.latencies, after.timeline));
    assert!(during.ledger[&Cohort::Steady].silently_lost > 100);
}

#[test]
fn what_is_lost_with_a_session_is_a_fault_only_if_the_protocol_promises_more() {
    for (flags, silently_lost, not_promised) in
        [("--target raw", 1, 0), ("--adapter mqtt", 0, 1), ("--adapter mqtt --qos 1", 1, 0)]
    {
        let config = config(&format!("{flags} --terminals 2 --ramp 0s --broadcasts 1 --for 3s --grace 500ms"));
        let mut run = Run::new(&config);
        let due = run.plan.messages[1].due;
        {
            let mut log = run.journal.terminal(0);
            (log.sessions[0].ended, log.sessions[0].lost) = (due - 1, Some("reset".into()));
            let next = SessionRecord { ready: due + 1, ended: Nanos::MAX, lost: None, ..log.sessions[0].clone() };
            log.sessions.push(next);
        }
        for message in 0..run.plan.messages.len() {
            run.delivers(message, (0..2).filter(|terminal| (*terminal, message) != (0, 1)));
        }
        let tally = run.judgement.finish(false, run.plan.last);
        let lost = tally.behaved();
        assert_eq!((lost.silently_lost, lost.not_promised), (silently_lost, not_promised), "{flags}");
        assert_eq!((lost.lost(), tally.count(FaultKind::SilentlyLost)), (1, silently_lost), "{flags}");
        assert!(tally.closes());
    }
}

#[test]
fn a_delivery_whose_time_is_over_is_overdue_once() {
    let mut run = Run::new(&config("--terminals 10 --ramp 0s --broadcasts 10 --for 2s --grace 1s --live-metrics 0"));
    run.delivers(0, 0..10);
    run.delivers(1, (0..10).filter(|terminal| *terminal != 7));
    let due = run.plan.messages[1].due;
    let mut overdue = |now| {
        (0..GROUPS).for_each(|group| run.judgement.close(group, now));
        run.judgement.so_far().unwrap().overdue
    };
    assert_eq!([SECOND, 3 * SECOND, 10 * SECOND].map(|later| overdue(due + later)), [0, 1, 1]);
}

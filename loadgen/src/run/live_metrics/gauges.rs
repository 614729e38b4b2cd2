//! Where the metrics of a run come from.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use crate::{
    clock::{Clock, Nanos, SECOND},
    config::Config,
    health::Usage,
    measure::{JudgedSoFar, Latency, Tally},
    names,
    plan::Plan,
    play::LiveCounters,
    verdict::{GeneratorHealth, gates},
};

/// What a request for the metrics looks at.
pub struct RunGauges {
    /// The settings of the run.
    pub config: Config,
    /// The plan of the run.
    pub plan: Arc<Plan>,
    /// The clock of the run.
    pub clock: Clock,
    /// What terminals and the operator counted.
    pub live: Arc<LiveCounters>,
    /// What the judge found, a second ago at most.
    pub judged: Arc<Mutex<JudgedSoFar>>,
    /// How late the canary was woken.
    pub canary: Arc<Mutex<Latency>>,
    /// The longest stall of the terminals so far.
    pub stalled: Box<dyn Fn() -> Duration + Send + Sync>,
    /// What this process had used when the clock showed `since`.
    pub before: Usage,
    /// When `before` was read.
    pub since: Nanos,
}

/// The state of a run at one moment.
#[derive(Debug, Default)]
pub struct RunState {
    /// Seconds since the run began.
    pub elapsed_s: f64,
    /// Terminals that have a session.
    pub connected: i64,
    /// Terminals of the plan.
    pub planned: usize,
    /// Messages that were due.
    pub offered: u64,
    /// Messages that were sent.
    pub sent: u64,
    /// Messages that the generator could not send.
    pub unsent: u64,
    /// Messages that terminals received.
    pub delivered: u64,
    /// Deliveries that did not come in time, to terminals that stayed connected.
    pub overdue: u64,
    /// Faults by the name of their kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Sessions that were lost against the plan.
    pub lost_sessions: u64,
    /// Attempts to connect that failed.
    pub failed_attempts: u64,
    /// The 99th percentile of the generator's own delay, in seconds.
    pub lag_p99_s: f64,
    /// The 99th percentile of the canary's delay, in seconds.
    pub canary_p99_s: f64,
    /// The longest stall of the terminals, in seconds.
    pub stalled_s: f64,
    /// The gates that can be judged while the run goes on, and whether each would fail now.
    pub gates: Vec<(String, bool)>,
}

/// Returns the 99th percentile in seconds; 0 without a sample.
fn p99_s(latency: &Latency) -> f64 {
    if latency.count() == 0 { 0.0 } else { latency.at(0.99).milliseconds() / 1e3 }
}

impl RunGauges {
    /// Looks at the run now.
    pub fn look(&self) -> RunState {
        let (now, live) = (self.clock.now(), &self.live);
        let judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (lag, canary) = (live.lag().clone(), self.canary.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let mut state = RunState {
            elapsed_s: now as f64 / SECOND as f64,
            connected: live.online.load(Relaxed),
            planned: self.plan.terminals.len(),
            offered: self.offered(now),
            sent: live.sent.load(Relaxed),
            unsent: live.unsent.load(Relaxed),
            delivered: live.received.load(Relaxed),
            overdue: judged.overdue,
            faults: judged.faults.iter().map(|(kind, count)| (kind.name(), *count)).collect(),
            lost_sessions: live.lost.load(Relaxed),
            failed_attempts: live.failed.load(Relaxed),
            lag_p99_s: p99_s(&lag),
            canary_p99_s: p99_s(&canary),
            stalled_s: (self.stalled)().as_secs_f64(),
            gates: Vec::new(),
        };
        state.gates = gates::so_far(&self.tally(now, judged, lag, canary), self.health(now, &state));
        state
    }

    /// Returns how many messages were due at `time`. In a closed loop, which sends as it can: how many were sent.
    fn offered(&self, time: Nanos) -> u64 {
        match self.config.closed {
            0 => self.plan.messages.partition_point(|message| message.due <= time) as u64,
            _ => self.live.sent.load(Relaxed),
        }
    }

    /// Returns a tally with what is known now. A message that was due less than a second ago may still be sent in time.
    fn tally(&self, now: Nanos, judged: JudgedSoFar, lag: Latency, canary: Latency) -> Tally {
        let mut tally = Tally { faults: judged.faults, ..Tally::default() };
        tally.messages.planned = self.offered(now.saturating_sub(SECOND));
        tally.messages.unsent = self.live.unsent.load(Relaxed);
        let tardy = self.live.tardy.load(Relaxed) + tally.messages.unsent;
        tally.messages.punctual = tally.messages.planned.saturating_sub(tardy);
        *tally.latency(names::LAG) = lag;
        *tally.latency(names::CANARY) = canary;
        *tally.latency(names::SERVICE) = judged.service;
        tally
    }

    fn health(&self, now: Nanos, state: &RunState) -> GeneratorHealth {
        let threads = tokio::runtime::Handle::current().metrics().num_workers();
        let span = now.saturating_sub(self.since).max(1) as f64 / SECOND as f64;
        GeneratorHealth {
            cpu: (Usage::own().cpu_s - self.before.cpu_s) / span / threads as f64,
            stalled_ms: state.stalled_s * 1e3,
            cut_short: false,
            failed: false,
            clock_ms: 0.0,
        }
    }
}

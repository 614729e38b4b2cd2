//! Plays the part of the plan that belongs to this process, from the first connect to the end of the last grace period,
//! and measures its cost.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use super::{
    early_ends::EarlyEnds,
    judge_thread::JudgeThread,
    live_metrics::{self, RunGauges},
};
use crate::{
    clock::{Clock, Nanos, SECOND, nanos},
    config::Config,
    console::note,
    health::{Canary, ServerSnapshot, StallWatch, Usage, servers::ServerCosts},
    interrupt::Interrupt,
    journal::Journal,
    marks,
    measure::{Judgement, Latency, Tally},
    names,
    plan::{Partition, Plan},
    play::{LiveCounters, ProgramPipe, disturb, fleet, operator},
    report::GeneratorCost,
    view,
};

/// The time to create the terminals before the first one connects. [`head_start`] adds 10 us per terminal.
const HEAD_START: Duration = Duration::from_millis(300);

/// The result of a run that was played.
pub struct PlayedRun {
    /// What happened, except what was judged while the run went on.
    pub journal: Arc<Journal>,
    judgement: Judgement,
    /// When the run ended.
    pub over: Nanos,
    /// Whether a signal ended the run early.
    pub cut_short: bool,
    /// Whether the task of a terminal panicked, the operator could not send, or the program of `--adapter-cmd` failed.
    pub failed: bool,
    /// Why the program of `--adapter-cmd` failed, if it did.
    program: Option<String>,
    /// The delays of the canary thread.
    pub canary: Latency,
    /// The longest time for which the threads of the terminals stalled, or a terminal waited for the program.
    stalled: Duration,
    /// The marks that scripts wrote during the run.
    pub marks: Vec<(Nanos, String)>,
    /// The cost of the servers.
    pub costs: ServerCosts,
    terminals: usize,
    /// The number of runtime threads, which run the terminals.
    threads: usize,
    looks: [Usage; 3],
    span: Nanos,
}

/// Returns the time between the creation of the clock and the first connect, so that no terminal is created too late.
pub fn head_start(config: &Config) -> Duration {
    HEAD_START + Duration::from_micros(10) * config.fleet.terminals as u32
}

/// Plays this process's partition of the plan. Fails if the terminals can't be created, the marks file can't be
/// opened, or the address for live metrics can't be bound.
pub async fn play(
    config: &Config,
    plan: &Arc<Plan>,
    partition: Partition,
    clock: Clock,
    interrupt: &Interrupt,
    program: Option<&ProgramPipe>,
) -> anyhow::Result<PlayedRun> {
    let listener = live_metrics::listen(config).await?;
    let journal = Arc::new(Journal::new(clock, plan.terminals.len(), plan.messages.len()));
    let live = Arc::new(LiveCounters::default());
    let marks = marks::listen(config.events.as_deref(), clock)?;
    let judgement = Judgement::new(config, plan, partition, &journal);
    // Nobody knows the messages of other generators before the end, and the logs need all that was read.
    let waits = partition.of > 1 || config.outputs.logs.is_some();
    let (before, servers) = (Usage::own(), ServerSnapshot::look(config).await);
    let mut fleet = fleet::start(config, plan, partition, &journal, &live, program).await?;
    let operator = {
        let (journal, live) = (journal.clone(), live.clone());
        operator::start(config.clone(), plan.clone(), partition, journal, live, program.cloned())
    };
    let disturbances = disturb::start(config, plan, partition, clock, &marks, program).await?;
    let judge = JudgeThread::start(judgement, clock, waits);
    let (canary, stall) = (Canary::start(), StallWatch::start());
    let gauges = |listener| {
        let gauges = RunGauges {
            config: config.clone(),
            plan: plan.clone(),
            clock,
            live: live.clone(),
            judged: judge.so_far(),
            canary: canary.overshoot(),
            stalled: Box::new(stall.longest()),
            before,
            since: clock.now(),
        };
        live_metrics::serve(listener, gauges)
    };
    let served = listener.map(gauges);
    let shown = view::show(config, plan, clock, live, marks.clone());

    let ends = EarlyEnds { clock, interrupt, program };
    let mut is_over = ends.before(plan.begin).await;
    let begun = Usage::own();
    is_over = is_over || ends.before(plan.end + SECOND).await;
    let (ended, costs) = (Usage::own(), ServerSnapshot::look(config).await.since(&servers));
    let span = clock.now().saturating_sub(plan.begin).max(1);
    is_over = is_over || ends.before(plan.last).await;

    let failure = program.and_then(ProgramPipe::failure);
    let over =
        failure.as_ref().map_or(clock.now(), |failure| clock.now().saturating_sub(nanos(failure.since.elapsed())));
    drop(served);
    // A terminal that waits for the program reads nothing meanwhile.
    let waited = program.map_or(Duration::ZERO, ProgramPipe::longest_wait);
    let (canary, stalled) = (canary.stop(), stall.stop().max(waited));
    shown.stop().await;
    let mut failed = operator.is_finished() && operator.join().map_or(true, has_failed);
    failed |= disturbances.stop();
    failed |= shutdown(&mut fleet).await || failure.is_some();
    journal.give_up(clock.now());
    let judgement = judge.stop();
    let marks = std::mem::take(&mut *marks.lock().unwrap_or_else(PoisonError::into_inner));
    let terminals = (0..plan.terminals.len()).filter(|number| partition.has(*number)).count();
    let threads = tokio::runtime::Handle::current().metrics().num_workers();
    Ok(PlayedRun {
        journal,
        judgement,
        over,
        cut_short: is_over && failure.is_none(),
        failed,
        program: failure.map(|failure| failure.why),
        canary,
        stalled,
        marks,
        costs,
        terminals,
        threads,
        looks: [before, begun, ended],
        span,
    })
}

/// Returns true if the operator failed, and prints why.
fn has_failed(done: anyhow::Result<()>) -> bool {
    if let Err(error) = &done {
        note(format!("muster-loadgen: messages can't be sent: {error:#}"));
    }
    done.is_err()
}

/// Ends the tasks of all terminals. Returns true if one of them had panicked.
async fn shutdown(fleet: &mut tokio::task::JoinSet<()>) -> bool {
    fleet.abort_all();
    let mut panicked = false;
    while let Some(ended) = fleet.join_next().await {
        panicked |= ended.is_err_and(|error| error.is_panic());
    }
    panicked
}

impl PlayedRun {
    /// Returns whether the server owed a replay of missed messages, as far as this partition knows.
    pub fn owes_replay(&self) -> bool {
        self.judgement.owes_replay()
    }

    /// Judges what is left, and returns the tally of this partition. `replay` says whether the server owed a replay.
    pub fn judge(&mut self, replay: bool) -> Tally {
        let mut tally = self.judgement.finish(replay, self.over);
        if let Some(why) = &self.program {
            tally.reason("--adapter-cmd", why);
        }
        tally.latency(names::CANARY).merge(&self.canary);
        tally
    }

    /// Returns the cost of this process.
    pub fn own(&self, tally: &Tally) -> GeneratorCost {
        let [before, begun, ended] = self.looks;
        let (cpu_s, threads) = (ended.cpu_s - begun.cpu_s, self.threads);
        let frames = tally.frames.read;
        GeneratorCost {
            cpu_share: cpu_s / (self.span as f64 / 1e9) / threads as f64,
            threads,
            cpu_us_per_frame: cpu_s * 1e6 / frames.max(1) as f64,
            frames,
            stalled_ms: self.stalled.as_secs_f64() * 1e3,
            bytes_per_terminal: begun.rss_bytes.saturating_sub(before.rss_bytes) / self.terminals.max(1) as u64,
            rss_bytes: ended.rss_bytes,
            preempted: ended.preempted - before.preempted,
        }
    }
}

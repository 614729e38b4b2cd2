//! Plays one process's part of the plan, from the first connect to the last grace, and looks at what it costs.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use crate::{
    clock::{Clock, Nanos, SECOND},
    config::Config,
    console::note,
    health::{Canary, ServerSnapshot, Usage, servers::ServerCosts},
    interrupt::Interrupt,
    journal::{Journal, Sent},
    marks,
    measure::{Judge, Latency, Tally},
    names,
    plan::{Partition, Plan},
    play::{LiveCounters, fleet, operator},
    report::GeneratorCost,
    view,
};

/// Time to build the fleet before the first is to connect, and a hundredth of a millisecond for each terminal.
const HEAD_START: Duration = Duration::from_millis(300);

/// What there is when it is over.
pub struct PlayedRun {
    /// What was seen.
    pub journal: Arc<Journal>,
    /// When it was over.
    pub over: Nanos,
    /// Whether it was interrupted.
    pub cut_short: bool,
    /// Whether a terminal's task or the operator broke off.
    pub failed: bool,
    /// How much too late the canary was woken.
    pub canary: Latency,
    /// What was done to the servers meanwhile.
    pub marks: Vec<(Nanos, String)>,
    /// What they cost.
    pub costs: ServerCosts,
    terminals: usize,
    /// Those that move terminals.
    threads: usize,
    looks: [Usage; 3],
    span: Nanos,
}

/// So that nobody is late for the first connect.
pub fn head_start(config: &Config) -> Duration {
    HEAD_START + Duration::from_micros(10) * config.fleet.terminals as u32
}

/// Plays it.
pub async fn play(
    config: &Config,
    plan: &Arc<Plan>,
    partition: Partition,
    clock: Clock,
    interrupt: &Interrupt,
) -> anyhow::Result<PlayedRun> {
    let journal = Arc::new(Journal::new(clock, plan.terminals.len(), plan.messages.len()));
    let live = Arc::new(LiveCounters::default());
    let marks = marks::listen(config.events.as_deref(), clock)?;
    let (before, servers) = (Usage::own(), ServerSnapshot::look(config).await);
    let mut fleet = fleet::start(config, plan, partition, &journal, &live).await?;
    let operator = operator::start(config.clone(), plan.clone(), partition, journal.clone(), live.clone());
    let canary = Canary::start();
    let shown = view::show(config, plan, clock, live, marks.clone());

    let mut cut_short = until(clock, plan.begin, interrupt).await;
    let begun = Usage::own();
    cut_short = cut_short || until(clock, plan.end + SECOND, interrupt).await;
    let (ended, costs) = (Usage::own(), ServerSnapshot::look(config).await.since(&servers));
    let span = clock.now().saturating_sub(plan.begin).max(1);
    cut_short = cut_short || until(clock, plan.last, interrupt).await;

    let over = clock.now();
    let canary = canary.stop();
    shown.stop().await;
    let mut failed = operator.is_finished() && operator.join().is_ok_and(complain);
    failed |= shutdown(&mut fleet).await;
    journal.give_up(over);
    let marks = std::mem::take(&mut *marks.lock().unwrap_or_else(PoisonError::into_inner));
    let terminals = (0..plan.terminals.len()).filter(|number| partition.has(*number)).count();
    let threads = tokio::runtime::Handle::current().metrics().num_workers();
    Ok(PlayedRun {
        journal,
        over,
        cut_short,
        failed,
        canary,
        marks,
        costs,
        terminals,
        threads,
        looks: [before, begun, ended],
        span,
    })
}

/// Whether it was interrupted before this time.
async fn until(clock: Clock, time: Nanos, interrupt: &Interrupt) -> bool {
    tokio::select! {
        () = clock.wait_until(time) => false,
        () = interrupt.requested() => true,
    }
}

/// Whether it failed, which it then says.
fn complain(done: anyhow::Result<()>) -> bool {
    if let Err(error) = &done {
        note(format!("muster-loadgen: messages can't be sent: {error:#}"));
    }
    done.is_err()
}

/// Ends all terminals. Whether one of them had panicked.
async fn shutdown(fleet: &mut tokio::task::JoinSet<()>) -> bool {
    fleet.abort_all();
    let mut panicked = false;
    while let Some(ended) = fleet.join_next().await {
        panicked |= ended.is_err_and(|error| error.is_panic());
    }
    panicked
}

impl PlayedRun {
    /// The tally of this part.
    pub fn judge(
        &self,
        config: &Config,
        plan: &Plan,
        partition: Partition,
        sent: Vec<Option<Sent>>,
        replay: bool,
    ) -> Tally {
        let mut tally = Judge::new(config, plan, partition, sent, replay, self.over).tally(&self.journal);
        tally.latency(names::CANARY).merge(&self.canary);
        tally
    }

    /// What this process cost.
    pub fn own(&self, tally: &Tally) -> GeneratorCost {
        let [before, begun, ended] = self.looks;
        let (cpu_s, threads) = (ended.cpu_s - begun.cpu_s, self.threads);
        let frames = tally.frames.read;
        GeneratorCost {
            cpu_share: cpu_s / (self.span as f64 / 1e9) / threads as f64,
            threads,
            cpu_us_per_frame: cpu_s * 1e6 / frames.max(1) as f64,
            frames,
            bytes_per_terminal: begun.rss_bytes.saturating_sub(before.rss_bytes) / self.terminals.max(1) as u64,
            rss_bytes: ended.rss_bytes,
            preempted: ended.preempted - before.preempted,
        }
    }
}

//! Strings all of it together, for one process: plan, play, judge, report. [`crate::distributed`] does the same with several.
//!
//! [`play`] carries the plan out, with [`marks`] that scripts set meanwhile; [`logs`] writes out the plan and all that was seen;
//! [`floor`] measures the instrument itself, with [`bare`] readers beside its terminals.

mod bare;
mod floor;
mod logs;
pub mod outputs;
mod play;

use std::{path::Path, sync::Arc};

use jiff::Timestamp;

pub use self::play::{head_start, play};
use crate::{
    clock::{Clock, nanos},
    config::Config,
    console::note,
    health::{environment::environment, servers::ServerCosts},
    interrupt::Interrupt,
    measure::{Tally, promises_replay},
    plan::{Partition, Plan},
    play::operator,
    preflight,
    report::{self, Floor, GeneratorCost, Report},
    verdict::{RunOutcome, RunVerdict, gates, slo},
    view,
};

/// One run, from its flags to its reports.
pub async fn run(config: Config, command: String) -> anyhow::Result<RunOutcome> {
    config.validate()?;
    let plan = Arc::new(Plan::new(&config, config.seed.unwrap_or_else(rand::random)));
    let intended = plan.intended(nanos(config.settle), nanos(config.grace));
    note(format!(
        "seed {}, schedule {:016x}, {} deliveries intended (set {:016x})",
        plan.seed,
        plan.hash(),
        intended.0,
        intended.1
    ));
    if config.dry_run {
        return Ok(RunOutcome::Pass);
    }
    outputs::check(&config)?;
    preflight::check(&config.fleet)?;
    operator::ask(&config).await?;
    let interrupt = Interrupt::listen(view::leave)?;
    let partition = Partition { run: rand::random(), of: 1, rest: 0 };
    let clock = Clock::start_in(head_start(&config));
    let started_at = Timestamp::now();
    let played = play(&config, &plan, partition, clock, &interrupt).await?;
    let sent = played.journal.all_sent();
    let replay = promises_replay(&config, &plan, &played.journal);
    let tally = played.judge(&config, &plan, partition, sent, replay);
    // Afterwards, so that what it leaves in memory is not taken for the terminals'.
    let (floor, measured) = measure_floor(&config, &interrupt).await;
    let course = Completion { cut_short: played.cut_short, failed: played.failed };
    let facts = RunFacts { command, started_at, floor, replay, generators: 1, clock_ms: 0.0, course };
    let report = assemble(&config, &plan, &tally, &[played.own(&tally)], &played.marks, played.costs.clone(), facts);
    let logs = |folder: &Path| logs::write(folder, &config, &plan, partition, &played, replay);
    let written = outputs::write(&config, &report, &tally, logs);
    Ok(report.verdict.outcome.with_outputs(measured && written))
}

/// The floor, if it was asked for, and whether all that was asked for is there. Without it there is still the run.
async fn measure_floor(config: &Config, interrupt: &Interrupt) -> (Option<Floor>, bool) {
    if !config.floor {
        return (None, true);
    }
    match floor::floor(config, interrupt).await {
        Ok(floor) => (Some(floor), true),
        Err(error) => {
            note(format!("muster-loadgen: an output is missing: --floor: {error:#}"));
            (None, false)
        }
    }
}

/// What a report says besides what was measured.
pub struct RunFacts {
    /// The command line.
    pub command: String,
    /// When it began.
    pub started_at: Timestamp,
    /// What a server that does nothing reaches.
    pub floor: Option<Floor>,
    /// Whether the server was held to replay.
    pub replay: bool,
    /// How many took part.
    pub generators: usize,
    /// How far their clocks may be apart.
    pub clock_ms: f64,
    /// Whether it took its course.
    pub course: Completion,
}

/// Whether a run took its course.
#[derive(Debug, Default, Clone, Copy)]
pub struct Completion {
    /// It was interrupted.
    pub cut_short: bool,
    /// A terminal's task or the operator broke off.
    pub failed: bool,
}

/// Everything in one report.
pub fn assemble(
    config: &Config,
    plan: &Plan,
    tally: &Tally,
    own: &[GeneratorCost],
    marks: &[(u64, String)],
    servers: ServerCosts,
    facts: RunFacts,
) -> Report {
    let generator = gates::GeneratorHealth {
        cpu: own.iter().map(|own| own.cpu_share).fold(0.0, f64::max),
        cut_short: facts.course.cut_short,
        failed: facts.course.failed,
        clock_ms: facts.clock_ms,
    };
    let intended = plan.intended(nanos(config.settle), nanos(config.grace));
    Report {
        schema: report::SCHEMA,
        title: config.title.clone(),
        started_at: facts.started_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        command: facts.command,
        seed: plan.seed,
        schedule: format!("{:016x}", plan.hash()),
        intended: (intended.0, format!("{:016x}", intended.1)),
        terminals: config.fleet.terminals,
        measured_s: config.duration.as_secs_f64(),
        span_s: (plan.begin as f64 / 1e9, plan.end as f64 / 1e9),
        closed_loop: config.closed > 0,
        replay: facts.replay,
        verdict: RunVerdict::new(
            gates::gates(config.allowances, tally, generator),
            tally,
            slo::check(&config.slo, &report::with_last(tally)),
        ),
        ledger: tally.ledger.clone(),
        frames: tally.frames,
        messages: tally.messages,
        connections: tally.connections,
        reorder: tally.reorder,
        faults: tally.faults.iter().map(|(kind, count)| (kind.name().to_owned(), *count)).collect(),
        examples: tally.examples.clone(),
        other: tally.other.clone(),
        reasons: tally.reasons.clone(),
        latencies: report::figures(tally),
        live_p99_range: report::confidence::p99_range(&tally.timeline, plan.seed),
        matrix: tally.matrix.iter().map(|(key, latency)| (key.clone(), latency.into())).collect(),
        max_silence_ms: tally.max_silence as f64 / 1e6,
        timeline: report::course::seconds(tally),
        marks: report::course::marks(tally, marks, plan.end),
        servers,
        own: sum(own, tally.frames.read),
        floor: facts.floor,
        environment: environment(),
        generators: facts.generators,
    }
}

/// What several generators cost together; the share of their time is that of the busiest.
fn sum(own: &[GeneratorCost], frames: u64) -> GeneratorCost {
    let cpu_us: f64 = own.iter().map(|own| own.cpu_us_per_frame * own.frames as f64).sum();
    let first = own.first().cloned().unwrap_or_default();
    GeneratorCost {
        cpu_share: own.iter().map(|own| own.cpu_share).fold(0.0, f64::max),
        cpu_us_per_frame: cpu_us / frames.max(1) as f64,
        frames,
        bytes_per_terminal: own.iter().map(|own| own.bytes_per_terminal).max().unwrap_or(0),
        rss_bytes: own.iter().map(|own| own.rss_bytes).sum(),
        preempted: own.iter().map(|own| own.preempted).sum(),
        ..first
    }
}

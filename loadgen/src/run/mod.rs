//! One run in one process: plan, play, measure, report. [`crate::distributed`] does the same with several processes.
//!
//! [`play`] carries out the plan, `judge_thread` judges meanwhile, and `live_metrics` shows how it goes. [`outputs`]
//! checks the output files before the run and writes them after it. `logs` writes the plan and the journal as JSON
//! lines. `floor` measures the generator itself against the null server, with terminals and with `bare` readers.

mod bare;
mod early_ends;
mod floor;
mod judge_thread;
mod live_metrics;
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
    measure::{Tally, promise},
    plan::{Partition, Plan},
    play::{ProgramProcess, operator, tls_check},
    preflight,
    report::{self, Floor, GeneratorCost, Report, baseline},
    verdict::{GeneratorHealth, RunOutcome, RunVerdict, gates, slo, times},
    view,
};

/// Runs `config`, writes its outputs and returns the outcome. `command` is the command line for the report. Fails only
/// if the run can't begin.
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
    let baseline = baseline::read_for(&config.baseline, config.fleet.terminals)?;
    preflight::check(&config.fleet, config.disturb.connections())?;
    tls_check::check(&config).await?;
    operator::ask(&config).await?;
    let interrupt = Interrupt::listen(view::leave)?;
    let program = ProgramProcess::start(&config).await?;
    let pipe = program.as_ref().map(ProgramProcess::pipe);
    let partition = Partition { run: rand::random(), of: 1, rest: 0 };
    let clock = Clock::start_in(head_start(&config));
    let started_at = Timestamp::now();
    let mut played = play(&config, &plan, partition, clock, &interrupt, pipe).await?;
    if let Some(program) = program {
        program.end().await;
    }
    let replay = played.owes_replay();
    let tally = played.judge(replay);
    // After the run, so that the memory of the floor does not count as the terminals'.
    let (floor, ended) = measure_floor(&config, &interrupt).await;
    let course = Completion { cut_short: played.cut_short, failed: played.failed };
    let facts = RunFacts { command, started_at, floor, replay, generators: 1, clock_ms: 0.0, course };
    let mut report =
        assemble(&config, &plan, &tally, &[played.own(&tally)], &played.marks, played.costs.clone(), facts);
    report.verdict.regressed(baseline::regressions(&report, &baseline));
    let logs = |folder: &Path| logs::write(folder, &config, &plan, partition, &played, replay);
    let written = outputs::write(&config, &report, &tally, logs);
    Ok(report.verdict.outcome.or(ended).with_outputs(written))
}

/// Measures the floor if `--floor` is set. Returns it, and the outcome of a run that passed until then. If the
/// measurement failed or a signal ended it, the report has no floor.
async fn measure_floor(config: &Config, interrupt: &Interrupt) -> (Option<Floor>, RunOutcome) {
    if !config.costs.floor {
        return (None, RunOutcome::Pass);
    }
    match floor::floor(config, interrupt).await {
        Ok(Some(floor)) => (Some(floor), RunOutcome::Pass),
        Ok(None) => {
            note("muster-loadgen: --floor was not measured: a signal ended the program early");
            (None, RunOutcome::CutShort)
        }
        Err(error) => {
            note(format!("muster-loadgen: this output could not be written: --floor: {error:#}"));
            (None, RunOutcome::OutputMissing)
        }
    }
}

/// The facts of a report that were not measured.
pub struct RunFacts {
    /// The command line, without secrets.
    pub command: String,
    /// When the run began.
    pub started_at: Timestamp,
    /// The result against the null server, if `--floor` is set.
    pub floor: Option<Floor>,
    /// Whether the server owed a replay of missed messages.
    pub replay: bool,
    /// The number of generators.
    pub generators: usize,
    /// The largest possible difference between their clocks, in milliseconds.
    pub clock_ms: f64,
    /// Whether the run was complete.
    pub course: Completion,
}

/// Whether a run was complete. False in both fields by default, which is a complete run.
#[derive(Debug, Default, Clone, Copy)]
pub struct Completion {
    /// A signal ended the run early.
    pub cut_short: bool,
    /// The task of a terminal panicked, or the operator could not send.
    pub failed: bool,
}

/// Builds the report. `own` has an entry for each generator.
pub fn assemble(
    config: &Config,
    plan: &Plan,
    tally: &Tally,
    own: &[GeneratorCost],
    marks: &[(u64, String)],
    servers: ServerCosts,
    facts: RunFacts,
) -> Report {
    let generator = GeneratorHealth {
        cpu: own.iter().map(|own| own.cpu_share).fold(0.0, f64::max),
        stalled_ms: own.iter().map(|own| own.stalled_ms).fold(0.0, f64::max),
        cut_short: facts.course.cut_short,
        failed: facts.course.failed,
        clock_ms: facts.clock_ms,
    };
    let times = times::gates(tally, generator);
    let gates = gates::gates(config.allowances, tally, generator, &times);
    let checks = slo::check(&config.slo, &report::with_last(tally), &times::untrusted(&times));
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
        promise: promise(config),
        verdict: RunVerdict::new(gates, times, tally, checks),
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
        timeline: report::course::steps(tally),
        timeline_step_s: tally.timeline.step_s,
        marks: report::course::marks(tally, marks, plan.end),
        servers,
        own: sum(own, tally.frames.read),
        floor: facts.floor,
        environment: environment(),
        generators: facts.generators,
    }
}

/// Adds up the costs of several generators. The CPU share and the memory per terminal are the highest of any.
fn sum(own: &[GeneratorCost], frames: u64) -> GeneratorCost {
    let cpu_us: f64 = own.iter().map(|own| own.cpu_us_per_frame * own.frames as f64).sum();
    let first = own.first().cloned().unwrap_or_default();
    GeneratorCost {
        cpu_share: own.iter().map(|own| own.cpu_share).fold(0.0, f64::max),
        cpu_us_per_frame: cpu_us / frames.max(1) as f64,
        frames,
        stalled_ms: own.iter().map(|own| own.stalled_ms).fold(0.0, f64::max),
        bytes_per_terminal: own.iter().map(|own| own.bytes_per_terminal).max().unwrap_or(0),
        rss_bytes: own.iter().map(|own| own.rss_bytes).sum(),
        preempted: own.iter().map(|own| own.preempted).sum(),
        ..first
    }
}

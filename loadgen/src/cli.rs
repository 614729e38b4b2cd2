//! The command line: which verb, with which settings.
//!
//! It stands in the library and blocks, so that the generator's async code is compiled once: an `async fn` is compiled by the crate
//! that polls it, and the program would compile the whole generator a second time.

use std::{env, ffi::OsString, io::IsTerminal, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{
    Args, Parser, Subcommand,
    error::{ContextKind, ContextValue},
};
use tokio::runtime::{self, Runtime};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{
    Config, compare,
    config::{FleetConfig, scenario},
    console::note,
    distributed,
    health::environment::cores,
    hold,
    null::{self, NullFault},
    run,
    verdict::RunOutcome,
};

/// Plays terminals that come and go, and measures latency and every loss
#[derive(Parser)]
#[command(name = "muster-loadgen", version, args_override_self = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run terminals and messages against a server. --scenario NAME_OR_FILE takes flags from a scenario, and those given besides win.
    ///
    /// Exit codes: 0 all is well; 10 an SLO was missed; 11 a message was lost in silence, doubled, swapped, changed or
    /// misdelivered; 12 the numbers mean nothing; 13 a signal cut the run short; 15 an output could not be written; 1 or 2 the
    /// run could not begin. Of several the first of 11, 12, 13, 10, 15 counts.
    #[command(args_override_self = true)]
    Run(Box<Config>),
    /// Run as one of several generators, as a coordinator says
    Agent(AgentArgs),
    /// Run with several agents, and report on all of them together
    #[command(args_override_self = true)]
    Coordinate(Box<CoordinateArgs>),
    /// Hold terminals on the line and print what they get, a line for each message: TERMINAL PAYLOAD
    Hold(FleetConfig),
    /// Set the reports of two sets of runs side by side
    Compare(CompareArgs),
    /// A server that does nothing but deliver, or one that makes a mistake on purpose: to try this instrument itself
    NullServer(NullServerArgs),
}

#[derive(Args)]
struct AgentArgs {
    /// Where the coordinator reaches it. It does what whoever connects says, so only on a network that is trusted
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:9100")]
    listen: SocketAddr,
}

#[derive(Args)]
struct CoordinateArgs {
    /// The agents, each with its part of the terminals
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', required = true)]
    agents: Vec<String>,

    #[command(flatten)]
    config: Config,
}

#[derive(Args)]
struct CompareArgs {
    /// The reports of one side, as --json wrote them: one for each repeat
    #[arg(value_name = "A.json,...", value_delimiter = ',', num_args = 1, required = true)]
    left: Vec<PathBuf>,

    /// Those of the other
    #[arg(value_name = "B.json,...", value_delimiter = ',', num_args = 1, required = true)]
    right: Vec<PathBuf>,
}

#[derive(Args)]
struct NullServerArgs {
    /// Where it serves terminals and takes messages
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// A mistake: drop:N, repeat:N, swap:N, corrupt:N or misdeliver:N happens to the N-th delivery; refuse:N (503) or
    /// ignore:N (no answer) happens to each handshake of every N-th terminal
    #[arg(long, value_name = "WHAT:N")]
    fault: Option<NullFault>,

    /// Each message is delivered so much later than the one before, so that what is to be measured is known
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "0s")]
    drag: Duration,
}

/// Runs the program with this process's arguments.
pub fn main() -> ExitCode {
    let ansi = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_ansi(ansi).with_writer(std::io::stderr);
    // A line that can't be written is dropped. To tell of that, also on standard error, would end the process.
    let lines = lines.log_internal_errors(false);
    tracing_subscriber::registry().with(lines).with(log_filter(&env::var("RUST_LOG").unwrap_or_default())).init();
    match runtime().block_on(start(env::args_os().collect())) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            note(format!("muster-loadgen: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Which log lines are written, by the value of RUST_LOG, such as `info,muster_loadgen=debug`; `warn` if it is empty or can't be read.
fn log_filter(rust_log: &str) -> Targets {
    let directives: Vec<&str> = rust_log.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    let default = Targets::new().with_default(LevelFilter::WARN);
    if directives.is_empty() { default } else { directives.join(",").parse().unwrap_or(default) }
}

/// Half of the cores, for the servers need theirs where they share the machine: on all of them a crowd of terminals that read at once
/// would stand in the way of the generator's own clockwork. TOKIO_WORKER_THREADS says otherwise.
fn runtime() -> Runtime {
    let mut builder = runtime::Builder::new_multi_thread();
    if env::var_os("TOKIO_WORKER_THREADS").is_none() {
        builder.worker_threads((cores() / 2).max(1));
    }
    builder.enable_all().build().expect("threads can be started")
}

async fn start(args: Vec<OsString>) -> anyhow::Result<RunOutcome> {
    let args = scenario::expand(args)?;
    let command = redacted(&args);
    let cli = Cli::try_parse_from(args).unwrap_or_else(|error| masked(error).exit());
    match cli.verb {
        Verb::Run(config) => run::run(*config, command).await,
        Verb::Agent(agent) => distributed::agent::serve(agent.listen).await.map(|()| RunOutcome::Pass),
        Verb::Coordinate(it) => distributed::coordinate::run(it.agents, it.config, command).await,
        Verb::Hold(line) => hold::run(line).await.map(|()| RunOutcome::Pass),
        Verb::Compare(files) => compare::run(&files.left, &files.right).map(|()| RunOutcome::Pass),
        Verb::NullServer(server) => {
            null::server::serve(server.listen, server.fault, server.drag).await.map(|()| RunOutcome::Pass)
        }
    }
}

/// The command line for a report: what follows --key and --secret stays out of it.
fn redacted(args: &[OsString]) -> String {
    let mut hide = false;
    let word = |arg: &OsString| {
        let arg = arg.to_string_lossy().into_owned();
        let (flag, value) = arg.split_once('=').map_or((arg.as_str(), None), |(flag, value)| (flag, Some(value)));
        let secret = matches!(flag, "--key" | "--secret");
        let shown = match value {
            _ if hide => "***".to_owned(),
            Some(_) if secret => format!("{flag}=***"),
            _ => arg.clone(),
        };
        hide = secret && value.is_none();
        shown
    };
    args.iter().skip(1).map(word).collect::<Vec<_>>().join(" ")
}

/// A secret that was mistyped is still a secret: all is told but its text.
fn masked(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg)
        && flag.starts_with("--secret")
    {
        error.insert(ContextKind::InvalidValue, ContextValue::String("***".into()));
    }
    error
}

//! The command line: the subcommands and their flags.
//!
//! [`main`] is in the library and blocks, so that the generator's async code is compiled once: an `async fn` is
//! compiled by the crate that polls it, and the program would compile the whole generator a second time.

use std::{env, ffi::OsString, io::IsTerminal, net::SocketAddr, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};
use muster_protocol::command_line::without_secret;
use tokio::runtime::{self, Runtime};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{
    card::{self, CardArgs, ServeArgs},
    compare,
    config::{Config, FleetConfig, scenario, without_secrets},
    console::note,
    distributed::{self, AgentToken},
    health::environment::cores,
    hold,
    null::{self, NullFault},
    run,
    verdict::RunOutcome,
};

/// Runs terminals that connect and disconnect, measures latency and accounts for every message
#[derive(Parser)]
#[command(name = "muster-loadgen", version, args_override_self = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run terminals and messages against a server. --scenario NAME_OR_FILE takes flags from a scenario; flags on the
    /// command line override them
    ///
    /// Exit codes: 0 what was owed was delivered; 10 an SLO was missed; 11 a message was silently lost, duplicated,
    /// reordered, changed or misdelivered; 12 nobody can know what was delivered; 13 a signal ended the run early; 14 the
    /// run is worse than its baseline; 15 an
    /// output could not be written; 16 an SLO is on times that are not to be trusted; 1 or 2 the run could not begin. If
    /// several apply, the first of 11, 12, 13, 16, 10, 14, 15 is used.
    #[command(args_override_self = true)]
    Run(Box<Config>),
    /// Run as one of several generators that a coordinator directs
    Agent(AgentArgs),
    /// Run with several agents and write one report about all of them
    #[command(args_override_self = true)]
    Coordinate(Box<CoordinateArgs>),
    /// Keep terminals connected and print a line for each message that they receive: TERMINAL PAYLOAD
    Hold(FleetConfig),
    /// Measure a server with a fixed set of scenarios, and write a card about it: NAME.json and NAME.md
    Card(CardArgs),
    /// Start the server that a file describes, print where it serves, and end it at a signal: for other programs that measure
    Serve(ServeArgs),
    /// Compare the reports of two sets of runs, or several cards
    Compare(CompareArgs),
    /// Run a server that only delivers, or makes a mistake on purpose: to test the generator itself
    NullServer(NullServerArgs),
}

#[derive(Args)]
struct AgentArgs {
    /// The address for the coordinator. The agent obeys everyone who connects, or who knows the --agent-token, and the connection
    /// has no TLS, so listen only on a trusted network or through a tunnel
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:9100")]
    listen: SocketAddr,

    #[command(flatten)]
    token: AgentToken,
}

#[derive(Args)]
struct CoordinateArgs {
    /// The addresses of the agents, which are reached without TLS. Each one plays its part of the terminals, and reads the
    /// files of --ca, --client-cert and --client-key on its own host
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', required = true)]
    agents: Vec<String>,

    #[command(flatten)]
    token: AgentToken,

    #[command(flatten)]
    config: Config,
}

#[derive(Args)]
struct CompareArgs {
    /// Two sides: the reports of each as --json wrote them, one for each repetition, with a comma between. Or cards, one or
    /// more, as the subcommand card wrote them
    #[arg(value_name = "A.json,... B.json,... | CARD.json...", required = true)]
    sides: Vec<String>,
}

#[derive(Args)]
struct NullServerArgs {
    /// The address for terminals and for messages. Port 0 is a free port, which is printed
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// A mistake. drop:N, repeat:N, swap:N, corrupt:N and misdeliver:N happen once, to the N-th delivery; dropevery:N,
    /// repeatevery:N and binary:N to every N-th delivery; exclude:N (nothing is delivered) to the N-th terminal; delay:N
    /// (by 3 s) and greet:N to every N-th terminal; close:N (all sessions, with 4000) and stopreading:N after N messages;
    /// refuse:N (503) and ignore:N (no answer) to each handshake of every N-th terminal; noanswer:N to every N-th message
    /// that is posted
    #[arg(long, value_name = "WHAT:N")]
    fault: Option<NullFault>,

    /// Deliver each message later than the previous one by this time, so that the latencies to be measured are known
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "0s")]
    drag: Duration,

    /// End when stdin ends: with the process that holds the other end of the pipe, in whatever way that process ends
    #[arg(long, hide = true)]
    until_stdin_ends: bool,
}

/// Runs the program with the arguments of this process, and returns its exit code.
pub fn main() -> ExitCode {
    let ansi = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_ansi(ansi).with_writer(std::io::stderr);
    // A log line that can't be written is dropped. Reporting that on stderr, too, would panic.
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

/// The filter for log lines from the value of RUST_LOG, such as `info,muster_loadgen=debug`; `warn` if the value is
/// empty or invalid.
fn log_filter(rust_log: &str) -> Targets {
    let directives: Vec<&str> = rust_log.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    let default = Targets::new().with_default(LevelFilter::WARN);
    if directives.is_empty() { default } else { directives.join(",").parse().unwrap_or(default) }
}

/// Uses half of the cores. Servers on the same machine need the others, and with a thread on each core, many terminals
/// that read at once would delay the generator's own timing threads. TOKIO_WORKER_THREADS overrides the number.
fn runtime() -> Runtime {
    let mut builder = runtime::Builder::new_multi_thread();
    if env::var_os("TOKIO_WORKER_THREADS").is_none() {
        builder.worker_threads((cores() / 2).max(1));
    }
    builder.enable_all().build().expect("threads can be started")
}

async fn start(args: Vec<OsString>) -> anyhow::Result<RunOutcome> {
    let args = scenario::expand(args)?;
    let words: Vec<String> = args.iter().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let cli = Cli::try_parse_from(args).unwrap_or_else(|error| without_secret(error).exit());
    match cli.verb {
        Verb::Run(config) => run::run(*config, without_secrets(&words).join(" ")).await,
        Verb::Agent(agent) => distributed::agent::serve(agent.listen, &agent.token).await.map(|()| RunOutcome::Pass),
        Verb::Coordinate(it) => distributed::coordinate::run(it.agents, &it.token, it.config, words).await,
        Verb::Hold(line) => hold::run(line).await.map(|()| RunOutcome::Pass),
        Verb::Card(card) => card::run(card).await,
        Verb::Serve(server) => card::serve(server).await,
        Verb::Compare(files) => compare::run(&files.sides).map(|()| RunOutcome::Pass),
        Verb::NullServer(server) => {
            let serve = null::server::serve(server.listen, server.fault, server.drag);
            null::server::until_stdin_ends(server.until_stdin_ends, serve).await.map(|()| RunOutcome::Pass)
        }
    }
}

//! Terminals that run commands and write down what they ran, as a program on a kiosk would. For trying a cluster out,
//! and for scripts that compare what operators were told with what terminals did.
//!
//! ```text
//! cargo run --release -p muster-testkit --bin agents -- --url ws://127.0.0.1:9000/ws --terminals 100 --log ran.jsonl
//! ```
//!
//! Each line of the log is a JSON object: `terminal`, `at` (milliseconds since 1970), `what` (`online`, `offline`,
//! `gone`, `run`, `repeated`, `expired`, `gap`, `error`, `not_sent`, `token_unavailable`) and the fields of that kind.

mod log;

use std::{
    io::{self, Write},
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use clap::Parser;
use muster_client::{Config, Incoming, Terminal, TlsSource, TokenSource};
use muster_net::TlsArgs;
use muster_protocol::{
    TerminalId,
    frame::Command,
    token::{Secret, TerminalClaims, sign},
};
use serde_json::json;
use tokio::{sync::mpsc, task::JoinSet};

use crate::log::Log;

/// Terminals that run commands and write down what they ran
#[derive(Debug, Clone, Parser)]
struct Args {
    /// The URLs to connect to; of several, each terminal begins with the next
    #[arg(long, value_delimiter = ',', required = true)]
    url: Vec<String>,
    /// How many terminals: agent-0, agent-1, ...
    #[arg(long, default_value_t = 10)]
    terminals: usize,
    /// The beginning of their ids
    #[arg(long, default_value = "agent-")]
    prefix: String,
    /// Signs their tokens; none are sent without it
    #[arg(long, env = "MUSTER_SECRET", hide_env_values = true)]
    secret: Option<Secret>,
    /// A folder with their tokens, each in the file that is named like the terminal, instead of --secret. The files are
    /// read again whenever a token is needed
    #[arg(long)]
    tokens: Option<PathBuf>,
    /// The log; new lines are appended
    #[arg(long)]
    log: PathBuf,
    /// The first of them, this many, acknowledge nothing and send no results
    #[arg(long, default_value_t = 0)]
    mute: usize,
    /// A label of all of them, as site=bj; may be repeated
    #[arg(long, value_parser = label)]
    label: Vec<(String, String)>,
    /// Send a result for each command, with the command's payload
    #[arg(long)]
    results: bool,
    /// So many of the first results of all of them say that the command failed
    #[arg(long, default_value_t = 0)]
    fail: u64,
    /// The longest first delay before a terminal reconnects
    #[arg(long, default_value = "1s", value_parser = humantime::parse_duration)]
    first: Duration,
    /// The longest delay before a terminal reconnects, however often it failed
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
    cap: Duration,
    /// A folder where each terminal keeps its cursor and the commands it has seen
    #[arg(long)]
    memory: Option<PathBuf>,
    /// Decides when they reconnect; random by default
    #[arg(long, env = "MUSTER_SEED")]
    seed: Option<u64>,
    #[command(flatten)]
    tls: TlsArgs,
    /// A planted bug, to see that it is found: drop, repeat or swap one command in 200
    #[arg(long)]
    bug: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let log = Log::open(&args.log)?;
    let mut agents = JoinSet::new();
    let tls = TlsSource::files(args.tls.files());
    for number in 0..args.terminals {
        let config = Config { tls: tls.clone(), ..config(&args, number)? };
        let (tell, told) = mpsc::channel(64);
        let id = config.terminal.clone();
        let terminal = Terminal::start(config, tell)?;
        let args = Args { results: args.results && number >= args.mute, ..args.clone() };
        agents.spawn(work(id, terminal, told, args, log.clone()));
    }
    let _ = writeln!(io::stdout(), "agents ready");
    while agents.join_next().await.is_some() {}
    Ok(())
}

fn config(args: &Args, number: usize) -> anyhow::Result<Config> {
    let id: TerminalId = format!("{}{number}", args.prefix).parse()?;
    let mut urls = args.url.clone();
    urls.rotate_left(number % args.url.len());
    let mut config = Config::new(urls, id.clone());
    config.seed = args.seed.map_or(config.seed, |seed| seed.wrapping_add(number as u64));
    config.acknowledge = number >= args.mute;
    config.policy.first = args.first;
    config.policy.cap = args.cap;
    config.labels = args.label.iter().cloned().collect();
    config.memory = args.memory.as_ref().map(|folder| folder.join(id.as_str()));
    if let Some(folder) = &args.tokens {
        config.token = Some(TokenSource::file(folder.join(id.as_str())));
    } else if let Some(secret) = &args.secret {
        let day = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)? + Duration::from_secs(24 * 3600);
        let claims = TerminalClaims::new(id, day.as_secs());
        config.token = Some(sign(secret, &claims).parse()?);
    }
    Ok(config)
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a label is written KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// One terminal: runs each command that it receives, in order, until the terminal is gone.
async fn work(id: TerminalId, terminal: Terminal, mut told: mpsc::Receiver<Incoming>, args: Args, log: Log) {
    let mut swapped: Option<Command> = None;
    while let Some(incoming) = told.recv().await {
        match incoming {
            Incoming::Online { welcome, .. } => {
                let welcome = welcome.map(|welcome| json!({ "node": welcome.node, "resumed": welcome.resumed }));
                log.write(&id, "online", welcome.unwrap_or_default());
            }
            Incoming::Command { command, .. } if swapped.is_none() && strikes(&args, "swap") => {
                swapped = Some(command);
            }
            Incoming::Command { command, .. } => {
                run(&id, &terminal, &command, &args, &log).await;
                // There is an order among commands to all, and among commands to one terminal; there is none between
                // the two.
                if let Some(command) = swapped.take_if(|held| held.cursor.is_some() == command.cursor.is_some()) {
                    run(&id, &terminal, &command, &args, &log).await;
                }
            }
            Incoming::Text { text, .. } => log.write(&id, "run", json!({ "payload": text })),
            Incoming::Binary { bytes, .. } => log.write(&id, "run", json!({ "bytes": bytes.len() })),
            Incoming::EventStored(event) => log.write(&id, "event_stored", json!({ "event": event })),
            Incoming::Repeated(command) => log.write(&id, "repeated", json!({ "command": command })),
            Incoming::Expired(command) => log.write(&id, "expired", json!({ "command": command })),
            Incoming::Gap(gap) => log.write(&id, "gap", json!({ "reason": gap.reason })),
            Incoming::Error(error) => log.write(&id, "error", json!({ "message": error.message })),
            Incoming::NotSent(error) => log.write(&id, "not_sent", json!({ "error": error.to_string() })),
            Incoming::TokenUnavailable(error) => {
                log.write(&id, "token_unavailable", json!({ "error": error.to_string() }));
            }
            Incoming::Offline { end, retry_in } => {
                let retry_ms = retry_in.as_millis() as u64;
                log.write(&id, "offline", json!({ "end": end.to_string(), "retry_ms": retry_ms }));
            }
            Incoming::Gone(end) => log.write(&id, "gone", json!({ "end": end.to_string() })),
        }
    }
}

async fn run(id: &TerminalId, terminal: &Terminal, command: &Command, args: &Args, log: &Log) {
    let line = || json!({ "command": command.id, "payload": command.payload });
    if !strikes(args, "drop") {
        log.write(id, "run", line());
    }
    if strikes(args, "repeat") {
        log.write(id, "run", line());
    }
    if args.results {
        let _ = terminal.result(command.id, succeeds(args), command.payload.clone()).await;
    }
}

/// Whether the next result says that the command succeeded.
fn succeeds(args: &Args) -> bool {
    static RESULTS: AtomicU64 = AtomicU64::new(0);
    RESULTS.fetch_add(1, Ordering::Relaxed) >= args.fail
}

/// Whether the planted bug happens now: at every 200th command that any of the terminals runs.
fn strikes(args: &Args, bug: &str) -> bool {
    static COMMANDS: AtomicU64 = AtomicU64::new(0);
    args.bug.as_deref() == Some(bug) && COMMANDS.fetch_add(1, Ordering::Relaxed) % 200 == 199
}

//! `muster-sidecar` keeps the list of nodes of an unmodified Nginx up to date, without cutting a connection.
//!
//! ```text
//!           sources ─▶ registry_trust ─▶ membership ─┬▶ reload_pacing ─▶ activation ─▶ generations ─▶ Nginx
//!                                         ▲          │                     └ confirm, or roll back    ▲
//!                            probe ───────┘          └▶ dns ◀── asked each second, Nginx ≥ 1.27.3 ────┘
//!            └───────────────────── reconcile runs all of this once per --poll ─────────────────────┘
//! ```
//!
//! No session passes through the sidecar. When it stops, Nginx goes on with the nodes that it has.
//!
//! | Module | What it does |
//! |---|---|
//! | [`capacity`] | whether the host gives what --sessions needs, and which connections found no room |
//! | [`memory`] | whether there is the memory that --sessions needs |
//! | [`config`] | the flags, the words that they take, and which collide |
//! | [`signals`] | what the process is asked for by signals |
//! | [`reconcile`] | the loop: reads the leases, decides, applies, reports |
//! | [`sources`] | where the nodes are named: leases, a file, or a name in DNS |
//! | [`leases`] | reads the nodes' leases from all partitions of the store, and checks their seals |
//! | [`terms`] | checks that nodes and this proxy agree on their settings |
//! | [`registry_trust`] | decides whether a missing lease means anything, for each partition |
//! | [`probe`] | asks nodes without a lease whether they are alive |
//! | [`membership`] | decides which nodes are served |
//! | [`reload_pacing`] | decides when a change is worth a reload |
//! | [`retry`] | decides when a failed change is tried again |
//! | [`activation`] | applies a set of nodes, or goes back to the set before |
//! | [`check`] | checks a configuration with `nginx -t` |
//! | [`control`] | asks Nginx by HTTP |
//! | [`confirm`] | asks Nginx which generation it runs |
//! | [`start`] | chooses the generation that a sidecar starts with |
//! | [`listeners`] | where Nginx listens |
//! | [`template`] | makes the text of the configuration |
//! | [`generations`], [`nodes_conf`] | stores configurations on the disk; reads the nodes of one |
//! | [`own_files`], [`own_watch`] | copy the operator's snippets and certificate, and notice changes of them |
//! | [`nginx`], [`workers`] | the processes of Nginx |
//! | [`nginx_log`] | cuts secrets out of Nginx's error log |
//! | [`error_answers`] | counts the errors that clients get, by cause |
//! | [`retirement`] | moves the sessions of old workers |
//! | [`resolve`], [`dns`] | tell a newer Nginx of the nodes by DNS, without reloads |
//! | [`ports`] | the addresses that a proxy keeps over restarts |
//! | [`state`], [`status`], [`metrics`] | what the sidecar shows at `/state` and `/metrics` |
//! | [`differences`], [`report`] | what is not as it should be; and the report of it to the nodes |
//! | [`certificate`], [`connections`] | when the certificate ends; the connections that are used |
//! | [`render`] | the command `muster-sidecar render` |

mod activation;
mod capacity;
mod certificate;
mod check;
mod config;
mod confirm;
mod connections;
mod control;
mod differences;
mod dns;
mod error_answers;
#[cfg(test)]
mod fuzzing;
mod generations;
mod leases;
mod listeners;
mod membership;
mod memory;
mod metrics;
mod nginx;
mod nginx_log;
mod nodes_conf;
mod own_files;
mod own_watch;
mod ports;
mod probe;
mod reconcile;
mod registry_trust;
mod reload_pacing;
mod render;
mod report;
mod resolve;
mod retirement;
mod retry;
mod signals;
mod sources;
mod start;
mod state;
mod status;
mod template;
mod terms;
mod workers;

use std::{
    env, fs,
    io::{IsTerminal, Write},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use clap::{Parser, Subcommand};
use muster_service::{
    PidFile,
    output::{LogWriter, print_line},
};
use rustix::fs::{FlockOperation, flock};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{config::Config, signals::Signals, status::StatusServer};

/// Keeps the list of nodes of an unmodified Nginx up to date, without cutting a connection
#[derive(Parser)]
#[command(name = "muster-sidecar", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    verb: Option<SidecarCommand>,

    #[command(flatten)]
    config: Config,
}

#[derive(Subcommand)]
enum SidecarCommand {
    /// Print the configuration for the nodes that hold a lease, and change nothing
    Render {
        /// Print it once and end; otherwise it is printed again at each change
        #[arg(long)]
        once: bool,

        /// Print only the differences to the configuration that is served
        #[arg(long)]
        diff: bool,

        #[command(flatten)]
        config: Box<Config>,
    },

    /// Copy Nginx's error log from standard input to standard error without the queries of requests
    #[command(hide = true)]
    FilterLog,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(SidecarCommand::FilterLog) = cli.verb {
        return filter_log();
    }
    let ansi = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_ansi(ansi).with_writer(|| LogWriter);
    tracing_subscriber::registry().with(lines).with(log_filter(&env::var("RUST_LOG").unwrap_or_default())).init();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(LogWriter, "muster-sidecar: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Filters until the last process of Nginx has ended. A signal to all processes of this name does not end the filter:
/// Nginx would have no log any more.
#[tokio::main(flavor = "current_thread")]
async fn filter_log() -> ExitCode {
    let _ignored = Signals::listen();
    let filtered = nginx_log::run(std::io::stdin().lock(), LogWriter);
    if filtered.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns which log lines are written, by the value of RUST_LOG, such as `info,muster_sidecar=debug`; `info` if it is
/// empty or can't be read.
fn log_filter(rust_log: &str) -> Targets {
    let directives: Vec<&str> = rust_log.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    let default = Targets::new().with_default(LevelFilter::INFO);
    if directives.is_empty() { default } else { directives.join(",").parse().unwrap_or(default) }
}

#[tokio::main(flavor = "current_thread")]
async fn run(cli: Cli) -> anyhow::Result<()> {
    if let Some(SidecarCommand::Render { once, diff, config }) = cli.verb {
        return render::run(config.load_files()?, once, diff).await;
    }
    let signals = Signals::listen()?;
    let config = cli.config.load_files()?;
    let _lock = lock(&config)?;
    if config.signal.is_none() {
        // This only warns, so it comes before what may end the program.
        memory::check(&config);
        capacity::check_limits(&config)?;
    }
    let _pid_file = config.pid_file.as_deref().map(PidFile::write).transpose()?;
    let shown = Arc::new(StatusServer::default());
    if let Some(address) = config.status {
        let listener = status::bind(address).await?;
        print_line(format_args!("muster-sidecar status on {}", listener.local_addr()?));
        // The task ends with the process. A request for /metrics that is cut off then does no harm.
        tokio::spawn(status::serve(listener, shown.clone()));
    }
    reconcile::run(config, shown, |address| print_line(format_args!("muster-sidecar ready on {address}")), signals)
        .await
}

/// Locks `--dir`, since two sidecars in one folder would undo each other's changes. The kernel releases the lock when
/// the process ends, also when it is killed.
fn lock(config: &Config) -> anyhow::Result<fs::File> {
    let path = config.dir.join("lock");
    let file = fs::File::create(&path).with_context(|| format!("--dir: can't write {}", path.display()))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .with_context(|| format!("--dir {}: another sidecar works there", config.dir.display()))?;
    Ok(file)
}

//! `muster-sidecar`: keeps a stock Nginx in step with the live nodes, without cutting a connection.
//!
//! ```text
//!   Redis ── leases ─▶ trust ─▶ membership ─┬▶ pace ─▶ rollout ─▶ template, generations, Nginx
//!                        ▲ probe ──┘        │             └ confirms, or puts back       ▲
//!                        │                  └▶ dns ─── or it asks each second, from 1.27.3 on
//!                        └──────────── follow decides, on a beat ────────────┘
//! ```
//!
//! In reading order: [`config`]; [`reconcile`] is the loop; [`leases`] reads the registry, [`registry_trust`] doubts it, [`probe`] asks the
//! nodes themselves, and [`membership`] decides who is in. [`reload_pacing`] says when, and [`rollout`] applies, with [`template`] for the text,
//! [`generations`] for the disk and [`nginx`] for the process; an Nginx that can [`resolve`] asks [`dns`], and is not reloaded for it. For
//! the operator's [`own_files`] it is, when [`own_watch`] sees that they changed.
//! [`workers`] and [`retirement`] see to what reloads leave behind; [`status`] and [`metrics`] show its [`state`]. Not in the path of a session:
//! it may stop, and all goes on.

mod config;
mod confirm;
mod dns;
mod generations;
mod leases;
mod membership;
mod metrics;
mod nginx;
mod output;
mod own_files;
mod own_watch;
mod ports;
mod probe;
mod reconcile;
mod registry_trust;
mod reload_pacing;
mod render;
mod resolve;
mod retirement;
mod retry;
mod rollout;
mod start;
mod state;
mod status;
mod template;
mod workers;

use std::{
    env, fs,
    io::{IsTerminal, Write},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use clap::{Parser, Subcommand};
use rustix::fs::{FlockOperation, flock};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{
    config::Config,
    output::{LogWriter, print_line},
    status::StatusServer,
};

/// Keeps a stock Nginx in step with the live nodes, without cutting a connection
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
    /// Show the configuration that the live nodes make, and change nothing
    Render {
        /// And end; otherwise again at each change
        #[arg(long)]
        once: bool,

        /// Only what differs from the one that is served
        #[arg(long)]
        diff: bool,

        #[command(flatten)]
        config: Box<Config>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
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

/// Which log lines are written, by the value of RUST_LOG, such as `info,muster_sidecar=debug`; `info` if it is empty or can't be read.
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
    let config = cli.config.load_files()?;
    let _lock = lock(&config)?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = async || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let shown = Arc::new(StatusServer::default());
    if let Some(address) = config.status {
        let listener = status::bind(address).await?;
        print_line(format_args!("muster-sidecar status on {}", listener.local_addr()?));
        // Ends with the process: nobody waits for a page of numbers.
        tokio::spawn(status::serve(listener, shown.clone()));
    }
    reconcile::run(config, shown, |address| print_line(format_args!("muster-sidecar ready on {address}")), stop).await
}

/// Two sidecars in one folder would undo each other's work. The lock goes with its process, however that ends.
fn lock(config: &Config) -> anyhow::Result<fs::File> {
    let path = config.dir.join("lock");
    let file = fs::File::create(&path).with_context(|| format!("--dir: can't write {}", path.display()))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .with_context(|| format!("--dir {}: another sidecar works there", config.dir.display()))?;
    Ok(file)
}

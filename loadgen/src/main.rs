//! `muster-loadgen`: plays thousands of terminals that come and go, and measures latency and every loss.
//!
//! ```text
//!   config ──▶ plan ──▶ fleet ───────▶ log ──▶ ledger ──▶ report
//!                 └───▶ broadcaster ────┘        latency ──┘
//! ```
//!
//! What is to happen is planned before it begins ([`plan`]); [`fleet`] and [`broadcaster`] carry it out and only write down what
//! they see ([`log`]); [`ledger`] and [`latency`] judge it when all is over; [`report`] prints. None does another's part.

mod broadcaster;
mod config;
mod fleet;
mod hold;
mod latency;
mod ledger;
mod log;
mod plan;
mod report;

use std::{io::IsTerminal, process::ExitCode, sync::Arc, time::Duration};

use clap::{
    Parser, Subcommand,
    error::{ContextKind, ContextValue},
};
use tokio::time::{self, Instant};
use tracing_subscriber::EnvFilter;

use crate::{
    config::{Config, Line},
    log::Log,
    plan::Plan,
    report::Report,
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
    /// Run terminals and broadcasts against a cluster; ends with 0 only if every message arrived, once
    Run(Box<Config>),
    /// Hold terminals on the line and print what they get, a line for each message: TERMINAL PAYLOAD
    Hold(Line),
}

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(ansi).with_writer(std::io::stderr).init();
    let cli = Cli::try_parse().unwrap_or_else(|error| masked(error).exit());
    let clean = match cli.verb {
        Verb::Run(config) => run(*config),
        Verb::Hold(line) => hold::run(line).map(|()| true),
    };
    match clean {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("muster-loadgen: {error:#}");
            ExitCode::from(2)
        }
    }
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

#[tokio::main]
async fn run(config: Config) -> anyhow::Result<bool> {
    config.validate()?;
    broadcaster::ask(&config).await?;
    let plan = Arc::new(Plan::new(&config));
    eprintln!("seed {}, schedule {:016x}", plan.seed, plan.hash());
    let log = Arc::new(Log::new(config.line.terminals, Instant::now()));
    let mut fleet = fleet::start(&config, plan.clone(), log.clone())?;
    let broadcasts = tokio::spawn(broadcaster::run(config.clone(), plan.clone(), log.clone()));
    let cut_short = !watch(&config, &plan, &log).await;
    broadcasts.abort();
    fleet.shutdown().await;
    let report = Report::new(&config, &plan, &log, cut_short);
    print!("{report}");
    if let Some(file) = &config.json {
        std::fs::write(file, report.json()).map_err(|error| anyhow::anyhow!("--json {}: {error}", file.display()))?;
    }
    Ok(report.is_clean())
}

/// Says once a second how it goes, until the end; false if it was interrupted.
async fn watch(config: &Config, plan: &Plan, log: &Log) -> bool {
    let end = log.began + plan.end + config.grace;
    let mut beat = time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return false,
            () = time::sleep_until(end) => return true,
            _ = beat.tick() => eprintln!("{}", log.progress()),
        }
    }
}

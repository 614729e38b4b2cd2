//! `muster-sidecar`: keeps a stock Nginx in step with the live nodes.
//!
//! ```text
//!   Redis ── leases ──▶ membership ──▶ template ──▶ proxy ──▶ Nginx
//!                └──────── follow decides, on a beat ────┘
//! ```
//!
//! In reading order: [`config`], [`follow`] (the loop), [`leases`], [`membership`], [`proxy`], [`template`].

mod config;
mod follow;
mod leases;
mod membership;
mod proxy;
mod template;

use std::{io::IsTerminal, process::ExitCode};

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    match run(config::Config::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("muster-sidecar: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(config: config::Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(ansi).with_writer(std::io::stderr).init();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    follow::run(config, |address| println!("muster-sidecar ready on {address}"), stop).await
}

//! The node as a process: its log, its runtime and the signals that stop it.

use std::io::IsTerminal;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::{config::Config, serve};

/// Runs a node until SIGTERM, SIGINT or an operator stops it. It prints one line once it serves.
///
/// It stands in the library, and blocks, so that the node's async code is compiled once: an `async fn` is compiled by the crate that
/// polls it, and the program would compile all of the node a second time.
#[tokio::main]
pub async fn run(config: Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let config = config.settle()?;
    config.validate()?;
    let socket = serve::bind(&config)?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    serve::run(config, socket, |address| println!("muster-node ready on {address}"), stop).await
}

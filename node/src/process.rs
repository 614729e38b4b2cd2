//! The node as a program: its log, its runtime and the signals that stop it.

use std::{
    env,
    io::{self, IsTerminal, Write},
    sync::Arc,
};

use muster_service::PidFile;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{config::Config, serve};

/// Runs a node until SIGTERM, SIGINT or an operator stops it. On SIGHUP it reads its files again. Prints one line on standard output once the node
/// serves.
///
/// This function is in the library, and blocks, so that the node's async code is compiled once: an `async fn` is
/// compiled by the crate that polls it, and the program would compile all of the node a second time.
#[tokio::main]
pub async fn run(config: Config) -> anyhow::Result<()> {
    let ansi = io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_ansi(ansi).with_writer(io::stderr);
    // A log line that can't be written, because the reader has gone or the disk is full, is dropped. Reporting that
    // on standard error would end the process.
    let lines = lines.log_internal_errors(false);
    tracing_subscriber::registry().with(lines).with(log_filter(&env::var("RUST_LOG").unwrap_or_default())).init();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let reload = reload_on_hangup()?;
    let config = config.load_files()?;
    config.validate()?;
    let socket = serve::bind(&config)?;
    let _pid_file = config.pid_file.as_deref().map(PidFile::write).transpose()?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let ready = |address| drop(writeln!(io::stdout(), "muster-node ready on {address}"));
    serve::run(config, socket, ready, stop, reload).await
}

/// Notifies at each SIGHUP, which ends nothing from now on. Those that come before the notice is taken count as one.
fn reload_on_hangup() -> io::Result<Arc<Notify>> {
    let (mut hangup, reload) = (signal(SignalKind::hangup())?, Arc::new(Notify::new()));
    let notified = reload.clone();
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            notified.notify_one();
        }
    });
    Ok(reload)
}

/// Which log lines are written, from the value of RUST_LOG, such as `info,muster_node=debug`. The default is `info`,
/// also for a value that can't be parsed.
fn log_filter(rust_log: &str) -> Targets {
    let directives: Vec<&str> = rust_log.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    let default = Targets::new().with_default(LevelFilter::INFO);
    if directives.is_empty() { default } else { directives.join(",").parse().unwrap_or(default) }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn log_lines_are_written_by_target_and_level() {
        let filter = log_filter("warn, muster_node=debug,");
        assert!(filter.would_enable("muster_node::hub", &Level::DEBUG) && filter.would_enable("hyper", &Level::WARN));
        assert!(!filter.would_enable("muster_node::hub", &Level::TRACE) && !filter.would_enable("hyper", &Level::INFO));
        for default in ["", " , ", "muster_node=loud"] {
            let filter = log_filter(default);
            assert!(
                filter.would_enable("hyper", &Level::INFO) && !filter.would_enable("hyper", &Level::DEBUG),
                "{default:?}"
            );
        }
    }
}

//! The conformance program of the Rust client: what it does and prints stands in clients/README.md. With `--break R9` it breaks that rule,
//! so that a test can see the kit find it.

mod breaks;
mod changes;
mod lines;
mod relay;
mod work;

use std::{env, ffi::OsString, path::Path, process, time::Duration};

use anyhow::Context;
use clap::Parser;
use muster_client::{Config, Policy, Terminal, TokenSource};
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::{
    breaks::BrokenRule,
    work::{KitProgram, work},
};

/// The conformance program of the Rust client
#[derive(Parser)]
#[command(name = "kit-terminal")]
struct Args {
    /// A rule to break, as R9
    #[arg(long = "break", value_enum)]
    broken: Option<BrokenRule>,
}

/// MUSTER_POLICY: all times in milliseconds.
#[derive(Deserialize)]
struct GivenPolicy {
    first_ms: u64,
    cap_ms: u64,
    stable_ms: u64,
    slow_ms: u64,
    hint_cap_ms: u64,
    deadline_ms: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let broken = Args::parse().broken;
    let mut config = config()?;
    if let Some(broken) = broken {
        broken.change(&mut config);
        if broken.needs_relay() {
            config.urls = vec![relay::start(&config.urls[0], broken).await?];
        }
        if broken == BrokenRule::R29 {
            tokio::spawn(end_without_token(env::var_os("MUSTER_TOKEN_FILE").unwrap_or_default()));
        }
    }
    let (tell, commands) = mpsc::unbounded_channel();
    let program = KitProgram { tell, broken };
    let terminal = Terminal::start(config, program)?;
    work(terminal, commands, broken).await
}

/// Ends the program when the file of the token is missing, which breaks R29.
async fn end_without_token(file: OsString) {
    while Path::new(&file).exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    process::exit(1);
}

/// The configuration that the kit's environment asks for.
fn config() -> anyhow::Result<Config> {
    let variable = |name: &str| env::var(name).with_context(|| format!("{name} is not set: the kit sets it"));
    let urls = variable("MUSTER_URL")?;
    let mut config = Config::new(urls.split(','), variable("MUSTER_TERMINAL")?.parse()?);
    config.token = Some(TokenSource::file(variable("MUSTER_TOKEN_FILE")?));
    config.memory = Some(Path::new(&variable("MUSTER_STATE")?).join("memory"));
    config.labels.insert("kit".into(), "yes".into());
    let given: GivenPolicy = serde_json::from_str(&variable("MUSTER_POLICY")?).context("MUSTER_POLICY")?;
    config.deadline = Duration::from_millis(given.deadline_ms);
    config.policy = Policy {
        first: Duration::from_millis(given.first_ms),
        cap: Duration::from_millis(given.cap_ms),
        stable: Duration::from_millis(given.stable_ms),
        slow: Duration::from_millis(given.slow_ms),
        hint_cap: Duration::from_millis(given.hint_cap_ms),
    };
    Ok(config)
}

//! `muster-terminal`: the agent for boxes. It reports their health, and runs the commands that its configuration allows.
//!
//! ```text
//!   settings ──▶ agent ◀──▶ client ◀──▶ node
//!                 │ └─ work ─┬▶ allowed ──▶ program ──▶ output      a command that is run
//!                 │          └▶ files                               a file that is fetched
//!                 └──▶ health                                       what the box says of itself
//! ```
//!
//! | Module | What it does |
//! |---|---|
//! | [`settings`] | the configuration file |
//! | [`agent`] | the loop: commands, health, and the end |
//! | [`work`] | what a command has the box do |
//! | [`allowed`] | decides which program a command runs, and with which arguments |
//! | [`program`] | runs a program within bounds of time and output |
//! | [`output`] | the end of a program's output, as it fits into a reply |
//! | [`files`] | fetches files that operators send |
//! | [`health`] | measures the box, and runs the operator's own checks |

mod agent;
mod allowed;
mod files;
mod health;
mod output;
mod program;
mod settings;
mod work;

use std::{io, path::PathBuf, process::ExitCode};

use clap::Parser;
use muster_service::output::{LogWriter, note};
use tracing_subscriber::{filter::LevelFilter, fmt};

use crate::{agent::Agent, settings::AgentSettings};

/// Connects this box to a Muster cluster: reports its health, and runs the commands that its configuration allows
#[derive(Parser)]
#[command(name = "muster-terminal", version)]
struct Cli {
    /// The configuration file, in TOML
    #[arg(long, env = "MUSTER_TERMINAL_CONFIG", value_name = "FILE", default_value = "/etc/muster/terminal.toml")]
    config: PathBuf,

    /// Check the configuration file and end
    #[arg(long)]
    check: bool,
}

/// The exit code if a node told this terminal to stay away. A service manager must not start it again.
const TOLD_TO_STAY_AWAY: u8 = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    fmt()
        .with_max_level(LevelFilter::INFO)
        .with_writer(|| LogWriter)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
        .init();
    match run(&cli).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => TOLD_TO_STAY_AWAY.into(),
        Err(error) => {
            note(format_args!("muster-terminal: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Returns false if a node told this terminal to stay away.
async fn run(cli: &Cli) -> anyhow::Result<bool> {
    let settings = AgentSettings::read(&cli.config)?;
    if cli.check {
        settings.client()?.check()?;
        return Ok(true);
    }
    Agent::start(settings)?.run().await
}

//! `muster-terminal`: the agent for boxes. It reports their health, and runs the commands that its configuration allows.
//!
//! ```text
//!   settings ──▶ agent ◀──▶ client ◀──▶ node
//!                 │ ├─ work ─┬▶ allowed ──▶ program ──▶ output      a command that is run
//!                 │ │        ├▶ files ──┬▶ transfer                 a file that is fetched
//!                 │ │        └▶ upload ─┘                           a file that is sent
//!                 │ └─ update ──▶ signature                         another version of the agent
//!                 └──▶ health                                       what the box says of itself
//! ```
//!
//! | Module | What it does |
//! |---|---|
//! | [`settings`], [`limits`] | the configuration file, and what its settings may be |
//! | [`agent`] | the loop: commands, health, and the end |
//! | [`work`], [`work_end`] | what a command has the box do, and what became of it |
//! | [`allowed`] | decides which program a command runs, and with which arguments |
//! | [`program`] | runs a program within bounds of time and output |
//! | [`output`] | the end of a program's output, as it fits into a reply |
//! | [`files`] | fetches files that operators send |
//! | [`upload`] | sends files that operators ask for |
//! | [`transfer`] | what fetching and sending share: the server, and when an attempt is repeated |
//! | [`signature`] | who has made a program, and which version it is |
//! | [`update`] | the update of the agent by itself |
//! | [`durable`] | files that a power cut leaves whole |
//! | [`health`] | measures the box, and runs the operator's own checks |
//! | [`platform`] | what is done in one way on Unix and in another on Windows |

mod agent;
mod allowed;
mod durable;
mod files;
#[cfg(test)]
mod fuzzing;
mod health;
mod limits;
mod output;
mod platform;
mod program;
mod settings;
mod signature;
mod transfer;
mod update;
mod upload;
mod work;
mod work_end;

use std::{io, path::PathBuf, process::ExitCode};

use clap::Parser;
use muster_service::output::{LogWriter, note};
use tracing_subscriber::{filter::LevelFilter, fmt};

use crate::{
    agent::{Agent, AgentEnd},
    settings::AgentSettings,
    update::start::{own_file, start_chosen},
};

/// Connects this box to a Muster cluster: reports its health, and runs the commands that its configuration allows
#[derive(Parser)]
#[command(name = "muster-terminal", version)]
struct Cli {
    /// The configuration file, in TOML
    #[arg(long, env = "MUSTER_TERMINAL_CONFIG", value_name = "FILE", default_value = platform::CONFIG)]
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
        Ok(AgentEnd::ToldToStayAway) => TOLD_TO_STAY_AWAY.into(),
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            note(format_args!("muster-terminal: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> anyhow::Result<AgentEnd> {
    if cli.check {
        AgentSettings::read(&cli.config)?.client()?.check()?;
        return Ok(AgentEnd::Asked);
    }
    // A program that an update has brought was chosen already.
    if own_file().is_none() {
        start_chosen(&cli.config);
    }
    loop {
        let end = Agent::start(AgentSettings::read(&cli.config)?)?.run().await?;
        if end != AgentEnd::Switch {
            return Ok(end);
        }
        // If this returns, the new program can't be started, and this one goes on.
        start_chosen(&cli.config);
    }
}

//! Terminals that hold the line and print what they get, one line each: `TERMINAL PAYLOAD`. For trying things out, and for scripts
//! that look for every single message.

use std::io::{self, Write};

use muster_client::{Incoming, Listener, Terminal};
use muster_protocol::TerminalId;

use crate::{config::Line, fleet::client};

/// Holds `hold-0`, `hold-1`, ... until interrupted.
#[tokio::main]
pub async fn run(line: Line) -> anyhow::Result<()> {
    line.validate()?;
    let seed = rand::random();
    let mut terminals = Vec::new();
    for number in 0..line.terminals {
        let id: TerminalId = format!("hold-{number}").parse()?;
        terminals.push(Terminal::start(client(&line, id.clone(), seed, number)?, Printer(id))?);
    }
    tokio::signal::ctrl_c().await?;
    Ok(())
}

struct Printer(TerminalId);

impl Listener for Printer {
    async fn on(&self, incoming: Incoming) {
        match incoming {
            Incoming::Command { command, .. } => self.print(command.payload.as_json()),
            Incoming::Text { text, .. } => self.print(&text),
            Incoming::Gone(end) => tracing::warn!(terminal = %self.0, %end, "gone"),
            other => tracing::info!(terminal = %self.0, ?other),
        }
    }
}

impl Printer {
    /// A reader that has gone does not matter to the terminals.
    fn print(&self, payload: &str) {
        let _ = writeln!(io::stdout().lock(), "{} {payload}", self.0);
    }
}

//! Terminals that stay connected and print each received payload as one line: `TERMINAL PAYLOAD`. They are meant for
//! trials, and for scripts that check every single message. The terminals use the shipped client.

use std::io::{self, Write};

use muster_client::{Config as Client, ConnectionEnd, Incoming, Listener, Terminal, TlsSource};
use muster_protocol::{TerminalId, api::Protocol};

use crate::{config::FleetConfig, interrupt::Interrupt, preflight};

/// Connects the terminals `hold-0`, `hold-1`, ... and runs until it is interrupted. Fails if this machine lacks
/// ports or file descriptors, or if a terminal can't be started.
pub async fn run(line: FleetConfig) -> anyhow::Result<()> {
    preflight::check(&line, 0)?;
    let mut terminals = Vec::new();
    let tls = TlsSource::files(line.tls.args.files());
    for number in 0..line.terminals {
        let id: TerminalId = format!("hold-{number}").parse()?;
        terminals.push(Terminal::start(client(&line, &tls, id.clone(), number)?, Printer(id))?);
    }
    Interrupt::listen(|| ())?.requested().await;
    Ok(())
}

fn client(line: &FleetConfig, tls: &TlsSource, id: TerminalId, number: usize) -> anyhow::Result<Client> {
    let mut client = Client::new(line.url.iter().cloned(), id.clone());
    client.token = line.signed_token(&id)?.map(|token| token.parse()).transpose()?;
    client.protocol = if line.plain { Protocol::Plain } else { Protocol::V1 };
    client.sdk = "muster-loadgen".into();
    client.tls = tls.clone();
    client.source = line.source.get(number % line.source.len().max(1)).copied();
    Ok(client)
}

struct Printer(TerminalId);

impl Listener for Printer {
    async fn on(&self, incoming: Incoming) {
        match incoming {
            Incoming::Command { command, .. } => self.print(command.payload.as_json()),
            Incoming::Text { text, .. } => self.print(&text),
            Incoming::Offline { end: end @ ConnectionEnd::TlsFailed(_), .. } => {
                tracing::warn!(terminal = %self.0, %end, "the terminal can't connect");
            }
            Incoming::Gone(end) => tracing::warn!(terminal = %self.0, %end, "the session ended"),
            other => tracing::info!(terminal = %self.0, ?other),
        }
    }
}

impl Printer {
    /// Prints a payload. Write errors are ignored: the terminals go on if the reader of the output is gone.
    fn print(&self, payload: &str) {
        let _ = writeln!(io::stdout().lock(), "{} {payload}", self.0);
    }
}

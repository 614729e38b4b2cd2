//! Connects a terminal, prints the commands that it receives, and closes it on Ctrl-C. Its token is read from a file, which
//! another program may replace before the token expires: the session then goes on.
//!
//! ```text
//! cargo run -p muster-client --example hello -- ws://127.0.0.1:9000/ws hello-1 [TOKEN_FILE]
//! ```

use std::path::PathBuf;

use clap::Parser;
use muster_client::{Config, Incoming, Terminal, TlsSource, TokenSource};
use muster_net::TlsArgs;
use muster_protocol::TerminalId;
use tokio::{signal::ctrl_c, sync::mpsc};

/// A terminal that prints what it receives
#[derive(Parser)]
struct Args {
    /// Where it connects, as ws://HOST:PORT/PATH or wss://HOST:PORT/PATH
    url: String,
    /// Its id
    id: TerminalId,
    /// The file with its token
    token: Option<PathBuf>,
    #[command(flatten)]
    tls: TlsArgs,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Args { url, id, token, tls } = Args::parse();
    let mut config = Config::new([url], id);
    config.token = token.map(TokenSource::file);
    config.tls = TlsSource::files(tls.files());
    config.labels.insert("kind".into(), "example".into());

    let (reports, mut incoming) = mpsc::channel(16);
    let terminal = Terminal::start(config, reports)?;
    loop {
        tokio::select! {
            _ = ctrl_c() => break,
            Some(report) = incoming.recv() => match report {
                Incoming::Command { command, .. } => println!("{}: {}", command.name, command.payload.as_json()),
                Incoming::Gone(end) => return Err(end.into()),
                other => println!("{other:?}"),
            }
        }
    }
    drop(incoming);
    terminal.close().await;
    Ok(())
}

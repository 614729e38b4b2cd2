//! A terminal that runs the command `echo`: its reply is the command's payload. It rejects every other command.
//!
//! ```text
//! cargo run -p muster-client --example echo_terminal -- ws://127.0.0.1:9000/ws echo-1
//! ```

use clap::Parser;
use muster_client::{Config, Incoming, SendError, Terminal, TlsSource};
use muster_net::TlsArgs;
use muster_protocol::{
    Payload, TerminalId,
    frame::{FromTerminal, NotRun, ResultFrame},
};
use tokio::sync::mpsc;

/// A terminal that echoes
#[derive(Parser)]
struct Args {
    /// Where it connects, as ws://HOST:PORT/PATH or wss://HOST:PORT/PATH
    url: String,
    /// Its id
    id: TerminalId,
    #[command(flatten)]
    tls: TlsArgs,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Args { url, id, tls } = Args::parse();
    let mut config = Config::new([url], id);
    config.tls = TlsSource::files(tls.files());
    let (reports, mut incoming) = mpsc::channel(16);
    let terminal = Terminal::start(config, reports)?;
    while let Some(report) = incoming.recv().await {
        let Incoming::Command { command, .. } = report else { continue };
        let sent = if command.name == "echo" {
            terminal.result(command.id, true, command.payload).await
        } else {
            let payload = Payload::from_text("only echo is known here");
            let rejected = ResultFrame { id: command.id, ok: false, reason: Some(NotRun::Rejected), payload };
            terminal.send(FromTerminal::Result(rejected)).await
        };
        // A reply over the node's limit was replaced by a failure; the terminal stays online.
        if let Err(SendError::TooLarge { bytes, limit }) = sent {
            eprintln!("the reply has {bytes} bytes, and the node takes {limit}");
        }
    }
    Ok(())
}

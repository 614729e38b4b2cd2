//! Connects a terminal, prints the commands that it receives, and closes it on Ctrl-C. Its token is read from a file, which
//! another program may replace before the token expires: the session then goes on.
//!
//! ```text
//! cargo run -p muster-client --example hello -- ws://127.0.0.1:9000/ws hello-1 [TOKEN_FILE]
//! ```

use muster_client::{Config, Incoming, Terminal, TokenSource};
use tokio::{signal::ctrl_c, sync::mpsc};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("usage: hello URL ID [TOKEN_FILE]")?;
    let id = args.next().ok_or("usage: hello URL ID [TOKEN_FILE]")?;

    let mut config = Config::new([url], id.parse()?);
    config.token = args.next().map(TokenSource::file);
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

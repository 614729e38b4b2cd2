//! The client's end. A server that has Autobahn's cases is asked how many there are, then for each of them by its number, and at last for
//! the end of the run. Each question is a connection of its own.

use std::time::Duration;

use anyhow::{Context, ensure};
use muster_client::{Config, Incoming, Terminal, TlsSource};
use muster_protocol::api::Protocol;
use tokio::{sync::mpsc, time};

/// How long a case may take. The slowest wait for seconds; what hangs for longer has failed.
const CASE_TIME: Duration = Duration::from_secs(60);

/// Runs all cases of the server at `url`.
///
/// # Errors
/// If the server does not answer, or a case does not end.
#[tokio::main]
pub async fn run(url: &str, tls: &TlsSource) -> anyhow::Result<()> {
    let count: usize = session(format!("{url}/getCaseCount"), tls, false)
        .await?
        .context("the server did not say how many cases there are")?
        .parse()?;
    for case in 1..=count {
        session(format!("{url}/runCase?case={case}&agent=muster-client"), tls, true).await?;
    }
    session(format!("{url}/updateReports?agent=muster-client"), tls, false).await?;
    Ok(())
}

/// Connects, and sends back what comes if it `echoes`, until the connection ends. Returns the last text that was not sent back.
async fn session(url: String, tls: &TlsSource, echoes: bool) -> anyhow::Result<Option<String>> {
    let mut config = Config::new([url.clone()], "conformance".parse()?);
    config.tls = tls.clone();
    config.protocol = Protocol::Plain;
    config.max_message = u64::MAX;
    // More than a case sends without waiting for an answer: whoever sends here must not wait for whoever listens.
    let (reports, mut told) = mpsc::channel(4096);
    let terminal = Terminal::start(config, reports)?;
    let ended = time::timeout(CASE_TIME, async {
        let (mut last, mut was_online) = (None, false);
        while let Some(incoming) = told.recv().await {
            match incoming {
                Incoming::Online { .. } => was_online = true,
                Incoming::Text { text, .. } if echoes => terminal.send_text(text).await?,
                Incoming::Binary { bytes, .. } if echoes => terminal.send_bytes(bytes).await?,
                Incoming::Text { text, .. } => last = Some(text),
                // The terminal would come back.
                Incoming::Offline { end, .. } | Incoming::Gone(end) => {
                    ensure!(was_online, "{url}: {end}");
                    break;
                }
                _ => {}
            }
        }
        Ok::<_, anyhow::Error>(last)
    });
    let ended = ended.await.with_context(|| format!("{url}: no end within {CASE_TIME:?}"))?;
    terminal.kill().await;
    ended
}

//! Terminals that write down what the proxy and the nodes do to them. For the tests in scripts/e2e/proxy.
//!
//! ```text
//! witness hold  --url ws://… --terminals 600              keeps terminals connected until it is interrupted
//! witness knock --url ws://… --rate 200 --for 10s         makes handshakes, and closes each session (or keeps it: --keep). After a
//!                                                         SIGTERM it begins no more, and ends when all are decided
//! ```
//!
//! It prints a line for each thing that happens, `MILLISECONDS TERMINAL WHAT DETAIL…`, with the time since 1970:
//! `online NODE LATENCY_MS`, `offline HOW RETRY_MS` or `gone HOW`, where HOW is a close code, `refused:STATUS`, `lost`
//! or another end; and `begun` for a handshake, so that one without an outcome is seen too.

use std::{
    io::{self, Write},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use clap::{Args, Parser, Subcommand};
use muster_client::{Config, ConnectionEnd, Incoming, Listener, Policy, Terminal, TlsSource};
use muster_net::TlsArgs;
use muster_protocol::token::{Secret, TerminalClaims, sign};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    task::JoinSet,
    time,
};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Hold {
        #[command(flatten)]
        client: ClientArgs,
        #[arg(long)]
        terminals: usize,
        /// The time over which they connect
        #[arg(long, value_parser = humantime::parse_duration, default_value = "0s")]
        ramp: Duration,
        /// The longest first delay before a terminal reconnects
        #[arg(long, value_parser = humantime::parse_duration, default_value = "5s")]
        backoff: Duration,
    },
    Knock {
        #[command(flatten)]
        client: ClientArgs,
        #[arg(long)]
        rate: f64,
        #[arg(long = "for", value_parser = humantime::parse_duration)]
        duration: Duration,
        /// Keep each session open until all handshakes are decided
        #[arg(long)]
        keep: bool,
    },
}

#[derive(Args)]
struct ClientArgs {
    #[arg(long)]
    url: String,
    #[arg(long, env = "MUSTER_SECRET")]
    secret: Option<Secret>,
    /// The beginning of terminal ids
    #[arg(long, default_value = "w")]
    prefix: String,
    /// Decides when they reconnect; random by default
    #[arg(long, env = "MUSTER_SEED")]
    seed: Option<u64>,
    #[command(flatten)]
    tls: TlsArgs,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().verb {
        Verb::Hold { client, terminals, ramp, backoff } => hold(client, terminals, ramp, backoff).await,
        Verb::Knock { client, rate, duration, keep } => knock(client, rate, duration, keep).await,
    }
}

async fn hold(client: ClientArgs, count: usize, ramp: Duration, backoff: Duration) -> anyhow::Result<()> {
    let mut terminals = Vec::new();
    let tls = TlsSource::files(client.tls.files());
    for number in 0..count {
        let mut config = client.config(number, &tls)?;
        config.policy = Policy { first: backoff, ..Policy::default() };
        let printer = Printer { terminal: config.terminal.to_string(), began: Instant::now(), first: None };
        terminals.push(Terminal::start(config, printer)?);
        time::sleep(ramp / count as u32).await;
    }
    tokio::signal::ctrl_c().await?;
    Ok(())
}

async fn knock(client: ClientArgs, rate: f64, duration: Duration, keep: bool) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut ticks = time::interval(Duration::from_secs_f64(1.0 / rate));
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Burst);
    let (mut knocks, mut open) = (JoinSet::new(), Vec::new());
    let tls = TlsSource::files(client.tls.files());
    for number in 0..(duration.as_secs_f64() * rate) as usize {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = terminate.recv() => break,
        }
        let (tell, mut told) = mpsc::channel(1);
        let config = client.config(number, &tls)?;
        let printer = Printer { terminal: config.terminal.to_string(), began: Instant::now(), first: Some(tell) };
        printer.write("begun");
        let terminal = Terminal::start(config, printer)?;
        knocks.spawn(async move {
            told.recv().await;
            if keep {
                return Some(terminal);
            }
            terminal.close().await;
            None
        });
    }
    // The client gives up after 10 s, so a handshake that hangs is written down as failed.
    while let Some(knocked) = knocks.join_next().await {
        open.extend(knocked?);
    }
    for terminal in open {
        terminal.close().await;
    }
    Ok(())
}

impl ClientArgs {
    fn config(&self, number: usize, tls: &TlsSource) -> anyhow::Result<Config> {
        let terminal: muster_protocol::TerminalId = format!("{}-{number}", self.prefix).parse()?;
        let mut config = Config::new([self.url.clone()], terminal.clone());
        config.tls = tls.clone();
        config.seed = self.seed.map_or(config.seed, |seed| seed.wrapping_add(number as u64));
        if let Some(secret) = &self.secret {
            let exp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + 24 * 3600;
            let claims = TerminalClaims::new(terminal, exp);
            config.token = Some(sign(secret, &claims).parse()?);
        }
        Ok(config)
    }
}

/// Prints what one terminal reports.
struct Printer {
    terminal: String,
    began: Instant,
    /// Receives one message when the first attempt is decided.
    first: Option<mpsc::Sender<()>>,
}

impl Listener for Printer {
    async fn on(&self, incoming: Incoming) {
        match incoming {
            Incoming::Online { welcome, at } => {
                let node = welcome.map_or_else(|| "?".into(), |welcome| welcome.node.to_string());
                self.write(&format!("online {node} {}", at.duration_since(self.began).as_millis()));
            }
            Incoming::Offline { end, retry_in } => {
                self.write(&format!("offline {} {}", how(&end), retry_in.as_millis()));
            }
            Incoming::Gone(end) => self.write(&format!("gone {}", how(&end))),
            _ => return,
        }
        if let Some(first) = &self.first {
            let _ = first.try_send(());
        }
    }
}

impl Printer {
    fn write(&self, what: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        // The terminals go on if nobody reads the output any more.
        let _ = writeln!(io::stdout().lock(), "{now} {} {what}", self.terminal);
    }
}

fn how(end: &ConnectionEnd) -> String {
    match end {
        ConnectionEnd::Closed { code, .. } => code.to_string(),
        ConnectionEnd::Refused { status, .. } => format!("refused:{status}"),
        ConnectionEnd::Lost(_) => "lost".into(),
        ConnectionEnd::TlsFailed(_) => "tls".into(),
        ConnectionEnd::NoWelcome => "no-welcome".into(),
        ConnectionEnd::Silent => "silent".into(),
        ConnectionEnd::NoToken(_) => "no-token".into(),
        ConnectionEnd::Left => "left".into(),
    }
}

//! A node with three terminals on this machine, so that one can try all of Muster in a minute and install nothing.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use hyper::Method;
use muster_client::{Config, Incoming, Listener, Terminal};
use muster_protocol::{CommandId, Payload, frame::Command as Frame};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::{
    process::{Child, Command},
    signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    },
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use crate::{
    api::ClusterApi,
    cli::Quickstart,
    exit::Exit,
    profile::Profile,
    text::{note, one_line},
};

/// The terminals, with the labels that they say of themselves.
const TERMINALS: [(&str, &str, &str); 3] =
    [("kiosk-1", "kiosk", "bj"), ("kiosk-2", "kiosk", "sh"), ("paybox-1", "paybox", "bj")];
/// How long the node may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long the node may take to end.
const END_WITHIN: Duration = Duration::from_secs(5);

/// Starts a node and three terminals, says what to try, and runs until it is interrupted or the node ends.
pub async fn run(quickstart: Quickstart) -> anyhow::Result<Exit> {
    let mut terminate = signal(SignalKind::terminate())?;
    let address = free_address(quickstart.port)?;
    let mut node = start(address)?;
    ready(&mut node, address).await?;
    let (results, mut to_report) = mpsc::channel(64);
    let mut terminals = Vec::new();
    for (id, kind, site) in TERMINALS {
        let mut config = Config::new([format!("ws://{address}/ws")], id.parse()?);
        config.labels = [("kind".to_owned(), kind.to_owned()), ("site".to_owned(), site.to_owned())].into();
        terminals.push(Terminal::start(config, Simulated { id, results: results.clone() })?);
    }
    note(&advice(address));
    let ended = loop {
        tokio::select! {
            Some((terminal, command)) = to_report.recv() => report(&terminals, terminal, command).await,
            _ = ctrl_c() => break None,
            _ = terminate.recv() => break None,
            ended = node.wait() => break Some(ended?),
        }
    };
    drop(terminals);
    match ended {
        Some(status) => bail!("muster-node ended: {status}"),
        None => stop(node).await,
    }
    Ok(Exit::Done)
}

/// A terminal that does every command but `fail`.
struct Simulated {
    id: &'static str,
    results: mpsc::Sender<(&'static str, Box<Frame>)>,
}

impl Listener for Simulated {
    async fn on(&self, incoming: Incoming) {
        if let Incoming::Command { command, .. } = incoming {
            note(&one_line(&format!("{}: {} {}", self.id, command.name, command.payload.as_json())));
            // The receiver is gone when the whole trial ends.
            let _ = self.results.send((self.id, Box::new(command))).await;
        }
    }
}

async fn report(terminals: &[Terminal], id: &str, command: Box<Frame>) {
    let number = TERMINALS.iter().position(|(known, ..)| *known == id).unwrap_or_default();
    let (ok, said) = match command.name.as_str() {
        "fail" => (false, "as it was told"),
        _ => (true, "done"),
    };
    let payload = Payload::from_value(&json!({ "terminal": id, "said": said }));
    let id: CommandId = command.id;
    let _ = terminals[number].result(id, ok, payload).await;
}

fn free_address(port: u16) -> anyhow::Result<SocketAddr> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    Ok(bound.context("no port of 127.0.0.1 is free")?.local_addr()?)
}

fn start(address: SocketAddr) -> anyhow::Result<Child> {
    let beside = env::current_exe().ok().map(|program| program.with_file_name("muster-node"));
    let program = beside.filter(|program| program.is_file()).unwrap_or_else(|| PathBuf::from("muster-node"));
    let log = env::var("RUST_LOG").unwrap_or_else(|_| "error".to_owned());
    let mut command = Command::new(&program);
    // The trial is about this machine alone, whatever the shell has set for another cluster.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MUSTER_")) {
        command.env_remove(name);
    }
    command
        .args(["--insecure", "--listen", &address.to_string()])
        .env("RUST_LOG", log)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{}: it must be beside muster, or in $PATH", program.display()))
}

async fn ready(node: &mut Child, address: SocketAddr) -> anyhow::Result<()> {
    let api = ClusterApi::of(&Profile { url: format!("http://{address}"), ..Profile::default() })?;
    let began = Instant::now();
    while api.call(Method::GET, "/readyz").await.is_err() {
        if let Some(status) = node.try_wait()? {
            bail!("muster-node ended: {status}");
        }
        if began.elapsed() > READY_WITHIN {
            bail!("muster-node was not ready within {READY_WITHIN:?}");
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn stop(mut node: Child) {
    let pid = node.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    if pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok()) {
        let _ = timeout(END_WITHIN, node.wait()).await;
    }
    let _ = node.kill().await;
}

fn advice(address: SocketAddr) -> String {
    let url =
        if address.port() == 9000 { String::new() } else { format!("export MUSTER_API_URL=http://{address}\n  ") };
    format!(
        "a node on {address} with three terminals. In another shell:\n\n  {url}muster ls\n  muster show kiosk-1\n  \
         muster send show '{{\"text\":\"hello\"}}' --to kiosk-1 --confirm result --wait\n  \
         muster send show --text hello -l kind=kiosk --yes --wait\n  muster send fail --all --confirm result --yes --wait\n  \
         muster commands\n  muster events\n\nCtrl-C ends it."
    )
}

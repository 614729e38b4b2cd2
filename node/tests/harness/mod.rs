//! Nodes, a Redis and terminals for the tests. Nodes run in this process on free ports; Redis is the real one. All of it ends
//! with the test, however that ends.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    net::{SocketAddr, TcpListener},
    process::{self, Child, Stdio},
    time::Duration,
};

use clap::Parser;
use muster_client::{Incoming, Terminal};
use muster_node::{config::Config, serve};
use muster_protocol::{TerminalId, api::Protocol, frame::Command, selector::Labels};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time,
};

/// What a test waits for happens within this time or not at all.
pub const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    config: Config,
}

/// A node in this process.
pub struct Node {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Node {
    /// Starts one with these flags beside a free port and one shard.
    pub async fn start(flags: &[&str]) -> Self {
        let own = ["muster-node", "--listen", "127.0.0.1:0", "--shards", "1", "--drain", "1s"];
        let config = Cli::parse_from(own.iter().chain(flags)).config;
        let socket = serve::bind(&config).unwrap();
        let (ready, is_ready) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve::run(config, socket, |address| ready.send(address).unwrap(), async {
            _ = stopped.await
        }));
        let address = is_ready.await.expect("the node starts");
        until("the node is ready", async || get(address, "/readyz").await.0 == 200).await;
        Self { address, stop: Some(stop), task }
    }

    /// Stops it as SIGTERM does.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        (&mut self.task).await.unwrap().unwrap();
    }

    /// Waits until it has stopped because it was asked to.
    pub async fn leaves(mut self) {
        time::timeout(PATIENCE, &mut self.task).await.expect("the node stops").unwrap().unwrap();
    }

    /// A terminal on this node that is online.
    pub async fn terminal(&self, id: &str, protocol: Protocol, labels: &[(&str, &str)]) -> OnLine {
        OnLine::start(self.address, id, protocol, labels).await
    }

    /// The same of `muster.v1`, with what a test changes of its configuration.
    pub async fn terminal_with(&self, id: &str, change: impl FnOnce(&mut muster_client::Config)) -> OnLine {
        OnLine::start_with(self.address, id, change).await
    }

    /// A terminal that was on this node and left.
    pub async fn was_here(&self, id: &str, protocol: Protocol) {
        self.terminal(id, protocol, &[]).await.terminal.close().await;
        let path = format!("/v1/terminals/{id}");
        until("it is offline", async || get(self.address, &path).await.1["status"] == "offline").await;
    }

    /// Posts a command for `target`.
    pub async fn command(&self, target: &str, payload: &str) -> (u16, Value) {
        let body = format!(r#"{{"target":{target},"name":"show","payload":{payload}}}"#);
        post(self.address, "/v1/commands", &body).await
    }

    /// Waits until a command's counts are these.
    pub async fn counts(&self, id: &str, queued: u64, sent: u64, acked: u64) {
        until("the counts are right", async || {
            let counts = get(self.address, &format!("/v1/commands/{id}")).await.1["counts"].clone();
            counts == serde_json::json!({"queued": queued, "sent": sent, "acked": acked})
        })
        .await;
    }
}

/// A terminal that came online, and what it is told since.
pub struct OnLine {
    pub terminal: Terminal,
    pub told: mpsc::Receiver<Incoming>,
}

impl OnLine {
    pub async fn start(address: SocketAddr, id: &str, protocol: Protocol, labels: &[(&str, &str)]) -> Self {
        Self::start_with(address, id, |config| {
            config.protocol = protocol;
            config.labels = labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect::<Labels>();
        })
        .await
    }

    pub async fn start_with(address: SocketAddr, id: &str, change: impl FnOnce(&mut muster_client::Config)) -> Self {
        let (tell, told) = mpsc::channel(1000);
        let mut config = muster_client::Config::new([format!("ws://{address}/ws")], id.parse::<TerminalId>().unwrap());
        config.policy.first = Duration::from_millis(100);
        change(&mut config);
        let mut on_line = Self { terminal: Terminal::start(config, tell).unwrap(), told };
        assert!(matches!(on_line.next().await, Incoming::Online { .. }));
        let known = format!("/v1/terminals/{id}");
        until("the registry knows it", async || get(address, &known).await.1["status"] == "online").await;
        on_line
    }

    /// What it is told next.
    pub async fn next(&mut self) -> Incoming {
        time::timeout(PATIENCE, self.told.recv()).await.expect("something happens").expect("the terminal lives")
    }

    /// The payload of the next command, as JSON text or, in plain mode, bare.
    pub async fn payload(&mut self) -> String {
        match self.next().await {
            Incoming::Command { command, .. } => command.payload.as_json().to_owned(),
            Incoming::Text { text, .. } => text,
            other => panic!("no command but {other:?}"),
        }
    }

    /// The next command.
    pub async fn command(&mut self) -> Command {
        loop {
            match self.next().await {
                Incoming::Command { command, .. } => return command,
                Incoming::Repeated(_) => {}
                other => panic!("no command but {other:?}"),
            }
        }
    }

    /// Whether nothing has come that was not asked for.
    pub fn is_quiet(&mut self) -> bool {
        self.told.try_recv().is_err()
    }
}

/// A Redis of the test's own.
pub struct Redis {
    child: Child,
    /// What it is sent as a replica it keeps here.
    _dir: TempDir,
    pub url: String,
}

impl Redis {
    pub async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dir = tempfile::tempdir().unwrap();
        let child = process::Command::new("redis-server")
            .current_dir(dir.path())
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is missing: apt-get install redis-server");
        until("Redis listens", async || TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
        Self { child, _dir: dir, url: format!("redis://127.0.0.1:{port}") }
    }
}

impl Redis {
    /// Takes no more than it has.
    pub async fn fill(&self) {
        let client = redis::Client::open(self.url.as_str()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let () =
            redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("1mb").query_async(&mut connection).await.unwrap();
    }

    /// Hangs with what it is asked for, until it goes on.
    pub fn hang(&self) {
        self.signal(Signal::STOP);
    }

    /// Does what it was asked for meanwhile.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Loses the nodes' leases.
    pub async fn forget_leases(&self) {
        let client = redis::Client::open(self.url.as_str()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let () = redis::cmd("DEL").arg("{muster}:nodes").query_async(&mut connection).await.unwrap();
    }

    /// A node's lease runs out.
    pub async fn end_lease(&self, node: &str) {
        let client = redis::Client::open(self.url.as_str()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let () = redis::cmd("DEL").arg(format!("{{muster}}:node:{node}")).query_async(&mut connection).await.unwrap();
    }

    /// Another node takes this one for dead and buries its sessions, and the beat that would tell it so goes unheard.
    pub async fn bury_unheard(&self, node: &str, terminal: &str) {
        let client = redis::Client::open(self.url.as_str()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut pipe = redis::pipe();
        pipe.atomic().hdel("{muster}:online", terminal).del(format!("{{muster}}:held:{node}"));
        pipe.hset("{muster}:claims", node, "unheard").zadd("{muster}:nodes", node, 99_999_999_999_999u64);
        let () = pipe.query_async(&mut connection).await.unwrap();
    }

    /// Loses everything it has.
    pub async fn flush(&self) {
        let client = redis::Client::open(self.url.as_str()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a condition.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            time::sleep(Duration::from_millis(20)).await;
        }
    };
    time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

/// `GET path`.
pub async fn get(address: SocketAddr, path: &str) -> (u16, Value) {
    let (status, _, body) = request(address, &format!("GET {path} HTTP/1.1\r\n")).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

/// `POST path`.
pub async fn post(address: SocketAddr, path: &str, body: &str) -> (u16, Value) {
    let head = format!("POST {path} HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
    let (status, _, body) = exchange(address, &head, body).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

/// Any request without a body: status, head and body of the answer.
pub async fn request(address: SocketAddr, head: &str) -> (u16, String, String) {
    exchange(address, head, "").await
}

pub async fn exchange(address: SocketAddr, head: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let close = if head.to_ascii_lowercase().contains("connection:") { "" } else { "Connection: close\r\n" };
    stream.write_all(format!("{head}Host: test\r\n{close}\r\n{body}").as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let _ = time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the node answers and closes");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").expect("an HTTP answer");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
    (status, head.to_owned(), body.to_owned())
}

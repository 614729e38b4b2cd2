//! Servers of others, which `muster-loadgen serve` installs and starts as their files say.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

use async_trait::async_trait;
use clap::ValueEnum;
use muster_testkit::{TestProcess, http};
use rustix::process::Signal;
use serde::Deserialize;
use tokio::task::JoinSet;

use super::socket_io::{SOCKET_IO, publish};
use crate::{
    servers::{
        dialect::{Dialect, Turn, nothing, request},
        process,
        server::Server,
    },
    stage::Subject,
};

/// A server of others, by the name of its file in `loadgen/servers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// uWebSockets, by the Python package socketify
    Uwebsockets,
    /// ws, on Node.js
    Ws,
    /// Socket.IO, on Node.js
    SocketIo,
    /// Centrifugo
    Centrifugo,
    /// tokio-tungstenite, a task and a channel for each connection
    Tungstenite,
    /// axum, a task and a channel for each connection
    Axum,
}

/// Servers that send to all what is posted to them.
const RELAY: Dialect = Dialect { request: |_| request("/", ""), begin: &[], answer: nothing };
const CENTRIFUGO: Dialect = Dialect {
    request: |_| request("/connection/websocket", ""),
    begin: &[
        Turn::Say(r#"{"id":1,"connect":{}}"#),
        Turn::Hear,
        Turn::Say(r#"{"id":2,"subscribe":{"channel":"load"}}"#),
        Turn::Hear,
    ],
    answer: pong,
};

/// What Centrifugo's heartbeat is answered with.
fn pong(frame: &[u8]) -> Option<String> {
    (frame == b"{}").then(|| "{}".to_owned())
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Uwebsockets => super::UWEBSOCKETS,
            Self::Ws => "ws",
            Self::SocketIo => "socket-io",
            Self::Centrifugo => "centrifugo",
            Self::Tungstenite => "tungstenite",
            Self::Axum => "axum",
        }
    }

    /// The path and the body by which it is told to broadcast.
    fn post(self, payload: &str) -> (&'static str, String) {
        match self {
            Self::Centrifugo => ("/api/publish", format!(r#"{{"channel":"load","data":"{payload}"}}"#)),
            _ => ("/", payload.to_owned()),
        }
    }
}

#[async_trait(?Send)]
impl Subject for Peer {
    fn column(&self) -> &str {
        self.name()
    }

    fn dialect(&self) -> Dialect {
        match self {
            Self::Centrifugo => CENTRIFUGO,
            Self::SocketIo => SOCKET_IO,
            _ => RELAY,
        }
    }

    async fn start(&self, _terminals: usize) -> Box<dyn Server> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the workspace");
        let mut command = Command::new(Path::new(process::NODE).with_file_name("muster-loadgen"));
        command.arg("serve").arg("--target").arg(root.join(format!("loadgen/servers/{}.toml", self.name())));
        command.arg("--work").arg(root.join("target/cards"));
        let mut process = TestProcess::start(command.stdout(Stdio::piped()).stdin(Stdio::null()));
        let line = process.line_after("muster-loadgen serves ");
        let serves: Serves = serde_json::from_str(&line).expect("the line is JSON");
        Box::new(PeerServer { peer: *self, process, serves })
    }
}

/// What the first line of `muster-loadgen serve` says.
#[derive(Deserialize)]
struct Serves {
    address: SocketAddr,
    processes: Vec<u32>,
    version: String,
}

struct PeerServer {
    peer: Peer,
    process: TestProcess,
    serves: Serves,
}

#[async_trait(?Send)]
impl Server for PeerServer {
    fn address(&self) -> SocketAddr {
        self.serves.address
    }

    fn processes(&self) -> Vec<u32> {
        self.serves.processes.clone()
    }

    fn version(&self) -> Option<&str> {
        Some(&self.serves.version)
    }

    async fn broadcast(&mut self, payload: &str, times: usize) {
        if self.peer == Peer::SocketIo {
            return publish(self.address(), payload, times).await;
        }
        let (path, body) = self.peer.post(payload);
        let (address, mut posts) = (self.address(), JoinSet::new());
        for _ in 0..times {
            let body = body.clone();
            posts.spawn(async move { http::post(address, path, &body).await });
        }
        for (status, answer) in posts.join_all().await {
            assert!((200..300).contains(&status), "{status}: {answer}");
        }
    }
}

impl Drop for PeerServer {
    /// Has the program end the server that it started.
    fn drop(&mut self) {
        self.process.signal(Signal::TERM);
        self.process.blocking_ended();
    }
}

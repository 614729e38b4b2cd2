//! A node, told to broadcast.

use std::{net::SocketAddr, path::Path, process::Command};

use async_trait::async_trait;
use muster_testkit::{http, wait::until};
use tokio::task::JoinSet;

use super::{process::ServerProcess, server::Server};

/// How far a node's broadcasts are tracked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracking {
    /// Not at all (`confirm: none`).
    Off,
    /// To `sent`: an acknowledgement is asked for, which plain terminals do not give.
    Sent,
    /// To `acked`.
    Acked,
}

/// A node that lets everybody in.
pub struct BenchNode {
    process: ServerProcess,
    tracking: Tracking,
    /// The ids of the last broadcasts.
    broadcasts: Vec<String>,
}

impl BenchNode {
    /// Starts a node, with these flags beside those that each measurement needs. Without `--redis` it is alone.
    pub fn start(program: impl AsRef<Path>, flags: &[&str]) -> Self {
        let mut command = Command::new(program.as_ref());
        // Pings would be counted as deliveries.
        command.args(["--insecure", "--listen", "127.0.0.1:0", "--ping", "1h", "--handshakes", "100000"]);
        command.args(flags);
        let process = ServerProcess::start(&mut command, "muster-node ready on ");
        Self { process, tracking: Tracking::Sent, broadcasts: Vec::new() }
    }

    /// Tracks its broadcasts so far.
    pub fn tracking(self, tracking: Tracking) -> Self {
        Self { tracking, ..self }
    }

    /// Waits until it takes commands.
    pub async fn ready(&self) {
        until("the node is ready", async || http::get(self.address(), "/readyz").await.0 == 200).await;
    }
}

#[async_trait(?Send)]
impl Server for BenchNode {
    fn address(&self) -> SocketAddr {
        self.process.address
    }

    fn processes(&self) -> Vec<u32> {
        vec![self.process.id()]
    }

    async fn broadcast(&mut self, payload: &str, times: usize) {
        let confirm = if self.tracking == Tracking::Off { "none" } else { "ack" };
        let body = format!(
            r#"{{"target":{{"all":true}},"name":"bench","payload":"{payload}","expires_in":"5s","confirm":"{confirm}"}}"#
        );
        let mut posts = JoinSet::new();
        for _ in 0..times {
            posts.spawn(post(self.address(), body.clone()));
        }
        self.broadcasts = posts.join_all().await;
    }

    async fn confirmed(&mut self, terminals: usize) {
        if self.tracking != Tracking::Acked {
            return;
        }
        for id in &self.broadcasts {
            let path = format!("/v1/commands/{id}");
            let acked = async || http::get(self.process.address, &path).await.1["counts"]["acked"].as_u64();
            until("all have acknowledged before the command expired", async || acked().await == Some(terminals as u64))
                .await;
        }
    }
}

/// Posts a command. Returns its id.
async fn post(address: SocketAddr, body: String) -> String {
    let (status, answer) = http::post(address, "/v1/commands", &body).await;
    assert_eq!(status, 202, "{answer}");
    answer["id"].as_str().expect("a command has an id").to_owned()
}

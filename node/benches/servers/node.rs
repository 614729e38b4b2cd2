//! A node without a cluster, told to broadcast.

use std::{net::SocketAddr, path::Path, process::Command};

use muster_testkit::http;
use tokio::task::JoinSet;

use super::process::ServerProcess;

/// A server that can be told to broadcast.
pub trait Server {
    /// Sends `times` broadcasts without waiting between them.
    async fn broadcast(&mut self, payload: &str, times: usize);

    /// The process of the server.
    fn process(&self) -> &ServerProcess;
}

/// A node without a cluster, which lets everybody in.
pub struct BenchNode(ServerProcess);

impl BenchNode {
    /// Starts a node, with these flags beside those that each measurement needs.
    pub fn start(program: impl AsRef<Path>, flags: &[&str]) -> Self {
        let mut command = Command::new(program.as_ref());
        // Pings would be counted as deliveries.
        command.args(["--insecure", "--listen", "127.0.0.1:0", "--ping", "1h", "--handshakes", "100000"]);
        command.args(flags);
        Self(ServerProcess::start(&mut command, "muster-node ready on "))
    }

    /// Where terminals connect.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }
}

impl Server for BenchNode {
    async fn broadcast(&mut self, payload: &str, times: usize) {
        let body = format!(r#"{{"target":{{"all":true}},"name":"bench","payload":"{payload}","expires_in":"5s"}}"#);
        let mut posts = JoinSet::new();
        for _ in 0..times {
            posts.spawn(post(self.address(), body.clone()));
        }
        posts.join_all().await;
    }

    fn process(&self) -> &ServerProcess {
        &self.0
    }
}

async fn post(address: SocketAddr, body: String) {
    let (status, answer) = http::post(address, "/v1/commands", &body).await;
    assert_eq!(status, 202, "{answer}");
}

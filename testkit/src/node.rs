//! A node in the test's process.

use std::{net::SocketAddr, sync::Arc};

use clap::Parser;
use muster_client::Config as ClientConfig;
use muster_node::{config::Config, serve};
use muster_protocol::api::Protocol;
use serde_json::Value;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    OnlineTerminal,
    http::{get, post},
    wait::{soon, until},
};

/// A node on a free port.
pub struct TestNode {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<anyhow::Result<()>>,
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    config: Config,
}

impl TestNode {
    /// Starts a node with these flags beside a free port, one shard and a drain of 1 s, and waits until it is ready.
    pub async fn start(flags: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", flags).await
    }

    /// Starts the same node with this `--listen`.
    pub async fn start_at(listen: &str, flags: &[&str]) -> Self {
        let own = ["muster-node", "--listen", listen, "--shards", "1", "--drain", "1s"];
        let config = Flags::parse_from(own.iter().chain(flags)).config;
        let socket = serve::bind(&config).unwrap();
        let (ready, is_ready) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { _ = stopped.await };
        let ready = |address| ready.send(address).unwrap();
        let task = tokio::spawn(serve::run(config, socket, ready, stopped, Arc::default()));
        let address = is_ready.await.expect("the node starts");
        until("the node is ready", async || get(address, "/readyz").await.0 == 200).await;
        Self { address, stop: Some(stop), task }
    }

    /// Starts a node with these flags, and returns why it does not start.
    ///
    /// # Panics
    /// If it starts.
    pub async fn start_error(flags: &[&str]) -> String {
        let own = ["muster-node", "--listen", "127.0.0.1:0", "--shards", "1"];
        let config = Flags::parse_from(own.iter().chain(flags)).config;
        let socket = serve::bind(&config).unwrap();
        let ready = |address| panic!("the node starts at {address}");
        let ran = serve::run(config, socket, ready, std::future::pending(), Arc::default());
        format!("{:#}", soon(ran).await.expect_err("the node stopped"))
    }

    /// Stops the node as SIGTERM does, and waits until it has ended.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        (&mut self.task).await.unwrap().unwrap();
    }

    /// Waits until the node has ended because it was asked to drain.
    ///
    /// # Panics
    /// If it has not within [`PATIENCE`](crate::wait::PATIENCE).
    pub async fn leaves(mut self) {
        soon(&mut self.task).await.unwrap().unwrap();
    }

    /// Waits until the node has ended by itself, and returns why.
    ///
    /// # Panics
    /// If it has not within [`PATIENCE`](crate::wait::PATIENCE), or ended because it was asked to.
    pub async fn end_error(mut self) -> String {
        format!("{:#}", soon(&mut self.task).await.unwrap().expect_err("the node was asked to end"))
    }

    /// Connects a terminal to this node. See [`OnlineTerminal::start`].
    pub async fn terminal(&self, id: &str, protocol: Protocol, labels: &[(&str, &str)]) -> OnlineTerminal {
        OnlineTerminal::start(self.address, id, protocol, labels).await
    }

    /// Connects a terminal to this node. See [`OnlineTerminal::start_with`].
    pub async fn terminal_with(&self, id: &str, change: impl FnOnce(&mut ClientConfig)) -> OnlineTerminal {
        OnlineTerminal::start_with(self.address, id, change).await
    }

    /// Connects a terminal to this node, closes it, and waits until the registry shows it as offline.
    pub async fn was_here(&self, id: &str, protocol: Protocol) {
        self.terminal(id, protocol, &[]).await.terminal.close().await;
        let path = format!("/v1/terminals/{id}");
        until("it is offline", async || get(self.address, &path).await.1["status"] == "offline").await;
    }

    /// Posts the command `show` with this selector and payload, both JSON. Returns the answer's status and body.
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

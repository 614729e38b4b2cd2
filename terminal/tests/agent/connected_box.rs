//! An agent that is connected to a node.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use muster_testkit::{Certificates, LoggedProcess, TestNode, TlsFront, http, wait::until};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An agent that is connected to a node.
pub struct ConnectedBox {
    pub node: TestNode,
    pub agent: LoggedProcess,
    pub folder: TempDir,
}

impl ConnectedBox {
    /// Starts an agent with these settings beside those that each test needs.
    pub async fn start(settings: &str) -> Self {
        let node = TestNode::start(&["--insecure"]).await;
        let url = format!("ws://{}/ws", node.address);
        Self::connect(node, &url, settings).await
    }

    /// Does the same with an agent that trusts the CA of these certificates alone, and reaches its node by TLS.
    pub async fn start_with_tls(made: &Certificates, settings: &str) -> (Self, TlsFront) {
        let node = TestNode::start(&["--insecure"]).await;
        let front = TlsFront::start(made, "server", "127.0.0.1", node.address).await;
        let (url, ca) = (format!("wss://{}/ws", front.address), made.file("ca.pem"));
        (Self::connect(node, &url, &format!("[tls]\nca = '{}'\n{settings}", ca.display())).await, front)
    }

    async fn connect(node: TestNode, url: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (file, state) = (folder.path().join("terminal.toml"), folder.path().join("state"));
        let first = format!("id = 'box1'\nurls = ['{url}']\nstate = '{}'\n", state.display());
        fs::write(&file, first + settings).unwrap();
        let agent = LoggedProcess::start(&mut agent(&file));
        let started = Self { node, agent, folder };
        started.until_online().await;
        started
    }

    /// Starts the agent again, as a service manager does after its end. If it has not ended, it is killed, as by a power cut.
    pub fn restart(&mut self) {
        self.agent.process.kill();
        self.agent = LoggedProcess::start(&mut agent(&self.folder.path().join("terminal.toml")));
    }

    /// The folder for the state.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub async fn until_online(&self) {
        until("the box is online", async || self.status().await == "online").await;
    }

    async fn status(&self) -> Value {
        http::get(self.node.address, "/v1/terminals/box1").await.1["status"].clone()
    }

    /// Sends a command, and returns its target once that is final.
    pub async fn run(&self, name: &str, payload: Value) -> Value {
        let id = self.send(name, payload).await;
        self.ended(&id).await
    }

    /// Sends a command, and returns its id.
    pub async fn send(&self, name: &str, payload: Value) -> String {
        let body = json!({ "target": { "terminal": "box1" }, "name": name, "payload": payload, "confirm": "result" });
        let (status, answer) = http::post(self.node.address, "/v1/commands", &body.to_string()).await;
        assert_eq!(status, 202, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    /// The target of a command.
    pub async fn target(&self, id: &str) -> Value {
        http::get(self.node.address, &format!("/v1/commands/{id}/targets")).await.1["targets"][0].clone()
    }

    /// The target of a command once it is final.
    pub async fn ended(&self, id: &str) -> Value {
        until("the command has ended", async || is_final(&self.target(id).await)).await;
        self.target(id).await
    }
}

/// Whether a target is in its last state.
pub fn is_final(target: &Value) -> bool {
    ["succeeded", "failed", "rejected"].iter().any(|end| target["state"] == *end)
}

/// What starts an agent with this configuration.
pub fn agent(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster-terminal"));
    command.env_clear().arg("--config").arg(config);
    command
}

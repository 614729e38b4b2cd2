//! Nodes and terminals as programs.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use muster_protocol::partition::Partitions;
use muster_testkit::{TestProcess, http};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::servers::BenchServers;

/// How long anything may take before the benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(300);
/// The time between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// The terminals of one process.
const GROUP: usize = 1_000;

/// A node of this build. It ends with this.
pub struct StoreNode {
    /// Where it listens.
    pub address: SocketAddr,
    _process: TestProcess,
}

impl StoreNode {
    /// Starts it on these servers.
    pub async fn start(servers: &BenchServers, partitions: Partitions) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster-node"));
        command.args(["--insecure", "--listen", "127.0.0.1:0", "--handshakes", "100000", "--redis", &servers.url]);
        // The fleet's commands and replies are in the store already, and are more than a node stores by default.
        command.args(["--hello-timeout", "60s", "--max-stored", "68719476736"]);
        command.args(["--partitions", &partitions.count().to_string()]);
        let mut process = TestProcess::start(command.stdout(Stdio::piped()).stderr(Stdio::null()));
        let address = process.line_after("muster-node ready on ").parse().expect("its line ends with its address");
        let node = Self { address, _process: process };
        until("the node is ready", async || http::get(node.address, "/readyz").await.0 == 200).await;
        node
    }

    /// Posts a command. Returns its id.
    pub async fn command(&self, query: &str, body: &str, expected: u16) -> String {
        let (status, answer) = http::post(self.address, &format!("/v1/commands{query}"), body).await;
        assert_eq!(status, expected, "{body}: {answer}");
        answer["id"].as_str().expect("a command has an id").to_owned()
    }

    /// Waits until a command has this state at so many terminals.
    pub async fn reaches(&self, id: &str, state: &str, count: usize) {
        let path = format!("/v1/commands/{id}");
        until(&format!("{state} at {count}"), async || {
            let counts: Value = http::get(self.address, &path).await.1["counts"].clone();
            counts[state].as_u64() == Some(count as u64)
        })
        .await;
    }
}

/// Terminals that acknowledge. They end with this.
pub struct Agents {
    folder: TempDir,
    processes: Vec<TestProcess>,
}

impl Agents {
    /// Starts `count` terminals, and waits until each had its welcome. A thousand come at once: more would be late with their hello on a
    /// busy machine.
    pub async fn start(node: &StoreNode, count: usize) -> Self {
        let mut agents = Self { folder: tempfile::tempdir().expect("a folder"), processes: Vec::new() };
        for group in 0..count.div_ceil(GROUP) {
            let size = GROUP.min(count - group * GROUP);
            agents.start_group(node, group, size);
            until("all terminals are online", async || agents.online(group) >= size).await;
        }
        agents
    }

    /// The id of a terminal.
    pub fn id(n: usize) -> String {
        format!("agent-{}-{}", n / GROUP, n % GROUP)
    }

    fn start_group(&mut self, node: &StoreNode, group: usize, size: usize) {
        // Elsewhere terminals have processors of their own. Here they give way to nodes and Redis.
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(program());
        command.args(["--url", &format!("ws://{}/ws", node.address), "--terminals", &size.to_string()]);
        command.args(["--prefix", &format!("agent-{group}-"), "--log"]).arg(self.log(group));
        self.processes.push(TestProcess::start(command.stdout(Stdio::null()).stderr(Stdio::null())));
    }

    fn log(&self, group: usize) -> PathBuf {
        self.folder.path().join(group.to_string())
    }

    /// How many terminals of a group wrote down that they are online.
    fn online(&self, group: usize) -> usize {
        fs::read_to_string(self.log(group)).unwrap_or_default().matches(r#""what":"online""#).count()
    }
}

/// The program of the terminals, which `scripts/bench` builds beside the node.
fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_muster-node")).with_file_name("agents");
    assert!(program.exists(), "{} is missing: cargo build --release -p muster-testkit --bin agents", program.display());
    program
}

/// Waits until this is so.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < end, "waited in vain: {what}");
        sleep(LOOK).await;
    }
}

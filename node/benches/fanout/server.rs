//! The two servers as processes: started, told to broadcast, measured, and ended with the bench.

use std::{
    env, fs,
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};

use muster_testkit::{TestProcess, http};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet};

/// A server that can be told to broadcast.
pub trait Server {
    /// Sends `times` broadcasts without waiting between them.
    async fn broadcast(&mut self, payload: &str, times: usize);

    /// The process of the server.
    fn process(&self) -> &Process;

    /// The CPU time that the server has used so far.
    fn cpu(&self) -> Duration {
        self.process().cpu()
    }
}

/// A child that ends with the bench.
pub struct Process {
    process: TestProcess,
    address: SocketAddr,
}

impl Process {
    /// Starts the program. Its first line is `before` and its address.
    fn start(command: &mut Command, before: &str) -> Self {
        let mut process = TestProcess::start(command.stdout(Stdio::piped()).stderr(Stdio::null()));
        let address = process.line_after(before).parse().expect("its line ends with its address");
        Self { process, address }
    }

    fn cpu(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.child.id())).expect("the process lives");
        let on_cpu = |task: fs::DirEntry| -> u64 {
            let schedstat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            schedstat.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or(0)
        };
        Duration::from_nanos(tasks.filter_map(Result::ok).map(on_cpu).sum())
    }

    /// Resident bytes.
    fn memory(&self) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.process.child.id())).expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("every process has one");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("it is a number") * 1024
    }
}

/// A node without a cluster.
pub struct BenchNode(Process);

impl BenchNode {
    /// Starts the node of this build, with these flags beside those that each measurement needs.
    pub async fn start(flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster-node"));
        // Pings would be counted as deliveries.
        command.args(["--insecure", "--listen", "127.0.0.1:0", "--ping", "1h", "--handshakes", "100000"]);
        command.args(flags);
        Self(Process::start(&mut command, "muster-node ready on "))
    }

    /// Where terminals connect.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Resident bytes.
    pub fn memory(&self) -> u64 {
        self.0.memory()
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

    fn process(&self) -> &Process {
        &self.0
    }
}

async fn post(address: SocketAddr, body: String) {
    let (status, answer) = http::post(address, "/v1/commands", &body).await;
    assert_eq!(status, 202, "{answer}");
}

/// The floor, which is this program called in another way.
pub struct FloorServer {
    process: Process,
    controller: TcpStream,
}

impl FloorServer {
    /// Starts it.
    pub async fn start(payload: usize) -> Self {
        let own = env::current_exe().expect("a process knows its program");
        let process = Process::start(Command::new(own).arg("floor"), "");
        let mut controller = TcpStream::connect(process.address).await.expect("the floor accepts");
        controller.write_u16(payload as u16).await.expect("the floor reads");
        Self { process, controller }
    }

    /// Where terminals connect.
    pub fn address(&self) -> SocketAddr {
        self.process.address
    }
}

impl Server for FloorServer {
    async fn broadcast(&mut self, _payload: &str, times: usize) {
        self.controller.write_u8(times as u8).await.expect("the floor reads");
    }

    fn process(&self) -> &Process {
        &self.process
    }
}

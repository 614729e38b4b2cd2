//! A node as a program of its own.

use std::{
    net::SocketAddr,
    process::{Command, ExitStatus},
};

use muster_testkit::{LoggedProcess, http::request, wait::until};
use rustix::process::Signal;

/// A running `muster-node`.
pub struct Program(pub LoggedProcess);

impl Program {
    /// Starts a node on a free port with these flags and a drain of 1 s.
    pub fn start(flags: &[&str]) -> Self {
        Self::start_with(flags, |_| ())
    }

    /// Starts a node whose command was changed by `change`.
    pub fn start_with(flags: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster-node"));
        command.args(["--listen", "127.0.0.1:0", "--drain", "1s"]).args(flags);
        change(&mut command);
        Self(LoggedProcess::start(&mut command))
    }

    /// Waits until the node serves. Returns its address.
    pub async fn ready(&self) -> SocketAddr {
        let mut address = None;
        until("the program is ready", async || {
            let printed = self.0.stdout();
            address = printed.lines().find_map(|line| line.strip_prefix("muster-node ready on ")?.parse().ok());
            address.is_some()
        })
        .await;
        address.unwrap()
    }

    /// Waits until the program ends. Returns its exit status and its last line on stderr.
    pub async fn ends(mut self) -> (ExitStatus, String) {
        let status = self.0.process.ended().await;
        (status, self.0.stderr().lines().last().unwrap_or_default().to_owned())
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        self.0.process.signal(signal);
    }
}

/// Waits until `/readyz` answers 503 with this text in it.
pub async fn until_unready(address: SocketAddr, text: &str) {
    until(text, async || {
        let (status, _, body) = request(address, "GET /readyz HTTP/1.1\r\n").await;
        status == 503 && body.contains(text)
    })
    .await;
}

/// Waits until `/readyz` answers 200.
pub async fn until_ready(address: SocketAddr) {
    until("it is ready", async || request(address, "GET /readyz HTTP/1.1\r\n").await.0 == 200).await;
}

/// The value of the metric `muster_shortages` of a resource.
pub async fn shortage(address: SocketAddr, resource: &str) -> Option<String> {
    let metrics = request(address, "GET /metrics HTTP/1.1\r\n").await.2;
    let name = format!("muster_shortages{{resource=\"{resource}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)).map(str::to_owned)
}

//! One name is one process: a second one with the same --node-id does not start, one that follows a dead one does, and one that
//! wakes up after its name was taken ends. Nodes are programs here, so that they can be stopped and killed.

use std::{
    net::SocketAddr,
    process::{Command, ExitStatus},
};

use muster_client::Incoming;
use muster_protocol::api::Protocol::V1;
use muster_testkit::{
    LoggedProcess, OnlineTerminal, TestRedis,
    http::{get, post},
    wait::until,
};
use rustix::process::Signal;

/// A node named `n`, as a program of its own.
struct Program(LoggedProcess);

impl Program {
    fn start(redis: &TestRedis) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster-node"));
        command.args(["--listen", "127.0.0.1:0", "--shards", "1", "--drain", "1s", "--insecure"]);
        Self(LoggedProcess::start(command.args(["--node-id", "n", "--redis", &redis.url])))
    }

    /// Waits until the node serves. Returns its address.
    async fn ready(&self) -> SocketAddr {
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
    async fn ends(mut self) -> (ExitStatus, String) {
        let status = self.0.process.ended().await;
        (status, self.0.stderr().lines().last().unwrap_or_default().to_owned())
    }

    fn signal(&self, signal: Signal) {
        self.0.process.signal(signal);
    }
}

#[tokio::test]
async fn a_second_process_of_one_name_does_not_start_and_says_why() {
    let redis = TestRedis::start().await;
    let first = Program::start(&redis);
    let address = first.ready().await;
    let mut terminal = OnlineTerminal::start(address, "t", V1, &[]).await;
    let (status, error) = Program::start(&redis).ends().await;
    assert!(!status.success() && error.contains("--node-id n") && error.contains(&address.to_string()), "{error}");
    assert_eq!(get(address, "/readyz").await.0, 200);
    post(address, "/v1/commands", r#"{"target":{"all":true},"name":"show","payload":1}"#).await;
    assert_eq!(terminal.payload().await, "1");
}

#[tokio::test]
async fn one_that_was_killed_starts_again_by_itself() {
    let redis = TestRedis::start().await;
    let first = Program::start(&redis);
    first.ready().await;
    first.signal(Signal::KILL);
    let second = Program::start(&redis);
    let address = second.ready().await;
    until("it is ready", async || get(address, "/readyz").await.0 == 200).await;
}

#[tokio::test]
async fn one_that_wakes_up_after_its_name_was_taken_ends_and_delivers_nothing() {
    let redis = TestRedis::start().await;
    let first = Program::start(&redis);
    let mut terminal = OnlineTerminal::start(first.ready().await, "t", V1, &[]).await;
    first.signal(Signal::STOP);
    let second = Program::start(&redis);
    let address = second.ready().await;
    let (status, _) = post(address, "/v1/commands", r#"{"target":{"all":true},"name":"show","payload":1}"#).await;
    assert_eq!(status, 202);
    first.signal(Signal::CONT);
    let (status, error) = first.ends().await;
    assert!(!status.success() && error.contains("--node-id") && error.contains(&address.to_string()), "{error}");
    let told = terminal.next().await;
    assert!(matches!(told, Incoming::Offline { .. }), "{told:?}");
    assert_eq!(get(address, "/readyz").await.0, 200);
}

#[tokio::test]
async fn what_another_process_registered_ends_with_its_lease() {
    let redis = TestRedis::start().await;
    let first = Program::start(&redis);
    let address = first.ready().await;
    first.signal(Signal::STOP);
    redis.end_lease("n").await;
    let second = Program::start(&redis);
    let _left_behind = OnlineTerminal::start(second.ready().await, "t", V1, &[]).await;
    second.signal(Signal::KILL);
    redis.end_lease("n").await;
    first.signal(Signal::CONT);
    until("nobody is shown on a line that is gone", async || {
        get(address, "/v1/terminals/t").await.1["status"] == "offline"
    })
    .await;
}

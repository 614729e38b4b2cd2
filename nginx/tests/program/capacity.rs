//! What `--sessions` needs, and what happens beyond it.

use std::process::Command;

use muster_testkit::wait::until;
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::proxy::Proxy;

/// More connections than one worker has with `--sessions 1`.
const TOO_MANY: usize = 1100;

/// The same command with at most `files` open files, which it may not raise.
fn limited(command: &Command, files: u64) -> Command {
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--nofile={files}:{files}"));
    if geteuid().is_root() {
        limited.args(["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"]);
    }
    limited.arg(command.get_program()).args(command.get_args());
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited
}

#[tokio::test]
async fn too_few_open_files_are_told_at_the_start_with_the_flag_and_the_limit() {
    let limit = |command: &mut Command, _: &_| *command = limited(command, 2000);
    let mut proxy = Proxy::start_with(&["--sessions", "1000", "--workers", "1"], limit).await;
    let (status, error) = proxy.ends().await;
    assert!(
        !status.success() && error.contains("--sessions 1000: each of the 1 workers of Nginx needs 4088"),
        "{error}"
    );
    assert!(error.contains("the limit is 2000"), "{error}");
}

#[tokio::test]
async fn connections_without_room_are_counted() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let flags = ["--sessions", "1", "--workers", "1", "--poll", "100ms"];
    let (proxy, address) = Proxy::ready(&flags).await;
    until("Nginx was asked", async || proxy.metric("connections_dropped_total").await == 0.0).await;
    let mut connections = Vec::new();
    for _ in 0..TOO_MANY {
        let mut connection = TcpStream::connect(address).await.unwrap();
        // Nginx closes connections that have sent nothing to make room.
        connection.write_all(b"G").await.unwrap();
        connections.push(connection);
    }
    until("they are counted", async || proxy.metric("connections_dropped_total").await > 0.0).await;
}

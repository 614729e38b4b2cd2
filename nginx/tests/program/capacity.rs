//! What `--sessions` needs, and what happens beyond it.

use std::{net::SocketAddr, process::Command};

use muster_testkit::wait::{soon, until};
use rustix::process::{Resource, Rlimit, Signal, geteuid, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::proxy::{Proxy, status};

/// The connections of one worker with `--sessions 1`.
const CONNECTIONS: usize = 1027;

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
async fn too_little_memory_is_told_at_the_start_with_the_flag() {
    // No machine of a test has 300 GB. It does not have so many files either, so nothing is started.
    let limit = |command: &mut Command, _: &_| *command = limited(command, 2000);
    let mut proxy = Proxy::start_with(&["--sessions", "10000000", "--workers", "1"], limit).await;
    assert!(!proxy.ends().await.0.success());
    let told = proxy.sidecar.stderr();
    assert!(told.contains("WARN") && told.contains("--sessions 10000000: Nginx needs about"), "{told}");
}

/// Opens a connection that Nginx can't close to make room: a request that was answered, and the first byte of another one.
/// `None` if there was no room for it.
async fn hold(address: SocketAddr) -> Option<TcpStream> {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let _ = connection.write_all(b"GET /own HTTP/1.1\r\nHost: test\r\n\r\nG").await;
    let answered = matches!(soon(connection.read(&mut [0; 512])).await, Ok(1..));
    answered.then_some(connection)
}

#[tokio::test]
async fn connections_without_room_are_counted() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let flags = ["--sessions", "1", "--workers", "1", "--poll", "100ms"];
    let (proxy, address) = Proxy::ready(&flags).await;
    proxy.write_snippet("client_header_timeout 60s;\nlocation = /own { return 204; }\n");
    proxy.sidecar.process.signal(Signal::HUP);
    until("the snippet is applied", async || status(address, "/own").await == 204).await;
    assert_eq!(proxy.metric("connections_dropped_total").await, 0.0);
    let mut held = Vec::new();
    while let Some(connection) = hold(address).await {
        held.push(connection);
        assert!(held.len() < 2 * CONNECTIONS, "the worker, and the one before it");
    }
    // The sidecar finds no room either until then.
    drop(held);
    until("it is counted", async || proxy.metric("connections_dropped_total").await > 0.0).await;
}

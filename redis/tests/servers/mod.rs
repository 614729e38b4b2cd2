//! Real Redis servers for tests. Each test program uses a part of this module.

#![allow(dead_code)]

pub mod cluster;

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use redis::{RedisResult, Value};
use tempfile::TempDir;
use tokio::time;

/// A Redis server or Sentinel on a free port of 127.0.0.1, without persistence. Killed when dropped.
pub struct TestServer {
    child: Child,
    pub port: u16,
    _directory: TempDir,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a port that is free now. It is below those that the kernel gives to connections, and no other call of this
/// process returns it.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = 10_000 + (std::process::id() % 200) as u16 * 100;
    loop {
        let port = begin + NEXT.fetch_add(1, Ordering::Relaxed) % 2000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl TestServer {
    /// Starts a server with these settings besides, and waits until it answers.
    pub async fn start(settings: &str) -> Self {
        Self::run(&[], settings, tempfile::tempdir().unwrap()).await
    }

    /// Starts a Sentinel with this configuration.
    pub async fn sentinel(configuration: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("sentinel.conf");
        std::fs::write(&file, configuration).unwrap();
        Self::run(&[&file.display().to_string(), "--sentinel"], "", directory).await
    }

    async fn run(first: &[&str], settings: &str, directory: TempDir) -> Self {
        let port = free_port();
        let mut command = Command::new("redis-server");
        command.args(first).args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
        command.arg("--dir").arg(directory.path()).args(settings.split_whitespace());
        if first.is_empty() {
            command.args(["--save", ""]);
        }
        let child =
            command.stdout(Stdio::null()).spawn().expect("redis-server is missing: apt-get install redis-server");
        let server = Self { child, port, _directory: directory };
        until("the server answers", async || server.ask("PING").await.is_ok()).await;
        server
    }

    /// Kills the server, as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends the process a signal, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(done.unwrap().success());
    }

    /// Sends a command, without TLS.
    pub async fn ask(&self, words: &str) -> RedisResult<Value> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port))?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut words = words.split(' ');
        redis::cmd(words.next().unwrap()).arg(words.collect::<Vec<_>>()).query_async(&mut connection).await
    }

    /// Sends a command, and returns its answer as text.
    pub async fn text(&self, words: &str) -> String {
        redis::from_redis_value(self.ask(words).await.unwrap()).unwrap()
    }
}

/// Waits until a condition holds, at most 20 s.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            time::sleep(Duration::from_millis(20)).await;
        }
    };
    time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

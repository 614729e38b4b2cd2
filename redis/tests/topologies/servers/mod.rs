//! Real Redis servers, asked by lines of words.

pub mod cluster;

use std::{
    fs,
    process::{Command, Stdio},
};

use muster_testkit::{TestProcess, TestRedis};
use redis::{FromRedisValue, RedisResult, Value};
use tempfile::TempDir;

/// A server with settings of its own.
pub struct TestServer {
    /// `None` once it is killed.
    redis: Option<TestRedis>,
    pub port: u16,
}

impl TestServer {
    /// Starts a server with these settings besides, such as `--maxmemory 1mb`.
    pub async fn start(settings: &str) -> Self {
        let redis = TestRedis::start_with(|command, _| {
            command.args(settings.split_whitespace());
        });
        let redis = redis.await;
        Self { port: redis.port, redis: Some(redis) }
    }

    /// The server.
    pub fn redis(&self) -> &TestRedis {
        self.redis.as_ref().expect("the server was killed")
    }

    /// Kills the server, as `kill -9` does.
    pub fn kill(&mut self) {
        self.redis = None;
    }

    /// Sends a command, without TLS.
    pub async fn ask<T: FromRedisValue>(&self, words: &str) -> RedisResult<T> {
        self.redis().ask(&words.split(' ').collect::<Vec<_>>()).await
    }

    /// Sends a command that changes something.
    pub async fn tell(&self, words: &str) {
        let _: Value = self.ask(words).await.unwrap_or_else(|error| panic!("{words}: {error}"));
    }

    /// Sends a command, and returns its answer as text.
    pub async fn text(&self, words: &str) -> String {
        self.ask(words).await.unwrap_or_else(|error| panic!("{words}: {error}"))
    }
}

/// A Sentinel with this configuration. It needs a file of its own, to which it writes what it learns.
pub fn start_sentinel(configuration: &str) -> (TestProcess, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sentinel.conf");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new("redis-server");
    command.arg(&file).arg("--sentinel").current_dir(folder.path()).stdout(Stdio::null());
    (TestProcess::start(&mut command), folder)
}

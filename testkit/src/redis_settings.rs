//! A Redis server with settings of its own, asked by lines of words.

use redis::{FromRedisValue, RedisResult, Value};

use crate::TestRedis;

/// A server with settings of its own.
pub struct TestServer {
    /// `None` once it is killed.
    redis: Option<TestRedis>,
    /// The port on which it listens.
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
    ///
    /// # Panics
    /// If it was killed.
    pub fn redis(&self) -> &TestRedis {
        self.redis.as_ref().expect("the server was killed")
    }

    /// Kills the server, as `kill -9` does.
    pub fn kill(&mut self) {
        self.redis = None;
    }

    /// Sends a command, without TLS.
    ///
    /// # Errors
    /// If the server can't be reached, or refuses the command.
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

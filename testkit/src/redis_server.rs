//! A Redis server of a test's own, and what can be done to it.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use muster_protocol::{
    id::ClusterName,
    partition::{PartitionIndex, Partitions},
    redis_keys::RedisKeys,
};
use redis::{FromRedisValue, RedisResult, aio::MultiplexedConnection, cmd};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use tempfile::TempDir;

use crate::{TestProcess, free_port, wait::until};

/// A Redis server on a free port. Killed when dropped.
pub struct TestRedis {
    process: TestProcess,
    command: Command,
    /// The server's working directory, where it stores what its flags ask for and what its master sends.
    pub folder: TempDir,
    /// The port on which it listens.
    pub port: u16,
    /// `redis://127.0.0.1:PORT`.
    pub url: String,
}

impl TestRedis {
    /// Starts a server without persistence and waits until it answers.
    ///
    /// # Panics
    /// If `redis-server` is not installed.
    pub async fn start() -> Self {
        Self::start_with(|_, _| ()).await
    }

    /// Starts a server whose command was changed by `change`, which is given the server's working directory, too.
    pub async fn start_with(change: impl FnOnce(&mut Command, &Path)) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"]);
        command.current_dir(folder.path()).stdout(Stdio::null());
        change(&mut command, folder.path());
        let process = TestProcess::start(&mut command);
        let redis = Self { process, command, folder, port, url: format!("redis://127.0.0.1:{port}") };
        redis.answers().await;
        redis
    }

    /// Starts a server that writes what it stores to a file, for [`may_write`](Self::may_write).
    pub async fn start_with_file() -> Self {
        Self::start_with(|command, folder| {
            // A write beyond a limit comes with a signal that would end the server.
            let mut ignoring = Command::new("env");
            ignoring.args(["--ignore-signal=XFSZ", "redis-server"]).args(command.get_args());
            ignoring.args(["--appendonly", "yes"]).current_dir(folder).stdout(Stdio::null());
            *command = ignoring;
        })
        .await
    }

    /// Kills the server, starts it again with the same command and waits until it answers. Without persistence it has
    /// lost everything.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = TestProcess::start(&mut self.command);
        self.answers().await;
    }

    async fn answers(&self) {
        until("Redis answers", async || self.ask::<String>(&["PING"]).await.is_ok()).await;
    }

    /// Sends a command by a connection of its own.
    ///
    /// # Errors
    /// If the server can't be reached, or refuses the command.
    pub async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> RedisResult<T> {
        let (name, rest) = words.split_first().expect("a command");
        cmd(name).arg(rest).query_async(&mut self.connection().await?).await
    }

    /// Lowers `maxmemory` below what is stored, so that Redis refuses every write.
    pub async fn fill(&self) {
        let () = self.ask(&["CONFIG", "SET", "maxmemory", "1mb"]).await.unwrap();
    }

    /// Limits the size of the files that the server writes, in bytes; None takes the limit away. To the server a file at the limit is a
    /// full disk.
    pub fn may_write(&self, bytes: Option<u64>) {
        let (pid, maximum) = (Pid::from_child(&self.process.child), None);
        prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum }).unwrap();
    }

    /// Stops the process (SIGSTOP): connections stay open and nothing is answered.
    pub fn hang(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Continues the process, which then does what it was asked meanwhile.
    pub fn go_on(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Deletes the indexes of the nodes' leases.
    pub async fn forget_leases(&self) {
        let mut pipe = redis::pipe();
        for keys in self.partitions().await {
            pipe.del(keys.nodes());
        }
        let () = pipe.query_async(&mut self.connection().await.unwrap()).await.unwrap();
    }

    /// Deletes a node's leases, as if they had run out.
    pub async fn end_lease(&self, node: &str) {
        let mut pipe = redis::pipe();
        for keys in self.partitions().await {
            pipe.del(keys.sealed_lease(node));
        }
        let () = pipe.query_async(&mut self.connection().await.unwrap()).await.unwrap();
    }

    /// Leaves the traces of another node that took this one for dead and unregistered its sessions, without the message
    /// that would tell this node.
    pub async fn bury_unheard(&self, node: &str) {
        let mut pipe = redis::pipe();
        for keys in self.partitions().await {
            pipe.del(keys.key(&format!("held:{node}"))).hset(keys.key("claims"), node, "unheard");
            pipe.zadd(keys.nodes(), node, 99_999_999_999_999u64);
        }
        let () = pipe.query_async(&mut self.connection().await.unwrap()).await.unwrap();
    }

    /// The names of the keys of every partition of the store, which a node has opened without a cluster name and in database 0.
    pub async fn partitions(&self) -> Vec<RedisKeys> {
        let partitions = self.count().await;
        partitions.all().map(|index| RedisKeys::of_partition(&ClusterName::default(), 0, partitions, index)).collect()
    }

    /// The names of the keys of a terminal's partition.
    pub async fn partition_of(&self, terminal: &str) -> RedisKeys {
        let partitions = self.count().await;
        let index = partitions.of(&terminal.parse().unwrap());
        RedisKeys::of_partition(&ClusterName::default(), 0, partitions, index)
    }

    async fn count(&self) -> Partitions {
        let first = RedisKeys::of_partition(&ClusterName::default(), 0, Partitions::ONE, PartitionIndex(0));
        Partitions::new(self.ask(&["HGET", &first.store(), "partitions"]).await.unwrap()).unwrap()
    }

    /// Cuts all subscriptions and allows no other: nodes can write, and hear nothing.
    pub async fn deafen(&self) {
        let mut pipe = redis::pipe();
        pipe.cmd("ACL").arg(&["SETUSER", "default", "-ssubscribe"]).ignore();
        pipe.cmd("CLIENT").arg(&["KILL", "TYPE", "pubsub"]).ignore();
        let () = pipe.query_async(&mut self.connection().await.unwrap()).await.unwrap();
    }

    /// Allows subscriptions again. Nodes try every 250 ms.
    pub async fn let_hear(&self) {
        let () = self.ask(&["ACL", "SETUSER", "default", "+ssubscribe"]).await.unwrap();
    }

    /// Deletes everything.
    pub async fn flush(&self) {
        let () = self.ask(&["FLUSHALL"]).await.unwrap();
    }

    async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        redis::Client::open(self.url.as_str())?.get_multiplexed_async_connection().await
    }
}

//! A Redis server of a test's own, and what can be done to it.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use muster_protocol::{id::ClusterName, redis_keys::RedisKeys};
use redis::{aio::MultiplexedConnection, cmd};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::wait::until;

/// A Redis server on a free port, without persistence. Killed when dropped.
pub struct TestRedis {
    child: Child,
    /// The server's working directory: a replica stores there what its master sends.
    _directory: TempDir,
    /// `redis://127.0.0.1:PORT`.
    pub url: String,
}

impl TestRedis {
    /// Starts a server and waits until it listens.
    ///
    /// # Panics
    /// If `redis-server` is not installed.
    pub async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .current_dir(directory.path())
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is missing: apt-get install redis-server");
        until("Redis listens", async || TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
        Self { child, _directory: directory, url: format!("redis://127.0.0.1:{port}") }
    }

    /// Lowers `maxmemory` below what is stored, so that Redis refuses every write.
    pub async fn fill(&self) {
        let mut connection = self.connection().await;
        let () = cmd("CONFIG").arg("SET").arg("maxmemory").arg("1mb").query_async(&mut connection).await.unwrap();
    }

    /// Stops the process (SIGSTOP): connections stay open and nothing is answered.
    pub fn hang(&self) {
        self.signal(Signal::STOP);
    }

    /// Continues the process, which then does what it was asked meanwhile.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Deletes the index of the nodes' leases.
    pub async fn forget_leases(&self) {
        let () = cmd("DEL").arg(keys().nodes()).query_async(&mut self.connection().await).await.unwrap();
    }

    /// Deletes a node's lease, as if it had run out.
    pub async fn end_lease(&self, node: &str) {
        let () = cmd("DEL").arg(keys().lease(node)).query_async(&mut self.connection().await).await.unwrap();
    }

    /// Leaves the traces of another node that took this one for dead and unregistered its sessions, without the message
    /// that would tell this node.
    pub async fn bury_unheard(&self, node: &str, terminal: &str) {
        let (keys, mut pipe) = (keys(), redis::pipe());
        pipe.atomic().hdel(keys.key("online"), terminal).del(keys.key(&format!("held:{node}")));
        pipe.hset(keys.key("claims"), node, "unheard").zadd(keys.nodes(), node, 99_999_999_999_999u64);
        let () = pipe.query_async(&mut self.connection().await).await.unwrap();
    }

    /// Cuts all subscriptions and allows no other: nodes can write, and hear nothing.
    pub async fn deafen(&self) {
        let mut pipe = redis::pipe();
        pipe.cmd("ACL").arg(&["SETUSER", "default", "-ssubscribe"]).ignore();
        pipe.cmd("CLIENT").arg(&["KILL", "TYPE", "pubsub"]).ignore();
        let () = pipe.query_async(&mut self.connection().await).await.unwrap();
    }

    /// Allows subscriptions again. Nodes try every 250 ms.
    pub async fn let_hear(&self) {
        let () = cmd("ACL")
            .arg(&["SETUSER", "default", "+ssubscribe"])
            .query_async(&mut self.connection().await)
            .await
            .unwrap();
    }

    /// Deletes everything.
    pub async fn flush(&self) {
        let () = cmd("FLUSHALL").query_async(&mut self.connection().await).await.unwrap();
    }

    async fn connection(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url.as_str()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

/// The keys of a node that is started without a cluster name and with database 0.
fn keys() -> RedisKeys {
    RedisKeys::new(&ClusterName::default(), 0)
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

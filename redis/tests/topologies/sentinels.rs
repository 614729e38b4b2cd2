//! Sentinels that replace a master which lives. They make it a replica 8 s later at the earliest, and until then both
//! servers say that they are the master.

use std::time::Duration;

use muster_redis::{MasterListener, Masters};
use muster_testkit::{
    TestProcess, TestServer, free_port,
    wait::{soon, until},
};
use redis::{AsyncCommands, ConnectionAddr, FromRedisValue, RedisResult, Value, cmd};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::servers::start_sentinel;

const TAG: &str = "{m:0}";
const KEY: &str = "{m:0}:key";

/// A master, its replica and a Sentinel.
struct Watched {
    master: TestServer,
    replica: TestServer,
    _sentinel: (TestProcess, TempDir),
    /// The Sentinel's port.
    port: u16,
}

impl Watched {
    async fn start() -> Self {
        let master = TestServer::start("--repl-diskless-sync-delay 0").await;
        let replica = TestServer::start(&format!("--replicaof 127.0.0.1 {}", master.port)).await;
        until("the replica follows", async || replica.text("INFO replication").await.contains("master_link_status:up"))
            .await;
        let port = free_port();
        let sentinel = start_sentinel(&monitoring(port, master.port, ""));
        let watched = Self { master, replica, _sentinel: sentinel, port };
        until("the Sentinel knows the replica", async || {
            let replicas: RedisResult<Vec<Value>> = watched.ask_sentinel("SENTINEL REPLICAS main").await;
            replicas.is_ok_and(|replicas| !replicas.is_empty())
        })
        .await;
        watched
    }

    async fn ask_sentinel<T: FromRedisValue>(&self, words: &str) -> RedisResult<T> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port))?;
        let (name, rest) = words.split_once(' ').expect("a command of several words");
        let mut connection = client.get_multiplexed_async_connection().await?;
        cmd(name).arg(rest.split(' ').collect::<Vec<_>>()).query_async(&mut connection).await
    }

    /// Has the Sentinel replace the master, and waits until it names the replica.
    async fn replace_master(&self) {
        until("the failover begins", async || self.ask_sentinel::<()>("SENTINEL FAILOVER main").await.is_ok()).await;
        until("the Sentinel names the replica", async || {
            let named: RedisResult<(String, u16)> = self.ask_sentinel("SENTINEL GET-MASTER-ADDR-BY-NAME main").await;
            named.is_ok_and(|(_, port)| port == self.replica.port)
        })
        .await;
    }

    /// Whether the old master says still that it is a master.
    async fn old_is_master(&self) -> bool {
        self.master.text("INFO replication").await.contains("role:master")
    }
}

/// The configuration of a Sentinel on this port.
fn monitoring(port: u16, master: u16, more: &str) -> String {
    format!("bind 127.0.0.1\nport {port}\nsentinel monitor main 127.0.0.1 {master} 1\n{more}")
}

fn at(address: &ConnectionAddr, server: &TestServer) -> bool {
    *address == ConnectionAddr::Tcp("127.0.0.1".into(), server.port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_lives_is_left_as_soon_as_sentinels_replace_it() {
    let watched = Watched::start().await;
    let masters = Masters::new(format!("redis+sentinel://127.0.0.1:{}/main", watched.port).parse().unwrap());
    let mut connection = masters.connection(TAG);
    let () = connection.set(KEY, "before").await.unwrap();
    let mut listener: MasterListener = masters.listener([(TAG.to_owned(), vec![format!("{TAG}:events")])]);
    let mut subscription = soon(listener.next()).await.unwrap();
    assert!(at(subscription.master(), &watched.master));

    watched.replace_master().await;
    until("commands go to the new master", async || {
        let _ = connection.set::<_, _, ()>(KEY, "after").await;
        let value: Option<String> = watched.replica.ask(&format!("GET {KEY}")).await.unwrap();
        value.as_deref() == Some("after")
    })
    .await;
    assert!(soon(subscription.next()).await.is_none(), "the old master's messages are not heard any more");
    drop(subscription);
    assert!(at(soon(listener.next()).await.unwrap().master(), &watched.replica));
    assert!(watched.old_is_master().await, "the old master said itself that it was none, which took 8 s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_sentinels_the_one_with_the_later_failover_is_believed() {
    let watched = Watched::start().await;
    // This Sentinel does not hear what others tell.
    watched.master.tell("ACL SETUSER deaf on >word allcommands allkeys resetchannels").await;
    let deaf = free_port();
    let more = "sentinel auth-user main deaf\nsentinel auth-pass main word\n";
    let _deaf = start_sentinel(&monitoring(deaf, watched.master.port, more));
    watched.replace_master().await;

    let url = format!("redis+sentinel://127.0.0.1:{deaf},127.0.0.1:{}/main", watched.port);
    for _ in 0..20 {
        let masters = Masters::new(url.parse().unwrap());
        let () = timeout(Duration::from_secs(5), masters.connection(TAG).set(KEY, "value")).await.unwrap().unwrap();
        assert!(at(&masters.master(TAG).unwrap(), &watched.replica));
    }
    assert!(watched.old_is_master().await, "this took so long that the old master is none");
}

#[tokio::test]
async fn a_redis_that_is_no_sentinel_is_told_from_a_sentinel_that_knows_no_such_master() {
    let watched = Watched::start().await;
    for (port, name, says) in [
        (watched.master.port, "main", "unknown command 'SENTINEL'"),
        (watched.port, "other", "the Sentinels know no master of this name"),
    ] {
        let masters = Masters::new(format!("redis+sentinel://127.0.0.1:{port}/{name}").parse().unwrap());
        let error = masters.connection(TAG).set::<_, _, ()>(KEY, "value").await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

//! Connections that follow the master in a Redis Cluster of two real servers.

use std::net::TcpListener;

use muster_redis::Connection;
use muster_testkit::{TestRedis, free_port, wait::until};
use redis::{AsyncCommands, RedisResult, Value};

/// The hash tag of all names here.
const TAG: &str = "{muster}";

/// One server of a Redis Cluster, without persistence.
struct ClusterServer {
    redis: TestRedis,
    bus: u16,
}

impl ClusterServer {
    async fn start() -> Self {
        let bus = free_port();
        let redis = TestRedis::start_with(|command, _| {
            command.args(["--cluster-enabled", "yes", "--cluster-port", &bus.to_string()]);
        });
        Self { redis: redis.await, bus }
    }

    async fn ask(&self, words: &str) -> RedisResult<Value> {
        self.redis.ask(&words.split(' ').collect::<Vec<_>>()).await
    }

    async fn text(&self, words: &str) -> String {
        redis::from_redis_value(self.ask(words).await.unwrap()).unwrap()
    }

    /// Moves the slot of all keys from the other server to this one.
    async fn take(&self, other: &Self) {
        let (slot, id) = (self.text(&format!("CLUSTER KEYSLOT {TAG}")).await, self.text("CLUSTER MYID").await);
        for member in [self, other] {
            member.ask(&format!("CLUSTER SETSLOT {slot} NODE {id}")).await.unwrap();
        }
    }
}

/// Starts a cluster of two servers, of which the second has all slots, and a connection whose URL also names a dead and
/// a hanging server.
async fn cluster() -> (ClusterServer, ClusterServer, Connection, TcpListener) {
    let (one, other) = (ClusterServer::start().await, ClusterServer::start().await);
    other.ask("CLUSTER ADDSLOTSRANGE 0 16383").await.unwrap();
    one.ask(&format!("CLUSTER MEET 127.0.0.1 {} {}", other.redis.port, other.bus)).await.unwrap();
    for member in [&one, &other] {
        until("the cluster is whole", async || {
            let info = member.text("CLUSTER INFO").await;
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:2")
        })
        .await;
    }
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging = hangs.local_addr().unwrap().port();
    let url = format!("redis+cluster://127.0.0.1:{},127.0.0.1:{hanging},127.0.0.1:{}", free_port(), one.redis.port);
    (one, other, Connection::new(url.parse().unwrap(), TAG), hangs)
}

#[tokio::test]
async fn a_dead_and_a_hanging_server_do_not_hide_the_master() {
    let (one, other, mut connection, _hangs) = cluster().await;
    let () = connection.set(format!("{TAG}:key"), "value").await.expect("the first call succeeds");
    assert_eq!(other.text(&format!("GET {TAG}:key")).await, "value");
    let error = one.ask(&format!("GET {TAG}:key")).await.unwrap_err();
    assert!(error.redirect_node().is_some(), "{error}");
}

#[tokio::test]
async fn commands_and_subscriptions_follow_the_master() {
    let (one, other, mut connection, _hangs) = cluster().await;
    let channel = format!("{TAG}:channel");
    let mut heard = connection.listen(&[&channel]).await.unwrap();
    let () = connection.spublish(&channel, "1").await.unwrap();
    assert_eq!(heard.next().await.as_deref(), Some(&b"1"[..]));
    one.take(&other).await;
    assert_eq!(heard.next().await, None, "the master is another server now");
    until("the other is found", async || connection.set::<_, _, ()>(format!("{TAG}:key"), "value").await.is_ok()).await;
    assert_eq!(one.text(&format!("GET {TAG}:key")).await, "value");
    let mut heard = connection.listen(&[&channel]).await.unwrap();
    assert!(heard.master().to_string().ends_with(&one.redis.port.to_string()));
    let () = connection.spublish(&channel, "2").await.unwrap();
    assert_eq!(heard.next().await.as_deref(), Some(&b"2"[..]));
}

#[tokio::test]
async fn a_killed_connection_is_replaced() {
    let (_one, other, mut connection, _hangs) = cluster().await;
    let mut heard = connection.listen(&[&format!("{TAG}:channel")]).await.unwrap();
    for kind in ["normal", "pubsub"] {
        other.ask(&format!("CLIENT KILL TYPE {kind}")).await.unwrap();
    }
    assert_eq!(heard.next().await, None);
    until("it is back", async || connection.ping::<()>().await.is_ok()).await;
}

//! Connections that follow the master in a Redis Cluster of two real servers.

use std::net::TcpListener;

use muster_redis::Connection;
use muster_testkit::{free_port, wait::until};
use redis::AsyncCommands;

use muster_testkit::TestServer;

/// The hash tag of all names here.
const TAG: &str = "{muster}";

/// Moves the slot of all keys from one server to the other.
async fn move_slot(from: &TestServer, to: &TestServer) {
    let (slot, id) = (to.text(&format!("CLUSTER KEYSLOT {TAG}")).await, to.text("CLUSTER MYID").await);
    for member in [to, from] {
        member.tell(&format!("CLUSTER SETSLOT {slot} NODE {id}")).await;
    }
}

/// Starts a cluster of two servers, of which the second has all slots, and a connection whose URL also names a dead and
/// a hanging server.
async fn cluster() -> (TestServer, TestServer, Connection, TcpListener) {
    let buses = [free_port(), free_port()];
    let [one, other] = buses.map(|bus| format!("--cluster-enabled yes --cluster-port {bus}"));
    let (one, other) = (TestServer::start(&one).await, TestServer::start(&other).await);
    other.tell("CLUSTER ADDSLOTSRANGE 0 16383").await;
    one.tell(&format!("CLUSTER MEET 127.0.0.1 {} {}", other.port, buses[1])).await;
    for member in [&one, &other] {
        until("the cluster is whole", async || {
            let info = member.text("CLUSTER INFO").await;
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:2")
        })
        .await;
    }
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging = hangs.local_addr().unwrap().port();
    let url = format!("redis+cluster://127.0.0.1:{},127.0.0.1:{hanging},127.0.0.1:{}", free_port(), one.port);
    (one, other, Connection::new(url.parse().unwrap(), TAG), hangs)
}

#[tokio::test]
async fn a_dead_and_a_hanging_server_do_not_hide_the_master() {
    let (one, other, mut connection, _hangs) = cluster().await;
    let () = connection.set(format!("{TAG}:key"), "value").await.expect("the first call succeeds");
    assert_eq!(other.text(&format!("GET {TAG}:key")).await, "value");
    let error = one.ask::<String>(&format!("GET {TAG}:key")).await.unwrap_err();
    assert!(error.redirect_node().is_some(), "{error}");
}

#[tokio::test]
async fn commands_and_subscriptions_follow_the_master() {
    let (one, other, mut connection, _hangs) = cluster().await;
    let channel = format!("{TAG}:channel");
    let mut heard = connection.listen(&[&channel]).await.unwrap();
    let () = connection.spublish(&channel, "1").await.unwrap();
    assert_eq!(heard.next().await.as_deref(), Some(&b"1"[..]));
    move_slot(&other, &one).await;
    assert_eq!(heard.next().await, None, "the master is another server now");
    until("the other is found", async || connection.set::<_, _, ()>(format!("{TAG}:key"), "value").await.is_ok()).await;
    assert_eq!(one.text(&format!("GET {TAG}:key")).await, "value");
    let mut heard = connection.listen(&[&channel]).await.unwrap();
    assert!(heard.master().to_string().ends_with(&one.port.to_string()));
    let () = connection.spublish(&channel, "2").await.unwrap();
    assert_eq!(heard.next().await.as_deref(), Some(&b"2"[..]));
}

#[tokio::test]
async fn a_killed_connection_is_replaced() {
    let (_one, other, mut connection, _hangs) = cluster().await;
    let mut heard = connection.listen(&[&format!("{TAG}:channel")]).await.unwrap();
    for kind in ["normal", "pubsub"] {
        other.tell(&format!("CLIENT KILL TYPE {kind}")).await;
    }
    assert_eq!(heard.next().await, None);
    until("it is back", async || connection.ping::<()>().await.is_ok()).await;
}

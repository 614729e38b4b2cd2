//! What a node makes of what no node of its cluster wrote.

use muster_protocol::{
    api::Protocol::V1,
    id::ClusterName,
    partition::{PartitionIndex, Partitions},
    redis_keys::RedisKeys,
};
use muster_testkit::{
    TestNode,
    http::{get, handshake},
    wait::soon,
    wait::until,
};
use redis::AsyncCommands;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::store::{PARTITIONS, PartitionedCluster};

#[tokio::test]
async fn a_node_with_another_secret_is_no_node_of_the_cluster() {
    let cluster = PartitionedCluster::start().await;
    let secret = format!("k1={}", "s".repeat(32));
    let flags = ["--secret", &secret, "--redis", &cluster.redis.url, "--partitions", PARTITIONS];
    let other = TestNode::start(&flags).await;
    let nodes = get(cluster.here.address, "/v1/nodes").await.1;
    assert_eq!(nodes["nodes"].as_array().unwrap().len(), 2, "{nodes}");
    drop(other);
}

#[tokio::test]
async fn a_command_that_is_written_into_a_channel_by_hand_is_not_sent() {
    let cluster = PartitionedCluster::start().await;
    let mut terminal = cluster.there.terminal("t1", V1, &[]).await;
    let partitions = Partitions::new(PARTITIONS.parse().unwrap()).unwrap();
    let index: PartitionIndex = partitions.of(&"t1".parse().unwrap());
    let keys = RedisKeys::of_partition(&ClusterName::default(), 0, partitions, index);
    let client = redis::Client::open(cluster.redis.url.as_str()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let (epoch, number): (String, u64) = redis.mget(&[keys.key("epoch"), keys.key("seq")]).await.unwrap();
    let frame = r#"{"expires_at":"2100-01-01T00:00:00Z","id":"01890a5d-ac96-774b-bcce-b302099a8057","name":"open","payload":"forged"}"#;
    let forged =
        format!(r#"{{"deliver":{{"epoch":"{epoch}","number":{},"prev":0,"to":"all","command":{frame}}}}}"#, number + 1);
    let heard: u64 = redis.spublish(keys.broadcast(), forged).await.unwrap();
    assert_eq!(heard, 2);
    let (status, _) = cluster.here.command(r#"{"terminal":"t1"}"#, r#""true""#).await;
    assert_eq!(status, 202);
    assert_eq!(terminal.payload().await, r#""true""#);
    assert!(terminal.is_quiet());
}

#[tokio::test]
async fn the_channel_of_the_sidecars_moves_sessions_and_does_nothing_else() {
    let cluster = PartitionedCluster::start().await;
    let mut terminal = TcpStream::connect(cluster.here.address).await.unwrap();
    let request = format!("{}Host: test\r\n\r\n", handshake("?terminal_id=t1", "X-Edge: host/7/1\r\nX-Reroute: 1\r\n"));
    terminal.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(terminal.read_u8()).await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    until("it is registered", async || get(cluster.here.address, "/v1/terminals/t1").await.1["status"] == "online")
        .await;
    let partitions = Partitions::new(PARTITIONS.parse().unwrap()).unwrap();
    let keys = RedisKeys::of_partition(&ClusterName::default(), 0, partitions, PartitionIndex(3));
    let client = redis::Client::open(cluster.redis.url.as_str()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    for request in
        [r#"{"remove":{"terminal":"t1"}}"#, r#"{"depart":"drain"}"#, r#"{"retire":{"worker":"host/7","over_ms":1}}"#]
    {
        let heard: u64 = redis.spublish(keys.proxy(), request).await.unwrap();
        assert_eq!(heard, 2);
    }
    let mut close = [0; 4];
    soon(terminal.read_exact(&mut close)).await.unwrap();
    let code = u16::from_be_bytes([close[2], close[3]]);
    assert_eq!((close[0], code), (0x88, 1001), "it is moved, and not removed");
    assert_eq!(get(cluster.here.address, "/readyz").await.0, 200, "the node goes on");
}

#[tokio::test]
async fn a_message_of_a_newer_version_is_counted_and_the_node_goes_on() {
    let cluster = PartitionedCluster::start().await;
    let mut terminal = cluster.here.terminal("t1", V1, &[]).await;
    let keys = cluster.redis.partition_of("t1").await;
    for (channel, message) in [
        (keys.broadcast(), r#"{"pause":{"terminal":"t1"}}"#),
        (keys.broadcast(), r#"{"depart":{"pause":{"rate":1}}}"#),
        (keys.proxy(), r#"{"pause":{"worker":"edge/7"}}"#),
    ] {
        let heard: u64 = cluster.redis.ask(&["SPUBLISH", &channel, message]).await.unwrap();
        assert_eq!(heard, 2);
    }
    until("both nodes have counted them", async || {
        let nodes = get(cluster.here.address, "/v1/nodes").await.1;
        nodes["nodes"].as_array().unwrap().iter().all(|node| node["foreign"] == 3)
    })
    .await;
    assert_eq!(cluster.there.command(r#"{"terminal":"t1"}"#, "1").await.0, 202);
    assert_eq!(terminal.payload().await, "1");
}

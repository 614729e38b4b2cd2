//! What a node mends by itself: the registry, the sessions of a node that died, and commands whose acceptance was left.

use muster_protocol::{api::Protocol::V1, id::ClusterName, partition::Partitions, redis_keys::RedisKeys};
use muster_testkit::{
    http::{events, get},
    wait::until,
};
use redis::{AsyncCommands, aio::MultiplexedConnection};

use crate::store::{PARTITIONS, PartitionedCluster};

/// A connection to the cluster's Redis, the names of a terminal's partition, and its ordinal there.
async fn place(cluster: &PartitionedCluster, terminal: &str) -> (MultiplexedConnection, RedisKeys, usize) {
    let partitions = Partitions::new(PARTITIONS.parse().unwrap()).unwrap();
    let index = partitions.of(&terminal.parse().unwrap());
    let keys = RedisKeys::of_partition(&ClusterName::default(), 0, partitions, index);
    let client = redis::Client::open(cluster.redis.url.as_str()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let ordinal = redis.hget(keys.key("ordinals"), terminal).await.unwrap();
    (redis, keys, ordinal)
}

async fn status(cluster: &PartitionedCluster, terminal: &str) -> String {
    get(cluster.here.address, &format!("/v1/terminals/{terminal}")).await.1["status"].as_str().unwrap().to_owned()
}

async fn node_of(cluster: &PartitionedCluster, terminal: &str) -> String {
    get(cluster.here.address, &format!("/v1/terminals/{terminal}")).await.1["node"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_session_that_the_registry_lost_joins_again() {
    let cluster = PartitionedCluster::start().await;
    let _terminal = cluster.there.terminal("t1", V1, &[]).await;
    let node = node_of(&cluster, "t1").await;
    let (mut redis, keys, ordinal) = place(&cluster, "t1").await;
    let _: bool = redis.setbit(keys.key(&format!("held:{node}")), ordinal, false).await.unwrap();
    assert_eq!(status(&cluster, "t1").await, "offline");
    until("the terminal is online again", async || status(&cluster, "t1").await == "online").await;
}

#[tokio::test]
async fn a_session_that_the_registry_has_and_the_node_does_not_is_taken_out() {
    let cluster = PartitionedCluster::start().await;
    let present = cluster.there.terminal("t1", V1, &[]).await;
    let node = node_of(&cluster, "t1").await;
    let (mut redis, keys, ordinal) = place(&cluster, "t1").await;
    let entry: String = redis.hget(keys.key("terminals"), ordinal).await.unwrap();
    present.terminal.close().await;
    until("the terminal is offline", async || status(&cluster, "t1").await == "offline").await;
    // As if the store had not been told that the session has ended.
    let _: u32 = redis.hset(keys.key("terminals"), ordinal, entry).await.unwrap();
    let _: bool = redis.setbit(keys.key(&format!("held:{node}")), ordinal, true).await.unwrap();
    assert_eq!(status(&cluster, "t1").await, "online");
    until("the ghost is gone", async || status(&cluster, "t1").await == "offline").await;
    assert!(events(cluster.here.address).await.contains(r#""reason":"lost""#));
}

#[tokio::test]
async fn a_session_whose_place_in_the_registry_the_node_does_not_know_joins_again_and_stays_online() {
    let cluster = PartitionedCluster::start().await;
    let _terminal = cluster.there.terminal("t1", V1, &[]).await;
    let node = node_of(&cluster, "t1").await;
    let (mut redis, keys, ordinal) = place(&cluster, "t1").await;
    let (terminals, held, other) = (keys.key("terminals"), keys.key(&format!("held:{node}")), ordinal + 1);
    let entry: String = redis.hget(&terminals, ordinal).await.unwrap();
    // As if the node had not got the answer of the store, which has another ordinal for the terminal. The protocol is made up: a session
    // that joins again writes its own.
    let moved = entry.replacen(" v1", " plain", 1);
    let () = redis::pipe()
        .atomic()
        .hset(keys.key("ordinals"), "t1", other)
        .hset(&terminals, other, moved)
        .hdel(&terminals, ordinal)
        .setbit(&held, other, true)
        .setbit(&held, ordinal, false)
        .query_async(&mut redis)
        .await
        .unwrap();
    until("the session has joined again", async || {
        redis.clone().hget::<_, _, String>(&terminals, other).await.unwrap().contains(" v1")
    })
    .await;
    let told = events(cluster.here.address).await;
    assert!(told.contains("terminal.online") && !told.contains("terminal.offline"), "{told}");
}

#[tokio::test]
async fn the_terminals_of_a_node_whose_lease_ended_are_told_of() {
    let cluster = PartitionedCluster::start().await;
    let _terminal = cluster.there.terminal("t1", V1, &[]).await;
    let (mut redis, keys, ordinal) = place(&cluster, "t1").await;
    // The traces of a node that died: a lease that has run out, and a session that is registered under it.
    let _: () = redis.zadd(keys.nodes(), "dead", 1).await.unwrap();
    let _: bool = redis.setbit(keys.key("held:dead"), ordinal + 1, true).await.unwrap();
    let entry = "dead 01890a5d-ac96-774b-bcce-b302099a8057 v1\n{\"terminal\":\"ghost\",\"labels\":{}}";
    let _: () = redis.hset(keys.key("terminals"), ordinal + 1, entry).await.unwrap();
    let _: () = redis.hset(keys.key("ordinals"), "ghost", ordinal + 1).await.unwrap();
    until("the event tells it", async || {
        let stream = events(cluster.here.address).await;
        stream.lines().any(|line| line.contains("\"ghost\"") && line.contains("node_lost"))
    })
    .await;
}

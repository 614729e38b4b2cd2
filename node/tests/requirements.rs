//! A Redis that is not what a node needs.

use muster_testkit::{TestNode, TestRedis, http::request, wait::until};

async fn set(redis: &TestRedis, name: &str, value: &str) {
    let () = redis.ask(&["CONFIG", "SET", name, value]).await.unwrap();
}

/// Why a node with this Redis does not start.
async fn refused(redis: &TestRedis) -> String {
    TestNode::start_error(&["--insecure", "--redis", &redis.url]).await
}

#[tokio::test]
async fn a_node_does_not_start_with_a_redis_that_evicts_or_takes_no_writes() {
    let redis = TestRedis::start().await;
    set(&redis, "maxmemory-policy", "volatile-lru").await;
    let told = refused(&redis).await;
    let master = format!("--redis: the master at 127.0.0.1:{}: ", redis.port);
    assert!(told.starts_with(&format!("{master}Redis may remove accepted commands")), "{told}");
    assert!(told.contains("its maxmemory-policy is volatile-lru: set `maxmemory-policy noeviction`"), "{told}");
    set(&redis, "maxmemory-policy", "noeviction").await;
    set(&redis, "maxmemory", "1").await;
    let told = refused(&redis).await;
    assert_eq!(told, format!("{master}Redis refuses writes: its memory is full; raise maxmemory"));
}

#[tokio::test]
async fn a_node_is_not_ready_while_its_redis_evicts() {
    let redis = TestRedis::start().await;
    let node = TestNode::start(&["--insecure", "--redis", &redis.url]).await;
    set(&redis, "maxmemory-policy", "allkeys-lru").await;
    let readiness = async || request(node.address, "GET /readyz HTTP/1.1\r\n").await;
    until("the node is not ready", async || readiness().await.0 == 503).await;
    let told = readiness().await.2;
    assert!(told.contains("its maxmemory-policy is allkeys-lru: set `maxmemory-policy noeviction`"), "{told}");
    set(&redis, "maxmemory-policy", "noeviction").await;
    until("the node is ready", async || readiness().await.0 == 200).await;
}

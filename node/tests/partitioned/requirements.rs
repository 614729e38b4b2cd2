//! Masters that are not what a node needs.

use muster_testkit::{TestCluster, TestNode, TestRedis, http::request, wait::until};

use crate::store::PARTITIONS;

async fn set(redis: &TestRedis, name: &str, value: &str) {
    let () = redis.ask(&["CONFIG", "SET", name, value]).await.unwrap();
}

fn flags(url: &str) -> [&str; 5] {
    ["--insecure", "--redis", url, "--partitions", PARTITIONS]
}

#[tokio::test]
async fn a_node_does_not_start_with_a_redis_that_evicts_or_takes_no_writes() {
    let redis = TestRedis::start().await;
    set(&redis, "maxmemory-policy", "volatile-lru").await;
    let told = TestNode::start_error(&flags(&redis.url)).await;
    assert!(told.starts_with("--redis: the master at 127.0.0.1:"), "{told}");
    assert!(told.contains("its maxmemory-policy is volatile-lru: set `maxmemory-policy noeviction`"), "{told}");
    set(&redis, "maxmemory-policy", "noeviction").await;
    set(&redis, "maxmemory", "1").await;
    let told = TestNode::start_error(&flags(&redis.url)).await;
    assert!(told.ends_with(": Redis refuses writes: its memory is full; raise maxmemory"), "{told}");
}

#[tokio::test]
async fn a_node_is_not_ready_while_its_redis_evicts() {
    let redis = TestRedis::start().await;
    let node = TestNode::start(&flags(&redis.url)).await;
    set(&redis, "maxmemory-policy", "allkeys-lru").await;
    let readiness = async || request(node.address, "GET /readyz HTTP/1.1\r\n").await;
    until("the node is not ready", async || readiness().await.0 == 503).await;
    let told = readiness().await.2;
    assert!(told.contains("its maxmemory-policy is allkeys-lru: set `maxmemory-policy noeviction`"), "{told}");
    set(&redis, "maxmemory-policy", "noeviction").await;
    until("the node is ready", async || readiness().await.0 == 200).await;
}

#[tokio::test]
async fn a_node_is_not_ready_while_its_redis_has_no_memory_or_no_disk_and_says_which() {
    let redis = TestRedis::start_with_file().await;
    let node = TestNode::start(&flags(&redis.url)).await;
    let says = async |text: &str| {
        let (status, _, body) = request(node.address, "GET /readyz HTTP/1.1\r\n").await;
        status == 503 && body.contains(text)
    };
    let is_ready = async || request(node.address, "GET /readyz HTTP/1.1\r\n").await.0 == 200;
    redis.fill().await;
    until("it says that the memory is full", async || says("its memory is full; raise maxmemory").await).await;
    set(&redis, "maxmemory", "0").await;
    until("the node is ready with memory again", async || is_ready().await).await;
    redis.may_write(Some(1024));
    until("it says that the disk is full", async || says("can't write its file (is its disk full?)").await).await;
    redis.may_write(None);
    until("the node is ready with disk again", async || is_ready().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_master_of_a_redis_cluster_is_checked() {
    let cluster = TestCluster::start().await;
    let url = cluster.url();
    for index in 0..3 {
        let server = &cluster.servers[index];
        server.tell("CONFIG SET maxmemory-policy allkeys-lru").await;
        let told = TestNode::start_error(&flags(&url)).await;
        let expected = format!("--redis: the master at 127.0.0.1:{}: Redis may remove accepted commands", server.port);
        assert!(told.starts_with(&expected), "{told}");
        server.tell("CONFIG SET maxmemory-policy noeviction").await;
    }
    TestNode::start(&flags(&url)).await;
}

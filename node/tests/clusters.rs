//! Clusters that share a Redis server: what one says, the other does not hear.

use muster_protocol::api::Protocol::{Plain, V1};
use muster_testkit::{OnlineTerminal, TestNode, TestRedis, http::get};

const TO_ALL: &str = r#"{"all":true}"#;

/// A node with these flags, and a terminal of each protocol that is on it.
async fn cluster(flags: &[&str]) -> (TestNode, [OnlineTerminal; 2]) {
    let node = TestNode::start(&[&["--insecure"], flags].concat()).await;
    let terminals = [node.terminal("v1", V1, &[]).await, node.terminal("plain", Plain, &[]).await];
    (node, terminals)
}

/// Each broadcast reaches the terminals of its own cluster, once, and no other.
async fn do_not_meet(one: &[&str], other: &[&str]) {
    let mut clusters = [cluster(one).await, cluster(other).await];
    for payload in ["1", "2"] {
        for (number, (node, _)) in clusters.iter().enumerate() {
            let (status, command) = node.command(TO_ALL, &format!("{}{payload}", number + 1)).await;
            assert_eq!((status, &command["targets"]), (202, &2.into()));
        }
    }
    for (number, (node, terminals)) in clusters.iter_mut().enumerate() {
        for terminal in terminals {
            let told = [terminal.payload().await, terminal.payload().await];
            assert_eq!(told, [1, 2].map(|payload| format!("{}{payload}", number + 1)));
            assert!(terminal.is_quiet());
        }
        assert_eq!(get(node.address, "/v1/nodes").await.1["nodes"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn clusters_in_two_databases_do_not_meet() {
    let redis = TestRedis::start().await;
    let urls = [0, 1].map(|database| format!("{}/{database}", redis.url));
    do_not_meet(&["--redis", &urls[0]], &["--redis", &urls[1]]).await;
}

#[tokio::test]
async fn clusters_of_two_names_in_one_database_do_not_meet() {
    let redis = TestRedis::start().await;
    do_not_meet(&["--redis", &redis.url], &["--redis", &redis.url, "--cluster", "staging"]).await;
}

/// A delivery on this cluster's channel that another store numbered is not passed on.
#[tokio::test]
async fn a_delivery_of_another_store_is_not_passed_on() {
    let redis = [TestRedis::start().await, TestRedis::start().await];
    let (other, _) = cluster(&["--redis", &redis[1].url]).await;
    let (node, [mut v1, _plain]) = cluster(&["--redis", &redis[0].url]).await;
    let channel = redis[0].partition_of("v1").await.broadcast();
    let mut spoken = redis[1].listen(&channel).await;
    assert_eq!(other.command(TO_ALL, "\"foreign\"").await.0, 202);
    let delivery = spoken.next().await;
    let heard: u64 = redis[0].ask(&["SPUBLISH", &channel, &delivery]).await.unwrap();
    assert_eq!(heard, 1);
    assert_eq!(node.command(TO_ALL, "1").await.0, 202);
    assert_eq!(v1.payload().await, "1");
    assert!(v1.is_quiet());
}

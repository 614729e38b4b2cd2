//! The schema of the store: which nodes start on it, when it is raised, and what becomes of a node that it does not fit any more.

use clap::Parser;
use muster_node::store::{RaisedSchema, StoreFlags, raise_schema};
use muster_protocol::{api::Protocol::V1, schema::SCHEMA};
use muster_testkit::{TestNode, TestRedis};

use crate::store::{PARTITIONS, PartitionedCluster};

const NEXT: u32 = SCHEMA + 1;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    store: StoreFlags,
}

/// Raises the schema as an operator does who has the next version.
async fn raise(redis: &TestRedis, flags: &[&str]) -> Result<RaisedSchema, String> {
    let own = ["muster-node", "--redis", &redis.url];
    let flags = Flags::parse_from(own.iter().chain(flags)).store;
    raise_schema(flags, NEXT).await.map_err(|error| format!("{error:#}"))
}

#[tokio::test]
async fn the_schema_is_raised_when_no_node_lives_that_lacks_it() {
    let PartitionedCluster { redis, here, there } = PartitionedCluster::start().await;
    let error = raise(&redis, &["--insecure"]).await.unwrap_err();
    for address in [here.address, there.address] {
        assert!(error.contains(&format!("at {address} (version ")), "{error}");
    }
    assert!(error.contains("replace these nodes first, which do not run on schema 2"), "{error}");
    let secret = redis.folder.path().join("secret");
    std::fs::write(&secret, format!("k1={}\n", "s".repeat(32))).unwrap();
    let error = raise(&redis, &["--cluster-secret-file", secret.to_str().unwrap()]).await.unwrap_err();
    assert!(error.contains("the lease of node-") && error.contains("--cluster-secret-file"), "{error}");
    here.stop().await;
    let error = raise(&redis, &["--insecure"]).await.unwrap_err();
    assert!(error.contains(&there.address.to_string()), "{error}");
    there.stop().await;
    assert_eq!(raise(&redis, &["--insecure"]).await, Ok(RaisedSchema { from: SCHEMA, to: NEXT }));
    let start = ["--insecure", "--redis", &redis.url, "--partitions", PARTITIONS];
    let error = TestNode::start_error(&start).await;
    assert!(error.contains("this store has schema 2, and this program runs on schema 1; start the version"), "{error}");
}

#[tokio::test]
async fn a_redis_without_a_store_has_no_schema_to_raise() {
    let redis = TestRedis::start().await;
    let error = raise(&redis, &["--insecure"]).await.unwrap_err();
    assert!(error.contains("there is no store"), "{error}");
}

#[tokio::test]
async fn a_node_that_the_store_does_not_fit_any_more_ends() {
    let PartitionedCluster { redis, here, there } = PartitionedCluster::start().await;
    let _terminal = here.terminal("t1", V1, &[]).await;
    let store = redis.partitions().await[0].store();
    let _: u64 = redis.ask(&["HSET", &store, "schema", "2"]).await.unwrap();
    for node in [here, there] {
        let error = node.end_error().await;
        assert!(error.contains("ended: this store has schema 2, and this program runs on schema 1"), "{error}");
    }
}

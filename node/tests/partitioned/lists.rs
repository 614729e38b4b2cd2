//! Lists, counts and events over all partitions.

use muster_protocol::api::Protocol::V1;
use muster_testkit::{
    http::{events, get},
    wait::until,
};
use serde_json::Value;

use crate::store::{PartitionedCluster, ids};

async fn shown(cluster: &PartitionedCluster, path: &str) -> Value {
    let (status, body) = get(cluster.here.address, path).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

#[tokio::test]
async fn pages_show_every_terminal_once_and_in_the_order_of_ids() {
    let cluster = PartitionedCluster::start().await;
    let mut terminals = Vec::new();
    for (at, id) in ids(23).iter().enumerate() {
        let site = if at % 2 == 0 { "bj" } else { "sh" };
        terminals.push(cluster.there.terminal(id, V1, &[("site", site)]).await);
    }
    for (query, expected) in [("", 23), ("&selector=site%3Dbj", 12)] {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let page = shown(&cluster, &format!("/v1/terminals?limit=4{query}{after}")).await;
            let ids = page["terminals"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned());
            found.extend(ids);
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert!(found.is_sorted() && found.len() == expected, "{query}: {found:?}");
    }
    let fleet = shown(&cluster, "/v1/fleet").await;
    assert_eq!((&fleet["online"], &fleet["by_label"]["site=bj"]), (&23.into(), &12.into()));
    assert_eq!(shown(&cluster, "/v1/nodes").await["nodes"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_events_of_all_partitions_are_one_stream() {
    let cluster = PartitionedCluster::start().await;
    for id in ids(10) {
        cluster.there.was_here(&id, V1).await;
    }
    until("all have come and gone", async || {
        let stream = events(cluster.here.address).await;
        let count = |kind: &str| stream.matches(&format!("event: {kind}")).count();
        (count("terminal.online"), count("terminal.offline")) == (10, 10)
    })
    .await;
}

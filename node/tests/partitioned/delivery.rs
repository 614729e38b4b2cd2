//! Commands reach terminals in whichever partition they lie, whatever their nodes did not hear.

use muster_client::Incoming;
use muster_protocol::api::Protocol::{Plain, V1};
use muster_testkit::{http::get, wait::until};

use crate::store::{PartitionedCluster, ids};

async fn command(cluster: &PartitionedCluster, terminal: &str, payload: &str) {
    let target = format!(r#"{{"terminal":"{terminal}"}}"#);
    let (status, answer) = cluster.here.command(&target, payload).await;
    assert_eq!(status, 202, "{answer}");
}

#[tokio::test]
async fn a_command_for_one_reaches_it_alone_on_either_node() {
    let cluster = PartitionedCluster::start().await;
    let mut terminals = Vec::new();
    for (at, id) in ids(12).iter().enumerate() {
        let node = if at % 2 == 0 { &cluster.here } else { &cluster.there };
        terminals.push(node.terminal(id, if at % 3 == 0 { Plain } else { V1 }, &[]).await);
    }
    for (id, number) in ids(12).iter().zip(0..) {
        for round in 0..3 {
            command(&cluster, id, &format!("{}", number * 10 + round)).await;
        }
    }
    for (terminal, number) in terminals.iter_mut().zip(0..) {
        for round in 0..3 {
            assert_eq!(terminal.payload().await, format!("{}", number * 10 + round));
        }
        assert!(terminal.is_quiet());
    }
}

#[tokio::test]
async fn a_command_that_was_accepted_while_its_terminal_was_away_comes_when_it_is_back() {
    let cluster = PartitionedCluster::start().await;
    for id in ids(6) {
        cluster.there.was_here(&id, V1).await;
    }
    for id in ids(6) {
        command(&cluster, &id, "7").await;
    }
    for id in ids(6) {
        assert_eq!(cluster.there.terminal(&id, V1, &[]).await.payload().await, "7");
    }
}

#[tokio::test]
async fn a_node_that_was_deaf_takes_from_the_logs_what_it_missed() {
    let cluster = PartitionedCluster::start().await;
    let mut terminals = Vec::new();
    for id in ids(8) {
        terminals.push(cluster.there.terminal(&id, V1, &[]).await);
    }
    cluster.redis.deafen().await;
    for id in ids(8) {
        command(&cluster, &id, "1").await;
    }
    cluster.redis.let_hear().await;
    for terminal in &mut terminals {
        assert_eq!(terminal.payload().await, "1");
        assert!(terminal.is_quiet());
    }
}

#[tokio::test]
async fn a_store_that_was_lost_is_whole_again_within_seconds() {
    let cluster = PartitionedCluster::start().await;
    let mut terminals = Vec::new();
    for id in ids(8) {
        terminals.push(cluster.there.terminal(&id, V1, &[]).await);
    }
    cluster.redis.flush().await;
    until("all are registered again", async || get(cluster.here.address, "/v1/fleet").await.1["online"] == 8).await;
    for (terminal, id) in terminals.iter_mut().zip(ids(8)) {
        assert!(matches!(terminal.next().await, Incoming::Gap(_)), "it is told that the store was lost");
        command(&cluster, &id, "2").await;
        assert_eq!(terminal.payload().await, "2");
    }
}

#[tokio::test]
async fn a_session_that_is_replaced_on_the_other_node_or_ended_by_an_operator_ends() {
    let cluster = PartitionedCluster::start().await;
    let mut old = cluster.here.terminal("t1", V1, &[]).await;
    let mut new = cluster.there.terminal("t1", V1, &[]).await;
    command(&cluster, "t1", "3").await;
    assert_eq!(new.payload().await, "3");
    assert!(matches!(old.next().await, Incoming::Gone(_)), "it is replaced");
}

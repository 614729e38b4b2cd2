//! The end of nodes, as the store sees it.

use muster_node::backplane::redis::partition::{lease::LeaseRenewal, sessions::HolderNode};
use muster_protocol::NodeId;

use crate::{
    fleet::{BenchFleet, BenchPartition},
    registry::each,
    step::{MeasuredStep, Recorder},
};

/// Ends the leases of all nodes, one after another: another node gives their sessions up, and then tells of them in portions.
pub async fn give_up_nodes(recorder: &mut Recorder<'_>, fleet: &BenchFleet) {
    let sessions = fleet.terminals / fleet.nodes.len() as u32;
    let (mut given_up, mut told) = (
        MeasuredStep::new("a dead node's sessions are given up, per session", 0.1),
        MeasuredStep::new("a dead node's sessions are told, per session", None),
    );
    let witness: NodeId = "witness".parse().expect("a node's id");
    for node in &fleet.nodes {
        each(fleet, async |partition| partition.lease(node, 1).await).await;
        each(fleet, async |partition| _ = partition.ask::<u64>("DEL", &format!("lease:{node}"), &[]).await).await;
        let beat = async |partition: &BenchPartition| {
            let renewal = LeaseRenewal { lease: "{}", reached: 1, seen: None, held: None };
            partition.store.beat(HolderNode { node: &witness, process: "w" }, renewal).await.expect("Redis answers");
        };
        given_up.round(recorder.servers, sessions, async || each(fleet, beat).await).await;
        let bury = async || {
            each(fleet, async |partition| while partition.store.bury(node).await.expect("Redis answers") {}).await;
        };
        told.round(recorder.servers, sessions, bury).await;
    }
    each(fleet, async |partition| {
        partition.store.resign(HolderNode { node: &witness, process: "w" }, "left").await.expect("Redis answers");
    })
    .await;
    recorder.add(given_up);
    recorder.add(told);
}

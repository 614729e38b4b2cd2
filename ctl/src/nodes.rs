//! Shows the nodes, and moves their sessions.

use hyper::Method;
use muster_protocol::{
    NodeId,
    api::{NodeList, NodeView, Rebalancing},
};

use crate::{
    api::ClusterApi,
    exit::Exit,
    text::{Printer, TextTable, ago, count, note, word},
};

/// Lists the nodes.
pub async fn list(api: &ClusterApi, out: &Printer) -> anyhow::Result<Exit> {
    let answer = api.call(Method::GET, "/v1/nodes").await?;
    if out.is_json() {
        out.either(&answer.text(), String::new)?;
        return Ok(Exit::Done);
    }
    let list: NodeList = answer.read()?;
    out.print(&table(&list))?;
    for node in &list.nodes {
        if let Some(refused) = &node.refused {
            note(&crate::text::one_line(&format!("{} is not used: {refused}", node.id)));
        }
    }
    if !list.partial.is_empty() {
        note(&format!(
            "parts of the store do not answer; a node that is known there alone is missing: {:?}",
            list.partial
        ));
    }
    Ok(Exit::Done)
}

/// Returns the nodes as a table.
pub fn table(list: &NodeList) -> String {
    let mut table = TextTable::new(&["NODE", "STATE", "SESSIONS", "ADDRESS", "STORE", "VERSION", "UP"]);
    for node in &list.nodes {
        table.row(cells(node));
    }
    table.lines()
}

fn cells(node: &NodeView) -> [String; 7] {
    let store = node.partitions.map_or("-".to_owned(), |partitions| match partitions.lost {
        0 => "ok".to_owned(),
        lost => format!("{lost} of {} lost", lost + partitions.ok),
    });
    [
        node.id.to_string(),
        word(&node.state),
        node.sessions.to_string(),
        node.address.clone(),
        store,
        node.version.clone(),
        ago(node.started_at),
    ]
}

/// Has a node move its sessions to others and stop.
pub async fn drain(api: &ClusterApi, out: &Printer, id: &NodeId) -> anyhow::Result<Exit> {
    let answer = api.call(Method::POST, &format!("/v1/nodes/{id}/drain")).await?;
    out.either(&answer.text(), || format!("{id}: moves its sessions and stops; see muster nodes"))?;
    Ok(Exit::Done)
}

/// Moves sessions from nodes that have clearly more than others.
pub async fn rebalance(api: &ClusterApi, out: &Printer, rate: u32) -> anyhow::Result<Exit> {
    let answer = api.call(Method::POST, &format!("/v1/nodes/rebalance?rate={rate}")).await?;
    let moving = answer.read::<Rebalancing>()?.moving;
    out.either(&answer.text(), || {
        let lines = moving.iter().map(|(node, sessions)| format!("{node}: {} move", count(*sessions, "session")));
        let lines: Vec<String> = lines.collect();
        if lines.is_empty() { "no node has clearly more sessions than others".to_owned() } else { lines.join("\n") }
    })?;
    Ok(Exit::Done)
}

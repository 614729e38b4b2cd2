//! Nodes and proxies.

use futures_util::{FutureExt, future::ready};
use muster_protocol::{
    NodeId,
    api::{NodeList, NodeStateView, ProxyList, Rebalancing},
    token::Scope::{Admin, Read},
};

use super::{
    Route,
    content::{AnswerContent::Json, of},
    delete, get,
    parameter::{RATE, STAY},
    post,
};
use crate::http::{nodes, proxies};

pub const ROUTES: &[Route] = &[
    get("/v1/nodes", "Lists the nodes", |asked| nodes::list(asked.state).boxed())
        .needs(Read)
        .answers(&[(200, Json(of::<NodeList>))]),
    post("/v1/nodes/rebalance", "Moves the surplus of nodes that hold clearly more sessions than the mean", |asked| {
        nodes::rebalance(asked.query, asked.state).boxed()
    })
    .needs(Admin)
    .takes(&[RATE])
    .answers(&[(202, Json(of::<Rebalancing>))]),
    post("/v1/nodes/{id}/drain", "Has a node send its sessions away and end, or stay without sessions", |asked| {
        nodes::drain(asked.id(), asked.query, asked.state).boxed()
    })
    .needs(Admin)
    .with_id(of::<NodeId>)
    .takes(&[STAY])
    .answers(&[(202, Json(of::<NodeStateView>))]),
    delete("/v1/nodes/{id}/drain", "Has a node take sessions again", |asked| {
        nodes::take_back(asked.id(), asked.state).boxed()
    })
    .needs(Admin)
    .with_id(of::<NodeId>)
    .answers(&[(202, Json(of::<NodeStateView>))]),
    get("/v1/proxies", "Lists the proxies, and what is not as it should be", |asked| {
        ready(proxies::list(asked.state)).boxed()
    })
    .needs(Read)
    .answers(&[(200, Json(of::<ProxyList>))]),
];

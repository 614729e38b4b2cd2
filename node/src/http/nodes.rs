//! Nodes: lists, drains and rebalances them. Any node can be asked to act on any other.

use hyper::{Response, StatusCode};
use muster_protocol::{
    NodeId,
    api::{NodeState, NodeStateView, Rebalancing},
    inbox::DrainRequest,
};

use super::{
    HttpState,
    answer::{Answer, Body, json, problem},
    request,
};
use crate::drain::surplus;

/// The default `rate` of a rebalance, in sessions per second of all nodes together. At this rate 10,000 sessions take
/// three minutes.
const RATE: f64 = 50.0;
/// The highest `rate`.
pub const RATE_MAX: f64 = 100_000.0;

/// `GET /v1/nodes`. The list marks the nodes that this node does not use.
pub async fn list(state: &HttpState) -> Answer {
    let mut list = state.shared.backplane.nodes().await?;
    state.peers.mark(&mut list.nodes);
    Ok(json(StatusCode::OK, &list))
}

/// `POST /v1/nodes/{id}/drain`: the node sends its sessions away and stops, as on SIGTERM; with `stay=1` it goes on
/// running without sessions instead.
pub async fn drain(id: &str, query: &str, state: &HttpState) -> Answer {
    let request = if stays(query)? { DrainRequest::Hold } else { DrainRequest::Drain };
    ask(id, request, NodeState::Draining, state).await
}

/// `DELETE /v1/nodes/{id}/drain`: a node that drains, or runs without sessions, takes sessions again. A node that was
/// told to end does not.
pub async fn take_back(id: &str, state: &HttpState) -> Answer {
    ask(id, DrainRequest::TakeBack, NodeState::Ready, state).await
}

/// Sends a node this request. Answers with the state that the node will have, or 404 if there is no such node.
async fn ask(id: &str, request: DrainRequest, becomes: NodeState, state: &HttpState) -> Answer {
    let id: NodeId = id.parse().map_err(|error| problem(StatusCode::BAD_REQUEST, format!("{error}")))?;
    if state.shared.backplane.request_drain(&id, request).await? {
        return Ok(json(StatusCode::ACCEPTED, &NodeStateView { id, state: becomes }));
    }
    Err(problem(StatusCode::NOT_FOUND, format!("no such node: {id}; GET /v1/nodes lists them")))
}

/// `POST /v1/nodes/rebalance?rate=N`: each node that holds clearly more sessions than the mean sends its surplus away,
/// at N sessions per second for all nodes together.
pub async fn rebalance(query: &str, state: &HttpState) -> Answer {
    let rate = rate(query)?;
    let mut nodes = state.shared.backplane.nodes().await?.nodes;
    nodes.retain(|node| state.peers.refusal(node).is_none());
    let moving = surplus(&nodes);
    let total: u64 = moving.values().sum();
    for (asked, (node, sessions)) in moving.iter().enumerate() {
        let share = rate * *sessions as f64 / total as f64;
        let departure = DrainRequest::Rebalance { sessions: *sessions, rate: share };
        let heard = state.shared.backplane.request_drain(node, departure).await;
        if !heard.map_err(|refusal| if asked == 0 { refusal } else { refusal.after_a_change() })? {
            tracing::warn!(%node, "a node left before it could send its surplus away");
        }
    }
    Ok(moved(moving))
}

fn moved(moving: std::collections::BTreeMap<NodeId, u64>) -> Response<Body> {
    json(StatusCode::ACCEPTED, &Rebalancing { moving })
}

fn stays(query: &str) -> Result<bool, Response<Body>> {
    let mut stays = false;
    request::query(query, |name, value| {
        if name == "stay" {
            stays = match value {
                "1" => true,
                "0" => false,
                _ => return Err("1 or 0".into()),
            };
        }
        Ok(())
    })?;
    Ok(stays)
}

fn rate(query: &str) -> Result<f64, Response<Body>> {
    let mut rate = RATE;
    request::query(query, |name, value| {
        if name == "rate" {
            let number = value.parse().ok().filter(|rate| *rate > 0.0 && *rate <= RATE_MAX);
            rate = number.ok_or_else(|| format!("sessions per second, above 0 and at most {RATE_MAX}"))?;
        }
        Ok(())
    })?;
    Ok(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_stays_if_it_is_asked_to() {
        assert_eq!(["", "stay=0", "stay=1"].map(|query| stays(query).unwrap()), [false, false, true]);
        assert!(["stay=yes", "stay="].into_iter().all(|query| stays(query).is_err()));
    }

    #[test]
    fn a_rate_is_a_positive_number_or_left_out() {
        assert_eq!((rate("").unwrap(), rate("rate=2.5").unwrap()), (RATE, 2.5));
        for bad in ["rate=0", "rate=-1", "rate=NaN", "rate=x"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}

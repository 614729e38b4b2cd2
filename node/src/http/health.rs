//! Whether the node lives, whether it can do its part, and what it counted.

use hyper::{Response, StatusCode};

use super::{
    Front,
    answer::{Answer, Body, later, typed},
};

/// What someone sees who comes with a browser: that it works, and where to go on.
pub fn greet(front: &Front) -> Answer {
    ready(front)?;
    let others = front.peers.candidates().len();
    let ready = if others == 0 { "one node is ready".into() } else { format!("{} nodes are ready", others + 1) };
    let terminals = &front.shared.config.ws_path;
    let text = format!("Muster: {ready}.\n\nTerminals connect to {terminals}, operators call /v1/ with a key.\n");
    Ok(typed(StatusCode::OK, "text/plain; charset=utf-8", text))
}

/// The process answers.
pub fn live() -> Response<Body> {
    typed(StatusCode::OK, "text/plain", "ok\n")
}

/// The node takes sessions and hears the others.
pub fn ready(front: &Front) -> Answer {
    if front.shared.hub.standing.drains() {
        return Err(later(StatusCode::SERVICE_UNAVAILABLE, 1, "this node is draining"));
    }
    match front.shared.backplane.ready() {
        Ok(()) => Ok(typed(StatusCode::OK, "text/plain", "ready\n")),
        Err(reason) => Err(later(StatusCode::SERVICE_UNAVAILABLE, 1, reason)),
    }
}

/// In Prometheus's text format.
pub fn metrics(front: &Front) -> Response<Body> {
    typed(StatusCode::OK, "text/plain; version=0.0.4", front.shared.metrics.render())
}

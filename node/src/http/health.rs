//! Whether the node lives, whether it can do its part, and what it counted.

use hyper::{Response, StatusCode};

use super::{
    Front,
    answer::{Answer, Body, later, typed},
};

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

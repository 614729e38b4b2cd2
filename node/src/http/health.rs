//! Whether the node lives, whether it can do its part, and what it counted.

use std::sync::atomic::{AtomicBool, Ordering};

use hyper::{Response, StatusCode};

use super::{
    Front,
    answer::{Answer, Body, later, typed},
};

/// Whether the node takes new sessions; once it does not, it never does again.
#[derive(Debug, Default)]
pub struct Draining(AtomicBool);

impl Draining {
    /// No new sessions from now on.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it has begun.
    pub fn begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The process answers.
pub fn live() -> Response<Body> {
    typed(StatusCode::OK, "text/plain", "ok\n")
}

/// The node takes sessions and hears the others.
pub fn ready(front: &Front) -> Answer {
    if front.draining.begun() {
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

//! `/livez`, `/readyz`, `/metrics`, and a page for browsers.

use std::time::Instant;

use hyper::{Response, StatusCode};

use super::{
    HttpState,
    answer::{Answer, Body, later, typed},
};

/// Answers with a page for browsers, which says that the node works and where terminals and operators connect. 503 if
/// the node is not ready.
pub fn greet(state: &HttpState) -> Answer {
    ready(state)?;
    let others = state.peers.candidates().len();
    let ready = if others == 0 { "one node is ready".into() } else { format!("{} nodes are ready", others + 1) };
    let terminals = &state.shared.config.ws_path;
    let text = format!(
        "Muster: {ready}.\n\nTerminals connect to {terminals}, operators open /console/ or call /v1/ with a key.\n"
    );
    Ok(typed(StatusCode::OK, "text/plain; charset=utf-8", text))
}

/// `/livez`: the process answers.
pub fn live() -> Response<Body> {
    typed(StatusCode::OK, "text/plain", "ok\n")
}

/// `/readyz`.
pub fn ready(state: &HttpState) -> Answer {
    match readiness(state) {
        Ok(text) => Ok(typed(StatusCode::OK, "text/plain; charset=utf-8", format!("{text}\n"))),
        Err(reason) => Err(later(StatusCode::SERVICE_UNAVAILABLE, 1, reason)),
    }
}

/// Returns `ready` if the node takes sessions, has what it needs, and the backplane works at least in part. If only a
/// part works, a second line names the partitions that do not work, and a line follows for each reason. Fails with the
/// reason if the node is not ready.
pub fn readiness(state: &HttpState) -> Result<String, String> {
    if state.shared.lifecycle.is_draining() {
        return Err("this node is draining".into());
    }
    let short = state.shared.lifecycle.shortages.present(Instant::now());
    if !short.is_empty() {
        let reasons: Vec<_> = short.into_values().map(|shortage| shortage.why).collect();
        return Err(reasons.join("\n"));
    }
    let degraded = state.shared.backplane.ready()?;
    if degraded.is_empty() {
        return Ok("ready".into());
    }
    let partitions: Vec<_> = degraded.iter().map(|one| one.partition.to_string()).collect();
    let mut reasons: Vec<_> = degraded.into_iter().map(|one| one.reason).collect();
    reasons.dedup();
    Ok(format!("ready\ndegraded: [{}]\n{}", partitions.join(","), reasons.join("\n")))
}

/// `/metrics`: the metrics in Prometheus's text format.
pub fn metrics(state: &HttpState) -> Response<Body> {
    typed(StatusCode::OK, "text/plain; version=0.0.4", state.shared.metrics.render())
}

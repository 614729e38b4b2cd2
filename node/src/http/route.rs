//! Routes: which handler answers a method and path, and which scope a key needs. Besides the WebSocket's path, a
//! path that [`takes`] does not list does not exist.

use std::sync::Arc;

use hyper::{Request, Response, StatusCode, body::Incoming, header};
use muster_protocol::token::Scope;
use tokio_util::sync::CancellationToken;

use super::{
    HttpState, Requester,
    answer::{Answer, Body, problem},
    commands, events, fleet, handshake, health, list, nodes,
    path::segments,
    request::bearer,
    targets, terminals,
};
use crate::auth::VerifiedOperator;

/// Answers a request.
pub async fn answer(request: Request<Incoming>, requester: Requester, state: Arc<HttpState>) -> Response<Body> {
    let answer = dispatch(request, requester, state).await;
    answer.unwrap_or_else(|refusal| refusal)
}

async fn dispatch(request: Request<Incoming>, requester: Requester, state: Arc<HttpState>) -> Answer {
    let path = request.uri().path().to_owned();
    let close = requester.close.clone();
    if path == state.shared.config.ws_path {
        return handshake::answer(request, requester, &state).await;
    }
    let segments = segments(&path)?;
    let segments: Vec<_> = segments.iter().map(String::as_str).collect();
    let operator = admit(&segments, &request, &state)?;
    match &segments[..] {
        ["v1", call @ ..] => api(call, request, &operator, close, state).await,
        _ => open(&segments, &state),
    }
}

/// The methods of each path, and the scope that a key needs. A path without a scope needs no key.
fn takes(segments: &[&str]) -> &'static [(&'static str, Option<Scope>)] {
    use Scope::{Admin, Command, Read};
    match segments {
        [""] | ["livez" | "readyz" | "metrics"] => &[("GET", None)],
        ["v1", "commands"] => &[("POST", Some(Command)), ("GET", Some(Read))],
        ["v1", "commands", _] => &[("GET", Some(Read)), ("DELETE", Some(Command))],
        ["v1", "commands", _, "targets"] => &[("GET", Some(Read))],
        ["v1", "commands", _, "retry"] => &[("POST", Some(Command))],
        ["v1", "terminals" | "fleet" | "nodes" | "events"] => &[("GET", Some(Read))],
        ["v1", "terminals", _] => &[("GET", Some(Read)), ("DELETE", Some(Admin))],
        ["v1", "terminals", _, "history"] | ["v1", "fleet", "history"] => &[("GET", Some(Read))],
        ["v1", "terminals", _, "labels"] => &[("PUT", Some(Admin))],
        ["v1", "terminals", _, "session"] => &[("DELETE", Some(Admin))],
        ["v1", "nodes", "rebalance"] | ["v1", "nodes", _, "drain"] => &[("POST", Some(Admin))],
        _ => &[],
    }
}

/// Checks that the requester's key has the scope. Returns its owner, who has no name if no key is needed.
fn admit(
    segments: &[&str],
    request: &Request<Incoming>,
    state: &HttpState,
) -> Result<VerifiedOperator, Response<Body>> {
    let taken = takes(segments);
    match taken.iter().find(|(method, _)| request.method() == method) {
        Some((_, None)) => Ok(VerifiedOperator::default()),
        Some((_, Some(scope))) => Ok(state.shared.auth.operator(bearer(request), *scope)?),
        None if taken.is_empty() => Err(not_there(state)),
        None => Err(not_allowed(taken)),
    }
}

/// The paths that need no key.
fn open(segments: &[&str], state: &HttpState) -> Answer {
    match segments {
        [""] => health::greet(state),
        ["livez"] => Ok(health::live()),
        ["readyz"] => health::ready(state),
        ["metrics"] => Ok(health::metrics(state)),
        _ => Err(not_there(state)),
    }
}

async fn api(
    call: &[&str],
    request: Request<Incoming>,
    operator: &VerifiedOperator,
    close: CancellationToken,
    state: Arc<HttpState>,
) -> Answer {
    let (method, query) = (request.method().clone(), request.uri().query().unwrap_or_default().to_owned());
    match (method.as_str(), call) {
        ("POST", ["commands"]) => commands::post(request, &operator.name, &state).await,
        ("GET", ["commands"]) => list::commands(&query, &state).await,
        ("GET", ["commands", id]) => commands::get(id, &state).await,
        ("DELETE", ["commands", id]) => commands::cancel(id, &state).await,
        ("GET", ["commands", id, "targets"]) => targets::list(id, &query, &state).await,
        ("POST", ["commands", id, "retry"]) => commands::retry(id, request.headers(), &operator.name, &state).await,
        ("GET", ["terminals"]) => terminals::list(&query, &state).await,
        ("GET", ["terminals", id]) => terminals::get(id, &state).await,
        ("DELETE", ["terminals", id]) => terminals::forget(id, &state).await,
        ("PUT", ["terminals", id, "labels"]) => terminals::label(id, request, &state).await,
        ("DELETE", ["terminals", id, "session"]) => terminals::disconnect(id, &state).await,
        ("GET", ["terminals", id, "history"]) => terminals::history(id, &state).await,
        ("GET", ["fleet"]) => fleet::counts(&state).await,
        ("GET", ["fleet", "history"]) => fleet::history(&query, &state).await,
        ("GET", ["nodes"]) => nodes::list(&state).await,
        ("POST", ["nodes", "rebalance"]) => nodes::rebalance(&query, &state).await,
        ("POST", ["nodes", id, "drain"]) => nodes::drain(id, &state).await,
        ("GET", ["events"]) => events::stream(&request, operator, close, state).await,
        _ => Err(not_there(&state)),
    }
}

fn not_there(state: &HttpState) -> Response<Body> {
    let detail = format!("no such path; the WebSocket is at {}, the API under /v1/", state.shared.config.ws_path);
    problem(StatusCode::NOT_FOUND, detail)
}

fn not_allowed(taken: &[(&str, Option<Scope>)]) -> Response<Body> {
    let methods: Vec<_> = taken.iter().map(|(method, _)| *method).collect();
    let methods = methods.join(", ");
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, format!("this path takes {methods}"));
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_str(&methods).expect("methods are words"));
    response
}

//! Which handler answers, by method and path, and which scope it needs: beside the WebSocket's path, what [`takes`] does not list is not there.

use std::sync::Arc;

use hyper::{Request, Response, StatusCode, body::Incoming, header};
use muster_protocol::token::Scope;

use super::{
    Caller, Front,
    answer::{Answer, Body, problem},
    commands, events, handshake, health, nodes,
    path::segments,
    request::bearer,
    targets, terminals,
};

/// Answers a request, whatever it is.
pub async fn answer(request: Request<Incoming>, caller: Caller, front: Arc<Front>) -> Response<Body> {
    let answer = dispatch(request, caller, front).await;
    answer.unwrap_or_else(|refusal| refusal)
}

async fn dispatch(request: Request<Incoming>, caller: Caller, front: Arc<Front>) -> Answer {
    let path = request.uri().path().to_owned();
    if path == front.shared.config.ws_path {
        return handshake::answer(request, caller, &front).await;
    }
    let segments = segments(&path)?;
    let segments: Vec<_> = segments.iter().map(String::as_str).collect();
    admit(&segments, &request, &front)?;
    match &segments[..] {
        ["v1", call @ ..] => api(call, request, front).await,
        _ => open(&segments, &front),
    }
}

/// What each path takes, and the scope that a key needs for it; anyone may what needs none.
fn takes(segments: &[&str]) -> &'static [(&'static str, Option<Scope>)] {
    use Scope::{Admin, Command, Read};
    match segments {
        [""] | ["livez" | "readyz" | "metrics"] => &[("GET", None)],
        ["v1", "commands"] => &[("POST", Some(Command))],
        ["v1", "commands", _] => &[("GET", Some(Read)), ("DELETE", Some(Command))],
        ["v1", "commands", _, "targets"] => &[("GET", Some(Read))],
        ["v1", "commands", _, "retry"] => &[("POST", Some(Command))],
        ["v1", "terminals" | "fleet" | "nodes" | "events"] => &[("GET", Some(Read))],
        ["v1", "terminals", _] => &[("GET", Some(Read)), ("DELETE", Some(Admin))],
        ["v1", "terminals", _, "labels"] => &[("PUT", Some(Admin))],
        ["v1", "terminals", _, "session"] => &[("DELETE", Some(Admin))],
        ["v1", "nodes", "rebalance"] | ["v1", "nodes", _, "drain"] => &[("POST", Some(Admin))],
        _ => &[],
    }
}

/// Whether this caller may do that there.
fn admit(segments: &[&str], request: &Request<Incoming>, front: &Front) -> Result<(), Response<Body>> {
    let taken = takes(segments);
    match taken.iter().find(|(method, _)| request.method() == method) {
        Some((_, None)) => Ok(()),
        Some((_, Some(scope))) => Ok(front.auth.operator(bearer(request), *scope)?),
        None if taken.is_empty() => Err(not_there(front)),
        None => Err(not_allowed(taken)),
    }
}

/// What needs no key.
fn open(segments: &[&str], front: &Front) -> Answer {
    match segments {
        [""] => health::greet(front),
        ["livez"] => Ok(health::live()),
        ["readyz"] => health::ready(front),
        ["metrics"] => Ok(health::metrics(front)),
        _ => Err(not_there(front)),
    }
}

async fn api(call: &[&str], request: Request<Incoming>, front: Arc<Front>) -> Answer {
    let (method, query) = (request.method().clone(), request.uri().query().unwrap_or_default().to_owned());
    match (method.as_str(), call) {
        ("POST", ["commands"]) => commands::post(request, &front).await,
        ("GET", ["commands", id]) => commands::get(id, &front).await,
        ("DELETE", ["commands", id]) => commands::cancel(id, &front).await,
        ("GET", ["commands", id, "targets"]) => targets::list(id, &query, &front).await,
        ("POST", ["commands", id, "retry"]) => commands::retry(id, request.headers(), &front).await,
        ("GET", ["terminals"]) => terminals::list(&query, &front).await,
        ("GET", ["terminals", id]) => terminals::get(id, &front).await,
        ("DELETE", ["terminals", id]) => terminals::forget(id, &front).await,
        ("PUT", ["terminals", id, "labels"]) => terminals::label(id, request, &front).await,
        ("DELETE", ["terminals", id, "session"]) => terminals::disconnect(id, &front).await,
        ("GET", ["fleet"]) => terminals::fleet(&front).await,
        ("GET", ["nodes"]) => nodes::list(&front).await,
        ("POST", ["nodes", "rebalance"]) => nodes::rebalance(&query, &front).await,
        ("POST", ["nodes", id, "drain"]) => nodes::drain(id, &front).await,
        ("GET", ["events"]) => events::stream(&request, front).await,
        _ => Err(not_there(&front)),
    }
}

fn not_there(front: &Front) -> Response<Body> {
    let detail = format!("no such path; the WebSocket is at {}, the API under /v1/", front.shared.config.ws_path);
    problem(StatusCode::NOT_FOUND, detail)
}

fn not_allowed(taken: &[(&str, Option<Scope>)]) -> Response<Body> {
    let methods: Vec<_> = taken.iter().map(|(method, _)| *method).collect();
    let methods = methods.join(", ");
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, format!("this path takes {methods}"));
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_str(&methods).expect("methods are words"));
    response
}

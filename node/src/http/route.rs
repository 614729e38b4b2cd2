//! Which handler answers, by method and path, and which scope it needs.

use std::sync::Arc;

use hyper::{Method, Request, Response, StatusCode, body::Incoming, header};
use muster_protocol::token::Scope;

use super::{
    Caller, Front,
    answer::{Answer, Body, problem},
    commands, events, handshake, health, nodes, targets, terminals,
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
    let segments: Vec<_> = path.split('/').skip(1).collect();
    let (method, query) = (request.method().clone(), request.uri().query().unwrap_or_default().to_owned());
    let may = |scope| front.auth.operator(bearer(&request), scope);
    match (&method, &segments[..]) {
        (&Method::GET, [""]) => health::greet(&front),
        (&Method::GET, ["livez"]) => Ok(health::live()),
        (&Method::GET, ["readyz"]) => health::ready(&front),
        (&Method::GET, ["metrics"]) => Ok(health::metrics(&front)),
        (&Method::POST, ["v1", "commands"]) => {
            may(Scope::Command)?;
            commands::post(request, &front).await
        }
        (&Method::GET, ["v1", "commands", id]) => {
            may(Scope::Read)?;
            commands::get(id, &front).await
        }
        (&Method::GET, ["v1", "commands", id, "targets"]) => {
            may(Scope::Read)?;
            targets::list(id, &query, &front).await
        }
        (&Method::DELETE, ["v1", "commands", id]) => {
            may(Scope::Command)?;
            commands::cancel(id, &front).await
        }
        (&Method::POST, ["v1", "commands", id, "retry"]) => {
            may(Scope::Command)?;
            commands::retry(id, request.headers(), &front).await
        }
        (&Method::GET, ["v1", "terminals"]) => {
            may(Scope::Read)?;
            terminals::list(&query, &front).await
        }
        (&Method::GET, ["v1", "terminals", id]) => {
            may(Scope::Read)?;
            terminals::get(id, &front).await
        }
        (&Method::PUT, ["v1", "terminals", id, "labels"]) => {
            may(Scope::Admin)?;
            terminals::label(id, request, &front).await
        }
        (&Method::DELETE, ["v1", "terminals", id, "session"]) => {
            may(Scope::Admin)?;
            terminals::disconnect(id, &front).await
        }
        (&Method::DELETE, ["v1", "terminals", id]) => {
            may(Scope::Admin)?;
            terminals::forget(id, &front).await
        }
        (&Method::GET, ["v1", "fleet"]) => {
            may(Scope::Read)?;
            terminals::fleet(&front).await
        }
        (&Method::GET, ["v1", "nodes"]) => {
            may(Scope::Read)?;
            nodes::list(&front).await
        }
        (&Method::POST, ["v1", "nodes", id, "drain"]) => {
            may(Scope::Admin)?;
            nodes::drain(id, &front).await
        }
        (&Method::POST, ["v1", "nodes", "rebalance"]) => {
            may(Scope::Admin)?;
            nodes::rebalance(&query, &front).await
        }
        (&Method::GET, ["v1", "events"]) => {
            may(Scope::Read)?;
            events::stream(&request, front).await
        }
        (_, segments) => Err(refuse(segments, &front)),
    }
}

/// A path that is there takes other methods; any other path is not there.
fn refuse(segments: &[&str], front: &Front) -> Response<Body> {
    match segments {
        ["livez" | "readyz" | "metrics"] | ["v1", "terminals" | "nodes" | "events" | "fleet"] => not_allowed("GET"),
        ["v1", "commands", _, "targets"] => not_allowed("GET"),
        ["v1", "commands"] | ["v1", "commands", _, "retry"] => not_allowed("POST"),
        ["v1", "nodes", "rebalance"] | ["v1", "nodes", _, "drain"] => not_allowed("POST"),
        ["v1", "terminals" | "commands", _] => not_allowed("GET, DELETE"),
        ["v1", "terminals", _, "labels"] => not_allowed("PUT"),
        ["v1", "terminals", _, "session"] => not_allowed("DELETE"),
        _ => problem(
            StatusCode::NOT_FOUND,
            format!("no such path; the WebSocket is at {}, the API under /v1/", front.shared.config.ws_path),
        ),
    }
}

/// The token in `Authorization: Bearer`.
pub fn bearer(request: &Request<Incoming>) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, format!("this path takes {allowed}"));
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(allowed));
    response
}

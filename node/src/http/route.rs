//! Which handler answers, by method and path, and which scope it needs.

use std::{net::SocketAddr, sync::Arc};

use hyper::{Method, Request, Response, StatusCode, body::Incoming, header};
use muster_protocol::token::Scope;

use super::{
    Front,
    answer::{Answer, Body, problem},
    commands, events, handshake, health, terminals,
};

/// Answers a request, whatever it is.
pub async fn answer(request: Request<Incoming>, peer: SocketAddr, front: Arc<Front>) -> Response<Body> {
    let answer = dispatch(request, peer, front).await;
    answer.unwrap_or_else(|refusal| refusal)
}

async fn dispatch(request: Request<Incoming>, peer: SocketAddr, front: Arc<Front>) -> Answer {
    let path = request.uri().path().to_owned();
    if path == front.shared.config.ws_path {
        return handshake::answer(request, peer, &front).await;
    }
    let segments: Vec<_> = path.split('/').skip(1).collect();
    let get = request.method() == Method::GET;
    match segments[..] {
        ["livez"] if get => Ok(health::live()),
        ["readyz"] if get => health::ready(&front),
        ["metrics"] if get => Ok(health::metrics(&front)),
        ["v1", "commands"] if request.method() == Method::POST => {
            allow(&front, &request, Scope::Command)?;
            commands::post(request, &front).await
        }
        ["v1", "commands", id] if get => {
            allow(&front, &request, Scope::Read)?;
            commands::get(id, &front).await
        }
        ["v1", "terminals"] if get => {
            allow(&front, &request, Scope::Read)?;
            terminals::list(request.uri().query().unwrap_or_default(), &front).await
        }
        ["v1", "terminals", id] if get => {
            allow(&front, &request, Scope::Read)?;
            terminals::get(id, &front).await
        }
        ["v1", "nodes"] if get => {
            allow(&front, &request, Scope::Read)?;
            terminals::nodes(&front).await
        }
        ["v1", "events"] if get => {
            allow(&front, &request, Scope::Read)?;
            events::stream(&request, front).await
        }
        ["livez" | "readyz" | "metrics"] | ["v1", "terminals" | "nodes" | "events"] => Err(not_allowed("GET")),
        ["v1", "terminals" | "commands", _] => Err(not_allowed("GET")),
        ["v1", "commands"] => Err(not_allowed("POST")),
        _ => Err(problem(
            StatusCode::NOT_FOUND,
            format!("no such path; the WebSocket is at {}, the API under /v1/", front.shared.config.ws_path),
        )),
    }
}

fn allow(front: &Front, request: &Request<Incoming>, scope: Scope) -> Result<(), Response<Body>> {
    front.auth.operator(bearer(request), scope).map_err(Into::into)
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

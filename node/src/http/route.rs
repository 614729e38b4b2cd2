//! Routes: which handler answers a method and path, and which scope a key needs. Besides the WebSocket's path, a
//! path that [`takes`] does not list does not exist.

use std::{net::SocketAddr, sync::Arc};

use hyper::{HeaderMap, Method, Request, Response, StatusCode, body::Incoming, header};
use muster_protocol::token::Scope;

use super::{
    HttpState, Requester,
    answer::{Answer, Body, problem, status},
    audit::{self, AuditTrail},
    call::ApiCall,
    cells, commands, console, enrol, events, fleet,
    handshake::{self, Decision},
    health, keys, list, nodes, origin,
    path::segments,
    proxies, proxy_hop, reach, renew,
    request::{bearer, parameter},
    request_id, retry, revocations,
    rollouts::{self, WantedChange},
    sign_in, strict, targets, terminals, ticket,
};
use crate::auth::VerifiedOperator;

/// Answers a request. Does not return if the request is a handshake that is accepted.
pub async fn answer(request: Request<Incoming>, requester: Requester, state: Arc<HttpState>) -> Response<Body> {
    if is_websocket(request.uri().path(), &state.shared.config.ws_path) {
        return websocket(&request, &requester, &state).await.unwrap_or_else(|refusal| refusal);
    }
    let is_api = request.uri().path().starts_with("/v1");
    let origin = request.headers().get(header::ORIGIN).filter(|_| is_api).cloned();
    let request_id = request_id::of(request.headers());
    let answer = dispatch(request, &request_id, &requester, state.clone()).await;
    let mut response = answer.unwrap_or_else(|refusal| refusal);
    if is_api {
        origin::share(&mut response, origin, &state.shared.config);
        response.headers_mut().insert(request_id::REQUEST_ID, request_id::header(&request_id));
    }
    response
}

/// Whether a path is the WebSocket's, with a slash at its end or without.
fn is_websocket(path: &str, ws_path: &str) -> bool {
    path == ws_path || path.strip_suffix('/') == Some(ws_path) || ws_path.strip_suffix('/') == Some(path)
}

async fn websocket(request: &Request<Incoming>, requester: &Requester, state: &HttpState) -> Answer {
    if request.method() != Method::GET {
        strict::check(request)?;
        return Ok(methods(request.method(), "GET, OPTIONS"));
    }
    match handshake::decide(request, requester, state).await? {
        Decision::Placed(answer) => Ok(answer),
        Decision::Accepted(handshake) => requester.give_to_session(handshake).await,
    }
}

async fn dispatch(
    request: Request<Incoming>,
    request_id: &str,
    requester: &Requester,
    state: Arc<HttpState>,
) -> Answer {
    strict::check(&request)?;
    let path = request.uri().path().to_owned();
    if path == "*" {
        return Ok(methods(request.method(), "GET, HEAD, POST, PUT, DELETE, OPTIONS"));
    }
    let segments = segments(&path)?;
    let segments: Vec<_> = segments.iter().map(String::as_str).collect();
    let taken = takes(&segments);
    let method = asked(&request);
    let Some((_, scope)) = taken.iter().find(|(name, _)| method == *name) else {
        if taken.is_empty() {
            return Err(not_there(&state));
        }
        let mut response = methods(method, &allowed(taken));
        origin::preflight(&request, &mut response, &state.shared.config);
        return Ok(response);
    };
    let mut trail = AuditTrail::of(&segments, &request, requester, request_id, &state);
    let answer = admitted(&segments, *scope, request, requester, state, &mut trail).await;
    if let Some(trail) = trail {
        trail.end(answer.as_ref().unwrap_or_else(|refusal| refusal));
    }
    answer
}

/// The answer to a call that the path takes, if the requester is admitted.
async fn admitted(
    segments: &[&str],
    scope: Option<Scope>,
    request: Request<Incoming>,
    requester: &Requester,
    state: Arc<HttpState>,
    trail: &mut Option<AuditTrail>,
) -> Answer {
    if origin::changes(request.method()) {
        origin::check(request.headers(), &state.shared.config)?;
    }
    let operator = identify(segments, scope, &request, &state).await?;
    if let Some(trail) = trail {
        trail.set_operator(&operator);
    }
    if let Some(scope) = scope {
        operator.check_scope(scope)?;
        reach::check_call(segments, &operator)?;
    }
    match segments {
        ["v1", path @ ..] => {
            let call = ApiCall { operator, trail: trail.as_ref() };
            api(path, request, &call, requester, state).await
        }
        _ => open(segments, request.headers(), requester.peer, &state),
    }
}

/// The method that is asked for. HEAD is GET, of whose answer hyper sends the head alone.
fn asked(request: &Request<Incoming>) -> &Method {
    if request.method() == Method::HEAD { &Method::GET } else { request.method() }
}

/// The methods of each path, and the scope that a key needs. A path without a scope needs no key.
fn takes(segments: &[&str]) -> &'static [(&'static str, Option<Scope>)] {
    use Scope::{Admin, Command, Read};
    match segments {
        [""] | ["livez" | "readyz" | "metrics" | "proxy"] | ["console", ..] => &[("GET", None)],
        ["v1", "commands"] => &[("POST", Some(Command)), ("GET", Some(Read))],
        ["v1", "commands", _] => &[("GET", Some(Read)), ("DELETE", Some(Command))],
        ["v1", "commands", _, "targets" | "cells"] => &[("GET", Some(Read))],
        ["v1", "commands", _, "retry"] => &[("POST", Some(Command))],
        ["v1", "terminals" | "fleet" | "nodes" | "proxies" | "events"] => &[("GET", Some(Read))],
        ["v1", "ticket" | "session"] => &[("POST", Some(Read))],
        ["v1", "terminals", _] => &[("GET", Some(Read)), ("DELETE", Some(Admin))],
        ["v1", "terminals", _, "history"] | ["v1", "fleet", "history"] => &[("GET", Some(Read))],
        ["v1", "terminals", _, "labels"] => &[("PUT", Some(Admin))],
        ["v1", "terminals", _, "session"] => &[("DELETE", Some(Admin))],
        ["v1", "renew" | "enrol"] => &[("POST", None)],
        ["v1", "enrolments"] => &[("POST", Some(Admin)), ("GET", Some(Admin))],
        ["v1", "enrolments", _] => &[("DELETE", Some(Admin))],
        ["v1", "enrolments", _, "approve"] => &[("POST", Some(Admin))],
        ["v1", "revocations"] => &[("POST", Some(Admin)), ("GET", Some(Admin))],
        ["v1", "revocations", _] => &[("DELETE", Some(Admin))],
        ["v1", "keys"] => &[("POST", Some(Admin)), ("GET", Some(Admin))],
        ["v1", "keys", _] => &[("DELETE", Some(Admin))],
        ["v1", "rollouts"] => &[("POST", Some(Command)), ("GET", Some(Read))],
        ["v1", "rollouts", _] => &[("GET", Some(Read))],
        ["v1", "rollouts", _, "pause" | "resume" | "stop"] => &[("POST", Some(Command))],
        ["v1", "audit"] => &[("GET", Some(Admin))],
        ["v1", "nodes", "rebalance"] => &[("POST", Some(Admin))],
        ["v1", "nodes", _, "drain"] => &[("POST", Some(Admin)), ("DELETE", Some(Admin))],
        _ => &[],
    }
}

/// The owner of the requester's key, or of the key that a ticket stands for. The owner has no name if no key is needed.
async fn identify(
    segments: &[&str],
    scope: Option<Scope>,
    request: &Request<Incoming>,
    state: &HttpState,
) -> Result<VerifiedOperator, Response<Body>> {
    let ticket = match segments {
        ["v1", "events"] => parameter(request, ticket::PARAMETER),
        _ => None,
    };
    match scope {
        _ if let Some(ticket) = ticket => ticket::take(&ticket, state).await,
        Some(_) => Ok(state.shared.auth.operator(bearer(request))?),
        None => Ok(VerifiedOperator::default()),
    }
}

/// The paths that need no key.
fn open(segments: &[&str], headers: &HeaderMap, peer: SocketAddr, state: &HttpState) -> Answer {
    match segments {
        [""] => health::greet(state),
        ["livez"] => Ok(health::live()),
        ["readyz"] => health::ready(state),
        ["metrics"] => Ok(health::metrics(state)),
        ["proxy"] => Ok(proxy_hop::terms(peer, state)),
        ["console", path @ ..] => Ok(console::file(path, headers)),
        _ => Err(not_there(state)),
    }
}

async fn api(
    path: &[&str],
    request: Request<Incoming>,
    call: &ApiCall<'_>,
    requester: &Requester,
    state: Arc<HttpState>,
) -> Answer {
    let (method, query) = (asked(&request).clone(), request.uri().query().unwrap_or_default().to_owned());
    match (method.as_str(), path) {
        ("POST", ["commands"]) => commands::post(request, call, &state).await,
        ("GET", ["commands"]) => list::commands(&query, call, &state).await,
        ("GET", ["commands", id]) => commands::get(id, call, &state).await,
        ("DELETE", ["commands", id]) => commands::cancel(id, call, &state).await,
        ("GET", ["commands", id, "targets"]) => targets::list(id, &query, call, &state).await,
        ("GET", ["commands", id, "cells"]) => cells::get(id, &request, call, &state).await,
        ("POST", ["commands", id, "retry"]) => retry::retry(id, request.headers(), call, &state).await,
        ("POST", ["ticket"]) => ticket::post(&call.operator, &state).await,
        ("POST", ["session"]) => sign_in::post(&request, call, &state),
        ("GET", ["terminals"]) => terminals::list(&query, call, &state).await,
        ("GET", ["terminals", id]) => terminals::get(id, call, &state).await,
        ("DELETE", ["terminals", id]) => terminals::forget(id, call, &state).await,
        ("PUT", ["terminals", id, "labels"]) => terminals::label(id, request, call, &state).await,
        ("DELETE", ["terminals", id, "session"]) => terminals::disconnect(id, call, &state).await,
        ("GET", ["terminals", id, "history"]) => terminals::history(id, call, &state).await,
        ("GET", ["fleet"]) => fleet::counts(&state).await,
        ("GET", ["fleet", "history"]) => fleet::history(&query, &state).await,
        ("GET", ["nodes"]) => nodes::list(&state).await,
        ("GET", ["proxies"]) => proxies::list(&state),
        ("POST", ["nodes", "rebalance"]) => nodes::rebalance(&query, &state).await,
        ("POST", ["nodes", id, "drain"]) => nodes::drain(id, &query, &state).await,
        ("DELETE", ["nodes", id, "drain"]) => nodes::take_back(id, &state).await,
        ("POST", ["enrol"]) => {
            let address = proxy_hop::ProxyHop::of(&request, requester.peer, &state).address;
            enrol::post(request, &address, &state).await
        }
        ("POST", ["enrolments"]) => enrol::operator::post(request, call, &state).await,
        ("GET", ["enrolments"]) => enrol::operator::list(&query, &state).await,
        ("DELETE", ["enrolments", id]) => enrol::operator::remove(id, &state).await,
        ("POST", ["enrolments", id, "approve"]) => enrol::operator::approve(id, &state).await,
        ("POST", ["renew"]) => renew::post(&request, &state),
        ("POST", ["revocations"]) => revocations::post(request, call, &state).await,
        ("GET", ["revocations"]) => revocations::list(&query, &state).await,
        ("DELETE", ["revocations", id]) => revocations::take_back(id, &state).await,
        ("POST", ["keys"]) => keys::post(request, call, &state).await,
        ("GET", ["keys"]) => keys::list(&query, call, &state).await,
        ("DELETE", ["keys", id]) => keys::revoke(id, call, &state).await,
        ("POST", ["rollouts"]) => rollouts::post(request, call, &state).await,
        ("GET", ["rollouts"]) => rollouts::list(&query, &state).await,
        ("GET", ["rollouts", id]) => rollouts::get(id, &state).await,
        ("POST", ["rollouts", id, "pause"]) => rollouts::change(id, WantedChange::Pause, call, &state).await,
        ("POST", ["rollouts", id, "resume"]) => rollouts::change(id, WantedChange::Resume, call, &state).await,
        ("POST", ["rollouts", id, "stop"]) => rollouts::change(id, WantedChange::Stop, call, &state).await,
        ("GET", ["audit"]) => audit::list(&query, &state).await,
        ("GET", ["events"]) => events(&request, &call.operator, requester, state).await,
        _ => Err(not_there(&state)),
    }
}

/// Opens a stream of events, which is the last answer of its connection: it is not counted among the others from then on.
async fn events(
    request: &Request<Incoming>,
    operator: &VerifiedOperator,
    requester: &Requester,
    state: Arc<HttpState>,
) -> Answer {
    let answer = events::stream(request, operator, requester.close.clone(), state).await?;
    if request.method() == Method::GET {
        requester.begin_stream();
    }
    Ok(strict::closing(answer))
}

fn not_there(state: &HttpState) -> Response<Body> {
    let detail = format!("no such path; the WebSocket is at {}, the API under /v1/", state.shared.config.ws_path);
    problem(StatusCode::NOT_FOUND, detail)
}

/// The answer to a method that the path does not take: its methods, with 204 to OPTIONS and 405 to any other.
fn methods(method: &Method, allowed: &str) -> Response<Body> {
    let mut response = match *method {
        Method::OPTIONS => status(StatusCode::NO_CONTENT),
        _ => problem(StatusCode::METHOD_NOT_ALLOWED, format!("this path takes {allowed}")),
    };
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_str(allowed).expect("methods are words"));
    response
}

/// The methods of a path as a list.
fn allowed(taken: &[(&'static str, Option<Scope>)]) -> String {
    let head = |name: &'static str| if name == "GET" { "GET, HEAD".to_owned() } else { name.to_owned() };
    let names = taken.iter().map(|(name, _)| head(name));
    names.chain(["OPTIONS".to_owned()]).collect::<Vec<_>>().join(", ")
}

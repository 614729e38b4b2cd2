//! What a node does with a request. The request is a handshake, or a call in the [table of routes](super::routes),
//! which the node checks and answers.

use std::sync::Arc;

use hyper::{Method, Request, Response, StatusCode, body::Incoming, header};

use super::{
    HttpState, Requester,
    answer::{Answer, Body, problem, status},
    audit::AuditTrail,
    call::ApiCall,
    handshake::{self, Decision},
    origin,
    path::segments,
    request::{bearer, parameter},
    request_id,
    routes::{self, Asked, Route},
    strict, ticket,
};
use crate::auth::{VerifiedOperator, written};

/// Answers a request. Does not return if the request is a handshake and the node accepts it.
pub async fn answer(request: Request<Incoming>, requester: Requester, state: Arc<HttpState>) -> Response<Body> {
    if is_websocket(request.uri().path(), &state.shared.config.ws_path) {
        return websocket(request, &requester, &state).await.unwrap_or_else(|refusal| refusal);
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

/// Returns whether a path is the path of the WebSocket, with or without a slash at its end.
pub fn is_websocket(path: &str, ws_path: &str) -> bool {
    path == ws_path || path.strip_suffix('/') == Some(ws_path) || ws_path.strip_suffix('/') == Some(path)
}

async fn websocket(request: Request<Incoming>, requester: &Requester, state: &HttpState) -> Answer {
    // The body is kept until there is an answer, because hyper notices when it is dropped.
    let (head, _body) = request.into_parts();
    let request = Request::from_parts(head, ());
    if request.method() != Method::GET {
        strict::check(&request)?;
        return Ok(methods(request.method(), "GET, OPTIONS"));
    }
    if let Some(decided) = requester.take_decided() {
        return decided;
    }
    match handshake::decide(&request, requester.peer, requester.descriptor, state).await? {
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
    let taken = routes::of_path(&segments);
    let method = asked(&request);
    let Some(route) = taken.iter().find(|route| method == route.method) else {
        if taken.is_empty() {
            return Err(not_there(&state));
        }
        let mut response = methods(method, &allowed(&taken));
        origin::preflight(&request, &mut response, &state.shared.config);
        return Ok(response);
    };
    let mut trail = AuditTrail::of(route, &segments, &request, requester, request_id, &state);
    let answer = admitted(route, &segments, request, requester, &state, &mut trail).await;
    if let Some(trail) = trail {
        trail.end(answer.as_ref().unwrap_or_else(|refusal| refusal));
    }
    answer
}

/// Returns the answer to a call; a refusal if the requester may not make the call.
async fn admitted(
    route: &Route,
    segments: &[&str],
    request: Request<Incoming>,
    requester: &Requester,
    state: &Arc<HttpState>,
    trail: &mut Option<AuditTrail>,
) -> Answer {
    if route.is_change() {
        origin::check(request.headers(), &state.shared.config)?;
    }
    let operator = identify(route, &request, state).await?;
    if let Some(trail) = trail {
        trail.set_operator(&operator);
    }
    if let Some(scope) = route.scope {
        operator.check_scope(scope)?;
        check_reach(route, &operator)?;
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    route.check_query(&query)?;
    let call = ApiCall { operator, trail: trail.as_ref() };
    (route.handle)(Asked { request, segments, query: &query, call: &call, requester, state }).await
}

/// Checks that a key which is limited by labels makes only calls that keep to the terminals that it reaches.
///
/// # Errors
/// 403.
fn check_reach(route: &Route, operator: &VerifiedOperator) -> Result<(), Response<Body>> {
    let labels = &operator.limits.labels;
    if labels.is_empty() || route.keeps_to_reach {
        return Ok(());
    }
    let detail =
        format!("the key is limited to terminals with {}, and this call is about the whole fleet", written(labels));
    Err(problem(StatusCode::FORBIDDEN, detail))
}

/// Returns the method of the request, with GET for HEAD: hyper sends only the head of an answer to HEAD.
fn asked(request: &Request<Incoming>) -> &Method {
    if request.method() == Method::HEAD { &Method::GET } else { request.method() }
}

/// Returns the owner of the requester's key, or of the key that a ticket stands for. The owner has no name if the call
/// needs no key.
async fn identify(
    route: &Route,
    request: &Request<Incoming>,
    state: &HttpState,
) -> Result<VerifiedOperator, Response<Body>> {
    let takes_ticket = route.query.iter().any(|parameter| parameter.name == ticket::PARAMETER);
    let ticket = if takes_ticket { parameter(request, ticket::PARAMETER) } else { None };
    match route.scope {
        _ if let Some(ticket) = ticket => ticket::take(&ticket, state).await,
        Some(_) => Ok(state.shared.auth.operator(bearer(request))?),
        None => Ok(VerifiedOperator::default()),
    }
}

fn not_there(state: &HttpState) -> Response<Body> {
    let detail = format!("no such path; the WebSocket is at {}, the API under /v1/", state.shared.config.ws_path);
    problem(StatusCode::NOT_FOUND, detail)
}

/// Returns the answer to a method that the path does not take. The answer names the methods that it takes; its status
/// is 204 for OPTIONS and 405 for any other method.
fn methods(method: &Method, allowed: &str) -> Response<Body> {
    let mut response = match *method {
        Method::OPTIONS => status(StatusCode::NO_CONTENT),
        _ => problem(StatusCode::METHOD_NOT_ALLOWED, format!("this path takes {allowed}")),
    };
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_str(allowed).expect("methods are words"));
    response
}

/// Returns the methods of a path as a list.
fn allowed(taken: &[&Route]) -> String {
    let names = taken.iter().map(|route| if route.method == "GET" { "GET, HEAD" } else { route.method });
    names.chain(["OPTIONS"]).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use muster_protocol::token::KeyLimits;

    use super::*;

    #[test]
    fn a_key_that_is_limited_by_labels_does_nothing_to_the_whole_fleet() {
        let shop = KeyLimits { labels: [("shop".into(), "7".into())].into(), ..KeyLimits::default() };
        let names = KeyLimits { commands: ["show".to_owned()].into(), ..KeyLimits::default() };
        let status = |route: &Route, limits: &KeyLimits| {
            let operator = VerifiedOperator { limits: limits.clone(), ..VerifiedOperator::default() };
            check_reach(route, &operator).map_or_else(|refusal| refusal.status().as_u16(), |()| 200)
        };
        for route in routes::all().filter(|route| route.scope.is_some()) {
            let about = route.path.split('/').nth(2).unwrap();
            let is_limitable = ["commands", "terminals", "keys", "events", "ticket", "session"].contains(&about);
            let expected = (if is_limitable { 200 } else { 403 }, 200);
            assert_eq!((status(route, &shop), status(route, &names)), expected, "{} {}", route.method, route.path);
        }
    }
}

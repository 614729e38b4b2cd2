//! The WebSocket handshake: which terminal it is, whether it is let in, and which protocol it speaks. All of it is
//! decided before the upgrade, so a refusal is a plain HTTP answer and costs no session.

use bytes::Bytes;
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header, upgrade};
use hyper_util::rt::TokioIo;
use muster_protocol::{
    TerminalId,
    api::Protocol,
    frame::{BEARER_PREFIX, PLAIN, V1},
};
use tokio::net::TcpStream;
use tungstenite::handshake::derive_accept_key;

use super::{
    HttpState, Requester,
    answer::{Answer, Body, body, later, problem},
    proxy_hop::{self, ProxyHop},
    request::bearer,
};
use crate::{auth::VerifiedTerminal, end::NO_ORDINAL, shard::Upgraded};

/// Query parameters in which people put tokens. A token in a URL is in the log of every proxy, so it is refused.
const TOKEN_NAMES: [&str; 6] = ["token", "access_token", "bearer", "jwt", "key", "authorization"];

/// Answers a handshake. Counts each refusal.
pub async fn answer(request: Request<Incoming>, requester: Requester, state: &HttpState) -> Answer {
    let answer = decide(request, requester, state).await;
    if let Err(refusal) = &answer {
        state.shared.metrics.refused.with_label_values(&[refusal.status().as_str()]).inc();
    }
    answer
}

async fn decide(request: Request<Incoming>, requester: Requester, state: &HttpState) -> Answer {
    let key = websocket_key(&request)?;
    let named = terminal_id(request.uri().query().unwrap_or_default())?;
    // 503 means draining and nothing else: only on 503 may a proxy try the next node.
    if state.shared.lifecycle.is_draining() {
        return Err(later(StatusCode::SERVICE_UNAVAILABLE, 1, "this node is draining"));
    }
    let hop = ProxyHop::of(&request, requester.peer, state);
    let offer = Offer::of(&request)?;
    let token = bearer(&request).or(offer.bearer.as_deref());
    if hop.asks() {
        // Sticky placement goes by the id. The token is verified at the next step, unless it is the only one that says the id.
        let terminal = match named {
            Some(terminal) => terminal,
            None => state.shared.auth.terminal(token, None)?.id,
        };
        return proxy_hop::place(state, &terminal, &hop).await;
    }
    // The token is checked before the budget: a handshake whose token is refused must not use it up.
    let terminal = state.shared.auth.terminal(token, named)?;
    let admitted = state.admission.admit(state.shared.hub.len(), requester.descriptor);
    admitted.map_err(|busy| later(StatusCode::TOO_MANY_REQUESTS, busy.retry_after, busy.why))?;
    if !state.shared.backplane.has_place_for(&terminal.id).await {
        let why = "the store takes no new terminal now: too many were forgotten of late";
        return Err(later(StatusCode::TOO_MANY_REQUESTS, NO_ORDINAL.as_secs(), why));
    }
    Ok(upgrade(request, state, Admitted { key, terminal, offer, hop }))
}

/// A handshake that is accepted.
struct Admitted {
    key: String,
    terminal: VerifiedTerminal,
    offer: Offer,
    hop: ProxyHop,
}

fn upgrade(mut request: Request<Incoming>, state: &HttpState, admitted: Admitted) -> Response<Body> {
    let Admitted { key, terminal, offer, hop } = admitted;
    let VerifiedTerminal { id: terminal, labels, expires } = terminal;
    let upgraded = upgrade::on(&mut request);
    let protocol = offer.protocol;
    let shared = state.shared.clone();
    // The task of the connection drives the upgrade. This task ends as soon as a shard has the socket.
    tokio::spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let Some((stream, read)) = take_socket(upgraded) else { return };
        shared
            .shards
            .adopt(Upgraded { stream, read, terminal, protocol, labels, expires, address: hop.address, edge: hop.edge })
            .await;
    });
    switching(&key, offer.answer)
}

/// The subprotocol that a client asks for, and the token that a browser can send nowhere else.
struct Offer {
    protocol: Protocol,
    answer: Option<&'static str>,
    bearer: Option<String>,
}

impl Offer {
    fn of(request: &Request<Incoming>) -> Result<Self, Response<Body>> {
        let headers = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
        let offered: Vec<_> = headers
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .collect();
        let bearer = offered.iter().find_map(|name| name.strip_prefix(BEARER_PREFIX)).map(str::to_owned);
        let (protocol, answer) = if offered.contains(&V1) {
            (Protocol::V1, Some(V1))
        } else if offered.contains(&PLAIN) {
            (Protocol::Plain, Some(PLAIN))
        } else if offered.is_empty() {
            (Protocol::Plain, None)
        } else {
            // A browser drops a connection whose server picked none of the offered subprotocols.
            let detail = format!("offer the subprotocol {V1} or {PLAIN}, or none at all for plain mode");
            return Err(problem(StatusCode::BAD_REQUEST, detail));
        };
        Ok(Self { protocol, answer, bearer })
    }
}

fn websocket_key(request: &Request<Incoming>) -> Result<String, Response<Body>> {
    let has = |name: header::HeaderName, wanted: &str| {
        let values = request.headers().get_all(name);
        values
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .any(|value| value.trim().eq_ignore_ascii_case(wanted))
    };
    if request.method() != Method::GET || !has(header::UPGRADE, "websocket") || !has(header::CONNECTION, "upgrade") {
        let mut response =
            problem(StatusCode::UPGRADE_REQUIRED, "this path takes WebSocket handshakes (GET with Upgrade: websocket)");
        response.headers_mut().insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
        return Err(response);
    }
    if !has(header::SEC_WEBSOCKET_VERSION, "13") {
        let mut response = problem(StatusCode::BAD_REQUEST, "Sec-WebSocket-Version must be 13");
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, 13.into());
        return Err(response);
    }
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).and_then(|value| value.to_str().ok());
    match key {
        Some(key) if is_key(key) => Ok(key.into()),
        _ => Err(problem(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64")),
    }
}

/// Whether `key` is 22 characters of base64, with `==` or without. The last character's four unused bits may be set: libraries
/// that make such keys, or leave out the padding, are in use, and the answer is computed from the text and not from its bytes.
fn is_key(key: &str) -> bool {
    let characters = key.strip_suffix("==").unwrap_or(key);
    characters.len() == 22 && characters.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}

/// The id in the query, if one is there.
fn terminal_id(query: &str) -> Result<Option<TerminalId>, Response<Body>> {
    let mut terminal = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if TOKEN_NAMES.iter().any(|token| name.eq_ignore_ascii_case(token)) {
            let advice = "a token in the URL ends up in logs: send it as Authorization: Bearer, or as subprotocol muster.bearer.TOKEN";
            return Err(problem(StatusCode::BAD_REQUEST, advice));
        }
        if name == "terminal_id" {
            terminal = Some(value.into_owned());
        }
    }
    let parsed = terminal.map(|id| id.parse()).transpose();
    parsed.map_err(|error| problem(StatusCode::BAD_REQUEST, format!("terminal_id: {error}")))
}

fn take_socket(upgraded: upgrade::Upgraded) -> Option<(std::net::TcpStream, Bytes)> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    Some((parts.io.into_inner().into_std().ok()?, parts.read_buf))
}

fn switching(key: &str, protocol: Option<&'static str>) -> Response<Body> {
    let mut response = Response::new(body(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("Upgrade"));
    let accept = derive_accept_key(key.as_bytes());
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept.parse().expect("base64 is a header value"));
    if let Some(protocol) = protocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, header::HeaderValue::from_static(protocol));
    }
    response
}

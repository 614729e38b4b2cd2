//! The WebSocket handshake: which terminal connects, whether the node accepts it, and which protocol it speaks. The
//! node decides all of this before the upgrade, so a refusal is a plain HTTP answer and costs no session.

use std::{
    borrow::Cow,
    net::{SocketAddr, TcpStream},
    os::fd::RawFd,
};

use bytes::Bytes;
use hyper::{Request, Response, StatusCode, header};
use muster_protocol::{
    TerminalId,
    api::Protocol,
    frame::{BEARER_PREFIX, PLAIN, V1},
};
use tungstenite::handshake::derive_accept_key;

use super::{
    HttpState,
    answer::{Body, later, problem},
    origin,
    proxy_hop::{self, ProxyHop},
    refused::{RefusalCause, claimed_terminal},
    request::{bad, bearer},
    strict,
};
use crate::{
    auth::VerifiedTerminal, cluster::admission::Busy, config::PlainProtocol, end::NO_ORDINAL, shard::Upgraded,
};

/// Query parameters in which people put tokens. The node refuses them, because a token in a URL is in the log of every
/// proxy.
const TOKEN_NAMES: [&str; 7] = ["token", "access_token", "bearer", "jwt", "key", "authorization", "ticket"];

/// The `Retry-After`, in seconds, of a node that has too little memory or no shard that answers. Such a shortage does
/// not end soon.
const SHORT: u64 = 5;

/// What becomes of a handshake that is not refused.
pub enum Decision {
    /// The handshake belongs to a node that this answer names to the proxy.
    Placed(Response<Body>),
    /// The connection becomes a session.
    Accepted(Box<AcceptedHandshake>),
}

/// Decides about a handshake that came from `peer` on the connection with this descriptor. Fails with the answer that
/// refuses the handshake. Reports each refusal once.
pub async fn decide(
    request: &Request<()>,
    peer: SocketAddr,
    descriptor: RawFd,
    state: &HttpState,
) -> Result<Decision, Response<Body>> {
    let hop = ProxyHop::of(request, peer, state);
    let (limits_refused, address) = (hop.limits_refused(), hop.address.clone());
    let decision = judge(request, descriptor, hop, state).await;
    if let Err(refusal) = &decision {
        // The proxy may send the handshake here again. Only then the node refuses it, and reports that.
        if limits_refused && refusal.status().is_client_error() && refusal.status() != StatusCode::TOO_MANY_REQUESTS {
            return Ok(Decision::Placed(proxy_hop::refuse(state)));
        }
        state.refused.report(refusal, claimed(request), &address, state);
    }
    decision
}

async fn judge(
    request: &Request<()>,
    descriptor: RawFd,
    hop: ProxyHop,
    state: &HttpState,
) -> Result<Decision, Response<Body>> {
    let config = &state.shared.config;
    let because = |cause: RefusalCause| move |answer: Response<Body>| cause.of_answer(answer);
    strict::check(request).map_err(because(RefusalCause::REQUEST))?;
    strict::check_handshake(request).map_err(because(RefusalCause::REQUEST))?;
    origin::check(request.headers(), config).map_err(because(RefusalCause::ORIGIN))?;
    let key = websocket_key(request).map_err(because(RefusalCause::WEBSOCKET))?;
    let named = terminal_id(request.uri().query().unwrap_or_default()).map_err(because(RefusalCause::URL))?;
    // The status must be 503, because only on 503 a proxy may try the next node.
    if state.shared.lifecycle.is_draining() {
        let answer = later(StatusCode::SERVICE_UNAVAILABLE, 1, "this node is draining");
        return Err(RefusalCause::DRAINING.of_answer(answer));
    }
    if let Some(why) = state.shared.lifecycle.shortages.refuse_sessions().filter(|_| !hop.asks()) {
        return Err(RefusalCause::SHORTAGE.of_answer(later(StatusCode::SERVICE_UNAVAILABLE, SHORT, why)));
    }
    let offer = Offer::of(request, &config.plain_mode.plain_protocols).map_err(because(RefusalCause::SUBPROTOCOL))?;
    let token = token(bearer(request), offer.bearer.as_deref()).map_err(because(RefusalCause::TWO_TOKENS))?;
    let busy = |cause: RefusalCause| {
        move |busy: Busy| cause.of_answer(later(StatusCode::TOO_MANY_REQUESTS, busy.retry_after, busy.why))
    };
    // The token is checked before the budgets, because a handshake with a bad token must not use up a budget, nor count
    // as sent to a node.
    let auth = &state.shared.auth;
    let verified = match (token, &hop.certificate) {
        (None, Some((certificate, source))) => auth.certified(certificate, source, named),
        _ => auth.terminal(token, named),
    };
    let terminal = verified.map_err(|error| {
        // If the proxy will send the handshake here again, it is counted then.
        let counted = if hop.limits_refused() { Ok(()) } else { state.rates.refused(&hop.address) };
        match counted {
            Ok(()) => RefusalCause::of(&error).of_answer(error.into()),
            Err(too_many) => busy(RefusalCause::ADDRESS_RATE)(too_many),
        }
    })?;
    if hop.asks() {
        return proxy_hop::place(state, &terminal.id, &hop).await.map(Decision::Placed);
    }
    // A terminal that floods is refused before it takes anything from the others.
    state.rates.admit(terminal.id.as_str()).map_err(busy(RefusalCause::TERMINAL_RATE))?;
    let admitted = state.admission.admit(state.shared.hub.len(), descriptor);
    admitted.map_err(busy(RefusalCause::BUSY))?;
    if !state.shared.backplane.has_place_for(&terminal.id).await {
        let why = "the store takes no new terminal now: too many were forgotten of late";
        let answer = later(StatusCode::TOO_MANY_REQUESTS, NO_ORDINAL.as_secs(), why);
        return Err(RefusalCause::ORDINALS.of_answer(answer));
    }
    Ok(Decision::Accepted(Box::new(AcceptedHandshake { key, terminal, offer, hop })))
}

/// Returns the terminal that a handshake claims to come from, as far as that can be read. Nothing is verified.
fn claimed(request: &Request<()>) -> Option<TerminalId> {
    let named = terminal_id(request.uri().query().unwrap_or_default()).ok().flatten();
    named.or_else(|| {
        let offered = Offer::of(request, &[]).ok().and_then(|offer| offer.bearer);
        claimed_terminal(bearer(request).or(offered.as_deref())?)
    })
}

/// A handshake that is accepted.
#[derive(Debug)]
pub struct AcceptedHandshake {
    key: String,
    terminal: VerifiedTerminal,
    offer: Offer,
    hop: ProxyHop,
}

impl AcceptedHandshake {
    /// Returns the answer 101 as bytes.
    pub fn answer(&self) -> Vec<u8> {
        let accept = derive_accept_key(self.key.as_bytes());
        let protocol = self.offer.answer.as_ref().map(|name| format!("sec-websocket-protocol: {name}\r\n"));
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: {accept}\r\n{}\r\n",
            protocol.unwrap_or_default()
        )
        .into_bytes()
    }

    /// Returns the connection as a shard takes it. `read` is what the node has read beyond the handshake.
    pub fn upgraded(self, stream: TcpStream, read: Bytes) -> Upgraded {
        let VerifiedTerminal { id: terminal, labels, say, expires, token } = self.terminal;
        let (protocol, address, edge) = (self.offer.protocol, self.hop.address, self.hop.edge);
        Upgraded { stream, read, terminal, protocol, labels, say, expires, token, address, edge }
    }
}

/// The subprotocol that a client asks for, and the token beside it, which a browser can send nowhere else.
#[derive(Debug)]
struct Offer {
    protocol: Protocol,
    answer: Option<Cow<'static, str>>,
    bearer: Option<String>,
}

impl Offer {
    /// Reads what the client offers. An empty header offers nothing; names in `plain` ask for plain mode. Fails with
    /// 400 for several tokens, and if no offered subprotocol is known.
    fn of(request: &Request<()>, plain: &[PlainProtocol]) -> Result<Self, Response<Body>> {
        let headers = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
        let offered: Vec<_> = headers
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect();
        let mut bearers = offered.iter().filter_map(|name| name.strip_prefix(BEARER_PREFIX));
        let bearer = bearers.next().map(str::to_owned);
        if bearers.next().is_some() {
            return Err(bad(format!("Sec-WebSocket-Protocol offers several tokens ({BEARER_PREFIX}TOKEN)")));
        }
        let known = |name: &&str| plain.iter().find(|plain| plain.name() == *name);
        let (protocol, answer) = if offered.contains(&V1) {
            (Protocol::V1, Some(V1.into()))
        } else if offered.contains(&PLAIN) {
            (Protocol::Plain, Some(PLAIN.into()))
        } else if let Some(plain) = offered.iter().find_map(known) {
            (Protocol::Plain, Some(plain.name().to_owned().into()))
        } else if offered.is_empty() {
            (Protocol::Plain, None)
        } else {
            // Refused, because a browser drops a connection whose server picked none of the offered subprotocols.
            let detail = format!(
                "Sec-WebSocket-Protocol: offer {V1} or {PLAIN}, or nothing at all for plain mode; --plain-protocols makes other names \
                 count as plain mode"
            );
            return Err(bad(detail));
        };
        Ok(Self { protocol, answer, bearer })
    }
}

/// Returns the token of a handshake, which may stand in two places. Fails with 400 if the two differ.
fn token<'a>(header: Option<&'a str>, offered: Option<&'a str>) -> Result<Option<&'a str>, Response<Body>> {
    match (header, offered) {
        (Some(header), Some(offered)) if header != offered => {
            Err(bad("there are two tokens, in Authorization and in Sec-WebSocket-Protocol, and they differ"))
        }
        _ => Ok(header.or(offered)),
    }
}

fn websocket_key(request: &Request<()>) -> Result<String, Response<Body>> {
    let has = |name: header::HeaderName, wanted: &str| {
        let values = request.headers().get_all(name);
        values
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .any(|value| value.trim().eq_ignore_ascii_case(wanted))
    };
    let missing = match () {
        () if !has(header::UPGRADE, "websocket") => Some("the header Upgrade: websocket is missing"),
        () if !has(header::CONNECTION, "upgrade") => Some("the header Connection: Upgrade is missing"),
        () => None,
    };
    if let Some(missing) = missing {
        let detail = format!("this path takes WebSocket handshakes, and {missing}");
        let mut response = problem(StatusCode::UPGRADE_REQUIRED, detail);
        response.headers_mut().insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
        return Err(response);
    }
    // A header that names several versions is refused too.
    if request.headers().get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
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

/// Returns whether `key` is 22 characters of base64, with `==` or without. The four unused bits of the last character
/// may be set. Libraries are in use that set them, or leave out the padding; the answer does not suffer, since it is
/// computed from the text and not from its bytes.
fn is_key(key: &str) -> bool {
    let characters = key.strip_suffix("==").unwrap_or(key);
    characters.len() == 22 && characters.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}

/// Returns the id in the query, if there is one. Fails with 400 for an invalid id, for two different ids, and for a
/// token.
fn terminal_id(query: &str) -> Result<Option<TerminalId>, Response<Body>> {
    let mut terminal = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if TOKEN_NAMES.iter().any(|token| name.eq_ignore_ascii_case(token)) {
            let advice = "a token in the URL ends up in logs: send it as Authorization: Bearer, or as subprotocol muster.bearer.TOKEN";
            return Err(problem(StatusCode::BAD_REQUEST, advice));
        }
        if name == "terminal_id" {
            let value = value.into_owned();
            if terminal.as_ref().is_some_and(|before| *before != value) {
                return Err(bad("terminal_id is there twice, with different values"));
            }
            terminal = Some(value);
        }
    }
    let parsed = terminal.map(|id| id.parse()).transpose();
    parsed.map_err(|error| problem(StatusCode::BAD_REQUEST, format!("terminal_id: {error}")))
}

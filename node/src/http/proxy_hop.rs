//! What the proxy says about a handshake, in headers that the proxy sets itself and never passes on from a client. A
//! node believes only trusted proxies.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use hyper::{HeaderMap, Request, Response, StatusCode, header::HeaderName};
use muster_protocol::{
    TerminalId,
    address::lies_in,
    api::{NodeState, ProxyTerms},
};

use super::{
    HttpState,
    answer::{Answer, Body, body, json},
};
use crate::cluster::{Candidate, placement};

/// The header with the proxy worker, as `HOST/PID/GENERATION`. Only a proxy that can follow `X-Accel-Redirect` sends
/// it.
const EDGE: HeaderName = HeaderName::from_static("x-edge");
/// The header that marks a handshake which was placed already. The node that gets such a handshake accepts or refuses
/// it.
const REROUTE: HeaderName = HeaderName::from_static("x-reroute");
/// The header by which the proxy says that it has a location for handshakes that will be refused. There the proxy
/// limits how many refusals each address gets.
const REFUSED: HeaderName = HeaderName::from_static("x-edge-refused");
/// The header with the certificate of a terminal that the proxy has verified: PEM, percent-encoded.
const CERTIFICATE: HeaderName = HeaderName::from_static("x-client-cert");
/// The header that says which name in the certificate is the terminal's id.
const ID_SOURCE: HeaderName = HeaderName::from_static("x-client-id-from");
/// The header with the address of the client.
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
/// The longest `X-Edge` that a node believes, in bytes. What the sidecar configures is shorter.
const EDGE_MAX: usize = 128;

/// How a request reached this node.
#[derive(Debug)]
pub struct ProxyHop {
    /// The proxy worker, if the request came through one.
    pub edge: Option<Arc<str>>,
    trusted: bool,
    asks: bool,
    limits_refused: bool,
    /// The terminal's certificate, and which name in the certificate is the id. Only with `--mtls-terminals`.
    pub certificate: Option<(String, String)>,
    /// The address of the client.
    pub address: String,
}

impl ProxyHop {
    /// Reads the headers of the proxy. Ignores what they say, except whether the sender asks, if `peer` is no trusted
    /// proxy.
    pub fn of<B>(request: &Request<B>, peer: SocketAddr, state: &HttpState) -> Self {
        let trusted = is_trusted(peer.ip(), state);
        let sent = |name| header(request.headers(), name);
        if !trusted && sent(EDGE).is_some() {
            state.untrusted.warn(peer.ip());
        }
        let believed = |name| sent(name).filter(|_| trusted);
        let real_ip = believed(REAL_IP).and_then(|ip| ip.parse::<IpAddr>().ok());
        Self {
            edge: believed(EDGE).filter(|edge| edge.len() <= EDGE_MAX).map(Into::into),
            trusted,
            asks: asks(request.headers()),
            limits_refused: believed(REFUSED).is_some(),
            certificate: believed(CERTIFICATE)
                .zip(believed(ID_SOURCE))
                .filter(|_| state.shared.config.mtls_terminals)
                .map(|(certificate, source)| (certificate.to_owned(), source.to_owned())),
            address: real_ip.unwrap_or(peer.ip()).to_canonical().to_string(),
        }
    }

    /// Returns whether the proxy asks which node the handshake belongs to. If not, the handshake belongs to this node.
    pub fn asks(&self) -> bool {
        self.asks
    }

    /// Returns whether the proxy asks, and is to be told first that the node will refuse the handshake.
    pub fn limits_refused(&self) -> bool {
        self.asks && self.limits_refused
    }
}

fn is_trusted(peer: IpAddr, state: &HttpState) -> bool {
    lies_in(peer, &state.shared.config.trusted_proxy)
}

/// `/proxy`: answers with what the proxy that asks must know about this node.
pub fn terms(peer: SocketAddr, state: &HttpState) -> Response<Body> {
    let config = &state.shared.config;
    let terms = ProxyTerms {
        trusted: is_trusted(peer.ip(), state),
        address: peer.ip().to_canonical(),
        ws_path: config.ws_path.clone(),
        max_body: config.max_body as u64,
        ping_ms: config.ping.as_millis() as u64,
    };
    json(StatusCode::OK, &terms)
}

/// Returns whether a proxy asks by these headers which node a handshake belongs to.
pub fn asks(headers: &HeaderMap) -> bool {
    header(headers, EDGE).is_some() && header(headers, REROUTE).is_none()
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().filter(|value| !value.is_empty())
}

/// Tells the proxy which node a handshake belongs to, also if that is this node. The proxy waits only a short time for
/// this answer, and much longer for a silent session. So the proxy notices a node that hangs before it gives that node
/// a session.
pub async fn place(state: &HttpState, terminal: &TerminalId, hop: &ProxyHop) -> Answer {
    // A sender that is not trusted must not learn another node's address.
    if !hop.trusted {
        return Ok(redirect(state.me.address));
    }
    let hub = &state.shared.hub;
    let lifecycle = &state.shared.lifecycle;
    let leaving = lifecycle.state() == NodeState::Leaving || lifecycle.shortages.refuse_sessions().is_some();
    let me = Candidate { sessions: hub.len() as u64, leaving, ..state.me };
    let chosen = placement::choose(state.shared.config.placement, terminal, &me, &state.peers.candidates());
    let Some(other) = chosen else { return Ok(redirect(me.address)) };
    // The handshake is counted before the peer is asked. Otherwise all handshakes that arrive meanwhile would go to
    // this peer too.
    state.peers.sent_to(other);
    if !state.peers.answers(other).await {
        return Ok(redirect(me.address));
    }
    state.shared.metrics.placed_elsewhere.inc();
    Ok(redirect(other))
}

/// Tells the proxy that this node will refuse the handshake. The proxy sends the handshake here again for the refusal,
/// unless the client's address has had too many refusals lately.
pub fn refuse(state: &HttpState) -> Response<Body> {
    redirect_to("_refused", state.me.address)
}

fn redirect(address: SocketAddr) -> Response<Body> {
    redirect_to("_node", address)
}

fn redirect_to(location: &str, address: SocketAddr) -> Response<Body> {
    let mut response = Response::new(body(""));
    let target = format!("/{location}/{address}").parse().expect("an address is a header value");
    response.headers_mut().insert("x-accel-redirect", target);
    response
}

//! What the proxy says of a handshake, by headers that it sets itself and never passes on from a client. Believed from trusted
//! proxies alone.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use hyper::{HeaderMap, Request, Response, body::Incoming};
use muster_protocol::{TerminalId, address::forms, api::NodeState};

use super::{
    Front,
    answer::{Answer, Body, body},
};
use crate::placement::Candidate;

/// The worker that a handshake came through, as `HOST/PID/GENERATION`: only a proxy that can follow a redirect sends it.
const EDGE: &str = "x-edge";
/// Set once a handshake was placed: whoever gets it takes it or refuses it.
const REROUTE: &str = "x-reroute";
/// Longer than any edge of ours.
const EDGE_MAX: usize = 128;

/// How a request came here.
pub struct Via {
    /// The proxy's worker, if it came through one.
    pub edge: Option<Arc<str>>,
    trusted: bool,
    asks: bool,
    /// Who it is from.
    pub address: String,
}

impl Via {
    /// From the headers, if `peer` may set them.
    pub fn of(request: &Request<Incoming>, peer: SocketAddr, front: &Front) -> Self {
        let forms = forms(peer.ip());
        let trusted = front.shared.config.trusted_proxy.iter().any(|net| forms.iter().any(|ip| net.contains(ip)));
        let sent = |name| header(request.headers(), name);
        if !trusted && sent(EDGE).is_some() {
            front.untrusted.warn(peer.ip());
        }
        let said = |name| sent(name).filter(|_| trusted);
        let real_ip = said("x-real-ip").and_then(|ip| ip.parse::<IpAddr>().ok());
        Self {
            edge: said(EDGE).filter(|edge| edge.len() <= EDGE_MAX).map(Into::into),
            trusted,
            asks: sent(EDGE).is_some() && sent(REROUTE).is_none(),
            address: real_ip.unwrap_or(peer.ip()).to_canonical().to_string(),
        }
    }

    /// Whether the proxy asks where this handshake belongs; otherwise it belongs here. A proxy that is not trusted is answered
    /// too: it allows the first step 2 s only, and would cut off a session that began there.
    pub fn asks(&self) -> bool {
        self.asks
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().filter(|value| !value.is_empty())
}

/// Tells the proxy where a handshake belongs, also if that is here: the proxy waits for this answer for a short time only, and
/// for a session's silence much longer, so a node that hangs is found out before a session is entrusted to it.
pub async fn place(front: &Front, terminal: &TerminalId, via: &Via) -> Answer {
    // No other node's address is told to whoever is not trusted.
    if !via.trusted {
        return Ok(redirect(front.me.address));
    }
    let hub = &front.shared.hub;
    let leaving = hub.standing.state() == NodeState::Leaving;
    let me = Candidate { sessions: hub.len() as u64, leaving, ..front.me };
    let chosen = front.shared.config.placement.choose(terminal, &me, &front.peers.candidates());
    let Some(other) = chosen else { return Ok(redirect(me.address)) };
    // Counted before it is asked, or all that come meanwhile would go there too.
    front.peers.sent_to(other);
    if !front.peers.answers(other).await {
        return Ok(redirect(me.address));
    }
    front.shared.metrics.placed_elsewhere.inc();
    Ok(redirect(other))
}

fn redirect(address: SocketAddr) -> Response<Body> {
    let mut response = Response::new(body(""));
    let target = format!("/_node/{address}").parse().expect("an address is a header value");
    response.headers_mut().insert("x-accel-redirect", target);
    response
}

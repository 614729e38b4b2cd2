//! HTTP and the WebSocket handshake on one port.
//!
//! ```text
//!   route ──▶ handshake ──▶ proxy_hop (what the proxy says)
//!     │
//!     ├─────▶ commands (direct without the store), list, targets, terminals, fleet, nodes, events, health
//!     │
//!   request (reads what was sent)      answer (what is sent back)
//! ```

// A refusal is an answer and is made once for a request, so its size does not matter.
#![allow(clippy::result_large_err)]

mod answer;
mod command_bounds;
mod commands;
mod direct;
mod events;
mod fleet;
mod handshake;
mod health;
mod list;
mod nodes;
mod path;
mod proxy_hop;
mod request;
mod route;
mod targets;
mod terminals;
mod untrusted;

use std::{
    convert::Infallible,
    net::SocketAddr,
    os::fd::{AsRawFd, RawFd},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use muster_protocol::address::canonical;
use tokio::{
    net::{TcpListener, TcpStream},
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{events::EventStreams, untrusted::UntrustedProxies};
use crate::{
    cluster::{Admission, Candidate, Peers},
    shard::Shared,
};

/// The largest head of a request, in bytes: eight times what a browser sends.
const HEAD_MAX: usize = 16 * 1024;
/// The pause after a failed accept. Most often no file descriptor is free, and one becomes free soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a request that is under way may still take when the node stops. A stream of events never ends by itself.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// What the handlers need.
pub struct HttpState {
    /// What all sessions of the node share.
    pub shared: Arc<Shared>,
    /// How many handshakes the node takes.
    pub admission: Admission,
    /// The other nodes.
    pub peers: Arc<Peers>,
    /// This node as a candidate for a handshake. Its session count is not filled in.
    pub me: Candidate,
    /// Proxies that a warning was logged for.
    pub untrusted: UntrustedProxies,
    /// The streams of events.
    pub events: EventStreams,
}

/// The connection that a request came on.
#[derive(Debug, Clone)]
pub struct Requester {
    /// The other end of the connection: the terminal, the operator, or the proxy.
    pub peer: SocketAddr,
    /// The file descriptor of the connection.
    pub descriptor: RawFd,
    /// Closes the connection when it is cancelled, whatever is still to be sent.
    pub close: CancellationToken,
}

/// Accepts connections until `stop` is cancelled; then waits for the requests under way. The accept loop never waits
/// for a peer.
pub async fn serve(listener: TcpListener, state: Arc<HttpState>, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let (following, closing) = (state.clone(), stop.clone());
    connections.spawn(async move {
        let following = following.events.run(&*following.shared.backplane);
        tokio::select! {
            () = closing.cancelled() => {}
            () = following => {}
        }
    });
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(connection(stream, peer, state.clone(), stop.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

async fn connection(stream: TcpStream, peer: SocketAddr, state: Arc<HttpState>, stop: CancellationToken) {
    // A command is small and must leave at once.
    let _ = stream.set_nodelay(true);
    let peer = canonical(peer);
    let requester = Requester { peer, descriptor: stream.as_raw_fd(), close: CancellationToken::new() };
    let close = requester.close.clone();
    let header_timeout = state.shared.config.header_timeout;
    let service = service_fn(|request| {
        let (state, requester) = (state.clone(), requester.clone());
        async move { Ok::<_, Infallible>(route::answer(request, requester, state).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut served = pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => Some(ended),
        () = close.cancelled() => None,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            time::timeout(LAST_ANSWER, served).await.ok()
        }
    };
    if let Some(Err(error)) = ended {
        tracing::debug!(%peer, %error, "a connection ended badly");
    }
}

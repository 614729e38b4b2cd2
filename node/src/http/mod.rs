//! HTTP and the WebSocket handshake on one port. [`serve`] accepts; [`route`] decides by method and path; what is no handshake is
//! answered by [`commands`] ([`direct`] for one that can do without the store), [`targets`], [`terminals`], [`nodes`], [`events`] or
//! [`health`]; [`path`] and [`request`] read what was sent, [`via`] what the proxy says of a handshake ([`untrusted`] if it may not), and every refusal is a problem
//! ([`answer`]).

// A refusal is an answer, made once for a request: its size does not matter.
#![allow(clippy::result_large_err)]

mod answer;
mod commands;
mod direct;
mod events;
mod handshake;
mod health;
mod nodes;
mod path;
mod request;
mod route;
mod targets;
mod terminals;
mod untrusted;
mod via;

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

pub use self::untrusted::UntrustedProxies;
use crate::{admission::Admission, auth::Auth, peers::Peers, placement::Candidate, shard::Shared};

/// A request's head fits in this: eight times what a browser sends.
const HEAD_MAX: usize = 16 * 1024;
/// After a failed accept, mostly for want of descriptors: time for some to become free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What a request under way may still take when the node stops; a stream of events never ends by itself.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// What requests are answered with.
pub struct Front {
    /// Who is let in.
    pub auth: Auth,
    /// The node.
    pub shared: Arc<Shared>,
    /// Which handshakes it takes.
    pub admission: Admission,
    /// The other nodes.
    pub peers: Arc<Peers>,
    /// This one among them, its sessions not counted.
    pub me: Candidate,
    /// Proxies that a warning was logged for.
    pub untrusted: UntrustedProxies,
}

/// Whose request it is.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// The other end of the connection: the terminal, the operator, or the proxy.
    pub peer: SocketAddr,
    /// The connection's descriptor.
    pub descriptor: RawFd,
}

/// Accepts until told to stop; then waits for the requests under way. Never waits for a peer in the accept loop.
pub async fn serve(listener: TcpListener, front: Arc<Front>, stop: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(connection(stream, peer, front.clone(), stop.clone()));
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

async fn connection(stream: TcpStream, peer: SocketAddr, front: Arc<Front>, stop: CancellationToken) {
    // A command is small and should leave at once.
    let _ = stream.set_nodelay(true);
    let peer = canonical(peer);
    let caller = Caller { peer, descriptor: stream.as_raw_fd() };
    let header_timeout = front.shared.config.header_timeout;
    let service = service_fn(|request| {
        let front = front.clone();
        async move { Ok::<_, Infallible>(route::answer(request, caller, front).await) }
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
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            time::timeout(LAST_ANSWER, served).await.ok()
        }
    };
    if let Some(Err(error)) = ended {
        tracing::debug!(%peer, %error, "a connection ended badly");
    }
}

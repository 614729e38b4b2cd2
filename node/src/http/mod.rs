//! HTTP and the WebSocket handshake on one port.
//!
//! ```text
//!   connection ──▶ first_read ──┐
//!     │                         ▼
//!   requests ──▶ route ──▶ handshake ──▶ proxy_hop (what the proxy says)
//!                  │
//!     ┌────────────┘
//!   routes (the table of calls) ──▶ openapi (makes the document of the API), api_document (serves it)
//!     │
//!     ├─────▶ commands (direct without the store), retry, list, targets, cells, rollouts, terminals, fleet, nodes,
//!     │       proxies, events, revocations, keys, notices, audit, health, console
//!     │
//!   request, strict, request_id (what was sent)    call, reach (who sent it, for whom)    answer (what is sent back)
//! ```

// A refusal is an answer, and a request has one answer, so the size of a refusal does not matter.
#![allow(clippy::result_large_err)]

mod answer;
mod answer_limit;
mod api_document;
mod audit;
mod call;
mod cells;
mod command_bounds;
mod commands;
mod connection;
mod console;
mod direct;
mod enrol;
mod etag;
mod events;
mod first_read;
mod fleet;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod handshake;
mod health;
mod keys;
mod list;
mod nodes;
mod notices;
mod open_connections;
pub mod openapi;
mod origin;
mod path;
mod proxies;
mod proxy_hop;
mod reach;
mod refused;
mod renew;
mod request;
mod request_id;
mod requests;
mod retry;
mod revocations;
mod rollouts;
mod route;
mod routes;
mod saved_selectors;
mod sign_in;
mod strict;
mod targets;
mod terminals;
mod ticket;
mod untrusted;

use std::{
    os::fd::{AsRawFd, RawFd},
    panic::AssertUnwindSafe,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, future::join_all};
use muster_net::accept::{AcceptedConnection, Acceptor};
use tokio::{net::TcpListener, time};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::requests::Requester;
pub use self::{
    api_document::ApiDocument, audit::AuditQueue, enrol::wrong_codes, events::EventStreams, health::readiness,
    open_connections::OpenConnections, refused::RefusedHandshakes, untrusted::UntrustedProxies,
};
use crate::{
    cluster::{Admission, Candidate, HandshakeRates, KeyedBudgets, Peers},
    notices::NoticeSender,
    shard::Shared,
};

/// The pause after a failed accept. Accepting mostly fails because no file descriptor is free, and a descriptor becomes
/// free soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a connection that has the last file descriptor may last. A probe needs less, and the next connection waits
/// for the descriptor.
const LAST_DESCRIPTOR: Duration = Duration::from_millis(500);

/// What the handlers need.
pub struct HttpState {
    /// What all sessions of the node share.
    pub shared: Arc<Shared>,
    /// How many handshakes the node takes.
    pub admission: Admission,
    /// How many handshakes the node takes from one terminal, and how many it refuses to one address.
    pub rates: HandshakeRates,
    /// The connections that are neither sessions nor streams.
    pub connections: Arc<OpenConnections>,
    /// Refused handshakes, as operators see them.
    pub refused: RefusedHandshakes,
    /// The other nodes.
    pub peers: Arc<Peers>,
    /// This node as a candidate for a handshake. Its session count is not filled in.
    pub me: Candidate,
    /// Proxies that a warning was logged for.
    pub untrusted: UntrustedProxies,
    /// The streams of events.
    pub events: EventStreams,
    /// The budget of wrong codes of each address.
    pub wrong_codes: KeyedBudgets,
    /// Audit records on their way into the store.
    pub audit: AuditQueue,
    /// Posts the messages by which operators try notices.
    pub notices: Arc<NoticeSender>,
    /// The document of the API.
    pub document: ApiDocument,
}

/// Accepts connections until `stop` is cancelled; then waits for the requests under way, and writes the last audit
/// records. The accept loop never waits for a peer, except a peer that has the last file descriptor.
pub async fn serve(listeners: Vec<TcpListener>, state: Arc<HttpState>, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let (following, closing) = (state.clone(), stop.clone());
    connections.spawn(async move {
        let following = following.events.run(&*following.shared.backplane);
        tokio::select! {
            () = closing.cancelled() => {}
            () = following => {}
        }
    });
    let (writing, closing) = (state.clone(), stop.clone());
    connections.spawn(async move {
        let writing = writing.audit.run(&*writing.shared.backplane, writing.shared.config.audit.audit_bytes);
        tokio::select! {
            () = closing.cancelled() => {}
            () = writing => {}
        }
    });
    join_all(listeners.into_iter().map(|listener| accept(listener, &connections, &state, &stop))).await;
    connections.close();
    connections.wait().await;
    let Shared { backplane, config, .. } = &*state.shared;
    if let Err(error) = state.audit.write_all(&**backplane, config.audit.audit_bytes).await {
        tracing::warn!(%error, "the last audit records are lost");
    }
}

async fn accept(listener: TcpListener, connections: &TaskTracker, state: &Arc<HttpState>, stop: &CancellationToken) {
    let (mut acceptor, mut failed) = (Acceptor::new(listener), false);
    let mut stopped = pin!(stop.cancelled());
    loop {
        let accepted = tokio::select! {
            () = &mut stopped => return,
            accepted = acceptor.accept() => accepted,
        };
        let has_failed = accepted.is_err();
        match accepted {
            Ok(AcceptedConnection { stream, peer, is_last: false }) => {
                let descriptor = stream.as_raw_fd();
                begin(connection::serve(stream, peer, descriptor, state.clone(), stop.clone()), connections);
            }
            Ok(AcceptedConnection { stream, peer, is_last: true }) => {
                // All descriptors are in use, whatever number this one has.
                let served = connection::serve(stream, peer, RawFd::MAX, state.clone(), stop.clone());
                let _ = time::timeout(LAST_DESCRIPTOR, served).await;
            }
            Err(error) => {
                if !failed {
                    tracing::warn!(%error, "accept failed, and is tried again");
                }
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
        failed = has_failed;
    }
}

/// Serves a connection. Spawns a task for it only if it has to wait for something; most handshakes do not wait. A panic
/// ends only this connection.
fn begin(served: impl Future<Output = ()> + Send + 'static, connections: &TaskTracker) {
    let mut served = Box::pin(AssertUnwindSafe(served).catch_unwind());
    if (&mut served).now_or_never().is_none() {
        connections.spawn(served);
    }
}

//! One connection, from its first bytes to its end. The node decides about a handshake that comes in one piece at once;
//! if it accepts the handshake, the connection becomes a session's. On every other connection hyper reads the requests,
//! from the first byte on, and answers them, also a handshake that is refused.

use std::{net::SocketAddr, os::fd::RawFd, pin::pin, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use hyper::{Request, Response};
use muster_protocol::address::canonical;
use rustix::{
    io::Errno,
    net::{SendFlags, send},
};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

use super::{
    HttpState,
    answer::Body,
    first_read::{self, FirstHandshake, FirstRead},
    handshake::{self, AcceptedHandshake, Decision},
    requests::{self, FirstBytes, Requester},
};

/// Serves a connection until it has ended or a shard has taken it. `descriptor` is its number, which tells about how
/// many descriptors are in use.
pub async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    descriptor: RawFd,
    state: Arc<HttpState>,
    stop: CancellationToken,
) {
    let (peer, config) = (canonical(peer), &state.shared.config);
    let mut requester = None;
    let mut first = first_read::take(&stream, &config.ws_path);
    let head_by = Instant::now() + config.header_timeout;
    if let FirstRead::Nothing = first {
        // If no other connection can give way because all are at work, this connection is closed.
        let Some(waiting) = Requester::new(peer, descriptor, &state) else { return };
        first = tokio::select! {
            first = first_read::wait(&stream, &config.ws_path, head_by) => first,
            () = waiting.close.cancelled() => return,
            () = stop.cancelled() => return,
        };
        requester = Some(waiting);
    }
    let first = match first {
        FirstRead::Nothing | FirstRead::End => return,
        FirstRead::Part(bytes) | FirstRead::Other(bytes) => FirstBytes { bytes, decided: None, head_by },
        FirstRead::Handshake(first) => {
            let FirstHandshake { request, bytes, length } = *first;
            let decided = match decide(&request, peer, descriptor, &state, &mut requester).await {
                None => return,
                Some(Ok(Decision::Accepted(accepted))) => {
                    return become_session(stream, bytes.slice(length..), *accepted, &state).await;
                }
                Some(Ok(Decision::Placed(answer))) => Some(Ok(answer)),
                Some(Err(refusal)) => Some(Err(refusal)),
            };
            FirstBytes { bytes, decided, head_by }
        }
    };
    let Some(requester) = requester.or_else(|| Requester::new(peer, descriptor, &state)) else { return };
    // Boxed, so that the task of a handshake that does not come here reserves no memory for it.
    let served = Box::pin(requests::serve(stream, first, requester, state.clone(), stop));
    if let Some((accepted, stream, read)) = served.await {
        become_session(stream, read, *accepted, &state).await;
    }
}

/// Decides about a handshake that came in one piece. If the decision has to wait for the store, the connection counts
/// as open meanwhile. None if too many connections are open.
async fn decide(
    request: &Request<()>,
    peer: SocketAddr,
    descriptor: RawFd,
    state: &HttpState,
    requester: &mut Option<Requester>,
) -> Option<Result<Decision, Response<Body>>> {
    let mut decision = pin!(handshake::decide(request, peer, descriptor, state));
    if let Some(decision) = decision.as_mut().now_or_never() {
        return Some(decision);
    }
    let waiting = requester.take().or_else(|| Requester::new(peer, descriptor, state))?;
    waiting.begin();
    let decision = decision.await;
    *requester = Some(waiting);
    Some(decision)
}

/// Sends the answer 101 and gives the connection to a shard.
///
/// hyper does not send this answer, because it adds `close` to `Connection: Upgrade` if the request had `Connection:
/// close, Upgrade`. Answers to earlier requests are sent by now, unless the client pipelined requests and did not read.
async fn become_session(mut stream: TcpStream, read: Bytes, accepted: AcceptedHandshake, state: &HttpState) {
    let answer = accepted.answer();
    // Writes without the runtime, which would first wait for the system: the send buffer of a new connection takes the
    // whole answer.
    let sent = match send(&stream, &answer, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
        Ok(sent) => sent,
        Err(Errno::AGAIN) => 0,
        Err(_) => return,
    };
    if sent < answer.len() {
        let rest = stream.write_all(&answer[sent..]);
        let Ok(Ok(())) = time::timeout(state.shared.config.header_timeout, rest).await else { return };
    }
    if let Ok(stream) = stream.into_std() {
        // The connection closes if no shard answers.
        state.shared.shards.adopt(accepted.upgraded(stream, read)).await;
    }
}

//! One connection: its requests, until it closes or a handshake is accepted. Then the connection becomes a session's.

use std::{
    convert::Infallible,
    future,
    net::SocketAddr,
    os::fd::{AsRawFd, RawFd},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    Request,
    body::Incoming,
    rt::{Read, Write},
    server::conn::http1::{self, Connection, Parts},
    service::{HttpService, service_fn},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use muster_protocol::address::canonical;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};
use tokio_util::sync::CancellationToken;

use super::{HttpState, answer::Body, handshake::AcceptedHandshake, route};

/// The largest head of a request, in bytes: eight times what a browser sends.
const HEAD_MAX: usize = 16 * 1024;
/// How long a request that is under way may still take when the node stops. A stream of events never ends by itself.
const LAST_ANSWER: Duration = Duration::from_secs(1);
/// How long, and how many bytes, a peer may still send after the last answer. The kernel answers bytes that nobody reads with a
/// reset, which can overtake the answer: the peer would not learn why it was refused. A session that ends discards as much.
const DISCARD_TIME: Duration = Duration::from_secs(2);
const DISCARD_BYTES: usize = 16 << 20;

/// The connection that a request came on.
#[derive(Debug, Clone)]
pub struct Requester {
    /// The other end of the connection: the terminal, the operator, or the proxy.
    pub peer: SocketAddr,
    /// The file descriptor of the connection.
    pub descriptor: RawFd,
    /// Closes the connection when it is cancelled, whatever is still to be sent.
    pub close: CancellationToken,
    accepted: Arc<Mutex<Option<Box<AcceptedHandshake>>>>,
}

impl Requester {
    /// Gives the connection to a session. Never returns: the connection's task takes the socket, and drops the request.
    pub async fn give_to_session(&self, handshake: Box<AcceptedHandshake>) -> ! {
        *self.accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(handshake);
        future::pending().await
    }

    fn take_accepted(&self) -> Option<Box<AcceptedHandshake>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Serves a connection until it has ended, or a shard has it.
pub async fn serve(stream: TcpStream, peer: SocketAddr, state: Arc<HttpState>, stop: CancellationToken) {
    // A command is small and must leave at once.
    let _ = stream.set_nodelay(true);
    let requester = Requester {
        peer: canonical(peer),
        descriptor: stream.as_raw_fd(),
        close: CancellationToken::new(),
        accepted: Arc::default(),
    };
    let service = service_fn(|request: Request<Incoming>| {
        let (state, requester) = (state.clone(), requester.clone());
        async move { Ok::<_, Infallible>(route::answer(request, requester, state).await) }
    });
    let mut served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(state.shared.config.header_timeout)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let accepted = tokio::select! {
        accepted = requests(&mut served, &requester) => accepted,
        () = requester.close.cancelled() => return,
        () = stop.cancelled() => {
            Pin::new(&mut served).graceful_shutdown();
            match time::timeout(LAST_ANSWER, requests(&mut served, &requester)).await {
                Ok(accepted) => accepted,
                Err(_) => return,
            }
        }
    };
    let Parts { io, read_buf, .. } = served.into_parts();
    match accepted {
        Some(accepted) => become_session(io.into_inner(), read_buf, *accepted, &state).await,
        None => discard(io.into_inner()).await,
    }
}

/// Answers requests. Returns the handshake that was accepted, or none when the connection is to be closed.
async fn requests<I, S>(served: &mut Connection<I, S>, requester: &Requester) -> Option<Box<AcceptedHandshake>>
where
    I: Read + Write + Unpin,
    S: HttpService<Incoming, ResBody = Body>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    future::poll_fn(|context| match Pin::new(&mut *served).poll(context) {
        Poll::Ready(ended) => {
            if let Err(error) = ended {
                tracing::debug!(peer = %requester.peer, %error, "a connection ended badly");
            }
            Poll::Ready(None)
        }
        // The handshake's request was polled just now, if there is one.
        Poll::Pending => requester.take_accepted().map_or(Poll::Pending, |accepted| Poll::Ready(Some(accepted))),
    })
    .await
}

/// Sends the answer 101 and gives the connection to a shard.
///
/// The answer is not sent by hyper, which adds `close` to its `Connection: Upgrade` if the request had `Connection: close, Upgrade`.
/// Answers to earlier requests are sent by then, unless the client pipelined requests and did not read.
async fn become_session(mut stream: TcpStream, read: Bytes, accepted: AcceptedHandshake, state: &HttpState) {
    let sent = time::timeout(state.shared.config.header_timeout, stream.write_all(&accepted.answer())).await;
    if let (Ok(Ok(())), Ok(stream)) = (sent, stream.into_std()) {
        // A shard that has stopped takes no sessions: the connection closes.
        state.shared.shards.adopt(accepted.upgraded(stream, read)).await;
    }
}

/// Reads what still comes until the peer closes, for a bounded time and number of bytes.
async fn discard(mut stream: TcpStream) {
    let rest = async {
        let (mut buffer, mut count) = ([0; 4096], 0);
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            count += read;
            if count > DISCARD_BYTES {
                break;
            }
        }
    };
    let _ = time::timeout(DISCARD_TIME, rest).await;
}

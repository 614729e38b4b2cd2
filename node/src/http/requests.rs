//! The requests of one connection, as hyper reads them, until the connection closes or a handshake is accepted.

use std::{
    convert::Infallible,
    future,
    net::SocketAddr,
    os::fd::RawFd,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
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
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

use super::{
    HttpState,
    answer::{Answer, Body},
    answer_limit::LimitedStream,
    handshake::AcceptedHandshake,
    open_connections::OpenConnection,
    route,
};

/// The largest head of a request, in bytes: eight times what a browser sends. hyper answers a larger head with 431.
const HEAD_MAX: usize = 16 * 1024;
/// How long a request that is under way may still take when the node stops. There must be a bound, because an event
/// stream never ends by itself.
const LAST_ANSWER: Duration = Duration::from_secs(1);
/// How long a peer may still send after the last answer, and how many bytes. The node reads them because the kernel
/// answers unread bytes with a reset. The reset can overtake the answer, and the peer would not learn why it was
/// refused. A session that ends discards as much.
const DISCARD_TIME: Duration = Duration::from_secs(2);
const DISCARD_BYTES: usize = 16 << 20;

/// The connection that a request came on.
#[derive(Debug, Clone)]
pub struct Requester {
    /// The other end of the connection: the terminal, the operator, or the proxy.
    pub peer: SocketAddr,
    /// The file descriptor of the connection.
    pub descriptor: RawFd,
    /// Cancelled to close the connection at once, whatever is still to be sent.
    pub close: CancellationToken,
    accepted: Arc<Mutex<Option<Box<AcceptedHandshake>>>>,
    decided: Arc<Mutex<Option<Answer>>>,
    open: Arc<OpenConnection>,
    is_stream: Arc<AtomicBool>,
}

/// What the node has read from a connection before it gives the connection to hyper.
#[derive(Debug)]
pub struct FirstBytes {
    /// The bytes.
    pub bytes: Bytes,
    /// The answer to the first request, if the request is a handshake that the node has decided about.
    pub decided: Option<Answer>,
    /// By when the whole first head must have come. If not, the connection is closed. Each further head has the limit
    /// for itself.
    pub head_by: Instant,
}

impl Requester {
    /// Returns the requester on a new connection, which counts as open from now on. None if there are too many
    /// connections and no connection is idle.
    pub fn new(peer: SocketAddr, descriptor: RawFd, state: &HttpState) -> Option<Self> {
        let close = CancellationToken::new();
        let open = Arc::new(state.connections.open(close.clone())?);
        let (accepted, decided, is_stream) = Default::default();
        Some(Self { peer, descriptor, close, accepted, decided, open, is_stream })
    }

    /// Records that a request is being handled, so that the connection is not closed for another.
    pub fn begin(&self) {
        self.open.begin();
    }

    /// Records that the answer is an event stream, which has bounds of its own. The connection must close after the
    /// stream.
    pub fn begin_stream(&self) {
        self.is_stream.store(true, Ordering::Relaxed);
        self.open.leave();
    }

    /// Gives the connection to a session. Never returns: the connection's task takes the socket, and drops the request.
    pub async fn give_to_session(&self, handshake: Box<AcceptedHandshake>) -> ! {
        self.open.leave();
        *self.accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(handshake);
        future::pending().await
    }

    /// Takes the answer to the first request, if the node has decided about it already. Returns none for every further
    /// request.
    pub fn take_decided(&self) -> Option<Answer> {
        self.decided.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn take_accepted(&self) -> Option<Box<AcceptedHandshake>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Serves the requests of a connection until the connection has ended or a handshake is accepted. Returns the accepted
/// handshake, the connection, and what was read beyond the handshake; none if the connection has ended.
pub async fn serve(
    stream: TcpStream,
    first: FirstBytes,
    requester: Requester,
    state: Arc<HttpState>,
    stop: CancellationToken,
) -> Option<(Box<AcceptedHandshake>, TcpStream, Bytes)> {
    let FirstBytes { bytes, decided, head_by } = first;
    *requester.decided.lock().unwrap_or_else(PoisonError::into_inner) = decided;
    let config = &state.shared.config;
    let stream = LimitedStream::new(stream, bytes, config.answer_timeout, requester.is_stream.clone());
    let service = service_fn(|request: Request<Incoming>| {
        let (state, requester) = (state.clone(), requester.clone());
        async move {
            let open = requester.open.clone();
            open.begin();
            let answer = route::answer(request, requester, state).await;
            open.end();
            Ok::<_, Infallible>(answer)
        }
    });
    let mut served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        // Both bounds are needed. Only the bound of the buffer holds for a head that is not whole yet, and the buffer
        // may hold more than a head if a request follows another.
        .max_header_size(HEAD_MAX)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let ended = tokio::select! {
        ended = requests(&mut served, &requester) => ended,
        () = first_head_late(head_by, &requester) => return None,
        () = requester.close.cancelled() => return None,
        () = stop.cancelled() => {
            Pin::new(&mut served).graceful_shutdown();
            time::timeout(LAST_ANSWER, requests(&mut served, &requester)).await.ok()?
        }
    };
    let Parts { io, read_buf, .. } = served.into_parts();
    let stream = io.into_inner().into_inner();
    match ended {
        Ended::Accepted(accepted) => return Some((accepted, stream, read_buf)),
        Ended::Answered => discard(stream).await,
        Ended::Broken => {}
    }
    None
}

/// Waits until `head_by`, and returns if the first head is late. Never returns if the whole head has come by then.
async fn first_head_late(head_by: Instant, requester: &Requester) {
    time::sleep_until(head_by).await;
    if requester.open.has_begun() {
        future::pending().await
    }
}

/// How the requests of a connection end.
enum Ended {
    /// A handshake was accepted.
    Accepted(Box<AcceptedHandshake>),
    /// The last answer was sent.
    Answered,
    /// The peer has gone or does not read, so nothing can be sent to it.
    Broken,
}

/// Answers requests until a handshake is accepted or the connection is to be closed.
async fn requests<I, S>(served: &mut Connection<I, S>, requester: &Requester) -> Ended
where
    I: Read + Write + Unpin,
    S: HttpService<Incoming, ResBody = Body>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    future::poll_fn(|context| match Pin::new(&mut *served).poll(context) {
        Poll::Ready(Ok(())) => Poll::Ready(Ended::Answered),
        Poll::Ready(Err(error)) => {
            tracing::debug!(peer = %requester.peer, %error, "a connection ended badly");
            // hyper has answered a request that it could not parse.
            Poll::Ready(if error.is_parse() { Ended::Answered } else { Ended::Broken })
        }
        // The handshake's request was polled just now, if there is one.
        Poll::Pending => {
            requester.take_accepted().map_or(Poll::Pending, |accepted| Poll::Ready(Ended::Accepted(accepted)))
        }
    })
    .await
}

/// Closes the node's side, and reads what still comes until the peer closes too, for a bounded time and number of
/// bytes.
async fn discard(mut stream: TcpStream) {
    // hyper has shut down already, unless it could not parse the request.
    let _ = stream.shutdown().await;
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

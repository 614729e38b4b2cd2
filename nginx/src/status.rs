//! Serves `/metrics` for Prometheus and `/state` as JSON at `--status`. Many connections are served at once, so that
//! one that says nothing holds up no other.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode, body::Bytes, body::Incoming, header, server::conn::http1, service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use muster_net::accept::{AcceptedConnection, Acceptor};
use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
    time,
};

use crate::{metrics::Metrics, state::SidecarState};

/// How many connections are served at once. One more closes the oldest, which most likely never sent a request: to
/// answer takes milliseconds.
const CONNECTIONS_MAX: usize = 16;
/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(2);
/// How long a connection may take, with its request and the answer. After this time the sidecar closes it.
const CONNECTION: Duration = Duration::from_secs(10);
/// The pause after a failed accept. Most often no file descriptor is free, and accepting again at once would fail again
/// and use a whole core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a connection may take that has the last file descriptor. The next one waits for it.
const LAST_DESCRIPTOR: Duration = Duration::from_millis(500);

/// The state and the metrics, which the loop changes and `/state` and `/metrics` show.
#[derive(Debug, Default)]
pub struct StatusServer {
    state: Mutex<SidecarState>,
    /// The counters.
    pub metrics: Metrics,
}

impl StatusServer {
    /// Changes the state, and sets the gauges to it.
    pub fn update(&self, change: impl FnOnce(&mut SidecarState)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        self.metrics.show(&state);
    }

    /// Counts a change that Nginx learned of by DNS.
    pub fn applied_by_dns(&self, reason: &str, result: &str) {
        self.metrics.applied_by_dns.with_label_values(&[reason, result]).inc();
        self.update(|state| state.applied_by_dns += 1);
    }

    /// Returns the state.
    pub fn state(&self) -> SidecarState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Listens at the address of `--status`.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("--status {address}: can't listen; check that no other process has the port"))
}

/// Answers requests until the process ends.
pub async fn serve(listener: TcpListener, status: Arc<StatusServer>) {
    let (mut acceptor, mut open) = (Acceptor::new(listener), VecDeque::<AbortHandle>::new());
    loop {
        let Ok(AcceptedConnection { stream, is_last, .. }) = acceptor.accept().await else {
            time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if is_last {
            let _ = time::timeout(LAST_DESCRIPTOR, connection(stream, status.clone())).await;
            continue;
        }
        open.retain(|connection| !connection.is_finished());
        if open.len() == CONNECTIONS_MAX
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        open.push_back(tokio::spawn(time::timeout(CONNECTION, connection(stream, status.clone()))).abort_handle());
    }
}

async fn connection(stream: TcpStream, status: Arc<StatusServer>) {
    let service = service_fn(|request| {
        let response = answer(&request, &status);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).keep_alive(false).header_read_timeout(HEAD);
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

fn answer(request: &Request<Incoming>, status: &StatusServer) -> Response<Full<Bytes>> {
    let (code, kind, text) = match request.uri().path() {
        "/metrics" => (StatusCode::OK, "text/plain; version=0.0.4", status.metrics.render()),
        "/state" => {
            let text = serde_json::to_vec(&status.state()).expect("a state is JSON");
            (StatusCode::OK, "application/json", text)
        }
        _ => (StatusCode::NOT_FOUND, "text/plain", b"no such path; there are /metrics and /state\n".to_vec()),
    };
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn server() -> SocketAddr {
        let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Arc::default()));
        address
    }

    async fn silent(address: SocketAddr) -> TcpStream {
        TcpStream::connect(address).await.unwrap()
    }

    async fn state_of(address: SocketAddr) -> String {
        let mut stream = silent(address).await;
        stream.write_all(b"GET /state HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn silent_connections_hold_up_no_answer() {
        let address = server().await;
        let mut silent_ones = Vec::new();
        for _ in 0..20 {
            silent_ones.push(silent(address).await);
        }
        let answer = time::timeout(HEAD / 2, state_of(address)).await.expect("the silent ones do not hold it up");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        // The oldest of them were closed to make room.
        assert_eq!(silent_ones[0].read(&mut [0]).await.unwrap_or(0), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_whatever_it_does() {
        let address = server().await;
        let mut slow = silent(address).await;
        let began = time::Instant::now();
        slow.write_all(b"GET /state HTTP/1.1\r\n").await.unwrap();
        assert_eq!(slow.read(&mut [0]).await.unwrap_or(0), 0);
        assert!(began.elapsed() <= CONNECTION);
    }
}

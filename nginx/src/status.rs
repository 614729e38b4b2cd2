//! Serves `/metrics` for Prometheus and `/state` as JSON at `--status`.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode, body::Bytes, body::Incoming, header, server::conn::http1, service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::{metrics::Metrics, state::SidecarState};

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

    fn state(&self) -> SidecarState {
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
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let status = status.clone();
        let service = service_fn(move |request| {
            let response = answer(&request, &status);
            async move { Ok::<_, Infallible>(response) }
        });
        // One connection at a time is enough for a scrape each second.
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).keep_alive(false).header_read_timeout(std::time::Duration::from_secs(2));
        let _ = http.serve_connection(TokioIo::new(stream), service).await;
    }
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

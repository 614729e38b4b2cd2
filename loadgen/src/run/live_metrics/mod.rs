//! Serves the metrics of a run while it lasts (`--live-metrics`), at `/metrics`, in Prometheus's text format. Whoever
//! asks can neither lengthen the run nor use up its memory: few connections are served at once, each for a short time.

mod gauges;
mod page;

use std::{convert::Infallible, sync::Arc, time::Duration};

use anyhow::Context;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::CONTENT_TYPE,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

pub use self::gauges::RunGauges;
use crate::{config::Config, console::note};

/// How many connections are served at once. Further ones wait in the kernel's queue.
const CONNECTIONS: usize = 4;
/// How long a connection may take, from its first packet to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much of a request is read, in bytes. A longer request is refused.
const HEAD: usize = 8 << 10;
/// The pause after a connection that could not be accepted, for example because no file descriptor was left.
const PAUSE: Duration = Duration::from_millis(100);

/// The server of a run's metrics. To drop this ends the server.
pub struct LiveMetrics(JoinHandle<()>);

impl Drop for LiveMetrics {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Binds the address of `--live-metrics`; `None` without the flag. Fails if the address can't be bound.
pub async fn listen(config: &Config) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = config.outputs.live_metrics else { return Ok(None) };
    let listener = TcpListener::bind(address).await.with_context(|| format!("--live-metrics {address}"))?;
    note(format!("live metrics on http://{}/metrics", listener.local_addr()?));
    Ok(Some(listener))
}

/// Serves what `gauges` shows, until the returned value is dropped.
pub fn serve(listener: TcpListener, gauges: RunGauges) -> LiveMetrics {
    LiveMetrics(tokio::spawn(accept(listener, Arc::new(gauges))))
}

async fn accept(listener: TcpListener, gauges: Arc<RunGauges>) {
    let mut served = JoinSet::new();
    loop {
        if served.len() >= CONNECTIONS {
            served.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => drop(served.spawn(timeout(PATIENCE, answer(stream, gauges.clone())))),
            Err(_) => sleep(PAUSE).await,
        }
        while served.try_join_next().is_some() {}
    }
}

/// Answers one request.
async fn answer(stream: TcpStream, gauges: Arc<RunGauges>) {
    let service = service_fn(|request: Request<Incoming>| {
        let response = respond(&request, &gauges);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut http = http1::Builder::new();
    // A peer that breaks off is no error of the run.
    let _ = http.keep_alive(false).max_buf_size(HEAD).serve_connection(TokioIo::new(stream), service).await;
}

fn respond(request: &Request<Incoming>, gauges: &RunGauges) -> Response<Full<Bytes>> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => (StatusCode::OK, page::render(&gauges.look())),
        _ => (StatusCode::NOT_FOUND, "the metrics are at /metrics\n".to_owned()),
    };
    let answer = Response::builder().status(status).header(CONTENT_TYPE, "text/plain; version=0.0.4");
    answer.body(Full::from(text)).expect("a status, a header and a body")
}

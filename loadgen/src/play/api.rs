//! An HTTP/1.1 client for one server with a pool of reused connections. A request never waits for the response to
//! another request: if no pooled connection is idle, a new one is opened. The pool has no limit, because the plan's
//! rate of messages bounds the number of requests.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, anyhow};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode, Uri,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header,
};
use hyper_util::rt::TokioIo;
use muster_net::{ConnectError, Stream, Tls, tcp};
use tokio::time::Instant;

use crate::config::Config;

/// The number of connections that [`Api::warm_up`] opens before the first request.
const WARM: usize = 4;
/// How long it may take to open a connection.
const DEADLINE: Duration = Duration::from_secs(10);

type Sender = SendRequest<Full<Bytes>>;

/// A client for one server.
pub struct Api {
    uri: Uri,
    key: Option<String>,
    /// More headers of each request.
    headers: Vec<(String, String)>,
    /// `None` without TLS.
    tls: Option<Tls>,
    idle: Mutex<Vec<Sender>>,
}

/// Why a request has no response.
#[derive(Debug)]
pub enum RequestError {
    /// The request was not sent: the connection could not be opened or the request could not be built.
    Unsent(anyhow::Error),
    /// The request was sent, and no complete response was received.
    Unanswered(anyhow::Error),
}

impl Api {
    /// Creates a client for `uri`, with the key, the headers and the TLS settings of the run. It opens no connection.
    /// If there is a key, each request carries it as a bearer token. Fails if a file for TLS can't be used.
    pub fn new(uri: &Uri, config: &Config) -> anyhow::Result<Self> {
        let tls = config.fleet.tls.of(uri)?;
        let (key, headers) = (config.key.clone(), config.send.send_header.clone());
        Ok(Self { uri: uri.clone(), key, headers, tls, idle: Mutex::default() })
    }

    /// Creates a client for `uri` without TLS, which shows no key.
    pub fn without_key(uri: Uri) -> Self {
        Self { uri, key: None, headers: Vec::new(), tls: None, idle: Mutex::default() }
    }

    /// Opens a connection, and drops it.
    pub async fn try_connect(&self) -> anyhow::Result<()> {
        self.stream().await.map(drop)
    }

    /// Returns the server's authority (`HOST:PORT`), which names the server in reports.
    pub fn name(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// Sends a POST request to `path` (the URL's own path if empty) and returns the status and the body of the
    /// response. `body` is called once a connection is ready, so that a time in the body is the time of sending. The
    /// method has no timeout of its own.
    pub async fn post(&self, path: &str, body: impl FnOnce() -> String) -> Result<(StatusCode, Bytes), RequestError> {
        let mut sender = self.sender().await.map_err(RequestError::Unsent)?;
        let request = self.request(Method::POST, path, body()).map_err(RequestError::Unsent)?;
        let answer = exchange(&mut sender, request).await.map_err(RequestError::Unanswered)?;
        self.keep(sender);
        Ok(answer)
    }

    /// Sends a GET request to `path` (the URL's own path if empty) and returns the status and the body of the
    /// response. The method has no timeout of its own.
    pub async fn get(&self, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut sender = self.sender().await?;
        let answer = exchange(&mut sender, self.request(Method::GET, path, String::new())?).await?;
        self.keep(sender);
        Ok(answer)
    }

    fn request(&self, method: Method, path: &str, body: String) -> anyhow::Result<Request<Full<Bytes>>> {
        let path = if path.is_empty() { self.uri.path_and_query().map_or("/", |path| path.as_str()) } else { path };
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, self.name());
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        for (name, value) in &self.headers {
            request = request.header(name.as_str(), value.as_str());
        }
        Ok(request.body(Full::new(Bytes::from(body)))?)
    }

    /// Opens a few connections before they are needed, so that the first requests are not delayed by a TCP
    /// handshake. Failures are ignored: the first request reports a server that can't be reached.
    pub async fn warm_up(&self) {
        for _ in 0..WARM {
            if let Ok(sender) = self.connect().await {
                self.keep(sender);
            }
        }
    }

    async fn sender(&self) -> anyhow::Result<Sender> {
        while let Some(sender) = self.take() {
            if !sender.is_closed() && sender.is_ready() {
                return Ok(sender);
            }
        }
        self.connect().await
    }

    async fn connect(&self) -> anyhow::Result<Sender> {
        let (sender, connection) = http1::handshake(TokioIo::new(self.stream().await?)).await?;
        // The task ends when the sender is dropped or the server closes the connection.
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn stream(&self) -> anyhow::Result<Stream> {
        let host = self.uri.host().context("the URL names no host")?.trim_matches(['[', ']']);
        let port = self.uri.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let deadline = Instant::now() + DEADLINE;
        let tcp = tcp::connect(host, port, None, deadline).await.map_err(unconnected)?;
        let Some(tls) = &self.tls else { return Ok(Stream::Plain(tcp)) };
        tls.handshake(host, tcp, deadline).await.map_err(|error| match error {
            ConnectError::Tls(_, fault) => anyhow!("TLS failed: {}", tls.explain(&fault)),
            other => unconnected(other),
        })
    }

    fn take(&self) -> Option<Sender> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, sender: Sender) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
    }
}

async fn exchange(sender: &mut Sender, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

/// Returns the error of a connection that was not opened. The error of the system stays in it: some of these say that
/// this machine is at a limit. Addresses are left out, so that equal causes have equal texts.
fn unconnected(error: ConnectError) -> anyhow::Error {
    match error {
        ConnectError::Refused(_, cause) | ConnectError::Lookup(_, cause) => {
            anyhow::Error::new(cause).context("connect")
        }
        ConnectError::Late(_) => anyhow!("connect: no answer within {DEADLINE:?}"),
        other => other.into(),
    }
}

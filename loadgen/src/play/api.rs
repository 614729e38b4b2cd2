//! An HTTP/1.1 client for one server with a pool of reused connections. A request never waits for the response to
//! another request: if no pooled connection is idle, a new one is opened. The pool has no limit, because the plan's
//! rate of messages bounds the number of requests.

use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode, Uri,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The number of connections that [`Api::warm_up`] opens before the first request.
const WARM: usize = 4;

type Sender = SendRequest<Full<Bytes>>;

/// A client for one server.
#[derive(Debug)]
pub struct Api {
    uri: Uri,
    key: Option<String>,
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
    /// Creates a client for `uri`. It opens no connection. If `key` is set, each request carries it as a bearer
    /// token.
    pub fn new(uri: Uri, key: Option<String>) -> Self {
        Self { uri, key, idle: Mutex::default() }
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
        let host = self.uri.host().context("the URL names no host")?.trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, self.uri.port_u16().unwrap_or(80))).await.context("connect")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // The task ends when the sender is dropped or the server closes the connection.
        tokio::spawn(connection);
        Ok(sender)
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

//! What a fetch of a file and an upload share: the connection to a server of files, when an attempt is repeated, and
//! the pause before that.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::{Body, Incoming},
    client::conn::http1::{self, SendRequest},
    header,
    http::request,
};
use hyper_util::rt::TokioIo;
use muster_net::{Stream, Tls, tcp};
use tokio::time::{self, Instant};

/// How long a connection may take, and how long nothing may move on it.
pub const SILENCE: Duration = Duration::from_secs(20);
/// The pause before another attempt: the first one, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A server of files, from which the agent fetches or to which it sends.
pub struct FileServer {
    url: Uri,
    host: String,
    port: u16,
    /// `None` with `http://`.
    tls: Option<Tls>,
}

/// Why an attempt ended before the whole file had moved.
#[derive(Debug)]
pub struct TransferError {
    /// The reason.
    pub why: anyhow::Error,
    /// Whether another attempt would fail in the same way.
    pub is_final: bool,
}

impl FileServer {
    /// Returns the server of a URL.
    pub fn new(url: &str, tls: Tls) -> anyhow::Result<Self> {
        let url: Uri = url.parse().context("url: it is no URL")?;
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            bail!("url: it has no host");
        }
        let is_https = url.scheme_str() == Some("https");
        let port = url.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        Ok(Self { url, host, port, tls: is_https.then_some(tls) })
    }

    /// Returns a request for the URL, to which headers and a body are added.
    pub fn request(&self, method: Method) -> request::Builder {
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.url.authority().map_or("", |authority| authority.as_str()))
            .header(header::USER_AGENT, concat!("muster-terminal/", env!("CARGO_PKG_VERSION")))
    }

    /// Connects, within [`SILENCE`]. The result sends one request.
    pub async fn connect<B>(&self) -> anyhow::Result<SendRequest<B>>
    where
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let deadline = Instant::now() + SILENCE;
        let stream = tcp::connect(&self.host, self.port, None, deadline).await?;
        let stream = match &self.tls {
            Some(tls) => tls.handshake(&self.host, stream, deadline).await?,
            None => Stream::Plain(stream),
        };
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // The task ends when the answer is dropped.
        tokio::spawn(connection);
        Ok(sender)
    }
}

impl TransferError {
    /// Makes a failure that may pass.
    pub fn passing(why: impl Into<anyhow::Error>) -> Self {
        Self { why: why.into(), is_final: false }
    }

    /// Makes a failure that another attempt would not mend.
    pub fn last(why: impl Into<anyhow::Error>) -> Self {
        Self { why: why.into(), is_final: true }
    }

    /// Returns the failure that an unexpected answer means.
    pub fn of_answer(answer: &Response<Incoming>) -> Self {
        let status = answer.status();
        let why = anyhow!("the server answers {status}");
        let may_pass = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
        Self { why, is_final: !may_pass && !status.is_server_error() }
    }
}

/// The pause before another attempt. It grows until something has moved.
pub struct RetryPause(Duration);

impl RetryPause {
    /// Returns the first pause, of 1 s.
    pub fn new() -> Self {
        Self(PAUSE.0)
    }

    /// Begins anew with the first pause, since something has moved.
    pub fn reset(&mut self) {
        self.0 = PAUSE.0;
    }

    /// Waits. The next pause is twice as long, and 60 s at most.
    pub async fn wait(&mut self) {
        time::sleep(self.0).await;
        self.0 = PAUSE.1.min(self.0 * 2);
    }
}

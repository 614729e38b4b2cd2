//! Fetches a file by HTTP/1.1, from where the last fetch ended.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    client::conn::http1,
    header,
};
use hyper_util::rt::TokioIo;
use muster_net::{Stream, Tls, tcp};
use tokio::time::{self, Instant};

use super::arriving::ArrivingFile;

/// How long a connection may take, and then each piece of the answer.
const SILENCE: Duration = Duration::from_secs(20);

/// Where a file is.
pub struct FileServer {
    url: Uri,
    host: String,
    port: u16,
    /// None with `http://`.
    tls: Option<Tls>,
}

/// Why a fetch ended before the whole file was there.
pub struct FetchError {
    /// The reason.
    pub why: anyhow::Error,
    /// Whether another attempt would fail in the same way.
    pub is_final: bool,
}

impl FileServer {
    /// The server of a URL.
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

    /// Fetches what is missing.
    pub async fn fetch_rest(&self, arriving: &mut ArrivingFile) -> Result<(), FetchError> {
        let mut answer = self.ask(arriving.len()).await.map_err(FetchError::passing)?;
        match answer.status() {
            StatusCode::PARTIAL_CONTENT if begins_at(&answer) == Some(arriving.len()) => {}
            // The server does not know ranges, or sends another one: what has arrived is dropped.
            StatusCode::OK => arriving.restart().await.map_err(FetchError::last)?,
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(FetchError::passing(anyhow!("the server answers {status}")));
            }
            status => return Err(FetchError::last(anyhow!("the server answers {status}"))),
        }
        while let Some(frame) = next_frame(&mut answer).await.map_err(FetchError::passing)? {
            arriving.push(&frame).await.map_err(FetchError::last)?;
        }
        Ok(())
    }

    async fn ask(&self, from: u64) -> anyhow::Result<Response<Incoming>> {
        let deadline = Instant::now() + SILENCE;
        let stream = tcp::connect(&self.host, self.port, None, deadline).await?;
        let stream = match &self.tls {
            Some(tls) => tls.handshake(&self.host, stream, deadline).await?,
            None => Stream::Plain(stream),
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends when the answer is dropped.
        tokio::spawn(connection);
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path)
            .header(header::HOST, self.url.authority().map_or("", |authority| authority.as_str()))
            .header(header::USER_AGENT, concat!("muster-terminal/", env!("CARGO_PKG_VERSION")))
            .header(header::RANGE, format!("bytes={from}-"))
            .body(Empty::<Bytes>::new())?;
        Ok(time::timeout_at(deadline, sender.send_request(request)).await.context("no answer in time")??)
    }
}

impl FetchError {
    fn passing(why: anyhow::Error) -> Self {
        Self { why, is_final: false }
    }

    fn last(why: impl Into<anyhow::Error>) -> Self {
        Self { why: why.into(), is_final: true }
    }
}

/// The next piece of the body. None at its end.
async fn next_frame(answer: &mut Response<Incoming>) -> anyhow::Result<Option<Bytes>> {
    loop {
        let frame = time::timeout(SILENCE, answer.body_mut().frame()).await.context("nothing came for 20 s")?;
        match frame.transpose()?.map(|frame| frame.into_data()) {
            Some(Ok(bytes)) => return Ok(Some(bytes)),
            Some(Err(_)) => {}
            None => return Ok(None),
        }
    }
}

/// Where the range of an answer begins.
fn begins_at(answer: &Response<Incoming>) -> Option<u64> {
    let range = answer.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

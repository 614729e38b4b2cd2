//! Gets a JWK set from a server: one GET, bounded in time and bytes. Redirects are not followed, so the URL alone says whose keys they are.

use std::pin::pin;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use muster_net::{Stream, tcp};
use tokio::time::{self, Instant};

use super::source::{BYTES_MAX, JwksServer};

/// Fetches the text of a set.
pub(super) async fn fetch(server: &JwksServer, deadline: Instant) -> anyhow::Result<Vec<u8>> {
    let stream = tcp::connect(&server.host, server.port, None, deadline).await?;
    let stream = match &server.tls {
        Some(tls) => tls.handshake(&server.host, stream, deadline).await?,
        None => Stream::Plain(stream),
    };
    let answer = time::timeout_at(deadline, get(server, stream)).await;
    answer.context("the answer did not come in time")?
}

async fn get(server: &JwksServer, stream: Stream) -> anyhow::Result<Vec<u8>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let path = server.url.path_and_query().map_or("/", |path| path.as_str());
    let host = server.url.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, concat!("muster-node/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())?;
    let answer = async move {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        if status.is_redirection() {
            bail!("the answer is {status}, and redirects are not followed: give the URL that has the keys");
        }
        ensure!(status == 200, "the answer is {status}");
        let body = Limited::new(answer.into_body(), BYTES_MAX).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("{error} (at most {BYTES_MAX} bytes are taken)"))?;
        Ok(body.to_bytes().to_vec())
    };
    // The connection moves the bytes; it may end before the answer has been taken.
    let (mut answer, mut connection) = (pin!(answer), pin!(connection));
    tokio::select! {
        answer = &mut answer => answer,
        _ = &mut connection => answer.await,
    }
}

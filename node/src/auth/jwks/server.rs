//! A server that has a JWK set. The set is got by one GET, bounded in time and bytes. Redirects are not followed, so the URL alone says whose
//! keys they are.

use std::{net::IpAddr, pin::pin};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, Uri, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use muster_net::{Stream, Tls, TlsFiles, TlsFlags, tcp};
use tokio::time::{self, Instant};

use crate::config::Issuers;

/// The most bytes of a set: some hundred times what an issuer's set has.
pub(super) const BYTES_MAX: usize = 256 << 10;

/// A server that has a set.
pub(super) struct JwksServer {
    /// The whole URL.
    pub url: Uri,
    /// The name or address to connect to, without brackets.
    pub host: String,
    /// The port to connect to.
    pub port: u16,
    /// None if the URL begins with `http://`.
    pub tls: Option<Tls>,
}

impl JwksServer {
    /// The server of this URL.
    ///
    /// # Errors
    /// If the URL can't be read, or its connection would not be safe and `--jwks-http` does not allow that.
    pub(super) fn of(text: &str, flags: &Issuers) -> anyhow::Result<Self> {
        let url: Uri = text.parse().with_context(|| format!("--jwks {text}: it is no URL"))?;
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let has_user = url.authority().is_some_and(|authority| authority.as_str().contains('@'));
        ensure!(!host.is_empty() && !has_user, "--jwks: the URL must be https://HOST[:PORT]/PATH, without a user");
        let (port, tls) = match url.scheme_str() {
            Some("https") => {
                let names = TlsFlags { ca: "--jwks-ca", ..TlsFlags::FIELDS };
                let files = TlsFiles { flags: names, ca: flags.jwks_ca.clone(), ..TlsFiles::default() };
                (443, Some(Tls::load(&files)?))
            }
            Some("http") if flags.jwks_http || is_loopback(&host) => (80, None),
            Some("http") => bail!(
                "--jwks {text}: whoever is on the way could give the node keys of their own; use https, or --jwks-http if the network is yours"
            ),
            _ => bail!("--jwks {text}: a URL begins with https:// or http://"),
        };
        Ok(Self { port: url.port_u16().unwrap_or(port), host, tls, url })
    }

    /// Fetches the text of the set.
    pub(super) async fn fetch(&self, deadline: Instant) -> anyhow::Result<Vec<u8>> {
        let stream = tcp::connect(&self.host, self.port, None, deadline).await?;
        let stream = match &self.tls {
            Some(tls) => tls.handshake(&self.host, stream, deadline).await?,
            None => Stream::Plain(stream),
        };
        let answer = time::timeout_at(deadline, get(self, stream)).await;
        answer.context("the answer did not come in time")?
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
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

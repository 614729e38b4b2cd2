//! A server that has a JWK set. The set is got by one GET, bounded in time and bytes. Redirects are not followed, so the URL alone says whose
//! keys they are.

use std::net::IpAddr;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use hyper::{Request, Uri, header};
use muster_net::{
    Stream, Tls, TlsFiles, TlsFlags,
    exchange::{AnswerBounds, exchange},
    tcp,
};
use tokio::time::Instant;

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
        get(self, stream, deadline).await
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

async fn get(server: &JwksServer, stream: Stream, deadline: Instant) -> anyhow::Result<Vec<u8>> {
    let path = server.url.path_and_query().map_or("/", |path| path.as_str());
    let host = server.url.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, concat!("muster-node/", env!("CARGO_PKG_VERSION")))
        .body(Bytes::new())?;
    let bounds = AnswerBounds { body_max: BYTES_MAX, body_within: None, deadline };
    let answer = exchange(request, stream, &bounds).await?;
    let status = answer.status;
    if status.is_redirection() {
        bail!("the answer is {status}, and redirects are not followed: give the URL that has the keys");
    }
    ensure!(status == 200, "the answer is {status}");
    Ok(answer.body?.to_vec())
}

//! A client of the API of a node: one call, one connection, bounded in time and bytes.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use clap::Args;
use hyper::{Request, Uri, header};
use muster_net::{
    Stream, Tls, TlsFiles, TlsFlags,
    exchange::{AnswerBounds, exchange},
    tcp,
};
use muster_protocol::api::Problem;
use muster_redis::secret;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

/// How long a call may take.
const WITHIN: Duration = Duration::from_secs(30);
/// The most bytes of an answer: a page of the largest keys has fewer.
const BYTES_MAX: usize = 4 << 20;

/// Which node, or proxy, is asked, and with which key.
#[derive(Debug, Clone, Args)]
pub struct ApiFlags {
    /// Where the API is: https://HOST[:PORT], or http:// on this host
    #[arg(long, env = "MUSTER_API_URL", value_name = "URL", default_value = "http://127.0.0.1:9000")]
    pub url: String,

    /// A file with an operator's key of the scope admin
    #[arg(long, env = "MUSTER_KEY_FILE", value_name = "FILE")]
    pub key_file: PathBuf,

    /// The CA of the server's certificate, if the system does not know it
    #[arg(long, env = "MUSTER_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// Send the key to another host by http://, where whoever is on the way can read it
    #[arg(long)]
    pub http: bool,
}

/// A client of one API.
pub(super) struct ApiClient {
    url: Uri,
    host: String,
    port: u16,
    /// None with `http://`.
    tls: Option<Tls>,
    /// The value of the header `Authorization`.
    authorization: String,
}

impl ApiClient {
    /// The client that these flags ask for.
    ///
    /// # Errors
    /// If the URL, the file of the key or the CA can't be used. The text has no key.
    pub(super) fn of(flags: &ApiFlags) -> anyhow::Result<Self> {
        let key = secret::read(&flags.key_file).with_context(|| format!("--key-file {}", flags.key_file.display()))?;
        let key = key.trim();
        ensure!(key.bytes().all(|byte| byte.is_ascii_graphic()), "--key-file {}: no key", flags.key_file.display());
        let url: Uri = flags.url.parse().context("--url: it is no URL")?;
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let has_user = url.authority().is_some_and(|authority| authority.as_str().contains('@'));
        ensure!(!host.is_empty() && !has_user, "--url: it must be https://HOST[:PORT], without a user");
        ensure!(matches!(url.path(), "" | "/") && url.query().is_none(), "--url: it must have no path");
        let names = TlsFlags { ca: "--ca", ..TlsFlags::FIELDS };
        let files = TlsFiles { flags: names, ca: flags.ca.clone(), ..TlsFiles::default() };
        let (port, tls) = match url.scheme_str() {
            Some("https") => (443, Some(Tls::load(&files)?)),
            Some("http") if flags.http || is_loopback(&host) => (80, None),
            Some("http") => {
                bail!("--url: whoever is on the way could read the key; use https, or --http if the network is yours")
            }
            _ => bail!("--url: it begins with https:// or http://"),
        };
        let port = url.port_u16().unwrap_or(port);
        Ok(Self { url, host, port, tls, authorization: format!("Bearer {key}") })
    }

    /// The answer to a call without a body, which must be a success.
    ///
    /// # Errors
    /// If there is no answer within 30 s, or another one than the call has. A refusal is told as the node tells it.
    pub(super) async fn ask<T: DeserializeOwned>(&self, method: &str, path: &str) -> anyhow::Result<T> {
        let deadline = Instant::now() + WITHIN;
        let stream = tcp::connect(&self.host, self.port, None, deadline).await?;
        let stream = match &self.tls {
            Some(tls) => tls.handshake(&self.host, stream, deadline).await?,
            None => Stream::Plain(stream),
        };
        let bounds = AnswerBounds { body_max: BYTES_MAX, body_within: None, deadline };
        let answer = exchange(self.request(method, path)?, stream, &bounds).await?;
        let (status, body) = (answer.status.as_u16(), answer.body?);
        if (200..300).contains(&status) {
            return serde_json::from_slice(&body).context("the answer is not that of this call");
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => bail!("the answer is {status}: {}", problem.detail),
            Err(_) => bail!("the answer is {status}"),
        }
    }

    fn request(&self, method: &str, path: &str) -> hyper::http::Result<Request<Bytes>> {
        let host = self.url.authority().map_or("", |authority| authority.as_str());
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, host)
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::USER_AGENT, concat!("muster-node/", env!("CARGO_PKG_VERSION")))
            .body(Bytes::new())
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_key_is_not_sent_where_it_can_be_read() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "s3cret").unwrap();
        let told = |url: &str, http: bool| {
            let flags = ApiFlags { url: url.into(), key_file: file.path().into(), ca: None, http };
            ApiClient::of(&flags).map(|client| client.port).map_err(|error| format!("{error:#}"))
        };
        assert_eq!(told("http://127.0.0.1:9000", false), Ok(9000));
        assert_eq!(told("http://[::1]", false), Ok(80));
        assert_eq!(told("http://node-1:9000", true), Ok(9000));
        for (url, says) in [
            ("http://node-1:9000", "--http"),
            ("ftp://node-1", "https:// or http://"),
            ("http://u:p@127.0.0.1", "without a user"),
            ("http://127.0.0.1/v1", "no path"),
            ("node 1", "--url"),
        ] {
            let told = told(url, false).unwrap_err();
            assert!(told.contains(says) && !told.contains("s3cret") && !told.contains("u:p"), "{url}: {told}");
        }
    }
}

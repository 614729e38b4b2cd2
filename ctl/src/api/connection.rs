//! The connection to a node or a proxy, with TLS or without.

use std::{net::IpAddr, pin::pin};

use anyhow::{Context, bail, ensure};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    client::conn::http1,
    header,
};
use hyper_util::rt::TokioIo;
use muster_net::{Stream, Tls, tcp};
use tokio::time::{self, Instant};

use super::{ApiAnswer, ApiError, BYTES_MAX, WITHIN};
use crate::profile::{Profile, read_key};

/// A client of one API.
#[derive(Debug)]
pub struct ClusterApi {
    url: Uri,
    host: String,
    port: u16,
    /// `None` with `http://`.
    tls: Option<Tls>,
    /// The value of the header `Authorization`. `None` for a node with `--insecure`.
    authorization: Option<String>,
}

impl ClusterApi {
    /// Returns the client of a cluster. It opens no connection yet.
    ///
    /// # Errors
    /// If the URL, the key or a file of TLS can't be used. The text has no key.
    pub fn of(profile: &Profile) -> anyhow::Result<Self> {
        let url: Uri = profile.url.parse().context("--url: it is no URL")?;
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let has_user = url.authority().is_some_and(|authority| authority.as_str().contains('@'));
        ensure!(!host.is_empty() && !has_user, "--url: it must be https://HOST[:PORT], without a user");
        ensure!(matches!(url.path(), "" | "/") && url.query().is_none(), "--url: it must have no path");
        let authorization = profile.key_file.as_deref().map(read_key).transpose()?.map(|key| format!("Bearer {key}"));
        let files = profile.tls_files();
        let (port, tls) = match url.scheme_str() {
            Some("https") => (443, Some(Tls::load(&files)?)),
            Some("http") if let Some(flag) = files.first_flag() => bail!("{flag}: it is for https, and --url is http"),
            Some("http") if authorization.is_none() || profile.http || is_loopback(&host) => (80, None),
            Some("http") => {
                bail!("--url: whoever is on the way could read the key; use https, or --http if the network is yours")
            }
            _ => bail!("--url: it begins with https:// or http://"),
        };
        let port = url.port_u16().unwrap_or(port);
        Ok(Self { url, host, port, tls, authorization })
    }

    /// Makes a call with this body, which may be empty, and this `Idempotency-Key`.
    ///
    /// # Errors
    /// If no answer comes within 30 s, or the answer is no success.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: String,
        idempotency_key: Option<&str>,
    ) -> Result<ApiAnswer, ApiError> {
        let mut headers = vec![(header::CONTENT_TYPE.as_str(), "application/json")];
        headers.extend(idempotency_key.map(|key| ("idempotency-key", key)));
        let request = self.request(method, path, &headers, body)?;
        let deadline = Instant::now() + WITHIN;
        let stream = self.connect(deadline).await?;
        let exchange = async {
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(unanswered)?;
            let answer = async move {
                let answer = sender.send_request(request).await.map_err(unanswered)?;
                collect(answer).await
            };
            // The connection moves the bytes; it may end before the answer has been taken.
            let (mut answer, mut connection) = (pin!(answer), pin!(connection));
            tokio::select! {
                answer = &mut answer => answer,
                _ = &mut connection => answer.await,
            }
        };
        let late = || ApiError::Unanswered(format!("within {WITHIN:?}"));
        time::timeout_at(deadline, exchange).await.map_err(|_| late())?
    }

    pub(super) fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Request<Full<Bytes>>, ApiError> {
        let host = self.url.authority().map_or("", |authority| authority.as_str());
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, host)
            .header(header::USER_AGENT, concat!("muster/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        request
            .body(Full::from(body))
            .map_err(|error| ApiError::Unreachable(format!("the request is malformed: {error}")))
    }

    pub(super) async fn connect(&self, deadline: Instant) -> Result<Stream, ApiError> {
        let unreachable = |error: muster_net::ConnectError| ApiError::Unreachable(error.to_string());
        let stream = tcp::connect(&self.host, self.port, None, deadline).await.map_err(unreachable)?;
        match &self.tls {
            Some(tls) => tls.handshake(&self.host, stream, deadline).await.map_err(unreachable),
            None => Ok(Stream::Plain(stream)),
        }
    }
}

/// Reads an answer to its end. An answer that is no success is an error.
pub(super) async fn collect(answer: Response<Incoming>) -> Result<ApiAnswer, ApiError> {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), BYTES_MAX).collect().await;
    let body = body.map_err(|error| ApiError::Unanswered(format!("{error} (at most {BYTES_MAX} bytes are taken)")))?;
    let answer = ApiAnswer { status, body: body.to_bytes() };
    if status.is_success() { Ok(answer) } else { Err(refused(&answer)) }
}

fn refused(answer: &ApiAnswer) -> ApiError {
    match serde_json::from_slice(&answer.body) {
        Ok(problem) => ApiError::Refused(answer.status, problem),
        Err(_) if answer.status == StatusCode::BAD_GATEWAY || answer.status == StatusCode::GATEWAY_TIMEOUT => {
            ApiError::Unanswered(format!("the proxy has none from a node ({})", answer.status))
        }
        Err(_) => ApiError::Malformed(format!("status {}", answer.status)),
    }
}

pub(super) fn unanswered(error: hyper::Error) -> ApiError {
    ApiError::Unanswered(error.to_string())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_sent_where_it_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        std::fs::write(&file, "s3cret\n").unwrap();
        let told = |url: &str, http: bool, key: bool| {
            let key_file = key.then(|| file.clone());
            let profile = Profile { url: url.into(), key_file, http, ..Profile::default() };
            ClusterApi::of(&profile).map(|api| api.port).map_err(|error| format!("{error:#}"))
        };
        assert_eq!(told("http://127.0.0.1:9000", false, true), Ok(9000));
        assert_eq!(told("http://[::1]", false, true), Ok(80));
        assert_eq!(told("http://node-1:9000", true, true), Ok(9000));
        assert_eq!(told("http://node-1:9000", false, false), Ok(9000));
        for (url, says) in [
            ("http://node-1:9000", "--http"),
            ("ftp://node-1", "https:// or http://"),
            ("http://u:p@127.0.0.1", "without a user"),
            ("http://127.0.0.1/v1", "no path"),
            ("node 1", "--url"),
        ] {
            let told = told(url, false, true).unwrap_err();
            assert!(told.contains(says) && !told.contains("s3cret") && !told.contains("u:p"), "{url}: {told}");
        }
    }
}

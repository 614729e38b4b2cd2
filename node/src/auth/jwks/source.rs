//! Where a JWK set is read from: a file, or a server.

use std::{fs, io::Read, net::IpAddr, path::PathBuf};

use anyhow::{Context, bail, ensure};
use hyper::Uri;
use muster_net::{Tls, TlsFiles, TlsFlags};
use tokio::time::Instant;

use super::fetch::fetch;
use crate::config::Issuers;

/// The most bytes of a set: some hundred times what an issuer's set has.
pub(super) const BYTES_MAX: usize = 256 << 10;

/// Where a set is read from.
pub(super) enum JwksSource {
    /// A file of this host.
    File(PathBuf),
    /// A server.
    Server(JwksServer),
}

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

impl JwksSource {
    /// The source that the flags name. None without `--jwks`.
    ///
    /// # Errors
    /// If the URL can't be read, or its connection would not be safe and `--jwks-http` does not allow that.
    pub(super) fn of(flags: &Issuers) -> anyhow::Result<Option<Self>> {
        let Some(text) = &flags.jwks else {
            ensure!(flags.jwks_ca.is_none() && !flags.jwks_http, "--jwks-ca and --jwks-http need --jwks");
            return Ok(None);
        };
        if !text.contains("://") {
            return Ok(Some(Self::File(text.into())));
        }
        Ok(Some(Self::Server(JwksServer::of(text, flags)?)))
    }

    /// Reads the set's text, until the deadline.
    pub(super) async fn read(&self, deadline: Instant) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::File(path) => {
                let path = path.clone();
                tokio::task::spawn_blocking(move || read_file(&path)).await?
            }
            Self::Server(server) => fetch(server, deadline).await,
        }
    }

    /// Whether the set is in a file.
    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

impl JwksServer {
    fn of(text: &str, flags: &Issuers) -> anyhow::Result<Self> {
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
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn read_file(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    // Opening a FIFO that has no writer would wait for one.
    ensure!(fs::metadata(path)?.is_file(), "it is no regular file");
    let mut text = Vec::new();
    fs::File::open(path)?.take(BYTES_MAX as u64 + 1).read_to_end(&mut text)?;
    ensure!(text.len() <= BYTES_MAX, "it has more than {BYTES_MAX} bytes");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(jwks: &str, allow_http: bool) -> Result<Option<JwksSource>, String> {
        let flags = Issuers { jwks: Some(jwks.into()), jwks_http: allow_http, ..Issuers::default() };
        JwksSource::of(&flags).map_err(|error| error.to_string())
    }

    #[test]
    fn http_is_for_loopback_or_where_a_flag_allows_it() {
        for (url, allow_http, host, port) in [
            ("http://127.0.0.1:8080/keys", false, "127.0.0.1", 8080),
            ("http://[::1]/keys", false, "::1", 80),
            ("http://localhost/keys", false, "localhost", 80),
            ("http://issuer.example/keys", true, "issuer.example", 80),
        ] {
            let Ok(Some(JwksSource::Server(server))) = source(url, allow_http) else { panic!("{url}") };
            assert_eq!((server.host.as_str(), server.port, server.tls.is_none()), (host, port, true));
        }
        for (url, says) in [
            ("http://issuer.example/keys", "--jwks-http"),
            ("http://10.0.0.1/keys", "--jwks-http"),
            ("http://u:p@127.0.0.1/keys", "without a user"),
            ("ftp://issuer.example/keys", "https:// or http://"),
            ("https:///keys", "--jwks"),
        ] {
            let told = source(url, false).err().unwrap();
            assert!(told.contains(says) && !told.contains("u:p"), "{told}");
        }
        assert!(matches!(source("/etc/muster/jwks.json", false), Ok(Some(JwksSource::File(_)))));
        let flags = Issuers { jwks_http: true, ..Issuers::default() };
        assert!(JwksSource::of(&flags).is_err());
    }
}

//! Where a JWK set is read from: a file, or a server.

use std::{fs, io::Read, path::PathBuf};

use anyhow::ensure;
use tokio::time::Instant;

use super::server::{BYTES_MAX, JwksServer};
use crate::config::Issuers;

/// Where a set is read from.
pub(super) enum JwksSource {
    /// A file of this host.
    File(PathBuf),
    /// A server.
    Server(JwksServer),
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
            Self::Server(server) => server.fetch(deadline).await,
        }
    }

    /// Whether the set is in a file.
    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }
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

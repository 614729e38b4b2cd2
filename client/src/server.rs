//! A server that a terminal connects to (a node or the proxy before it), and the connection to it by TCP and TLS.

use std::{net::IpAddr, sync::Arc};

use muster_net::{ConnectError, Stream, Tls, TlsFault, tcp};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::http::Uri;

use crate::{ConnectionEnd, tls::WatchedTls};

/// A server.
#[derive(Debug)]
pub(crate) struct ServerAddress {
    /// A name, or an IP address without brackets. A name is looked up at each attempt.
    pub(crate) host: String,
    /// The port of the URL; by default 80, and 443 with TLS.
    pub(crate) port: u16,
    /// `HOST` or `HOST:PORT`, as the URL has it.
    pub(crate) authority: String,
    /// The settings of TLS, if the URL begins with `wss`.
    pub(crate) tls: Option<Arc<WatchedTls>>,
}

impl ServerAddress {
    /// Returns the server of a URL. The error says what is wrong with the URL, and does not repeat it.
    pub(crate) fn of(uri: &Uri, tls: Option<Arc<WatchedTls>>) -> Result<Self, &'static str> {
        let authority = uri.authority().ok_or("names no host")?;
        if authority.as_str().contains('@') {
            return Err("holds credentials; set the token instead");
        }
        let port = authority.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        Ok(Self { host, port, authority: authority.to_string(), tls })
    }

    /// Connects to the first of the host's addresses that accepts, and gives up at the deadline. Returns the
    /// connection, and the settings of TLS with which it was made.
    pub(crate) async fn connect(
        &self,
        source: Option<IpAddr>,
        deadline: Instant,
    ) -> Result<(Stream, Option<Tls>), ConnectionEnd> {
        let tls = match &self.tls {
            Some(watched) => Some(watched.current().await),
            None => None,
        };
        let tcp = tcp::connect(&self.host, self.port, source, deadline).await.map_err(ConnectionEnd::lost)?;
        let Some(tls) = tls else { return Ok((Stream::Plain(tcp), None)) };
        match tls.handshake(&self.host, tcp, deadline).await {
            Ok(stream) => Ok((stream, Some(tls))),
            Err(error) => Err(unencrypted(error, &tls)),
        }
    }
}

/// Returns the end that a failed TLS handshake makes. If the next handshake may succeed with the same settings, the
/// connection counts as lost.
fn unencrypted(error: ConnectError, tls: &Tls) -> ConnectionEnd {
    match error {
        ConnectError::Tls(peer, TlsFault::NotTls) => ConnectionEnd::TlsFailed(format!(
            "{peer} does not speak TLS; write ws:// instead of wss://, or give the port for TLS"
        )),
        ConnectError::Tls(peer, fault) if !fault.will_pass() => {
            ConnectionEnd::TlsFailed(format!("{peer}: {}", tls.explain(&fault)))
        }
        error => ConnectionEnd::lost(error),
    }
}

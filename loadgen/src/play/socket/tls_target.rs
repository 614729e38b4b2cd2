//! How a connection to a server is encrypted, and the TLS handshake on it.

use std::{sync::Arc, time::Duration};

use muster_client::ConnectionEnd;
use muster_net::{ConnectError, Stream, Tls};
use tokio::{net::TcpStream, time::Instant};

use super::connection_end::lost;
use crate::{clock::nanos, journal::TlsHandshake};

/// How a connection to a server is encrypted.
#[derive(Debug, Clone)]
pub struct TlsTarget {
    /// The name for which the server's certificate must be valid.
    pub host: Arc<str>,
    /// The settings, with the terminal's own session tickets.
    pub tls: Tls,
}

impl TlsTarget {
    /// Encrypts a connection, and writes to `done` how the handshake went. Fails if it takes longer than `limit`, or if
    /// the server's certificate is not accepted.
    pub(super) async fn encrypt(
        &self,
        tcp: TcpStream,
        limit: Duration,
        done: &mut Option<TlsHandshake>,
    ) -> Result<Stream, ConnectionEnd> {
        let began = Instant::now();
        let stream = self.tls.handshake(&self.host, tcp, began + limit).await.map_err(|error| match error {
            ConnectError::Tls(_, fault) if fault.will_pass() => lost(fault),
            ConnectError::Tls(_, fault) => ConnectionEnd::TlsFailed(self.tls.explain(&fault)),
            other => lost(other),
        })?;
        *done = Some(TlsHandshake { took: nanos(began.elapsed()), is_resumed: stream.is_resumed() });
        Ok(stream)
    }
}

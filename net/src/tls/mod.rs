//! TLS of a client: which servers it trusts, which certificate it shows, and the handshake.

#[cfg(feature = "command-line")]
mod args;
mod fault;
mod files;
mod insecure;

use std::sync::Arc;

use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier,
    client::Resumption,
    crypto::ring,
    pki_types::{DnsName, ServerName},
};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;

#[cfg(feature = "command-line")]
pub use self::args::TlsArgs;
pub(crate) use self::fault::aborted;
pub use self::{
    fault::TlsFault,
    files::{BadTlsFile, TlsFiles, TlsFlags},
};
use crate::{ConnectError, Stream};

/// The TLS settings of a client, loaded and checked. Clones share them.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    /// The name that the server's certificate must have, if not that of the host.
    server_name: Option<ServerName<'static>>,
    files: Arc<TlsFiles>,
}

impl Tls {
    /// Loads the certificates. An error names the flag and the file.
    pub fn load(files: &TlsFiles) -> Result<Self, BadTlsFile> {
        Ok(Self { config: Arc::new(files.config()?), server_name: None, files: Arc::new(files.clone()) })
    }

    /// Returns the same settings with session tickets of their own: a connection is resumed only with a ticket from a
    /// connection that the result, or a clone of it, made. The result keeps tickets of one server, at most 8. Other
    /// settings keep those of 32 servers, and share them with their clones.
    #[must_use]
    pub fn with_own_tickets(&self) -> Self {
        self.with_resumption(Resumption::in_memory_sessions(1))
    }

    /// Returns the same settings, with which no connection is resumed.
    #[must_use]
    pub fn without_tickets(&self) -> Self {
        self.with_resumption(Resumption::disabled())
    }

    fn with_resumption(&self, resumption: Resumption) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = resumption;
        Self { config: Arc::new(config), ..self.clone() }
    }

    /// Returns whether both are clones of one.
    pub fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config)
    }

    /// Returns the text of a fault, and which of these settings it comes from.
    pub fn explain(&self, fault: &TlsFault) -> String {
        let TlsFiles { flags, ca, cert, .. } = &*self.files;
        match (fault, ca, cert) {
            (TlsFault::Untrusted, Some(file), _) => {
                format!("{fault}; those that are trusted are in {} {}", flags.ca, file.display())
            }
            (TlsFault::Untrusted, None, _) => {
                format!("{fault}; give the certificate of the CA that has with {}", flags.ca)
            }
            (TlsFault::Refused(_), _, Some(file)) => format!("{fault} It got {} {}", flags.cert, file.display()),
            (TlsFault::Refused(_), _, None) => {
                format!("{fault} Such a certificate is given with {} and {}", flags.cert, flags.key)
            }
            _ => fault.to_string(),
        }
    }

    /// Expects this name in the server's certificate, and not that of the host: for a server at an address, or behind a
    /// tunnel. Fails if the name is neither a DNS name nor an IP address.
    pub fn with_server_name(self, name: &str) -> Result<Self, rustls::pki_types::InvalidDnsNameError> {
        Ok(Self { server_name: Some(ServerName::try_from(name.to_owned())?), ..self })
    }

    /// Does the handshake on a connection to `host`, and gives up at the deadline. The certificate must be valid for
    /// `host` (a name or an IP address), or for the name of [`with_server_name`](Self::with_server_name).
    pub async fn handshake(&self, host: &str, stream: TcpStream, deadline: Instant) -> Result<Stream, ConnectError> {
        let peer = stream.peer_addr().map_or_else(|_| host.to_owned(), |peer| peer.to_string());
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => server_name(host),
        };
        let handshake = TlsConnector::from(self.config.clone()).connect(name, stream);
        match timeout_at(deadline, handshake).await {
            Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
            Ok(Err(error)) => Err(ConnectError::Tls(peer, fault::of_handshake(error))),
            Err(_) => Err(ConnectError::Tls(peer, TlsFault::Late)),
        }
    }
}

/// Returns the name that a certificate must have. A host that is no valid name gets one that no certificate has: a
/// host name with an underscore, for example, resolves and can't be in a certificate.
fn server_name(host: &str) -> ServerName<'static> {
    let nobody = || ServerName::DnsName(DnsName::try_from("host-name-not-valid.invalid").expect("it is a DNS name"));
    ServerName::try_from(host.to_owned()).unwrap_or_else(|_| nobody())
}

/// Returns the beginning of a configuration: rustls with ring, TLS 1.2 and 1.3.
pub(crate) fn builder() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports TLS 1.2 and 1.3")
}

/// Returns the certificates that the system trusts. Skips those that can't be parsed, as other programs do.
pub(crate) fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

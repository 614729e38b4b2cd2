//! The line, for libraries that make none by themselves.

use std::env;
use std::sync::Arc;

use hyper::Uri;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// TCP, with or without TLS.
pub trait Line: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Line for S {}

/// Connects.
pub async fn connect(url: &Uri) -> Box<dyn Line> {
    let (host, port) = (url.host().expect("a host"), url.port_u16().expect("a port"));
    let line = TcpStream::connect((host, port)).await.expect("a connection");
    if url.scheme_str() != Some("wss") {
        return Box::new(line);
    }
    let name = ServerName::try_from(host.to_owned()).expect("a name");
    Box::new(tls().connect(name, line).await.expect("TLS"))
}

fn tls() -> TlsConnector {
    let mut trusted = RootCertStore::empty();
    let file = env::args().nth(2).expect("the file of the CA");
    for cert in CertificateDer::pem_file_iter(file).expect("the CA") {
        trusted.add(cert.expect("a certificate")).expect("a CA");
    }
    Arc::new(ClientConfig::builder().with_root_certificates(trusted).with_no_client_auth()).into()
}

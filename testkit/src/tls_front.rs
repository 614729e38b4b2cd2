//! A server of TLS in front of another server, as Nginx is before a node.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::Certificates;

/// A server of TLS that passes on what it receives. Dropping it ends it; connections that are open go on.
pub struct TlsFront {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Mutex<Shown>>,
    accepting: JoinHandle<()>,
}

/// What clients are shown, and what they asked for.
struct Shown {
    acceptor: TlsAcceptor,
    /// The name that each client asked for (SNI).
    names: Vec<Option<String>>,
}

impl TlsFront {
    /// Shows the certificate `NAME.pem` to who connects to a free port of `ip`, and passes all on to the server at `to`.
    ///
    /// # Panics
    /// If the certificate can't be used.
    pub async fn start(made: &Certificates, name: &str, ip: &str, to: SocketAddr) -> Self {
        let listener = TcpListener::bind((ip.parse::<IpAddr>().unwrap(), 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shown { acceptor: acceptor(made, name, false), names: Vec::new() }));
        let accepting = tokio::spawn(accept(listener, shared.clone(), to));
        Self { address, shared, accepting }
    }

    /// Shows the certificate `NAME.pem` from now on, and demands one of the CA of clients if `of_clients`.
    ///
    /// # Panics
    /// If the certificate can't be used.
    pub fn show(&self, made: &Certificates, name: &str, of_clients: bool) {
        lock(&self.shared).acceptor = acceptor(made, name, of_clients);
    }

    /// The names that clients asked for so far, one for each handshake.
    pub fn names(&self) -> Vec<Option<String>> {
        lock(&self.shared).names.clone()
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock(shared: &Mutex<Shown>) -> MutexGuard<'_, Shown> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Mutex<Shown>>, to: SocketAddr) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            let acceptor = lock(&shared).acceptor.clone();
            let Ok(stream) = acceptor.accept(stream).await else { return };
            lock(&shared).names.push(stream.get_ref().1.server_name().map(str::to_owned));
            pass_on(stream, to).await;
        });
    }
}

async fn pass_on(mut stream: TlsStream<TcpStream>, to: SocketAddr) {
    let Ok(mut server) = TcpStream::connect(to).await else { return };
    let _ = copy_bidirectional(&mut stream, &mut server).await;
}

fn acceptor(made: &Certificates, name: &str, of_clients: bool) -> TlsAcceptor {
    let chain = certificates(made, &format!("{name}.pem"));
    let key = PrivateKeyDer::from_pem_file(made.file(&format!("{name}.key"))).unwrap();
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let config = if of_clients {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(made, "ca.pem"));
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        config.with_client_cert_verifier(verifier)
    } else {
        config.with_no_client_auth()
    };
    TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()))
}

fn certificates(made: &Certificates, file: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(made.file(file)).unwrap().map(Result::unwrap).collect()
}

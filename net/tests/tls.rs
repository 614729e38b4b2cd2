//! The files of TLS settings, and handshakes with a server of rustls.

use std::{fs, path::Path, process::Command, sync::Arc, time::Duration};

use muster_net::{Tls, TlsFiles, TlsFlags, tcp};
use muster_testkit::Certificates;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::Instant,
};
use tokio_rustls::TlsAcceptor;

const FLAGS: TlsFlags = TlsFlags { ca: "--redis-ca", cert: "--redis-cert", key: "--redis-key", ..TlsFlags::FIELDS };

fn files(ca: &Path) -> TlsFiles {
    TlsFiles { flags: FLAGS, ca: Some(ca.to_owned()), ..TlsFiles::default() }
}

fn refused(files: &TlsFiles) -> String {
    Tls::load(files).expect_err("the files can't be used").to_string()
}

#[test]
fn a_file_that_can_not_be_used_is_named_with_its_flag() {
    let made = Certificates::make();
    let path = |name: &str| Some(made.file(name));
    made.openssl("ec -in client.key -aes128 -passout pass:secret -out encrypted.key");
    fs::write(made.file("text"), "no certificate\n").unwrap();
    fs::write(made.file("broken.pem"), "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n").unwrap();
    assert!(Command::new("mkfifo").arg(made.file("fifo")).status().unwrap().success());
    let (client, key) = (path("client.pem"), path("client.key"));
    for (ca, cert, key, told) in [
        (path("absent"), None, None, "--redis-ca FILE/absent: No such file"),
        (path("fifo"), None, None, "--redis-ca FILE/fifo: it is no regular file"),
        (path("text"), None, None, "--redis-ca FILE/text: it has no certificate in PEM"),
        (path("broken.pem"), None, None, "--redis-ca FILE/broken.pem: it is not valid PEM"),
        (path("client.key"), None, None, "--redis-ca FILE/client.key: it has no certificate in PEM"),
        (path("ca.pem"), client.clone(), None, "--redis-cert and --redis-key belong together"),
        (path("ca.pem"), None, key.clone(), "--redis-cert and --redis-key belong together"),
        (path("ca.pem"), client.clone(), path("absent"), "--redis-key FILE/absent: No such file"),
        (path("ca.pem"), client.clone(), client.clone(), "--redis-key FILE/client.pem: it has no private key in PEM"),
        (path("ca.pem"), client.clone(), path("encrypted.key"), "--redis-key FILE/encrypted.key: the key is encrypted"),
        (path("ca.pem"), path("text"), key, "--redis-cert FILE/text: it has no certificate in PEM"),
        (
            path("ca.pem"),
            client,
            path("server.key"),
            "--redis-key FILE/server.key: it is not the key of the certificate in --redis-cert FILE/client.pem",
        ),
    ] {
        let text = refused(&TlsFiles { flags: FLAGS, ca, cert, key, insecure: false });
        let text = text.replace(&made.directory().display().to_string(), "FILE");
        assert!(text.starts_with(told), "{told}: {text}");
    }
}

/// A server with this certificate that answers each connection with `hi`.
async fn server(made: &Certificates, name: &str) -> u16 {
    let chain = CertificateDer::pem_file_iter(made.file(&format!("{name}.pem"))).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(made.file(&format!("{name}.key"))).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.write_all(b"hi").await;
            }
        }
    });
    port
}

async fn hears(tls: &Tls, host: &str, port: u16) -> Result<String, String> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let tcp = tcp::connect("127.0.0.1", port, None, deadline).await.unwrap();
    let mut stream = tls.handshake(host, tcp, deadline).await.map_err(|error| error.to_string())?;
    let mut text = [0; 2];
    stream.read_exact(&mut text).await.unwrap();
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn a_certificate_must_be_of_a_trusted_ca_and_for_the_host() {
    let made = Certificates::make();
    let port = server(&made, "server").await;
    let tls = Tls::load(&files(&made.file("ca.pem"))).unwrap();
    for host in ["127.0.0.1", "localhost"] {
        assert_eq!(hears(&tls, host, port).await.as_deref(), Ok("hi"), "{host}");
    }
    for host in ["redis.example", "not_a_name", "10.0.0.1"] {
        let error = hears(&tls, host, port).await.unwrap_err();
        let begin = format!("127.0.0.1:{port}: the server's certificate is not accepted: ");
        assert!(error.starts_with(&begin) && error.contains("not valid for name"), "{host}: {error}");
    }
    let named = tls.with_server_name("localhost").unwrap();
    assert_eq!(hears(&named, "redis.example", port).await.as_deref(), Ok("hi"));
    for untrusting in [Tls::load(&files(&made.file("other.pem"))), Tls::load(&TlsFiles::default())] {
        let Ok(untrusting) = untrusting else { continue };
        let error = hears(&untrusting, "localhost", port).await.unwrap_err();
        assert!(error.ends_with("certificate is not accepted: no CA that is trusted here has signed it"), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_of_a_ca_is_no_certificate_of_a_server() {
    let made = Certificates::make();
    let tls = Tls::load(&files(&made.file("ca.pem"))).unwrap();
    let error = hears(&tls, "localhost", server(&made, "ca").await).await.unwrap_err();
    assert!(error.ends_with("it is a CA's; sign one for the server with it"), "{error}");
}

#[tokio::test]
async fn an_insecure_client_accepts_every_certificate() {
    let made = Certificates::make();
    let insecure = TlsFiles { insecure: true, ..files(&made.file("other.pem")) };
    let tls = Tls::load(&insecure).unwrap();
    assert_eq!(hears(&tls, "redis.example", server(&made, "server").await).await.as_deref(), Ok("hi"));
    assert_eq!(TlsFiles { ca: None, ..insecure }.first_flag(), Some("insecure"));
}

/// Whether the second of two connections with these settings is resumed.
async fn resumes(first: &Tls, second: &Tls, port: u16) -> bool {
    let mut resumed = false;
    for tls in [first, second] {
        let deadline = Instant::now() + Duration::from_secs(10);
        let tcp = tcp::connect("127.0.0.1", port, None, deadline).await.unwrap();
        let mut stream = tls.handshake("localhost", tcp, deadline).await.unwrap();
        // The tickets come before the text.
        stream.read_exact(&mut [0; 2]).await.unwrap();
        resumed = stream.is_resumed();
    }
    resumed
}

#[tokio::test]
async fn a_connection_is_resumed_by_its_own_tickets_alone() {
    let made = Certificates::make();
    let port = server(&made, "server").await;
    let tls = Tls::load(&files(&made.file("ca.pem"))).unwrap();
    let (own, other, none) = (tls.with_own_tickets(), tls.with_own_tickets(), tls.without_tickets());
    assert!(resumes(&tls, &tls.clone(), port).await);
    assert!(resumes(&own, &own, port).await);
    assert!(!resumes(&own, &other, port).await);
    assert!(!resumes(&none, &none, port).await);
}

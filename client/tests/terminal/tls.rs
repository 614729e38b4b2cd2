//! Sessions by TLS, and what a terminal says when TLS is not possible.

use std::{fs, net::SocketAddr};

use muster_client::{Config, ConfigError, ConnectionEnd, Incoming, Terminal, TlsFiles, TlsSource};
use muster_protocol::{
    api::Protocol,
    frame::{Ack, FromNode, FromTerminal},
};
use muster_testkit::{Certificates, TlsFront, wait::soon};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

use crate::fake_node::{FakeNode, command, config, id, start};

/// A node behind a server of TLS.
async fn node_by_tls(made: &Certificates) -> (FakeNode, TlsFront) {
    let node = FakeNode::bind().await;
    let front = TlsFront::start(made, "server", "127.0.0.1", node.address()).await;
    (node, front)
}

/// A terminal that trusts the CA in this file.
fn trusting(url: String, made: &Certificates, ca: &str) -> Config {
    with_files(url, TlsFiles { ca: Some(made.file(ca)), ..TlsFiles::default() })
}

fn with_files(url: String, files: TlsFiles) -> Config {
    Config { tls: TlsSource::files(files), ..config([url]) }
}

fn wss(address: SocketAddr) -> String {
    format!("wss://{address}/ws")
}

/// How the first attempt ends.
async fn first_end(config: Config) -> ConnectionEnd {
    let (_terminal, mut reports) = start(config);
    match soon(reports.recv()).await {
        Some(Incoming::Offline { end, .. }) => end,
        other => panic!("{other:?}"),
    }
}

/// Why TLS failed in the first attempt.
async fn fault(config: Config) -> String {
    match first_end(config).await {
        ConnectionEnd::TlsFailed(why) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_session_by_tls_is_like_any_other_and_the_server_is_told_its_name() {
    let made = Certificates::make();
    let (node, front) = node_by_tls(&made).await;
    let url = format!("wss://localhost:{}/ws", front.address.port());
    let (_terminal, mut reports) = start(trusting(url, &made, "ca.pem"));
    let mut peer = node.welcome().await;
    assert!(matches!(soon(reports.recv()).await, Some(Incoming::Online { .. })));
    peer.send(FromNode::Command(command(1, None))).await;
    assert_eq!(peer.receive().await, FromTerminal::Ack(Ack { id: id(1) }));
    assert_eq!(front.names(), [Some("localhost".to_owned())]);
    peer.close(4003, "").await;
    node.welcome().await;
}

#[tokio::test]
async fn a_plain_terminal_speaks_tls_too() {
    let made = Certificates::make();
    let (node, front) = node_by_tls(&made).await;
    let plain = Config { protocol: Protocol::Plain, ..trusting(wss(front.address), &made, "ca.pem") };
    let (terminal, _reports) = start(plain);
    let (mut peer, request) = node.upgrade().await;
    assert_eq!(request.headers()["Host"], front.address.to_string());
    terminal.send_text("hello").await.unwrap();
    assert_eq!(peer.receive_message().await.to_text().unwrap(), "hello");
}

#[tokio::test]
async fn a_ca_that_is_not_trusted_is_told_with_the_file_of_those_that_are() {
    let made = Certificates::make();
    let (_node, front) = node_by_tls(&made).await;
    let told = fault(trusting(wss(front.address), &made, "other.pem")).await;
    let (peer, file) = (front.address, made.file("other.pem"));
    let begin = format!("{peer}: the server's certificate is not accepted: no CA that is trusted here has signed it");
    assert_eq!(told, format!("{begin}; those that are trusted are in ca {}", file.display()));
}

#[tokio::test]
async fn a_certificate_for_another_name_is_told_with_both_names() {
    let made = Certificates::make();
    let node = FakeNode::bind().await;
    let front = TlsFront::start(&made, "server", "127.0.0.2", node.address()).await;
    let told = fault(trusting(wss(front.address), &made, "ca.pem")).await;
    assert!(told.contains("not valid for name \"127.0.0.2\"") && told.contains("localhost"), "{told}");
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_told() {
    let made = Certificates::make();
    made.make_expired();
    let (_node, front) = node_by_tls(&made).await;
    front.show(&made, "expired", false);
    let told = fault(trusting(wss(front.address), &made, "ca.pem")).await;
    assert!(told.contains("it expired") && told.contains("by the clock of this host"), "{told}");
}

#[tokio::test]
async fn an_insecure_terminal_accepts_every_certificate() {
    let made = Certificates::make();
    let (node, front) = node_by_tls(&made).await;
    let (_terminal, _reports) =
        start(with_files(wss(front.address), TlsFiles { insecure: true, ..TlsFiles::default() }));
    node.welcome().await;
}

#[tokio::test]
async fn a_server_that_demands_a_certificate_gets_it_and_the_lack_of_one_is_told() {
    let made = Certificates::make();
    let (node, front) = node_by_tls(&made).await;
    front.show(&made, "server", true);
    let (_terminal, mut reports) = start(trusting(wss(front.address), &made, "ca.pem"));
    // A server may close the connection before its refusal is read.
    let told = soon(async {
        loop {
            match reports.recv().await {
                Some(Incoming::Offline { end: ConnectionEnd::TlsFailed(why), .. }) => break why,
                Some(Incoming::Offline { end: ConnectionEnd::Lost(_), .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    });
    let told = told.await;
    assert!(told.contains("does it require a client certificate") && told.ends_with("with cert and key"), "{told}");
    let files = TlsFiles {
        ca: Some(made.file("ca.pem")),
        cert: Some(made.file("client.pem")),
        key: Some(made.file("client.key")),
        ..TlsFiles::default()
    };
    let (_terminal, _reports) = start(with_files(wss(front.address), files));
    node.welcome().await;
}

#[tokio::test]
async fn a_server_without_tls_behind_wss_is_named() {
    let made = Certificates::make();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // Bytes that are not read would reset the connection.
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let told = fault(trusting(wss(address), &made, "ca.pem")).await;
    assert!(told.starts_with(&format!("{address} does not speak TLS; write ws:// instead of wss://")), "{told}");
}

#[tokio::test]
async fn a_server_of_tls_behind_ws_is_named() {
    let made = Certificates::make();
    let (_node, front) = node_by_tls(&made).await;
    let told = fault(config([format!("ws://{}/ws", front.address)])).await;
    assert_eq!(told, format!("{} speaks TLS; write wss:// instead of ws://", front.address));
}

#[tokio::test]
async fn a_file_that_is_renewed_is_used_for_the_next_attempt() {
    let made = Certificates::make();
    let (node, front) = node_by_tls(&made).await;
    let put = |name: &str| {
        fs::copy(made.file(name), made.file("next")).unwrap();
        fs::rename(made.file("next"), made.file("trusted")).unwrap();
    };
    put("other.pem");
    let (_terminal, mut reports) = start(trusting(wss(front.address), &made, "trusted"));
    assert!(matches!(soon(reports.recv()).await, Some(Incoming::Offline { end: ConnectionEnd::TlsFailed(_), .. })));
    put("ca.pem");
    node.welcome().await;
}

#[tokio::test]
async fn files_that_can_not_be_used_are_refused_at_the_start() {
    let made = Certificates::make();
    let refused = |config: Config| Terminal::start(config, mpsc::channel(1).0).unwrap_err();
    let absent = refused(trusting("wss://h/ws".into(), &made, "absent")).to_string();
    assert!(absent.starts_with("ca /") && absent.contains("absent: No such file"), "{absent}");
    let unused = refused(trusting("ws://h/ws".into(), &made, "ca.pem"));
    assert_eq!(unused, ConfigError::TlsUnused { setting: "ca" });
}

//! The Rust client renews its token at a node, and its session goes on beyond the first token's end.

use std::{fs, time::Duration};

use muster_client::{TlsFiles, TlsSource, TokenSource};
use muster_protocol::token::{Secret, TerminalClaims, sign, unverified_expiry};
use muster_testkit::{Certificates, TestNode, TlsFront, http::get, token::SECRET, wait::until};

use crate::token::now;

/// How long the first token is valid, in seconds.
const FIRST: u64 = 4;

fn first(renew: Option<u64>) -> String {
    let claims = TerminalClaims { renew, ..TerminalClaims::new("t1".parse().unwrap(), now() + FIRST) };
    sign(&SECRET.parse::<Secret>().unwrap(), &claims)
}

#[tokio::test]
async fn a_token_that_allows_it_is_renewed_in_its_file_and_the_session_goes_on() {
    let node = TestNode::start(&["--insecure", "--secret", SECRET]).await;
    let (file, token) = (tempfile::NamedTempFile::new().unwrap(), first(Some(3600)));
    fs::write(file.path(), &token).unwrap();
    let source =
        TokenSource::renewed_file(file.path(), [format!("ws://{}/ws", node.address)], &TlsSource::default()).unwrap();
    let mut terminal = node.terminal_with("t1", |config| config.token = Some(source)).await;
    let in_file = || fs::read_to_string(file.path()).unwrap();
    until("the file has a later token", async || unverified_expiry(&in_file()) > unverified_expiry(&token)).await;
    until("the first token is over", async || now() > unverified_expiry(&token).unwrap() + 2).await;
    assert!(terminal.is_quiet(), "the session goes on");
    assert_eq!(get(node.address, "/v1/terminals/t1").await.1["status"], "online");
    node.stop().await;
}

#[tokio::test]
async fn a_token_is_renewed_by_tls() {
    let node = TestNode::start(&["--insecure", "--secret", SECRET]).await;
    let made = Certificates::make();
    let front = TlsFront::start(&made, "server", "127.0.0.1", node.address).await;
    let (file, token) = (tempfile::NamedTempFile::new().unwrap(), first(Some(3600)));
    fs::write(file.path(), &token).unwrap();
    let url = format!("wss://{}/ws", front.address);
    let tls = TlsSource::files(TlsFiles { ca: Some(made.file("ca.pem")), ..TlsFiles::default() });
    let source = TokenSource::renewed_file(file.path(), [url.as_str()], &tls).unwrap();
    let terminal = node.terminal_with("t1", |config| {
        config.urls = vec![url];
        config.tls = tls;
        config.token = Some(source);
    });
    let _terminal = terminal.await;
    let in_file = || fs::read_to_string(file.path()).unwrap();
    until("the file has a later token", async || unverified_expiry(&in_file()) > unverified_expiry(&token)).await;
    assert_eq!(front.names().len(), 2, "the session and the renewal");
    node.stop().await;
}

#[tokio::test]
async fn a_token_that_does_not_allow_it_is_told_with_the_words_of_the_node() {
    let node = TestNode::start(&["--insecure", "--secret", SECRET]).await;
    let (file, token) = (tempfile::NamedTempFile::new().unwrap(), first(None));
    fs::write(file.path(), &token).unwrap();
    let nobody = format!("ws://127.0.0.1:{}/ws", muster_testkit::free_port());
    let urls = [nobody, format!("ws://{}/ws", node.address)];
    let source = TokenSource::renewed_file(file.path(), urls, &TlsSource::default()).unwrap();
    let mut terminal = node.terminal_with("t1", |config| config.token = Some(source)).await;
    let told = format!("{:?}", tokio::time::timeout(Duration::from_secs(FIRST * 2), terminal.next()).await);
    assert!(told.contains("TokenUnavailable") && told.contains("it has no claim renew"), "{told}");
    assert!(!told.contains(&token), "{told}");
    assert_eq!(fs::read_to_string(file.path()).unwrap(), token);
    node.stop().await;
}

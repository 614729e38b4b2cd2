//! SIGHUP: a node reads the keys of tokens again, and goes on.

use std::fs;

use muster_protocol::token::{OperatorClaims, Scope, Secret, sign};
use muster_testkit::{http::request, token::NEVER, wait::until};
use rustix::process::Signal;

use crate::program::Program;

fn secret(kid: &str) -> Secret {
    format!("{kid}={}", kid.repeat(20)).parse().unwrap()
}

/// The request of an operator whose key this secret has signed.
fn call(secret: &Secret) -> String {
    let key = sign(secret, &OperatorClaims::new("op", NEVER, Scope::Read));
    format!("GET /v1/nodes HTTP/1.1\r\nAuthorization: Bearer {key}\r\n")
}

#[tokio::test]
async fn a_secret_that_was_added_is_accepted_and_a_file_that_cannot_be_used_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (file, pid_file) = (folder.path().join("secret"), folder.path().join("node.pid"));
    let (old, new) = (secret("k1"), secret("k2"));
    fs::write(&file, old.reveal()).unwrap();
    let flags = ["--secret-file", file.to_str().unwrap(), "--pid-file", pid_file.to_str().unwrap()];
    let node = Program::start(&flags);
    let address = node.ready().await;
    assert_eq!(fs::read_to_string(&pid_file).unwrap(), format!("{}\n", node.0.process.child.id()));
    let status = async |secret: &Secret| request(address, &call(secret)).await.0;
    assert_eq!((status(&old).await, status(&new).await), (200, 401));

    fs::write(&file, "k2=short\n").unwrap();
    node.signal(Signal::HUP);
    until("the log names the flag", async || node.0.stderr().contains("--secret-file")).await;
    assert!(!node.0.stderr().contains("short"));
    assert_eq!((status(&old).await, status(&new).await), (200, 401));

    fs::write(&file, format!("{}\n{}\n", new.reveal(), old.reveal())).unwrap();
    for _ in 0..10 {
        node.signal(Signal::HUP);
    }
    until("the new secret is accepted", async || status(&new).await == 200).await;
    assert_eq!(status(&old).await, 200);
    node.signal(Signal::TERM);
    assert!(node.ends().await.0.success());
    assert!(!pid_file.exists());
}

#[tokio::test]
async fn a_node_without_files_goes_on() {
    let node = Program::start(&["--insecure"]);
    let address = node.ready().await;
    node.signal(Signal::HUP);
    until("the log says so", async || node.0.stderr().contains("SIGHUP: no flag names a file")).await;
    assert_eq!(request(address, "GET /readyz HTTP/1.1\r\n").await.0, 200);
}

//! `muster-node key`: makes keys with limits, and lists and revokes keys by the API of a node.

use std::{
    io::Write,
    process::{Command, Output},
};

use muster_protocol::token::Scope;
use muster_testkit::{
    TestNode,
    http::request,
    token::{SECRET, key_of},
    wait::until,
};
use tempfile::NamedTempFile;

/// What the program prints, or its error.
async fn run(arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster-node"));
    command.args(arguments).env_clear();
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if status.success() { Ok(text(stdout)) } else { Err(text(stderr)) }
}

async fn answer(node: &TestNode, path: &str, key: &str) -> u16 {
    request(node.address, &format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {}\r\n", key.trim())).await.0
}

#[tokio::test]
async fn a_key_is_made_listed_and_revoked() {
    let node = TestNode::start(&["--secret", SECRET]).await;
    let limits = ["--label", "shop=7", "--command", "show"];
    let make = [&["key", "--scope", "admin", "--name", "ann", "--secret", SECRET], &limits[..]].concat();
    let key = run(&make).await.unwrap();
    assert_eq!((answer(&node, "/v1/terminals", &key).await, answer(&node, "/v1/fleet", &key).await), (200, 403));
    let mut admin = NamedTempFile::new().unwrap();
    writeln!(admin, "{}", key_of("op", Scope::Admin)).unwrap();
    let url = format!("http://{}", node.address);
    let api = ["--url", &url, "--key-file", admin.path().to_str().unwrap()];
    let list = [&["key", "list"], &api[..]].concat();
    let mut line = None;
    until("the key is listed", async || {
        line = run(&list).await.unwrap().lines().find(|line| line.contains("\tann\t")).map(str::to_owned);
        line.is_some()
    })
    .await;
    let line = line.unwrap();
    assert!(line.contains("\tadmin\tshop=7, command show\t"), "{line}");
    let id = line.split('\t').next().unwrap();
    let told = run(&[&["key", "revoke", id], &api[..]].concat()).await.unwrap();
    assert!(told.starts_with("revoked until 20") && told.contains(id), "{told}");
    until("the key is refused", async || answer(&node, "/v1/terminals", &key).await == 401).await;
    until("the list says so", async || run(&list).await.unwrap().contains("\trevoked\n")).await;
    node.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_said_by_the_flag_or_by_the_node() {
    let node = TestNode::start(&["--secret", SECRET]).await;
    let mut reader = NamedTempFile::new().unwrap();
    writeln!(reader, "{}", key_of("op", Scope::Read)).unwrap();
    let (url, file) = (format!("http://{}", node.address), reader.path().to_str().unwrap().to_owned());
    for (arguments, says) in [
        (vec!["key", "--secret", SECRET], "--scope"),
        (vec!["key", "--scope", "read", "--secret", SECRET, "--command", ""], "commands: at most 64"),
        (vec!["key", "list"], "--key-file"),
        (vec!["key", "list", "--url", &url, "--key-file", "/nonexistent"], "--key-file /nonexistent"),
        (vec!["key", "list", "--url", &url, "--key-file", &file], "the answer is 403: the key's scope is read"),
        (vec!["key", "revoke", "a/b", "--url", &url, "--key-file", &file], "ID: "),
        (vec!["key", "list", "--url", "http://10.0.0.1:1", "--key-file", &file], "--http"),
    ] {
        let told = run(&arguments).await.unwrap_err();
        assert!(told.contains(says), "{arguments:?}: {told}");
    }
    node.stop().await;
}

//! Files that arrive.

use std::fs;

use muster_testkit::{Certificates, TlsFront};
use serde_json::{Value, json};

use crate::{
    connected_box::ConnectedBox,
    signing::SigningKey,
    web_server::{WebServer, breaking_server, sha256},
};

#[tokio::test]
async fn a_file_arrives_whole_though_the_connection_breaks_and_a_wrong_one_is_not_kept() {
    let content: Vec<u8> = (0..300_000u32).map(|number| (number * 7) as u8).collect();
    let server = breaking_server(content.clone(), false).await;
    let folder = tempfile::tempdir().unwrap();
    let started = ConnectedBox::start(&format!("[files]\nfolder = '{}'\nhttp = true", folder.path().display())).await;
    let file = |sha256: &str| json!({ "url": format!("http://{server}/menu"), "sha256": sha256, "size": content.len(), "name": "menu.json" });
    let target = started.run("file", file(&sha256(&content))).await;
    assert_eq!((&target["state"], &target["payload"]["bytes"]), (&json!("succeeded"), &json!(300_000)), "{target}");
    assert_eq!(fs::read(folder.path().join("menu.json")).unwrap(), content);
    let target = started.run("file", file(&"0".repeat(64))).await;
    assert!(
        target["state"] == "failed" && target["payload"]["error"].as_str().unwrap().contains("SHA-256"),
        "{target}"
    );
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["menu.json"]);
    started.node.stop().await;
}

/// The payload of the command `file`.
fn payload(server: &WebServer, name: &str, content: &[u8], signature: Option<String>) -> Value {
    let url = server.serve(name, content);
    json!({ "url": url, "sha256": sha256(content), "size": content.len(), "name": name, "signature": signature })
}

#[tokio::test]
async fn a_file_that_may_be_run_needs_a_signature_and_must_not_be_older() {
    let (server, folder, key) = (WebServer::start().await, tempfile::tempdir().unwrap(), SigningKey::new(1));
    let show = folder.path().join("show");
    let settings = format!(
        "signers = ['{}', '{}']\n[files]\nfolder = '{}'\nprograms = ['show']\nhttp = true\n[commands.show]\nprogram = ['{}']",
        SigningKey::new(2).public(),
        key.public(),
        folder.path().display(),
        show.display()
    );
    let started = ConnectedBox::start(&settings).await;
    let script = |version: &str| format!("#!/bin/sh\necho {version}\n").into_bytes();
    let signed = |key: &SigningKey, name: &str, version: &str| {
        let content = script(version);
        let signature = key.sign(&content, &format!("name:{name} version:{version}"));
        payload(&server, "show", &content, Some(signature))
    };
    let target = started.run("file", signed(&key, "show", "1.10")).await;
    assert_eq!((&target["state"], &target["payload"]["version"]), (&json!("succeeded"), &json!("1.10")), "{target}");
    assert_eq!(started.run("show", Value::Null).await["payload"]["output"], "1.10\n");

    let of_other_content = Some(key.sign(b"other", "name:show version:2"));
    for (payload, state, says) in [
        (payload(&server, "show", &script("2"), None), "rejected", "signature"),
        (payload(&server, "show", &script("2"), Some("x".into())), "rejected", "minisign"),
        (signed(&SigningKey::new(3), "show", "2"), "rejected", "none of this box's keys"),
        (signed(&key, "other", "2"), "rejected", "other"),
        (signed(&key, "show", "1.9"), "rejected", "older"),
        (payload(&server, "show", &script("2"), of_other_content), "failed", "not that of this file"),
    ] {
        let target = started.run("file", payload).await;
        assert!(target["state"] == state && target["payload"].to_string().contains(says), "{says}: {target}");
    }
    assert_eq!(started.run("show", Value::Null).await["payload"]["output"], "1.10\n");
    let target = started.run("file", signed(&key, "show", "1.11")).await;
    assert_eq!(target["state"], "succeeded", "{target}");
    assert_eq!(started.run("show", Value::Null).await["payload"]["output"], "1.11\n");
    started.node.stop().await;
}

#[tokio::test]
async fn a_file_comes_from_a_server_whose_certificate_is_trusted() {
    let (server, folder, made) = (WebServer::start().await, tempfile::tempdir().unwrap(), Certificates::make());
    let front = TlsFront::start(&made, "server", "127.0.0.1", server.address).await;
    let settings = format!("[files]\nfolder = '{}'", folder.path().display());
    let (started, _front) = ConnectedBox::start_with_tls(&made, &settings).await;
    let mut payload = payload(&server, "menu", b"a menu", None);
    assert_eq!(started.run("file", payload.clone()).await["state"], "rejected");
    payload["url"] = format!("https://{}/menu", front.address).into();
    let target = started.run("file", payload).await;
    assert_eq!(target["state"], "succeeded", "{target}");
    assert_eq!(fs::read(folder.path().join("menu")).unwrap(), b"a menu");
    started.node.stop().await;
}

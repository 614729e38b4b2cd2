//! Files that operators ask for.

use std::fs;

use hyper::StatusCode;
use muster_testkit::{Certificates, TlsFront, wait::until};
use serde_json::json;

use crate::{connected_box::ConnectedBox, web_server::WebServer};

#[tokio::test]
async fn a_file_of_an_allowed_folder_is_sent_again_until_the_server_takes_it() {
    let (server, folder, made) = (WebServer::start().await, tempfile::tempdir().unwrap(), Certificates::make());
    let front = TlsFront::start(&made, "server", "127.0.0.1", server.address).await;
    let content: Vec<u8> = (0..300_000u32).map(|number| (number * 7) as u8).collect();
    let log = folder.path().join("app.log");
    fs::write(&log, &content).unwrap();
    let settings = format!("[upload]\nfolders = ['{}']", folder.path().display());
    let (started, _front) = ConnectedBox::start_with_tls(&made, &settings).await;
    server.refuse(StatusCode::SERVICE_UNAVAILABLE);
    let url = format!("https://{}/logs?signature=x", front.address);
    let payload = json!({ "path": log, "url": url, "headers": { "x-ms-blob-type": "BlockBlob" } });
    let target = started.run("upload", payload).await;
    assert_eq!((&target["state"], &target["payload"]["bytes"]), (&json!("succeeded"), &json!(300_000)), "{target}");
    assert_eq!(target["payload"]["attempts"], 2);
    let [(headers, taken)] = &server.taken()[..] else { panic!("{} files were taken", server.taken().len()) };
    assert_eq!(headers["x-ms-blob-type"], "BlockBlob");
    assert_eq!(headers["content-length"], "300000");
    assert_eq!(*taken, content);
    started.node.stop().await;
}

#[tokio::test]
async fn what_may_not_be_sent_or_is_refused_says_why() {
    let (server, folder) = (WebServer::start().await, tempfile::tempdir().unwrap());
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    fs::write(logs.join("app.log"), "a log").unwrap();
    fs::write(folder.path().join("secret"), "a secret").unwrap();
    std::os::unix::fs::symlink("../secret", logs.join("out")).unwrap();
    let started = ConnectedBox::start(&format!("[upload]\nfolders = ['{}']\nhttp = true", logs.display())).await;
    let url = format!("http://{}/x", server.address);
    let path = |name: &str| format!("{}/{name}", logs.display());
    for (payload, says) in [
        (json!({ "path": path("../secret"), "url": url }), "in none of"),
        (json!({ "path": path("out"), "url": url }), "leads out"),
        (json!({ "path": path("missing"), "url": url }), "can't be read"),
        (json!({ "path": "/etc/passwd", "url": url }), "in none of"),
        (json!({ "path": path("app.log"), "url": "ftp://files/x" }), "https://"),
        (json!({ "path": path("app.log"), "url": url, "headers": { "Host": "other" } }), "headers"),
    ] {
        let target = started.run("upload", payload).await;
        assert!(target["state"] == "rejected" && target["payload"].to_string().contains(says), "{says}: {target}");
    }
    server.refuse(StatusCode::FORBIDDEN);
    let target = started.run("upload", json!({ "path": path("app.log"), "url": url })).await;
    let error = target["payload"]["error"].as_str().unwrap_or_default();
    assert!(target["state"] == "failed" && error.contains("403") && error.contains("the reason"), "{target}");
    assert!(server.taken().is_empty());
    started.node.stop().await;
}

#[tokio::test]
async fn a_file_that_is_sent_slowly_is_reported_as_progress() {
    let (server, folder) = (WebServer::start().await, tempfile::tempdir().unwrap());
    // More than what the buffers of the connection take.
    fs::write(folder.path().join("core"), vec![7; 32 << 20]).unwrap();
    let settings = format!("[upload]\nfolders = ['{}']\nhttp = true", folder.path().display());
    let started = ConnectedBox::start(&settings).await;
    server.hold();
    let url = format!("http://{}/x", server.address);
    let id = started.send("upload", json!({ "path": folder.path().join("core"), "url": url })).await;
    until("a part is sent", async || started.target(&id).await["state"] == "running").await;
    server.go_on();
    assert_eq!(started.ended(&id).await["state"], "succeeded");
    assert_eq!(server.taken()[0].1.len(), 32 << 20);
    started.node.stop().await;
}

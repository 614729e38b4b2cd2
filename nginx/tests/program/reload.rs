//! SIGHUP: the sidecar reads its files again, and goes on.

use std::{fs, process::Command, time::Duration};

use muster_testkit::{Certificates, TestRedis, wait::until};
use redis::{Client, Connection, cmd};
use rustix::process::Signal;
use tokio::time;

use crate::proxy::{Proxy, status};

const OWN: &str = "location = /own { return 204; }\n";

#[tokio::test]
async fn a_changed_snippet_is_applied_at_once_and_a_broken_one_changes_nothing() {
    let (proxy, address) = Proxy::ready(&["--poll", "60s"]).await;
    assert_eq!(status(address, "/own").await, 503, "there is no node");
    proxy.write_snippet(OWN);
    proxy.sidecar.process.signal(Signal::HUP);
    until("the snippet is applied", async || status(address, "/own").await == 204).await;
    proxy.write_snippet("location = /own { return 205\n");
    proxy.sidecar.process.signal(Signal::HUP);
    until("the broken snippet is refused", async || proxy.sidecar.stdout().contains(r#""result":"refused""#)).await;
    assert_eq!(status(address, "/own").await, 204);
    proxy.write_snippet("location = /own { return 201; }\n");
    proxy.sidecar.process.signal(Signal::HUP);
    until("the snippet is applied", async || status(address, "/own").await == 201).await;
}

#[tokio::test]
async fn ten_signals_in_a_second_end_nothing_and_are_few_reloads() {
    let (mut proxy, address) = Proxy::ready(&[]).await;
    for _ in 0..10 {
        proxy.sidecar.process.signal(Signal::HUP);
        time::sleep(Duration::from_millis(100)).await;
    }
    until("the files were read again", async || proxy.rereads() > 0).await;
    assert!(proxy.reloads() <= 2, "{}", proxy.sidecar.stdout());
    assert_eq!(status(address, "/livez").await, 503, "there is no node");
    assert!(proxy.sidecar.process.child.try_wait().unwrap().is_none());
}

#[tokio::test]
async fn a_renewed_certificate_is_served_at_once() {
    let certificates = Certificates::make();
    let [cert, key] = ["server.pem", "server.key"].map(|name| certificates.file(name).display().to_string());
    let (proxy, _) = Proxy::ready(&["--poll", "60s", "--tls-cert", &cert, "--tls-key", &key]).await;
    let before = fs::read(&cert).unwrap();
    certificates.openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3 -extfile san -out server.pem",
    );
    assert!(fs::read(&cert).unwrap() != before);
    proxy.sidecar.process.signal(Signal::HUP);
    let applied = r#""decision":"reload","generation":2"#;
    until("it is served", async || proxy.sidecar.stdout().contains(applied)).await;
    let copy = proxy.dir.path().join("current/own/certificate.pem");
    assert_eq!(fs::read(copy).unwrap(), fs::read(&cert).unwrap());
}

/// Gives Redis another password. Connections of others are ended, since one that was let in once stays so.
fn set_password(redis: &mut Connection, password: &str) {
    let () = cmd("CONFIG").arg(&["SET", "requirepass", password]).query(redis).unwrap();
    let () = cmd("CLIENT").arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"]).query(redis).unwrap();
}

#[tokio::test]
async fn secrets_and_the_password_of_redis_are_read_again_and_a_file_that_cannot_be_used_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (secrets, password) = (folder.path().join("secrets"), folder.path().join("password"));
    fs::write(&secrets, format!("one={}\n", "1".repeat(40))).unwrap();
    fs::write(&password, "first\n").unwrap();
    let mut redis = None;
    let change = |command: &mut Command, server: &TestRedis| {
        let mut connection = Client::open(server.url.as_str()).unwrap().get_connection().unwrap();
        set_password(&mut connection, "first");
        redis = Some(connection);
        command.arg("--cluster-secret-file").arg(&secrets).arg("--redis-password-file").arg(&password);
    };
    let proxy = Proxy::start_with(&["--poll", "100ms"], change).await;
    proxy.printed("ready").await;
    set_password(&mut redis.unwrap(), "second");
    until("Redis refuses the sidecar", async || proxy.metric("redis_up").await == 0.0).await;

    fs::write(&secrets, "one=short\n").unwrap();
    proxy.sidecar.process.signal(Signal::HUP);
    until("the log names the flag", async || proxy.sidecar.stderr().contains("--cluster-secret-file")).await;
    assert!(!proxy.sidecar.stderr().contains("=short"));

    fs::write(&secrets, format!("two={}\n", "2".repeat(40))).unwrap();
    fs::write(&password, "third\n").unwrap();
    proxy.sidecar.process.signal(Signal::HUP);
    until("the log names the flag", async || proxy.sidecar.stderr().contains("--redis-password-file")).await;
    assert!(!proxy.sidecar.stderr().contains("third"));

    fs::write(&password, "second\n").unwrap();
    proxy.sidecar.process.signal(Signal::HUP);
    until("Redis lets the sidecar in", async || proxy.metric("redis_up").await == 1.0).await;
}

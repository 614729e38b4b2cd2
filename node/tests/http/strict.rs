//! Requests that two programs may read differently, and handshakes that can't become a session, as bytes.

use muster_testkit::{
    TestNode,
    http::{get, head_of_answer, raw},
    wait::until,
};

/// A handshake in which the line `header` takes the place of the header with that name, or is added.
fn handshake(header: &str) -> String {
    let lines = [
        "Host: a",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let name = header.split(':').next().unwrap();
    let kept = lines.iter().filter(|line| !line.starts_with(&format!("{name}:")));
    let lines: Vec<_> = kept.copied().chain([header]).filter(|line| !line.is_empty()).collect();
    format!("GET /ws?terminal_id=t1 HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n"))
}

/// Checks that the node answers with this status and a text that says this, and closes the connection.
async fn is_refused(node: &TestNode, bytes: &str, status: u16, says: &str) {
    let answer = raw(node.address, bytes.as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{bytes}: no answer"));
    assert_eq!(head.split(' ').nth(1), Some(&*status.to_string()), "{bytes}{answer}");
    assert!(body.contains(says), "{bytes}{answer}");
    assert!(head.contains("connection: close"), "{bytes}{answer}");
}

#[tokio::test]
async fn a_request_with_two_readings_is_refused_with_the_header_and_its_connection_closed() {
    let node = TestNode::start(&["--insecure"]).await;
    let api = |headers: &str| format!("GET /v1/fleet HTTP/1.1\r\n{headers}\r\n");
    for (bytes, says) in [
        (api(""), "no Host header"),
        (api("Host: a\r\nHost: a\r\n"), "several Host headers"),
        (api("Host: a\r\nhost: b\r\n"), "several Host headers"),
        (api("Host:\r\n"), "Host header is no host"),
        (api("Host: a b\r\n"), "Host header is no host"),
        (api("Host: a,b\r\n"), "Host header is no host"),
        (api("Host: user@a\r\n"), "Host header is no host"),
        (api("Host: a:port\r\n"), "Host header is no host"),
        (api("Host: http://a/\r\n"), "Host header is no host"),
        (api("Host: a\r\nAuthorization: Bearer x\r\nAuthorization: Bearer y\r\n"), "several Authorization headers"),
        (api("Host: a\r\nOrigin: http://a\r\nOrigin: http://b\r\n"), "several Origin headers"),
        (api("Host: a\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n"), "several Idempotency-Key headers"),
        (api("Host: a\r\nLast-Event-ID: a\r\nLast-Event-ID: b\r\n"), "several Last-Event-ID headers"),
        (handshake("Host: a\r\nHost: b"), "several Host headers"),
        (handshake("Host:"), "Host header is no host"),
        (handshake("Host: a").replace("Host: a\r\n", ""), "no Host header"),
        (handshake("Transfer-Encoding: chunked"), "has Transfer-Encoding"),
        (handshake("Content-Length: 5") + "hello", "has Content-Length"),
        (handshake("Content-Length: 5\r\nTransfer-Encoding: chunked"), "has Transfer-Encoding"),
        (handshake("Transfer-Encoding: chunked\r\nContent-Length: 5"), "has Transfer-Encoding"),
        (handshake("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13"), "several Sec-WebSocket-Version headers"),
        (handshake("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8"), "several Sec-WebSocket-Version headers"),
        (
            handshake("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="),
            "several Sec-WebSocket-Key headers",
        ),
    ] {
        is_refused(&node, &bytes, 400, says).await;
    }
    // HTTP itself can't read these: the answer has no text.
    for bytes in [
        api("Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n"),
        api("Host: a\r\nContent-Length: +1\r\n"),
        api("Host: a\r\nTransfer-Encoding: gzip\r\n"),
        api("Host: a\r\n folded: x\r\n"),
        "GET /v1/fleet HTTP/1.1\r\nHost : a\r\n\r\n".into(),
    ] {
        is_refused(&node, &bytes, 400, "").await;
    }
    node.stop().await;
}

#[tokio::test]
async fn a_handshake_that_contradicts_itself_is_refused_with_what_is_wrong() {
    let node = TestNode::start(&["--insecure"]).await;
    let token = "muster.bearer.a";
    for (header, status, says) in [
        ("Sec-WebSocket-Version: 13, 8".to_owned(), 400, "Sec-WebSocket-Version must be 13"),
        ("Sec-WebSocket-Key: short".into(), 400, "Sec-WebSocket-Key must be"),
        (format!("Sec-WebSocket-Protocol: muster.v1, {token}, muster.bearer.b"), 400, "several tokens"),
        (format!("Sec-WebSocket-Protocol: muster.v1, {token}\r\nAuthorization: Bearer b"), 400, "two tokens"),
        ("Sec-WebSocket-Protocol: mqtt".into(), 400, "--plain-protocols"),
        ("Upgrade: h2c".into(), 426, "Upgrade: websocket is missing"),
        ("Connection: close".into(), 426, "Connection: Upgrade is missing"),
    ] {
        let bytes = handshake(&header);
        let answer = raw(node.address, bytes.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(says), "{bytes}{answer}");
    }
    let twice = handshake("Connection: Upgrade, close").replace("terminal_id=t1", "terminal_id=t1&terminal_id=t2");
    assert!(raw(node.address, twice.as_bytes()).await.contains("terminal_id is there twice"));
    node.stop().await;
}

#[tokio::test]
async fn a_handshake_in_http_1_0_is_answered_with_what_the_proxy_lacks() {
    let node = TestNode::start(&["--insecure"]).await;
    for bytes in [
        handshake("Host: a").replace("HTTP/1.1", "HTTP/1.0"),
        "GET /ws?terminal_id=t1 HTTP/1.0\r\nHost: a\r\nConnection: close\r\n\r\n".into(),
    ] {
        let answer = raw(node.address, bytes.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.0 505 ") && answer.contains("proxy_http_version 1.1"), "{answer}");
    }
    let probe = raw(node.address, b"GET /livez HTTP/1.0\r\n\r\n").await;
    assert!(probe.starts_with("HTTP/1.0 200 "), "HTTP/1.0 without a Host is taken elsewhere: {probe}");
    assert_eq!(get(node.address, "/v1/terminals/t1").await.0, 404);
    node.stop().await;
}

#[tokio::test]
async fn a_handshake_that_also_says_close_is_answered_with_upgrade_alone() {
    let node = TestNode::start(&["--insecure"]).await;
    for connection in ["close, Upgrade", "Upgrade, close", "keep-alive, Upgrade", "upgrade\r\nConnection: close"] {
        let head = handshake(&format!("Connection: {connection}\r\nContent-Length: 0")).replace("Host: a\r\n", "");
        let answer = head_of_answer(node.address, head.strip_suffix("\r\n").unwrap()).await;
        let says: Vec<_> = answer.lines().filter(|line| line.starts_with("connection:")).collect();
        assert!(answer.starts_with("HTTP/1.1 101 ") && says == ["connection: Upgrade"], "{connection}: {answer}");
    }
    until("it was a session", async || get(node.address, "/v1/terminals/t1").await.1["status"] == "offline").await;
    node.stop().await;
}

#[tokio::test]
async fn a_length_beside_a_transfer_encoding_ends_the_connection_before_another_request_is_read() {
    let node = TestNode::start(&["--insecure"]).await;
    let hidden = "DELETE /v1/terminals/t1 HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = "Content-Length: 5\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    for headers in [[length, chunked].concat(), [chunked, length].concat()] {
        let bytes = format!("POST /v1/nodes/rebalance HTTP/1.1\r\nHost: a\r\n{headers}\r\n0\r\n\r\n{hidden}");
        let answer = raw(node.address, bytes.as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    node.stop().await;
}

#[tokio::test]
async fn an_answer_reaches_a_client_whose_body_nobody_reads() {
    let node = TestNode::start(&["--insecure"]).await;
    let body = "x".repeat(900_000);
    for head in [
        handshake(&format!("Content-Length: {}", body.len())),
        format!("POST /v1/commands HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()),
        format!("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()),
    ] {
        let answer = raw(node.address, (head + &body).as_bytes()).await;
        assert!(answer.contains("application/problem+json") && answer.ends_with('}'), "{answer}");
    }
    node.stop().await;
}

//! What a node refuses, and how it says so: before the upgrade by an HTTP problem, after it by a close code. None of it ends the node.

use futures_util::{SinkExt, StreamExt};
use muster_protocol::token::Scope;
use muster_testkit::{
    TestNode, http,
    http::{get, head_of_answer, post, request},
    token::{NEVER, SECRET, key, token},
    wait::soon,
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

/// The status of a handshake with this query and these further headers, and the body of the answer.
async fn handshake(node: &TestNode, query: &str, headers: &str) -> (u16, String) {
    let (status, _, body) = request(node.address, &http::handshake(query, headers)).await;
    (status, body)
}

#[tokio::test]
async fn a_handshake_is_refused_before_the_upgrade_with_what_to_do() {
    let node = TestNode::start(&["--secret", SECRET]).await;
    let bearer = |token: String| format!("Authorization: Bearer {token}\r\n");
    let none = "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.eyJzdWIiOiJ0MSIsImV4cCI6NDAwMDAwMDAwMH0.".to_owned();
    let good = bearer(token("t1", NEVER));
    for (query, headers, status, says) in [
        ("?terminal_id=t1", String::new(), 401, "Authorization: Bearer"),
        ("?terminal_id=t1", bearer(token("t1", 1)), 401, "expired"),
        ("?terminal_id=t1", bearer(token("t2", NEVER)), 403, "another terminal"),
        ("?terminal_id=t1", bearer(none), 401, "refused"),
        ("?terminal_id=t1", bearer(key(Scope::Admin)), 401, "refused"),
        ("?terminal_id=t1&token=x", good.clone(), 400, "a token in the URL"),
        ("?terminal_id=t%0a1", good.clone(), 400, "terminal_id: a terminal id must be"),
        ("", String::new(), 401, "Authorization: Bearer"),
        ("", bearer(token("t1", 1)), 401, "expired"),
        ("?terminal_id=", good.clone(), 400, "terminal_id: a terminal id must be"),
        ("?terminal_id=t1", format!("{good}Sec-WebSocket-Protocol: mqtt\r\n"), 400, "muster.plain"),
    ] {
        let (answered, body) = handshake(&node, query, &headers).await;
        assert!(answered == status && body.contains(says), "{query} {headers}: {answered} {body}");
    }
    let (status, head, _) = request(node.address, "GET /ws?terminal_id=t1 HTTP/1.1\r\n").await;
    assert!(status == 426 && head.contains("application/problem+json"), "{head}");
    node.stop().await;
    let open = TestNode::start(&["--insecure"]).await;
    for headers in [String::new(), good] {
        let (status, body) = handshake(&open, "", &headers).await;
        assert!(status == 400 && body.contains("?terminal_id=ID"), "{status} {body}");
    }
    open.stop().await;
}

/// The accept values were computed by `printf %s "${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11" | openssl sha1 -binary | base64`.
#[tokio::test]
async fn a_websocket_key_with_loose_bits_or_without_padding_is_taken_and_answered_as_it_was_sent() {
    let node = TestNode::start(&["--insecure"]).await;
    let ask = async |key: &str| {
        let head = format!(
            "GET /ws?terminal_id=t1 HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        );
        head_of_answer(node.address, &head).await
    };
    for (key, accept) in [
        ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("dGhlIHNhbXBsZSBub25jZR==", "Zgw8jYXtqX5qJr7MJ1Q/MqzeSRI="),
        ("dGhlIHNhbXBsZSBub25jZQ", "RZWuh2JK/hL0RMgTNJFfZIAppXg="),
    ] {
        let head = ask(key).await;
        assert!(
            head.starts_with("HTTP/1.1 101 ") && head.contains(&format!("sec-websocket-accept: {accept}")),
            "{head}"
        );
    }
    for key in
        ["dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZ-==", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZQAA=="]
    {
        let head = ask(key).await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{key}: {head}");
    }
    node.stop().await;
}

#[tokio::test]
async fn the_api_refuses_with_a_problem() {
    let node = TestNode::start(&["--insecure", "--max-body", "1000"]).await;
    let at = node.address;
    assert_eq!(get(at, "/nowhere").await.0, 404);
    assert_eq!(request(at, "PUT /v1/commands HTTP/1.1\r\n").await.0, 405);
    assert_eq!(request(at, "DELETE /v1/nodes HTTP/1.1\r\n").await.0, 405);
    assert_eq!(get(at, "/v1/commands/7").await.0, 400);
    assert_eq!(get(at, "/v1/commands/0190163d-8694-739b-aea5-966c26f8ad91").await.0, 404);
    assert_eq!(get(at, "/v1/terminals/nobody").await.0, 404);
    assert_eq!(get(at, "/v1/terminals?limit=many").await.0, 400);
    // A slash that is encoded is part of the id, which may hold none.
    for path in ["/v1/terminals/t1%2Fsession", "/v1/terminals/t1%2", "/v1/terminals/%FF", "/v1/nodes/a%2Fb/drain%"] {
        assert_eq!(get(at, path).await.0, 400, "{path}");
    }
    for (body, status, says) in [
        ("{", 400, "the body is no command"),
        (r#"{"target":{"site":"bj"},"name":"x"}"#, 400, "unknown field `site`"),
        (r#"{"target":{"all":true},"name":""}"#, 400, "name must have"),
        (r#"{"target":{"all":true},"name":"x","rate":1e308}"#, 400, "rate must be"),
        (r#"{"target":{"all":true},"name":"x","expires_in":"1000y"}"#, 400, "expires_in must be"),
        (r#"{"target":{"labels":{"a":"b,c"}},"name":"x"}"#, 400, "has a comma"),
        (r#"{"target":{"all":true},"name":"x","expires_in":"soon"}"#, 400, "the body is no command"),
        (&format!(r#"{{"target":{{"all":true}},"name":"x","payload":"{}"}}"#, "x".repeat(1000)), 413, "--max-body"),
    ] {
        let (answered, problem) = post(at, "/v1/commands", body).await;
        assert!(answered == status && problem["detail"].as_str().unwrap().contains(says), "{body}: {problem}");
    }
    node.stop().await;
}

/// A client that sends a body which the node does not read sees the refusal, and no reset that overtakes it.
#[tokio::test]
async fn a_refusal_reaches_a_client_that_still_sends_its_body() {
    let node = TestNode::start(&["--secret", SECRET]).await;
    let body = "x".repeat(4 << 20);
    let bearer = format!("Authorization: Bearer {}\r\n", key(Scope::Command));
    for (line, key, refused) in [
        ("POST /v1/commands", "", 401),
        ("POST /v1/commands", bearer.as_str(), 413),
        ("POST /v1/nodes/n1/drain", bearer.as_str(), 403),
        ("POST /nowhere", "", 404),
        ("PUT /v1/commands", "", 405),
        ("POST /ws?terminal_id=t1", "", 405),
    ] {
        let head = format!("{line} HTTP/1.1\r\nContent-Length: {}\r\n{key}", body.len());
        for _ in 0..5 {
            let (status, _, problem) = http::exchange(node.address, &head, &body).await;
            assert!(status == refused && problem.contains("detail"), "{line}: {status} {problem}");
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn a_key_allows_its_scope_and_no_more() {
    let node = TestNode::start(&["--secret", SECRET]).await;
    let ask = async |method: &str, key: &str| {
        let head = format!(
            "{method} /v1/commands/0190163d-8694-739b-aea5-966c26f8ad91 HTTP/1.1\r\nAuthorization: Bearer {key}\r\n"
        );
        request(node.address, &head).await.0
    };
    assert_eq!(ask("GET", &key(Scope::Read)).await, 404);
    assert_eq!(ask("GET", "nonsense").await, 401);
    let head =
        format!("POST /v1/commands HTTP/1.1\r\nAuthorization: Bearer {}\r\nContent-Length: 0\r\n", key(Scope::Read));
    assert_eq!(request(node.address, &head).await.0, 403);
    node.stop().await;
}

/// What the node closes with, after these messages on a session with this subprotocol.
async fn closed_after(node: &TestNode, protocol: Option<&'static str>, messages: Vec<Message>) -> u16 {
    let mut request = format!("ws://{}/ws?terminal_id=t1", node.address).into_client_request().unwrap();
    if let Some(protocol) = protocol {
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol.parse().unwrap());
    }
    let (mut socket, _) = connect_async(request).await.unwrap();
    for message in messages {
        socket.send(message).await.unwrap();
    }
    let close = async {
        loop {
            if let Message::Close(frame) = socket.next().await.unwrap().unwrap() {
                return frame.unwrap().code.into();
            }
        }
    };
    soon(close).await
}

#[tokio::test]
async fn a_session_that_breaks_the_rules_is_closed_with_its_code() {
    let node = TestNode::start(&["--insecure", "--hello-timeout", "200ms", "--max-message", "1000"]).await;
    let hello = || Message::text(r#"{"type":"hello"}"#);
    let v1 = Some("muster.v1");
    assert_eq!(closed_after(&node, v1, vec![]).await, 4500, "no hello");
    assert_eq!(closed_after(&node, v1, vec![Message::text("hello")]).await, 4500, "no JSON");
    assert_eq!(closed_after(&node, v1, vec![Message::text(r#"{"type":"ack"}"#)]).await, 4500, "no hello first");
    let labels = Message::text(r#"{"type":"hello","labels":{"a=b":"c"}}"#);
    assert_eq!(closed_after(&node, v1, vec![labels]).await, 4500, "a label that can't be stored");
    assert_eq!(closed_after(&node, v1, vec![hello(), hello()]).await, 4500, "hello twice");
    assert_eq!(closed_after(&node, v1, vec![hello(), Message::binary(vec![0])]).await, 4500, "binary");
    assert_eq!(closed_after(&node, None, vec![Message::text("x".repeat(1001))]).await, 1009, "too big");
    assert_eq!(get(node.address, "/livez").await.0, 200);
    assert_eq!(get(node.address, "/").await.0, 200);
    node.stop().await;
}

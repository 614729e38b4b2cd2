//! A session ends when its token expires, unless the terminal sends a newer one.

use std::time::{Duration, SystemTime};

use futures_util::{SinkExt, StreamExt, stream::FuturesUnordered};
use muster_protocol::token::{Scope, Secret, TerminalClaims, sign};
use muster_testkit::{
    TestNode,
    http::{get, post, request},
    token::{SECRET, key, token},
    wait::until,
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::socket::{TestSocket, V1, close_of, next};

const HOUR: u64 = 3600;

/// A node that verifies tokens, and lets operators in without a key.
async fn node() -> TestNode {
    TestNode::start(&["--insecure", "--secret", SECRET]).await
}

/// The time in seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn labelled(terminal: &str, exp: u64, site: &str) -> String {
    let labels = [("site".to_owned(), site.to_owned())].into();
    let claims = TerminalClaims { labels, ..TerminalClaims::new(terminal.parse().unwrap(), exp) };
    sign(&SECRET.parse::<Secret>().unwrap(), &claims)
}

/// Connects a terminal with this token and waits until the registry shows it as online.
async fn session(node: &TestNode, terminal: &str, token: &str, protocol: Option<&'static str>) -> TestSocket {
    let url = format!("ws://{}/ws?terminal_id={terminal}", node.address);
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("Authorization", format!("Bearer {token}").parse().unwrap());
    if let Some(protocol) = protocol {
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol.parse().unwrap());
    }
    let (mut socket, _) = connect_async(request).await.unwrap();
    if protocol.is_some() {
        socket.send(Message::text(r#"{"type":"hello"}"#)).await.unwrap();
        assert!(next(&mut socket).await.to_text().unwrap().contains("welcome"));
    }
    let path = format!("/v1/terminals/{terminal}");
    until("it is online", async || get(node.address, &path).await.1["status"] == "online").await;
    socket
}

/// Sends the frame `token`, and returns the errors that it is answered with.
async fn renew(socket: &mut TestSocket, token: &str) -> Vec<String> {
    socket.send(Message::text(serde_json::json!({ "type": "token", "token": token }).to_string())).await.unwrap();
    answers(socket).await
}

/// What comes before the answer to a ping.
async fn answers(socket: &mut TestSocket) -> Vec<String> {
    socket.send(Message::Ping("all".into())).await.unwrap();
    let mut frames = Vec::new();
    loop {
        match next(socket).await {
            Message::Pong(payload) if payload == "all" => return frames,
            Message::Close(frame) => panic!("closed: {frame:?}"),
            Message::Text(text) => frames.push(text.to_string()),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_session_of_each_protocol_is_closed_with_4004_once_the_last_second_of_its_token_is_over() {
    let node = node().await;
    for (terminal, protocol) in [("plain", None), ("v1", Some(V1))] {
        let exp = now() + 2;
        let mut socket = session(&node, terminal, &token(terminal, exp), protocol).await;
        assert_eq!(close_of(&mut socket).await, (4004, "the token has expired".to_owned()));
        assert!((exp + 1..exp + 10).contains(&now()), "closed at {}, expired at {exp}", now());
    }
    let metrics = request(node.address, "GET /metrics HTTP/1.1\r\n").await.2;
    assert!(metrics.contains(r#"muster_sessions_ended_total{end="token_expired"} 2"#), "{metrics}");
    node.stop().await;
}

#[tokio::test]
async fn a_later_token_extends_the_session_and_changes_no_label() {
    let (node, exp) = (node().await, now() + 3);
    let mut extended = session(&node, "t1", &labelled("t1", exp, "bj"), Some(V1)).await;
    let mut other = session(&node, "t2", &token("t2", exp), Some(V1)).await;
    assert_eq!(renew(&mut extended, &labelled("t1", exp + HOUR, "sh")).await, Vec::<String>::new());
    // Both would be ended at the same time.
    assert_eq!(close_of(&mut other).await.0, 4004);
    assert_eq!(answers(&mut extended).await, Vec::<String>::new());
    assert_eq!(get(node.address, "/v1/terminals/t1").await.1["labels"]["site"], "bj");
    node.stop().await;
}

#[tokio::test]
async fn a_token_that_is_no_good_is_answered_with_an_error_that_does_not_repeat_it_and_extends_nothing() {
    let (node, exp) = (node().await, now() + 5);
    let other_secret: Secret = "k1=fedcba9876543210fedcba9876543210".parse().unwrap();
    let claims = |sub: &str| TerminalClaims::new(sub.parse().unwrap(), exp + HOUR);
    let mut sessions = Vec::new();
    for (number, (bad, why)) in [
        (token("another", exp + HOUR), "another terminal"),
        (token("t1", exp - 1), "not later"),
        (token("t2", exp), "not later"),
        (token("t3", 1), "expired"),
        (sign(&other_secret, &claims("t4")), "signature"),
        (sign(&"k2=0123456789abcdef0123456789abcdef".parse::<Secret>().unwrap(), &claims("t5")), "kid"),
        (key(Scope::Admin), "refused"),
        ("garbage".to_owned(), "no JWT"),
        (String::new(), "no JWT"),
        ("x".repeat(20_000), "longer than"),
    ]
    .into_iter()
    .enumerate()
    {
        let terminal = format!("t{number}");
        let mut socket = session(&node, &terminal, &token(&terminal, exp), Some(V1)).await;
        let [error] = &renew(&mut socket, &bad).await[..] else { panic!("{why}: no error, or more") };
        assert!(error.contains(r#""code":"token_refused""#) && error.contains(why), "{why}: {error}");
        assert!(bad.is_empty() || !error.contains(&bad), "{error}");
        sessions.push(socket);
    }
    for socket in &mut sessions {
        assert_eq!(close_of(socket).await.0, 4004);
    }
    node.stop().await;
}

#[tokio::test]
async fn of_many_tokens_in_a_second_one_is_looked_at_and_a_good_one_is_taken_later() {
    let (node, exp) = (node().await, now() + 5);
    let mut socket = session(&node, "t1", &token("t1", exp), Some(V1)).await;
    let frame = Message::text(r#"{"type":"token","token":"garbage"}"#);
    let began = now();
    for _ in 0..100 {
        socket.feed(frame.clone()).await.unwrap();
    }
    let errors = answers(&mut socket).await;
    let looked_at = errors.iter().filter(|error| error.contains("token_refused")).count() as u64;
    let too_soon = errors.iter().filter(|error| error.contains("token_too_soon")).count() as u64;
    assert_eq!(looked_at + too_soon, 100, "{errors:?}");
    assert!((1..=1 + now() - began).contains(&looked_at), "{looked_at} were looked at");
    let good = token("t1", exp + HOUR);
    while !renew(&mut socket, &good).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut other = session(&node, "t2", &token("t2", exp), Some(V1)).await;
    assert_eq!(close_of(&mut other).await.0, 4004);
    assert_eq!(answers(&mut socket).await, Vec::<String>::new());
    node.stop().await;
}

#[tokio::test]
async fn in_plain_mode_a_token_frame_is_a_message_and_extends_nothing() {
    let (node, exp) = (node().await, now() + 2);
    let mut socket = session(&node, "t1", &token("t1", exp), None).await;
    assert_eq!(renew(&mut socket, &token("t1", exp + HOUR)).await, Vec::<String>::new());
    assert_eq!(close_of(&mut socket).await.0, 4004);
    node.stop().await;
}

#[tokio::test]
async fn without_a_key_to_verify_tokens_with_a_session_does_not_expire_and_ignores_them() {
    let node = TestNode::start(&["--insecure"]).await;
    let mut socket = session(&node, "t1", &token("t1", 1), Some(V1)).await;
    assert_eq!(renew(&mut socket, "garbage").await, Vec::<String>::new());
    let since = now();
    until("a second has passed", async || now() > since + 1).await;
    assert_eq!(answers(&mut socket).await, Vec::<String>::new());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions_with_one_expiry_all_end_while_another_is_served() {
    const MANY: usize = 1500;
    let (node, exp) = (node().await, now() + 8);
    let mut served = session(&node, "served", &token("served", exp + HOUR), Some(V1)).await;
    let connect = async |number: usize| {
        let mut request = format!("ws://{}/ws", node.address).into_client_request().unwrap();
        let token = token(&format!("many-{number}"), exp);
        request.headers_mut().insert("Authorization", format!("Bearer {token}").parse().unwrap());
        // The node takes 1000 handshakes a second.
        tokio::time::sleep(Duration::from_millis(2 * number as u64)).await;
        connect_async(request).await.unwrap().0
    };
    let connecting: FuturesUnordered<_> = (0..MANY).map(connect).collect();
    let mut sockets: Vec<_> = connecting.collect().await;
    assert!(now() <= exp, "this machine is too slow for this test");
    let closes = async {
        for socket in &mut sockets {
            assert_eq!(close_of(socket).await.0, 4004);
        }
    };
    let serving = async {
        while now() <= exp {
            assert_eq!(answers(&mut served).await, Vec::<String>::new());
        }
        node.command(r#"{"terminal":"served"}"#, "1").await;
        assert!(next(&mut served).await.to_text().unwrap().contains("show"));
    };
    tokio::join!(closes, serving);
    until("only one is left", async || get(node.address, "/v1/fleet").await.1["online"] == 1).await;
    node.stop().await;
}

#[tokio::test]
async fn a_session_that_was_extended_lives_by_its_newer_token_alone() {
    let (node, exp) = (node().await, now() + HOUR);
    let with_id = |id: &str, exp: u64| {
        let claims = TerminalClaims::new("t1".parse().unwrap(), exp);
        sign(&SECRET.parse::<Secret>().unwrap(), &TerminalClaims { jti: Some(id.into()), ..claims })
    };
    let mut socket = session(&node, "t1", &with_id("first", exp), Some(V1)).await;
    assert_eq!(renew(&mut socket, &with_id("second", exp + HOUR)).await, Vec::<String>::new());
    let revoke = async |id: &str| {
        let body = serde_json::json!({ "token_id": id }).to_string();
        assert_eq!(post(node.address, "/v1/revocations", &body).await.0, 201);
        let metrics = request(node.address, "GET /metrics HTTP/1.1\r\n").await.2;
        metrics.lines().find_map(|line| line.strip_prefix("muster_revocations ")?.parse::<u64>().ok()).unwrap()
    };
    let before = revoke("first").await;
    until("it is applied", async || revoke("other").await > before).await;
    assert_eq!(answers(&mut socket).await, Vec::<String>::new());
    revoke("second").await;
    assert_eq!(close_of(&mut socket).await, (4501, "the token was revoked".to_owned()));
    node.stop().await;
}

#[tokio::test]
async fn what_a_terminal_says_of_itself_is_selected_as_such() {
    let node = node().await;
    let claims =
        TerminalClaims { say: vec!["floor".into()], ..TerminalClaims::new("t1".parse().unwrap(), now() + HOUR) };
    let token = sign(&SECRET.parse::<Secret>().unwrap(), &claims);
    let mut request = format!("ws://{}/ws?terminal_id=t1", node.address).into_client_request().unwrap();
    request.headers_mut().insert("Authorization", format!("Bearer {token}").parse().unwrap());
    request.headers_mut().insert("Sec-WebSocket-Protocol", "muster.v1".parse().unwrap());
    let (mut socket, _) = connect_async(request).await.unwrap();
    socket.send(Message::text(r#"{"type":"hello","labels":{"role":"vault","floor":"2"}}"#)).await.unwrap();
    assert!(next(&mut socket).await.to_text().unwrap().contains("welcome"));
    for (selector, count) in [("role=vault", 0), ("self.role=vault", 1), ("floor=2", 1)] {
        let found = get(node.address, &format!("/v1/terminals?selector={}", selector.replace('=', "%3D"))).await.1;
        assert_eq!(found["terminals"].as_array().unwrap().len(), count, "{selector}: {found}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_token_that_allows_it_is_renewed_and_extends_the_session() {
    let (node, exp) = (TestNode::start(&["--secret", SECRET]).await, now() + 3);
    let claims = TerminalClaims { renew: Some(HOUR), ..TerminalClaims::new("t1".parse().unwrap(), exp) };
    let first = sign(&SECRET.parse::<Secret>().unwrap(), &claims);
    let ask = async |token: &str| {
        let head = format!("POST /v1/renew HTTP/1.1\r\nContent-Length: 0\r\nAuthorization: Bearer {token}\r\n");
        let (status, head, body) = request(node.address, &head).await;
        assert!(status != 200 || head.contains("cache-control: no-store"), "{head}");
        (status, serde_json::from_str::<serde_json::Value>(&body).unwrap())
    };
    let url = format!("ws://{}/ws", node.address);
    let mut handshake = url.into_client_request().unwrap();
    handshake.headers_mut().insert("Authorization", format!("Bearer {first}").parse().unwrap());
    handshake.headers_mut().insert("Sec-WebSocket-Protocol", V1.parse().unwrap());
    let (mut socket, _) = connect_async(handshake).await.unwrap();
    socket.send(Message::text(r#"{"type":"hello"}"#)).await.unwrap();
    let (status, grant) = ask(&first).await;
    assert!(status == 200 && grant["terminal"] == "t1", "{status} {grant}");
    assert!(next(&mut socket).await.to_text().unwrap().contains("welcome"));
    assert_eq!(renew(&mut socket, grant["token"].as_str().unwrap()).await, Vec::<String>::new());
    until("the first token has expired", async || ask(&first).await.0 == 401).await;
    assert_eq!(answers(&mut socket).await, Vec::<String>::new());
    assert_eq!(ask(&token("t1", exp + HOUR)).await.0, 403);
    assert_eq!(ask(&key(Scope::Admin)).await.0, 401);
    node.stop().await;
}

//! Handshakes in which the token alone says which terminal it is.

use futures_util::SinkExt;
use muster_testkit::{
    TestNode, TestRedis,
    http::{get, placement},
    token::{NEVER, SECRET, token},
    wait::until,
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

/// Where a proxy is told to send a handshake with this query and this token.
async fn placed(node: &TestNode, query: &str, token: &str) -> String {
    placement(node.address, query, &format!("Authorization: Bearer {token}\r\n")).await
}

#[tokio::test]
async fn a_token_is_enough_in_plain_mode_and_in_v1_by_header_and_by_subprotocol() {
    // The API is open to whoever sends no key, and tokens are verified.
    let node = TestNode::start(&["--insecure", "--secret", SECRET]).await;
    for (id, by_header, subprotocol) in [
        ("plain", true, None),
        ("v1", true, Some("muster.v1".to_owned())),
        ("browser", false, Some(format!("muster.plain, muster.bearer.{}", token("browser", NEVER)))),
    ] {
        let mut request = format!("ws://{}/ws", node.address).into_client_request().unwrap();
        if by_header {
            request.headers_mut().insert("Authorization", format!("Bearer {}", token(id, NEVER)).parse().unwrap());
        }
        if let Some(offered) = subprotocol {
            request.headers_mut().insert("Sec-WebSocket-Protocol", offered.parse().unwrap());
        }
        let (mut socket, _) = connect_async(request).await.unwrap();
        socket.send(Message::text(r#"{"type":"hello"}"#)).await.unwrap();
        let path = format!("/v1/terminals/{id}");
        until("it is online", async || get(node.address, &path).await.1["status"] == "online").await;
    }
    let mut request = format!("ws://{}/ws?terminal_id=t2", node.address).into_client_request().unwrap();
    request.headers_mut().insert("Authorization", format!("Bearer {}", token("t1", NEVER)).parse().unwrap());
    let Err(Error::Http(refusal)) = connect_async(request).await else { panic!("two ids were taken for one") };
    assert_eq!(refusal.status(), 403);
    node.stop().await;
}

#[tokio::test]
async fn sticky_placement_goes_by_the_tokens_id() {
    let redis = TestRedis::start().await;
    let flags = ["--secret", SECRET, "--insecure", "--redis", &redis.url, "--placement", "sticky"];
    let (one, other) = (TestNode::start(&flags).await, TestNode::start(&flags).await);
    for number in 0..10 {
        let id = format!("t{number}");
        let (query, token) = (format!("?terminal_id={id}"), token(&id, NEVER));
        until("the nodes agree, with the id and without", async || {
            let by_id = placed(&one, &query, &token).await;
            placed(&one, "", &token).await == by_id && placed(&other, "", &token).await == by_id
        })
        .await;
    }
    one.stop().await;
    other.stop().await;
}

//! Terminals of other systems, in plain mode.

use futures_util::{SinkExt, StreamExt};
use muster_testkit::{
    TestNode,
    http::{events, get, head_of_answer},
    wait::{soon, until},
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

/// The subprotocol that the node selects of those that are offered.
async fn selected(node: &TestNode, offered: &str) -> Option<String> {
    let head = head_of_answer(
        node.address,
        &format!(
            "GET /ws?terminal_id=t1 HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {offered}\r\n"
        ),
    )
    .await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{offered}: {head}");
    head.lines().find_map(|line| line.strip_prefix("sec-websocket-protocol: ")).map(str::to_owned)
}

#[tokio::test]
async fn a_named_subprotocol_counts_as_plain_mode_and_an_empty_offer_as_none() {
    let node = TestNode::start(&["--insecure", "--plain-protocols", "arduino,ocpp1.6"]).await;
    for (offered, answer) in [
        ("", None),
        (" , ", None),
        ("arduino", Some("arduino")),
        ("mqtt, ocpp1.6, arduino", Some("ocpp1.6")),
        ("arduino, muster.plain", Some("muster.plain")),
        ("arduino, muster.v1", Some("muster.v1")),
    ] {
        assert_eq!(selected(&node, offered).await.as_deref(), answer, "{offered}");
    }
    selected(&node, "arduino").await;
    until("it is plain", async || get(node.address, "/v1/terminals/t1").await.1["protocol"] == "plain").await;
    node.stop().await;
    let error = TestNode::start_error(&["--insecure", "--plain-protocols", &vec!["a"; 33].join(",")]).await;
    assert!(error.contains("--plain-protocols"), "{error}");
}

#[tokio::test]
async fn a_text_heartbeat_of_a_plain_terminal_is_answered_and_is_no_event() {
    let node = TestNode::start(&["--insecure", "--plain-heartbeat", "ping=pong"]).await;
    let (mut socket, _) = connect_async(format!("ws://{}/ws?terminal_id=t1", node.address)).await.unwrap();
    for text in ["ping", "ping ", "last"] {
        socket.send(Message::text(text)).await.unwrap();
    }
    assert_eq!(soon(socket.next()).await.unwrap().unwrap(), Message::text("pong"));
    let mut said = String::new();
    until("the last event is there", async || {
        said = events(node.address).await;
        said.contains(r#""payload":"last""#)
    })
    .await;
    assert!(said.contains(r#""payload":"ping ""#) && !said.contains(r#""payload":"ping""#), "{said}");
    node.stop().await;
}

//! Which close code a session of each protocol is sent: when it may come back, and in answer to its own close.

use futures_util::SinkExt;
use muster_testkit::{TestNode, http::request};
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

use crate::socket::{V1, close_of, is_shown_as, session};

const PROTOCOLS: [(Option<&str>, u16); 2] = [(None, 1001), (Some(V1), 1012)];

#[tokio::test]
async fn a_stopping_node_closes_its_sessions_with_a_hint_and_a_code_that_they_know() {
    for (protocol, code) in PROTOCOLS {
        let node = TestNode::start(&["--insecure"]).await;
        let mut socket = session(&node, protocol).await;
        let ((closed, reason), ()) = tokio::join!(close_of(&mut socket), node.stop());
        assert!(closed == code && reason.contains("retry_ms"), "{protocol:?}: {closed} {reason}");
    }
}

#[tokio::test]
async fn an_operator_disconnects_a_session_with_a_hint_and_a_code_that_it_knows() {
    let node = TestNode::start(&["--insecure"]).await;
    for (protocol, code) in PROTOCOLS {
        let mut socket = session(&node, protocol).await;
        assert_eq!(request(node.address, "DELETE /v1/terminals/t1/session HTTP/1.1\r\n").await.0, 202);
        let (closed, reason) = close_of(&mut socket).await;
        assert!(closed == code && reason.contains("retry_ms"), "{protocol:?}: {closed} {reason}");
        drop(socket);
        is_shown_as(&node, "offline").await;
    }
    node.stop().await;
}

#[tokio::test]
async fn a_terminals_own_close_is_answered_with_its_code() {
    let node = TestNode::start(&["--insecure"]).await;
    for (protocol, _) in PROTOCOLS {
        let mut socket = session(&node, protocol).await;
        let close = CloseFrame { code: 3005.into(), reason: "the shift ends".into() };
        socket.send(Message::Close(Some(close))).await.unwrap();
        assert_eq!(close_of(&mut socket).await, (3005, String::new()));
        is_shown_as(&node, "offline").await;
    }
    node.stop().await;
}

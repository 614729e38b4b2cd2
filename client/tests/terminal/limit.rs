//! A message over the node's limit is refused before it is sent; a session never ends because of one.

use muster_client::{Config, ConfigError, Incoming, SendError, Terminal};
use muster_protocol::{
    Payload,
    api::Protocol,
    frame::{EVENT_MAX, Event, FromNode, FromTerminal, Progress, ResultFrame, Welcome},
};
use muster_testkit::wait::soon;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use crate::fake_node::{FakeNode, FakeSession, config, id, start, welcome};

/// Accepts the next connection and answers its hello with this limit in bytes.
async fn welcome_with(node: &FakeNode, max_message: u64) -> FakeSession {
    let (mut peer, _) = node.upgrade().await;
    assert!(matches!(peer.receive().await, FromTerminal::Hello(_)));
    let FromNode::Welcome(welcome) = welcome() else { unreachable!() };
    peer.send(FromNode::Welcome(Welcome { max_message, ..welcome })).await;
    peer
}

fn bytes(count: usize) -> Payload {
    Payload::from_text(&"x".repeat(count))
}

fn event(count: usize) -> FromTerminal {
    FromTerminal::Event(Event { id: None, name: "e".into(), payload: bytes(count) })
}

#[tokio::test]
async fn a_reply_over_the_limit_ends_its_command_with_the_reason_and_the_session_stays() {
    let node = FakeNode::bind().await;
    let (terminal, mut reports) = start(config([node.url()]));
    let mut peer = welcome_with(&node, 1000).await;
    soon(reports.recv()).await;
    let refused = terminal.result(id(1), true, bytes(2000)).await.unwrap_err();
    assert_eq!(refused, SendError::TooLarge { bytes: 2084, limit: 1000 });
    assert!(refused.to_string().contains("at most 1000"), "{refused}");
    let reason = Payload::from_value(&json!({ "error": "too_large", "bytes": 2084, "limit": 1000 }));
    let failed = FromTerminal::Result(ResultFrame { id: id(1), ok: false, reason: None, payload: reason });
    assert_eq!(peer.receive().await, failed);
    terminal.result(id(2), true, Payload::default()).await.unwrap();
    let second = peer.receive().await;
    peer.close(4003, "").await;
    // Only what was sent is sent again.
    let mut peer = welcome_with(&node, 1000).await;
    assert_eq!((peer.receive().await, peer.receive().await), (failed, second));
}

#[tokio::test]
async fn events_and_progress_over_the_limit_are_refused_and_those_at_it_are_sent() {
    let node = FakeNode::bind().await;
    let (terminal, mut reports) = start(config([node.url()]));
    let mut peer = welcome_with(&node, 1000).await;
    soon(reports.recv()).await;
    let room = 1000 - event(0).to_string().len();
    let progress = FromTerminal::Progress(Progress { id: id(1), payload: bytes(1000) });
    for refused in [event(room + 1), progress] {
        assert!(matches!(terminal.send(refused).await, Err(SendError::TooLarge { limit: 1000, .. })));
    }
    terminal.send(event(room)).await.unwrap();
    assert_eq!(peer.receive().await, event(room));
}

#[tokio::test]
async fn an_event_that_a_node_would_not_record_is_refused_with_the_limit() {
    let node = FakeNode::bind().await;
    let (terminal, mut reports) = start(config([node.url()]));
    let mut peer = welcome_with(&node, 65536).await;
    soon(reports.recv()).await;
    // The name has one byte, and the quotes of the payload are two.
    let refused = terminal.send(event(EVENT_MAX - 2)).await.unwrap_err();
    assert_eq!(refused, SendError::EventTooLarge { bytes: EVENT_MAX + 1, limit: EVENT_MAX });
    assert!(refused.to_string().contains("at most 8192"), "{refused}");
    terminal.send(event(EVENT_MAX - 3)).await.unwrap();
    assert_eq!(peer.receive().await, event(EVENT_MAX - 3));
}

#[tokio::test]
async fn a_message_over_the_limit_of_the_next_node_is_neither_sent_nor_repeated() {
    let node = FakeNode::bind().await;
    let (terminal, mut reports) = start(config([node.url()]));
    let mut peer = welcome_with(&node, 9000).await;
    terminal.result(id(1), true, bytes(2000)).await.unwrap();
    peer.receive().await;
    peer.close(4003, "").await;
    while !matches!(soon(reports.recv()).await, Some(Incoming::Offline { .. })) {}
    terminal.send(event(2000)).await.unwrap();
    for _ in 0..2 {
        let mut peer = welcome_with(&node, 1000).await;
        let FromTerminal::Result(result) = peer.receive().await else { panic!("no result") };
        assert_eq!((result.id, result.ok), (id(1), false));
        terminal.send(event(1)).await.unwrap();
        assert_eq!(peer.receive().await, event(1), "the large event was sent");
        peer.close(4003, "").await;
    }
    let mut told = Vec::new();
    while told.len() < 2 {
        if let Some(Incoming::NotSent(error)) = soon(reports.recv()).await {
            told.push(error);
        }
    }
    assert!(told.iter().all(|error| matches!(error, SendError::TooLarge { limit: 1000, .. })), "{told:?}");
}

#[tokio::test]
async fn plain_mode_holds_to_the_configured_limit() {
    let node = FakeNode::bind().await;
    let plain = Config { protocol: Protocol::Plain, max_message: 100, ..config([node.url()]) };
    let (terminal, _reports) = start(plain);
    let (mut peer, _) = node.upgrade().await;
    let refused = terminal.send_text("x".repeat(101)).await;
    assert_eq!(refused, Err(SendError::TooLarge { bytes: 101, limit: 100 }));
    terminal.send_text("x".repeat(100)).await.unwrap();
    assert_eq!(peer.receive_message().await, Message::text("x".repeat(100)));
}

#[tokio::test]
async fn a_hello_over_the_limit_is_refused_at_the_start() {
    let start = |will| {
        let config = Config { will: Some(bytes(will)), ..config(["ws://127.0.0.1:9/ws".to_owned()]) };
        Terminal::start(config, mpsc::channel(1).0).map(drop)
    };
    assert!(matches!(start(65536), Err(ConfigError::HelloTooLarge { limit: 65536, .. })));
    assert_eq!(start(65000), Ok(()));
}
